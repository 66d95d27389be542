//! Spectra that cost less than all eigenvalues, and say how far off they may be.

mod density;
mod krylov;
mod windows;

use serde::{Deserialize, Serialize};

pub use density::{Density, UpperHalf, density};
pub use krylov::{Top, sum_of_squares, top_eigenvalues};
pub use windows::{Window, sub_matrices};

/// How the eigenvalues of a layer are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimate {
    /// All of them.
    #[default]
    Exact,
    /// So many of the largest, by a block Krylov method.
    Top(usize),
    /// Those of square sub-matrices with sides so long, pooled (FARMS: Hu et al., arXiv 2506.06280, 2025).
    Windows(usize),
    /// Their density by stochastic Lanczos quadrature of so many steps (Ubaru, Chen, Saad 2017).
    Density(usize),
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Estimate::Exact => f.write_str("exact"),
            Estimate::Top(count) => write!(f, "top {count}"),
            Estimate::Windows(side) => write!(f, "windows {side}"),
            Estimate::Density(steps) => write!(f, "density {steps}"),
        }
    }
}
