//! Correlation traps: eigenvalues of the *shuffled* matrix beyond the edge of random matrices. Shuffling leaves no correlations, so what
//! stands out are single weights that are too large (arXiv 2506.04434).

use eigenscope_linalg::Order;

use super::lanczos::{Dense, Lanczos, Ritz};
use super::marchenko_pastur::Ensemble;
use crate::matrix::MatrixView;
use crate::spectrum::Rng;

/// Steps of Lanczos before the first look, between looks, and at most.
const FIRST: usize = 12;
const EVERY: usize = 4;
const MOST: usize = 200;
/// No weight of a matrix without traps reaches this share of the size at which a single one leaves the bulk.
const TALLEST: f64 = 0.7;
/// Most weights named for a trap.
const NAMED: usize = 8;
/// Most traps whose vectors are looked at.
const LOCATED: usize = 16;

/// Eigenvalues, largest first, beyond the Tracy-Widom edge of matrices like this one, and that edge. The variance of the entries is what the
/// squared Frobenius norm `total` leaves when the traps are taken out of it, so a large trap does not hide a smaller one. All that
/// is asked of `descending` is its largest values.
pub fn count_traps(descending: &[f64], total: f64, ensemble: Ensemble, quantile: f64) -> (usize, f64) {
    let (n, m) = (ensemble.n as f64, ensemble.m as f64);
    let unit = ensemble.tracy_widom_edge(1.0, quantile);
    let (mut traps, mut carried) = (0, 0.0);
    loop {
        // Each trap takes a row and a column of freedom with it.
        let k = traps as f64;
        let freedom = (n - k) * (m - k);
        let edge = if freedom > 0.0 { (total - carried).max(0.0) / freedom * unit } else { f64::INFINITY };
        match descending.get(traps) {
            Some(value) if *value > edge => {
                carried += value;
                traps += 1;
            }
            _ => return (traps, edge),
        }
    }
}

/// A weight that carries a trap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Carrier {
    /// Row of the matrix as stored.
    pub row: usize,
    /// Column of it.
    pub col: usize,
    /// The weight.
    pub value: f64,
    /// Its part in the singular value: `w_ij u_i v_j / σ`.
    pub share: f64,
}

/// A trap.
#[derive(Clone, Debug, PartialEq)]
pub struct Trap {
    /// Which of the layer's matrices.
    pub slice: usize,
    /// Its eigenvalue.
    pub eigenvalue: f64,
    /// Its eigenvalue over the edge.
    pub excess: f64,
    /// Inverse participation ratio Σ u⁴ of its vector over rows: 1, one row; about 3/N, spread evenly.
    pub ipr_rows: f64,
    /// The same over columns.
    pub ipr_cols: f64,
    /// The weights that carry it: the largest, until they make up half of the singular value, eight at most.
    pub carriers: Vec<Carrier>,
}

fn ipr(v: &[f64]) -> f64 {
    v.iter().map(|x| x.powi(4)).sum()
}

/// Whether a matrix of these weights, whose squares sum up to `total`, can have no trap in any order but by the chance that the quantile allows for: one weight of size w
/// leaves the bulk from `σ (N M)^¼` on (Baik, Ben Arous, Péché 2005, for a spike of one element), and weights of moderate kurtosis have
/// the edge of Gaussian ones, whose width is of order `M^-⅔`, while their uneven rows move it by about `(kurtosis - 3) / M`.
fn tame(data: &[f32], total: f64, n: usize, m: usize) -> bool {
    let fourth: f64 = data.iter().map(|w| f64::from(*w).powi(4)).sum();
    let largest = data.iter().fold(0.0f32, |most, w| most.max(w.abs()));
    let count = (n * m) as f64;
    let variance = total / count;
    let excess = fourth / count / (variance * variance) - 3.0;
    f64::from(largest) < TALLEST * variance.sqrt() * count.powf(0.25) && excess < (m as f64).cbrt()
}

/// The traps of one matrix, largest first. Where the sizes of the weights leave room for one, it costs the largest eigenvalues of the
/// shuffled matrix, a few percent of all of them; else a look at each weight.
pub fn find_traps(
    view: &MatrixView,
    slice: usize,
    ensemble: Ensemble,
    scale: f64,
    quantile: f64,
    seed: u64,
) -> Vec<Trap> {
    let (n, m) = (view.rows(), view.cols());
    let mut data = vec![0.0f32; n * m];
    view.read(0, n, &mut data);
    let total: f64 = data.iter().map(|v| f64::from(*v).powi(2)).sum();
    if !(total.is_finite() && total > 0.0) || tame(&data, total, n, m) {
        return Vec::new();
    }
    Rng::new(seed).shuffle(&mut data);
    let row_major = view.order() == Order::RowMajor;
    // Shuffled elements have no rows of their own: lay them out so that the smaller side is the one searched.
    let matrix = Dense { cols: m, data: &data };
    let mut lanczos = Lanczos::new(matrix, seed);
    let (mut found, mut edge, mut next) = (0, 0.0, f64::NAN);
    while lanczos.step() {
        let steps = lanczos.steps();
        if steps < FIRST.min(m) || !(steps - FIRST.min(m)).is_multiple_of(EVERY) {
            continue;
        }
        let ritz = lanczos.ritz();
        let values: Vec<f64> = ritz.iter().map(|r| r.value).collect();
        (found, edge) = count_traps(&values, total, ensemble, quantile);
        let settled = ritz[..found].iter().all(|r| r.residual < 1e-6 * r.value);
        let below = values.get(found).copied().unwrap_or(0.0);
        // The next one rises toward its eigenvalue; it is let go when it has stopped well below the edge.
        let calm = (below - next).abs() < 0.05 * (edge - below);
        if (settled && calm) || steps >= MOST {
            break;
        }
        next = below;
    }
    let ritz = lanczos.ritz();
    let vectors = lanczos.vectors(found.min(LOCATED));
    let origin = if vectors.is_empty() { Vec::new() } else { origins(n * m, seed) };
    let place = |index: usize| {
        let from = origin[index];
        let (row, col) = if row_major { (from / m, from % m) } else { (from % n, from / n) };
        view.stored(row, col)
    };
    let trap = |(ritz, v): (&Ritz, Vec<f64>)| {
        let sigma = ritz.value.sqrt();
        let u: Vec<f64> = matrix.times(&v).into_iter().map(|x| x / sigma).collect();
        let carriers = carriers(matrix, &u, &v, sigma).into_iter().map(|(index, value, share)| {
            let (row, col) = place(index);
            Carrier { row, col, value, share }
        });
        Trap {
            slice,
            eigenvalue: scale * ritz.value,
            excess: ritz.value / edge,
            ipr_rows: ipr(&u),
            ipr_cols: ipr(&v),
            carriers: carriers.collect(),
        }
    };
    ritz.iter().zip(vectors).map(trap).collect()
}

/// Where each element of the shuffle came from.
fn origins(n: usize, seed: u64) -> Vec<usize> {
    let mut origin: Vec<usize> = (0..n).collect();
    Rng::new(seed).shuffle(&mut origin);
    origin
}

/// Index, weight and share of the largest parts of `σ = Σ w_ij u_i v_j`.
fn carriers(matrix: Dense<'_>, u: &[f64], v: &[f64], sigma: f64) -> Vec<(usize, f64, f64)> {
    let mut top: Vec<(usize, f64, f64)> = Vec::with_capacity(NAMED + 1);
    for (i, row) in matrix.data.chunks_exact(matrix.cols).enumerate() {
        for (j, w) in row.iter().enumerate() {
            let share = f64::from(*w) * u[i] * v[j] / sigma;
            if top.len() < NAMED || share > top[NAMED - 1].2 {
                let at = top.partition_point(|t| t.2 >= share);
                top.insert(at, (i * matrix.cols + j, f64::from(*w), share));
                top.truncate(NAMED);
            }
        }
    }
    let mut sum = 0.0;
    let enough = top.iter().position(|t| {
        sum += t.2;
        sum >= 0.5
    });
    top.truncate(enough.map_or(NAMED, |k| k + 1));
    top
}
