//! Results of many models: a folder of plain files.
//!
//! ```text
//! STORE/eigenscope-store.json                          what the folder is
//! STORE/lock                                           held while something is written
//! STORE/entries/ARCHITECTURE/VARIANT/entry.json        summary and provenance; names the file of details
//! STORE/entries/ARCHITECTURE/VARIANT/details-HASH.csv  a line a layer
//! STORE/entries/ARCHITECTURE/VARIANT/quality.json      metrics of quality, if any
//! ```
//!
//! Every file is written beside its place, flushed to disk and renamed. An entry exists from the moment its `entry.json` does:
//! a writer that is killed leaves the entry that was there, or none, and rubbish that the next writer sweeps away.

mod details;
mod entry;
mod error;
mod layout;
mod name;
mod quality;
mod read;
mod report;
mod source;
mod write;

use std::path::{Path, PathBuf};

pub use details::Details;
pub use entry::{Draft, Entry, FileInfo, Layers, Source};
pub use error::StoreError;
pub use layout::{Imported, export, find_results, read_result};
pub use name::Name;
pub use quality::{Attached, Better, Quality, QualityRow, QualityTable};
pub use read::{Damaged, Listing};
pub use report::from_report;
pub use source::source;

/// The file that says that a folder is a store.
const MARKER: &str = "eigenscope-store.json";
/// The folder of the entries.
const ENTRIES: &str = "entries";
/// An entry's summary and provenance.
const ENTRY: &str = "entry.json";
/// An entry's quality.
const QUALITY: &str = "quality.json";
/// The version of the layout.
const VERSION: u64 = 1;

/// A folder of results.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// A store that is there.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Store { folder: folder.into() };
        store.check()?;
        Ok(store)
    }

    /// A store that is there, or a new one in a folder that is empty or absent.
    pub fn create(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Store { folder: folder.into() };
        store.make()?;
        Ok(store)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of an entry, which need not be there.
    pub fn place(&self, name: &Name) -> PathBuf {
        let (architecture, variant) = name.folders();
        self.folder.join(ENTRIES).join(architecture).join(variant)
    }
}
