//! DLPack, in and out.

use std::ffi::c_void;
use std::sync::Arc;

use eigenscope_c_loader::{
    DLDataType, DLDevice, DLManagedTensorVersioned, DLPACK_MAJOR, DLPackVersion, DLTensor, READ_ONLY, codes,
    dtype_of, view_of,
};

use crate::boundary;
use crate::error::{Error, egs_error};
use crate::tensor::egs_tensor;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_tensor_from_dlpack(
    dl_tensor: *const c_void,
    out: *mut egs_tensor,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::status(error, || {
            let Some(tensor) = dl_tensor.cast::<DLTensor>().as_ref() else {
                return Err(Error::null("dl_tensor"));
            };
            if out.is_null() {
                return Err(Error::null("out"));
            }
            // Everything is judged now, though the call that uses `out` will judge it again.
            view_of(tensor)?;
            let data = tensor.data.cast::<u8>().cast_const();
            let offset = if data.is_null() { 0 } else { tensor.byte_offset as usize };
            out.write(egs_tensor {
                struct_size: size_of::<egs_tensor>(),
                data: data.wrapping_add(offset).cast(),
                shape: tensor.shape,
                strides: tensor.strides,
                ndim: tensor.ndim,
                dtype: codes::dtype_code(dtype_of(tensor.dtype)?),
                kind: 0,
                layout: 0,
            });
            Ok(())
        })
    }
}

/// A lent vector: what `manager_ctx` points to, and the struct itself.
struct Lent {
    managed: DLManagedTensorVersioned,
    shape: [i64; 1],
    strides: [i64; 1],
    _values: Arc<[f64]>,
}

/// Doubles as a DLPack tensor that keeps them.
pub(crate) fn lend(values: Arc<[f64]>) -> *mut DLManagedTensorVersioned {
    let data = values.as_ptr().cast_mut().cast::<c_void>();
    let length = values.len() as i64;
    let tensor = DLTensor {
        data: if length == 0 { std::ptr::null_mut() } else { data },
        device: DLDevice { device_type: 1, device_id: 0 },
        ndim: 1,
        dtype: DLDataType { code: 2, bits: 64, lanes: 1 },
        shape: std::ptr::null_mut(),
        strides: std::ptr::null_mut(),
        byte_offset: 0,
    };
    let managed = DLManagedTensorVersioned {
        version: DLPackVersion { major: DLPACK_MAJOR, minor: 0 },
        manager_ctx: std::ptr::null_mut(),
        deleter: Some(delete),
        flags: READ_ONLY,
        dl_tensor: tensor,
    };
    let lent = Box::into_raw(Box::new(Lent { managed, shape: [length], strides: [1], _values: values }));
    // SAFETY: just made; these are pointers into itself, which stays where it is until `delete`.
    unsafe {
        (*lent).managed.manager_ctx = lent.cast();
        (*lent).managed.dl_tensor.shape = (&raw mut (*lent).shape).cast();
        (*lent).managed.dl_tensor.strides = (&raw mut (*lent).strides).cast();
        &raw mut (*lent).managed
    }
}

unsafe extern "C" fn delete(managed: *mut DLManagedTensorVersioned) {
    if managed.is_null() {
        return;
    }
    // SAFETY: made by `lend`, deleted once.
    let _ = boundary::guarded(|| drop(unsafe { Box::from_raw((*managed).manager_ctx.cast::<Lent>()) }));
}
