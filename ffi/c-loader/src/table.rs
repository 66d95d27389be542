//! Mirrors of `plugin.h`. The header is the specification; a test compares sizes and offsets.

use std::ffi::{c_char, c_void};

use crate::DLManagedTensorVersioned;

/// `EGS_PLUGIN_ABI_MAJOR`.
pub const ABI_MAJOR: u32 = 1;
/// `EGS_PLUGIN_ABI_MINOR`.
pub const ABI_MINOR: u32 = 0;
/// `EGS_MAX_NDIM`.
pub const MAX_NDIM: usize = 8;

/// `egs_host`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Host {
    pub struct_size: usize,
    pub abi_major: u32,
    pub abi_minor: u32,
}

/// `egs_call`: what a loader may ask of its host during one call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Call {
    pub struct_size: usize,
    pub host: *mut c_void,
    pub set_error: Option<unsafe extern "C" fn(*mut Call, i32, *const c_char)>,
    pub log: Option<unsafe extern "C" fn(*mut Call, i32, *const c_char)>,
}

/// `egs_input`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Input {
    pub struct_size: usize,
    pub name: *const c_char,
    pub path: *const c_char,
    pub data: *const c_void,
    pub size: u64,
}

/// `egs_tensor_info`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct TensorInfoC {
    pub struct_size: usize,
    pub name: *const c_char,
    pub note: *const c_char,
    pub shape: *const i64,
    pub ndim: i32,
    pub dtype: i32,
    pub kind: i32,
    pub layout: i32,
    pub role: i32,
    pub reserved: u32,
}

/// `egs_loader`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct LoaderTable {
    pub struct_size: usize,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub flags: u64,
    pub name: *const c_char,
    pub version: *const c_char,
    pub extensions: *const c_char,
    pub context: *mut c_void,
    pub probe: Option<unsafe extern "C" fn(*mut c_void, *const c_char, *const c_void, usize, u64) -> i32>,
    pub open: Option<unsafe extern "C" fn(*mut c_void, *mut Call, *const Input, *mut *mut c_void) -> i32>,
    pub close: Option<unsafe extern "C" fn(*mut c_void)>,
    pub tensor_count: Option<unsafe extern "C" fn(*mut Call, *mut c_void, *mut u64) -> i32>,
    pub tensor_info: Option<unsafe extern "C" fn(*mut Call, *mut c_void, u64, *mut TensorInfoC) -> i32>,
    pub tensor_read:
        Option<unsafe extern "C" fn(*mut Call, *mut c_void, u64, *mut *mut DLManagedTensorVersioned) -> i32>,
}

// SAFETY: `plugin.h` demands that a table is constant once it is handed over.
unsafe impl Send for LoaderTable {}
// SAFETY: as above.
unsafe impl Sync for LoaderTable {}

/// `EGS_LOADER_SERIAL`: one call at a time over all of the loader's models.
pub const SERIAL: u64 = 1;
