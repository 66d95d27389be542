//! Does a metric of the weights say how good a model is? Over all models of a store, within each architecture, within each
//! series; and two or more checkpoints, layer by layer.

mod correlation;
mod groups;
mod layers;
mod line;
mod words;

pub use correlation::{Correlation, LEVEL, kendall, pearson, spearman};
pub use groups::{Comparison, Finding, Group, GroupKind, Sample, Skipped, compare, expected_lower};
pub use layers::{BINS, DepthRow, LayerView, MatchedRow, layer_view};
pub use line::{Line, fit};
pub use words::pretty_chance;
