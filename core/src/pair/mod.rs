//! Two models: how far they are apart, layer by layer.

mod cka;
mod columns;
mod compare;
mod delta;
mod difference;
mod engine;
mod jobs;
mod matching;
mod measure;
mod options;
mod overlap;
mod products;
mod report;
mod stream;
mod summary;

pub use cka::Cka;
pub use columns::{PAIR_COLUMNS, PairColumn};
pub use delta::delta;
pub use difference::Difference;
pub use matching::Matching;
pub use options::{Method, PairOptions};
pub use report::{Measures, Outcome, PairReport, PairRow};
pub use summary::PairSummary;
