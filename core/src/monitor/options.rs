//! How a monitor works: what it computes, what it may cost, and whom it tells.

use std::fmt;
use std::time::Duration;

use super::{EpochReport, MonitorError, Rules};
use crate::analysis::Options;

/// Most threads a monitor may have: more than any machine a trainer shares with it.
const MAX_THREADS: usize = 1024;
/// Most commits a history may hold, so that a typing error does not become a memory leak.
const MAX_HISTORY: usize = 1 << 20;
/// Most commits that may wait: each holds a copy of the model.
const MAX_QUEUE: usize = 1 << 16;

/// What becomes of a commit while an earlier one is being analysed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBusy {
    /// One commit waits; a newer one takes its place.
    #[default]
    LatestWins,
    /// So many commits wait; when all places are taken, the new commit is dropped.
    Queue(usize),
}

/// Where callbacks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// On the monitor's thread, as soon as a commit is analysed.
    #[default]
    Thread,
    /// Inside [`poll`](super::Monitor::poll) and [`wait`](super::Monitor::wait), on the caller's thread.
    Poll,
}

/// Told of a report. A panic in it is caught, counted in [`Counters::callback_panics`](super::Counters) and forgotten.
pub type Callback = Box<dyn Fn(&EpochReport) + Send + Sync>;

/// Options of a monitor.
pub struct MonitorOptions {
    /// What is computed of each layer. Default: sound conventions in double precision.
    pub analysis: Options,
    /// Threads that analyse; 1 by default. Each layer is solved by one thread, so results do not depend on it.
    pub threads: usize,
    /// Give way to the trainer's threads (nice 10, on Linux). Default yes.
    pub low_priority: bool,
    /// Milliseconds of CPU that analyses may take for each commit, on average; 0: no limit. Default 250. Layers take turns, those
    /// longest without an analysis first.
    pub budget_ms: u64,
    /// What becomes of commits that come too fast.
    pub when_busy: WhenBusy,
    /// Commits closer than this to the last accepted one are skipped. Default zero: none is.
    pub min_interval: Duration,
    /// A layer whose weights have moved by no more than this share of their Frobenius norm since its last analysis is not analysed again. Its rows say
    /// so, and by how much its singular values can have changed (Mirsky). The monitor keeps a copy of every layer for it. Default 0: every turn is an
    /// analysis.
    pub unchanged_below: f64,
    /// Commits, and points of each layer, that the history keeps. Default 1000.
    pub history: usize,
    /// When to raise the alarm.
    pub rules: Rules,
    /// Where callbacks run.
    pub delivery: Delivery,
    /// Told of every analysed commit.
    pub on_epoch: Option<Callback>,
    /// Told, after `on_epoch`, of commits that raised a rule that had not been raised, or ask for a snapshot.
    pub on_alarm: Option<Callback>,
}

impl Default for MonitorOptions {
    fn default() -> Self {
        MonitorOptions {
            analysis: Options::default(),
            threads: 1,
            low_priority: true,
            budget_ms: 250,
            when_busy: WhenBusy::default(),
            min_interval: Duration::ZERO,
            unchanged_below: 0.0,
            history: 1000,
            rules: Rules::default(),
            delivery: Delivery::default(),
            on_epoch: None,
            on_alarm: None,
        }
    }
}

impl fmt::Debug for MonitorOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorOptions")
            .field("analysis", &self.analysis)
            .field("threads", &self.threads)
            .field("low_priority", &self.low_priority)
            .field("budget_ms", &self.budget_ms)
            .field("when_busy", &self.when_busy)
            .field("min_interval", &self.min_interval)
            .field("unchanged_below", &self.unchanged_below)
            .field("history", &self.history)
            .field("rules", &self.rules)
            .field("delivery", &self.delivery)
            .field("on_epoch", &self.on_epoch.is_some())
            .field("on_alarm", &self.on_alarm.is_some())
            .finish()
    }
}

impl MonitorOptions {
    pub(super) fn validate(&self) -> Result<(), MonitorError> {
        self.analysis.validate()?;
        within("threads", self.threads, 1, MAX_THREADS)?;
        within("history", self.history, self.rules.longest_window().max(1), MAX_HISTORY)?;
        if !(0.0..1.0).contains(&self.unchanged_below) {
            let found = self.unchanged_below.to_string();
            let expected = "at least 0 and below 1".to_owned();
            return Err(MonitorError::Invalid { what: "unchanged_below", expected, found });
        }
        if let WhenBusy::Queue(places) = self.when_busy {
            within("when_busy queue", places, 1, MAX_QUEUE)?;
        }
        self.rules.validate()
    }
}

fn within(what: &'static str, value: usize, low: usize, high: usize) -> Result<(), MonitorError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(MonitorError::Invalid { what, expected: format!("{low} to {high}"), found: value.to_string() })
}
