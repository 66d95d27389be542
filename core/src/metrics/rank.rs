//! How many singular values are more than rounding.

use serde::{Deserialize, Serialize};

use crate::tensor::Dtype;

/// The precision that rounding is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankTolerance {
    /// That of the type the weights are stored in.
    Storage,
    /// Double, whatever was stored (WeightWatcher 0.7.7).
    Double,
}

/// `σ_max N eps`: singular values not above it count as zero.
pub fn rank_tolerance(sigma_max: f64, n: usize, rule: RankTolerance, dtype: Dtype) -> f64 {
    let epsilon = match rule {
        RankTolerance::Storage => dtype.epsilon(),
        RankTolerance::Double => f64::EPSILON,
    };
    sigma_max * n as f64 * epsilon
}

/// Singular values above the tolerance, from eigenvalues.
pub fn matrix_rank(eigenvalues: &[f64], tolerance: f64) -> usize {
    eigenvalues.iter().filter(|v| v.sqrt() > tolerance).count()
}

/// Eigenvalues below the tolerance.
pub fn weak_rank_loss(eigenvalues: &[f64], tolerance: f64) -> usize {
    eigenvalues.iter().filter(|&&v| v < tolerance).count()
}
