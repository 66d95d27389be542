//! Versions.

use std::ffi::{CStr, c_char};

/// `EGS_ABI_MAJOR` and `EGS_ABI_MINOR` of the header this was written against.
pub(crate) const ABI: (u32, u32) = (0, 1);

const WORDS: &str =
    concat!("eigenscope/", env!("CARGO_PKG_VERSION"), " abi=0.1 plugin-abi=1.0 dlpack=1 linalg=native\0");

const fn number(text: &str) -> u32 {
    let (bytes, mut value, mut at) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        value = value * 10 + (bytes[at] - b'0') as u32;
        at += 1;
    }
    value
}

/// The version of this crate as the header's `EGS_VERSION_*`.
pub(crate) const VERSION: [u32; 3] = [
    number(env!("CARGO_PKG_VERSION_MAJOR")),
    number(env!("CARGO_PKG_VERSION_MINOR")),
    number(env!("CARGO_PKG_VERSION_PATCH")),
];

#[unsafe(no_mangle)]
pub extern "C" fn egs_version() -> u32 {
    VERSION[0] << 16 | VERSION[1] << 8 | VERSION[2]
}

#[unsafe(no_mangle)]
pub extern "C" fn egs_version_string() -> *const c_char {
    CStr::from_bytes_with_nul(WORDS.as_bytes()).unwrap_or(c"").as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn egs_abi_version() -> u32 {
    ABI.0 << 16 | ABI.1
}
