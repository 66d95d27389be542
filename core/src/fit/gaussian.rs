//! The exponent that pure noise would give: fits of Gaussian matrices of a layer's shape.
//!
//! Their spectra need no matrix: Gaussian N x M singular values are those of a bidiagonal matrix of chi variables (Dumitriu, Edelman,
//! "Matrix models for beta ensembles", 2002), so a replicate costs M² rather than N M² operations.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::random::Stream;
use super::{FitError, PowerLaw};

/// Operations a reference may cost, in eigenvalues squared.
const WORK: f64 = 1e9;
/// Replicates at least and at most.
const REPLICATES: (f64, f64) = (100.0, 800.0);
/// Shapes remembered.
const REMEMBERED: usize = 4096;
/// The seed of every reference: a layer's score changes with its weights only.
const SEED: u64 = 0x5EED;

/// The exponents of Gaussian matrices.
///
/// Without a power law the scan now and then takes the few largest values for one, and alpha comes out at 20 or 50: its standard deviation
/// between matrices is that of a few outliers. `1 / (alpha - 1)`, the mean of log(λ / xmin), has no such tail, so means and scores are of
/// that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NullReference {
    /// The exponent at the mean of `1 / (alpha - 1)`.
    pub alpha: f64,
    /// Standard deviation of `1 / (alpha - 1)` between matrices, as one of alpha near [`alpha`](Self::alpha).
    pub sd: f64,
    /// Replicates behind them.
    pub replicates: usize,
}

impl NullReference {
    /// How many standard deviations an exponent is from that of noise, on the scale of `1 / (alpha - 1)`.
    pub fn score(&self, alpha: f64) -> f64 {
        let excess = self.alpha - 1.0;
        (1.0 / excess - 1.0 / (alpha - 1.0)) * excess * excess / self.sd
    }
}

/// The sides of a layer's matrices and how many are pooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// Larger side.
    pub n: usize,
    /// Smaller side.
    pub m: usize,
    /// Matrices.
    pub slices: usize,
}

/// References found, by shape and by the rule that fits: the answer depends on nothing else.
type Known = BTreeMap<(Shape, u64), Option<NullReference>>;
static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());

/// The reference of a shape under a fit. `rule` stands for the fit: the same number, the same fit.
pub fn null_reference(
    shape: Shape,
    rule: u64,
    fit: impl Fn(&[f64]) -> Result<PowerLaw, FitError> + Sync,
) -> Option<NullReference> {
    let key = (shape, rule);
    if let Some(known) = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return *known;
    }
    let eigenvalues = (shape.slices * shape.m) as f64;
    let count = (WORK / (eigenvalues * shape.m as f64)).clamp(REPLICATES.0, REPLICATES.1) as u64;
    let means: Vec<f64> = (0..count)
        .into_par_iter()
        .filter_map(|replicate| fit(&gaussian_spectrum(shape, SEED, replicate)).ok())
        .filter(|fit| fit.alpha.is_finite())
        .map(|fit| 1.0 / (fit.alpha - 1.0))
        .collect();
    let n = means.len() as f64;
    let mean = means.iter().sum::<f64>() / n;
    let sd = (means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let found = (means.len() > 10).then(|| NullReference {
        alpha: 1.0 + 1.0 / mean,
        sd: sd / (mean * mean),
        replicates: means.len(),
    });
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key, found);
    found
}

/// Ascending eigenvalues of that many independent `W Wᵀ`, pooled, of Gaussian matrices W with variance 1.
pub fn gaussian_spectrum(shape: Shape, seed: u64, replicate: u64) -> Vec<f64> {
    let mut stream = Stream::new(seed, replicate);
    let mut pooled = Vec::with_capacity(shape.slices * shape.m);
    for _ in 0..shape.slices {
        let m = shape.m;
        let above: Vec<f64> = (0..m).map(|i| stream.chi_squared(shape.n.max(m) - i)).collect();
        let below: Vec<f64> = (1..m).rev().map(|k| stream.chi_squared(k)).collect();
        let mut diagonal: Vec<f64> =
            (0..m).map(|i| above[i] + if i > 0 { below[i - 1] } else { 0.0 }).collect();
        let mut beside: Vec<f64> = (0..m.saturating_sub(1)).map(|i| (above[i] * below[i]).sqrt()).collect();
        beside.push(0.0);
        tridiagonal_eigenvalues(&mut diagonal, &mut beside);
        pooled.extend(diagonal.into_iter().map(|v| v.max(0.0)));
    }
    pooled.sort_unstable_by(f64::total_cmp);
    pooled
}

/// Eigenvalues of a symmetric tridiagonal matrix by implicit QL, in place of its diagonal (EISPACK imtql1).
fn tridiagonal_eigenvalues(d: &mut [f64], e: &mut [f64]) {
    let n = d.len();
    for l in 0..n {
        // 30 sweeps are the classic limit, never reached; an eigenvalue left rough would be a tiny error, not a wrong one.
        for _ in 0..30 {
            let m = (l..n - 1)
                .find(|&i| e[i].abs() <= f64::EPSILON * (d[i].abs() + d[i + 1].abs()))
                .unwrap_or(n - 1);
            if m == l {
                break;
            }
            let mut g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            g = d[m] - d[l] + e[l] / (g + g.hypot(1.0).copysign(g));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut early = false;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = (f * f + g * g).sqrt();
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    early = true;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                let q = (d[i] - g) * s + 2.0 * c * b;
                p = s * q;
                d[i + 1] = g + p;
                g = c * q - b;
            }
            if !early {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{SmallNSigma, fit_power_law};

    #[test]
    fn the_tridiagonal_of_a_path_has_its_known_eigenvalues() {
        let n = 50;
        let (mut d, mut e) = (vec![2.0; n], vec![-1.0; n]);
        e[n - 1] = 0.0;
        tridiagonal_eigenvalues(&mut d, &mut e);
        d.sort_by(f64::total_cmp);
        for (k, found) in d.iter().enumerate() {
            let angle = std::f64::consts::PI * (k + 1) as f64 / (2 * (n + 1)) as f64;
            assert!((found - 4.0 * angle.sin().powi(2)).abs() < 1e-13);
        }
    }

    #[test]
    fn spectra_fill_the_marchenko_pastur_interval_and_have_its_moments() {
        let shape = Shape { n: 400, m: 200, slices: 1 };
        let x = gaussian_spectrum(shape, 1, 0);
        let (low, high) = ((1.0 - 0.5f64.sqrt()).powi(2), (1.0 + 0.5f64.sqrt()).powi(2));
        assert!((x[0] / 400.0 / low - 1.0).abs() < 0.2 && (x[199] / 400.0 / high - 1.0).abs() < 0.05);
        let mean = x.iter().sum::<f64>() / 200.0 / 400.0;
        let square = x.iter().map(|v| v * v).sum::<f64>() / 200.0 / 160_000.0;
        assert!((mean - 1.0).abs() < 0.02 && (square - 1.5).abs() < 0.06, "{mean} {square}");
    }

    #[test]
    fn scores_of_other_gaussian_matrices_are_standard() {
        let fit = |x: &[f64]| fit_power_law(x, SmallNSigma::FromAlpha);
        let shape = Shape { n: 120, m: 60, slices: 1 };
        let reference = null_reference(shape, 0, fit).unwrap();
        let scores: Vec<f64> =
            (0..300).map(|r| reference.score(fit(&gaussian_spectrum(shape, 77, r)).unwrap().alpha)).collect();
        let mean = scores.iter().sum::<f64>() / 300.0;
        let sd = (scores.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / 299.0).sqrt();
        assert!(mean.abs() < 0.12 && (sd - 1.0).abs() < 0.1, "{mean} {sd}");
        assert_eq!(null_reference(shape, 0, |_| Err(FitError::Degenerate)), Some(reference));
    }
}
