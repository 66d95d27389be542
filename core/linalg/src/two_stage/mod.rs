//! Eigenvalues of symmetric matrices in two stages: dense to band, band to tridiagonal.

mod band;
mod chase;
mod panel;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::kernel::Isa;
use crate::{Real, SolveError, Square, tridiagonal};

pub(crate) const NAME: &str = "native";

/// Time in the reduction to a band, in the chase, and in the iteration on the tridiagonal matrix.
pub type Stages = [Duration; 3];

/// Eigenvalues, ascending, of the matrix given by its lower triangle, through a band of `width` (a multiple of 16 up to 64).
pub(crate) fn eigenvalues<T: Real>(
    matrix: &Square<T>,
    width: usize,
    isa: Isa,
    threads: usize,
) -> Result<(Vec<T>, Stages), SolveError> {
    let n = matrix.n();
    let largest = largest(matrix).ok_or(SolveError::NoConvergence(NAME))?;
    if largest == 0.0 {
        return Ok((vec![T::default(); n], Stages::default()));
    }
    // Elements near 1, without rounding: squares of such neither overflow nor matter where they underflow.
    let limit = if T::EPSILON > 1e-10 { 120 } else { 1000 };
    let exponent = (largest.log2().floor() as i32).clamp(-limit, limit);
    let mut times = Stages::default();
    let start = Instant::now();
    let band = band::reduce(matrix, T::from_f64(2f64.powi(-exponent)), width, isa, threads);
    times[0] = start.elapsed();
    let (mut values, mut below) = chase::tridiagonal(band, isa, threads);
    times[1] = start.elapsed() - times[0];
    tridiagonal::eigenvalues(&mut values, &mut below, isa, NAME)?;
    values.sort_by(f64::total_cmp);
    times[2] = start.elapsed() - times[0] - times[1];
    let back = 2f64.powi(exponent);
    let values: Vec<T> = values.into_iter().map(|v| T::from_f64(v * back)).collect();
    if values.iter().all(|v| v.to_f64().is_finite()) {
        Ok((values, times))
    } else {
        Err(SolveError::NoConvergence(NAME))
    }
}

/// The largest size of an element of the lower triangle; `None` where one is no number.
fn largest<T: Real>(matrix: &Square<T>) -> Option<f64> {
    let n = matrix.n();
    let mut largest = 0.0f64;
    for (j, column) in matrix.data().chunks_exact(n.max(1)).enumerate() {
        // A sum of products with zero is zero unless one is no number, and needs no branch.
        let (mut most, mut bad) = (T::default(), T::default());
        for v in &column[j..] {
            let size = if *v < T::default() { -*v } else { *v };
            most = if size > most { size } else { most };
            bad += *v * T::default();
        }
        if bad != T::default() {
            return None;
        }
        largest = largest.max(most.to_f64());
    }
    Some(largest)
}

/// A sum of squares, of numbers beside others near 1, that is as good as zero. Smaller ones have lost digits to underflow, and a reflector
/// of such a length would not be orthogonal.
#[inline(always)]
fn negligible<T: Real>() -> T {
    T::from_f64(if T::EPSILON > 1e-10 { 1e-30 } else { 1e-280 })
}
