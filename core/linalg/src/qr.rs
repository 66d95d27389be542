//! The triangular factor of a tall matrix that arrives in blocks of rows.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::qr::no_pivoting::factor;
use faer::{Mat, MatMut, Spec};

use crate::faer_solver::parallelism;
use crate::kernel::zeros;
use crate::{Block, EigenSolver, Order, Real, SolveError};

/// Reduces a tall matrix to its `n` x `n` factor R, block by block (the sequential form of TSQR: Demmel, Grigori, Hoemmen,
/// Langou, "Communication-optimal parallel and sequential QR and LU factorizations", 2012). R has the singular values
/// of the whole, to the precision of an SVD of the whole, in memory n² plus a block.
#[derive(Clone, Debug)]
pub struct TallQr<T> {
    n: usize,
    /// Column by column, `height` numbers each: R, or fewer rows as they came, above; room for a block below.
    work: Vec<T>,
    height: usize,
    filled: usize,
}

impl<T: Real> TallQr<T> {
    /// For matrices of `n` columns.
    pub fn new(n: usize) -> Self {
        TallQr { n, work: Vec::new(), height: 0, filled: 0 }
    }

    /// Takes the next rows in.
    ///
    /// # Panics
    /// When the block does not have `n` columns.
    pub fn add(&mut self, block: Block<'_, T>, threads: usize) {
        assert_eq!(block.cols, self.n, "columns of a QR block");
        let rows = self.filled + block.rows;
        if rows > self.height {
            self.grow(self.n.max(self.filled) + block.rows);
        }
        let n = self.n;
        let mut work = MatMut::from_column_major_slice_mut(&mut self.work, self.height, n);
        work.as_mut().subrows_mut(self.filled, block.rows).copy_from(block.mat());
        self.filled = rows.min(n);
        if rows > n {
            triangularize(work.subrows_mut(0, rows), threads);
        }
    }

    fn grow(&mut self, height: usize) {
        let mut work = zeros(height * self.n);
        for j in 0..self.n {
            work[j * height..][..self.filled].copy_from_slice(&self.work[j * self.height..][..self.filled]);
        }
        (self.work, self.height) = (work, height);
    }

    /// Singular values of all rows so far, ascending; fewer than `n` when there were fewer rows.
    pub fn singular_values(
        mut self,
        solver: &dyn EigenSolver<T>,
        threads: usize,
    ) -> Result<Vec<T>, SolveError> {
        for j in 1..self.n {
            let from = j * self.height;
            self.work.copy_within(from..from + self.filled, j * self.filled);
        }
        self.work.truncate(self.filled * self.n);
        let r = Block { rows: self.filled, cols: self.n, order: Order::ColMajor, data: &self.work };
        solver.singular_values(r, threads)
    }
}

/// Leaves R in the upper triangle and zeros below it.
fn triangularize<T: Real>(mut a: MatMut<'_, T>, threads: usize) {
    let (m, n) = (a.nrows(), a.ncols());
    let par = parallelism(threads);
    let block = factor::recommended_block_size::<T>(m, n);
    let mut coefficients = Mat::<T>::zeros(block, m.min(n));
    let mut memory = MemBuffer::new(factor::qr_in_place_scratch::<T>(m, n, block, par, Spec::default()));
    let stack = MemStack::new(&mut memory);
    factor::qr_in_place(a.as_mut(), coefficients.as_mut(), par, stack, Spec::default());
    for j in 0..n {
        a.as_mut().subrows_mut((j + 1).min(m), m - (j + 1).min(m)).col_mut(j).fill(T::default());
    }
}
