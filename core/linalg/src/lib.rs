//! Symmetric eigenvalues and singular values behind one small trait.
//!
//! The pieces: [`Gram`] accumulates `BᵀB` over row blocks of a tall matrix, an [`EigenSolver`] gives its eigenvalues,
//! [`Native`] by default, and [`TallQr`] is the accurate road for matrices whose small singular values the Gram matrix cannot hold. [`Svd`] has the vectors too.

mod cross;
mod faer_solver;
mod gram;
mod kernel;
#[cfg(feature = "lapack")]
mod lapack_solver;
mod native;
mod normal;
mod qr;
mod real;
mod solver;
mod svd;
mod tridiagonal;
mod two_stage;

pub use cross::Cross;
pub use faer_solver::{Faer, eigenpairs};
pub use gram::Gram;
pub use kernel::{Buffer, Reuse};
#[cfg(feature = "lapack")]
pub use lapack_solver::Lapack;
pub use native::Native;
pub use normal::{NormalProduct, add_combinations, inner_products};
pub use qr::TallQr;
pub use real::Real;
pub use solver::{Block, EigenSolver, Order, SolveError, Square};
pub use svd::Svd;
pub use two_stage::Stages;

/// Eigenvalues as [`Native`] finds them, with a band of another width (16, 32, 48 or 64) where one is given, and the times of the stages;
/// for benchmarks.
pub fn timed_eigenvalues<T: Real>(
    matrix: &Square<T>,
    width: Option<usize>,
    threads: usize,
) -> Result<(Vec<T>, Stages), SolveError> {
    let width = width.unwrap_or_else(|| native::width(matrix.n()));
    two_stage::eigenvalues(matrix, width.clamp(16, 64) / 16 * 16, kernel::Isa::best(), threads)
}
