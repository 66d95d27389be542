//! alpha below 2: the tail is heavier than in any layer that generalises; a sign of over-fitting or of a rank that
//! collapses.

use super::{Hold, ModelSeries, Sign};
use crate::monitor::tracks::Track;

/// A layer's alpha, or the mean over layers, is below a bound.
#[derive(Clone, Debug, PartialEq)]
pub struct OverTrained {
    /// The bound; 2 by default, where theory puts the border.
    pub below: f64,
    /// Layers with fewer eigenvalues are not judged, their fits being too uncertain; 50 by default.
    pub min_evals: usize,
    /// 3 and 3 by default.
    pub hold: Hold,
}

impl Default for OverTrained {
    fn default() -> Self {
        OverTrained { below: 2.0, min_evals: 50, hold: Hold::new(3, 3) }
    }
}

impl OverTrained {
    pub(super) fn layer(&self, track: &Track) -> Sign {
        match track.latest("alpha").filter(|_| track.fresh && track.judged(self.min_evals)) {
            None => Sign::Silent,
            Some(alpha) if alpha < self.below => {
                Sign::Bad(format!("{}: alpha {alpha:.2} is below {}", track.name, self.below))
            }
            Some(_) => Sign::Good,
        }
    }

    pub(super) fn model(&self, alphas: &ModelSeries) -> Sign {
        match alphas.means.back().filter(|_| alphas.fresh) {
            None => Sign::Silent,
            Some(mean) if *mean < self.below => {
                Sign::Bad(format!("mean alpha {mean:.2} is below {}", self.below))
            }
            Some(_) => Sign::Good,
        }
    }
}
