//! `fix_fingers = clip_xmax`: drop the few largest values ("fingers") that inflate the exponent.

use serde::{Deserialize, Serialize};

use super::{FitError, PowerLaw};

/// How values are tried without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipRule {
    /// 1, 2, ... `max_fingers` largest removed; as many fingers as were removed.
    Each,
    /// WeightWatcher 0.7.7: 2 ... 9 removed, one finger fewer counted, given up once alpha is 2 or less,
    /// failed when three more could not be removed.
    Reference,
}

/// A fit and the fingers removed to get it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clipped {
    /// The fit without the fingers.
    pub fit: PowerLaw,
    /// How many were found.
    pub num_fingers: usize,
    /// Exponent with all values.
    pub raw_alpha: f64,
}

/// Removes the largest values until alpha falls by more than `thresh`; keeps the first fit if it never does.
///
/// `spectrum` is the number of eigenvalues before any threshold.
pub fn clip_xmax(
    sorted: &[f64],
    spectrum: usize,
    rule: ClipRule,
    max_fingers: usize,
    thresh: f64,
    fit: impl Fn(&[f64]) -> Result<PowerLaw, FitError>,
) -> Result<Clipped, FitError> {
    let raw = fit(sorted)?;
    let mut clipped = Clipped { fit: raw, num_fingers: 0, raw_alpha: raw.alpha };
    let total = sorted.len();
    match rule {
        ClipRule::Each => {
            for k in 1..=max_fingers.min(total.saturating_sub(2)) {
                let next = fit(&sorted[..total - k])?;
                if next.alpha + thresh < raw.alpha {
                    clipped = Clipped { fit: next, num_fingers: k, ..clipped };
                    break;
                }
            }
        }
        ClipRule::Reference => {
            let max_fingers = if 2 * max_fingers >= spectrum { max_fingers } else { 10 };
            let mut reached = 0;
            for k in 2..max_fingers {
                reached = k;
                let next = fit(&sorted[..total.saturating_sub(k)])?;
                if next.alpha + thresh < raw.alpha {
                    clipped = Clipped { fit: next, num_fingers: k - 1, ..clipped };
                    break;
                }
                if next.alpha <= 2.0 {
                    break;
                }
            }
            for k in reached + 1..=reached + 3 {
                fit(&sorted[..total.saturating_sub(k)])?;
            }
        }
    }
    Ok(clipped)
}
