//! Strided memory of somebody else as a tensor: lent or copied, never believed.

use std::any::Any;
use std::fmt;

use bytes::Bytes;
use eigenscope_core::tensor::{Dtype, Tensor, row_major_strides};

use crate::table::MAX_NDIM;

/// Why a description is not a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewError {
    /// It contradicts itself.
    Invalid(String),
    /// It is not for this library: a device, a type.
    Unsupported(String),
    /// A copy that does not fit.
    NoMemory(usize),
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ViewError::Invalid(what) | ViewError::Unsupported(what) => f.write_str(what),
            ViewError::NoMemory(bytes) => write!(f, "no memory for a copy of {bytes} bytes"),
        }
    }
}

/// A checked description of somebody's memory. Holding one is safe; the functions that read are not.
#[derive(Clone, Debug)]
pub struct RawView {
    dtype: Dtype,
    shape: Vec<usize>,
    /// In elements.
    strides: Vec<isize>,
    /// The first byte that any element touches.
    start: *const u8,
    /// Bytes from there to the end of the last element.
    span: usize,
    /// Elements from `start` to the element at 0, 0, ...
    offset: usize,
}

fn invalid<T>(what: String) -> Result<T, ViewError> {
    Err(ViewError::Invalid(what))
}

impl RawView {
    /// Checks extents and strides (in elements) with overflow in mind. `data` is the element at 0, 0, ...
    ///
    /// # Errors
    /// What does not fit.
    pub fn new(
        dtype: Dtype,
        shape: &[i64],
        strides: Option<&[i64]>,
        data: *const u8,
    ) -> Result<RawView, ViewError> {
        let rank = shape.len();
        if rank > MAX_NDIM {
            return invalid(format!("ndim: expected at most {MAX_NDIM}, found {rank}"));
        }
        let mut extents = Vec::with_capacity(rank);
        for (axis, &extent) in shape.iter().enumerate() {
            match usize::try_from(extent) {
                Ok(extent) => extents.push(extent),
                Err(_) => {
                    return invalid(format!("shape[{axis}]: expected a count of 0 or more, found {extent}"));
                }
            }
        }
        let size = dtype.size();
        let too_large = || format!("shape {shape:?} of {dtype} is more than this address space holds");
        let bytes = extents.iter().try_fold(size, |n, &extent| n.checked_mul(extent.max(1)));
        if bytes.is_none_or(|n| isize::try_from(n).is_err()) {
            // A broadcast view has more elements than memory, but no layer has so many either.
            return invalid(too_large());
        }
        let strides = match strides {
            None => row_major_strides(&extents).ok_or_else(|| ViewError::Invalid(too_large()))?,
            Some(strides) => strides.iter().map(|&s| s as isize).collect(),
        };
        let empty = extents.contains(&0);
        if empty {
            let strides = vec![0; rank];
            return Ok(RawView { dtype, shape: extents, strides, start: data, span: 0, offset: 0 });
        }
        if data.is_null() {
            return invalid(format!("data is NULL, but shape {shape:?} has elements"));
        }
        let (mut lowest, mut highest) = (0i128, 0i128);
        for (&extent, &stride) in extents.iter().zip(&strides) {
            let reach = (extent as i128 - 1) * stride as i128;
            *(if reach < 0 { &mut lowest } else { &mut highest }) += reach;
        }
        let (below, above) = (-lowest * size as i128, highest * size as i128 + size as i128);
        let address = data as usize as i128;
        let inside = below + above <= isize::MAX as i128
            && address - below > 0
            && address + above <= usize::MAX as i128;
        if !inside {
            return invalid(format!("strides {strides:?} of shape {shape:?} lead out of the address space"));
        }
        Ok(RawView {
            dtype,
            shape: extents,
            strides,
            start: data.wrapping_sub(below as usize),
            span: (below + above) as usize,
            offset: (-lowest) as usize,
        })
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// A tensor over the memory itself, which `owner` keeps until the last clone of the tensor is dropped, on any thread.
    ///
    /// # Safety
    /// Every element is readable for as long as `owner` lives, and nobody writes to it meanwhile.
    ///
    /// # Errors
    /// None after a successful [`RawView::new`]; the engine checks once more.
    pub unsafe fn lend(&self, owner: Box<dyn Any + Send + Sync>) -> Result<Tensor, ViewError> {
        let data = if self.span == 0 {
            Bytes::new()
        } else {
            Bytes::from_owner(Lent { start: self.start, span: self.span, _owner: owner })
        };
        self.tensor(&self.strides, self.offset, data)
    }

    /// A copy: of the whole span where that is the smaller, or else of the elements alone. `room` gives an empty vector, perhaps
    /// with room for so many bytes; `keep` makes tensor data of it.
    ///
    /// # Safety
    /// Every element is readable now, and nobody writes to it during the call.
    ///
    /// # Errors
    /// No memory.
    pub unsafe fn copy(
        &self,
        room: impl FnOnce(usize) -> Vec<u8>,
        keep: impl FnOnce(Vec<u8>) -> Bytes,
    ) -> Result<Tensor, ViewError> {
        let dense = self.elements() * self.dtype.size();
        let size = dense.min(self.span);
        let mut copy = room(size);
        if copy.try_reserve_exact(size).is_err() {
            return Err(ViewError::NoMemory(size));
        }
        if self.span <= dense {
            // Between the elements of a span no larger than they are, there is nothing that is not one of them, but for
            // overlapping strides with gaps, which only an adversary writes.
            // SAFETY: the caller vouches for the memory from the first to the last element.
            copy.extend_from_slice(unsafe { std::slice::from_raw_parts(self.start, self.span) });
            return self.tensor(&self.strides, self.offset, keep(copy));
        }
        // SAFETY: as above, one element at a time.
        unsafe { self.gather(&mut copy) };
        let strides = row_major_strides(&self.shape)
            .ok_or_else(|| ViewError::Invalid(format!("shape {:?} is too large", self.shape)))?;
        self.tensor(&strides, 0, keep(copy))
    }

    /// Appends the elements in row-major order, a dense last axis at once.
    ///
    /// # Safety
    /// As for [`RawView::copy`].
    unsafe fn gather(&self, copy: &mut Vec<u8>) {
        let size = self.dtype.size();
        let (run, axes) = match (self.shape.split_last(), self.strides.last()) {
            (Some((&last, outer)), Some(1)) => (last, outer.len()),
            _ => (1, self.shape.len()),
        };
        let mut index = vec![0usize; axes];
        let mut at = self.offset as isize;
        loop {
            let element = self.start.wrapping_offset(at * size as isize);
            // SAFETY: `new` checked that every element lies within the span, which the caller vouches for.
            copy.extend_from_slice(unsafe { std::slice::from_raw_parts(element, run * size) });
            let mut axis = axes;
            loop {
                if axis == 0 {
                    return;
                }
                axis -= 1;
                index[axis] += 1;
                at += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= self.strides[axis] * self.shape[axis] as isize;
                index[axis] = 0;
            }
        }
    }

    fn tensor(&self, strides: &[isize], offset: usize, data: Bytes) -> Result<Tensor, ViewError> {
        Tensor::with_strides(self.dtype, self.shape.clone(), strides, offset, data)
            .map_err(|e| ViewError::Invalid(e.to_string()))
    }
}

/// Memory that somebody else owns.
struct Lent {
    start: *const u8,
    span: usize,
    _owner: Box<dyn Any + Send + Sync>,
}

// SAFETY: only read, and `RawView::lend` demands that nobody writes while it lives.
unsafe impl Send for Lent {}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `RawView::lend` demands that the span is readable as long as the owner lives.
        unsafe { std::slice::from_raw_parts(self.start, self.span) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: [f32; 12] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0];

    fn view(shape: &[i64], strides: Option<&[i64]>, first: usize) -> Result<RawView, ViewError> {
        RawView::new(Dtype::F32, shape, strides, DATA[first..].as_ptr().cast())
    }

    fn both(shape: &[i64], strides: Option<&[i64]>, first: usize) -> Vec<f64> {
        let view = view(shape, strides, first).unwrap();
        // SAFETY: every view of these tests lies inside DATA, which is constant.
        let (lent, copied) =
            unsafe { (view.lend(Box::new(())).unwrap(), view.copy(|_| Vec::new(), Bytes::from).unwrap()) };
        assert_eq!(lent.to_vec(), copied.to_vec());
        copied.to_vec()
    }

    #[test]
    fn any_strides_read_the_elements_they_name_lent_or_copied() {
        assert_eq!(both(&[2, 3], None, 0), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(both(&[3, 2], Some(&[1, 3]), 0), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(both(&[2, 2], Some(&[-4, -1]), 11), [11.0, 10.0, 7.0, 6.0]);
        assert_eq!(both(&[2, 2], Some(&[6, 3]), 1), [1.0, 4.0, 7.0, 10.0]);
        assert_eq!(both(&[2, 2], Some(&[6, 1]), 1), [1.0, 2.0, 7.0, 8.0]);
        assert_eq!(both(&[3, 2], Some(&[0, 1]), 4), [4.0, 5.0, 4.0, 5.0, 4.0, 5.0]);
        assert_eq!(both(&[], None, 7), [7.0]);
        assert!(both(&[0, 5], Some(&[i64::MAX, 1]), 0).is_empty());
    }

    #[test]
    fn what_leaves_the_address_space_is_refused() {
        let reason = |r: Result<RawView, ViewError>| match r.unwrap_err() {
            ViewError::Invalid(reason) => reason,
            other => panic!("{other:?}"),
        };
        assert!(reason(view(&[2, -1], None, 0)).contains("shape[1]"));
        assert!(reason(view(&[i64::MAX, i64::MAX], None, 0)).contains("address space"));
        assert!(reason(view(&[2, 2], Some(&[i64::MAX, 1]), 0)).contains("lead out"));
        assert!(reason(view(&[2, 2], Some(&[i64::MIN, i64::MIN]), 0)).contains("lead out"));
        assert!(reason(view(&[1; 9], None, 0)).contains("at most 8"));
        let null = RawView::new(Dtype::F32, &[2], None, std::ptr::null());
        assert!(reason(null).contains("NULL"));
        assert!(RawView::new(Dtype::F32, &[2, 0], None, std::ptr::null()).is_ok());
    }
}
