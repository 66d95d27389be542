//! Singular vectors, for taking a matrix apart and putting a part of it together again.

use std::ops::Range;

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::matmul::matmul;
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Accum, MatMut, MatRef, Spec};

use crate::faer_solver::parallelism;
use crate::{Block, SolveError};

/// `A = Σ σ_k u_k v_kᵀ`, largest first, of a matrix with at least as many rows as columns.
#[derive(Clone, Debug)]
pub struct Svd {
    rows: usize,
    values: Vec<f64>,
    /// Columns of `u`, one after the other.
    left: Vec<f64>,
    /// Columns of `v`.
    right: Vec<f64>,
}

impl Svd {
    /// Takes a matrix apart.
    ///
    /// # Panics
    /// When it has more columns than rows.
    pub fn new(matrix: Block<'_, f64>, threads: usize) -> Result<Self, SolveError> {
        let (rows, cols, par, thin) =
            (matrix.rows, matrix.cols, parallelism(threads), ComputeSvdVectors::Thin);
        assert!(rows >= cols, "the matrix is taller than wide");
        let params = Spec::default();
        let (mut left, mut right) = (vec![0.0; rows * cols], vec![0.0; cols * cols]);
        let mut values = vec![0.0; cols];
        let mut memory = MemBuffer::new(svd_scratch::<f64>(rows, cols, thin, thin, par, params));
        svd(
            matrix.mat(),
            DiagMut::from_slice_mut(&mut values),
            Some(MatMut::from_column_major_slice_mut(&mut left, rows, cols)),
            Some(MatMut::from_column_major_slice_mut(&mut right, cols, cols)),
            par,
            MemStack::new(&mut memory),
            params,
        )
        .map_err(|_| SolveError::NoConvergence("faer"))?;
        let finite = values.iter().chain(&left).chain(&right).all(|v| v.is_finite());
        let falling = values.windows(2).all(|pair| pair[0] >= pair[1]);
        if finite && falling {
            Ok(Svd { rows, values, left, right })
        } else {
            Err(SolveError::NoConvergence("faer"))
        }
    }

    /// σ, largest first.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// `Σ σ_k u_k v_kᵀ` over a range of k, column by column.
    pub fn part(&self, range: Range<usize>, threads: usize) -> Vec<f64> {
        let (cols, kept) = (self.values.len(), range.len());
        let mut out = vec![0.0; self.rows * cols];
        if kept == 0 {
            return out;
        }
        let mut scaled = self.left[range.start * self.rows..range.end * self.rows].to_vec();
        for (u, sigma) in scaled.chunks_exact_mut(self.rows).zip(&self.values[range.clone()]) {
            u.iter_mut().for_each(|x| *x *= sigma);
        }
        let right = &self.right[range.start * cols..range.end * cols];
        matmul(
            MatMut::from_column_major_slice_mut(&mut out, self.rows, cols),
            Accum::Replace,
            MatRef::from_column_major_slice(&scaled, self.rows, kept),
            MatRef::from_column_major_slice(right, cols, kept).transpose(),
            1.0,
            parallelism(threads),
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Order;

    fn wavy(rows: usize, cols: usize) -> Vec<f64> {
        (0..rows * cols).map(|k| ((k * k + 1) as f64 * 0.37).sin()).collect()
    }

    #[test]
    fn parts_add_up_to_the_matrix_whatever_its_order_and_shape() {
        for (rows, cols) in [(7, 7), (9, 4), (200, 3), (1, 1)] {
            let data = wavy(rows, cols);
            for order in [Order::RowMajor, Order::ColMajor] {
                let svd = Svd::new(Block { rows, cols, order, data: &data }, 1).unwrap();
                let (head, tail) = (svd.part(0..cols / 2, 1), svd.part(cols / 2..cols, 1));
                for i in 0..rows {
                    for j in 0..cols {
                        let sum = head[j * rows + i] + tail[j * rows + i];
                        let at = if order == Order::RowMajor { i * cols + j } else { j * rows + i };
                        assert!((sum - data[at]).abs() < 1e-13, "{rows}x{cols} {order:?}");
                    }
                }
                let squares: f64 = svd.values().iter().map(|s| s * s).sum();
                assert!((squares / data.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn the_largest_part_of_a_diagonal_matrix_is_its_largest_entry() {
        let mut data = vec![0.0; 9];
        (data[0], data[4], data[8]) = (1.0, -5.0, 3.0);
        let svd = Svd::new(Block { rows: 3, cols: 3, order: Order::RowMajor, data: &data }, 1).unwrap();
        assert!(svd.values().iter().zip([5.0, 3.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-14));
        let part = svd.part(0..1, 1);
        assert!((part[4] + 5.0).abs() < 1e-14 && part[8].abs() < 1e-14);
        assert_eq!(svd.part(1..1, 1), [0.0; 9]);
    }
}
