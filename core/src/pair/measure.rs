//! What is measured of the matrices of one pair of layers.

use eigenscope_linalg::SolveError;

use super::cka::{self, Cka};
use super::overlap::Overlap;
use super::products::Products;
use super::{Difference, Measures};
use crate::matrix::MatrixView;
use crate::rmt::wasserstein;

/// Two matrices that belong together.
pub(super) struct Matrices<'a> {
    pub a: &'a MatrixView,
    pub b: &'a MatrixView,
    /// Whether the rows of the matrix as stored are the outputs.
    pub out_first: bool,
    /// A slice of a convolution, which WeightWatcher turns to be tall.
    pub conv: bool,
}

/// Of one pair of matrices.
struct Measured {
    difference: Difference,
    reference: Option<f64>,
    out: Cka,
    input: Cka,
    overlap_out: Option<f64>,
    overlap_in: Option<f64>,
    overlap_count: usize,
    values: [Vec<f64>; 2],
}

impl Matrices<'_> {
    fn measure(&self, top: usize, threads: usize) -> Result<Measured, Unmeasured> {
        let (products, difference) = Products::of(self.a, self.b, threads);
        if !difference.is_finite() {
            return Err(Unmeasured::NonFinite);
        }
        let (rows, columns) = (cka::over_rows(&products), cka::over_columns(&products));
        let overlap = Overlap::of(&products, top, threads).map_err(Unmeasured::Solve)?;
        let turned = self.a.stored(1, 0) == (0, 1);
        let reference = if self.conv || !turned { rows.plain } else { columns.plain };
        let tall_is_out = self.out_first != turned;
        let (out, input) = if tall_is_out { (rows, columns) } else { (columns, rows) };
        let (overlap_out, overlap_in) =
            if tall_is_out { (overlap.rows, overlap.columns) } else { (overlap.columns, overlap.rows) };
        Ok(Measured {
            difference,
            reference: reference.map(f64::sqrt),
            out,
            input,
            overlap_out,
            overlap_in,
            overlap_count: overlap.count,
            values: overlap.values,
        })
    }
}

/// Why a pair has no measures.
#[derive(Debug)]
pub(super) enum Unmeasured {
    /// NaN, infinity, or elements too large to square.
    NonFinite,
    /// The eigenvalue solver gave up.
    Solve(SolveError),
}

/// The measures of a layer: those of its matrices, averaged; sums and spectra, pooled.
pub(super) fn measure(pairs: &[Matrices<'_>], top: usize, threads: usize) -> Result<Measures, Unmeasured> {
    let each = pairs.iter().map(|pair| pair.measure(top, threads)).collect::<Result<Vec<_>, _>>()?;
    let mean = |of: &dyn Fn(&Measured) -> Option<f64>| {
        let values: Vec<f64> = each.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let pooled = |side: usize| {
        let mut values: Vec<f64> = each.iter().flat_map(|m| m.values[side].iter().copied()).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let whole = each.iter().fold(Difference::default(), |sum, m| sum.plus(m.difference));
    Ok(Measures {
        euclidean: mean(&|m| Some(m.difference.distance())),
        CKA: mean(&|m| m.reference),
        cka_out: mean(&|m| m.out.plain),
        cka_in: mean(&|m| m.input.plain),
        cka_out_centred: mean(&|m| m.out.centred),
        cka_in_centred: mean(&|m| m.input.centred),
        overlap_out: mean(&|m| m.overlap_out),
        overlap_in: mean(&|m| m.overlap_in),
        overlap_count: each.iter().map(|m| m.overlap_count).min().filter(|n| *n > 0),
        wasserstein: Some(wasserstein(&pooled(0), &pooled(1))).filter(|w| w.is_finite()),
        ..elementwise(&whole)
    })
}

/// The measures of tensors that are no layers.
pub(super) fn elementwise(difference: &Difference) -> Measures {
    Measures {
        raw: Some(difference.distance()),
        relative: difference.relative(),
        cosine: difference.cosine(),
        ..Measures::default()
    }
}
