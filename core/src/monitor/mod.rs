//! Watches a training run: a trainer submits its tensors now and then, and gets verdicts. It is never blocked, never
//! stopped, at a known cost.
//!
//! ```
//! use eigenscope::monitor::{Hints, Level, Monitor, MonitorOptions, TensorRole};
//! use eigenscope::tensor::Tensor;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let monitor = Monitor::open(MonitorOptions::default())?;
//! for epoch in 0..3 {
//!     # let weights = vec![0.5f32; 16 * 32];
//!     // ... train ...
//!     let tensor = Tensor::from_f32(vec![16, 32], &weights)?;
//!     monitor.submit("fc.weight", TensorRole::Weight, Hints::default(), tensor)?;
//!     monitor.commit(epoch * 100, Some(epoch as f64), &[("loss", 0.1)])?;
//!     while let Some(report) = monitor.poll()? {
//!         if report.verdict.level == Level::Stop {
//!             return Err(report.verdict.reason.clone().into());
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The path of a commit: `submission` collects tensors, `exchange` hands them over, `worker` scans and analyses them
//! within the `budget`, `tracks` remembers, `rules` judge, `report` tells. `docs/monitor.md` is written for trainers.

mod budget;
mod error;
mod exchange;
mod handle;
mod history;
mod kept;
mod multipliers;
mod options;
mod priority;
mod report;
mod rules;
mod scan;
mod submission;
mod tracks;
mod verdict;
mod worker;
mod workers;

pub use error::MonitorError;
pub use handle::Monitor;
pub use history::{CommitPoint, History, LayerPoint, LayerSeries, METRICS, MetricValues};
pub use multipliers::{Assignment, MultiplierOptions};
pub use options::{Callback, Delivery, MonitorOptions, WhenBusy};
pub use report::{Cost, Counters, EpochReport, LayerReport, Stamp};
pub use rules::{
    AlphaRising, DeadLayer, Hold, NormExplosion, OverTrained, RankCollapse, Rules, SnapshotRule, Traps,
    UnderTrained,
};
pub use submission::{Committed, Hints, TensorRole};
pub use verdict::{Finding, Flags, Level, Verdict};
