//! The columns that options ask for, added to a row that has its spectrum and fit.

use super::conventions::{DetxRule, Failed, Randomization};
use super::inspect::Made;
use super::randomize::{randomize, traps};
use super::{Options, Row};
use crate::matrix::MatrixView;
use crate::metrics::{VectorColumns, detx, detx_by_product, level_ratio, vector_measures};
use crate::rmt::{Ensemble, count_above, fit_marchenko_pastur};
use crate::spectrum::LayerSpectrum;

/// What a row is about.
pub(super) struct Layer<'a> {
    pub views: &'a [MatrixView],
    /// Which slice of the tensor the first view is.
    pub slice: usize,
    pub spectrum: &'a LayerSpectrum,
    pub scale: f64,
    /// So many of the largest eigenvalues of each matrix; `None`: all.
    pub keep: Option<usize>,
    pub threads: usize,
}

/// A Marchenko-Pastur law beside a spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, non_snake_case)] // COLUMNS says what each is.
pub struct MpColumns {
    pub num_spikes: i64,
    pub sigma_mp: f64,
    pub mp_softrank: f64,
    pub W_scale: f64,
    pub bulk_max: f64,
    pub bulk_min: f64,
    pub sigma_bulk: Option<f64>,
    pub tw_edge: Option<f64>,
    pub num_spikes_tw: Option<i64>,
}

/// Where the product of the largest eigenvalues falls below 1.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct DetxColumns {
    pub num: i64,
    pub val: f64,
    pub rescaled: f64,
    /// The rescaled value goes by the reference's name.
    pub reference: bool,
    pub gap: Option<i64>,
}

/// What the columns were computed from comes back.
pub(super) fn add_requested(row: &mut Row, layer: &Layer<'_>, options: &Options) -> Made {
    let mut made = Made::default();
    let values = &layer.spectrum.eigenvalues;
    let name = row.longname.clone();
    if options.mp_fit {
        row.mp = mp_columns(values, ensemble(row, layer), options);
    }
    if options.randomize {
        match randomize(&name, row, layer, options) {
            Ok((random, drawn)) => {
                made.random = drawn;
                row.num_traps = Some(random.num_traps);
                row.random = Some(Box::new(random));
            }
            Err(error) => note(row, &format!("shuffled matrix: {error}")),
        }
    }
    if options.traps {
        row.traps = traps(&name, layer, options);
        if row.num_traps.is_none() {
            row.num_traps = Some(row.traps.len() as i64);
        }
    }
    if options.detx {
        row.detx = detx_columns(values, row.num_pl_spikes, options.conventions.detx);
    }
    if options.deltas {
        row.level_ratio = levels(layer.spectrum);
    }
    if options.vectors
        && let Some(xmin) = row.xmin
    {
        // xmin is an eigenvalue; another solver's rounding must not move it out of its own tail.
        match vector_measures(layer.views, layer.scale, layer.threads) {
            Ok(vectors) => {
                row.vectors = Some(Box::new(VectorColumns::of(&vectors, xmin - 1e-9 * xmin.abs())));
                made.vectors = vectors;
            }
            Err(error) => note(row, &format!("eigenvectors: {error}")),
        }
    }
    made
}

/// What went wrong beside the fit; a row that has its fit keeps its status.
fn note(row: &mut Row, what: &str) {
    if !row.reason.is_empty() {
        row.reason.push_str("; ");
    }
    row.reason.push_str(what);
}

/// The matrices of a row, with the sides it reports.
pub(super) fn ensemble(row: &Row, layer: &Layer<'_>) -> Ensemble {
    Ensemble { n: row.N.unwrap_or(0), m: row.M.unwrap_or(0), count: layer.views.len() }
}

pub(super) fn mp_columns(values: &[f64], ensemble: Ensemble, options: &Options) -> Option<MpColumns> {
    let c = &options.conventions;
    let Some(fit) = fit_marchenko_pastur(values, ensemble, c.quarter_circle) else {
        return (c.failed == Failed::MinusOne).then_some(MpColumns {
            num_spikes: -1,
            sigma_mp: -1.0,
            mp_softrank: -1.0,
            W_scale: -1.0,
            bulk_max: -1.0,
            bulk_min: -1.0,
            sigma_bulk: None,
            tw_edge: None,
            num_spikes_tw: None,
        });
    };
    // N is the larger side here, whatever the row reports.
    let (n, m) = (ensemble.n.max(ensemble.m), ensemble.n.min(ensemble.m));
    let edge = Ensemble { n, m, ..ensemble }.tracy_widom_edge(fit.entry_variance(n), options.tw_quantile);
    Some(MpColumns {
        num_spikes: count_above(values, fit.margin) as i64,
        sigma_mp: fit.sigma,
        mp_softrank: fit.softrank,
        W_scale: fit.scale,
        bulk_max: fit.bulk_max,
        bulk_min: fit.bulk_min,
        sigma_bulk: Some(fit.sigma_bulk),
        tw_edge: Some(edge),
        num_spikes_tw: Some(count_above(values, edge) as i64),
    })
}

fn detx_columns(values: &[f64], tail: Option<i64>, rule: DetxRule) -> Option<DetxColumns> {
    let total: f64 = values.iter().sum();
    let factor = values.len() as f64 / total;
    if !factor.is_finite() {
        return None;
    }
    let rescaled: Vec<f64> = values.iter().map(|v| factor * v).collect();
    let reference = rule == DetxRule::Product;
    let found = if reference { detx_by_product(&rescaled) } else { detx(&rescaled)? };
    let num = found.count as i64;
    Some(DetxColumns {
        num,
        val: values[found.index],
        rescaled: rescaled[found.index],
        reference,
        gap: tail.map(|spikes| num - spikes),
    })
}

/// Mean over the matrices, by their number of eigenvalues: those of different matrices do not repel each other.
fn levels(spectrum: &LayerSpectrum) -> Option<f64> {
    let each = spectrum.parts.iter().filter_map(|p| Some((level_ratio(&p.eigenvalues)?, p.m as f64)));
    let (sum, weight) = each.fold((0.0, 0.0), |(s, w), (ratio, m)| (s + ratio * m, w + m));
    (weight > 0.0).then(|| sum / weight)
}

/// Whether traps are those of the reference.
pub(super) fn reference_traps(options: &Options) -> bool {
    options.conventions.randomization == Randomization::Reference
}
