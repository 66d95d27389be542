//! The default solver: pure Rust, by `faer`.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{self, tridiag};
use faer::linalg::svd;
use faer::{Mat, Par, Spec};

use crate::kernel::Isa;
use crate::{Block, EigenSolver, Real, SolveError, Square, tridiagonal};

/// Eigenvalues by the one-stage tridiagonal reduction of `faer`, then a root-free QL iteration in double precision.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faer;

pub(crate) fn parallelism(threads: usize) -> Par {
    if threads > 1 { Par::rayon(threads) } else { Par::Seq }
}

impl<T: Real> EigenSolver<T> for Faer {
    fn name(&self) -> &'static str {
        "faer"
    }

    fn eigenvalues(&self, matrix: &Square<T>, threads: usize) -> Result<Vec<T>, SolveError> {
        let (n, par) = (matrix.n(), parallelism(threads));
        if n == 0 {
            return Ok(Vec::new());
        }
        let mut work = Mat::<T>::zeros(n, n);
        work.copy_from_triangular_lower(matrix.mat());
        let mut reflectors = Mat::<T>::zeros(1, n - 1);
        let mut memory = MemBuffer::new(tridiag::tridiag_in_place_scratch::<T>(n, par, Spec::default()));
        let stack = MemStack::new(&mut memory);
        tridiag::tridiag_in_place(work.as_mut(), reflectors.as_mut(), par, stack, Spec::default());
        let mut values: Vec<f64> = (0..n).map(|i| work[(i, i)].to_f64()).collect();
        let mut below: Vec<f64> = (1..n).map(|i| work[(i, i - 1)].to_f64()).collect();
        tridiagonal::eigenvalues(&mut values, &mut below, Isa::best(), "faer")?;
        ascending(values.into_iter().map(T::from_f64).collect())
    }

    fn singular_values(&self, matrix: Block<'_, T>, threads: usize) -> Result<Vec<T>, SolveError> {
        let par = parallelism(threads);
        let params = Spec::default();
        let mut values = vec![T::default(); matrix.rows.min(matrix.cols)];
        let none = svd::ComputeSvdVectors::No;
        let mut memory =
            MemBuffer::new(svd::svd_scratch::<T>(matrix.rows, matrix.cols, none, none, par, params));
        let diagonal = DiagMut::from_slice_mut(&mut values);
        svd::svd(matrix.mat(), diagonal, None, None, par, MemStack::new(&mut memory), params)
            .map_err(|_| SolveError::NoConvergence("faer"))?;
        ascending(values)
    }
}

/// Eigenvalues, ascending, and orthonormal eigenvectors, column by column, of a symmetric matrix given by its lower triangle.
pub fn eigenpairs(matrix: &Square<f64>, threads: usize) -> Result<(Vec<f64>, Square<f64>), SolveError> {
    let (n, par) = (matrix.n(), parallelism(threads));
    let params = Spec::default();
    let (mut values, mut vectors) = (vec![0.0; n], Square::<f64>::zeros(n));
    let scratch = evd::self_adjoint_evd_scratch::<f64>(n, evd::ComputeEigenvectors::Yes, par, params);
    let mut memory = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut memory);
    let diagonal = DiagMut::from_slice_mut(&mut values);
    evd::self_adjoint_evd(matrix.mat(), diagonal, Some(vectors.mat_mut()), par, stack, params)
        .map_err(|_| SolveError::NoConvergence("faer"))?;
    let sorted = values.is_sorted() && values.iter().all(|v| v.is_finite());
    if sorted { Ok((values, vectors)) } else { Err(SolveError::NoConvergence("faer")) }
}

fn ascending<T: Real>(mut values: Vec<T>) -> Result<Vec<T>, SolveError> {
    if values.iter().any(|v| !v.to_f64().is_finite()) {
        return Err(SolveError::NoConvergence("faer"));
    }
    values.sort_by(|a, b| a.to_f64().total_cmp(&b.to_f64()));
    Ok(values)
}
