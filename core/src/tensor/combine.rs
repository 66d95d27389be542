//! Tensors made of tensors: sums, differences, transposes.

use super::{Dtype, Tensor, TensorError};

/// Elements of each tensor that are held as doubles at a time.
const CHUNK: usize = 1 << 19;

impl Tensor {
    /// `of` each pair of elements of two tensors of the same shape: rounded to single precision unless one of them is double.
    ///
    /// # Panics
    /// When the shapes differ.
    pub(crate) fn combined(
        &self,
        other: &Tensor,
        of: impl Fn(f64, f64) -> f64,
    ) -> Result<Tensor, TensorError> {
        assert_eq!(self.shape(), other.shape(), "shapes of a pair");
        let dtype =
            if [self, other].iter().any(|t| t.dtype() == Dtype::F64) { Dtype::F64 } else { Dtype::F32 };
        let mut bytes = Vec::with_capacity(self.len() * dtype.size());
        let mut push = |a: &Tensor, b: &Tensor| {
            for (x, y) in a.to_vec().into_iter().zip(b.to_vec()) {
                push_as(dtype, of(x, y), &mut bytes);
            }
        };
        match self.shape().first() {
            None => push(self, other),
            Some(0) => {}
            Some(&rows) => {
                let step = (CHUNK / (self.len() / rows).max(1)).max(1);
                for start in (0..rows).step_by(step) {
                    let count = step.min(rows - start);
                    push(&self.narrow(0, start, count), &other.narrow(0, start, count));
                }
            }
        }
        Tensor::new(dtype, self.shape().to_vec(), bytes.into())
    }

    /// A matrix the other way round, copied; what is no matrix stays as it is.
    pub(crate) fn transposed(&self) -> Result<Tensor, TensorError> {
        let &[rows, cols] = self.shape() else { return Ok(self.clone()) };
        let values = self.to_vec();
        let dtype = if self.dtype() == Dtype::F64 { Dtype::F64 } else { Dtype::F32 };
        let mut bytes = Vec::with_capacity(values.len() * dtype.size());
        (0..values.len()).for_each(|k| push_as(dtype, values[(k % rows) * cols + k / rows], &mut bytes));
        Tensor::new(dtype, vec![cols, rows], bytes.into())
    }
}

/// A number as bytes of a double, or of a single.
pub(crate) fn push_as(dtype: Dtype, value: f64, bytes: &mut Vec<u8>) {
    match dtype {
        Dtype::F64 => bytes.extend(value.to_le_bytes()),
        _ => bytes.extend((value as f32).to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_transposes_keep_every_element_in_its_place() {
        let a = Tensor::from_f32(vec![2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let turned = a.transposed().unwrap();
        assert_eq!((turned.shape(), turned.to_vec()), (&[3, 2][..], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        let b = Tensor::from_f64(vec![2, 3], &[0.5; 6]).unwrap();
        let sum = a.combined(&b, |x, y| x + y).unwrap();
        assert_eq!((sum.dtype(), sum.to_vec()), (Dtype::F64, vec![1.5, 2.5, 3.5, 4.5, 5.5, 6.5]));
        let one = Tensor::from_f64(vec![], &[7.0]).unwrap();
        assert_eq!(one.combined(&one, |x, y| x * y).unwrap().to_vec(), [49.0]);
    }
}
