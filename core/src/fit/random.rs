//! Random numbers for simulations: splitmix64, a stream for every seed and replicate, so that results do not depend on threads.

use crate::spectrum::{box_muller, splitmix};

/// A stream.
#[derive(Clone, Debug)]
pub(super) struct Stream(u64);

impl Stream {
    /// The stream of that replicate.
    pub(super) fn new(seed: u64, replicate: u64) -> Self {
        // Through the generator once, so that neighbouring streams are not shifts of one another.
        let mut first = Stream(seed ^ replicate.wrapping_mul(0xD134_2543_DE82_EF95));
        Stream(first.bits() ^ replicate)
    }

    fn bits(&mut self) -> u64 {
        splitmix(&mut self.0)
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * 2f64.powi(-53)
    }

    /// Uniform among the first `n` whole numbers.
    pub(super) fn index(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n.saturating_sub(1))
    }

    fn normal(&mut self) -> f64 {
        box_muller(self.uniform(), self.uniform())
    }

    /// Chi-squared with `k >= 1` degrees of freedom (Marsaglia, Tsang 2000).
    pub(super) fn chi_squared(&mut self, k: usize) -> f64 {
        let shape = 0.5 * k as f64;
        if k < 2 {
            return self.normal().powi(2);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return 2.0 * d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chi_squared_has_its_mean_and_variance() {
        for k in [1, 2, 3, 50] {
            let mut stream = Stream::new(5, k as u64);
            let draws: Vec<f64> = (0..40_000).map(|_| stream.chi_squared(k)).collect();
            let mean = draws.iter().sum::<f64>() / 4e4;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4e4;
            let k = k as f64;
            assert!(
                (mean / k - 1.0).abs() < 0.03 && (variance / (2.0 * k) - 1.0).abs() < 0.06,
                "{k}: {mean} {variance}"
            );
        }
    }
}
