//! A matrix of zeros, or one that used to change and no longer does, bit for bit, while others do.

use super::{Hold, Sign};
use crate::monitor::tracks::Track;

/// All zero, or stuck.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLayer {
    /// Also layers that have never changed since the monitor first saw them. Off by default: they may be frozen on purpose.
    pub never_moved: bool,
    /// 3 and 1 by default.
    pub hold: Hold,
}

impl Default for DeadLayer {
    fn default() -> Self {
        DeadLayer { never_moved: false, hold: Hold::new(3, 1) }
    }
}

impl DeadLayer {
    /// `others_move`: some weight changed at this commit.
    pub(super) fn layer(&self, track: &Track, others_move: bool) -> Sign {
        let Some(pulse) = track.pulse.filter(|_| track.submitted && track.matrices && others_move) else {
            return Sign::Silent;
        };
        if pulse.zero {
            return Sign::Bad(format!("{}: all elements are zero", track.name));
        }
        match track.moved {
            None => Sign::Silent,
            Some(false) if track.ever_moved || self.never_moved => {
                Sign::Bad(format!("{}: no longer changes, while other layers do", track.name))
            }
            Some(_) => Sign::Good,
        }
    }
}
