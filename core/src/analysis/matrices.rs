//! The matrices that a row is about, and their spectra.

use super::combined::{self, Made};
use super::conventions::{CombineRule, ConvScale, InverseRule, OperatorRule};
use super::options::Options;
use super::plan::{LayerPlan, unfolding_of};
use crate::matrix::{MatrixView, Unfolding, kernel_sides, unfold};
use crate::metrics::rank_tolerance;
use crate::source::{TensorInfo, WeightFile};
use crate::spectrum::{
    LayerSpectrum, MatrixSpectrum, Solving, SpectrumError, layer_spectrum, operator_spectrum,
    reference_operator_spectrum,
};
use crate::tensor::Tensor;

/// A tensor that a row is about.
pub(super) struct Part<'a> {
    name: &'a str,
    unfolding: Unfolding,
    tensor: Tensor,
}

/// The matrices of a row, and their spectra.
pub(super) struct Matrices {
    pub views: Vec<MatrixView>,
    pub spectra: Vec<MatrixSpectrum>,
    pub scale: f64,
    pub pooled: bool,
    /// What had to be left out.
    pub note: String,
}

/// The matrices of a row.
pub(super) struct Views {
    pub views: Vec<MatrixView>,
    pub scale: f64,
    pub pooled: bool,
    /// What had to be left out.
    pub note: String,
}

pub(super) fn views(plan: &LayerPlan, parts: &[Part<'_>], options: &Options) -> Result<Views, String> {
    let unfolded = parts.iter().map(|part| {
        let views = unfold(&part.tensor, &part.unfolding).into_iter();
        views.map(|v| v.rounded_to_single(options.conventions.round_to_single)).collect()
    });
    let (mut views, note) =
        combined::views(plan, parts.iter().map(|p| p.name).collect(), unfolded.collect(), options)?;
    if let (Made::Biased(_), [weight, bias]) = (&plan.made, parts) {
        let view = combined::with_bias(&weight.tensor, weight.unfolding.layout, &bias.tensor.to_vec());
        views = vec![view.rounded_to_single(options.conventions.round_to_single)];
    }
    let pooled = options.pooled() || views.len() <= 1;
    let scale = scale(plan, options, views.len(), pooled);
    Ok(Views { views, scale, pooled, note })
}

pub(super) fn matrices(
    plan: &LayerPlan,
    parts: &[Part<'_>],
    options: &Options,
    threads: usize,
) -> Result<Matrices, String> {
    let Views { views, scale, pooled, note } = views(plan, parts, options)?;
    let found = if plan.is_operator() {
        operator(&views, &parts[0], scale, options, threads).map(|spectrum| vec![spectrum])
    } else {
        layer_spectrum(&views, scale, options.precision, options.solver, threads)
    };
    let mut spectra = found.map_err(|error| reason(&error, parts))?;
    for spectrum in &mut spectra {
        spectrum.keep_largest(plan.keep.or(plan.components));
        // A product of two weight matrices is of the second order already.
        if let Made::Product(_) = plan.made {
            spectrum.eigenvalues.iter_mut().for_each(|v| *v = v.sqrt());
        }
    }
    Ok(Matrices { views, spectra, scale, pooled, note })
}

/// The spectrum of a convolution as an operator, of its kernel's matrices.
fn operator(
    taps: &[MatrixView],
    part: &Part<'_>,
    scale: f64,
    options: &Options,
    threads: usize,
) -> Result<MatrixSpectrum, SpectrumError> {
    let solving = Solving { precision: options.precision, solver: options.solver, threads };
    let kernel = match kernel_sides(part.tensor.shape(), &part.unfolding) {
        [rows, cols] => (*rows, *cols),
        _ => (1, taps.len()),
    };
    let mut spectrum = match options.conventions.operator {
        OperatorRule::Frequencies => operator_spectrum(taps, kernel, options.fft_size, solving)?,
        OperatorRule::Reference => reference_operator_spectrum(taps, kernel, solving)?,
    };
    spectrum.eigenvalues.iter_mut().for_each(|v| *v *= scale);
    Ok(spectrum)
}

/// The tensors that a layer's rows are about.
pub(super) fn parts<'a>(
    file: &'a dyn WeightFile,
    layer: &LayerPlan,
    options: &Options,
) -> Result<Vec<Part<'a>>, String> {
    let read = |index: usize| {
        let info = &file.tensors()[index];
        let tensor = file.read(index).map_err(|e| e.to_string())?;
        if tensor.shape() != info.shape {
            let (found, listed) = (tensor.shape(), &info.shape);
            return Err(format!("the loader read shape {found:?} where it had listed {listed:?}"));
        }
        Ok(Part { name: &info.name, unfolding: unfolding_of(info, options), tensor })
    };
    layer.made.tensors(layer.index).into_iter().map(read).collect()
}

/// The eigenvalues that are fitted, and the matrices they come from, as they are.
pub(super) fn pooled_spectrum(
    parts: Vec<MatrixSpectrum>,
    options: &Options,
    info: &TensorInfo,
) -> LayerSpectrum {
    let mut spectrum = LayerSpectrum::pooled(parts);
    if options.conventions.drop_smallest && !spectrum.eigenvalues.is_empty() {
        spectrum.eigenvalues.remove(0);
    }
    if options.inverse {
        let c = &options.conventions;
        let slices = spectrum.parts.len();
        let inverse = |(k, part): (usize, &MatrixSpectrum)| -> Vec<f64> {
            let largest = part.eigenvalues.last().copied().unwrap_or(0.0);
            let tolerance = rank_tolerance(largest.sqrt(), part.n, c.rank_tolerance, info.dtype);
            let values = part.eigenvalues.iter();
            match c.inverse {
                InverseRule::Once => values.filter(|v| v.sqrt() > tolerance).map(|v| 1.0 / v).collect(),
                InverseRule::EveryOther if (slices - k) % 2 == 1 => values.map(|v| 1.0 / v).collect(),
                InverseRule::EveryOther => part.eigenvalues.clone(),
            }
        };
        spectrum.eigenvalues = spectrum.parts.iter().enumerate().flat_map(inverse).collect();
        spectrum.eigenvalues.sort_by(f64::total_cmp);
    }
    spectrum
}

pub(super) fn reason(error: &SpectrumError, parts: &[Part<'_>]) -> String {
    let found = parts.iter().find_map(|part| Some((part.name, part.tensor.non_finite()?)));
    let Some((name, found)) = found.filter(|_| *error == SpectrumError::NonFinite) else {
        return error.to_string();
    };
    let whose = if parts.len() > 1 { format!("'{name}' ") } else { String::new() };
    format!("{whose}{found}")
}

fn scale(plan: &LayerPlan, options: &Options, slices: usize, pooled: bool) -> f64 {
    if options.glorot_fix {
        let (n, m) = plan.matrices.map_or((0, 0), |s| (s.n, s.m));
        return (n + m) as f64 * slices as f64 / 2.0;
    }
    let product = matches!(plan.made, Made::Product(_));
    if product && options.conventions.combined == CombineRule::All || !plan.kind.is_conv() {
        return 1.0;
    }
    let whole = plan.is_operator() && options.conventions.operator == OperatorRule::Frequencies;
    match options.conventions.conv_scale {
        _ if whole => 1.0,
        ConvScale::One => 1.0,
        ConvScale::Reference if !pooled => slices as f64 / 2.0,
        _ => 0.5,
    }
}
