//! `egs_tensor`: the caller's memory as a tensor.

use std::ffi::c_void;

use eigenscope_c_loader::{MAX_NDIM, RawView, codes};
use eigenscope_core::tensor::{LayerKind, Layout};

use crate::error::Error;
use crate::structs;

/// `egs_tensor`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, non_camel_case_types)]
pub struct egs_tensor {
    pub struct_size: usize,
    pub data: *const c_void,
    pub shape: *const i64,
    pub strides: *const i64,
    pub ndim: i32,
    pub dtype: i32,
    pub kind: i32,
    pub layout: i32,
}

// SAFETY: no padding; zero is a valid bit pattern of every field (though dtype 0 is refused).
unsafe impl structs::Sized for egs_tensor {
    const NAME: &'static str = "egs_tensor";
}

/// A tensor as described, checked.
pub(crate) struct Described {
    pub view: RawView,
    pub kind: Option<LayerKind>,
    pub layout: Layout,
}

/// # Safety
/// `tensor` is NULL or as the header demands.
pub(crate) unsafe fn described(tensor: *const egs_tensor) -> Result<Described, Error> {
    // SAFETY: as the caller promises.
    let c = unsafe { structs::read(tensor) }?;
    let unknown =
        |field: &str, code: i32| Error::argument(format!("egs_tensor.{field}: {code} is not known"));
    let dtype = codes::dtype(c.dtype).ok_or_else(|| unknown("dtype", c.dtype))?;
    let kind = codes::kind(c.kind).ok_or_else(|| unknown("kind", c.kind))?;
    let layout = codes::layout(c.layout).ok_or_else(|| unknown("layout", c.layout))?;
    let rank = usize::try_from(c.ndim).ok().filter(|rank| *rank <= MAX_NDIM);
    let rank = rank.ok_or_else(|| {
        Error::argument(format!("egs_tensor.ndim: expected 0 to {MAX_NDIM}, found {}", c.ndim))
    })?;
    if rank > 0 && c.shape.is_null() {
        return Err(Error::argument(format!("egs_tensor.shape is NULL, but ndim is {rank}")));
    }
    let list = |start: *const i64| {
        if rank == 0 {
            &[][..]
        } else {
            // SAFETY: not NULL here; the header demands `ndim` numbers.
            unsafe { std::slice::from_raw_parts(start, rank) }
        }
    };
    let strides = (!c.strides.is_null()).then(|| list(c.strides));
    let view = RawView::new(dtype, list(c.shape), strides, c.data.cast())
        .map_err(|e| Error::from(e).about("egs_tensor"))?;
    Ok(Described { view, kind, layout })
}
