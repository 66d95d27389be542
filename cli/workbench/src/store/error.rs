//! What can go wrong with a store as a whole, or with one write.

use std::io;
use std::path::PathBuf;

/// Why a store, or a table for it, was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried: "read", "write".
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No store is there.
    #[error("{} is no store: it has no {}", path.display(), super::MARKER)]
    NoStore {
        /// The folder.
        path: PathBuf,
    },
    /// A folder with something else in it.
    #[error("{} is no store and not empty; a new store wants a folder of its own", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// Written by a later version.
    #[error("{}: expected a store of version {}, found {found}", path.display(), super::VERSION)]
    Version {
        /// The marker.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// A name that cannot be a folder's.
    #[error("{what} {name:?}: expected {expected}")]
    Name {
        /// "architecture" or "variant".
        what: &'static str,
        /// The name.
        name: String,
        /// What a name must be.
        expected: &'static str,
    },
    /// A table, report or result whose content is not what it should be.
    #[error("{place}: {reason}")]
    Content {
        /// The file, and the line where there is one.
        place: String,
        /// Expected and found.
        reason: String,
    },
    /// No entry of that name.
    #[error("the store has no entry {0}")]
    NoEntry(String),
}

impl StoreError {
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.into();
        move |source| StoreError::Io { what, path, source }
    }

    pub(super) fn content(place: impl ToString, reason: impl ToString) -> StoreError {
        StoreError::Content { place: place.to_string(), reason: reason.to_string() }
    }
}
