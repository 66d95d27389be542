//! Every call into `hdf5-reader`: bounded in the bytes it reads, caught if it panics, its errors in the engine's words.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError};
use hdf5_reader::error::Error;
use hdf5_reader::{Storage, StorageBuffer};

/// What one call may read: this many times the file, so that structures that refer to one another's bytes cannot multiply
/// work and memory without end. Sound files are read once or twice.
const READ_FACTOR: u64 = 16;
/// And at least this, for small files whose groups are looked at several times.
const READ_FLOOR: u64 = 64 << 20;

thread_local! {
    /// Bytes the current call may still read. `hdf5-reader` is built without its thread pool, so a call stays on its thread.
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// The file's bytes as `hdf5-reader` sees them.
pub struct Metered {
    bytes: Arc<Bytes>,
}

impl Metered {
    pub fn new(bytes: Bytes) -> Self {
        Metered { bytes: Arc::new(bytes) }
    }
}

impl Storage for Metered {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_range(&self, offset: u64, len: usize) -> hdf5_reader::error::Result<StorageBuffer> {
        // An object costs work even where it holds next to nothing.
        let cost = (len as u64).max(64);
        let left = LEFT.get().checked_sub(cost).ok_or_else(|| {
            Error::ResourceLimit("its structures lead to the same bytes over and over".to_owned())
        })?;
        LEFT.set(left);
        let start = usize::try_from(offset).map_err(|_| Error::OffsetOutOfBounds(offset))?;
        StorageBuffer::from_shared_owner(self.bytes.clone(), start, len).map_err(|_| Error::UnexpectedEof {
            offset,
            needed: len as u64,
            available: self.len().saturating_sub(offset),
        })
    }
}

/// Runs `call` on a file of `size` bytes named `file`.
pub fn guarded<T>(
    file: &str,
    size: usize,
    call: impl FnOnce() -> hdf5_reader::error::Result<T>,
) -> Result<T, SourceError> {
    LEFT.set((size as u64).saturating_mul(READ_FACTOR).max(READ_FLOOR));
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(refuse(file, error)),
        Err(_) => {
            let what = "the HDF5 decoder panicked on this file, which is damaged or hostile".to_owned();
            Err(SourceError::new(file, Refusal::Loader(what)))
        }
    }
}

fn refuse(file: &str, error: Error) -> SourceError {
    let text = error.to_string();
    let mut cause = error;
    while let Error::Context { source, .. } = cause {
        cause = *source;
    }
    match cause {
        Error::Io(e) => SourceError::new(file, Refusal::Io(e)),
        Error::UnexpectedEof { offset, needed, available } => {
            let what = "an HDF5 structure".to_owned();
            SourceError::new(file, Refusal::Truncated { what, needed, found: available }).at(offset)
        }
        Error::OffsetOutOfBounds(offset) => {
            SourceError::new(file, Refusal::Malformed("an address outside the file".to_owned())).at(offset)
        }
        Error::UnsupportedFilter(_)
        | Error::UnsupportedEncoding(_)
        | Error::UnsupportedSuperblockVersion(_)
        | Error::UnsupportedLayoutVersion(_)
        | Error::UnsupportedLayoutClass(_)
        | Error::UnsupportedDatatypeClass(_)
        | Error::UnsupportedChunkIndexType(_) => SourceError::new(file, Refusal::Unsupported(text)),
        _ => SourceError::new(file, Refusal::Malformed(text)),
    }
}
