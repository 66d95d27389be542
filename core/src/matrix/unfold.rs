//! How each kind of layer becomes one or several matrices.

use serde::{Deserialize, Serialize};

use super::MatrixView;
use crate::tensor::{LayerKind, Layout, Stacked, Tensor, advance};

/// How a convolution becomes matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConvMode {
    /// One `out x in` matrix per kernel position.
    #[default]
    Slices,
    /// One `out x (in * kernel)` matrix.
    Flatten,
    /// The operator on images, of two-dimensional convolutions only: its matrices are sums of the slices.
    Fft,
}

impl ConvMode {
    /// For reports.
    pub fn describe(self, pooled: bool) -> &'static str {
        match (self, pooled) {
            (ConvMode::Slices, true) => "slices-pooled",
            (ConvMode::Slices, false) => "slices",
            (ConvMode::Flatten, _) => "flatten",
            (ConvMode::Fft, _) => "fft",
        }
    }
}

/// What decides the matrices of a tensor, apart from its shape.
#[derive(Clone, Copy, Debug)]
pub struct Unfolding {
    /// The kind of layer.
    pub kind: LayerKind,
    /// The order of its axes.
    pub layout: Layout,
    /// For convolutions.
    pub conv_mode: ConvMode,
    /// Split the stored matrix into these parts (gates of an LSTM, query, key and value).
    pub split: Option<Stacked>,
}

/// The equal matrices a tensor unfolds into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixShape {
    /// The larger side.
    pub n: usize,
    /// The smaller side.
    pub m: usize,
    /// How many matrices: kernel positions, gates, or 1.
    pub count: usize,
}

struct Axes {
    out: usize,
    input: usize,
    spatial: std::ops::Range<usize>,
}

fn axes(layout: Layout, rank: usize) -> Axes {
    match layout {
        Layout::OutInSpatial => Axes { out: 0, input: 1, spatial: 2..rank },
        Layout::InOutSpatial => Axes { out: 1, input: 0, spatial: 2..rank },
        Layout::SpatialInOut => Axes { out: rank - 1, input: rank - 2, spatial: 0..rank - 2 },
        Layout::SpatialOutIn => Axes { out: rank - 2, input: rank - 1, spatial: 0..rank - 2 },
    }
}

/// The matrices of a tensor of that shape; `None` for kinds without matrices or when rank and kind disagree.
pub fn matrix_shape(shape: &[usize], how: &Unfolding) -> Option<MatrixShape> {
    let rank = shape.len();
    let expected = match how.kind {
        LayerKind::Conv1d => 3,
        LayerKind::Conv2d => 4,
        LayerKind::Conv3d => 5,
        kind if kind.has_matrices() => 2,
        _ => return None,
    };
    if rank != expected {
        return None;
    }
    let (rows, cols, count) = if how.kind.is_conv() {
        let a = axes(how.layout, rank);
        let (out, input) = (shape[a.out], shape[a.input]);
        let kernel = shape[a.spatial].iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
        match how.conv_mode {
            ConvMode::Slices => (out, input, kernel),
            ConvMode::Flatten => (out, input.checked_mul(kernel)?, 1),
            ConvMode::Fft => (out, input, 1),
        }
    } else {
        let mut sides = [shape[0], shape[1]];
        let count = match how.split {
            Some(s) if s.count > 1 && s.axis < 2 && sides[s.axis].is_multiple_of(s.count) => {
                sides[s.axis] /= s.count;
                s.count
            }
            _ => 1,
        };
        (sides[0], sides[1], count)
    };
    Some(MatrixShape { n: rows.max(cols), m: rows.min(cols), count })
}

/// Sides of a convolution's kernel; empty where the rank leaves none.
pub fn kernel_sides<'a>(shape: &'a [usize], how: &Unfolding) -> &'a [usize] {
    if how.kind.is_conv() && shape.len() > 2 { &shape[axes(how.layout, shape.len()).spatial] } else { &[] }
}

/// The matrices of a tensor, for [`ConvMode::Fft`] those of its kernel positions: views, nothing is copied. Kernel positions come in row-major order, gates as stacked. Empty where
/// [`matrix_shape`] gives `None`.
pub fn unfold(tensor: &Tensor, how: &Unfolding) -> Vec<MatrixView> {
    let Some(parts) = matrix_shape(tensor.shape(), how) else { return Vec::new() };
    if tensor.is_empty() {
        return Vec::new();
    }
    if !how.kind.is_conv() {
        let Some(stacked) = how.split.filter(|_| parts.count > 1) else {
            return vec![MatrixView::new(tensor.clone(), 1)];
        };
        let part = tensor.shape()[stacked.axis] / stacked.count;
        return (0..stacked.count)
            .map(|g| MatrixView::new(tensor.narrow(stacked.axis, g * part, part), 1))
            .collect();
    }
    let a = axes(how.layout, tensor.shape().len());
    match how.conv_mode {
        ConvMode::Flatten => vec![flatten(tensor, &a)],
        ConvMode::Slices | ConvMode::Fft => {
            let kernel = tensor.shape()[a.spatial.clone()].to_vec();
            let mut position = vec![0; kernel.len()];
            let mut slices = Vec::with_capacity(parts.count);
            loop {
                let taken = a.spatial.clone().zip(&position).rev();
                let slice = taken.fold(tensor.clone(), |t, (axis, &i)| t.select(axis, i));
                slices.push(MatrixView::new(slice, 1));
                if !advance(&mut position, &kernel) {
                    return slices;
                }
            }
        }
    }
}

/// `out` against everything else.
fn flatten(tensor: &Tensor, a: &Axes) -> MatrixView {
    let mut view = tensor.clone();
    view.move_axis_to_front(a.out);
    MatrixView::new(view, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eigenscope_linalg::Order;

    fn counting(shape: Vec<usize>) -> Tensor {
        let n: usize = shape.iter().product();
        Tensor::from_f64(shape, &(0..n).map(|i| i as f64).collect::<Vec<_>>()).unwrap()
    }

    fn how(kind: LayerKind, layout: Layout, conv_mode: ConvMode) -> Unfolding {
        Unfolding { kind, layout, conv_mode, split: None }
    }

    fn sums(views: &[MatrixView]) -> Vec<f64> {
        views
            .iter()
            .map(|v| {
                let mut block = vec![0.0; v.rows() * v.cols()];
                v.read(0, v.rows(), &mut block);
                block.iter().sum()
            })
            .collect()
    }

    #[test]
    fn slices_come_in_row_major_order_of_the_kernel_in_either_layout() {
        // Torch order: element = ((o * 2 + i) * 2 + y) * 3 + x.
        let torch = counting(vec![4, 2, 2, 3]);
        let views = unfold(&torch, &how(LayerKind::Conv2d, Layout::OutInSpatial, ConvMode::Slices));
        let base: f64 = (0..8).map(|k| f64::from(k * 6)).sum();
        let expected: Vec<f64> = (0..6).map(|p| base + 8.0 * f64::from(p)).collect();
        assert_eq!(sums(&views), expected);
        assert_eq!((views[0].rows(), views[0].cols()), (4, 2));
        let keras = counting(vec![2, 3, 2, 4]);
        let views = unfold(&keras, &how(LayerKind::Conv2d, Layout::SpatialInOut, ConvMode::Slices));
        let expected: Vec<f64> = (0..6).map(|p| (0..8).map(|k| f64::from(p * 8 + k)).sum()).collect();
        assert_eq!(sums(&views), expected);
        let volume = unfold(
            &counting(vec![3, 2, 2, 2, 2]),
            &how(LayerKind::Conv3d, Layout::OutInSpatial, ConvMode::Slices),
        );
        let base: f64 = (0..6).map(|k| f64::from(k * 8)).sum();
        assert_eq!(sums(&volume), (0..8).map(|p| base + 6.0 * f64::from(p)).collect::<Vec<_>>());
    }

    #[test]
    fn flattening_puts_the_output_channels_against_the_rest_in_either_layout() {
        let torch = counting(vec![4, 2, 2, 3]);
        let flat = unfold(&torch, &how(LayerKind::Conv2d, Layout::OutInSpatial, ConvMode::Flatten));
        assert_eq!(
            (flat.len(), flat[0].rows(), flat[0].cols(), flat[0].order()),
            (1, 12, 4, Order::ColMajor)
        );
        let keras = counting(vec![2, 3, 2, 4]);
        let flat = unfold(&keras, &how(LayerKind::Conv2d, Layout::SpatialInOut, ConvMode::Flatten));
        assert_eq!((flat[0].rows(), flat[0].cols()), (12, 4));
        let mut block = vec![0.0; 48];
        flat[0].read(0, 12, &mut block);
        assert_eq!(block[..4], [0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_conv1d_is_a_conv2d_with_a_kernel_of_width_one() {
        let one =
            unfold(&counting(vec![5, 3, 4]), &how(LayerKind::Conv1d, Layout::OutInSpatial, ConvMode::Slices));
        let two = unfold(
            &counting(vec![5, 3, 4, 1]),
            &how(LayerKind::Conv2d, Layout::OutInSpatial, ConvMode::Slices),
        );
        assert_eq!(sums(&one), sums(&two));
    }

    #[test]
    fn gates_split_along_their_axis_only_when_it_divides() {
        let mut u = how(LayerKind::Recurrent, Layout::OutInSpatial, ConvMode::Slices);
        u.split = Some(Stacked { count: 4, axis: 0 });
        assert_eq!(matrix_shape(&[8, 3], &u), Some(MatrixShape { n: 3, m: 2, count: 4 }));
        assert_eq!(sums(&unfold(&counting(vec![8, 3]), &u)), [15.0, 51.0, 87.0, 123.0]);
        assert_eq!(matrix_shape(&[9, 3], &u), Some(MatrixShape { n: 9, m: 3, count: 1 }));
    }

    #[test]
    fn a_rank_that_contradicts_the_kind_has_no_matrices() {
        assert_eq!(
            matrix_shape(&[3, 3], &how(LayerKind::Conv2d, Layout::OutInSpatial, ConvMode::Slices)),
            None
        );
        assert_eq!(matrix_shape(&[3], &how(LayerKind::Bias, Layout::OutInSpatial, ConvMode::Slices)), None);
    }
}
