//! Matrices taken apart and put together again without some of their singular values.

use eigenscope_linalg::{Block, SolveError, Svd};
use ndarray::{Array2, ShapeBuilder};

use crate::matrix::MatrixView;

/// The singular values and vectors of a matrix.
pub(super) fn taken_apart(view: &MatrixView, threads: usize) -> Result<Svd, SolveError> {
    let (rows, cols) = (view.rows(), view.cols());
    let mut data = vec![0.0; rows * cols];
    view.read(0, rows, &mut data);
    Svd::new(Block { rows, cols, order: view.order(), data: &data }, threads)
}

/// The matrix of the `count` largest singular values.
pub(super) fn largest(view: &MatrixView, svd: &Svd, count: usize, threads: usize) -> Array2<f64> {
    let part = svd.part(0..count, threads);
    Array2::from_shape_vec((view.rows(), view.cols()).f(), part).expect("a number for each element")
}

/// The matrix without the `count` largest singular values.
pub(super) fn without_largest(view: &MatrixView, svd: &Svd, count: usize, threads: usize) -> Array2<f64> {
    view.to_array() - largest(view, svd, count, threads)
}

/// How many of the `count` largest singular values of all matrices together each of them has.
pub(super) fn shares(all: &[Svd], count: usize) -> Vec<usize> {
    let mut pooled: Vec<(f64, usize)> =
        all.iter().enumerate().flat_map(|(k, svd)| svd.values().iter().map(move |v| (*v, k))).collect();
    // Stable, so that equal values are taken in the order of their matrices.
    pooled.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut shares = vec![0; all.len()];
    pooled.iter().take(count).for_each(|(_, k)| shares[*k] += 1);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    fn diagonal(values: &[f64]) -> MatrixView {
        let n = values.len();
        let cells: Vec<f64> =
            (0..n * n).map(|k| if k % (n + 1) == 0 { values[k / n] } else { 0.0 }).collect();
        MatrixView::new(Tensor::from_f64(vec![n, n], &cells).unwrap(), 1)
    }

    #[test]
    fn the_largest_of_all_matrices_together_fall_to_those_that_have_them() {
        let views = [diagonal(&[1.0, 9.0, 5.0]), diagonal(&[8.0, 2.0, 3.0])];
        let all: Vec<Svd> = views.iter().map(|v| taken_apart(v, 1).unwrap()).collect();
        assert_eq!(shares(&all, 3), [2, 1]);
        assert_eq!(shares(&all, 9), [3, 3]);
        assert_eq!(shares(&all, 0), [0, 0]);
        let kept = largest(&views[0], &all[0], 2, 1);
        let rest = without_largest(&views[0], &all[0], 2, 1);
        assert!((kept.diag()[1] - 9.0).abs() < 1e-14 && kept.diag()[0].abs() < 1e-14);
        assert!((rest.diag()[0] - 1.0).abs() < 1e-14 && rest.diag()[1].abs() < 1e-14);
    }
}
