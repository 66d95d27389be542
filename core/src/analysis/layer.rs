//! The pipeline of one layer: matrices, spectrum, fit, metrics, rows.

use std::ops::Range;

use super::Status;
use super::combined::Made;
use super::conventions::{ColumnSet, CombineRule, Failed, OperatorRule, SvMin};
use super::inspect::Inspection;
use super::matrices::{Matrices, Part, matrices, pooled_spectrum};
use super::older::as_0_1_2;
use super::options::{Fit, FixFingers, Options, Xmax};
use super::plan::LayerPlan;
use super::report::{Provenance, Row};
use super::requested::{Layer, add_requested};
use super::tail::{self, TailColumns};
use crate::fit::{FitError, PowerLaw, Shape, clip_xmax, fit_truncated, fit_truncated_at, peak_range};
use crate::matrix::MatrixView;
use crate::metrics::{entropy, log_alpha_norm, matrix_rank, norm, rank_tolerance, weak_rank_loss};
use crate::source::TensorInfo;
use crate::spectrum::{LayerSpectrum, MatrixSpectrum, REFERENCE_SIDE};

/// The rows of a layer: one, or one for each slice. What goes wrong is in the rows. What they were made of goes to
/// `inspections`, one for each row that has a spectrum.
pub(super) fn analyze_layer(
    plan: &LayerPlan,
    info: &TensorInfo,
    parts: &[Part<'_>],
    options: &Options,
    threads: usize,
    mut inspections: Option<&mut Vec<Inspection>>,
) -> Vec<Row> {
    let Matrices { views, spectra, scale, pooled, note } = match matrices(plan, parts, options, threads) {
        Ok(found) => found,
        Err(why) => return vec![failed(plan.row(info), &why)],
    };
    let keep = plan.keep;
    let mut row = |slice: Option<usize>, views: &[MatrixView], spectra: Vec<MatrixSpectrum>| {
        let mut row = plan.row(info);
        row.slice_id = slice;
        row.reason.clone_from(&note);
        let spectrum = pooled_spectrum(spectra, options, info);
        let mut row = fill(row, plan, &spectrum, scale, options, info);
        let layer = Layer { views, slice: slice.unwrap_or(0), spectrum: &spectrum, scale, keep, threads };
        let made = add_requested(&mut row, &layer, options);
        if let Some(all) = inspections.as_mut() {
            all.push(Inspection::new(&row, spectrum, made, options));
        }
        row
    };
    if pooled {
        return vec![row(None, &views, spectra)];
    }
    let each = spectra.into_iter().enumerate();
    each.map(|(slice, part)| row(Some(slice), &views[slice..=slice], vec![part])).collect()
}

/// A row that says why it has no numbers.
pub(super) fn failed(mut row: Row, reason: &str) -> Row {
    row.status = Status::Failed;
    reason.clone_into(&mut row.reason);
    row
}

pub(super) fn fill(
    mut row: Row,
    plan: &LayerPlan,
    spectrum: &LayerSpectrum,
    scale: f64,
    options: &Options,
    info: &TensorInfo,
) -> Row {
    let c = &options.conventions;
    let values = &spectrum.eigenvalues;
    let (lambda_max, total) = (spectrum.lambda_max(), norm(values));
    let n = row.N.unwrap_or(0);
    // The λ of a product are its singular values; the reference takes roots of them as of others.
    let direct = matches!(plan.made, Made::Product(_)) && c.combined == CombineRule::All;
    let singular = |lambda: f64| if direct { lambda } else { lambda.sqrt() };
    // What √λ must be above.
    let tolerance = |largest: f64| {
        let rounding = rank_tolerance(singular(largest), n, c.rank_tolerance, info.dtype);
        if direct { rounding.sqrt() } else { rounding }
    };
    let smallest = spectrum.parts.iter().map(|p| p.eigenvalues.first().copied().unwrap_or(0.0));
    let rank = matrix_rank(values, tolerance(lambda_max));
    row.num_evals = Some(values.len());
    let largest = spectrum.parts.iter().map(|p| p.eigenvalues.last().copied().unwrap_or(0.0));
    row.sv_max = largest.reduce(f64::max).map(singular);
    row.sv_min = match c.sv_min {
        SvMin::Smallest => smallest.reduce(f64::min),
        SvMin::LargestOfSlices => smallest.reduce(f64::max),
    }
    .map(singular);
    row.rank_loss = Some(spectrum.parts.iter().map(|p| rank_loss(p, tolerance)).sum());
    row.weak_rank_loss = Some(weak_rank_loss(values, c.weak_rank_tolerance.at(lambda_max)));
    row.lambda_max = Some(lambda_max);
    row.matrix_rank = Some(rank);
    row.entropy = Some(entropy(values, rank, c.entropy)).filter(|v| !v.is_nan());
    row.norm = Some(total);
    row.spectral_norm = Some(lambda_max);
    // The logarithm of nothing is no number.
    row.log_norm = Some(total.log10()).filter(|v| v.is_finite());
    row.log_spectral_norm = Some(lambda_max.log10()).filter(|v| v.is_finite());
    row.stable_rank = (lambda_max > 0.0).then(|| total / lambda_max);
    let mut provenance = Provenance {
        precision: options.precision,
        method: spectrum.method(),
        conv_mode: (plan.kind.is_conv() && plan.made == Made::Alone).then_some(plan.unfolding.conv_mode),
        fft_size: plan.is_operator().then_some(match c.operator {
            OperatorRule::Frequencies => options.fft_size,
            OperatorRule::Reference => REFERENCE_SIDE,
        }),
        scale,
        estimator: None,
    };
    let sides = Shape { n, m: row.M.unwrap_or(0), slices: spectrum.parts.len() };
    match fit(values, lambda_max, sides, options) {
        Ok(tail) => {
            provenance.estimator = Some(tail.fit.estimator);
            write_fit(&mut row, &tail, values);
        }
        Err(error) => {
            row.status = Status::Failed;
            row.reason = if lambda_max == 0.0 {
                "all-zero matrix".to_owned()
            } else {
                format!("power-law fit: {error}")
            };
            if c.failed == Failed::MinusOne {
                write_sentinels(&mut row, values, options);
            }
        }
    }
    row.provenance = Some(provenance);
    if c.columns == ColumnSet::V0_1_2 {
        as_0_1_2(&mut row, spectrum);
    }
    row
}

fn rank_loss(part: &MatrixSpectrum, tolerance: impl Fn(f64) -> f64) -> usize {
    let largest = part.eigenvalues.last().copied().unwrap_or(0.0);
    part.eigenvalues.len() - matrix_rank(&part.eigenvalues, tolerance(largest))
}

/// What is fitted to the tail.
pub(super) struct Fitted {
    pub fit: PowerLaw,
    /// Eigenvalues at or above xmin.
    pub spikes: usize,
    /// Fingers removed, and alpha with them, where that was asked for.
    pub fingers: Option<(usize, f64)>,
    pub columns: TailColumns,
}

/// Which of the ascending eigenvalues are fitted: those above the threshold, but for the largest that are left out.
pub(super) fn fitted(values: &[f64], lambda_max: f64, options: &Options) -> Result<Range<usize>, FitError> {
    let c = &options.conventions;
    let end = match options.xmax {
        Xmax::Drop(k) if 2 * k > values.len() => {
            if !c.large_xmax_is_value {
                return Err(FitError::RemovesTooMany { removed: k, of: values.len() });
            }
            values.partition_point(|v| *v <= k as f64)
        }
        Xmax::Drop(k) => values.len() - k,
        _ => values.len(),
    };
    let threshold = c.eval_threshold.at(lambda_max);
    Ok(values[..end].partition_point(|v| *v <= threshold)..end)
}

pub(super) fn fit(
    values: &[f64],
    lambda_max: f64,
    shape: Shape,
    options: &Options,
) -> Result<Fitted, FitError> {
    let c = &options.conventions;
    let range = fitted(values, lambda_max, options)?;
    let (kept, data) = (&values[..range.end], &values[range]);
    let peaked = options.fix_fingers == FixFingers::XminPeak || options.fit == Fit::PeakTruncated;
    let (mut fit, mut lambda, mut fingers) = (None, None, None);
    if options.fix_fingers == FixFingers::ClipXmax {
        let plain = |data: &[f64]| tail::power_law(data, options);
        let clipped =
            clip_xmax(data, values.len(), c.clip, options.max_fingers, options.finger_thresh, plain)?;
        (fit, fingers) = (Some(clipped.fit), Some((clipped.num_fingers, clipped.raw_alpha)));
    } else if options.fit == Fit::PowerLaw {
        fit = Some(tail::power_law(data, options)?);
    }
    if options.fit != Fit::PowerLaw {
        let bounded = options.effective_xmax() == Xmax::Force;
        let truncated = match fit {
            Some(fit) => fit_truncated_at(&data[..data.partition_point(|v| *v <= fit.xmax)], fit.xmin)?,
            None if peaked => fit_truncated(data, &peak_range(data, c.peak, options.xmin_max), bounded)?,
            None => fit_truncated(data, &(0.0..=f64::INFINITY), bounded)?,
        };
        (fit, lambda) = (Some(truncated.into()), Some(truncated.lambda));
    }
    let fit = fit.ok_or(FitError::Degenerate)?;
    let spikes = kept.len() - kept.partition_point(|v| *v < fit.xmin);
    Ok(Fitted { fit, spikes, fingers, columns: tail::columns(data, &fit, lambda, shape, options) })
}

pub(super) fn write_fit(row: &mut Row, tail: &Fitted, values: &[f64]) {
    let fit = &tail.fit;
    row.status = Status::Success;
    row.alpha = Some(fit.alpha);
    row.xmin = Some(fit.xmin);
    row.xmax = Some(fit.xmax);
    row.D = Some(fit.d);
    row.sigma = Some(fit.sigma).filter(|s| !s.is_nan());
    row.tail = tail.columns;
    row.num_pl_spikes = i64::try_from(tail.spikes).ok();
    row.warning = match fit.alpha {
        a if a < 2.0 => "over-trained",
        a if a > 6.0 => "under-trained",
        _ => "",
    };
    row.alpha_weighted = row.lambda_max.map(|v| fit.alpha * v.log10()).filter(|v| !v.is_nan());
    row.log_alpha_norm = Some(log_alpha_norm(values, fit.alpha)).filter(|v| !v.is_nan());
    if let Some((num_fingers, raw_alpha)) = tail.fingers {
        row.num_fingers = Some(num_fingers);
        row.raw_alpha = Some(raw_alpha);
    }
}

/// What WeightWatcher 0.7.7 leaves after a failed fit.
fn write_sentinels(row: &mut Row, values: &[f64], options: &Options) {
    row.alpha = Some(-1.0);
    row.xmin = Some(-1.0);
    row.D = Some(-1.0);
    row.sigma = Some(-1.0);
    row.num_pl_spikes = Some(-1);
    row.warning = "over-trained";
    row.alpha_weighted = row.lambda_max.map(|v| -v.log10());
    row.log_alpha_norm = Some(log_alpha_norm(values, -1.0));
    row.tail.lambda = (options.fit != Fit::PowerLaw).then_some(-1.0);
    if options.fix_fingers == FixFingers::ClipXmax {
        row.num_fingers = Some(0);
        row.raw_alpha = Some(-1.0);
    }
}
