//! `AᵀB` over row blocks.

use faer::Accum;
use faer::linalg::matmul::matmul;

use crate::faer_solver::parallelism;
use crate::{Block, Real, Square};

/// Accumulates the product of a tall matrix, transposed, with another of the same sides, which arrive in blocks of the
/// same rows. All of the square is written.
#[derive(Clone, Debug)]
pub struct Cross<T: 'static> {
    sum: Square<T>,
}

impl<T: Real> Cross<T> {
    /// For matrices of `n` columns.
    pub fn new(n: usize) -> Self {
        Cross { sum: Square::zeros(n) }
    }

    /// Adds `aᵀ b`.
    ///
    /// # Panics
    /// When the blocks do not have the same rows and `n` columns each.
    pub fn add(&mut self, a: Block<'_, T>, b: Block<'_, T>, threads: usize) {
        assert_eq!(
            (a.cols, b.cols, a.rows),
            (self.sum.n(), self.sum.n(), b.rows),
            "sides of a pair of blocks"
        );
        let one = T::from_f64(1.0);
        matmul(self.sum.mat_mut(), Accum::Add, a.mat().transpose(), b.mat(), one, parallelism(threads));
    }

    /// The sum, column-major.
    pub fn finish(self) -> Square<T> {
        self.sum
    }
}
