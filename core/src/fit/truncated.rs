//! Power laws with an exponential cut-off, `p(x) = Λ^(1-α) x^-α e^(-Λx) / Γ(1-α, Λ xmin)` with α >= 1 and Λ >= 0.
//!
//! Likelihood is concave in α and Λ, so its maximum is one, perhaps on the border: Λ = 0, a power law, or α = 1, the lightest tail.

use std::ops::RangeInclusive;

use serde::Serialize;

use super::expint::ln_expint;
use super::newton::{Slope, maximum, moments};
use super::scan::Tails;
use super::{Estimator, FitError, PowerLaw};

/// Logarithm of a density, against its largest, that no longer matters.
const NEGLIGIBLE: f64 = 38.0;
/// Wide enough for the steepest part of the integrand, where a rule of 16 points is exact to 1e-12.
const PANEL: f64 = 2.0;

/// A fitted power law with a cut-off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TruncatedPowerLaw {
    /// Exponent, at least 1.
    pub alpha: f64,
    /// Rate of the cut-off, at least 0; in units of one over the values'.
    pub lambda: f64,
    /// Smallest value of the tail.
    pub xmin: f64,
    /// Largest fitted value.
    pub xmax: f64,
    /// Kolmogorov-Smirnov distance against the lower empirical steps.
    pub d: f64,
    /// Values in the tail.
    pub n_tail: usize,
    /// Logarithm of the likelihood of the tail.
    pub log_likelihood: f64,
}

impl TruncatedPowerLaw {
    /// Logarithm of the density at `x >= xmin`.
    pub fn ln_density(&self, x: f64) -> f64 {
        let u = x / self.xmin;
        let t = self.lambda * self.xmin;
        -self.alpha * u.ln() - t * u - ln_expint(self.alpha, t) - self.xmin.ln()
    }
}

impl From<TruncatedPowerLaw> for PowerLaw {
    /// Its numbers in the places of a power law's; sigma, which is that of a power law only, is NaN.
    fn from(fit: TruncatedPowerLaw) -> Self {
        let TruncatedPowerLaw { alpha, xmin, xmax, d, n_tail, .. } = fit;
        PowerLaw { alpha, xmin, xmax, d, sigma: f64::NAN, n_tail, estimator: Estimator::Truncated }
    }
}

/// Exponent and `t = Λ xmin` of the largest likelihood, given the means of `log(x/xmin)` and `x/xmin` over the tail.
fn most_likely(mean_log: f64, mean: f64, start: Option<[f64; 2]>) -> Option<[f64; 2]> {
    if !(mean_log > 0.0 && mean.is_finite()) {
        return None;
    }
    let plain = 1.0 + 1.0 / mean_log;
    if plain > 2.0 && mean >= (plain - 1.0) / (plain - 2.0) {
        // Any cut-off would make the mean smaller still.
        return Some([plain, 0.0]);
    }
    let start = start.unwrap_or([1.0 + 0.5 / mean_log, 1.0 / mean]);
    let found = maximum([start[0], start[1].max(1e-12).ln()], 1.0, |[alpha, ln_t]| {
        let (t, slope) = (ln_t.exp(), alpha - 1.0);
        // Second moments of u decay slowest.
        let reach = |y: f64| (slope - 2.0) * y + t * y.exp_m1();
        let mut to = (NEGLIGIBLE * 1.6 / t).ln_1p();
        if slope > 2.0 {
            to = to.min(NEGLIGIBLE / (slope - 2.0));
        }
        while to > 1e-3 && reach(0.8 * to) > NEGLIGIBLE {
            to *= 0.8;
        }
        let panels = (to / PANEL.min(8.0 / (slope + t))).ceil().max(1.0);
        let m = moments(0.0, to, panels as usize, |y| {
            let grown = y.exp_m1();
            ((-slope * y - t * grown).exp(), [y, grown])
        });
        let [log, rise] = m.means;
        let [vv, vu, uu] = m.spread;
        Slope {
            value: -slope * mean_log - t * (mean - 1.0) - m.mass.ln(),
            gradient: [log - mean_log, t * (rise - (mean - 1.0))],
            information: [vv, t * vu, t * t * uu],
        }
    })?;
    Some([found[0], found[1].exp()])
}

/// Fits the tail of `sorted` (positive, ascending) from `xmin` on.
pub fn fit_truncated_at(sorted: &[f64], xmin: f64) -> Result<TruncatedPowerLaw, FitError> {
    let tail = &sorted[sorted.partition_point(|v| *v < xmin)..];
    if tail.len() < 2 {
        return Err(FitError::TooFew(tail.len()));
    }
    let tails = Tails::unique(tail);
    Sums::new(tail, &tails)
        .fit(&tails, 0, None, false, f64::INFINITY, &mut Vec::new())
        .map(|(fit, _)| fit)
        .ok_or(FitError::Degenerate)
}

/// Fits every tail that starts in `range` and takes the one with the least D; `bounded` as in
/// [`fit_power_law_forced`](super::fit_power_law_forced).
pub fn fit_truncated(
    sorted: &[f64],
    range: &RangeInclusive<f64>,
    bounded: bool,
) -> Result<TruncatedPowerLaw, FitError> {
    let tails = Tails::unique(sorted);
    let sums = Sums::new(sorted, &tails);
    let candidates = tails.candidates(sorted, range).ok_or(FitError::TooFew(sorted.len()))?;
    let (mut best, mut warm): (Option<(TruncatedPowerLaw, usize)>, _) = (None, None);
    let mut scratch = Vec::new();
    for i in super::scan::coarse_first(candidates) {
        let limit = best.map_or(f64::INFINITY, |(b, _)| b.d);
        if let Some((fit, at)) = sums.fit(&tails, i, warm, bounded, limit, &mut scratch) {
            warm = Some(at);
            if best.is_none_or(|(b, index)| fit.d < b.d || (fit.d == b.d && i < index)) {
                best = Some((fit, i));
            }
        }
    }
    best.map(|(fit, _)| fit).ok_or(FitError::Degenerate)
}

/// Sums over every tail.
pub(super) struct Sums<'a> {
    sorted: &'a [f64],
    values: Vec<f64>,
}

impl<'a> Sums<'a> {
    pub(super) fn new(sorted: &'a [f64], tails: &Tails) -> Self {
        let (mut values, mut sum, mut next) = (vec![0.0; tails.len()], 0.0, sorted.len());
        for i in (0..tails.len()).rev() {
            let first = sorted.len() - tails.tail(i);
            sum += sorted[first] * (next - first) as f64;
            next = first;
            values[i] = sum;
        }
        Sums { sorted, values }
    }

    /// The fit of the tail at point `i` and its place for a next one to start from, unless its D exceeds `limit`.
    pub(super) fn fit(
        &self,
        tails: &Tails,
        i: usize,
        warm: Option<[f64; 2]>,
        bounded: bool,
        limit: f64,
        scratch: &mut Vec<f64>,
    ) -> Option<(TruncatedPowerLaw, [f64; 2])> {
        let n = tails.tail(i);
        let xmin = self.sorted[self.sorted.len() - n];
        let (mean_log, mean) = (tails.log_sum(i) / n as f64, self.values[i] / (n as f64 * xmin));
        let [alpha, t] = most_likely(mean_log, mean, warm)?;
        let whole = ln_expint(alpha, t);
        let cdf = |y: f64| -((1.0 - alpha) * y + ln_expint(alpha, t * y.exp()) - whole).exp_m1();
        let scale = if bounded { 1.0 / cdf(tails.rise(i, tails.len() - 1)) } else { 1.0 };
        let d = tails.distance_from(i, limit, scratch, |j| cdf(tails.rise(i, j)) * scale)?;
        let log_likelihood = -(n as f64) * (alpha * mean_log + t * mean + whole + xmin.ln());
        let lambda = t / xmin;
        let xmax = self.sorted[self.sorted.len() - 1];
        Some((TruncatedPowerLaw { alpha, lambda, xmin, xmax, d, n_tail: n, log_likelihood }, [alpha, t]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: RangeInclusive<f64> = 0.0..=f64::INFINITY;

    fn quantiles(n: usize, a: f64) -> Vec<f64> {
        (1..=n).map(|i| (1.0 - (i as f64 - 0.5) / n as f64).powf(-1.0 / (a - 1.0))).collect()
    }

    /// Published fits of the reference, whose optimiser stops at 1e-4.
    #[test]
    fn quantile_samples_give_the_reference_s_fits_or_likelier_ones() {
        let mut bulk: Vec<f64> = (0..50).map(|i| 0.1 + 0.9 * f64::from(i) / 50.0).collect();
        bulk.extend(quantiles(50, 2.5));
        for (data, alpha, lambda, d) in [
            (quantiles(100, 2.5), 2.4663236254056162, 0.007725170177280137, 0.007410036038038803),
            (bulk, 2.445178342333338, 0.01464745113251532, 0.014390265264790147),
        ] {
            let fit = fit_truncated(&data, &ALL, false).unwrap();
            assert!((fit.alpha / alpha - 1.0).abs() < 1e-3, "{fit:?}");
            assert!((fit.lambda / lambda - 1.0).abs() < 1e-2, "{fit:?}");
            assert!((fit.d / d - 1.0).abs() < 1e-2, "{fit:?}");
            let tail = &data[data.len() - fit.n_tail..];
            let theirs = TruncatedPowerLaw { alpha, lambda, ..fit };
            let likelihood = |f: &TruncatedPowerLaw| tail.iter().map(|x| f.ln_density(*x)).sum::<f64>();
            assert!(likelihood(&fit) >= likelihood(&theirs), "{fit:?}");
            assert!((likelihood(&fit) - fit.log_likelihood).abs() < 1e-9);
        }
    }

    #[test]
    fn no_neighbouring_parameters_are_likelier() {
        let gamma: Vec<f64> =
            (1..=300).map(|i| 1.0 - 2.0 * (1.0 - (f64::from(i) - 0.5) / 300.0).ln()).collect();
        for data in [quantiles(200, 1.8), quantiles(200, 4.0), gamma] {
            let fit = fit_truncated_at(&data, data[0]).unwrap();
            for (da, dl) in
                [(1e-3, 0.0), (-1e-3, 0.0), (0.0, 1e-3), (0.0, -1e-3), (1e-3, -1e-3), (-1e-3, 1e-3)]
            {
                let other = TruncatedPowerLaw {
                    alpha: (fit.alpha + da).max(1.0),
                    lambda: fit.lambda * (1.0 + dl) + if fit.lambda == 0.0 { dl.max(0.0) } else { 0.0 },
                    ..fit
                };
                let theirs: f64 = data.iter().map(|x| other.ln_density(*x)).sum();
                assert!(theirs <= fit.log_likelihood + 1e-9, "{fit:?} {other:?} {theirs}");
            }
        }
    }

    #[test]
    fn a_tail_heavier_than_its_power_law_has_no_cut_off() {
        let mut data = quantiles(50, 4.0);
        data.push(1e4);
        let fit = fit_truncated_at(&data, data[0]).unwrap();
        assert_eq!(fit.lambda, 0.0);
        assert!(fit.alpha > 2.0);
    }
}
