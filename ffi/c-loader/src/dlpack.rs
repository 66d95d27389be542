//! DLPack: the structs of `dlpack.h` 1.x, and tensors taken over from them.

use std::any::Any;
use std::ffi::c_void;
use std::sync::Arc;

use eigenscope_core::tensor::{Dtype, Tensor};

use crate::table::MAX_NDIM;
use crate::view::{RawView, ViewError};

/// The major version whose managed tensors are read.
pub const DLPACK_MAJOR: u32 = 1;
/// `DLPACK_FLAG_BITMASK_READ_ONLY`.
pub const READ_ONLY: u64 = 1;
/// `DLPACK_FLAG_BITMASK_IS_SUBBYTE_TYPE_PADDED` and whatever comes after it change how elements are read.
const CHANGES_READING: u64 = !3;
/// `kDLCPU` and the pinned kinds, which the CPU reads like any other memory.
const CPU_READABLE: [i32; 3] = [1, 3, 11];

/// `DLPackVersion`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct DLPackVersion {
    pub major: u32,
    pub minor: u32,
}

/// `DLDevice`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct DLDevice {
    pub device_type: i32,
    pub device_id: i32,
}

/// `DLDataType`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DLDataType {
    pub code: u8,
    pub bits: u8,
    pub lanes: u16,
}

/// `DLTensor`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct DLTensor {
    pub data: *mut c_void,
    pub device: DLDevice,
    pub ndim: i32,
    pub dtype: DLDataType,
    pub shape: *mut i64,
    pub strides: *mut i64,
    pub byte_offset: u64,
}

/// `DLManagedTensorVersioned`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct DLManagedTensorVersioned {
    pub version: DLPackVersion,
    pub manager_ctx: *mut c_void,
    pub deleter: Option<unsafe extern "C" fn(*mut DLManagedTensorVersioned)>,
    pub flags: u64,
    pub dl_tensor: DLTensor,
}

/// The element type of a DLPack type.
///
/// # Errors
/// Types the engine has no numbers for.
pub fn dtype_of(dtype: DLDataType) -> Result<Dtype, ViewError> {
    let found = match (dtype.code, dtype.bits, dtype.lanes) {
        (2, 64, 1) => Dtype::F64,
        (2, 32, 1) => Dtype::F32,
        (2, 16, 1) => Dtype::F16,
        (4, 16, 1) => Dtype::BF16,
        (10, 8, 1) => Dtype::F8E4M3,
        (12, 8, 1) => Dtype::F8E5M2,
        (0, 64, 1) => Dtype::I64,
        (0, 32, 1) => Dtype::I32,
        (0, 16, 1) => Dtype::I16,
        (0, 8, 1) => Dtype::I8,
        (1, 64, 1) => Dtype::U64,
        (1, 32, 1) => Dtype::U32,
        (1, 16, 1) => Dtype::U16,
        (1, 8, 1) => Dtype::U8,
        (6, 8, 1) => Dtype::Bool,
        (code, bits, lanes) => {
            return Err(ViewError::Unsupported(format!(
                "DLPack type: expected a float of 64, 32, 16 or 8 bits (e4m3fn, e5m2), bfloat16, an integer or bool in one \
                 lane, found code {code}, {bits} bits, {lanes} lanes"
            )));
        }
    };
    Ok(found)
}

/// The memory a DLPack tensor describes.
///
/// # Safety
/// `tensor` is a live `DLTensor` whose shape and strides are readable.
///
/// # Errors
/// A device or type the engine cannot read, or a description that contradicts itself.
pub unsafe fn view_of(tensor: &DLTensor) -> Result<RawView, ViewError> {
    if !CPU_READABLE.contains(&tensor.device.device_type) {
        return Err(ViewError::Unsupported(format!(
            "device: expected CPU (1) or pinned CPU memory (3, 11), found DLPack device type {}; copy the tensor to the CPU first",
            tensor.device.device_type
        )));
    }
    let dtype = dtype_of(tensor.dtype)?;
    let rank = match usize::try_from(tensor.ndim) {
        Ok(rank) if rank <= MAX_NDIM => rank,
        _ => {
            return Err(ViewError::Invalid(format!("ndim: expected 0 to {MAX_NDIM}, found {}", tensor.ndim)));
        }
    };
    if rank > 0 && tensor.shape.is_null() {
        return Err(ViewError::Invalid(format!("shape is NULL, but ndim is {rank}")));
    }
    let list = |start: *mut i64| {
        if rank == 0 {
            &[][..]
        } else {
            // SAFETY: not NULL here, and the caller vouches for the lists.
            unsafe { std::slice::from_raw_parts(start.cast_const(), rank) }
        }
    };
    let strides = (!tensor.strides.is_null()).then(|| list(tensor.strides));
    let data = tensor.data.cast_const().cast::<u8>();
    let offset =
        usize::try_from(tensor.byte_offset).ok().filter(|o| (data as usize).checked_add(*o).is_some());
    let Some(offset) = offset else {
        return Err(ViewError::Invalid(format!(
            "byte_offset {} leads out of the address space",
            tensor.byte_offset
        )));
    };
    let first = if data.is_null() { data } else { data.wrapping_add(offset) };
    RawView::new(dtype, list(tensor.shape), strides, first)
}

/// A tensor that came with its deleter; dropping it runs that, once.
struct Managed(*mut DLManagedTensorVersioned);

// SAFETY: DLPack lets the deleter run on any thread, and the tensor is only read.
unsafe impl Send for Managed {}
// SAFETY: shared references give no access at all.
unsafe impl Sync for Managed {}

impl Drop for Managed {
    fn drop(&mut self) {
        // SAFETY: `take` demands a live managed tensor that nobody else deletes.
        if let Some(deleter) = unsafe { (*self.0).deleter } {
            // SAFETY: as above.
            unsafe { deleter(self.0) };
        }
    }
}

/// Takes a managed tensor over, on error too: its deleter runs when the last clone of the result is dropped, or before this
/// returns. `outlive` is dropped after that.
///
/// # Safety
/// `managed` is not NULL and follows DLPack; nobody else deletes it, and nobody writes to its memory until it is deleted.
///
/// # Errors
/// Another major version, or what [`view_of`] refuses.
pub unsafe fn take(
    managed: *mut DLManagedTensorVersioned,
    outlive: Option<Arc<dyn Any + Send + Sync>>,
) -> Result<Tensor, ViewError> {
    let owner = Managed(managed);
    // SAFETY: the fields up to `flags` are there in every version.
    let (version, flags) = unsafe { ((*managed).version, (*managed).flags) };
    if version.major != DLPACK_MAJOR {
        return Err(ViewError::Unsupported(format!(
            "DLPack: expected major version {DLPACK_MAJOR}, found {}.{}",
            version.major, version.minor
        )));
    }
    if flags & CHANGES_READING != 0 {
        return Err(ViewError::Unsupported(format!(
            "DLPack flags: expected read-only and copied at most, found {flags:#x}"
        )));
    }
    // SAFETY: the major version says what the struct is; the caller vouches for the rest.
    unsafe { view_of(&(*managed).dl_tensor)?.lend(Box::new((owner, outlive))) }
}
