//! A strided matrix inside a tensor, read in blocks of rows of its taller side.

use eigenscope_linalg::{Order, Real};

use crate::tensor::{Dtype, Tensor, advance};

/// A matrix whose rows and columns are groups of a tensor's axes, oriented so that it is at least as tall as wide:
/// N = rows, M = columns, whichever way it was stored.
#[derive(Clone, Debug)]
pub struct MatrixView {
    tensor: Tensor,
    /// The first `split` axes are the rows, the others the columns, unless `swapped`.
    split: usize,
    swapped: bool,
    /// Round doubles to single precision while reading, as the reference does with PyTorch weights.
    to_single: bool,
}

impl MatrixView {
    /// The first `split` axes against the rest.
    pub(crate) fn new(tensor: Tensor, split: usize) -> Self {
        let (mut tensor, mut split) = (tensor, split);
        // Walk neighbouring axes of a group as one wherever memory allows: longer runs.
        let mut axis = 0;
        while axis + 1 < tensor.shape().len() {
            if axis + 1 != split && tensor.mergeable(axis) {
                tensor = tensor.merge(axis);
                split -= usize::from(axis + 1 < split);
            } else {
                axis += 1;
            }
        }
        let rows: usize = tensor.shape()[..split].iter().product();
        let cols: usize = tensor.shape()[split..].iter().product();
        MatrixView { tensor, split, swapped: rows < cols, to_single: false }
    }

    /// The same matrix, its elements rounded to single precision.
    #[must_use]
    pub fn rounded_to_single(mut self, yes: bool) -> Self {
        self.to_single = yes && self.tensor.dtype().is_float();
        self
    }

    /// Whether every element is exactly a single-precision number.
    pub fn is_single(&self) -> bool {
        let dtype = self.tensor.dtype();
        dtype.is_float() && (self.to_single || dtype != Dtype::F64 && self.tensor.quantization().is_none())
    }

    /// Row and column of the matrix as stored, before it was turned to be tall.
    pub fn stored(&self, row: usize, col: usize) -> (usize, usize) {
        if self.swapped { (col, row) } else { (row, col) }
    }

    fn axes(&self) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let (first, second) = (0..self.split, self.split..self.tensor.shape().len());
        if self.swapped { (second, first) } else { (first, second) }
    }

    fn extent(&self, axes: std::ops::Range<usize>) -> usize {
        self.tensor.shape()[axes].iter().product()
    }

    /// N, the larger side.
    pub fn rows(&self) -> usize {
        self.extent(self.axes().0)
    }

    /// M, the smaller side.
    pub fn cols(&self) -> usize {
        self.extent(self.axes().1)
    }

    /// Whether blocks come row-major or column-major: whichever reads memory in runs.
    pub fn order(&self) -> Order {
        let (rows, cols) = self.axes();
        let stride = |axis: usize| self.tensor.byte_strides()[axis].unsigned_abs();
        let down = rows.len() == 1 && (cols.is_empty() || stride(rows.start) < stride(cols.end - 1));
        if down || cols.is_empty() { Order::ColMajor } else { Order::RowMajor }
    }

    /// Reads rows `start..start + count` into `out`, in the order of [`order`](Self::order).
    ///
    /// # Panics
    /// When `out` does not hold `count * cols` numbers or the rows are out of range.
    pub fn read<T: Real>(&self, start: usize, count: usize, out: &mut [T]) {
        assert_eq!(out.len(), count * self.cols(), "block size");
        assert!(start + count <= self.rows(), "rows out of range");
        if out.is_empty() {
            return;
        }
        let (rows, cols) = self.axes();
        let shape = self.tensor.shape();
        let mut index = vec![0; shape.len()];
        match self.order() {
            Order::ColMajor => {
                let mut run = vec![0.0; count];
                let col_shape = &shape[cols.clone()];
                let mut col = vec![0; cols.len()];
                for column in out.chunks_exact_mut(count) {
                    index[cols.clone()].copy_from_slice(&col);
                    index[rows.start] = start;
                    self.read_run(&index, rows.start, &mut run, column);
                    advance(&mut col, col_shape);
                }
            }
            Order::RowMajor => {
                let inner = cols.end - 1;
                let (outer, width) = (cols.start..inner, shape[inner]);
                let mut run = vec![0.0; width];
                let mut row = unravel(start, &shape[rows.clone()]);
                for line in out.chunks_exact_mut(self.cols()) {
                    index[rows.clone()].copy_from_slice(&row);
                    let mut col = vec![0; outer.len()];
                    for piece in line.chunks_exact_mut(width) {
                        index[outer.clone()].copy_from_slice(&col);
                        index[inner] = 0;
                        self.read_run(&index, inner, &mut run, piece);
                        advance(&mut col, &shape[outer.clone()]);
                    }
                    advance(&mut row, &shape[rows.clone()]);
                }
            }
        }
    }

    fn read_run<T: Real>(&self, index: &[usize], axis: usize, run: &mut [f64], out: &mut [T]) {
        self.tensor.read_run(index, Some(axis), run);
        if self.to_single {
            run.iter_mut().for_each(|v| *v = f64::from(*v as f32));
        }
        for (to, from) in out.iter_mut().zip(run) {
            *to = T::from_f64(*from);
        }
    }
}

fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &extent) in index.iter_mut().zip(shape).rev() {
        *i = flat % extent;
        flat /= extent;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(shape: Vec<usize>) -> Tensor {
        let n: usize = shape.iter().product();
        Tensor::from_f64(shape, &(0..n).map(|i| i as f64).collect::<Vec<_>>()).unwrap()
    }

    /// Row-major elements, whatever order blocks of `step` rows come in.
    fn dense(view: &MatrixView, step: usize) -> Vec<f64> {
        let (n, m) = (view.rows(), view.cols());
        let mut out = vec![f64::NAN; n * m];
        for start in (0..n).step_by(step) {
            let count = step.min(n - start);
            let mut block = vec![0.0; count * m];
            view.read(start, count, &mut block);
            for i in 0..count {
                for j in 0..m {
                    out[(start + i) * m + j] = match view.order() {
                        Order::RowMajor => block[i * m + j],
                        Order::ColMajor => block[j * count + i],
                    };
                }
            }
        }
        out
    }

    #[test]
    fn a_wide_matrix_is_read_as_its_tall_transpose_in_blocks_of_any_size() {
        let wide = MatrixView::new(counting(vec![2, 5]), 1);
        assert_eq!((wide.rows(), wide.cols(), wide.order()), (5, 2, Order::ColMajor));
        for step in 1..=5 {
            assert_eq!(dense(&wide, step), [0.0, 5.0, 1.0, 6.0, 2.0, 7.0, 3.0, 8.0, 4.0, 9.0]);
        }
        let tall = MatrixView::new(counting(vec![5, 2]), 1);
        assert_eq!((tall.order(), dense(&tall, 2)), (Order::RowMajor, (0..10).map(f64::from).collect()));
    }

    #[test]
    fn axes_that_memory_keeps_apart_read_the_same_as_merged_ones() {
        let t = counting(vec![3, 2, 4]);
        let merged = MatrixView::new(t.clone(), 1);
        let holes = MatrixView::new(counting(vec![3, 2, 6]).narrow(2, 0, 4), 1);
        assert_eq!((merged.rows(), merged.cols()), (8, 3));
        assert_eq!((holes.rows(), holes.cols()), (8, 3));
        let at = |i: usize, j: usize| (j * 12 + (i / 4) * 6 + i % 4) as f64;
        let expected: Vec<f64> = (0..24).map(|k| at(k / 3, k % 3)).collect();
        for step in [1, 3, 8] {
            assert_eq!(dense(&holes, step), expected);
            assert_eq!(dense(&merged, step), dense(&merged, 8));
        }
    }

    #[test]
    fn rounding_to_single_changes_doubles_only() {
        let t = Tensor::from_f64(vec![1, 1], &[0.1]).unwrap();
        let view = MatrixView::new(t, 1).rounded_to_single(true);
        assert_eq!(dense(&view, 1), [f64::from(0.1f32)]);
    }
}
