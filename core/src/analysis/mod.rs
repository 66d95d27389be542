//! From an open model to a report: options, conventions, the pipeline of one layer, and the engine that runs layers
//! in parallel.

mod clashes;
mod columns;
mod combined;
mod conventions;
mod engine;
mod esd;
mod estimated;
mod filter;
mod guide;
mod inspect;
mod layer;
mod matrices;
mod memory;
mod nested;
mod older;
mod options;
mod plan;
mod pool;
mod product;
mod randomize;
mod report;
mod requested;
mod schedule;
mod summary;
mod tail;
mod turnstile;

pub use columns::{COLUMNS, Column, Value, column};
pub use combined::Made;
pub use conventions::{
    ColumnSet, CombineRule, ConvScale, Conventions, DetxRule, EvalLimits, Failed, InverseRule, Naming,
    OperatorRule, Pairing, Randomization, Sides, SmoothShare, SummaryRule, SvMin, Threshold,
};
pub(crate) use engine::planned_rows;
pub use engine::{AnalysisError, Engine, EngineOptions, Observer, Progress, Quiet};
pub use esd::{Esd, EsdError};
pub use estimated::Estimated;
pub(crate) use estimated::Start;
pub use filter::{Candidate, LayerFilter};
pub use guide::{CHAPTERS, Chapter, Guide, guide};
pub use inspect::{Inspection, Inspector};
pub use nested::{Aggregate, Nested};
pub use older::OldNorms;
pub use options::{Fit, FixFingers, Options, OptionsError, Xmax};
pub use plan::{LayerPlan, Plan};
pub(crate) use pool::STACK;
pub use randomize::{Moments, RandomColumns};
pub use report::{ModelInfo, Provenance, Report, Row, Status};
pub use requested::{DetxColumns, MpColumns};
pub(crate) use schedule::together;
pub use summary::{SUMMARY_COLUMNS, Summary, summary_columns};
pub use tail::TailColumns;
pub(crate) use turnstile::Turnstile;
