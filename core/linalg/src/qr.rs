//! The triangular factor of a tall matrix that arrives in blocks of rows.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::qr::no_pivoting::factor;
use faer::{Mat, Spec};

use crate::faer_solver::parallelism;
use crate::{Block, EigenSolver, Order, Real, SolveError};

/// Reduces a tall matrix to its `n` x `n` factor R, block by block (the sequential form of TSQR: Demmel, Grigori, Hoemmen,
/// Langou, "Communication-optimal parallel and sequential QR and LU factorizations", 2012). R has the singular values
/// of the whole, to the precision of an SVD of the whole, in memory n² plus a block.
#[derive(Clone, Debug)]
pub struct TallQr<T> {
    n: usize,
    /// R above, room for a block below.
    work: Mat<T>,
    filled: usize,
}

impl<T: Real> TallQr<T> {
    /// For matrices of `n` columns.
    pub fn new(n: usize) -> Self {
        TallQr { n, work: Mat::zeros(0, n), filled: 0 }
    }

    /// Takes the next rows in.
    ///
    /// # Panics
    /// When the block does not have `n` columns.
    pub fn add(&mut self, block: Block<'_, T>, threads: usize) {
        assert_eq!(block.cols, self.n, "columns of a QR block");
        let rows = self.filled + block.rows;
        let mut stacked = Mat::<T>::zeros(rows, self.n);
        stacked.as_mut().subrows_mut(0, self.filled).copy_from(self.work.as_ref().subrows(0, self.filled));
        stacked.as_mut().subrows_mut(self.filled, block.rows).copy_from(block.mat());
        self.filled = rows.min(self.n);
        if rows > self.n {
            triangularize(&mut stacked, threads);
        }
        self.work = stacked;
    }

    /// Singular values of all rows so far, ascending; fewer than `n` when there were fewer rows.
    pub fn singular_values(&self, solver: &dyn EigenSolver<T>, threads: usize) -> Result<Vec<T>, SolveError> {
        let mut data = Vec::with_capacity(self.filled * self.n);
        for j in 0..self.n {
            data.extend((0..self.filled).map(|i| self.work[(i, j)]));
        }
        let r = Block { rows: self.filled, cols: self.n, order: Order::ColMajor, data: &data };
        solver.singular_values(r, threads)
    }
}

/// Leaves R in the upper triangle and zeros below it.
fn triangularize<T: Real>(a: &mut Mat<T>, threads: usize) {
    let (m, n) = (a.nrows(), a.ncols());
    let par = parallelism(threads);
    let block = factor::recommended_block_size::<T>(m, n);
    let mut coefficients = Mat::<T>::zeros(block, m.min(n));
    let mut memory = MemBuffer::new(factor::qr_in_place_scratch::<T>(m, n, block, par, Spec::default()));
    let stack = MemStack::new(&mut memory);
    factor::qr_in_place(a.as_mut(), coefficients.as_mut(), par, stack, Spec::default());
    for j in 0..n {
        for i in j + 1..m {
            a[(i, j)] = T::default();
        }
    }
}
