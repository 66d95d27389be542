//! NaN or infinity anywhere in a tensor, found by the scan whatever the budget.

use super::{Hold, Sign};
use crate::monitor::tracks::Track;

/// One is enough, and the alarm ends with the commit that is finite again.
pub(super) const HOLD: Hold = Hold::new(1, 1);

pub(super) fn layer(track: &Track) -> Sign {
    match track.pulse.filter(|_| track.submitted) {
        None => Sign::Silent,
        Some(pulse) if pulse.finite => Sign::Good,
        Some(_) => Sign::Bad(format!("{}: {} has NaN or infinite elements", track.name, track.role.name())),
    }
}
