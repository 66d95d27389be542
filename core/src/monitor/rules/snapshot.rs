//! When to keep a copy of the weights, so that the best ones are at hand when the run declines.

use super::ModelSeries;

/// A copy is asked for at a commit whose mean alpha is nearer to the target than that of the last copy by at least the
/// gain. Then the copy in hand is never further from the target than the best commit so far by more than the gain.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotRule {
    /// The mean alpha that is best; 2 by default.
    pub target: f64,
    /// How much nearer is worth a copy; 0.1 by default.
    pub gain: f64,
    /// Commits before the first copy; 5 by default.
    pub warm_up: u32,
    /// Layers with fewer eigenvalues are left out of the mean; 50 by default.
    pub min_evals: usize,
}

impl Default for SnapshotRule {
    fn default() -> Self {
        SnapshotRule { target: 2.0, gain: 0.1, warm_up: 5, min_evals: 50 }
    }
}

/// Distance from the target at the last copy, and commits seen.
#[derive(Default)]
pub(super) struct SnapshotState {
    commits: u32,
    kept: Option<f64>,
}

impl SnapshotRule {
    /// Why a copy should be kept now. None is asked for while a rule is raised.
    pub(super) fn ask(
        &self,
        state: &mut SnapshotState,
        alphas: &ModelSeries,
        raised: bool,
    ) -> Option<String> {
        let mean = *alphas.means.back().filter(|_| alphas.fresh)?;
        state.commits = state.commits.saturating_add(1);
        if raised || state.commits <= self.warm_up {
            return None;
        }
        let distance = (mean - self.target).abs();
        if state.kept.is_some_and(|kept| distance > kept - self.gain) {
            return None;
        }
        state.kept = Some(distance);
        Some(format!("mean alpha {mean:.2} is the nearest to {} so far: worth a copy", self.target))
    }
}
