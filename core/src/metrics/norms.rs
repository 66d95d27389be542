//! Sums over the spectrum.

/// Σλ, the squared Frobenius norm.
pub fn norm(eigenvalues: &[f64]) -> f64 {
    eigenvalues.iter().sum()
}

/// log10 Σ λ^alpha over all λ (not only the tail), computed so that large exponents do not overflow.
pub fn log_alpha_norm(eigenvalues: &[f64], alpha: f64) -> f64 {
    let log_power = |v: f64| alpha * v.log10();
    let top = eigenvalues.iter().map(|&v| log_power(v)).fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return top;
    }
    let sum: f64 = eigenvalues.iter().map(|&v| 10f64.powf(log_power(v) - top)).sum();
    top + sum.log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alpha_norm_is_finite_where_its_terms_overflow() {
        let v = log_alpha_norm(&[1e3, 1e3], 200.0);
        assert!((v - (600.0 + 2f64.log10())).abs() < 1e-12, "{v}");
        assert!((log_alpha_norm(&[0.0, 2.0, 3.0], 2.0) - 13f64.log10()).abs() < 1e-15);
    }
}
