//! What can go wrong between a path and a tensor: one type, so that every format reports alike.

use std::fmt;

/// Why a file, or a tensor in it, was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The operating system refused: no such file, no permission, a read error.
    Io(std::io::Error),
    /// A file of 0 bytes, or a folder or list with nothing in it.
    Empty,
    /// Not the format its name, or the caller, claims.
    WrongFormat {
        /// What the loader reads.
        expected: String,
        /// What the first bytes look like.
        found: String,
    },
    /// No loader knows the input; the names of those asked, and what each would have needed.
    Unrecognized(String),
    /// The data end early.
    Truncated {
        /// What was being read.
        what: String,
        /// Bytes it needs.
        needed: u64,
        /// Bytes left.
        found: u64,
    },
    /// A size above a hard cap, refused before anything is allocated.
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        size: u64,
        /// The cap.
        limit: u64,
    },
    /// The structure contradicts itself or the format.
    Malformed(String),
    /// Well-formed, but of a kind this loader does not read.
    Unsupported(String),
    /// Something that would run code or leave the model's folder.
    Forbidden(String),
    /// Something the file refers to is not there.
    Missing(String),
    /// The caller cancelled.
    Cancelled,
    /// A loader broke its promise: a panic, or data that contradict the tensor list.
    Loader(String),
}

impl Refusal {
    /// A stable word for each case, for callers that branch on it.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Io(_) => "io",
            Refusal::Empty => "empty",
            Refusal::WrongFormat { .. } => "wrong-format",
            Refusal::Unrecognized(_) => "unrecognized",
            Refusal::Truncated { .. } => "truncated",
            Refusal::TooLarge { .. } => "too-large",
            Refusal::Malformed(_) => "malformed",
            Refusal::Unsupported(_) => "unsupported",
            Refusal::Forbidden(_) => "forbidden",
            Refusal::Missing(_) => "missing",
            Refusal::Cancelled => "cancelled",
            Refusal::Loader(_) => "loader",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Io(e) => write!(f, "{e}"),
            Refusal::Empty => f.write_str("empty: nothing to read"),
            Refusal::WrongFormat { expected, found } => write!(f, "expected {expected}, found {found}"),
            Refusal::Unrecognized(tried) => write!(f, "no loader recognises it; {tried}"),
            Refusal::Truncated { what, needed, found } => {
                write!(f, "truncated: {what} needs {needed} bytes, {found} are left")
            }
            Refusal::TooLarge { what, size, limit } => {
                write!(f, "{what} is {size}, above the limit of {limit}")
            }
            Refusal::Malformed(what) => write!(f, "malformed: {what}"),
            Refusal::Unsupported(what) => write!(f, "not supported: {what}"),
            Refusal::Forbidden(what) => write!(f, "refused: {what}"),
            Refusal::Missing(what) => write!(f, "missing: {what}"),
            Refusal::Cancelled => f.write_str("cancelled"),
            Refusal::Loader(what) => write!(f, "the loader failed: {what}"),
        }
    }
}

/// A refusal and the place it concerns: file, tensor, byte offset.
#[derive(Debug)]
pub struct SourceError {
    /// File or folder, as the caller named it.
    pub file: String,
    /// The tensor concerned, if one is.
    pub tensor: Option<String>,
    /// Byte position in the file, if one is known.
    pub offset: Option<u64>,
    /// What is wrong. Boxed to keep results small.
    pub refusal: Box<Refusal>,
}

impl SourceError {
    /// A refusal of a whole file.
    pub fn new(file: impl Into<String>, refusal: Refusal) -> Self {
        SourceError { file: file.into(), tensor: None, offset: None, refusal: Box::new(refusal) }
    }

    /// The same, at a byte of the file.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// The same, for one tensor.
    #[must_use]
    pub fn tensor(mut self, name: impl Into<String>) -> Self {
        self.tensor = Some(name.into());
        self
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(tensor) = &self.tensor {
            write!(f, ", tensor '{tensor}'")?;
        }
        if let Some(offset) = self.offset {
            write!(f, ", byte {offset}")?;
        }
        write!(f, ": {}", self.refusal)
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.refusal {
            Refusal::Io(e) => Some(e),
            _ => None,
        }
    }
}
