//! The rows of one pair of tensors.

use super::measure::{Matrices, Unmeasured, elementwise, measure};
use super::stream::blocks;
use super::{Difference, Measures, Method, Outcome, PairOptions, PairRow};
use crate::analysis::{LayerPlan, Pairing};
use crate::matrix::{ConvMode, MatrixView, unfold};
use crate::source::WeightFile;
use crate::tensor::{Layout, Tensor};

/// One model of the two.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub file: &'a dyn WeightFile,
    pub plans: &'a [LayerPlan],
}

/// Two tensors to compare.
pub(super) struct Job {
    /// Indices in their models.
    pub a: usize,
    pub b: usize,
    /// The biases that go with them.
    pub biases: Option<(usize, usize)>,
    /// Whether they are layers: if not, elements are compared and no matrices.
    pub layer: bool,
}

/// The rows: one, or one for each slice. What goes wrong is in them.
pub(super) fn compare(
    a: Side<'_>,
    b: Side<'_>,
    job: &Job,
    options: &PairOptions,
    threads: usize,
) -> Vec<PairRow> {
    let row = start(a, b, job, options);
    let read = |side: Side<'_>, index, which| {
        let tensor = side.file.read(index).map_err(|e| format!("{which} model: {e}"))?;
        let listed = &side.file.tensors()[index].shape;
        if tensor.shape() == listed {
            Ok(tensor)
        } else {
            let found = tensor.shape();
            Err(format!("{which} model: the loader read shape {found:?} where it had listed {listed:?}"))
        }
    };
    let tensors = read(a, job.a, "first").and_then(|first| Ok((first, read(b, job.b, "second")?)));
    let (first, second) = match tensors {
        Ok(both) => both,
        Err(reason) => return vec![failed(row, reason)],
    };
    if !job.layer {
        let difference = differ(&first, &second);
        return vec![if difference.is_finite() {
            done(row, elementwise(&difference), options)
        } else {
            failed(row, non_finite(&first, &second))
        }];
    }
    let bias = |(i, j): (usize, usize)| {
        let difference = differ(&a.file.read(i).ok()?, &b.file.read(j).ok()?);
        difference.is_finite().then(|| difference.distance())
    };
    let mut row = row;
    row.delta_b = job.biases.and_then(bias);
    let single = options.analysis.conventions.round_to_single;
    let views = |tensor: &Tensor, plan: &LayerPlan| -> Vec<MatrixView> {
        unfold(tensor, &plan.unfolding).into_iter().map(|v| v.rounded_to_single(single)).collect()
    };
    let plan = &a.plans[job.a];
    let (left, right) = (views(&first, plan), views(&second, &b.plans[job.b]));
    let flat = plan.unfolding.conv_mode == ConvMode::Flatten;
    let conv = plan.kind.is_conv();
    let out_first =
        (conv && flat) || matches!(plan.unfolding.layout, Layout::OutInSpatial | Layout::SpatialOutIn);
    let pairs: Vec<Matrices<'_>> =
        left.iter().zip(&right).map(|(a, b)| Matrices { a, b, out_first, conv }).collect();
    let finish = |row: PairRow, pairs: &[Matrices<'_>]| match measure(pairs, options.top, threads) {
        Ok(measures) => done(row, measures, options),
        Err(Unmeasured::NonFinite) => failed(row, non_finite(&first, &second)),
        Err(Unmeasured::Solve(error)) => failed(row, error.to_string()),
    };
    if options.analysis.pool || pairs.len() <= 1 {
        return vec![finish(row, &pairs)];
    }
    let slice = |(slice, pair)| finish(PairRow { slice_id: Some(slice), ..row.clone() }, pair);
    pairs.chunks(1).enumerate().map(slice).collect()
}

/// The row of a pair before it has numbers.
pub(super) fn start(a: Side<'_>, b: Side<'_>, job: &Job, options: &PairOptions) -> PairRow {
    let (plan, info, partner) = (&a.plans[job.a], &a.file.tensors()[job.a], &b.file.tensors()[job.b]);
    let mut row = PairRow::empty(plan.layer_id, &plan.name, plan.kind, info);
    row.longname_b = (partner.name != info.name).then(|| partner.name.clone());
    row.dtype_b = (partner.dtype != info.dtype).then_some(partner.dtype);
    row.shape_b = (partner.shape != info.shape).then(|| partner.shape.clone());
    if let Some(shape) = plan.matrices.filter(|_| job.layer) {
        let whole = options.method == Method::Raw && reference(options);
        let extents = || Some((*info.shape.iter().max()?, *info.shape.iter().min()?));
        let (n, m) = extents().filter(|_| whole).unwrap_or((shape.n, shape.m));
        (row.N, row.M, row.rf) = (Some(n), Some(m), Some(shape.count));
        if let Some((bias, _)) = job.biases {
            row.b_shape = a.file.tensors()[bias].shape.first().copied();
        }
    }
    row
}

fn reference(options: &PairOptions) -> bool {
    options.analysis.conventions.pairing == Pairing::Reference
}

fn done(mut row: PairRow, measures: Measures, options: &PairOptions) -> PairRow {
    row.outcome = Outcome::Compared;
    row.measures = measures;
    row.delta_W = match options.method {
        Method::Raw => measures.raw,
        Method::Euclidean => measures.euclidean,
        Method::Cka => measures.CKA,
    };
    if reference(options) && row.is_layer() {
        // Matrices of zeros are nothing alike there, and no bias is one without a difference.
        row.delta_W = row.delta_W.or(Some(0.0));
        row.delta_b = row.delta_b.filter(|_| options.method == Method::Raw).or(Some(0.0));
    }
    row
}

pub(super) fn failed(mut row: PairRow, reason: String) -> PairRow {
    row.outcome = Outcome::Failed;
    row.reason = reason;
    row
}

/// Sums over the elements of two tensors of the same shape.
fn differ(a: &Tensor, b: &Tensor) -> Difference {
    let mut difference = Difference::default();
    if a.shape().is_empty() {
        difference.add_values(&a.to_vec(), &b.to_vec());
    } else if !a.is_empty() {
        let (a, b) = (MatrixView::new(a.clone(), 1), MatrixView::new(b.clone(), 1));
        blocks(&a, &b, |a, b| difference.add(&a, &b));
    }
    difference
}

fn non_finite(a: &Tensor, b: &Tensor) -> String {
    let of = |tensor: &Tensor, which| tensor.non_finite().map(|found| format!("{which} model: {found}"));
    of(a, "first").or_else(|| of(b, "second")).unwrap_or_else(|| "elements too large to square".to_owned())
}
