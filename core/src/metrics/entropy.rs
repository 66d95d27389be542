//! Entropy of the spectrum as a distribution, relative to its largest possible value.

use serde::{Deserialize, Serialize};

/// What is done about zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntropyRule {
    /// 0 log 0 = 0; rank 0 or 1 gives 0. Between 0 and 1.
    Exact,
    /// 1e-10 added to every p and to the rank (WeightWatcher 0.7.7): -1 or 206 for rank one.
    Epsilon,
}

/// `-Σ p log p / log(rank)` with `p = λ / Σλ`; NaN for an all-zero spectrum under [`EntropyRule::Epsilon`].
pub fn entropy(eigenvalues: &[f64], rank: usize, rule: EntropyRule) -> f64 {
    const EPSILON: f64 = 1e-10;
    let total: f64 = eigenvalues.iter().sum();
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    match rule {
        EntropyRule::Epsilon => {
            let sum: f64 = eigenvalues.iter().map(|v| v / total + EPSILON).map(|p| -p * p.ln()).sum();
            sum / (rank as f64 + EPSILON).ln()
        }
        EntropyRule::Exact if rank <= 1 || total <= 0.0 => 0.0,
        EntropyRule::Exact => eigenvalues.iter().map(|v| term(v / total)).sum::<f64>() / (rank as f64).ln(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_spectrum_has_entropy_one_and_a_single_value_none() {
        assert!((entropy(&[3.0; 12], 12, EntropyRule::Exact) - 1.0).abs() < 1e-15);
        assert_eq!(entropy(&[0.0, 0.0, 5.0], 1, EntropyRule::Exact), 0.0);
        assert_eq!(entropy(&[0.0; 4], 0, EntropyRule::Exact), 0.0);
    }

    #[test]
    fn the_reference_s_epsilon_gives_its_published_extremes() {
        assert!((entropy(&[7.0], 1, EntropyRule::Epsilon) + 1.0).abs() < 1e-6);
        let mut ten = vec![0.0; 9];
        ten.push(4.0);
        assert!((entropy(&ten, 1, EntropyRule::Epsilon) - 206.2).abs() < 0.05);
        assert!(entropy(&[0.0; 3], 0, EntropyRule::Epsilon).is_nan());
    }
}
