//! Tensors on their way in: the commit being filled, and a commit handed over.

use std::collections::HashMap;

use serde::Serialize;

use super::{MonitorError, Stamp};
use crate::source::{MemoryModel, TensorInfo};
use crate::tensor::{LayerKind, Layout, Role, Stacked, Tensor};

/// Most tensors of one commit: ten times the largest models published, so that a loop gone wrong ends in an error.
const MAX_TENSORS: usize = 1 << 20;
/// Longest name, in bytes.
const MAX_NAME: usize = 4096;
/// Most numbers of the trainer's own in one commit.
const MAX_METRICS: usize = 1024;

/// What a submitted tensor is. The values are stable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(i32)]
pub enum TensorRole {
    /// A parameter.
    #[default]
    Weight = 0,
    /// Its gradient.
    Gradient = 1,
    /// Its momentum, or another moment kept by the optimizer.
    Momentum = 2,
}

impl TensorRole {
    /// In reports.
    pub fn name(self) -> &'static str {
        match self {
            TensorRole::Weight => "weight",
            TensorRole::Gradient => "gradient",
            TensorRole::Momentum => "momentum",
        }
    }
}

/// What the trainer knows of a tensor beyond its shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// The kind of layer; without it, rank and name decide ([`classify`](crate::tensor::classify)).
    pub kind: Option<LayerKind>,
    /// The order of the axes.
    pub layout: Layout,
    /// How gates or projections are stacked.
    pub stacked: Option<Stacked>,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It waits its turn, or is being analysed already.
    Queued,
    /// The same, in the place of an earlier commit that is now dropped.
    Replaced,
    /// Dropped: every place of the queue is taken.
    Dropped,
    /// Skipped: too soon after the last one.
    Skipped,
}

pub(super) struct Entry {
    pub name: String,
    pub role: TensorRole,
    pub hints: Hints,
    pub tensor: Tensor,
}

/// The commit being filled.
#[derive(Default)]
pub(super) struct Draft {
    entries: Vec<Entry>,
    places: HashMap<(String, TensorRole), usize>,
}

impl Draft {
    /// Adds a tensor; gives back the one of the same name and role it replaces, for the caller to drop without a lock.
    pub fn add(&mut self, entry: Entry) -> Result<Option<Entry>, MonitorError> {
        if entry.name.len() > MAX_NAME {
            return Err(MonitorError::TooMany { what: "bytes of a tensor's name", limit: MAX_NAME });
        }
        let key = (entry.name.clone(), entry.role);
        if let Some(&place) = self.places.get(&key) {
            return Ok(Some(std::mem::replace(&mut self.entries[place], entry)));
        }
        if self.entries.len() >= MAX_TENSORS {
            return Err(MonitorError::TooMany { what: "tensors", limit: MAX_TENSORS });
        }
        self.places.insert(key, self.entries.len());
        self.entries.push(entry);
        Ok(None)
    }

    /// Each name once, in the order first submitted.
    pub fn names(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        self.entries.iter().filter(|e| seen.insert(&e.name)).map(|e| e.name.clone()).collect()
    }

    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }
}

/// A commit handed over.
pub(super) struct Snapshot {
    pub stamp: Stamp,
    pub metrics: Vec<(String, f64)>,
    pub entries: Vec<Entry>,
}

/// The trainer's own numbers, checked.
pub(super) fn own_metrics(metrics: &[(&str, f64)]) -> Result<Vec<(String, f64)>, MonitorError> {
    if metrics.len() > MAX_METRICS {
        return Err(MonitorError::TooMany { what: "metrics", limit: MAX_METRICS });
    }
    if metrics.iter().any(|(name, _)| name.len() > MAX_NAME) {
        return Err(MonitorError::TooMany { what: "bytes of a metric's name", limit: MAX_NAME });
    }
    Ok(metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
}

impl Snapshot {
    /// The tensors as a model that can be planned and read.
    pub fn model(&self) -> MemoryModel {
        self.entries.iter().fold(MemoryModel::new(), |model, entry| {
            let tensor = entry.tensor.clone();
            let mut info = TensorInfo::new(&*entry.name, tensor.dtype(), tensor.shape().to_vec());
            info.kind = entry.hints.kind;
            info.layout = entry.hints.layout;
            info.stacked = entry.hints.stacked;
            // A moment is analysed like a gradient; what a file calls optimizer state never is.
            info.role = if entry.role == TensorRole::Weight { Role::Weight } else { Role::Gradient };
            model.with_info(info, tensor)
        })
    }
}
