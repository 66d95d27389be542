//! `BᵀB` over row blocks, half the work of a full product.

use faer::Accum;
use faer::linalg::matmul::triangular::{self, BlockStructure};

use crate::faer_solver::parallelism;
use crate::{Block, Real, Square};

/// Accumulates the Gram matrix of a tall matrix that arrives in blocks of rows, so that its cost in memory is its
/// smaller side squared plus a block.
#[derive(Clone, Debug)]
pub struct Gram<T> {
    sum: Square<T>,
}

impl<T: Real> Gram<T> {
    /// For matrices of `n` columns.
    pub fn new(n: usize) -> Self {
        Gram { sum: Square::zeros(n) }
    }

    /// Adds `blockᵀ block`.
    ///
    /// # Panics
    /// When the block does not have `n` columns, or its data not `rows * cols` numbers.
    pub fn add(&mut self, block: Block<'_, T>, threads: usize) {
        assert_eq!(block.cols, self.sum.n(), "columns of a Gram block");
        let b = block.mat();
        triangular::matmul(
            self.sum.mat_mut(),
            BlockStructure::TriangularLower,
            Accum::Add,
            b.transpose(),
            BlockStructure::Rectangular,
            b,
            BlockStructure::Rectangular,
            T::from_f64(1.0),
            parallelism(threads),
        );
    }

    /// The lower triangle of the sum.
    pub fn finish(self) -> Square<T> {
        self.sum
    }
}
