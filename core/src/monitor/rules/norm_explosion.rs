//! A layer's largest singular value multiplies within a few analyses: the learning rate is too large.

use super::{Hold, Sign};
use crate::monitor::tracks::Track;

/// Growth of the largest singular value over the smallest of the last few.
#[derive(Clone, Debug, PartialEq)]
pub struct NormExplosion {
    /// Analyses looked back on, the present one included; 10 by default.
    pub window: usize,
    /// Growth that warns; 10 by default.
    pub warn: f64,
    /// Growth that asks to stop; 1000 by default.
    pub stop: f64,
    /// 2 and 3 by default.
    pub hold: Hold,
}

/// Layers smaller than this share of the model's largest first singular value grow freely: those that start at or near
/// zero must.
const SMALL: f64 = 0.1;

impl Default for NormExplosion {
    fn default() -> Self {
        NormExplosion { window: 10, warn: 10.0, stop: 1000.0, hold: Hold::new(2, 3) }
    }
}

impl NormExplosion {
    /// `factor` is the growth to judge by, `scale` the model's largest first singular value.
    pub(super) fn layer(&self, track: &Track, factor: f64, scale: f64) -> Sign {
        let Some(now) = track.latest("spectral_norm").filter(|_| track.fresh && track.judged(0)) else {
            return Sign::Silent;
        };
        let norms = track.segment_points().rev().take(self.window);
        let least = norms.filter_map(|p| p.values.get("spectral_norm")).fold(f64::INFINITY, f64::min);
        let (now, then) = (now.sqrt(), least.sqrt().max(SMALL * scale));
        if then > 0.0 && now > factor * then {
            let growth = now / then;
            return Sign::Bad(format!(
                "{}: largest singular value grew {growth:.0} times to {now:.3e}",
                track.name
            ));
        }
        Sign::Good
    }
}
