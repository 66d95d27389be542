//! `Glimpse`, `Input` and their mirrors.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use eigenscope::source::{Glimpse, Input, Refusal, SourceError};

use crate::abi::abi_stable::std_types::{ROption, RString, RVec};
use crate::abi::codes::{INPUT_BYTES, INPUT_PATH};
use crate::abi::{BytesV1, GlimpseV1, InputV1};

/// The glimpse as it crosses.
pub fn glimpse_into(glimpse: &Glimpse) -> GlimpseV1 {
    let names = |entries: &Vec<String>| entries.iter().map(|e| RString::from(e.as_str())).collect();
    GlimpseV1 {
        name: glimpse.name.as_str().into(),
        head: glimpse.head.to_vec().into(),
        size: glimpse.size,
        entries: glimpse.entries.as_ref().map(names).into(),
    }
}

/// The glimpse as this side knows it.
pub fn glimpse_from(glimpse: GlimpseV1) -> Glimpse {
    let names = |entries: RVec<RString>| entries.into_iter().map(RString::into_string).collect();
    Glimpse {
        name: glimpse.name.into_string(),
        head: Bytes::from(glimpse.head.into_vec()),
        size: glimpse.size,
        entries: glimpse.entries.into_option().map(names),
    }
}

/// The input as it crosses; contents are shared.
///
/// # Errors
/// [`Refusal::Unsupported`] for a path that cannot be spelt, and for kinds of input of later engines.
pub fn input_into(input: &Input) -> Result<InputV1, SourceError> {
    let refuse = |what: &str| Err(SourceError::new(input.name(), Refusal::Unsupported(what.to_owned())));
    match input {
        Input::Path(path) => match path_bytes(path) {
            Some(path) => Ok(InputV1 { kind: INPUT_PATH, path, name: RString::new(), data: ROption::RNone }),
            None => refuse("a path that is not Unicode, for a plugin"),
        },
        Input::Bytes { name, data } => Ok(InputV1 {
            kind: INPUT_BYTES,
            path: RVec::new(),
            name: name.as_str().into(),
            data: ROption::RSome(BytesV1::new(data.clone())),
        }),
        _ => refuse("this kind of input, for a plugin"),
    }
}

/// The input as this side knows it; contents are shared.
///
/// # Errors
/// [`Refusal::Unsupported`] for kinds of input of later hosts.
pub fn input_from(input: InputV1) -> Result<Input, SourceError> {
    let name = input.name.into_string();
    match (input.kind, input.data) {
        (INPUT_PATH, _) => path_from(input.path.into_vec()).map(Input::Path).ok_or_else(|| {
            SourceError::new(name, Refusal::Unsupported("a path that is not Unicode".to_owned()))
        }),
        (INPUT_BYTES, ROption::RSome(data)) => Ok(Input::Bytes { name, data: shared(data) }),
        (kind, _) => Err(SourceError::new(name, Refusal::Unsupported(format!("input of kind {kind}")))),
    }
}

pub(super) fn shared(data: BytesV1) -> Bytes {
    Bytes::from_owner(data)
}

#[cfg(unix)]
fn path_bytes(path: &Path) -> Option<RVec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    Some(path.as_os_str().as_bytes().into())
}

#[cfg(not(unix))]
fn path_bytes(path: &Path) -> Option<RVec<u8>> {
    path.to_str().map(|text| text.as_bytes().into())
}

#[cfg(unix)]
fn path_from(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn path_from(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_cross_without_a_copy_and_live_as_long_as_their_last_user() {
        let data = Bytes::from(vec![7u8; 4096]);
        let start = data.as_ptr();
        let there = input_from(input_into(&Input::bytes("x.npy", data)).unwrap()).unwrap();
        let Input::Bytes { name, data } = there else { panic!() };
        assert_eq!(name, "x.npy");
        assert_eq!(data.as_ptr(), start);
        let part = data.slice(4000..);
        drop(data);
        assert_eq!(part, vec![7u8; 96]);
    }

    #[test]
    #[cfg(unix)]
    fn a_path_that_is_not_unicode_crosses() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/tmp/\xff.npy"));
        let Input::Path(back) = input_from(input_into(&Input::path(path)).unwrap()).unwrap() else {
            panic!()
        };
        assert_eq!(back, path);
    }

    #[test]
    fn a_glimpse_crosses_whole() {
        let file = Glimpse { name: "a".to_owned(), head: Bytes::from_static(b"PK"), size: 9, entries: None };
        let back = glimpse_from(glimpse_into(&file));
        assert_eq!((back.name.as_str(), &back.head[..], back.size), ("a", &b"PK"[..], 9));
        assert!(back.entries.is_none());
        let folder = Glimpse { entries: Some(vec!["m.npy".to_owned()]), ..file };
        assert_eq!(glimpse_from(glimpse_into(&folder)).entries.unwrap(), ["m.npy"]);
    }

    #[test]
    fn an_input_of_a_later_kind_is_refused_by_name() {
        let mut input = input_into(&Input::bytes("x.npy", Bytes::new())).unwrap();
        input.kind = 9;
        assert_eq!(input_from(input).unwrap_err().to_string(), "x.npy: not supported: input of kind 9");
    }
}
