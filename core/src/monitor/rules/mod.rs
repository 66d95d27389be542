//! When to raise the alarm: each rule in its own file, all with hysteresis.

mod alpha_rising;
mod dead_layer;
mod judge;
mod latch;
mod non_finite;
mod norm_explosion;
mod over_trained;
mod rank_collapse;
mod snapshot;
mod traps;
mod under_trained;

pub use alpha_rising::AlphaRising;
pub use dead_layer::DeadLayer;
pub(super) use judge::Judge;
pub use latch::Hold;
pub use norm_explosion::NormExplosion;
pub use over_trained::OverTrained;
pub use rank_collapse::RankCollapse;
pub use snapshot::SnapshotRule;
pub use traps::Traps;
pub use under_trained::UnderTrained;

use super::MonitorError;
use super::tracks::Track;

/// The rules of a monitor; `None` turns one off.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// alpha below 2.
    pub over_trained: Option<OverTrained>,
    /// Mean alpha drifts up.
    pub alpha_rising: Option<AlphaRising>,
    /// Mean alpha above 6 for long. Off by default: so are all models when training starts.
    pub under_trained: Option<UnderTrained>,
    /// The stable rank falls to a small part of its peak.
    pub rank_collapse: Option<RankCollapse>,
    /// The largest singular value multiplies.
    pub norm_explosion: Option<NormExplosion>,
    /// NaN or infinity: at once, without hysteresis. Stop for weights, a warning for gradients (which loss scaling overflows now and
    /// then) and momenta.
    pub non_finite: bool,
    /// All zero, or stopped changing.
    pub dead_layer: Option<DeadLayer>,
    /// Correlation traps, where the analysis looks for them.
    pub traps: Option<Traps>,
    /// When to keep a copy of the weights.
    pub snapshot: Option<SnapshotRule>,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            over_trained: Some(OverTrained::default()),
            alpha_rising: Some(AlphaRising::default()),
            under_trained: None,
            rank_collapse: Some(RankCollapse::default()),
            norm_explosion: Some(NormExplosion::default()),
            non_finite: true,
            dead_layer: Some(DeadLayer::default()),
            traps: Some(Traps::default()),
            snapshot: Some(SnapshotRule::default()),
        }
    }
}

impl Rules {
    /// No rule at all: the monitor only measures.
    pub fn none() -> Self {
        Rules {
            over_trained: None,
            alpha_rising: None,
            under_trained: None,
            rank_collapse: None,
            norm_explosion: None,
            non_finite: false,
            dead_layer: None,
            traps: None,
            snapshot: None,
        }
    }

    /// Points of the history the rules look back on.
    pub(super) fn longest_window(&self) -> usize {
        let rising = self.alpha_rising.as_ref().map_or(0, |r| r.window);
        rising.max(self.norm_explosion.as_ref().map_or(0, |r| r.window))
    }

    pub(super) fn validate(&self) -> Result<(), MonitorError> {
        let windows = [
            ("alpha_rising.window", self.alpha_rising.as_ref().map_or(3, |r| r.window), 3),
            ("norm_explosion.window", self.norm_explosion.as_ref().map_or(2, |r| r.window), 2),
        ];
        for (what, found, least) in windows {
            if found < least {
                let expected = format!("at least {least}");
                return Err(MonitorError::Invalid { what, expected, found: found.to_string() });
            }
        }
        let mut numbers: Vec<(&'static str, f64)> = Vec::new();
        numbers.extend(self.over_trained.as_ref().map(|r| ("over_trained.below", r.below)));
        numbers.extend(self.under_trained.as_ref().map(|r| ("under_trained.above", r.above)));
        if let Some(r) = &self.alpha_rising {
            numbers.extend([("alpha_rising.noise", r.noise), ("alpha_rising.rise", r.rise)]);
        }
        if let Some(r) = &self.rank_collapse {
            numbers.extend([("rank_collapse.fraction", r.fraction), ("rank_collapse.floor", r.floor)]);
        }
        if let Some(r) = &self.norm_explosion {
            numbers.extend([("norm_explosion.warn", r.warn), ("norm_explosion.stop", r.stop)]);
        }
        numbers.extend(self.traps.as_ref().map(|r| ("traps.excess", r.excess)));
        if let Some(r) = &self.snapshot {
            numbers.extend([("snapshot.target", r.target), ("snapshot.gain", r.gain)]);
        }
        match numbers.into_iter().find(|(_, value)| !(*value >= 0.0 && value.is_finite())) {
            None => Ok(()),
            Some((what, value)) => Err(MonitorError::Invalid {
                what,
                expected: "a number of at least 0".to_owned(),
                found: value.to_string(),
            }),
        }
    }
}

/// What one rule says after one commit about one layer, or the model.
pub(super) enum Sign {
    /// Nothing new is known: the state stays as it is.
    Silent,
    /// The condition does not hold.
    Good,
    /// It holds, in words.
    Bad(String),
}

/// The mean over the model of a layer metric, commit by commit.
#[derive(Default)]
pub(super) struct ModelSeries {
    /// The layers it is over; when they change, the series starts anew.
    members: Vec<u64>,
    pub means: std::collections::VecDeque<f64>,
    /// Whether the latest mean belongs to this commit.
    pub fresh: bool,
}

impl ModelSeries {
    /// Adds the mean alpha over weights of at least `min_evals` eigenvalues, if any of them was analysed at this commit.
    pub fn add(&mut self, tracks: &[Track], min_evals: usize, keep: usize) {
        let judged = || tracks.iter().filter(|t| t.judged(min_evals) && t.latest("alpha").is_some());
        self.fresh = judged().any(|t| t.fresh);
        if !self.fresh {
            return;
        }
        let members: Vec<u64> = judged().map(|t| t.id).collect();
        if members != self.members {
            self.members = members;
            self.means.clear();
        }
        if self.means.len() >= keep {
            self.means.pop_front();
        }
        self.means.extend(super::history::mean(judged().filter_map(|t| t.latest("alpha"))));
    }
}
