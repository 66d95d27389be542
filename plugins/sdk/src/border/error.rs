//! `SourceError` and its mirror.

use std::io;

use eigenscope::source::{Refusal, SourceError};

use crate::abi::ErrorV1;
use crate::abi::abi_stable::std_types::{ROption, RString};
use crate::abi::codes::*;

/// The position is the code.
const IO_KIND_VALUES: [io::ErrorKind; IO_KINDS.len()] = [
    io::ErrorKind::Other,
    io::ErrorKind::NotFound,
    io::ErrorKind::PermissionDenied,
    io::ErrorKind::UnexpectedEof,
    io::ErrorKind::InvalidData,
    io::ErrorKind::Interrupted,
    io::ErrorKind::OutOfMemory,
];

/// The error as it crosses.
pub fn error_into(error: SourceError) -> ErrorV1 {
    let SourceError { file, tensor, offset, refusal } = error;
    let mut out = ErrorV1 {
        code: REFUSAL_LOADER,
        file: file.into(),
        tensor: tensor.map(RString::from).into(),
        offset: offset.into(),
        what: RString::new(),
        instead: RString::new(),
        size: 0,
        limit: 0,
        os_error: ROption::RNone,
        io_kind: 0,
    };
    let (code, what) = match *refusal {
        Refusal::Io(e) => {
            out.os_error = e.raw_os_error().into();
            let kind = IO_KIND_VALUES.iter().position(|k| *k == e.kind());
            out.io_kind = kind.and_then(|k| u8::try_from(k).ok()).unwrap_or(0);
            (REFUSAL_IO, e.to_string())
        }
        Refusal::Empty => (REFUSAL_EMPTY, String::new()),
        Refusal::WrongFormat { expected, found } => {
            out.instead = found.into();
            (REFUSAL_WRONG_FORMAT, expected)
        }
        Refusal::Unrecognized(what) => (REFUSAL_UNRECOGNIZED, what),
        Refusal::Truncated { what, needed, found } => {
            (out.size, out.limit) = (needed, found);
            (REFUSAL_TRUNCATED, what)
        }
        Refusal::TooLarge { what, size, limit } => {
            (out.size, out.limit) = (size, limit);
            (REFUSAL_TOO_LARGE, what)
        }
        Refusal::Malformed(what) => (REFUSAL_MALFORMED, what),
        Refusal::Unsupported(what) => (REFUSAL_UNSUPPORTED, what),
        Refusal::Forbidden(what) => (REFUSAL_FORBIDDEN, what),
        Refusal::Missing(what) => (REFUSAL_MISSING, what),
        Refusal::Cancelled => (REFUSAL_CANCELLED, String::new()),
        Refusal::Loader(what) => (REFUSAL_LOADER, what),
        // A refusal this interface has no code for keeps its words.
        other => (UNKNOWN, other.to_string()),
    };
    out.code = code;
    out.what = what.into();
    out
}

/// The error as this side knows it.
pub fn error_from(error: ErrorV1) -> SourceError {
    let what = error.what.into_string();
    let refusal = match error.code {
        REFUSAL_IO => Refusal::Io(match error.os_error {
            ROption::RSome(number) => io::Error::from_raw_os_error(number),
            ROption::RNone => {
                let kind = IO_KIND_VALUES.get(usize::from(error.io_kind)).copied();
                io::Error::new(kind.unwrap_or(io::ErrorKind::Other), what)
            }
        }),
        REFUSAL_EMPTY => Refusal::Empty,
        REFUSAL_WRONG_FORMAT => Refusal::WrongFormat { expected: what, found: error.instead.into_string() },
        REFUSAL_UNRECOGNIZED => Refusal::Unrecognized(what),
        REFUSAL_TRUNCATED => Refusal::Truncated { what, needed: error.size, found: error.limit },
        REFUSAL_TOO_LARGE => Refusal::TooLarge { what, size: error.size, limit: error.limit },
        REFUSAL_MALFORMED => Refusal::Malformed(what),
        REFUSAL_UNSUPPORTED => Refusal::Unsupported(what),
        REFUSAL_FORBIDDEN => Refusal::Forbidden(what),
        REFUSAL_MISSING => Refusal::Missing(what),
        REFUSAL_CANCELLED => Refusal::Cancelled,
        _ => Refusal::Loader(what),
    };
    SourceError {
        file: error.file.into_string(),
        tensor: error.tensor.into_option().map(RString::into_string),
        offset: error.offset.into_option(),
        refusal: Box::new(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_crosses_with_its_code_and_words() {
        let text = || "what".to_owned();
        let refusals = [
            Refusal::Io(io::Error::from_raw_os_error(2)),
            Refusal::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "cut")),
            Refusal::Empty,
            Refusal::WrongFormat { expected: text(), found: "HTML".to_owned() },
            Refusal::Unrecognized(text()),
            Refusal::Truncated { what: text(), needed: 8, found: 3 },
            Refusal::TooLarge { what: text(), size: u64::MAX, limit: 9 },
            Refusal::Malformed(text()),
            Refusal::Unsupported(text()),
            Refusal::Forbidden(text()),
            Refusal::Missing(text()),
            Refusal::Cancelled,
            Refusal::Loader(text()),
        ];
        for refusal in refusals {
            let (code, text) = (refusal.code(), refusal.to_string());
            let error = SourceError::new("a/b.npy", refusal).at(17).tensor("w");
            let whole = error.to_string();
            let back = error_from(error_into(error));
            assert_eq!(back.refusal.code(), code);
            assert_eq!(back.refusal.to_string(), text);
            assert_eq!(back.to_string(), whole);
        }
        let os = error_from(error_into(SourceError::new("f", Refusal::Io(io::Error::from_raw_os_error(13)))));
        let Refusal::Io(e) = *os.refusal else { panic!("{os}") };
        assert_eq!((e.raw_os_error(), e.kind()), (Some(13), io::ErrorKind::PermissionDenied));
    }

    #[test]
    fn a_refusal_of_a_later_interface_keeps_its_words() {
        let mut error = error_into(SourceError::new("f", Refusal::Malformed("odd".to_owned())));
        error.code = 200;
        assert_eq!(error_from(error).to_string(), "f: the loader failed: odd");
    }
}
