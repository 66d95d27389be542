//! How spread out the eigenvectors are, in the bulk and in the tail.

use eigenscope_linalg::{Block, Gram, Order, SolveError, eigenpairs};

use crate::matrix::MatrixView;

const BINS: usize = 100;

/// Entropy of the 100-bin histogram of the sizes of a vector's components.
pub fn vector_entropy(v: &[f64]) -> f64 {
    let n = v.len() as f64;
    let mean = v.iter().map(|x| x.abs()).sum::<f64>() / n;
    let a: Vec<f64> = v.iter().map(|x| x.abs() - mean).collect();
    let (mut low, mut high) =
        a.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(*x), h.max(*x)));
    if low == high {
        (low, high) = (low - 0.5, high + 0.5);
    }
    let width = (high - low) / BINS as f64;
    let edge = |k: usize| if k == BINS { high } else { low + k as f64 * width };
    let mut counts = [0.0; BINS];
    for x in &a {
        let mut k = (((x - low) / (high - low) * BINS as f64) as usize).min(BINS - 1);
        // Bins are half open, but for the last: rounding must not move a value across.
        if *x < edge(k) {
            k -= 1;
        } else if *x >= edge(k + 1) && k + 1 < BINS {
            k += 1;
        }
        counts[k] += 1.0;
    }
    let p = counts.map(|c: f64| c / (n * width) + 1e-10);
    let total: f64 = p.iter().sum();
    -p.iter().map(|p| p / total).map(|p| p * p.ln()).sum::<f64>()
}

/// `‖v‖₁ / ‖v‖_∞`: 1 for a single component, n for equal ones.
pub fn localization(v: &[f64]) -> f64 {
    v.iter().map(|x| x.abs()).sum::<f64>() / v.iter().map(|x| x.abs()).fold(0.0, f64::max)
}

/// `‖v‖₂ / ‖v‖₄`: 1 for a single component, n^¼ for equal ones.
pub fn participation(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt() / v.iter().map(|x| x.powi(4)).sum::<f64>().powf(0.25)
}

/// One eigenvector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VectorMeasures {
    /// Its eigenvalue, in the units of the layer's.
    pub eigenvalue: f64,
    /// [`vector_entropy`].
    pub entropy: f64,
    /// [`localization`].
    pub localization: f64,
    /// [`participation`].
    pub participation: f64,
    /// Inverse participation ratio Σ v⁴.
    pub ipr: f64,
}

/// Mean and variance over vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VectorStats {
    /// Of [`vector_entropy`].
    pub vec_entropy: (f64, f64),
    /// Of [`localization`].
    pub loc_ratio: (f64, f64),
    /// Of [`participation`].
    pub part_ratio: (f64, f64),
    /// Mean inverse participation ratio Σ v⁴.
    pub ipr: f64,
}

/// The eigenvectors of eigenvalues below xmin, and at or above it; `None` for a side without any.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VectorColumns {
    /// Below xmin.
    pub bulk: Option<VectorStats>,
    /// At or above.
    pub tail: Option<VectorStats>,
}

fn stats(all: &[&VectorMeasures]) -> Option<VectorStats> {
    let n = all.len() as f64;
    let moments = |of: fn(&VectorMeasures) -> f64| {
        let mean = all.iter().map(|v| of(v)).sum::<f64>() / n;
        (mean, all.iter().map(|v| (of(v) - mean).powi(2)).sum::<f64>() / n)
    };
    (!all.is_empty()).then(|| VectorStats {
        vec_entropy: moments(|v| v.entropy),
        loc_ratio: moments(|v| v.localization),
        part_ratio: moments(|v| v.participation),
        ipr: moments(|v| v.ipr).0,
    })
}

impl VectorColumns {
    /// Of vectors whose eigenvalues are below `xmin`, and of the others.
    pub fn of(all: &[VectorMeasures], xmin: f64) -> Self {
        let (bulk, tail): (Vec<_>, Vec<_>) = all.iter().partition(|v| v.eigenvalue < xmin);
        VectorColumns { bulk: stats(&bulk), tail: stats(&tail) }
    }
}

/// The eigenvectors of the smaller Gram matrix of each of `views`, whose eigenvalues times `scale` are those of the layer; a view's in
/// ascending order, one view after the other.
pub fn vector_measures(
    views: &[MatrixView],
    scale: f64,
    threads: usize,
) -> Result<Vec<VectorMeasures>, SolveError> {
    let mut all = Vec::new();
    for view in views {
        let (n, m) = (view.rows(), view.cols());
        let mut data = vec![0.0; n * m];
        view.read(0, n, &mut data);
        let mut gram = Gram::<f64>::new(m);
        // Of a square matrix it is the Gram matrix of the rows, as in WeightWatcher: the transpose is read.
        let order = match view.order() {
            Order::RowMajor if n == m => Order::ColMajor,
            Order::ColMajor if n == m => Order::RowMajor,
            order => order,
        };
        gram.add(Block { rows: n, cols: m, order, data: &data }, threads);
        let (values, vectors) = eigenpairs(&gram.finish(), threads)?;
        for (value, v) in values.iter().zip(vectors.data().chunks_exact(m)) {
            all.push(VectorMeasures {
                eigenvalue: scale * value,
                entropy: vector_entropy(v),
                localization: localization(v),
                participation: participation(v),
                ipr: v.iter().map(|x| x.powi(4)).sum(),
            });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_lie_between_a_single_component_and_equal_ones() {
        let one = [0.0, 0.0, -3.0, 0.0];
        assert_eq!((localization(&one), participation(&one)), (1.0, 1.0));
        assert_eq!((localization(&[0.5; 16]), participation(&[0.5; 16])), (16.0, 2.0));
        // The reference's own example.
        let v = [0.0, 1.0, 2.0, 3.0, 4.0];
        assert_eq!(localization(&v), 2.5);
        assert!((participation(&v) - 1.262_728_003_3).abs() < 1e-9);
    }

    #[test]
    fn the_entropy_counts_the_bins_that_sizes_fall_in() {
        let v: Vec<f64> = (0..200).map(f64::from).collect();
        assert!((vector_entropy(&v) - 100f64.ln()).abs() < 1e-3);
        assert!(vector_entropy(&[1.0; 8]).abs() < 1e-6);
    }
}
