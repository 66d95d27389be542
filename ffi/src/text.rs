//! Text across the border.

#[cfg(unix)]
use std::ffi::OsStr;
use std::ffi::{CStr, CString, c_char};
use std::path::Path;

use crate::error::Error;

/// Text for C: what cannot be in a C string is replaced.
pub(crate) fn cstring(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default())
}

/// Text from C.
///
/// # Safety
/// NULL, or NUL-terminated and unchanged for as long as the result is used.
pub(crate) unsafe fn given<'a>(text: *const c_char, what: &str) -> Result<&'a str, Error> {
    // SAFETY: as the caller promises.
    let text = unsafe { optional(text, what) }?;
    text.ok_or_else(|| Error::null(what))
}

/// Text from C that may be NULL.
///
/// # Safety
/// As for [`given`].
pub(crate) unsafe fn optional<'a>(text: *const c_char, what: &str) -> Result<Option<&'a str>, Error> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: NUL-terminated, by the contract.
    let text = unsafe { CStr::from_ptr(text) };
    match text.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(e) => Err(Error::argument(format!("{what} is not UTF-8 (byte {})", e.valid_up_to()))),
    }
}

/// A path from C: any bytes.
///
/// # Safety
/// As for [`given`].
pub(crate) unsafe fn path<'a>(text: *const c_char, what: &str) -> Result<&'a Path, Error> {
    if text.is_null() {
        return Err(Error::null(what));
    }
    // SAFETY: NUL-terminated, by the contract.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    if bytes.is_empty() {
        return Err(Error::argument(format!("{what} is empty")));
    }
    #[cfg(unix)]
    let text: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(bytes);
    #[cfg(not(unix))]
    let text = std::str::from_utf8(bytes).map_err(|_| Error::argument(format!("{what} is not UTF-8")))?;
    Ok(Path::new(text))
}
