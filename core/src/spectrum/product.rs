//! The spectrum of a product of two thin matrices, without the product.

use eigenscope_linalg::{EigenSolver, Faer, Gram, Square, eigenpairs};

use super::SpectrumError;
use super::solve::stream;
use crate::matrix::MatrixView;
use crate::source::Product;
use crate::tensor::Tensor;

/// Ranks up to which the small matrices are worth more than the product itself.
const MAX_RANK: usize = 512;

/// The squared singular values of `scale B A` that can differ from zero, ascending: those of `Λ^½ Vᵀ (AAᵀ) V Λ^½`, where
/// `BᵀB = V Λ Vᵀ`, as many as the rank has it. `None` where the factors are not thin.
pub fn product_eigenvalues(product: &Product, threads: usize) -> Option<Result<Vec<f64>, SpectrumError>> {
    let (&[out, rank], &[inner, input]) = (product.left.shape(), product.right.shape()) else { return None };
    let thin = rank > 0 && rank == inner && rank <= MAX_RANK && rank < out.min(input);
    thin.then(|| solve(product, rank, threads))
}

fn solve(product: &Product, rank: usize, threads: usize) -> Result<Vec<f64>, SpectrumError> {
    let (of_b, of_a) = (gram(&product.left, rank, threads), gram(&product.right, rank, threads));
    let finite = |g: &Square<f64>| g.symmetric_norm_squared().is_finite();
    if !(finite(&of_b) && finite(&of_a) && product.scale.is_finite()) {
        return Err(SpectrumError::NonFinite);
    }
    let (values, vectors) = eigenpairs(&of_b, threads)?;
    let columns: Vec<&[f64]> = vectors.data().chunks_exact(rank).collect();
    let mut small = Square::<f64>::zeros(rank);
    for (j, v) in columns.iter().enumerate() {
        let image = symmetric_times(&of_a, v);
        for (i, u) in columns.iter().enumerate().skip(j) {
            let inner: f64 = u.iter().zip(&image).map(|(x, y)| x * y).sum();
            small.data_mut()[j * rank + i] = inner * (values[i].max(0.0) * values[j].max(0.0)).sqrt();
        }
    }
    let squared = product.scale * product.scale;
    let values = Faer.eigenvalues(&small, threads)?;
    Ok(values.into_iter().map(|v| v.max(0.0) * squared).collect())
}

/// The Gram matrix of the thin side, whichever it is.
fn gram(factor: &Tensor, rank: usize, threads: usize) -> Square<f64> {
    let mut gram = Gram::<f64>::new(rank);
    stream(&MatrixView::new(factor.clone(), 1), |block| gram.add(block, threads));
    gram.finish()
}

/// A symmetric matrix, of which the lower triangle is held, times a vector.
fn symmetric_times(matrix: &Square<f64>, v: &[f64]) -> Vec<f64> {
    let n = matrix.n();
    let at = |i: usize, j: usize| matrix.data()[i.min(j) * n + i.max(j)];
    (0..n).map(|i| (0..n).map(|j| at(i, j) * v[j]).sum()).collect()
}
