//! Memory-mapped input.

use std::fs::File;
use std::path::Path;

use bytes::Bytes;
use eigenscope::source::{Input, Refusal, SourceError};

/// The contents of an input that is one file: mapped where it is a path, shared where it is bytes. Nothing is read until it is
/// touched, and slices share the mapping.
///
/// # Errors
/// [`Refusal::Io`] when the file cannot be opened or mapped, [`Refusal::WrongFormat`] for a folder,
/// [`Refusal::Empty`] for a file of 0 bytes.
///
/// # Platform-specific behaviour
/// A file that another process truncates while it is mapped ends this process with SIGBUS on Unix, as with every memory map;
/// copy a checkpoint that is still being written.
pub fn contents(input: &Input) -> Result<Bytes, SourceError> {
    let bytes = match input {
        Input::Bytes { data, .. } => data.clone(),
        Input::Path(path) => map(path)?,
        _ => {
            return Err(SourceError::new(
                input.name(),
                Refusal::Unsupported("this kind of input".to_owned()),
            ));
        }
    };
    if bytes.is_empty() {
        return Err(SourceError::new(input.name(), Refusal::Empty));
    }
    Ok(bytes)
}

/// Maps a regular file.
///
/// # Errors
/// As [`contents`]; an empty file gives empty bytes.
pub fn map(path: &Path) -> Result<Bytes, SourceError> {
    let name = || path.display().to_string();
    let io = |e| SourceError::new(name(), Refusal::Io(e));
    let file = File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        let refusal = Refusal::WrongFormat {
            expected: "a regular file".to_owned(),
            found: "a folder or device".to_owned(),
        };
        return Err(SourceError::new(name(), refusal));
    }
    if meta.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the map is read-only and private to this process; the one hazard, truncation by another
    // process, is stated in the documentation of `contents`.
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(io)?;
    Ok(Bytes::from_owner(map))
}
