//! What a loader is given: a file, a folder, or bytes.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Refusal, SourceError};

/// Bytes of a file's start that [`Glimpse`] holds.
pub const HEAD_BYTES: usize = 4096;
/// Names a folder may have before only the first of them (sorted) are shown to loaders.
const MAX_ENTRIES: usize = 65_536;

/// A model to open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// A file, or a folder of files that make one model.
    Path(PathBuf),
    /// The contents of one file, with the name it would have.
    Bytes {
        /// For errors, and for its extension.
        name: String,
        /// The contents.
        data: Bytes,
    },
}

impl Input {
    /// A file or folder.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Input::Path(path.into())
    }

    /// The contents of a file.
    pub fn bytes(name: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Input::Bytes { name: name.into(), data: data.into() }
    }

    /// As the caller named it; for messages.
    pub fn name(&self) -> String {
        match self {
            Input::Path(path) => path.display().to_string(),
            Input::Bytes { name, .. } => name.clone(),
        }
    }

    /// Looks at name, first bytes and, for folders, entries.
    pub fn glimpse(&self) -> Result<Glimpse, SourceError> {
        let io = |e| SourceError::new(self.name(), Refusal::Io(e));
        match self {
            Input::Bytes { name, data } => Ok(Glimpse {
                name: name.clone(),
                head: data.slice(..data.len().min(HEAD_BYTES)),
                size: data.len() as u64,
                entries: None,
            }),
            Input::Path(path) => {
                let meta = fs::metadata(path).map_err(io)?;
                if meta.is_dir() {
                    let entries = list(path).map_err(io)?;
                    return Ok(Glimpse {
                        name: file_name(path),
                        head: Bytes::new(),
                        size: 0,
                        entries: Some(entries),
                    });
                }
                if !meta.is_file() {
                    let what = "a regular file or a folder".to_owned();
                    let found = "a device, pipe or socket".to_owned();
                    return Err(SourceError::new(
                        self.name(),
                        Refusal::WrongFormat { expected: what, found },
                    ));
                }
                let mut head = Vec::with_capacity(HEAD_BYTES);
                fs::File::open(path)
                    .map_err(io)?
                    .take(HEAD_BYTES as u64)
                    .read_to_end(&mut head)
                    .map_err(io)?;
                Ok(Glimpse { name: file_name(path), head: head.into(), size: meta.len(), entries: None })
            }
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}

fn list(path: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)?.take(MAX_ENTRIES) {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// What a loader may judge an input by before it is opened.
#[derive(Clone, Debug)]
pub struct Glimpse {
    /// File or folder name without its path.
    pub name: String,
    /// The first [`HEAD_BYTES`] bytes of a file, fewer if it is shorter.
    pub head: Bytes,
    /// Size of a file in bytes.
    pub size: u64,
    /// Names in a folder, sorted; `None` for a file.
    pub entries: Option<Vec<String>>,
}

impl Glimpse {
    /// The lower-case extension, without its dot.
    pub fn extension(&self) -> String {
        Path::new(&self.name).extension().map_or_else(String::new, |e| e.to_string_lossy().to_lowercase())
    }

    /// What the first bytes look like, for error messages.
    pub fn looks_like(&self) -> &'static str {
        const SIGNS: [(&[u8], &str); 9] = [
            (b"PK\x03\x04", "a zip archive"),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"GGUF", "a GGUF file"),
            (b"\x93NUMPY", "a NumPy array"),
            (b"\x1f\x8b", "a gzip file"),
            (b"\x7fELF", "a program or shared library"),
            (b"version https://git-lfs", "a Git LFS pointer, not the file itself (run `git lfs pull`)"),
            (b"{", "JSON text"),
            (b"\x80", "a Python pickle"),
        ];
        let head = self.head.trim_ascii_start();
        let start = String::from_utf8_lossy(&head[..head.len().min(32)]).to_ascii_lowercase();
        if self.entries.is_some() {
            "a folder"
        } else if self.size == 0 {
            "an empty file"
        } else if start.starts_with("<!doctype html") || start.starts_with("<html") {
            "an HTML page (a download that failed?)"
        } else {
            SIGNS
                .iter()
                .find(|(sign, _)| self.head.starts_with(sign))
                .map_or("unknown bytes", |(_, what)| what)
        }
    }
}
