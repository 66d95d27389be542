//! The Hill estimator with xmin at a fixed share of the values: `PL_Alpha_Hill` of TempBalance and its kin (`net_esd_estimator`). Far less
//! noisy than the scan, but moved by the aspect ratio; for series, not for comparing shapes.

use serde::{Deserialize, Serialize};

use super::power_law::{Estimator, FitError, PowerLaw};
use super::scan::Tails;

/// Where the tail begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum XminRule {
    /// At the least Kolmogorov-Smirnov distance.
    #[default]
    Scan,
    /// At the value above the lower half: `λ[n / 2]` of ascending values, itself in the tail.
    Median,
    /// So that this share of the values is the tail, above 0 and at most 1.
    Top(f64),
}

/// `1 + n / Σ log(x / xmin)` over the values from a fixed rank on; [`XminRule::Scan`] is
/// [`fit_power_law`](super::fit_power_law)'s business and means the median here.
pub fn fit_hill(sorted: &[f64], rule: XminRule) -> Result<PowerLaw, FitError> {
    let total = sorted.len();
    let first = match rule {
        XminRule::Top(share) => {
            total - ((share * total as f64).round() as usize).clamp(1, total.max(1)).min(total)
        }
        _ => total / 2,
    };
    if total - first < 2 {
        return Err(FitError::TooFew(total - first));
    }
    let tails = Tails::every(sorted);
    let n = tails.tail(first);
    let alpha = 1.0 + n as f64 / tails.log_sum(first);
    let d =
        tails.distance(first, alpha, false, f64::INFINITY, &mut Vec::new()).ok_or(FitError::Degenerate)?;
    Ok(PowerLaw {
        alpha,
        xmin: sorted[first],
        xmax: sorted[total - 1],
        d,
        sigma: (alpha - 1.0) / (n as f64).sqrt(),
        n_tail: n,
        estimator: Estimator::Hill,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loop of `net_esd_estimator` with `xmin_pos`.
    fn reference(x: &[f64], position: f64) -> (f64, f64) {
        let i = (x.len() as f64 / position) as usize;
        let n = (x.len() - i) as f64;
        let alpha = 1.0 + n / (x[i..].iter().map(|v| v.ln()).sum::<f64>() - n * x[i].ln());
        let d =
            x[i..].iter().enumerate().map(|(k, v)| (1.0 - (v / x[i]).powf(1.0 - alpha) - k as f64 / n).abs());
        (alpha, d.fold(0.0, f64::max))
    }

    #[test]
    fn median_and_share_give_the_numbers_of_the_published_loop() {
        for n in [9, 100, 101] {
            let x: Vec<f64> = (1..=n).map(|i| (f64::from(i) / 7.0).powi(2)).collect();
            let (alpha, d) = reference(&x, 2.0);
            let found = fit_hill(&x, XminRule::Median).unwrap();
            assert!((found.alpha - alpha).abs() < 1e-12 && (found.d - d).abs() < 1e-12, "{n}");
        }
        let x: Vec<f64> = (1..=100).map(|i| (f64::from(i) / 7.0).powi(2)).collect();
        let found = fit_hill(&x, XminRule::Top(0.2)).unwrap();
        assert_eq!((found.n_tail, found.xmin), (20, x[80]));
        assert!((found.alpha - reference(&x, 1.25).0).abs() < 1e-12);
        assert_eq!(fit_hill(&x[..1], XminRule::Median), Err(FitError::TooFew(1)));
    }
}
