//! How much of the space of the largest singular vectors two matrices share, and their spectra.

use eigenscope_linalg::{EigenSolver, Faer, SolveError, Square, eigenpairs};

use super::products::Products;

/// Below this share of the largest eigenvalue a Gram matrix no longer holds the direction of an eigenvector.
const LEAST: f64 = 1e-10;

/// `‖U_Aᵀ U_B‖_F² / k` of the first k singular vectors (Hu et al., "LoRA", 2021, section 7.2, with i = j = k): 0 for
/// spaces without a common direction, 1 for the same space, k / side for two at random.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Overlap {
    /// Of the singular vectors along the larger side.
    pub rows: Option<f64>,
    /// Of those along the smaller side.
    pub columns: Option<f64>,
    /// How many vectors of each: fewer than asked for where a matrix has no more.
    pub count: usize,
    /// Eigenvalues of both Gram matrices, ascending.
    pub values: [Vec<f64>; 2],
}

impl Overlap {
    pub fn of(p: &Products, top: usize, threads: usize) -> Result<Self, SolveError> {
        let (values_a, first) = largest(&p.aa, top, threads)?;
        let (values_b, second) = largest(&p.bb, top, threads)?;
        let count = first.len().min(second.len());
        let mut overlap = Overlap { count, ..Overlap::default() };
        if count > 0 {
            let m = p.aa.n();
            // U_Aᵀ U_B = Σ_A⁻¹ V_Aᵀ (AᵀB) V_B Σ_B⁻¹: the long vectors are never formed.
            let through: Vec<Vec<f64>> = second[..count].iter().map(|v| times(&p.ab, v)).collect();
            let (mut columns, mut rows) = (0.0, 0.0);
            for (i, u) in first[..count].iter().enumerate() {
                for (j, v) in second[..count].iter().enumerate() {
                    columns += dot(u, v).powi(2);
                    rows += dot(u, &through[j]).powi(2) / (values_a[m - 1 - i] * values_b[m - 1 - j]);
                }
            }
            overlap.columns = Some((columns / count as f64).min(1.0));
            overlap.rows = Some((rows / count as f64).min(1.0));
        }
        overlap.values = [values_a, values_b];
        Ok(overlap)
    }
}

/// All eigenvalues, ascending, and the eigenvectors of the `top` largest, largest first, as far as they are more than
/// rounding.
fn largest(gram: &Square<f64>, top: usize, threads: usize) -> Result<(Vec<f64>, Vec<Vec<f64>>), SolveError> {
    let m = gram.n();
    if top == 0 {
        let values = Faer.eigenvalues(gram, threads)?;
        return Ok((values.into_iter().map(|v| v.max(0.0)).collect(), Vec::new()));
    }
    // All vectors of a side span it, whatever the matrix.
    let top = top.min((m / 2).max(1));
    let (values, vectors) = eigenpairs(gram, threads)?;
    let least = LEAST * values.last().copied().unwrap_or(0.0);
    let resolved = values.iter().filter(|v| **v > least).count();
    let vectors = vectors.data().chunks_exact(m).rev().take(top.min(resolved)).map(<[f64]>::to_vec).collect();
    Ok((values.into_iter().map(|v| v.max(0.0)).collect(), vectors))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// A square matrix times a vector.
fn times(square: &Square<f64>, v: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; v.len()];
    for (column, x) in square.data().chunks_exact(v.len()).zip(v) {
        out.iter_mut().zip(column).for_each(|(o, c)| *o += c * x);
    }
    out
}
