//! Eigenvalues of large symmetric matrices in two stages: dense to band, band to tridiagonal.

mod band;
mod chase;
mod panel;

use crate::kernel::Isa;
use crate::{Block, EigenSolver, Faer, Real, SolveError, Square, tridiagonal};

const NAME: &str = "two-stage";

/// Eigenvalues by a reduction to band form in matrix products, the chase of its bulges in cache, and a root-free QL iteration in double
/// precision; small matrices and singular values by [`Faer`]. The same bits for any number of threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct TwoStage;

/// Sides below which one stage is as fast.
const SMALL: usize = 128;

impl<T: Real> EigenSolver<T> for TwoStage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn eigenvalues(&self, matrix: &Square<T>, threads: usize) -> Result<Vec<T>, SolveError> {
        if matrix.n() < SMALL {
            return Faer.eigenvalues(matrix, 1);
        }
        eigenvalues(matrix, width(matrix.n()), Isa::best(), threads)
    }

    fn singular_values(&self, matrix: Block<'_, T>, threads: usize) -> Result<Vec<T>, SolveError> {
        Faer.singular_values(matrix, threads)
    }
}

/// The band's width.
fn width(n: usize) -> usize {
    if let Ok(b) = std::env::var("EIG_B") {
        return b.parse().unwrap();
    }
    if n < 1500 { 32 } else { 48 }
}

fn eigenvalues<T: Real>(matrix: &Square<T>, b: usize, isa: Isa, threads: usize) -> Result<Vec<T>, SolveError> {
    let n = matrix.n();
    let largest = largest(matrix).ok_or(SolveError::NoConvergence(NAME))?;
    if largest == 0.0 {
        return Ok(vec![T::default(); n]);
    }
    let t0 = std::time::Instant::now();
    let band = band::reduce(matrix, T::from_f64(1.0 / largest), b, isa, threads);
    let t1 = std::time::Instant::now();
    let (mut values, mut below) = chase::tridiagonal(band, isa, threads);
    let t2 = std::time::Instant::now();
    tridiagonal::eigenvalues(&mut values, &mut below, NAME)?;
    if std::env::var("EIG_T").is_ok() {
        eprintln!("band {:?} chase {:?} ql {:?}", t1 - t0, t2 - t1, t2.elapsed());
    }
    values.sort_by(f64::total_cmp);
    Ok(values.into_iter().map(|v| T::from_f64(v * largest)).collect())
}

/// The largest element of the lower triangle; `None` where one is no number.
fn largest<T: Real>(matrix: &Square<T>) -> Option<f64> {
    let n = matrix.n();
    let mut largest = 0.0f64;
    for (j, column) in matrix.data().chunks_exact(n).enumerate() {
        // A sum of products with zero is zero unless one is no number, and needs no branch.
        let (mut most, mut bad) = (T::default(), T::default());
        for v in &column[j..] {
            let size = if *v < T::default() { -*v } else { *v };
            most = if size > most { size } else { most };
            bad = bad + *v * T::default();
        }
        if bad != T::default() {
            return None;
        }
        largest = largest.max(most.to_f64());
    }
    Some(largest)
}
