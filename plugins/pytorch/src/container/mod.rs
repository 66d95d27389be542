//! The four containers PyTorch has used: each gives pickles and, by key, the storages they refer to.

mod legacy;
mod tar;
mod zip;

use std::collections::HashMap;

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError};
use miniz_oxide::inflate::decompress_to_vec_with_limit;

use crate::pickle::{Fault, Graph};

pub use legacy::announced;
pub use tar::{is_our_tar, is_tar};

/// The largest compressed storage or pickle that is unpacked. PyTorch itself never compresses; archives packed again by other
/// tools do.
const MAX_INFLATED: u64 = 2 << 30;

/// The contents of an open file.
#[derive(Debug)]
pub struct Contents {
    /// `zip`, `legacy` or `tar`.
    pub container: &'static str,
    /// The model, and for TorchScript the constants of its code.
    pub parts: Vec<Part>,
    /// TorchScript sources, which say what is a parameter and what a buffer; empty for other files.
    pub code: Vec<(String, Data)>,
}

/// One pickle and its storages.
#[derive(Debug)]
pub struct Part {
    /// The pickle.
    pub graph: Graph,
    /// Bytes of each storage, by key.
    pub storages: HashMap<String, Data>,
    /// Whether these are constants of TorchScript code.
    pub constants: bool,
}

/// Bytes of the file, perhaps compressed.
#[derive(Clone, Debug)]
pub enum Data {
    /// As they are.
    Stored(Bytes),
    /// Deflated; unpacked when read.
    Deflated {
        /// The compressed bytes.
        packed: Bytes,
        /// What they unpack to, as declared.
        size: u64,
    },
}

impl Data {
    /// Bytes when unpacked.
    pub fn size(&self) -> u64 {
        match self {
            Data::Stored(bytes) => bytes.len() as u64,
            Data::Deflated { size, .. } => *size,
        }
    }

    /// What unpacking them allocates.
    pub fn cost(&self) -> u64 {
        match self {
            Data::Stored(_) => 0,
            Data::Deflated { size, .. } => *size,
        }
    }

    /// The bytes: shared where they are stored, unpacked where not.
    pub fn unpack(&self) -> Result<Bytes, Refusal> {
        let (packed, size) = match self {
            Data::Stored(bytes) => return Ok(bytes.clone()),
            Data::Deflated { packed, size } => (packed, *size),
        };
        if size > MAX_INFLATED {
            let what = "a compressed entry, unpacked, in bytes".to_owned();
            return Err(Refusal::TooLarge { what, size, limit: MAX_INFLATED });
        }
        match decompress_to_vec_with_limit(packed, size as usize) {
            Ok(bytes) if bytes.len() as u64 == size => Ok(bytes.into()),
            Ok(bytes) => Err(Refusal::Truncated {
                what: "a compressed entry".to_owned(),
                needed: size,
                found: bytes.len() as u64,
            }),
            Err(e) => Err(Refusal::Malformed(format!("a compressed entry declared as {size} bytes: {e}"))),
        }
    }
}

/// Opens whatever container the first bytes announce.
pub fn open(file: &str, bytes: &Bytes) -> Result<Contents, SourceError> {
    if bytes.is_empty() {
        Err(SourceError::new(file, Refusal::Empty))
    } else if bytes.starts_with(b"PK") {
        zip::open(file, bytes)
    } else if is_tar(bytes) {
        tar::open(file, bytes)
    } else {
        legacy::open(file, bytes)
    }
}

/// A fault in a pickle of `file`; `place` says where that pickle lies, when it is not the file itself.
fn fault(file: &str, fault: Fault, place: Option<(&str, Option<usize>)>) -> SourceError {
    let Fault { at, refusal } = fault;
    let named = |what: String| match place {
        Some((name, _)) => format!("{what} (byte {at} of {name})"),
        None => what,
    };
    let refusal = match refusal {
        Refusal::Malformed(what) => Refusal::Malformed(named(what)),
        Refusal::Unsupported(what) => Refusal::Unsupported(named(what)),
        Refusal::Forbidden(what) => Refusal::Forbidden(named(what)),
        Refusal::Truncated { what, needed, found } => Refusal::Truncated { what: named(what), needed, found },
        other => other,
    };
    let error = SourceError::new(file, refusal);
    match place {
        None => error.at(at as u64),
        Some((_, Some(start))) => error.at((start + at) as u64),
        Some((_, None)) => error,
    }
}
