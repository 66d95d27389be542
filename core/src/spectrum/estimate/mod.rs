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

/// `aᵀb`, in lanes, as sums that wait for one another are slow.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    let (mut a, mut b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (x, y) in (&mut a).zip(&mut b) {
        for k in 0..LANES {
            sums[k] += x[k] * y[k];
        }
    }
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f64>() + rest
}

/// The standard error of a number, from what it is without each of some groups of the sample (Quenouille 1956, Tukey 1958). Of fewer than two
/// it is 0.
pub fn jackknife(without: &[f64]) -> f64 {
    let n = without.len().max(1) as f64;
    let mean = without.iter().sum::<f64>() / n;
    ((n - 1.0) / n * without.iter().map(|v| (v - mean).powi(2)).sum::<f64>()).sqrt()
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
