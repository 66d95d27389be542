//! Continuous power laws: maximum likelihood at every candidate xmin, the one with the least KS distance.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::scan::Tails;

/// Fewer values than this take the small-sample estimator.
pub(super) const SMALL_N: usize = 20;
/// Shortest tail the small-sample estimator scans.
const SMALL_TAIL: usize = 8;
/// Sum of log ratios below which a small tail counts as tied.
pub(super) const TIED: f64 = 1e-12;

/// Which estimator gave an exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// `1 + n / Σ log(x/xmin)`, xmin by least D over every tail of 2 or more.
    Mle,
    /// `1 + (n - 1) / Σ log(x/xmin)` (unbiased), xmin over tails of 8 or more; fewer than 20 values.
    SmallN,
    /// The same on all values: fewer than 8, no scan.
    SmallNAll,
    /// [`Estimator::Mle`], D against the model bounded at the largest value.
    MleBounded,
    /// [`Estimator::Mle`], xmin within a range.
    MleRanged,
    /// [`Estimator::Mle`] from a fixed rank on, no scan.
    Hill,
    /// Maximum likelihood of a power law with a cut-off.
    Truncated,
}

impl fmt::Display for Estimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Estimator::Mle => "mle",
            Estimator::SmallN => "mle-small-n",
            Estimator::SmallNAll => "mle-small-n-all",
            Estimator::MleBounded => "mle-bounded",
            Estimator::MleRanged => "mle-ranged",
            Estimator::Hill => "hill",
            Estimator::Truncated => "mle-truncated",
        })
    }
}

/// What sigma is where all of fewer than 8 values are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmallNSigma {
    /// `(alpha - 1) / sqrt(n)`, as everywhere else.
    FromAlpha,
    /// `-1 / sqrt(n)`, as in WeightWatcher 0.7.7.
    Reference,
}

/// A fitted power law `p(x) ~ x^-alpha` for `x >= xmin`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PowerLaw {
    /// Exponent of the density; above 1, infinite when the tail is one value.
    pub alpha: f64,
    /// Smallest value of the tail.
    pub xmin: f64,
    /// Largest fitted value.
    pub xmax: f64,
    /// Kolmogorov-Smirnov distance, against the lower empirical steps `k/n` as in WeightWatcher.
    pub d: f64,
    /// `(alpha - 1) / sqrt(n)`: the asymptotic standard error for a known xmin.
    pub sigma: f64,
    /// Values in the tail.
    pub n_tail: usize,
    /// What gave alpha.
    pub estimator: Estimator,
}

/// Why there is no fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// Fewer than two values to fit.
    #[error("{0} eigenvalues above the threshold, a fit needs 2")]
    TooFew(usize),
    /// Every tail is one value, repeated, or rises the wrong way.
    #[error("no tail has a finite exponent: the values are tied")]
    Degenerate,
    /// More values to be removed than half of them.
    #[error("xmax removes {removed} of {of} eigenvalues, more than half")]
    RemovesTooMany {
        /// Values to remove.
        removed: usize,
        /// Values there are.
        of: usize,
    },
}

/// Fits positive, ascending values: 20 or more by a scan of every tail, fewer by the small-sample estimator
/// (4.3).
pub fn fit_power_law(sorted: &[f64], small_sigma: SmallNSigma) -> Result<PowerLaw, FitError> {
    let total = sorted.len();
    if total < 2 {
        return Err(FitError::TooFew(total));
    }
    let tails = Tails::every(sorted);
    let found = |best: super::scan::Best, estimator| PowerLaw {
        alpha: best.alpha,
        xmin: sorted[total - best.n],
        xmax: sorted[total - 1],
        d: best.d,
        sigma: (best.alpha - 1.0) / (best.n as f64).sqrt(),
        n_tail: best.n,
        estimator,
    };
    if total >= SMALL_N {
        let alpha = |i| Some(1.0 + tails.tail(i) as f64 / tails.log_sum(i));
        return match tails.best(0..total - 1, false, alpha) {
            Some(best) => Ok(found(best, Estimator::Mle)),
            None => Err(FitError::Degenerate),
        };
    }
    let unbiased = |i: usize| 1.0 + (tails.tail(i) - 1) as f64 / tails.log_sum(i);
    let eligible = |i| (tails.log_sum(i) > TIED).then(|| unbiased(i));
    if let Some(best) = tails.best(0..(total + 1).saturating_sub(SMALL_TAIL), false, eligible) {
        return Ok(found(best, Estimator::SmallN));
    }
    let alpha = unbiased(0);
    let d = tails.distance(0, alpha, false, f64::INFINITY, &mut Vec::new()).unwrap_or(1.0);
    let mut fit = found(super::scan::Best { index: 0, d, alpha, n: total }, Estimator::SmallNAll);
    if small_sigma == SmallNSigma::Reference {
        fit.sigma = -1.0 / (total as f64).sqrt();
    }
    Ok(fit)
}

/// The same with the model bounded at the largest value when D is measured (`xmax='force'`): exponents are those of
/// [`fit_power_law`], but another xmin may win. Tied values are one candidate.
pub fn fit_power_law_forced(sorted: &[f64]) -> Result<PowerLaw, FitError> {
    ranged(sorted, &(0.0..=f64::INFINITY), true, Estimator::MleBounded)
}

/// The same with xmin in a range only, the last candidate in it left out, bounded or not. Tied values are one candidate.
pub fn fit_power_law_in(
    sorted: &[f64],
    range: &RangeInclusive<f64>,
    bounded: bool,
) -> Result<PowerLaw, FitError> {
    ranged(sorted, range, bounded, Estimator::MleRanged)
}

fn ranged(
    sorted: &[f64],
    range: &RangeInclusive<f64>,
    bounded: bool,
    estimator: Estimator,
) -> Result<PowerLaw, FitError> {
    let total = sorted.len();
    let tails = Tails::unique(sorted);
    let few = if total < 2 { FitError::TooFew(total) } else { FitError::Degenerate };
    let candidates = tails.candidates(sorted, range).ok_or(few)?;
    let alpha = |i| Some(1.0 + tails.tail(i) as f64 / tails.log_sum(i));
    let best = tails.best(candidates, bounded, alpha).ok_or(FitError::Degenerate)?;
    Ok(PowerLaw {
        alpha: best.alpha,
        xmin: sorted[total - best.n],
        xmax: sorted[total - 1],
        d: best.d,
        sigma: (best.alpha - 1.0) / (best.n as f64).sqrt(),
        n_tail: best.n,
        estimator,
    })
}

/// A tail from a given xmin on, or from the first value above it; no scan.
pub fn fit_power_law_at(sorted: &[f64], xmin: f64) -> Result<PowerLaw, FitError> {
    let tail = &sorted[sorted.partition_point(|v| *v < xmin)..];
    super::fit_hill(tail, super::XminRule::Top(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(n: usize, a: f64) -> Vec<f64> {
        (1..=n).map(|i| (1.0 - (i as f64 - 0.5) / n as f64).powf(-1.0 / (a - 1.0))).collect()
    }

    fn assert_fit(data: &[f64], [alpha, xmin, d, sigma]: [f64; 4]) {
        let fit = fit_power_law(data, SmallNSigma::Reference).unwrap();
        for (what, found, expected) in [
            ("alpha", fit.alpha, alpha),
            ("xmin", fit.xmin, xmin),
            ("D", fit.d, d),
            ("sigma", fit.sigma, sigma),
        ] {
            assert!((found - expected).abs() <= 1e-13 + 1e-12 * expected.abs(), "{what}: {found} {expected}");
        }
    }

    #[test]
    fn quantile_samples_give_the_reference_s_published_fits() {
        for (n, a, expected) in [
            (100, 2.5, [2.5128198030611886, 1.0033472842348656, 0.006732818422068965, 0.15128198030611886]),
            (40, 3.0, [3.043354008003041, 1.0063092108532552, 0.016858151963458412, 0.32308263656617675]),
            (20, 2.2, [2.2533191232706975, 1.0213223133184723, 0.03378678273996505, 0.2802506757133718]),
            (19, 2.2, [2.190153309993017, 1.0224723216066962, 0.024791768574880635, 0.27303989503052617]),
            (15, 2.5, [2.4843422888568765, 1.022858372877569, 0.03095030551773481, 0.38325553098760545]),
            (6, 2.5, [2.4596291574133566, 1.0597230333184466, 0.06969714612405487, -0.4082482904638631]),
        ] {
            assert_fit(&quantiles(n, a), expected);
        }
        let mut bulk: Vec<f64> = (0..50).map(|i| 0.1 + 0.9 * f64::from(i) / 50.0).collect();
        bulk.extend(quantiles(50, 2.5));
        assert_fit(&bulk, [2.5258868867658144, 1.0067227206187843, 0.01347989395817173, 0.21579299299114738]);
    }

    #[test]
    fn tied_values_count_as_the_reference_counts_them() {
        let ties: Vec<f64> = (1..=10).flat_map(|k| [f64::from(k); 4]).collect();
        let fit = fit_power_law(&ties, SmallNSigma::Reference).unwrap();
        assert!((fit.alpha - 4.681550358521021).abs() < 1e-12);
        assert_eq!((fit.xmin, fit.n_tail), (6.0, 20));
        assert!((fit.d - 0.25323780014523345).abs() < 1e-12);
        let constant = fit_power_law(&[1.0; 30], SmallNSigma::Reference).unwrap();
        assert_eq!((constant.alpha, constant.d, constant.sigma), (f64::INFINITY, 0.5, f64::INFINITY));
    }

    #[test]
    fn one_value_is_not_a_tail() {
        assert_eq!(fit_power_law(&[2.0], SmallNSigma::FromAlpha), Err(FitError::TooFew(1)));
        assert_eq!(fit_power_law_forced(&[2.0; 9]), Err(FitError::Degenerate));
    }
}
