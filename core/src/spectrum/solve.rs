//! One matrix: λ = σ² by its Gram matrix, checked, and by SVD where the Gram cannot hold the small ones.

use std::fmt;
use std::ops::Range;

use eigenscope_linalg::{Block, Buffer, EigenSolver, Faer, Gram, Native, Real, SolveError, TallQr};
use serde::{Deserialize, Serialize};

use crate::matrix::MatrixView;

/// Numbers in a block of rows while a tall matrix streams by: 8 MiB of doubles.
pub(crate) const BLOCK_NUMBERS: usize = 1 << 20;
/// Fewest rows of a block, so that the product stays efficient for wide matrices.
pub(crate) const MIN_BLOCK_ROWS: usize = 128;

/// The arithmetic of Gram matrix and solver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Doubles.
    #[default]
    F64,
    /// Singles: half the memory, about twice the speed; eigenvalues below about 1e-5 of the largest are approximate.
    F32,
}

impl Precision {
    /// For reports.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F64 => "f64",
            Precision::F32 => "f32",
        }
    }
}

/// Which library finds the eigenvalues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Solver {
    /// Our own, in pure Rust.
    #[default]
    Native,
    /// The `faer` crate, in pure Rust too.
    Faer,
    /// The system's LAPACK; needs the `lapack` feature.
    #[cfg(feature = "lapack")]
    Lapack,
}

impl Solver {
    fn instance<T: Real>(self) -> &'static dyn EigenSolver<T>
    where
        Native: EigenSolver<T>,
        Faer: EigenSolver<T>,
        LapackOrFaer: EigenSolver<T>,
    {
        match self {
            Solver::Native => &Native,
            Solver::Faer => &Faer,
            #[cfg(feature = "lapack")]
            Solver::Lapack => &eigenscope_linalg::Lapack,
        }
    }
}

#[cfg(feature = "lapack")]
type LapackOrFaer = eigenscope_linalg::Lapack;
#[cfg(not(feature = "lapack"))]
type LapackOrFaer = Faer;

/// How the eigenvalues of a matrix were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Eigenvalues of the Gram matrix of the smaller side.
    Gram,
    /// Squared singular values of the matrix (of its QR factor when tall): the Gram matrix would have lost the
    /// smallest.
    Svd,
    /// A block Krylov space: the largest only.
    Krylov,
    /// Stochastic Lanczos quadrature: a density.
    Lanczos,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Gram => "gram",
            Method::Svd => "svd",
            Method::Krylov => "krylov",
            Method::Lanczos => "lanczos",
        })
    }
}

/// Why a matrix has no spectrum.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpectrumError {
    /// Not every entry, or not every product of two, is a finite number.
    #[error("the Gram matrix is not finite: entries are NaN, infinite, or too large to square")]
    NonFinite,
    /// The solver gave up.
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// The eigenvalues contradict the matrix.
    #[error("{identity} of the eigenvalues is {found:e}, of the matrix {expected:e}")]
    Identity {
        /// Which sum.
        identity: &'static str,
        /// From the matrix.
        expected: f64,
        /// From the eigenvalues.
        found: f64,
    },
}

/// Eigenvalues of `WᵀW`, ascending, none below zero, and how they were found. `threads` above 1 uses the current rayon
/// pool inside this one matrix.
pub fn eigenvalues(
    view: &MatrixView,
    precision: Precision,
    solver: Solver,
    threads: usize,
) -> Result<(Vec<f64>, Method), SpectrumError> {
    match precision {
        // Below 1e-11 of the largest, the Gram's rounding is worth more than 1e-5 of an eigenvalue.
        Precision::F64 => solve::<f64>(view, solver.instance(), 1e-11, threads),
        Precision::F32 => solve::<f32>(view, solver.instance(), 1e-5, threads),
    }
}

fn solve<T: Real>(
    view: &MatrixView,
    solver: &dyn EigenSolver<T>,
    resolvable: f64,
    threads: usize,
) -> Result<(Vec<f64>, Method), SpectrumError> {
    let m = view.cols();
    let mut gram = Gram::<T>::new(m);
    stream(view, |block| gram.add(block, threads));
    let gram = gram.finish();
    let (trace, square) = (gram.trace(), gram.symmetric_norm_squared());
    if !(trace.is_finite() && square.is_finite()) {
        return Err(SpectrumError::NonFinite);
    }
    if trace == 0.0 {
        return Ok((vec![0.0; m], Method::Gram));
    }
    let mut values: Vec<f64> = solver.eigenvalues(&gram, threads)?.into_iter().map(Real::to_f64).collect();
    drop(gram);
    let slack = 32.0 * T::EPSILON * (view.rows() as f64).sqrt().max(m as f64);
    check("trace", trace, values.iter().sum(), slack)?;
    check("sum of squares", square, values.iter().map(|v| v * v).sum(), slack)?;
    let largest = values[m - 1];
    if values[0] > resolvable * largest {
        return Ok((values, Method::Gram));
    }
    let mut qr = TallQr::<T>::new(m);
    stream(view, |block| qr.add(block, threads));
    let singular = qr.singular_values(solver, threads)?;
    for (value, s) in values.iter_mut().zip(&singular) {
        *value = s.to_f64() * s.to_f64();
    }
    check("trace", trace, values.iter().sum(), slack)?;
    Ok((values, Method::Svd))
}

pub(super) fn stream<T: Real>(view: &MatrixView, take: impl FnMut(Block<'_, T>)) {
    stream_rows(view, 0..view.rows(), take);
}

/// The same with some of the rows.
pub(super) fn stream_rows<T: Real>(
    view: &MatrixView,
    range: Range<usize>,
    mut take: impl FnMut(Block<'_, T>),
) {
    let (n, m) = (range.end, view.cols());
    let step = (BLOCK_NUMBERS / m.max(1)).max(MIN_BLOCK_ROWS).min(range.len());
    let mut buffer = Buffer::<T>::zeros(step * m);
    let mut start = range.start;
    while start < n {
        let rows = step.min(n - start);
        let data = &mut buffer[..rows * m];
        view.read(start, rows, data);
        take(Block { rows, cols: m, order: view.order(), data });
        start += rows;
    }
}

fn check(identity: &'static str, expected: f64, found: f64, slack: f64) -> Result<(), SpectrumError> {
    if (expected - found).abs() <= slack * expected.abs() {
        Ok(())
    } else {
        Err(SpectrumError::Identity { identity, expected, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    fn view(rows: usize, cols: usize, value: impl Fn(usize, usize) -> f64) -> MatrixView {
        let data: Vec<f64> = (0..rows * cols).map(|k| value(k / cols, k % cols)).collect();
        MatrixView::new(Tensor::from_f64(vec![rows, cols], &data).unwrap(), 1)
    }

    #[test]
    fn a_tall_matrix_streams_in_blocks_to_the_same_spectrum() {
        // Columns of an orthogonal family scaled by 1, 2, 3: eigenvalues n/2 times 1, 4, 9.
        let n = 1 << 19;
        let tall = view(n, 3, |i, j| {
            let angle = 2.0 * std::f64::consts::PI * (i * (j + 1)) as f64 / n as f64;
            (j + 1) as f64 * angle.sin()
        });
        for precision in [Precision::F64, Precision::F32] {
            let (values, method) = eigenvalues(&tall, precision, Solver::Native, 1).unwrap();
            assert_eq!(method, Method::Gram);
            for (v, exact) in values.iter().zip([1.0, 4.0, 9.0]) {
                let tolerance = if precision == Precision::F64 { 1e-12 } else { 1e-4 };
                assert!((v / (exact * n as f64 / 2.0) - 1.0).abs() < tolerance, "{precision:?} {v}");
            }
        }
    }

    #[test]
    fn small_singular_values_come_from_an_svd() {
        let w = view(4, 2, |i, j| [[0.6, -0.8e-9], [0.8, 0.6e-9], [0.0, 0.0], [0.0, 0.0]][i][j]);
        let (values, method) = eigenvalues(&w, Precision::F64, Solver::Native, 1).unwrap();
        assert_eq!(method, Method::Svd);
        assert!((values[0].sqrt() / 1e-9 - 1.0).abs() < 1e-6, "{values:?}");
    }

    #[test]
    fn a_rank_deficient_matrix_has_zeros_at_the_level_of_rounding() {
        let (values, method) =
            eigenvalues(&view(40, 20, |i, _| i as f64), Precision::F64, Solver::Native, 1).unwrap();
        assert_eq!(method, Method::Svd);
        assert!(values[18] < 1e-26 * values[19], "{:?}", &values[17..]);
    }

    #[test]
    fn zeros_and_infinities_are_told_apart() {
        let zero = view(5, 3, |_, _| 0.0);
        assert_eq!(eigenvalues(&zero, Precision::F64, Solver::Native, 1).unwrap().0, [0.0; 3]);
        for bad in [f64::NAN, f64::INFINITY, 1e200] {
            let w = view(5, 3, |i, j| if (i, j) == (2, 1) { bad } else { 1.0 });
            assert_eq!(eigenvalues(&w, Precision::F64, Solver::Native, 1), Err(SpectrumError::NonFinite));
        }
    }
}
