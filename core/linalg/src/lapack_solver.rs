//! LAPACK through `lapack-src`: a second opinion, and the system's own library where it is wanted.

// The linker drops the library unless something names it.
extern crate lapack_src as _;

use crate::{Block, EigenSolver, Order, Real, SolveError, Square};

/// Eigenvalues by `?syevd`, singular values by `?gesdd`. Threads are the library's own business (OpenBLAS reads
/// `OPENBLAS_NUM_THREADS`), whatever the caller allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lapack;

const NAME: &str = "lapack";

fn side(n: usize) -> Result<i32, SolveError> {
    i32::try_from(n).map_err(|_| SolveError::TooLarge(NAME, n))
}

fn settled<T: Real>(info: i32, mut values: Vec<T>) -> Result<Vec<T>, SolveError> {
    if info != 0 || values.iter().any(|v| !v.to_f64().is_finite()) {
        return Err(SolveError::NoConvergence(NAME));
    }
    values.sort_by(|a, b| a.to_f64().total_cmp(&b.to_f64()));
    Ok(values)
}

/// Column-major elements of the block or, what has the same singular values, of its transpose.
fn column_major<T: Real>(block: &Block<'_, T>) -> (Vec<T>, usize, usize) {
    match block.order {
        Order::ColMajor => (block.data.to_vec(), block.rows, block.cols),
        Order::RowMajor => (block.data.to_vec(), block.cols, block.rows),
    }
}

macro_rules! solver {
    ($t:ty, $syevd:path, $gesdd:path) => {
        impl EigenSolver<$t> for Lapack {
            fn name(&self) -> &'static str {
                NAME
            }

            fn eigenvalues(&self, matrix: &Square<$t>, _threads: usize) -> Result<Vec<$t>, SolveError> {
                let n = side(matrix.n())?;
                if n == 0 {
                    return Ok(Vec::new());
                }
                let mut a = matrix.data().to_vec();
                let mut values = vec![0.0; matrix.n()];
                let (mut work, mut iwork, mut info) = (vec![0.0; 2 * matrix.n() + 1], vec![0i32; 1], 0);
                let lwork = 2 * n + 1;
                // SAFETY: a is n x n with leading dimension n, values has n elements, and work and iwork have the
                // 2n + 1 and 1 elements that jobz = 'N' asks for.
                unsafe {
                    $syevd(b'N', b'L', n, &mut a, n, &mut values, &mut work, lwork, &mut iwork, 1, &mut info);
                }
                settled(info, values)
            }

            fn singular_values(&self, block: Block<'_, $t>, _threads: usize) -> Result<Vec<$t>, SolveError> {
                let (mut a, rows, cols) = column_major(&block);
                let (m, n) = (side(rows)?, side(cols)?);
                let smaller = rows.min(cols);
                if smaller == 0 {
                    return Ok(Vec::new());
                }
                let mut values = vec![0.0; smaller];
                let mut iwork = vec![0i32; 8 * smaller];
                let (mut u, mut vt, mut info) = ([0.0; 1], [0.0; 1], 0);
                let mut best = [0.0; 1];
                // SAFETY: with lwork = -1 only the best size is written, to the one element of `best`; dimensions
                // are those of a; u and vt are not referenced with jobz = 'N'.
                unsafe {
                    $gesdd(
                        b'N',
                        m,
                        n,
                        &mut a,
                        m,
                        &mut values,
                        &mut u,
                        1,
                        &mut vt,
                        1,
                        &mut best,
                        -1,
                        &mut iwork,
                        &mut info,
                    );
                }
                let lwork = best[0] as i32;
                let mut work = vec![0.0; lwork.max(1) as usize];
                // SAFETY: as above, and work has the size asked for, iwork 8 min(m, n).
                unsafe {
                    $gesdd(
                        b'N',
                        m,
                        n,
                        &mut a,
                        m,
                        &mut values,
                        &mut u,
                        1,
                        &mut vt,
                        1,
                        &mut work,
                        lwork,
                        &mut iwork,
                        &mut info,
                    );
                }
                settled(info, values)
            }
        }
    };
}

solver!(f64, lapack::dsyevd, lapack::dgesdd);
solver!(f32, lapack::ssyevd, lapack::sgesdd);
