//! The Marchenko-Pastur law of the eigenvalues of a random matrix, and how its variance is found.
//!
//! Spectra are rescaled to mean 1, `e = W_scale² λ` with `W_scale = √(n / Σλ)`; σ = 1 there is a purely random matrix.

use serde::{Deserialize, Serialize};

use super::kde::triangular_density;
use super::minimize::nelder_mead_1d;
use super::tracy_widom::{johnstone, tracy_widom_quantile};

const HALF_WIDTH: f64 = 0.1;
const GRID: usize = 1000;
const LEAST_DENSITY: f64 = 0.01;

/// The law of the singular values of a square matrix, that σ is fitted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarterCircle {
    /// `√(4σ² - x²) / (π σ²)` on [0, 2σ].
    Scaled,
    /// The edge at 2, whatever σ (WeightWatcher 0.7.7).
    FixedEdge,
}

/// A Marchenko-Pastur law fitted to a spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MpFit {
    /// σ of the bulk in units where the mean eigenvalue is 1: least squares on a kernel density.
    pub sigma: f64,
    /// σ of the bulk by its median, which spikes hardly move.
    pub sigma_bulk: f64,
    /// `√(n / Σλ)`.
    pub scale: f64,
    /// `(σ (1 - 1/√Q))²` in the units of the spectrum.
    pub bulk_min: f64,
    /// `(σ (1 + 1/√Q))²` likewise.
    pub bulk_max: f64,
    /// The reference's threshold of spikes: `b + √(b^⅔ M^-⅔ / √Q)`, b the bulk's edge; in the units of the spectrum.
    pub margin: f64,
    /// The bulk's edge over the largest eigenvalue.
    pub softrank: f64,
}

/// The Marchenko-Pastur density itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MpLaw {
    /// Where the bulk begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    front: f64,
}

impl MpLaw {
    /// Of the eigenvalues of matrices with `q = N / M`, whose mean is σ².
    pub fn new(sigma: f64, q: f64) -> Self {
        let (variance, root) = (sigma * sigma, 1.0 / q.sqrt());
        let (low, high) = (variance * (1.0 - root).powi(2), variance * (1.0 + root).powi(2));
        MpLaw { low, high, front: q / (2.0 * std::f64::consts::PI * variance) }
    }

    /// The density at an eigenvalue.
    pub fn density(&self, x: f64) -> f64 {
        let under = (self.high - x) * (x - self.low);
        if under > 0.0 && x > 0.0 { self.front / x * under.sqrt() } else { 0.0 }
    }
}

/// What is known of the matrices of a spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ensemble {
    /// Rows of each.
    pub n: usize,
    /// Columns of each.
    pub m: usize,
    /// How many.
    pub count: usize,
}

impl Ensemble {
    fn q(self) -> f64 {
        self.n as f64 / self.m as f64
    }

    /// The Tracy-Widom threshold: an eigenvalue of these matrices, their entries independent with variance `variance`, is above it with
    /// probability `1 - quantile`, however many matrices there are.
    pub fn tracy_widom_edge(self, variance: f64, quantile: f64) -> f64 {
        let (center, scale) = johnstone(self.n as f64, self.m as f64);
        let each = quantile.powf(1.0 / self.count.max(1) as f64);
        variance * (center + scale * tracy_widom_quantile(each))
    }
}

/// Fits the law to eigenvalues in ascending order, as WeightWatcher 0.7.7 does; the density is computed
/// once. `None` where there is nothing to fit.
pub fn fit_marchenko_pastur(eigenvalues: &[f64], ensemble: Ensemble, circle: QuarterCircle) -> Option<MpFit> {
    let (total, largest) = (eigenvalues.iter().sum::<f64>(), *eigenvalues.last()?);
    if !(total.is_finite() && largest > 0.0 && ensemble.m > 0) {
        return None;
    }
    let (q, m) = (ensemble.q(), ensemble.m as f64);
    let scale = (eigenvalues.len() as f64 / total).sqrt();
    let square = scale * scale;
    let top = square * largest;
    let root = 1.0 / q.sqrt();
    let full = top.sqrt() / (1.0 + root);
    let objective = Objective::new(eigenvalues.iter().map(|v| square * v), top, q, circle);
    let sigma = objective.minimize(full)?;
    let edge = (sigma * (1.0 + root)).powi(2);
    let margin = edge + (edge.powf(2.0 / 3.0) * m.powf(-2.0 / 3.0) * root).sqrt();
    Some(MpFit {
        sigma,
        sigma_bulk: (square * median(eigenvalues) / law_median(q)).sqrt(),
        scale,
        bulk_min: (sigma * (1.0 - root)).powi(2) / square,
        bulk_max: edge / square,
        margin: margin / square,
        softrank: edge / top,
    })
}

impl MpFit {
    /// Variance of the entries of the bulk, for matrices of `n` rows, in the units of the spectrum.
    pub fn entry_variance(&self, n: usize) -> f64 {
        (self.sigma_bulk / self.scale).powi(2) / n as f64
    }
}

/// Squared differences between the kernel density and the law.
struct Objective {
    /// Grid points of some density, and it.
    kept: Vec<(f64, f64)>,
    peak: f64,
    last: f64,
    /// Q; `None` for a square matrix, whose singular values are fitted.
    q: Option<f64>,
    circle: QuarterCircle,
}

impl Objective {
    fn new(rescaled: impl Iterator<Item = f64>, top: f64, q: f64, circle: QuarterCircle) -> Self {
        let square = q == 1.0;
        let of = |v: f64| if square { v.sqrt() } else { v };
        let values: Vec<f64> = rescaled.map(of).collect();
        let mut kept = triangular_density(&values, HALF_WIDTH, of(top) + 0.5, GRID);
        kept.retain(|(_, density)| *density > LEAST_DENSITY);
        if square && circle == QuarterCircle::Scaled {
            // Half of the kernel of values near zero falls below zero.
            kept.retain(|(x, _)| *x >= HALF_WIDTH);
        }
        let mut peak = (0.0, f64::NEG_INFINITY);
        for &(x, density) in &kept {
            if density > peak.1 {
                peak = (x, density);
            }
        }
        let last = kept.last().map_or(0.0, |k| k.0);
        Objective { kept, peak: peak.0, last, q: (!square).then_some(q), circle }
    }

    fn minimize(&self, full: f64) -> Option<f64> {
        if self.kept.is_empty() {
            return None;
        }
        let at = |sigma: f64| self.at(sigma);
        let mut best = (f64::NAN, f64::INFINITY);
        for k in 0..195 {
            let sigma = 0.05 * full + f64::from(k) * (0.01 * full);
            let value = at(sigma);
            if value < best.1 {
                best = (sigma, value);
            }
        }
        let found = nelder_mead_1d(best.0, at).abs();
        found.is_finite().then_some(found)
    }

    fn at(&self, sigma: f64) -> f64 {
        let pi = std::f64::consts::PI;
        let variance = sigma * sigma;
        let Some(q) = self.q else {
            let edge = if self.circle == QuarterCircle::Scaled { 4.0 * variance } else { 4.0 };
            let model = |x: f64| (edge - x * x).max(0.0).sqrt() / (pi * variance);
            return self.kept.iter().map(|&(x, density)| (model(x) - density).powi(2)).sum();
        };
        let law = MpLaw::new(sigma, q);
        if law.high < self.peak || law.high > self.last || law.low > self.peak {
            return 1e6 * self.kept.len() as f64;
        }
        self.kept.iter().map(|&(x, density)| (law.density(x) - density).powi(2)).sum()
    }
}

fn median(ascending: &[f64]) -> f64 {
    let half = ascending.len() / 2;
    if ascending.len() % 2 == 1 { ascending[half] } else { 0.5 * (ascending[half - 1] + ascending[half]) }
}

/// Median of the law with mean 1. With `x = 1 + c - 2√c cos θ`, c = 1/Q, its mass is `2 sin²θ / (π x) dθ`, which is smooth.
fn law_median(q: f64) -> f64 {
    const PANELS: usize = 4000;
    let c = q.min(1.0 / q);
    let at = |theta: f64| 1.0 + c - 2.0 * c.sqrt() * theta.cos();
    let mass = |theta: f64| {
        let x = at(theta);
        if x > 1e-12 {
            2.0 * theta.sin().powi(2) / (std::f64::consts::PI * x)
        } else {
            2.0 / std::f64::consts::PI
        }
    };
    let h = std::f64::consts::PI / PANELS as f64;
    let mut sum = 0.0;
    for k in 0..PANELS {
        let theta = k as f64 * h;
        let panel = h / 6.0 * (mass(theta) + 4.0 * mass(theta + 0.5 * h) + mass(theta + h));
        if sum + panel >= 0.5 {
            return at(theta + h * (0.5 - sum) / panel);
        }
        sum += panel;
    }
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles of the law with mean 1 by bisection of a fine sum.
    fn law(q: f64, n: usize) -> Vec<f64> {
        let c: f64 = 1.0 / q;
        let panels = 200_000;
        let h = std::f64::consts::PI / f64::from(panels);
        let (mut sum, mut out) = (0.0, Vec::new());
        for k in 0..panels {
            let theta = (f64::from(k) + 0.5) * h;
            let x = 1.0 + c - 2.0 * c.sqrt() * theta.cos();
            sum += 2.0 * theta.sin().powi(2) / (std::f64::consts::PI * x) * h;
            while out.len() < n && sum >= (out.len() as f64 + 0.5) / n as f64 {
                out.push(x);
            }
        }
        assert_eq!(out.len(), n);
        out
    }

    #[test]
    fn a_spectrum_of_the_law_has_sigma_one_and_its_edges() {
        for (n, m) in [(1000, 1000), (2000, 1000), (5000, 1000)] {
            let values: Vec<f64> = law(n as f64 / m as f64, m).into_iter().map(|x| 7.0 * x).collect();
            let ensemble = Ensemble { n, m, count: 1 };
            let fit = fit_marchenko_pastur(&values, ensemble, QuarterCircle::Scaled).unwrap();
            let root = (m as f64 / n as f64).sqrt();
            assert!((fit.sigma - 1.0).abs() < 0.02, "{n}: {}", fit.sigma);
            assert!((fit.sigma_bulk - 1.0).abs() < 0.002, "{n}: {}", fit.sigma_bulk);
            assert!((fit.bulk_max / (7.0 * (1.0 + root).powi(2)) - 1.0).abs() < 0.05, "{}", fit.bulk_max);
            assert!((fit.entry_variance(n) * n as f64 / 7.0 - 1.0).abs() < 0.005);
        }
    }

    #[test]
    fn the_median_is_robust_where_spikes_carry_most_of_the_norm() {
        let mut values = law(2.0, 500);
        let bulk: f64 = values.iter().sum();
        values.extend([0.5 * bulk, bulk]);
        let fit =
            fit_marchenko_pastur(&values, Ensemble { n: 1004, m: 502, count: 1 }, QuarterCircle::Scaled)
                .unwrap();
        // In units of the mean the bulk has σ² = 502 / 1250.
        let truth = (values.len() as f64 / (2.5 * bulk)).sqrt();
        assert!((fit.sigma_bulk / truth - 1.0).abs() < 0.01, "{} {truth}", fit.sigma_bulk);
    }

    #[test]
    fn a_square_matrix_has_its_true_edge_by_default_and_a_fixed_one_under_the_reference() {
        let mut values = law(1.0, 400);
        values.extend([300.0; 2]);
        let ensemble = Ensemble { n: 402, m: 402, count: 1 };
        let truth = (402.0 / 1000.0f64).sqrt();
        let scaled = fit_marchenko_pastur(&values, ensemble, QuarterCircle::Scaled).unwrap();
        assert!((scaled.sigma / truth - 1.0).abs() < 0.05, "{} {truth}", scaled.sigma);
        let fixed = fit_marchenko_pastur(&values, ensemble, QuarterCircle::FixedEdge).unwrap();
        assert!((fixed.sigma / truth - 1.0).abs() > 0.1, "{}", fixed.sigma);
    }

    #[test]
    fn the_identity_gives_the_reference_s_answer() {
        let fit =
            fit_marchenko_pastur(&[1.0; 40], Ensemble { n: 40, m: 40, count: 1 }, QuarterCircle::FixedEdge)
                .unwrap();
        assert!((fit.sigma - 0.33).abs() < 0.005, "{}", fit.sigma);
        assert!(fit.margin < 1.0);
    }

    #[test]
    fn the_density_has_mass_and_mean_of_the_law() {
        for (sigma, q) in [(1.0, 1.0), (0.7, 2.0), (3.0, 8.0)] {
            let law = MpLaw::new(sigma, q);
            // x = (high + low)/2 - (high - low)/2 cos θ takes the roots at the ends out.
            let (panels, h) = (20_000, std::f64::consts::PI / 20_000.0);
            let (mut mass, mut mean) = (0.0, 0.0);
            for k in 0..panels {
                let theta = (f64::from(k) + 0.5) * h;
                let half = 0.5 * (law.high - law.low);
                let x = law.low + half * (1.0 - theta.cos());
                let part = law.density(x) * half * theta.sin() * h;
                mass += part;
                mean += x * part;
            }
            assert!((mass - 1.0).abs() < 1e-4, "{mass}");
            assert!((mean / (sigma * sigma) - 1.0).abs() < 1e-4, "{mean}");
        }
        assert_eq!(MpLaw::new(1.0, 4.0).density(0.2), 0.0);
    }

    #[test]
    fn nothing_to_fit_is_none() {
        let ensemble = Ensemble { n: 4, m: 4, count: 1 };
        assert_eq!(fit_marchenko_pastur(&[0.0; 4], ensemble, QuarterCircle::Scaled), None);
        assert_eq!(fit_marchenko_pastur(&[], ensemble, QuarterCircle::Scaled), None);
    }
}
