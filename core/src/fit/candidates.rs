//! The fits that a scan chooses from, to look at: what D and alpha would have been had the tail begun elsewhere.

use std::ops::RangeInclusive;

use super::power_law::{SMALL_N, TIED};
use super::scan::Tails;
use super::truncated::Sums;

/// The power law of the tail that begins at one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Where the tail begins.
    pub xmin: f64,
    /// Exponent.
    pub alpha: f64,
    /// Kolmogorov-Smirnov distance.
    pub d: f64,
    /// Values in the tail.
    pub n_tail: usize,
}

const ALL: RangeInclusive<f64> = 0.0..=f64::INFINITY;

/// About `most` of the candidates of [`fit_power_law`](super::fit_power_law) for positive, ascending values, by ascending xmin: half of
/// them spread evenly over the values, half ever closer towards the largest; all where there are no more. With `tied`, equal values are
/// one candidate, and with `bounded` D is that of [`fit_power_law_forced`](super::fit_power_law_forced).
pub fn power_law_candidates(sorted: &[f64], tied: bool, bounded: bool, most: usize) -> Vec<Candidate> {
    if sorted.len() < 2 {
        return Vec::new();
    }
    let tails = if tied || bounded { Tails::unique(sorted) } else { Tails::every(sorted) };
    let unbiased = sorted.len() < SMALL_N && !tied && !bounded;
    let mut scratch = Vec::new();
    let candidate = |i: usize| {
        let (n, sum) = (tails.tail(i), tails.log_sum(i));
        let alpha = 1.0 + (n - usize::from(unbiased)) as f64 / sum;
        if sum.is_nan() || sum <= TIED {
            return None;
        }
        let d = tails.distance(i, alpha, bounded, f64::INFINITY, &mut scratch)?;
        Some(Candidate { xmin: sorted[sorted.len() - n], alpha, d, n_tail: n })
    };
    spread(tails.len().saturating_sub(1), most).into_iter().filter_map(candidate).collect()
}

/// The same of [`fit_truncated`](super::fit_truncated).
pub fn truncated_candidates(sorted: &[f64], bounded: bool, most: usize) -> Vec<Candidate> {
    let tails = Tails::unique(sorted);
    let Some(all) = tails.candidates(sorted, &ALL) else { return Vec::new() };
    let sums = Sums::new(sorted, &tails);
    let mut scratch = Vec::new();
    let candidate = |i: usize| {
        let (fit, _) = sums.fit(&tails, i, None, bounded, f64::INFINITY, &mut scratch)?;
        Some(Candidate { xmin: fit.xmin, alpha: fit.alpha, d: fit.d, n_tail: fit.n_tail })
    };
    spread(all.len(), most).into_iter().filter_map(candidate).collect()
}

/// At most `most` numbers below `count`, ascending.
fn spread(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let half = most / 2;
    let even = (0..half).map(|k| k * count / half);
    let ratio = (count as f64).powf(1.0 / half as f64);
    let near = (0..half).map(|k| count - (ratio.powi(k as i32) as usize).clamp(1, count));
    let mut all: Vec<usize> = even.chain(near).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{SmallNSigma, fit_power_law, fit_power_law_forced, fit_truncated};
    use crate::spectrum::Rng;

    fn sample(n: usize) -> Vec<f64> {
        let mut rng = Rng::new(n as u64);
        let mut x: Vec<f64> = (0..n).map(|_| (1.0 - rng.uniform()).powf(-0.8) - 0.7).collect();
        x.sort_by(f64::total_cmp);
        x
    }

    #[test]
    fn the_best_candidate_is_the_fit() {
        for n in [9, 300] {
            let x = sample(n);
            let best = |all: Vec<Candidate>| all.into_iter().min_by(|a, b| a.d.total_cmp(&b.d)).unwrap();
            let same = |c: Candidate, xmin, alpha, d| (c.xmin, c.alpha, c.d) == (xmin, alpha, d);
            let fit = fit_power_law_forced(&x).unwrap();
            assert!(same(best(power_law_candidates(&x, true, true, n)), fit.xmin, fit.alpha, fit.d));
            if n > SMALL_N {
                let fit = fit_power_law(&x, SmallNSigma::FromAlpha).unwrap();
                assert!(same(best(power_law_candidates(&x, false, false, n)), fit.xmin, fit.alpha, fit.d));
                let fit = fit_truncated(&x, &ALL, false).unwrap();
                let found = best(truncated_candidates(&x, false, n));
                assert!((found.d / fit.d - 1.0).abs() < 1e-6 && found.xmin == fit.xmin, "{found:?} {fit:?}");
            }
        }
    }

    #[test]
    fn a_few_of_many_candidates_are_spread_over_all() {
        let x = sample(5000);
        let few = power_law_candidates(&x, false, false, 100);
        assert!((60..=100).contains(&few.len()), "{}", few.len());
        assert_eq!(few[0].n_tail, 5000);
        assert_eq!(few[few.len() - 1].n_tail, 2);
        assert!(few.windows(2).all(|w| w[0].xmin < w[1].xmin && w[0].n_tail > w[1].n_tail));
        assert!(power_law_candidates(&[1.0], false, false, 9).is_empty());
    }
}
