//! Smoothing: a layer reduced to its largest singular values, or what is left without them.

use eigenscope_linalg::Svd;
use ndarray::Array2;

use super::engine::{Layer, LayerError, Work};
use super::matrix::{largest, shares, taken_apart, without_largest};
use crate::analysis::{Options, Row, SmoothShare, Status};
use crate::matrix::MatrixView;

/// How many singular values are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum SmoothMethod {
    /// As many as multiply to 1 (`detX_num`).
    #[default]
    DetX,
    /// Those of the fitted power law's tail (`num_pl_spikes`).
    AlphaMin,
    /// Those beyond the bulk of the fitted Marchenko-Pastur law (`num_spikes`).
    Rmt,
    /// Rmt where alpha is above 6, DetX elsewhere.
    Auto,
    /// This share of all, from -1 to 1; below 0, so many of the largest are removed instead.
    Share(f64),
}

/// Smoothing of every layer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Smoothing {
    /// How many singular values are kept.
    pub method: SmoothMethod,
}

/// What an analysis must find for it; nothing for a share.
pub(super) fn options(options: &Options, method: SmoothMethod) -> Option<Options> {
    if let SmoothMethod::Share(_) = method {
        return None;
    }
    let rmt = matches!(method, SmoothMethod::Rmt | SmoothMethod::Auto);
    let detx = matches!(method, SmoothMethod::DetX | SmoothMethod::Auto);
    Some(Options { detx, mp_fit: rmt, ..options.clone() })
}

/// How many to keep of `of` singular values, or below 0, to remove; or why that is not known. `row` is what [`options`] asked for.
fn count(row: Option<&Row>, of: usize, method: SmoothMethod) -> Result<i64, String> {
    let fitted = row.filter(|r| r.status == Status::Success);
    let missing = |what: &str| match row {
        Some(row) if fitted.is_none() && !row.reason.is_empty() => row.reason.clone(),
        _ => what.to_owned(),
    };
    let detx = || row.and_then(|r| r.detx).map(|d| d.num).ok_or_else(|| missing("all eigenvalues are equal"));
    let rmt = || {
        let spikes = row.and_then(|r| r.mp).map(|m| m.num_spikes).filter(|n| *n >= 0);
        spikes.ok_or_else(|| missing("no Marchenko-Pastur fit"))
    };
    match method {
        SmoothMethod::DetX => detx(),
        SmoothMethod::Rmt => rmt(),
        SmoothMethod::Auto if fitted.and_then(|r| r.alpha).is_some_and(|a| a > 6.0) => rmt(),
        SmoothMethod::Auto => detx(),
        SmoothMethod::AlphaMin => fitted.and_then(|r| r.num_pl_spikes).ok_or_else(|| missing("no power law")),
        // Toward 0, as the reference does; 0.29 of 100 is 29 all the same.
        SmoothMethod::Share(share) => Ok((share * of as f64 + 1e-9 * share.signum()).trunc() as i64),
    }
}

/// One row's matrices.
pub(super) fn smooth(layer: &Layer<'_>, row: Option<&Row>, method: SmoothMethod) -> Result<Work, LayerError> {
    let of = layer.views.iter().map(MatrixView::cols).sum();
    let count = count(row, of, method).map_err(LayerError::Unchanged)?;
    let all = layer.views.iter().map(|v| taken_apart(v, layer.threads)).collect::<Result<Vec<_>, _>>()?;
    let number = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let stays = |why: &str| Err(LayerError::Unchanged(why.to_owned()));
    match (count, number >= of) {
        (0, _) => return stays("nothing would be kept"),
        (1.., true) => return stays("all singular values are kept"),
        (_, true) => return stays("nothing would be left"),
        _ => {}
    }
    let shares = match layer.options.conventions.smooth_share {
        SmoothShare::Pooled => shares(&all, number),
        SmoothShare::Even => evenly(&all, number),
    };
    let matrix = |((view, svd), share): ((_, &Svd), &usize)| -> Option<Array2<f64>> {
        Some(if count > 0 {
            largest(view, svd, *share, layer.threads)
        } else {
            without_largest(view, svd, *share, layer.threads)
        })
    };
    let matrices = layer.views.iter().zip(&all).zip(&shares).map(matrix).collect();
    let touched: usize = shares.iter().sum();
    let kept = if count > 0 { touched } else { of - touched };
    Ok(Work { matrices, kept: Some((kept, of)), ..Work::default() })
}

/// The same number from each matrix, rounded up (WeightWatcher 0.7.7).
fn evenly(all: &[Svd], count: usize) -> Vec<usize> {
    all.iter().map(|svd| count.div_ceil(all.len()).min(svd.values().len())).collect()
}
