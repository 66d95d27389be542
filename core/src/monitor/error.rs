//! Why a call of the monitor did nothing. What concerns one layer is in its row, never here.

use crate::analysis::OptionsError;

/// A refused call; the monitor itself goes on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// Analysis options that contradict each other.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// An option of the monitor or of a rule that makes no sense.
    #[error("{what}: expected {expected}, found {found}")]
    Invalid {
        /// The option.
        what: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The operating system gave no thread.
    #[error("cannot start the monitor's thread: {0}")]
    Thread(String),
    /// The process forked after the monitor was opened: its thread is in the parent. Open a new one in the child.
    #[error("the monitor belongs to process {opened_in}; after fork, open a new one in the child")]
    Forked {
        /// The process that opened it.
        opened_in: u32,
    },
    /// The monitor was closed.
    #[error("the monitor is closed")]
    Closed,
    /// A commit may hold only so many tensors, or metrics, and a name only so many bytes.
    #[error("{what}: more than {limit} in one commit")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The cap.
        limit: usize,
    },
    /// No column of that name, or one without numbers.
    #[error("no numeric column '{0}'")]
    NoColumn(String),
}
