//! Symmetric eigenvalues and singular values behind one small trait.
//!
//! The pieces: [`Gram`] accumulates `BᵀB` over row blocks of a tall matrix, an [`EigenSolver`] gives its eigenvalues,
//! and [`TallQr`] is the accurate road for matrices whose small singular values the Gram matrix cannot hold. [`Svd`] has the vectors too.

mod cross;
mod faer_solver;
mod gram;
mod kernel;
#[cfg(feature = "lapack")]
mod lapack_solver;
mod qr;
mod real;
mod solver;
mod svd;
mod tridiagonal;
mod two_stage;

pub use cross::Cross;
pub use faer_solver::{Faer, eigenpairs};
pub use gram::Gram;
#[cfg(feature = "lapack")]
pub use lapack_solver::Lapack;
pub use qr::TallQr;
pub use real::Real;
pub use solver::{Block, EigenSolver, Order, SolveError, Square};
pub use svd::Svd;
pub use two_stage::TwoStage;
