//! What a tail may follow instead of a power law. All are fitted by maximum likelihood to the values from xmin on, with densities that
//! are 1 in all over `[xmin, ∞)`; the lognormal and the stretched exponential become the power law at one end of their parameters, and
//! are that power law where nothing else of theirs is likelier.

use serde::Serialize;

use super::FitError;
use super::newton::{Slope, maximum, moments};
use super::truncated::fit_truncated_at;

/// Standard deviations within which a normal density is integrated.
const WIDE: f64 = 9.0;
/// Logarithm of a density, against its largest, that no longer matters.
const NEGLIGIBLE: f64 = 40.0;
/// Panels of 16 points for it.
const PANELS: usize = 8;

/// A family of distributions, by WeightWatcher's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Family {
    /// Power law.
    #[serde(rename = "PL")]
    PowerLaw,
    /// Power law with an exponential cut-off.
    #[serde(rename = "TPL")]
    Truncated,
    /// Exponential.
    #[serde(rename = "EXP")]
    Exponential,
    /// Stretched exponential (Weibull).
    #[serde(rename = "S_EXP")]
    Stretched,
    /// Lognormal.
    #[serde(rename = "LOG_N")]
    Lognormal,
}

impl Family {
    /// What a power law is compared with, in the order of the reference's cascade.
    pub const OTHERS: [Family; 4] =
        [Family::Truncated, Family::Exponential, Family::Stretched, Family::Lognormal];

    /// WeightWatcher's short name.
    pub fn name(self) -> &'static str {
        match self {
            Family::PowerLaw => "PL",
            Family::Truncated => "TPL",
            Family::Exponential => "EXP",
            Family::Stretched => "S_EXP",
            Family::Lognormal => "LOG_N",
        }
    }
}

/// A fitted tail: with `u = x / xmin`, the parameters of its log density.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TailModel {
    /// Which.
    pub family: Family,
    /// Its parameters: alpha; alpha, Λ; Λ; Λ, beta; mu, sigma. Empty places are 0.
    pub parameters: [f64; 2],
    /// `log p = constant + slope log u + curve(u)`.
    constant: f64,
    slope: f64,
    curve: Curve,
    xmin: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Curve {
    None,
    /// `-rate (u^power - 1)`.
    Power {
        rate: f64,
        power: f64,
    },
    /// `-b/2 (log u)²`.
    Square {
        b: f64,
    },
}

impl TailModel {
    /// Logarithm of the density at `x >= xmin`.
    pub fn ln_density(&self, x: f64) -> f64 {
        let y = (x / self.xmin).ln();
        self.constant
            + self.slope * y
            + match self.curve {
                Curve::None => 0.0,
                Curve::Power { rate, power } => -rate * (power * y).exp_m1(),
                Curve::Square { b } => -0.5 * b * y * y,
            }
    }

    /// Sum of log densities.
    pub fn log_likelihood(&self, tail: &[f64]) -> f64 {
        tail.iter().map(|x| self.ln_density(*x)).sum()
    }
}

/// The likeliest member of a family for the ascending values of a tail, the first of which is xmin.
pub fn fit_tail(tail: &[f64], family: Family) -> Result<TailModel, FitError> {
    let n = tail.len() as f64;
    let Some(&xmin) = tail.first().filter(|_| tail.len() > 1) else {
        return Err(FitError::TooFew(tail.len()));
    };
    let logs: Vec<f64> = tail.iter().map(|x| (x / xmin).ln()).collect();
    let mean_log = logs.iter().sum::<f64>() / n;
    if mean_log.is_nan() || mean_log <= 0.0 {
        return Err(FitError::Degenerate);
    }
    let mean_square = logs.iter().map(|y| y * y).sum::<f64>() / n;
    let plain = |family, parameters| {
        let rate = 1.0 / mean_log;
        let (constant, slope) = (rate.ln() - xmin.ln(), -rate - 1.0);
        TailModel { family, parameters, constant, slope, curve: Curve::None, xmin }
    };
    // Where log x spreads at least as much as an exponential variable, the power law itself is the likeliest of these.
    let spread = mean_square >= 2.0 * mean_log * mean_log;
    Ok(match family {
        Family::PowerLaw => plain(family, [1.0 + 1.0 / mean_log, 0.0]),
        Family::Truncated => {
            let fit = fit_truncated_at(tail, xmin)?;
            let rate = fit.lambda * xmin;
            let constant = fit.ln_density(xmin);
            let curve = Curve::Power { rate, power: 1.0 };
            TailModel {
                family,
                parameters: [fit.alpha, fit.lambda],
                constant,
                slope: -fit.alpha,
                curve,
                xmin,
            }
        }
        Family::Exponential => {
            let rate = 1.0 / (tail.iter().map(|x| x / xmin - 1.0).sum::<f64>() / n);
            let curve = Curve::Power { rate, power: 1.0 };
            let (constant, parameters) = (rate.ln() - xmin.ln(), [rate / xmin, 0.0]);
            TailModel { family, parameters, constant, slope: 0.0, curve, xmin }
        }
        Family::Stretched if spread => plain(family, [f64::INFINITY, 0.0]),
        Family::Stretched => {
            let beta = stretch(&logs, mean_log);
            let rate = 1.0 / (logs.iter().map(|y| (beta * y).exp_m1()).sum::<f64>() / n);
            let parameters = [rate.powf(1.0 / beta) / xmin, beta];
            let (constant, curve) = (beta.ln() + rate.ln() - xmin.ln(), Curve::Power { rate, power: beta });
            TailModel { family, parameters, constant, slope: beta - 1.0, curve, xmin }
        }
        Family::Lognormal if spread => plain(family, [f64::NEG_INFINITY, f64::INFINITY]),
        Family::Lognormal => {
            let ([a, b], mass) = half_normal(mean_log, mean_square).ok_or(FitError::Degenerate)?;
            let parameters = [xmin.ln() - a / b, b.sqrt().recip()];
            let (constant, curve) = (-mass - xmin.ln(), Curve::Square { b });
            TailModel { family, parameters, constant, slope: -a - 1.0, curve, xmin }
        }
    })
}

/// The exponent beta at which the derivative of the likelihood, its rate profiled out, is zero.
fn stretch(logs: &[f64], mean_log: f64) -> f64 {
    let derivative = |beta: f64| {
        // Relative to the largest, so that nothing overflows.
        let top = beta * logs[logs.len() - 1];
        let (mut sum, mut weighted) = (0.0, 0.0);
        for y in logs {
            let rise = if top < 1.0 { (beta * y).exp_m1() } else { (beta * y - top).exp() - (-top).exp() };
            let whole = if top < 1.0 { (beta * y).exp() } else { (beta * y - top).exp() };
            sum += rise;
            weighted += whole * y;
        }
        1.0 / beta - weighted / sum + mean_log
    };
    let (mut low, mut high) = (1e-4 / mean_log, 1.0 / mean_log);
    if derivative(low) <= 0.0 {
        return low;
    }
    while derivative(high) > 0.0 && high < 1e6 / mean_log {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if derivative(middle) > 0.0 { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The likeliest density `exp(-a y - b y²/2) / Z` over `y >= 0` with those first two moments: a, b, and log Z.
fn half_normal(mean: f64, square: f64) -> Option<([f64; 2], f64)> {
    let variance = square - mean * mean;
    let start = if mean * mean > 4.0 * variance {
        [-mean / variance, -variance.ln()]
    } else {
        [0.5 / mean, (0.3 / (mean * mean)).ln()]
    };
    let integrate = |[a, ln_b]: [f64; 2]| {
        let b = ln_b.exp();
        let (mode, sd) = ((-a / b).max(0.0), b.sqrt().recip());
        let (from, to) = if mode > 0.0 {
            ((mode - WIDE * sd).max(0.0), mode + WIDE * sd)
        } else {
            (0.0, 2.0 * NEGLIGIBLE / (a + (a * a + 2.0 * b * NEGLIGIBLE).sqrt()))
        };
        let peak = -a * mode - 0.5 * b * mode * mode;
        let m = moments(from, to, PANELS, |y| ((-a * y - 0.5 * b * y * y - peak).exp(), [y, 0.5 * y * y]));
        (m, m.mass.ln() + peak)
    };
    let found = maximum(start, f64::NEG_INFINITY, |[a, ln_b]| {
        let (m, mass) = integrate([a, ln_b]);
        let b = ln_b.exp();
        let [vv, vs, ss] = m.spread;
        Slope {
            value: -a * mean - 0.5 * b * square - mass,
            gradient: [m.means[0] - mean, b * (m.means[1] - 0.5 * square)],
            information: [vv, b * vs, b * b * ss],
        }
    })?;
    let (_, mass) = integrate(found);
    Some(([found[0], found[1].exp()], mass))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference's parameters and densities for 100 quantiles of a power law of exponent 2.5 from its scanned xmin on.
    #[test]
    fn every_family_is_at_least_as_likely_as_at_the_reference_s_parameters() {
        let tail: Vec<f64> =
            (1..=100).map(|i| (1.0 - (f64::from(i) - 0.5) / 100.0).powf(-1.0 / 1.5)).collect();
        let xmin = tail[0];
        let theirs = |family: Family, x: f64| match family {
            Family::Lognormal => {
                let (mu, sigma) = (-51.34654380536314, 5.899720782743843);
                let z = |x: f64| (x.ln() - mu) / (std::f64::consts::SQRT_2 * sigma);
                -x.ln() - z(x).powi(2) + 0.5 * (2.0 / (std::f64::consts::PI * sigma * sigma)).ln()
                    - libm::erfc(z(xmin)).ln()
            }
            Family::Stretched => {
                let (lambda, beta): (f64, f64) = (63936352.02990349, 0.13071521337083974);
                (beta * lambda).ln() + (beta - 1.0) * (lambda * x).ln() + (lambda * xmin).powf(beta)
                    - (lambda * x).powf(beta)
            }
            Family::Exponential => 0.5927784702995f64.ln() + 0.5927784702995 * (xmin - x),
            _ => {
                let (alpha, lambda) = (2.4663236254056162, 0.007725170177280137);
                let t = lambda * xmin;
                -alpha * (x / xmin).ln() - lambda * x - super::super::expint::ln_expint(alpha, t) - xmin.ln()
            }
        };
        for family in Family::OTHERS {
            let ours = fit_tail(&tail, family).unwrap().log_likelihood(&tail);
            let reference: f64 = tail.iter().map(|x| theirs(family, *x)).sum();
            assert!(ours >= reference - 1e-9 && ours < reference + 0.6, "{family:?}: {ours} {reference}");
        }
        let rate = fit_tail(&tail, Family::Exponential).unwrap().parameters[0];
        assert!((rate / 0.5927784702995 - 1.0).abs() < 1e-4);
    }

    #[test]
    fn every_density_has_mass_one() {
        let tail: Vec<f64> = (1..=60).map(|i| 2.0 + (f64::from(i) / 20.0).powi(2)).collect();
        for family in [Family::PowerLaw].into_iter().chain(Family::OTHERS) {
            let model = fit_tail(&tail, family).unwrap();
            // Over y = log(x / xmin), in steps of 1/1000.
            let mass: f64 = (0..200_000)
                .map(|k| tail[0] * ((f64::from(k) + 0.5) * 1e-3).exp())
                .map(|x| model.ln_density(x).exp() * x * 1e-3)
                .sum();
            assert!((mass - 1.0).abs() < 1e-4, "{family:?}: {mass}");
        }
    }

    #[test]
    fn parameters_of_large_samples_are_recovered() {
        let quantiles = |f: &dyn Fn(f64) -> f64| -> Vec<f64> {
            (0..20_000).map(|i| f((f64::from(i) + 0.5) / 20_000.0)).collect()
        };
        let weibull =
            fit_tail(&quantiles(&|u| (2.0 - (1.0 - u).ln()).powf(1.0 / 0.7)), Family::Stretched).unwrap();
        assert!((weibull.parameters[0] - 1.0).abs() < 0.02 && (weibull.parameters[1] - 0.7).abs() < 0.01);
        // |z| of a normal: the tail of a lognormal from its median on.
        let mut normal: Vec<f64> = Vec::new();
        for x in quantiles(&|u| u) {
            let (mut low, mut high) = (0.0f64, 10.0);
            for _ in 0..60 {
                let z = 0.5 * (low + high);
                if 1.0 - libm::erfc(z / std::f64::consts::SQRT_2) < x { low = z } else { high = z }
            }
            normal.push((0.5 * low).exp());
        }
        let lognormal = fit_tail(&normal, Family::Lognormal).unwrap().parameters;
        assert!(lognormal[0].abs() < 0.02 && (lognormal[1] - 0.5).abs() < 0.01, "{lognormal:?}");
    }
}
