//! Mean alpha drifts up: structure is being lost, as in late over-fitting or after a learning rate that is too large.

use super::{Hold, ModelSeries, Sign};

/// A line through the last means rises by more than noise explains.
#[derive(Clone, Debug, PartialEq)]
pub struct AlphaRising {
    /// Means the line is fitted to; 10 by default.
    pub window: usize,
    /// The line's rise over the window, in standard deviations of the means about it; 6 by default: with 10 points of pure noise
    /// that happens once in some thousand times.
    pub noise: f64,
    /// The rise must also be at least this; 0.5 by default.
    pub rise: f64,
    /// Layers with fewer eigenvalues are left out of the mean; 50 by default.
    pub min_evals: usize,
    /// 3 and 3 by default.
    pub hold: Hold,
}

impl Default for AlphaRising {
    fn default() -> Self {
        AlphaRising { window: 10, noise: 6.0, rise: 0.5, min_evals: 50, hold: Hold::new(3, 3) }
    }
}

impl AlphaRising {
    pub(super) fn model(&self, alphas: &ModelSeries) -> Sign {
        let count = alphas.means.len();
        if !alphas.fresh || count < self.window {
            return Sign::Silent;
        }
        let last: Vec<f64> = alphas.means.iter().skip(count - self.window).copied().collect();
        let (rise, noise) = drift(&last);
        if rise >= self.rise && rise > self.noise * noise {
            let to = last[last.len() - 1];
            return Sign::Bad(format!(
                "mean alpha rose by {rise:.2} to {to:.2} over {} commits, with a noise of {noise:.2}",
                self.window
            ));
        }
        Sign::Good
    }
}

/// The rise of the least-squares line from the first to the last of at least 3 values, and their standard deviation
/// about it.
fn drift(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / n;
    let across = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        values.iter().enumerate().map(|(i, v)| f(i as f64 - middle, v - mean)).sum()
    };
    let slope = across(&|t, v| t * v) / across(&|t, _| t * t);
    let residual = across(&|t, v| (v - slope * t).powi(2));
    (slope * (n - 1.0), (residual / (n - 2.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drift_is_the_least_squares_line_and_its_residual_deviation() {
        let (rise, noise) = drift(&[1.0, 2.0, 3.0, 4.0]);
        assert!((rise - 3.0).abs() < 1e-14 && noise < 1e-14);
        // By hand: slope 0.5, residuals 0.5, -1, 0.5.
        let (rise, noise) = drift(&[2.0, 1.0, 3.0]);
        assert!((rise - 1.0).abs() < 1e-14 && (noise - 1.5f64.sqrt()).abs() < 1e-14);
    }
}
