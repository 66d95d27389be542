//! `AᵀA X` over row blocks.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use crate::{Block, Buffer};

/// Accumulates the product of the Gram matrix of a tall matrix, which arrives in blocks of rows, with a few columns, without the Gram
/// matrix.
#[derive(Debug)]
pub struct NormalProduct<'a> {
    /// `n` numbers for each column.
    columns: &'a [f64],
    n: usize,
    sum: Vec<f64>,
    image: Buffer<f64>,
}

impl<'a> NormalProduct<'a> {
    /// For matrices of `n` columns, and columns of as many numbers one after the other.
    ///
    /// # Panics
    /// When `columns` does not hold whole columns.
    pub fn new(n: usize, columns: &'a [f64]) -> Self {
        assert!(n > 0 && columns.len().is_multiple_of(n), "columns of n numbers");
        NormalProduct { columns, n, sum: vec![0.0; columns.len()], image: Buffer::zeros(0) }
    }

    /// Adds `blockᵀ (block X)`.
    ///
    /// # Panics
    /// When the block does not have `n` columns.
    pub fn add(&mut self, block: Block<'_, f64>) {
        assert_eq!(block.cols, self.n, "columns of a block");
        let count = self.columns.len() / self.n;
        if self.image.len() < block.rows * count {
            self.image = Buffer::zeros(block.rows * count);
        }
        let image = &mut self.image[..block.rows * count];
        let x = MatRef::from_column_major_slice(self.columns, self.n, count);
        let to = MatMut::from_column_major_slice_mut(image, block.rows, count);
        matmul(to, Accum::Replace, block.mat(), x, 1.0, Par::Seq);
        let image = MatRef::from_column_major_slice(image, block.rows, count);
        let sum = MatMut::from_column_major_slice_mut(&mut self.sum, self.n, count);
        matmul(sum, Accum::Add, block.mat().transpose(), image, 1.0, Par::Seq);
    }

    /// The sum, column by column.
    pub fn finish(self) -> Vec<f64> {
        self.sum
    }
}

/// `AᵀB` of two matrices of `n` rows, column by column: a number for each column of A and each of B, those of A running fastest.
///
/// # Panics
/// When either does not hold whole columns.
pub fn inner_products(n: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
    let (p, q) = (a.len() / n, b.len() / n);
    let mut out = vec![0.0; p * q];
    matmul(
        MatMut::from_column_major_slice_mut(&mut out, p, q),
        Accum::Replace,
        MatRef::from_column_major_slice(a, n, p).transpose(),
        MatRef::from_column_major_slice(b, n, q),
        1.0,
        Par::Seq,
    );
    out
}

/// Adds `factor A S` to `to`, where A has `n` rows and S is `p` x `q`, column by column.
///
/// # Panics
/// When sizes do not fit.
pub fn add_combinations(n: usize, to: &mut [f64], factor: f64, a: &[f64], s: &[f64]) {
    let (p, q) = (a.len() / n, to.len() / n);
    assert_eq!(s.len(), p * q, "a coefficient for each pair of columns");
    matmul(
        MatMut::from_column_major_slice_mut(to, n, q),
        Accum::Add,
        MatRef::from_column_major_slice(a, n, p),
        MatRef::from_column_major_slice(s, p, q),
        factor,
        Par::Seq,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Order;

    #[test]
    fn products_are_those_of_the_definition_in_either_order() {
        // A = [[1, 2], [3, 4], [5, 6]], AᵀA = [[35, 44], [44, 56]].
        let columns = [1.0, 0.0, 1.0, -1.0];
        let mut product = NormalProduct::new(2, &columns);
        product.add(Block { rows: 2, cols: 2, order: Order::RowMajor, data: &[1.0, 2.0, 3.0, 4.0] });
        product.add(Block { rows: 1, cols: 2, order: Order::ColMajor, data: &[5.0, 6.0] });
        assert_eq!(product.finish(), [35.0, 44.0, -9.0, -12.0]);
        assert_eq!(inner_products(2, &columns, &[2.0, 3.0]), [2.0, -1.0]);
        let mut to = [1.0, 1.0];
        add_combinations(2, &mut to, -1.0, &columns, &[2.0, 3.0]);
        assert_eq!(to, [-4.0, 4.0]);
    }
}
