//! The Kolmogorov-Smirnov scan over every candidate xmin: Clauset, Shalizi, Newman, "Power-law distributions in empirical
//! data" (2009), sections 3.1 and 3.3.
//!
//! Naively the scan is quadratic. Three things make it cheap without changing a bit of the answer: the sum of logs of
//! every tail comes from its neighbour's; a candidate is dropped once one point deviates more than the best candidate's
//! worst; and between two points the deviation is bounded, since model and empirical CDF both only rise.

use std::ops::{Range, RangeInclusive};

/// Points between which deviations are first only bounded.
const BLOCK: usize = 32;
/// Spread points where a candidate is tried before anything else.
const PROBES: usize = 8;
/// Every so many candidates are tried first, to have a good best early.
const STRIDE: usize = 16;
/// Rounding allowed for in the bound between two points, far above what exp and two subtractions can lose.
const SLACK: f64 = 1e-13;

/// Candidates spread over all, then the others.
pub(super) fn coarse_first(candidates: Range<usize>) -> impl Iterator<Item = usize> {
    let coarse = candidates.clone().step_by(STRIDE);
    let from = candidates.start;
    coarse.chain(candidates.filter(move |i| !(i - from).is_multiple_of(STRIDE)))
}

/// Candidate tails of a sorted sample: the logs of its points and how many values lie below each.
#[derive(Clone, Debug)]
pub(super) struct Tails {
    logs: Vec<f64>,
    ranks: Vec<usize>,
    total: usize,
    /// `Σ (log x_j - log x_i)` over the tail of each point.
    sums: Vec<f64>,
}

/// The best candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Best {
    /// Position among the points.
    pub index: usize,
    /// Largest deviation of the CDFs.
    pub d: f64,
    /// Exponent.
    pub alpha: f64,
    /// Values in the tail.
    pub n: usize,
}

impl Tails {
    /// Every value a point of its own, ties too, as the reference counts.
    pub(super) fn every(sorted: &[f64]) -> Self {
        Tails::new(sorted.iter().map(|x| x.ln()).collect(), (0..sorted.len()).collect(), sorted.len())
    }

    /// Tied values as one point.
    pub(super) fn unique(sorted: &[f64]) -> Self {
        let firsts = (0..sorted.len()).filter(|&i| i == 0 || sorted[i] != sorted[i - 1]);
        let ranks: Vec<usize> = firsts.collect();
        Tails::new(ranks.iter().map(|&i| sorted[i].ln()).collect(), ranks, sorted.len())
    }

    fn new(logs: Vec<f64>, ranks: Vec<usize>, total: usize) -> Self {
        let mut sums = vec![0.0; logs.len()];
        for i in (0..logs.len().saturating_sub(1)).rev() {
            // All terms are positive: nothing cancels, and ties give exactly zero.
            sums[i] = sums[i + 1] + (total - ranks[i + 1]) as f64 * (logs[i + 1] - logs[i]);
        }
        Tails { logs, ranks, total, sums }
    }

    pub(super) fn len(&self) -> usize {
        self.logs.len()
    }

    /// Values in the tail that starts at point `i`.
    pub(super) fn tail(&self, i: usize) -> usize {
        self.total - self.ranks[i]
    }

    /// `Σ log(x_j / x_i)` over that tail.
    pub(super) fn log_sum(&self, i: usize) -> f64 {
        self.sums[i]
    }

    /// The candidate with the least D, the first of equals; `alpha` gives the exponent of a candidate, `None` to leave
    /// it out. With `bounded`, the model CDF is scaled to reach 1 at the largest value.
    pub(super) fn best(
        &self,
        candidates: Range<usize>,
        bounded: bool,
        alpha: impl Fn(usize) -> Option<f64>,
    ) -> Option<Best> {
        let mut best: Option<Best> = None;
        let mut scratch = Vec::new();
        for i in coarse_first(candidates) {
            let Some(alpha) = alpha(i) else { continue };
            let limit = best.map_or(f64::INFINITY, |b| b.d);
            let Some(d) = self.distance(i, alpha, bounded, limit, &mut scratch) else { continue };
            if best.is_none_or(|b| d < b.d || (d == b.d && i < b.index)) {
                best = Some(Best { index: i, d, alpha, n: self.tail(i) });
            }
        }
        best
    }

    /// D of the tail at point `i`, or `None` as soon as it is known to exceed `limit`.
    pub(super) fn distance(
        &self,
        i: usize,
        alpha: f64,
        bounded: bool,
        limit: f64,
        scratch: &mut Vec<f64>,
    ) -> Option<f64> {
        let (n, last) = (self.tail(i) as f64, self.len() - 1);
        let slope = 1.0 - alpha;
        if !slope.is_finite() {
            // All values tied: the model is a step at xmin, and the lower empirical steps are all below it.
            return Some((self.ranks[last] - self.ranks[i]) as f64 / n);
        }
        let scale =
            if bounded { 1.0 / (1.0 - (slope * (self.logs[last] - self.logs[i])).exp()) } else { 1.0 };
        self.distance_from(i, limit, scratch, |j| {
            (1.0 - (slope * (self.logs[j] - self.logs[i])).exp()) * scale
        })
    }

    /// `log(x_j / x_i)`.
    pub(super) fn rise(&self, i: usize, j: usize) -> f64 {
        self.logs[j] - self.logs[i]
    }

    /// The candidates in a range of values, its last point not among them; `None` where there are none.
    pub(super) fn candidates(&self, sorted: &[f64], range: &RangeInclusive<f64>) -> Option<Range<usize>> {
        let value = |rank: &usize| sorted[*rank];
        let from = self.ranks.partition_point(|r| value(r) < *range.start());
        let to = self.ranks.partition_point(|r| value(r) <= *range.end());
        (to > from + 1).then(|| from..to - 1)
    }

    /// The same for any model that rises from 0 at point `i`.
    pub(super) fn distance_from(
        &self,
        i: usize,
        limit: f64,
        scratch: &mut Vec<f64>,
        model: impl Fn(usize) -> f64,
    ) -> Option<f64> {
        let (n, last) = (self.tail(i) as f64, self.len() - 1);
        let empirical = |j: usize| (self.ranks[j] - self.ranks[i]) as f64 / n;
        let points = last - i + 1;
        for probe in 1..PROBES {
            let j = i + points * probe / PROBES;
            if (model(j) - empirical(j)).abs() > limit {
                return None;
            }
        }
        // Deviations at the ends of blocks, then inside those blocks that could hold a larger one.
        scratch.clear();
        let ends = (i..last).step_by(BLOCK).chain([last]);
        let mut worst = 0.0f64;
        for j in ends {
            let f = model(j);
            scratch.push(f);
            worst = worst.max((f - empirical(j)).abs());
            if worst > limit {
                return None;
            }
        }
        for (block, ends) in scratch.windows(2).enumerate() {
            let from = i + block * BLOCK;
            let to = (from + BLOCK).min(last);
            let above = ends[1] - empirical(from);
            let below = empirical(to) - ends[0];
            if above.max(below) + SLACK <= worst {
                continue;
            }
            for j in from + 1..to {
                worst = worst.max((model(j) - empirical(j)).abs());
            }
            if worst > limit {
                return None;
            }
        }
        Some(worst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, with nothing clever.
    fn brute(tails: &Tails, bounded: bool, alpha: impl Fn(usize) -> Option<f64>) -> Option<Best> {
        let last = tails.len() - 1;
        let mut best: Option<Best> = None;
        for i in 0..last {
            let Some(a) = alpha(i) else { continue };
            let n = tails.tail(i) as f64;
            let slope = 1.0 - a;
            let scale =
                if bounded { 1.0 / (1.0 - (slope * (tails.logs[last] - tails.logs[i])).exp()) } else { 1.0 };
            let mut d = 0.0f64;
            for j in i..=last {
                let e = (tails.ranks[j] - tails.ranks[i]) as f64 / n;
                let f = (1.0 - (slope * (tails.logs[j] - tails.logs[i])).exp()) * scale;
                d = d.max((f - e).abs());
            }
            if best.is_none_or(|b| d < b.d) {
                best = Some(Best { index: i, d, alpha: a, n: tails.tail(i) });
            }
        }
        best
    }

    proptest! {
        #[test]
        fn the_scan_gives_the_bits_of_a_brute_force_scan(
            values in proptest::collection::vec(0.001f64..1.0, 20..400),
            exponent in -3.0f64..3.0,
            grain in prop_oneof![Just(0.0), Just(0.05)],
            bounded: bool,
        ) {
            let mut x: Vec<f64> = values.iter().map(|v| v.powf(exponent)).collect();
            if grain > 0.0 {
                x.iter_mut().for_each(|v| *v = (*v / grain).ceil() * grain);
            }
            x.sort_by(f64::total_cmp);
            for tails in [Tails::every(&x), Tails::unique(&x)] {
                if tails.len() < 2 { continue; }
                let alpha = |i: usize| {
                    (tails.log_sum(i) > 0.0).then(|| 1.0 + tails.tail(i) as f64 / tails.log_sum(i))
                };
                prop_assert_eq!(tails.best(0..tails.len() - 1, bounded, alpha), brute(&tails, bounded, alpha));
            }
        }
    }
}
