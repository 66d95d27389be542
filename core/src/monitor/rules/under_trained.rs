//! Mean alpha above 6 for long: the layers still look random.

use super::{Hold, ModelSeries, Sign};

/// The mean alpha over layers is above a bound.
#[derive(Clone, Debug, PartialEq)]
pub struct UnderTrained {
    /// The bound; 6 by default.
    pub above: f64,
    /// Layers with fewer eigenvalues are not judged; 50 by default.
    pub min_evals: usize,
    /// 20 and 3 by default: training may take its time.
    pub hold: Hold,
}

impl Default for UnderTrained {
    fn default() -> Self {
        UnderTrained { above: 6.0, min_evals: 50, hold: Hold::new(20, 3) }
    }
}

impl UnderTrained {
    pub(super) fn model(&self, alphas: &ModelSeries) -> Sign {
        match alphas.means.back().filter(|_| alphas.fresh) {
            None => Sign::Silent,
            Some(mean) if *mean > self.above => {
                Sign::Bad(format!("mean alpha {mean:.2} is still above {}", self.above))
            }
            Some(_) => Sign::Good,
        }
    }
}
