//! Which family a tail follows: likelihood ratios (Vuong 1989; Clauset, Shalizi, Newman 2009, section 5 and appendix C) and
//! WeightWatcher's cascade.

use super::FitError;
use super::families::{Family, TailModel, fit_tail};

/// Above it a ratio decides nothing.
const SIGNIFICANT: f64 = 0.05;
/// Logarithm of 1e-307, the least density the reference knows.
const LEAST: f64 = -307.0 * std::f64::consts::LN_10;

/// A likelihood ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// `Σ (l1 - l2) / (sqrt(n) sd(l1 - l2))`: above 0 where the first is likelier.
    pub normalised: f64,
    /// `Σ (l1 - l2)`.
    pub sum: f64,
    /// How likely a ratio this far from 0 is if neither is likelier.
    pub p: f64,
}

/// Compares two fitted models. A nested pair, one a special case of the other, is judged by chi-squared.
pub fn likelihood_ratio(tail: &[f64], first: &TailModel, second: &TailModel) -> Ratio {
    let n = tail.len() as f64;
    let differences: Vec<f64> =
        tail.iter().map(|x| first.ln_density(*x).max(LEAST) - second.ln_density(*x).max(LEAST)).collect();
    let sum: f64 = differences.iter().sum();
    let mean = sum / n;
    let spread = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>().sqrt();
    if spread <= 1e-12 * n.sqrt() {
        // One and the same distribution.
        return Ratio { normalised: 0.0, sum, p: 1.0 };
    }
    let normalised = sum / spread;
    let nested = matches!(
        (first.family, second.family),
        (Family::PowerLaw, Family::Truncated) | (Family::Truncated, Family::PowerLaw)
    );
    let p = if nested {
        libm::erfc(sum.abs().sqrt())
    } else {
        libm::erfc(normalised.abs() / std::f64::consts::SQRT_2)
    };
    Ratio { normalised, sum, p }
}

/// A power law against the other families.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The power law.
    pub power_law: TailModel,
    /// The others, in the order of [`Family::OTHERS`]; `None` where one cannot be fitted.
    pub others: [Option<(TailModel, Ratio)>; 4],
    /// The family the cascade ends with.
    pub best: Family,
}

/// Fits every family to the ascending values of a tail, the first of which is xmin, and compares them.
pub fn compare(tail: &[f64]) -> Result<Comparison, FitError> {
    let power_law = fit_tail(tail, Family::PowerLaw)?;
    let others = Family::OTHERS.map(|family| {
        let model = fit_tail(tail, family).ok()?;
        Some((model, likelihood_ratio(tail, &power_law, &model)))
    });
    let mut best = power_law;
    for (model, _) in others.iter().flatten() {
        let ratio = likelihood_ratio(tail, &best, model);
        if ratio.normalised < 0.0 && ratio.p <= SIGNIFICANT {
            best = *model;
        }
    }
    Ok(Comparison { power_law, others, best: best.family })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(n: usize, of: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..n).map(|i| of((i as f64 + 0.5) / n as f64)).collect()
    }

    /// The reference's ratios and p-values; those of families it fits by an optimiser that stops early are near ours.
    #[test]
    fn ratios_on_power_law_quantiles_are_near_the_reference_s() {
        let tail = quantiles(100, |u| (1.0 - u).powf(-1.0 / 1.5));
        let found = compare(&tail).unwrap();
        let ratios = found.others.map(|o| o.unwrap().1);
        let close =
            |found: f64, expected: f64, by: f64| assert!((found - expected).abs() < by, "{found} {expected}");
        close(ratios[0].normalised, -0.3214168399236216, 2e-3);
        close(ratios[0].p, 0.7380226670515445, 2e-3);
        close(ratios[1].normalised, 2.0896179076800423, 1e-4);
        close(ratios[1].p, 0.03665213659003275, 1e-5);
        close(ratios[3].normalised, -0.07354442956681492, 0.2);
        assert_eq!(found.best, Family::PowerLaw);
        // A power law is a border case of the stretched exponential, so it is never the likelier of the two.
        assert!(ratios[2].sum <= 0.0);
    }

    #[test]
    fn the_cascade_ends_with_the_family_that_made_the_values() {
        let exponential = quantiles(400, |u| 1.0 - 0.5 * (1.0 - u).ln());
        assert_eq!(compare(&exponential).unwrap().best, Family::Truncated);
        let steep = quantiles(1000, |u| (1.0 - (1.0 - u).ln()).powf(0.4));
        assert_eq!(compare(&steep).unwrap().best, Family::Stretched);
    }
}
