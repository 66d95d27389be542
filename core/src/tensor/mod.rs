//! Stored tensors: bytes with a type, a shape and strides. Nothing is converted until a matrix asks for rows.

#[cfg(feature = "engine")]
mod array;
#[cfg(feature = "engine")]
mod combine;
mod dtype;
mod kind;
#[cfg(feature = "engine")]
mod runs;
mod view;

use std::sync::Arc;

use bytes::Bytes;

#[cfg(feature = "engine")]
pub use array::Element;
#[cfg(feature = "engine")]
pub(crate) use combine::push_as;
pub use dtype::Dtype;
pub use kind::{Classified, LayerKind, Layout, Role, Stacked, classify};
#[cfg(feature = "engine")]
pub use view::NonFinite;
#[cfg(feature = "engine")]
pub(crate) use view::advance;

/// How quantised integers become real numbers: `scale * (q - zero_point)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantization {
    /// The axis along which scales differ; `None` when there is one for all.
    pub axis: Option<usize>,
    /// One scale, or one per index of `axis`.
    pub scales: Vec<f64>,
    /// As many zero points as scales, or none at all.
    pub zero_points: Vec<f64>,
}

/// Why bytes, shape and strides do not make a tensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// The element count, or the bytes it takes, does not fit in memory.
    #[error("shape {0:?} has more elements than any memory holds")]
    TooLarge(Vec<usize>),
    /// The data end before the tensor does.
    #[error("shape {shape:?} of {dtype} needs {needed} bytes, the data hold {found}")]
    Short {
        /// The declared shape.
        shape: Vec<usize>,
        /// The element type.
        dtype: Dtype,
        /// Bytes the view reaches to.
        needed: u128,
        /// Bytes there are.
        found: usize,
    },
    /// Strides lead before the first byte.
    #[error("strides {0:?} lead before the start of the data")]
    BeforeStart(Vec<isize>),
    /// As many strides as axes, as many scales as channels.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// What was counted.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
}

/// A typed, strided view of shared bytes. Cheap to clone; constructors check that every element lies inside.
#[derive(Clone, Debug)]
pub struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    /// In bytes, so that views of any origin fit.
    strides: Vec<isize>,
    /// Byte position of the element at index 0, 0, ...
    origin: usize,
    data: Bytes,
    quantization: Option<Arc<Quantization>>,
}

impl Tensor {
    /// A dense row-major tensor. `data` must hold at least its elements; what follows is ignored.
    pub fn new(dtype: Dtype, shape: Vec<usize>, data: Bytes) -> Result<Tensor, TensorError> {
        let strides = row_major_strides(&shape).ok_or_else(|| TensorError::TooLarge(shape.clone()))?;
        Tensor::with_strides(dtype, shape, &strides, 0, data)
    }

    /// A view with `strides` and `offset` counted in elements, as PyTorch and DLPack count them.
    pub fn with_strides(
        dtype: Dtype,
        shape: Vec<usize>,
        strides: &[isize],
        offset: usize,
        data: Bytes,
    ) -> Result<Tensor, TensorError> {
        if strides.len() != shape.len() {
            return Err(TensorError::Mismatch {
                what: "strides",
                expected: shape.len(),
                found: strides.len(),
            });
        }
        let too_large = || TensorError::TooLarge(shape.clone());
        let size = dtype.size() as i128;
        let mut numel: usize = 1;
        let (mut lowest, mut highest) = (offset as i128, offset as i128);
        for (&extent, &stride) in shape.iter().zip(strides) {
            numel = numel.checked_mul(extent).ok_or_else(too_large)?;
            let reach =
                (extent.saturating_sub(1) as i128).checked_mul(stride as i128).ok_or_else(too_large)?;
            let side = if reach < 0 { &mut lowest } else { &mut highest };
            *side = side.checked_add(reach).ok_or_else(too_large)?;
        }
        if numel > 0 && dtype != Dtype::Opaque {
            if lowest < 0 {
                return Err(TensorError::BeforeStart(strides.to_vec()));
            }
            let needed = highest.checked_add(1).and_then(|n| n.checked_mul(size)).ok_or_else(too_large)?;
            if needed > data.len() as i128 {
                return Err(TensorError::Short { shape, dtype, needed: needed as u128, found: data.len() });
            }
        }
        // In range by the check above wherever an element exists.
        let strides = strides.iter().map(|s| s.wrapping_mul(size as isize)).collect();
        let origin = offset.wrapping_mul(size as usize);
        Ok(Tensor { dtype, shape, strides, origin, data, quantization: None })
    }

    /// The same integers, to be read as `scale * (q - zero_point)`.
    pub fn quantized(mut self, quantization: Quantization) -> Result<Tensor, TensorError> {
        let expected = match quantization.axis {
            None => 1,
            Some(axis) => *self.shape.get(axis).ok_or(TensorError::Mismatch {
                what: "axes below the quantised one",
                expected: axis + 1,
                found: self.shape.len(),
            })?,
        };
        let counts = [("scales", quantization.scales.len()), ("zero points", quantization.zero_points.len())];
        for (what, found) in counts {
            if found != expected && !(what == "zero points" && found == 0) {
                return Err(TensorError::Mismatch { what, expected, found });
            }
        }
        self.quantization = Some(Arc::new(quantization));
        Ok(self)
    }

    /// A dense tensor of doubles, for callers that have numbers rather than bytes.
    pub fn from_f64(shape: Vec<usize>, values: &[f64]) -> Result<Tensor, TensorError> {
        Tensor::new(Dtype::F64, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// A dense tensor of singles.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Result<Tensor, TensorError> {
        Tensor::new(Dtype::F32, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// The element type as stored.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Extent of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Byte distance between neighbours along each axis.
    pub fn byte_strides(&self) -> &[isize] {
        &self.strides
    }

    /// The shared bytes, and the position in them of the element at index 0, 0, ...
    pub fn storage(&self) -> (&Bytes, usize) {
        (&self.data, self.origin)
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no element at all.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// How integers become numbers, where they are quantised.
    pub fn quantization(&self) -> Option<&Quantization> {
        self.quantization.as_deref()
    }

    /// Every element in row-major order, as doubles. For small tensors and tests; the engine reads rows.
    pub fn to_vec(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.len()];
        if out.is_empty() {
            return out;
        }
        let Some((&inner, outer)) = self.shape.split_last() else {
            self.read_run(&[], None, &mut out);
            return out;
        };
        let mut index = vec![0; outer.len()];
        for run in out.chunks_exact_mut(inner) {
            self.read_run(&index, Some(outer.len()), run);
            for axis in (0..outer.len()).rev() {
                index[axis] += 1;
                if index[axis] < outer[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        out
    }

    /// Reads a run along `axis`; `index` gives the position on the other axes (entries missing at the end,
    /// and the one at `axis`, count as where the run starts, 0 if missing).
    pub(crate) fn read_run(&self, index: &[usize], axis: Option<usize>, out: &mut [f64]) {
        let mut at = self.origin as isize;
        for (i, stride) in index.iter().zip(&self.strides) {
            at += *i as isize * stride;
        }
        let stride = axis.map_or(self.dtype.size() as isize, |a| self.strides[a]);
        self.decode_strided(at, stride, out);
        if let Some(q) = &self.quantization {
            let start = |axis: usize| index.get(axis).copied().unwrap_or(0);
            for (k, value) in out.iter_mut().enumerate() {
                let channel = match q.axis {
                    None => 0,
                    Some(channel_axis) if Some(channel_axis) == axis => start(channel_axis) + k,
                    Some(channel_axis) => start(channel_axis),
                };
                let zero = q.zero_points.get(channel).copied().unwrap_or(0.0);
                *value = q.scales[channel] * (*value - zero);
            }
        }
    }

    fn decode_strided(&self, at: isize, stride: isize, out: &mut [f64]) {
        if stride >= 0 {
            self.dtype.decode(&self.data[at as usize..], stride as usize, out);
        } else {
            for (k, value) in out.iter_mut().enumerate() {
                let here = (at + k as isize * stride) as usize;
                self.dtype.decode(&self.data[here..], self.dtype.size(), std::slice::from_mut(value));
            }
        }
    }
}

/// Element strides of a dense row-major tensor; `None` when the element count overflows.
pub fn row_major_strides(shape: &[usize]) -> Option<Vec<isize>> {
    let mut strides = vec![0isize; shape.len()];
    let mut step: isize = 1;
    for (stride, &extent) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        step = step.checked_mul(isize::try_from(extent.max(1)).ok()?)?;
    }
    Some(strides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strided_view_reads_what_the_strides_say() {
        let base = Tensor::from_f32(vec![6], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let transposed = Tensor::with_strides(Dtype::F32, vec![3, 2], &[1, 3], 0, base.data.clone()).unwrap();
        assert_eq!(transposed.to_vec(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        let reversed = Tensor::with_strides(Dtype::F32, vec![3], &[-2], 5, base.data.clone()).unwrap();
        assert_eq!(reversed.to_vec(), [5.0, 3.0, 1.0]);
        let broadcast = Tensor::with_strides(Dtype::F32, vec![2, 2], &[0, 1], 4, base.data).unwrap();
        assert_eq!(broadcast.to_vec(), [4.0, 5.0, 4.0, 5.0]);
    }

    #[test]
    fn shapes_and_strides_that_leave_the_data_are_refused() {
        let data = Bytes::from_static(&[0; 16]);
        let short = Tensor::new(Dtype::F32, vec![5], data.clone()).unwrap_err();
        assert_eq!(short, TensorError::Short { shape: vec![5], dtype: Dtype::F32, needed: 20, found: 16 });
        let huge = vec![1 << 40, 1 << 40];
        assert_eq!(
            Tensor::new(Dtype::F32, huge.clone(), data.clone()).unwrap_err(),
            TensorError::TooLarge(huge)
        );
        let before = Tensor::with_strides(Dtype::F32, vec![2], &[-1], 0, data.clone()).unwrap_err();
        assert_eq!(before, TensorError::BeforeStart(vec![-1]));
        assert!(Tensor::with_strides(Dtype::F32, vec![2, 2], &[isize::MAX, 1], 0, data.clone()).is_err());
        assert!(Tensor::with_strides(Dtype::F32, vec![2], &[1, 1], 0, data).is_err());
    }

    #[test]
    fn quantised_integers_read_as_real_numbers_per_channel() {
        let bytes: Bytes = [1u8, 2, 3, 4].to_vec().into();
        let q = Quantization { axis: Some(0), scales: vec![0.5, 2.0], zero_points: vec![1.0, 0.0] };
        let t = Tensor::new(Dtype::U8, vec![2, 2], bytes).unwrap().quantized(q).unwrap();
        assert_eq!(t.to_vec(), [0.0, 0.5, 6.0, 8.0]);
    }

    #[test]
    fn a_scalar_and_an_empty_tensor_are_tensors() {
        assert_eq!(Tensor::from_f64(vec![], &[7.0]).unwrap().to_vec(), [7.0]);
        assert!(Tensor::from_f64(vec![0, 5], &[]).unwrap().to_vec().is_empty());
    }
}
