//! Two bootstraps of a fit, xmin chosen anew in each replicate.
//!
//! The uncertainty of alpha comes from samples of the values themselves, with replacement (Efron 1979): percentiles of their exponents.
//! The goodness of fit comes from the semi-parametric samples of Clauset, Shalizi and Newman (2009, section 4.1): of the fitted power law
//! above xmin and of the values below it. Intervals from these, which take the fitted xmin for the true one, are too narrow where
//! alpha is large.
//!
//! Draws are independent. Eigenvalues repel each other, so of a spectrum the interval is wide and the p-value large rather than
//! the other way round.

use rayon::prelude::*;

use super::random::Stream;
use super::{FitError, PowerLaw};

/// What the replicates say of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// Standard error of alpha, the choice of xmin included.
    pub alpha_se: f64,
    /// 95 % interval of alpha: the 2.5 % and 97.5 % points of the replicates' alpha.
    pub alpha_interval: [f64; 2],
    /// Share of replicates with a larger D: small where the power law is implausible.
    pub gof_p: f64,
    /// Replicates of the values that could be fitted.
    pub replicates: usize,
}

/// Fits `replicates` samples; the same for every number of threads. `None` if fewer than ten of them have a finite exponent.
pub fn bootstrap(
    sorted: &[f64],
    fit: &PowerLaw,
    replicates: usize,
    seed: u64,
    refit: impl Fn(&[f64]) -> Result<PowerLaw, FitError> + Sync,
) -> Option<Bootstrap> {
    let body = &sorted[..sorted.partition_point(|v| *v < fit.xmin)];
    let share = (sorted.len() - body.len()) as f64 / sorted.len() as f64;
    let power = -1.0 / (fit.alpha - 1.0);
    let refitted = |mut sample: Vec<f64>| -> Option<PowerLaw> {
        sample.sort_unstable_by(f64::total_cmp);
        refit(&sample).ok().filter(|fit| fit.alpha.is_finite())
    };
    let of_values = |replicate: u64| {
        let mut stream = Stream::new(seed, 2 * replicate);
        refitted((0..sorted.len()).map(|_| sorted[stream.index(sorted.len())]).collect())
    };
    let of_model = |replicate: u64| {
        let mut stream = Stream::new(seed, 2 * replicate + 1);
        let mut draw = || {
            if body.is_empty() || stream.uniform() < share {
                fit.xmin * (1.0 - stream.uniform()).powf(power)
            } else {
                body[stream.index(body.len())]
            }
        };
        refitted((0..sorted.len()).map(|_| draw()).collect())
    };
    let all = 0..replicates as u64;
    let mut alphas: Vec<f64> =
        all.clone().into_par_iter().filter_map(of_values).map(|fit| fit.alpha).collect();
    let distances: Vec<f64> = all.into_par_iter().filter_map(of_model).map(|fit| fit.d).collect();
    let count = alphas.len();
    if count.min(distances.len()) < 10 || !fit.alpha.is_finite() {
        return None;
    }
    let mean = alphas.iter().sum::<f64>() / count as f64;
    let variance = alphas.iter().map(|alpha| (alpha - mean).powi(2)).sum::<f64>() / (count - 1) as f64;
    let larger = distances.iter().filter(|d| **d > fit.d).count();
    alphas.sort_unstable_by(f64::total_cmp);
    Some(Bootstrap {
        alpha_se: variance.sqrt(),
        alpha_interval: [quantile(&alphas, 0.025), quantile(&alphas, 0.975)],
        gof_p: larger as f64 / distances.len() as f64,
        replicates: count,
    })
}

fn quantile(sorted: &[f64], level: f64) -> f64 {
    let place = level * (sorted.len() - 1) as f64;
    let low = place.floor() as usize;
    sorted[low] + place.fract() * (sorted[(low + 1).min(sorted.len() - 1)] - sorted[low])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{SmallNSigma, fit_power_law};

    fn refit(x: &[f64]) -> Result<PowerLaw, FitError> {
        fit_power_law(x, SmallNSigma::FromAlpha)
    }

    fn sample(seed: u64, of: impl Fn(&mut Stream) -> f64) -> Vec<f64> {
        let mut stream = Stream::new(seed, 0);
        let mut x: Vec<f64> = (0..200).map(|_| of(&mut stream)).collect();
        x.sort_by(f64::total_cmp);
        x
    }

    fn of(x: &[f64]) -> Bootstrap {
        bootstrap(x, &refit(x).unwrap(), 200, 3, refit).unwrap()
    }

    #[test]
    fn results_are_the_same_on_one_thread_and_on_three() {
        let x = sample(1, |s| (1.0 - s.uniform()).powf(-0.5));
        let on = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(|| of(&x));
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn a_power_law_is_plausible_and_a_uniform_sample_is_not() {
        assert!(of(&sample(1, |s| (1.0 - s.uniform()).powf(-0.5))).gof_p > 0.1);
        let narrow: Vec<f64> = (1..=400).map(|i| 10.0 + f64::from(i) / 400.0 + f64::from(i % 7)).collect();
        let mut narrow = narrow;
        narrow.sort_by(f64::total_cmp);
        let fit = crate::fit::fit_power_law_at(&narrow, 10.0).unwrap();
        let at = |x: &[f64]| crate::fit::fit_power_law_at(x, 10.0);
        assert!(bootstrap(&narrow, &fit, 200, 3, at).unwrap().gof_p < 0.01);
    }

    #[test]
    fn nineteen_intervals_in_twenty_hold_the_true_exponent() {
        let covers = |seed| {
            let [low, high] = of(&sample(seed, |s| (1.0 - s.uniform()).powf(-0.5))).alpha_interval;
            low <= 3.0 && 3.0 <= high
        };
        let covered = (100..300).filter(|seed| covers(*seed)).count();
        assert!((180..=199).contains(&covered), "{covered} of 200");
    }
}
