//! The default solver: pure Rust, one stage for small matrices and two for others.

use crate::kernel::Isa;
use crate::{Block, EigenSolver, Faer, Real, SolveError, Square, two_stage};

/// Eigenvalues by a reduction to band form in matrix products, the chase of bulges along the band in cache, and a root-free QL
/// iteration in double precision; those of small matrices, and singular values, by [`Faer`].
///
/// Eigenvalues are the same bits for any number of threads; other instructions (AVX-512, AVX2, neither) give other rounding.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

/// Sides below which one stage is as fast.
const SMALL: usize = 160;

impl<T: Real> EigenSolver<T> for Native {
    fn name(&self) -> &'static str {
        two_stage::NAME
    }

    fn eigenvalues(&self, matrix: &Square<T>, threads: usize) -> Result<Vec<T>, SolveError> {
        if matrix.n() < SMALL {
            return Faer.eigenvalues(matrix, 1);
        }
        Ok(two_stage::eigenvalues(matrix, width(matrix.n()), Isa::best(), threads)?.0)
    }

    fn singular_values(&self, matrix: Block<'_, T>, threads: usize) -> Result<Vec<T>, SolveError> {
        Faer.singular_values(matrix, threads)
    }
}

/// The width of the band: a wide one makes the first stage's products efficient, a narrow one the second stage short.
pub(crate) fn width(n: usize) -> usize {
    if n < 1500 { 32 } else { 48 }
}
