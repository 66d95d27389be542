//! The largest eigenvalues of `WᵀW` by products with it only.

use std::ops::Range;

use eigenscope_linalg::{NormalProduct, SolveError, Square, add_combinations, eigenpairs, inner_products};
use rayon::prelude::*;

use super::dot;
use crate::matrix::MatrixView;
use crate::spectrum::solve::stream_rows;
use crate::spectrum::{Rng, SpectrumError};

/// Elements of a piece of the matrix; pieces are summed in their order, whoever multiplies them.
const PIECE: usize = 1 << 21;
/// Most pieces, each of which has a sum of its own.
const PIECES: usize = 8;
/// Directions that are kept beside those asked for when the space starts again, and room for new ones.
const SPARE: usize = 32;
/// Directions that a Krylov space grows by: few, as its power lies in its depth.
const NARROW: usize = 8;
/// Directions between two looks at a Krylov space.
const EVERY: usize = 64;
/// Random directions beside those of a start, so that an eigenvector it has nothing of is found.
const STRANGE: usize = 2;
/// A pair is settled when its residual is below this share of its eigenvalue,
const SETTLED: f64 = 1e-4;
/// or below this share of the largest one, where rounding ends.
const ROUNDING: f64 = 1e-13;
/// Most steps.
const STEPS: usize = 300;

fn pieces(view: &MatrixView) -> Vec<Range<usize>> {
    let (n, m) = (view.rows(), view.cols());
    let count = (n.saturating_mul(m) / PIECE).clamp(1, PIECES);
    let height = n.div_ceil(count).max(1);
    (0..count).map(|k| (k * height).min(n)..((k + 1) * height).min(n)).collect()
}

/// Whatever is summed over rows, by pieces, the same bits for any number of threads.
fn summed<S: Send>(
    view: &MatrixView,
    threads: usize,
    of: impl Fn(Range<usize>) -> S + Send + Sync,
) -> Vec<S> {
    let pieces = pieces(view);
    if threads > 1 { pieces.into_par_iter().map(of).collect() } else { pieces.into_iter().map(of).collect() }
}

/// `WᵀW X`, the columns of X one after the other.
pub(super) fn normal_product(view: &MatrixView, columns: &[f64], threads: usize) -> Vec<f64> {
    let of = |rows: Range<usize>| {
        let mut product = NormalProduct::new(view.cols(), columns);
        stream_rows(view, rows, |block| product.add(block));
        product.finish()
    };
    let mut parts = summed(view, threads, of).into_iter();
    let mut sum = parts.next().unwrap_or_default();
    parts.for_each(|part| sum.iter_mut().zip(part).for_each(|(s, p)| *s += p));
    sum
}

/// `‖W‖²`, Frobenius.
pub fn sum_of_squares(view: &MatrixView, threads: usize) -> Result<f64, SpectrumError> {
    let of = |rows: Range<usize>| {
        let mut sum = 0.0;
        stream_rows::<f64>(view, rows, |block| sum += dot(block.data, block.data));
        sum
    };
    let total: f64 = summed(view, threads, of).into_iter().sum();
    if total.is_finite() { Ok(total) } else { Err(SpectrumError::NonFinite) }
}

/// The largest eigenvalues of `WᵀW`.
#[derive(Clone, Debug)]
pub struct Top {
    /// Largest first, each at most the eigenvalue it stands for.
    pub values: Vec<f64>,
    /// `‖WᵀW v - λ v‖` of each: an eigenvalue is at most so far away.
    pub residuals: Vec<f64>,
    /// Their unit eigenvectors, one after the other.
    pub vectors: Vec<f64>,
    /// Columns that were multiplied by `WᵀW`.
    pub products: usize,
}

impl Top {
    /// The largest residual over its eigenvalue; one that is rounding beside the largest eigenvalue counts as none.
    pub fn error(&self) -> f64 {
        let rounding = 10.0 * ROUNDING * self.values.first().copied().unwrap_or(0.0);
        let pairs = self.values.iter().zip(&self.residuals).filter(|(_, r)| **r > rounding);
        pairs.map(|(v, r)| r / v).fold(0.0, f64::max)
    }
}

/// The `count` largest eigenvalues of `WᵀW`, from `start`, vectors one after the other as an earlier [`Top`] of a similar matrix has them, or from random
/// ones. Without a start they are looked for in a block Krylov space (Saad, "Numerical Methods for Large Eigenvalue Problems", 2011, chapter 6); with one, or when
/// that has become large and starts again from the best of it, in a space that grows by the residuals of those that are not settled (chapter 8).
pub fn top_eigenvalues(
    view: &MatrixView,
    count: usize,
    start: Option<&[f64]>,
    seed: u64,
    threads: usize,
) -> Result<Top, SolveError> {
    let m = view.cols();
    let count = count.min(m);
    let mut rng = Rng::new(seed);
    let mut normals = |count: usize| (0..count).map(|_| rng.normal()).collect::<Vec<f64>>();
    let narrow = NARROW.min(m);
    let start = start.filter(|s| !s.is_empty() && s.len().is_multiple_of(m));
    let begin = match start {
        Some(start) => [start, &normals(m * STRANGE.min(m))].concat(),
        None => normals(m * narrow),
    };
    let mut space = Space::new(m);
    space.grow(begin, view, threads);
    // A Krylov space needs no look at its Ritz pairs to grow; any other does.
    let mut krylov = start.is_none();
    let mut look = if krylov { count + EVERY } else { 0 };
    let most = m.min(6 * count + 6 * EVERY);
    for _ in 0..STEPS {
        let next = if krylov && space.size() < look.min(most) {
            space.images_of_latest()
        } else {
            let found = space.best(count)?;
            let open = found.unsettled(count);
            if (open.is_empty() && found.values.len() == count) || space.size() == m {
                return Ok(found.top(count, space.products));
            }
            look = space.size() + EVERY;
            if space.size() + SPARE > most {
                krylov = false;
                space.restart(space.best(count + SPARE)?);
            }
            if krylov { space.images_of_latest() } else { found.residual_columns(m, &open) }
        };
        // What the space has parts of may be all there is: others are found from somewhere else.
        if !space.grow(next, view, threads) {
            krylov = false;
            if !space.grow(normals(m * narrow), view, threads) {
                break;
            }
        }
    }
    let found = space.best(count)?;
    Ok(found.top(count, space.products))
}

/// Orthonormal columns Q and their images `WᵀW Q`.
struct Space {
    m: usize,
    basis: Vec<f64>,
    image: Vec<f64>,
    /// `QᵀWᵀWQ`, a column for each of Q, as long as there were then: its upper triangle.
    inner: Vec<Vec<f64>>,
    products: usize,
    /// Columns that came last.
    latest: usize,
}

/// Ritz pairs, largest first.
struct Found {
    values: Vec<f64>,
    vectors: Vec<f64>,
    image: Vec<f64>,
    residuals: Vec<f64>,
}

impl Space {
    fn new(m: usize) -> Self {
        Space { m, basis: Vec::new(), image: Vec::new(), inner: Vec::new(), products: 0, latest: 0 }
    }

    fn size(&self) -> usize {
        self.basis.len() / self.m
    }

    /// Takes in what is new of these columns; false where nothing is.
    fn grow(&mut self, mut columns: Vec<f64>, view: &MatrixView, threads: usize) -> bool {
        let m = self.m;
        normalize(m, &mut columns);
        // Twice: what is left of a column that lay along the basis is mostly rounding, until it has length 1 again.
        for _ in 0..2 {
            let along = inner_products(m, &self.basis, &columns);
            add_combinations(m, &mut columns, -1.0, &self.basis, &along);
            columns = orthonormal(m, &columns, m - self.size());
        }
        let fresh = columns;
        if fresh.is_empty() {
            return false;
        }
        let image = normal_product(view, &fresh, threads);
        self.latest = fresh.len() / m;
        self.products += self.latest;
        let before = self.size();
        self.basis.extend(&fresh);
        self.image.extend(&image);
        let inner = inner_products(m, &self.basis, &image);
        let all = self.size();
        self.inner.extend(inner.chunks_exact(all).enumerate().map(|(k, c)| c[..=before + k].to_vec()));
        true
    }

    /// What a Krylov space grows by.
    fn images_of_latest(&self) -> Vec<f64> {
        self.image[self.image.len() - self.latest * self.m..].to_vec()
    }

    /// The largest Ritz pairs.
    fn best(&self, count: usize) -> Result<Found, SolveError> {
        let (m, size) = (self.m, self.size());
        let mut small = Square::zeros(size);
        for (j, column) in self.inner.iter().enumerate() {
            for (i, value) in column.iter().enumerate() {
                small.data_mut()[i * size + j] = *value;
            }
        }
        let (values, vectors) = eigenpairs(&small, 1)?;
        let kept = count.min(size);
        let order = (size - kept..size).rev();
        let chosen: Vec<f64> =
            order.clone().flat_map(|k| vectors.data()[k * size..(k + 1) * size].iter().copied()).collect();
        let values: Vec<f64> = order.map(|k| values[k]).collect();
        let (mut vectors, mut image) = (vec![0.0; m * kept], vec![0.0; m * kept]);
        add_combinations(m, &mut vectors, 1.0, &self.basis, &chosen);
        add_combinations(m, &mut image, 1.0, &self.image, &chosen);
        let pairs = vectors.chunks_exact(m).zip(image.chunks_exact(m)).zip(&values);
        let residuals = pairs
            .map(|((v, g), value)| v.iter().zip(g).map(|(v, g)| (g - value * v).powi(2)).sum::<f64>().sqrt());
        let residuals = residuals.collect();
        Ok(Found { values, vectors, image, residuals })
    }

    /// Only these are left.
    fn restart(&mut self, found: Found) {
        let values = &found.values;
        let diagonal = |j: usize| (0..=j).map(|i| if i == j { values[j] } else { 0.0 }).collect();
        self.inner = (0..values.len()).map(diagonal).collect();
        (self.basis, self.image) = (found.vectors, found.image);
    }
}

impl Found {
    /// Which of the first pairs are not settled, those farthest off first, a block at most.
    fn unsettled(&self, count: usize) -> Vec<usize> {
        let rounding = ROUNDING * self.values.first().copied().unwrap_or(0.0);
        let off = |k: usize| {
            self.residuals[k] / (SETTLED * self.values[k].max(0.0) + rounding).max(f64::MIN_POSITIVE)
        };
        let mut open: Vec<usize> = (0..count.min(self.values.len())).filter(|k| off(*k) > 1.0).collect();
        open.sort_by(|a, b| off(*b).total_cmp(&off(*a)));
        open.truncate(SPARE);
        open
    }

    fn residual_columns(&self, m: usize, which: &[usize]) -> Vec<f64> {
        let column = |k: &usize| {
            let (v, g) = (&self.vectors[k * m..(k + 1) * m], &self.image[k * m..(k + 1) * m]);
            let value = self.values[*k];
            v.iter().zip(g).map(move |(v, g)| g - value * v)
        };
        which.iter().flat_map(column).collect()
    }

    fn top(mut self, count: usize, products: usize) -> Top {
        let m = self.vectors.len() / self.values.len().max(1);
        self.values.truncate(count);
        self.residuals.truncate(count);
        self.vectors.truncate(count * m);
        self.values.iter_mut().for_each(|v| *v = v.max(0.0));
        Top { values: self.values, residuals: self.residuals, vectors: self.vectors, products }
    }
}

fn normalize(m: usize, columns: &mut [f64]) {
    for column in columns.chunks_exact_mut(m) {
        let length = dot(column, column).sqrt();
        if length > 0.0 {
            column.iter_mut().for_each(|x| *x /= length);
        }
    }
}

/// An orthonormal basis of what unit columns span, less what lay along others before, up to so many.
fn orthonormal(m: usize, columns: &[f64], most: usize) -> Vec<f64> {
    let mut basis: Vec<f64> = Vec::new();
    for column in columns.chunks_exact(m) {
        let mut v = column.to_vec();
        for _ in 0..2 {
            for u in basis.chunks_exact(m) {
                let along = dot(u, &v);
                v.iter_mut().zip(u).for_each(|(v, u)| *v -= along * u);
            }
        }
        let length = dot(&v, &v).sqrt();
        // What is left of a unit column is not rounding only.
        if length > 1e-10 && basis.len() / m < most {
            basis.extend(v.iter().map(|x| x / length));
        }
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::{Precision, Solver, eigenvalues};
    use crate::tensor::Tensor;

    fn heavy(n: usize, m: usize, seed: u64) -> Vec<f64> {
        let mut rng = Rng::new(seed);
        let scale: Vec<f64> = (0..m).map(|_| (1.0 - rng.uniform()).powf(-0.4)).collect();
        (0..n * m).map(|k| rng.normal() * scale[k % m]).collect()
    }

    fn view(n: usize, m: usize, data: &[f64]) -> MatrixView {
        MatrixView::new(Tensor::from_f64(vec![n, m], data).unwrap(), 1)
    }

    fn exact(view: &MatrixView) -> Vec<f64> {
        let mut values = eigenvalues(view, Precision::F64, Solver::Native, 1).unwrap().0;
        values.reverse();
        values
    }

    #[test]
    fn the_largest_eigenvalues_are_those_of_the_whole_spectrum() {
        for (n, m, count) in [(400, 300, 20), (900, 250, 1), (300, 300, 60), (40, 12, 12), (50, 20, 30)] {
            let w = view(n, m, &heavy(n, m, 3));
            let top = top_eigenvalues(&w, count, None, 1, 1).unwrap();
            let exact = exact(&w);
            assert_eq!(top.values.len(), count.min(m));
            for (k, (found, exact)) in top.values.iter().zip(&exact).enumerate() {
                assert!((found / exact - 1.0).abs() < 1e-7, "{n}x{m} {k}: {found} {exact}");
            }
            assert!(top.error() < 1.1e-4, "{:e}", top.error());
        }
    }

    #[test]
    fn a_start_near_the_answer_needs_fewer_products() {
        let (n, m, count) = (600, 400, 24);
        let data = heavy(n, m, 5);
        let before = top_eigenvalues(&view(n, m, &data), count, None, 1, 1).unwrap();
        let mut rng = Rng::new(9);
        let moved: Vec<f64> = data.iter().map(|w| w + 1e-4 * rng.normal()).collect();
        let moved = view(n, m, &moved);
        let cold = top_eigenvalues(&moved, count, None, 1, 1).unwrap();
        let warm = top_eigenvalues(&moved, count, Some(&before.vectors), 1, 1).unwrap();
        assert!(warm.products * 2 < cold.products, "{} {}", warm.products, cold.products);
        for (a, b) in warm.values.iter().zip(&cold.values) {
            assert!((a / b - 1.0).abs() < 1e-7, "{a} {b}");
        }
    }

    #[test]
    fn a_start_that_misses_the_largest_vector_does_not_hide_it() {
        let mut data = heavy(200, 100, 8);
        let before = top_eigenvalues(&view(200, 100, &data), 5, None, 1, 1).unwrap();
        data[17 * 100 + 3] = 500.0;
        let w = view(200, 100, &data);
        let top = top_eigenvalues(&w, 5, Some(&before.vectors), 1, 1).unwrap();
        assert!((top.values[0] / exact(&w)[0] - 1.0).abs() < 1e-10);
    }

    #[test]
    fn few_directions_and_none_are_spectra_too() {
        let data: Vec<f64> = (0..60 * 30).map(|k| f64::from(k % 30 == 4) * (k / 30) as f64).collect();
        let top = top_eigenvalues(&view(60, 30, &data), 6, None, 1, 1).unwrap();
        let square: f64 = (0..60).map(|i| f64::from(i * i)).sum();
        assert!((top.values[0] / square - 1.0).abs() < 1e-12);
        assert!(top.values[1..].iter().all(|v| *v < 1e-9 * square), "{:?}", top.values);
        let zero = top_eigenvalues(&view(60, 30, &[0.0; 1800]), 6, None, 1, 1).unwrap();
        assert_eq!(zero.values, [0.0; 6]);
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let (n, m) = (3000, 1500);
        let w = view(n, m, &heavy(n, m, 2));
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| top_eigenvalues(&w, 8, None, 1, threads)).unwrap().values
        };
        assert_eq!(on(1), on(3));
        assert!((sum_of_squares(&w, 1).unwrap() - sum_of_squares(&w, 2).unwrap()).abs() == 0.0);
    }
}
