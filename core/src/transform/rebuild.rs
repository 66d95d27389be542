//! A tensor with some of its matrices replaced, and bytes in row-major order.

use bytes::Bytes;
use ndarray::Array2;

use super::encode::Encoder;
use crate::matrix::{Unfolding, unfold};
use crate::tensor::{Dtype, Tensor, advance, row_major_strides};

/// The elements in row-major order, bit for bit. Empty for [`Dtype::Opaque`], whose elements have no known size.
pub fn dense_bytes(tensor: &Tensor) -> Bytes {
    let size = tensor.dtype().size();
    let (data, origin) = tensor.storage();
    if tensor.is_empty() || size == 0 {
        return Bytes::new();
    }
    let dense = row_major_strides(tensor.shape()).unwrap_or_default();
    if dense.iter().zip(tensor.byte_strides()).all(|(s, bytes)| s * size as isize == *bytes) {
        return data.slice(origin..origin + tensor.len() * size);
    }
    let mut out = Vec::with_capacity(tensor.len() * size);
    let mut index = vec![0; tensor.shape().len()];
    loop {
        let steps = index.iter().zip(tensor.byte_strides()).map(|(i, stride)| *i as isize * stride);
        let at = (origin as isize + steps.sum::<isize>()) as usize;
        out.extend_from_slice(&data[at..at + size]);
        if !advance(&mut index, tensor.shape()) {
            return out.into();
        }
    }
}

/// A tensor of the same type and shape, dense, in which the matrices that [`unfold`] gives are these, where there is one. Elements that keep
/// their value keep their bits. With it the distance ‖new - old‖ / ‖old‖ of all elements. `None` for types that hold no such numbers.
pub(super) fn rebuild(
    tensor: &Tensor,
    how: &Unfolding,
    matrices: &[Option<Array2<f64>>],
) -> Option<(Tensor, f64)> {
    let (dtype, size) = (tensor.dtype(), tensor.dtype().size());
    let encoder = Encoder::new(dtype)?;
    let mut bytes = dense_bytes(tensor).to_vec();
    // The same views of a tensor of positions say where each element of a matrix lies.
    let positions = (0..tensor.len() as i64).flat_map(i64::to_le_bytes).collect();
    let positions = Tensor::new(Dtype::I64, tensor.shape().to_vec(), positions).ok()?;
    let old = unfold(tensor, how);
    for ((matrix, view), places) in matrices.iter().zip(&old).zip(unfold(&positions, how)) {
        let Some(matrix) = matrix else { continue };
        for ((new, old), place) in matrix.iter().zip(&view.to_array()).zip(&places.to_array()) {
            if new != old {
                let at = *place as usize * size;
                encoder.write(*new, &mut bytes[at..at + size]);
            }
        }
    }
    let new = Tensor::new(dtype, tensor.shape().to_vec(), bytes.into()).ok()?;
    let (mut change, mut total) = (0.0, 0.0);
    for (new, old) in new.to_vec().iter().zip(tensor.to_vec()) {
        change += (new - old).powi(2);
        total += old * old;
    }
    Some((new, (change / total).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::ConvMode;
    use crate::tensor::{LayerKind, Layout};

    fn how(kind: LayerKind, layout: Layout, conv_mode: ConvMode) -> Unfolding {
        Unfolding { kind, layout, conv_mode, split: None }
    }

    fn counting(shape: &[usize]) -> Tensor {
        let n: usize = shape.iter().product();
        Tensor::from_f32(shape.to_vec(), &(0..n).map(|i| i as f32).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn doubled_matrices_double_the_tensor_in_every_layout() {
        for (shape, how) in [
            (&[4, 6][..], how(LayerKind::Dense, Layout::OutInSpatial, ConvMode::Slices)),
            (&[6, 4], how(LayerKind::Dense, Layout::OutInSpatial, ConvMode::Slices)),
            (&[4, 6, 3, 2], how(LayerKind::Conv2d, Layout::OutInSpatial, ConvMode::Slices)),
            (&[3, 2, 4, 6], how(LayerKind::Conv2d, Layout::SpatialInOut, ConvMode::Slices)),
            (&[3, 2, 4, 6], how(LayerKind::Conv2d, Layout::SpatialInOut, ConvMode::Flatten)),
        ] {
            let tensor = counting(shape);
            let doubled: Vec<_> =
                unfold(&tensor, &how).iter().map(|v| Some(v.to_array().mapv(|x| 2.0 * x))).collect();
            let (new, distance) = rebuild(&tensor, &how, &doubled).unwrap();
            assert_eq!(
                new.to_vec(),
                tensor.to_vec().iter().map(|x| 2.0 * x).collect::<Vec<_>>(),
                "{shape:?}"
            );
            assert!((distance - 1.0).abs() < 1e-12 && new.dtype() == Dtype::F32);
        }
    }

    #[test]
    fn a_slice_that_is_not_replaced_keeps_its_bits() {
        let tensor = counting(&[2, 2, 2, 1]);
        let how = how(LayerKind::Conv2d, Layout::OutInSpatial, ConvMode::Slices);
        let zeros = Some(Array2::zeros((2, 2)));
        let (new, _) = rebuild(&tensor, &how, &[None, zeros]).unwrap();
        assert_eq!(new.to_vec(), [0.0, 0.0, 2.0, 0.0, 4.0, 0.0, 6.0, 0.0]);
    }

    #[test]
    fn bytes_of_a_strided_tensor_come_in_row_major_order() {
        let base = counting(&[6]);
        let turned =
            Tensor::with_strides(Dtype::F32, vec![3, 2], &[1, 3], 0, base.storage().0.clone()).unwrap();
        let expected = Tensor::from_f32(vec![3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]).unwrap();
        assert_eq!(dense_bytes(&turned), expected.storage().0);
        let tail = Tensor::with_strides(Dtype::F32, vec![2], &[1], 4, base.storage().0.clone()).unwrap();
        assert_eq!(dense_bytes(&tail)[..], [4f32, 5.0].map(f32::to_le_bytes).concat()[..]);
        assert_eq!(dense_bytes(&Tensor::from_f64(vec![], &[7.0]).unwrap())[..], 7f64.to_le_bytes());
    }
}
