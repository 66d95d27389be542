//! What a solver takes and gives.

use crate::Real;
use crate::kernel::{give_back, zeros};

/// The order of a dense block's elements in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A row after the other.
    RowMajor,
    /// A column after the other.
    ColMajor,
}

/// A dense `rows` x `cols` block of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a, T> {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Order of `data`.
    pub order: Order,
    /// `rows * cols` numbers.
    pub data: &'a [T],
}

impl<'a, T: Real> Block<'a, T> {
    pub(crate) fn mat(&self) -> faer::MatRef<'a, T> {
        match self.order {
            Order::RowMajor => faer::MatRef::from_row_major_slice(self.data, self.rows, self.cols),
            Order::ColMajor => faer::MatRef::from_column_major_slice(self.data, self.rows, self.cols),
        }
    }
}

/// A square matrix in column-major order. Symmetric ones hold their lower triangle; what is above it is not read.
#[derive(Clone, Debug)]
pub struct Square<T: 'static> {
    n: usize,
    data: Vec<T>,
}

impl<T: 'static> Drop for Square<T> {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.data));
    }
}

impl<T: Real> Square<T> {
    /// All zeros.
    pub fn zeros(n: usize) -> Self {
        Square { n, data: zeros(n * n) }
    }

    /// Rows, and columns.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Column-major elements.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// Column-major elements, to write.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// Sum of the diagonal.
    pub fn trace(&self) -> f64 {
        (0..self.n).map(|i| self.data[i * (self.n + 1)].to_f64()).sum()
    }

    /// Sum of squares of all elements of the symmetric matrix whose lower triangle is held.
    pub fn symmetric_norm_squared(&self) -> f64 {
        let mut sum = 0.0;
        for (j, column) in self.data.chunks_exact(self.n.max(1)).enumerate() {
            let diagonal = column[j].to_f64();
            let below: f64 = column[j + 1..].iter().map(|v| v.to_f64() * v.to_f64()).sum();
            sum += diagonal * diagonal + 2.0 * below;
        }
        sum
    }

    pub(crate) fn mat(&self) -> faer::MatRef<'_, T> {
        faer::MatRef::from_column_major_slice(&self.data, self.n, self.n)
    }

    pub(crate) fn mat_mut(&mut self) -> faer::MatMut<'_, T> {
        faer::MatMut::from_column_major_slice_mut(&mut self.data, self.n, self.n)
    }
}

/// Why there are no eigenvalues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// The iteration did not settle: in practice, NaN or infinity in the matrix.
    #[error("{0}: the eigenvalue iteration did not converge")]
    NoConvergence(&'static str),
    /// A dimension the library underneath cannot count.
    #[error("{0}: a side of {1} is too large for this solver")]
    TooLarge(&'static str, usize),
}

/// Values-only dense solvers. Each call is independent; implementations hold no state between calls.
///
/// `threads` above 1 allows the solver to use that many threads of the *current* rayon pool; with 1, results are the
/// same bits every time.
pub trait EigenSolver<T: Real>: Send + Sync {
    /// For reports: "faer", "lapack".
    fn name(&self) -> &'static str;

    /// Eigenvalues of a symmetric matrix given by its lower triangle, ascending.
    fn eigenvalues(&self, matrix: &Square<T>, threads: usize) -> Result<Vec<T>, SolveError>;

    /// Singular values of a general matrix, ascending.
    fn singular_values(&self, matrix: Block<'_, T>, threads: usize) -> Result<Vec<T>, SolveError>;
}
