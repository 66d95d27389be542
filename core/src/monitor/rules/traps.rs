//! Correlation traps: single weights so large that they stand out of the layer's spectrum even when all weights are shuffled.

use super::{Hold, Sign};
use crate::monitor::tracks::Track;

/// The layer has a trap. Silent unless the analysis looks for them: [`Options::traps`](crate::analysis::Options::traps) or
/// [`Options::randomize`](crate::analysis::Options::randomize).
#[derive(Clone, Debug, PartialEq)]
pub struct Traps {
    /// The largest trap's eigenvalue over the edge of random matrices; 1.1 by default, for healthy layers whose weights are not
    /// quite Gaussian may touch the edge. Without [`Options::traps`](crate::analysis::Options::traps) it is not known, and every trap
    /// counts.
    pub excess: f64,
    /// 2 and 2 by default.
    pub hold: Hold,
}

impl Default for Traps {
    fn default() -> Self {
        Traps { excess: 1.1, hold: Hold::new(2, 2) }
    }
}

impl Traps {
    pub(super) fn layer(&self, track: &Track) -> Sign {
        let rows = if track.fresh { track.rows() } else { &[] };
        let counts = rows.iter().filter_map(|row| row.num_traps);
        let Some(count) = counts.reduce(|a, b| a + b) else { return Sign::Silent };
        let largest = rows.iter().flat_map(|row| &row.traps).max_by(|a, b| a.excess.total_cmp(&b.excess));
        let name = &track.name;
        match largest {
            Some(trap) if trap.excess < self.excess => Sign::Good,
            Some(trap) => {
                let place = trap.carriers.first();
                let place =
                    place.map_or(String::new(), |c| format!(", by {:.3} at [{},{}]", c.value, c.row, c.col));
                let plural = if count == 1 { "" } else { "s" };
                Sign::Bad(format!(
                    "{name}: {count} correlation trap{plural}, the largest {:.2} times the random edge{place}",
                    trap.excess
                ))
            }
            None if count > 0 => Sign::Bad(format!("{name}: correlation traps: {count}")),
            None => Sign::Good,
        }
    }
}
