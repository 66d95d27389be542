//! To and from `ndarray`, for callers whose numbers live there.

use ndarray::{Array2, ArrayD, ArrayRef, Dimension, IxDyn};

use super::{Dtype, Tensor};
use crate::matrix::MatrixView;
use eigenscope_linalg::Order;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f64 {}
    impl Sealed for f32 {}
}

/// Element types of arrays that become tensors.
pub trait Element: sealed::Sealed + Copy {
    /// Its stored type.
    const DTYPE: Dtype;
    /// Its little-endian bytes.
    fn push(self, bytes: &mut Vec<u8>);
}

impl Element for f64 {
    const DTYPE: Dtype = Dtype::F64;
    fn push(self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_le_bytes());
    }
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;
    fn push(self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_le_bytes());
    }
}

impl Tensor {
    /// A copy of an array of any strides, in row-major order.
    pub fn from_array<T: Element, D: Dimension>(array: &ArrayRef<T, D>) -> Tensor {
        let mut bytes = Vec::with_capacity(array.len() * T::DTYPE.size());
        array.iter().for_each(|v| v.push(&mut bytes));
        Tensor::new(T::DTYPE, array.shape().to_vec(), bytes.into()).expect("bytes were made for this shape")
    }

    /// Every element as doubles.
    pub fn to_array(&self) -> ArrayD<f64> {
        ArrayD::from_shape_vec(IxDyn(self.shape()), self.to_vec()).expect("one number for each element")
    }
}

impl MatrixView {
    /// The oriented matrix, N x M: the weights a spectrum is of.
    pub fn to_array(&self) -> Array2<f64> {
        let (n, m) = (self.rows(), self.cols());
        let mut data = vec![0.0; n * m];
        self.read(0, n, &mut data);
        match self.order() {
            Order::RowMajor => Array2::from_shape_vec((n, m), data).expect("a full block"),
            Order::ColMajor => Array2::from_shape_vec((m, n), data).expect("a full block").reversed_axes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Axis, Slice, arr2};

    use super::*;
    use crate::matrix::{ConvMode, Unfolding, unfold};
    use crate::tensor::{LayerKind, Layout};

    #[test]
    fn arrays_of_any_strides_come_back_as_they_were() {
        let cube = Array3::from_shape_fn((3, 4, 5), |(i, j, k)| (100 * i + 10 * j + k) as f32);
        let mut odd = cube.view().permuted_axes([2, 0, 1]);
        odd.invert_axis(Axis(1));
        odd.slice_axis_inplace(Axis(0), Slice::new(0, None, 2));
        let back = Tensor::from_array(&odd).to_array();
        assert_eq!(back, odd.mapv(f64::from).into_dyn());
    }

    #[test]
    fn the_matrix_of_a_layer_is_an_array_of_n_rows_and_m_columns() {
        let wide = arr2(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        let how = Unfolding {
            kind: LayerKind::Dense,
            layout: Layout::OutInSpatial,
            conv_mode: ConvMode::Slices,
            split: None,
        };
        let views = unfold(&Tensor::from_array(&wide), &how);
        assert_eq!(views[0].to_array(), wide.t());
        let tall = unfold(&Tensor::from_array(&wide.t()), &how);
        assert_eq!(tall[0].to_array(), wide.t());
    }
}
