//! What the monitor tells of one analysed commit.

use serde::Serialize;

use super::history::MetricValues;
use super::{TensorRole, Verdict};
use crate::analysis::Row;

/// When something was computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stamp {
    /// The trainer's step.
    pub step: u64,
    /// The trainer's epoch, whole or not.
    pub epoch: Option<f64>,
}

/// The latest rows of one tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerReport {
    /// The name it was submitted under.
    pub name: String,
    /// What was submitted.
    pub role: TensorRole,
    /// The commit the rows were computed at; `None` while the layer waits for its first turn.
    pub computed: Option<Stamp>,
    /// Whether that is the commit of this report.
    pub fresh: bool,
    /// How many times its shape, type or kind changed; rules start anew each time.
    pub segment: u32,
    /// One row, or one for each slice where slices are not pooled. A tensor that is no layer has a row that says so.
    pub rows: Vec<Row>,
}

/// What one commit cost the monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// CPU milliseconds of the scan for NaN, zeros and change: every element of every tensor, once.
    pub scan_ms: f64,
    /// CPU milliseconds of the analyses: what the budget limits.
    pub analysis_ms: f64,
    /// Milliseconds from the start of the work to the verdict.
    pub wall_ms: f64,
    /// Layers analysed at this commit.
    pub analyzed: usize,
    /// Layers whose weights had moved too little for another analysis (`unchanged_below`).
    pub unchanged: usize,
    /// Layers of this commit that the budget left with their earlier rows.
    pub left: usize,
}

/// What happened to commits since the monitor was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Calls of commit.
    pub commits: u64,
    /// Analysed to the end.
    pub analyzed: u64,
    /// Dropped because the monitor was busy.
    pub dropped: u64,
    /// Skipped because they came within `min_interval`.
    pub skipped: u64,
    /// Given up because of a defect in the monitor; the last one's message is a note of the next report.
    pub failed: u64,
    /// Reports that were replaced before anybody polled them.
    pub unread_lost: u64,
    /// Callbacks that panicked.
    pub callback_panics: u64,
}

/// Everything about one analysed commit: the latest rows of every layer, and the verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochReport {
    /// The trainer's step and epoch.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// Which analysed commit this is, from 1.
    pub ordinal: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// The trainer's own numbers.
    pub metrics: Vec<(String, f64)>,
    /// Means of the key metrics over the layers submitted as weights.
    pub means: MetricValues,
    /// Every tensor the monitor knows, in the order first submitted.
    pub layers: Vec<LayerReport>,
    /// What is worth saying: a changed shape, a filter that matches nothing, a commit without tensors.
    pub notes: Vec<String>,
    /// What it cost.
    pub cost: Cost,
    /// As of this report.
    pub counters: Counters,
}
