//! `fix_fingers = xmin_peak`: xmin only near the fullest bin of the histogram of log λ.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

const BINS: usize = 100;

/// Where the search begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeakRule {
    /// 0.95 of the peak.
    Linear,
    /// The base-10 logarithm of that, compared with eigenvalues: mostly no limit at all (WeightWatcher 0.7.7, quirk 18).
    Reference,
}

/// The values xmin may take, for ascending positive values; `xmin_max` in place of 1.5 times the peak.
pub fn peak_range(sorted: &[f64], rule: PeakRule, xmin_max: Option<f64>) -> RangeInclusive<f64> {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return 0.0..=0.0 };
    let (mut low, mut high) = (first.log10(), last.log10());
    if low == high {
        // As numpy.histogram does with a single value.
        (low, high) = (low - 0.5, high + 0.5);
    }
    let width = (high - low) / BINS as f64;
    let edge = |bin: usize| bin as f64 * width + low;
    let mut counts = [0usize; BINS];
    for x in sorted {
        let log = x.log10();
        let mut bin = (((log - low) / (high - low) * BINS as f64) as usize).min(BINS - 1);
        // The edges decide, not the division.
        if log < edge(bin) {
            bin -= 1;
        } else if bin + 1 < BINS && log >= edge(bin + 1) {
            bin += 1;
        }
        counts[bin] += 1;
    }
    let fullest = (0..BINS).rev().max_by_key(|b| counts[*b]).unwrap_or(0);
    let peak = 10f64.powf(edge(fullest));
    let lower = match rule {
        PeakRule::Linear => 0.95 * peak,
        PeakRule::Reference => (0.95 * peak).log10(),
    };
    lower..=xmin_max.unwrap_or(1.5 * peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_lies_about_the_first_fullest_bin() {
        // Bins of 0.02 decades from 1 to 100; 7 values share one that begins at 10^1.2, 7 more a later one.
        let mut x = vec![1.0, 100.0];
        x.extend((0..7).map(|i| 10f64.powf(1.201 + 0.002 * f64::from(i))));
        x.extend((0..7).map(|i| 10f64.powf(1.501 + 0.002 * f64::from(i))));
        x.sort_by(f64::total_cmp);
        let peak = 10f64.powf(1.2);
        let range = peak_range(&x, PeakRule::Linear, None);
        assert!((range.start() / (0.95 * peak) - 1.0).abs() < 1e-12);
        assert!((range.end() / (1.5 * peak) - 1.0).abs() < 1e-12);
        let reference = peak_range(&x, PeakRule::Reference, Some(50.0));
        assert!((reference.start() - (0.95 * peak).log10()).abs() < 1e-12);
        assert_eq!(*reference.end(), 50.0);
    }
}
