//! A layer's stable rank falls to a small part of its peak: few directions carry all its weight.

use super::{Hold, Sign};
use crate::monitor::tracks::Track;

/// The stable rank is below a fraction of its largest value so far, or below a floor.
#[derive(Clone, Debug, PartialEq)]
pub struct RankCollapse {
    /// Fraction of the peak; 0.02 by default. Healthy training takes a large layer from hundreds to tens.
    pub fraction: f64,
    /// Below this it counts as collapsed whatever the fraction, once the peak was four times as high; 1.5 by default.
    pub floor: f64,
    /// 3 and 3 by default.
    pub hold: Hold,
}

/// Layers whose stable rank never was so many times the floor had no rank to lose.
const PEAK_OVER_FLOOR: f64 = 4.0;

impl Default for RankCollapse {
    fn default() -> Self {
        RankCollapse { fraction: 0.02, floor: 1.5, hold: Hold::new(3, 3) }
    }
}

impl RankCollapse {
    pub(super) fn layer(&self, track: &Track) -> Sign {
        let Some(rank) = track.latest("stable_rank").filter(|_| track.fresh && track.judged(0)) else {
            return Sign::Silent;
        };
        let peak = track.peak_stable_rank;
        if peak >= PEAK_OVER_FLOOR * self.floor && rank < self.floor.max(self.fraction * peak) {
            return Sign::Bad(format!("{}: stable rank fell from {peak:.1} to {rank:.2}", track.name));
        }
        Sign::Good
    }
}
