//! The conventions of WeightWatcher before 0.7: presets, and the columns that 0.1.2 had in place of today's.

use serde::{Deserialize, Serialize};

use super::Row;
use super::conventions::{
    ColumnSet, ConvScale, Conventions, EvalLimits, Failed, Naming, Sides, SvMin, Threshold,
};
use crate::metrics::EntropyRule;
use crate::spectrum::LayerSpectrum;

/// The columns of a row under `weightwatcher-0.1.2` that no later version has, or has in another sense.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // COLUMNS says what each is.
pub struct OldNorms {
    pub lognorm: f64,
    pub spectralnorm: f64,
    pub softrank: f64,
    pub softranklog: f64,
    pub softranklogratio: f64,
    pub lambda_min: f64,
}

impl Conventions {
    /// WeightWatcher 0.4: a power law of all positive eigenvalues, bounded at the largest; no embeddings; limits of its own. Its
    /// Marchenko-Pastur fits are not offered.
    pub fn weightwatcher_0_4() -> Self {
        Conventions {
            name: "weightwatcher-0.4".to_owned(),
            naming: Naming::Tensors,
            sides: Sides::Sorted,
            eval_threshold: Threshold::Absolute(0.0),
            sv_min: SvMin::Smallest,
            entropy: EntropyRule::Exact,
            limits: EvalLimits { least: 0, most_by_rows: true },
            max_evals: None,
            max_n: None,
            forced_xmax: true,
            embeddings: false,
            columns: ColumnSet::V0_4,
            ..Conventions::weightwatcher_0_7_7()
        }
    }

    /// WeightWatcher 0.1.2: every slice apart, without its smallest eigenvalue; norms that are not squared.
    pub fn weightwatcher_0_1_2() -> Self {
        Conventions {
            name: "weightwatcher-0.1.2".to_owned(),
            conv_scale: ConvScale::One,
            failed: Failed::Null,
            infinite_alpha: false,
            limits: EvalLimits { least: 50, most_by_rows: false },
            embeddings: true,
            apart: true,
            drop_smallest: true,
            columns: ColumnSet::V0_1_2,
            ..Conventions::weightwatcher_0_4()
        }
    }
}

impl ColumnSet {
    /// The columns of that version, in its order; `None` for those of today.
    pub fn names(self) -> Option<&'static [&'static str]> {
        match self {
            ColumnSet::Current => None,
            ColumnSet::V0_4 => Some(&[
                "layer_id",
                "name",
                "D",
                "M",
                "N",
                "alpha",
                "alpha_weighted",
                "entropy",
                "has_esd",
                "lambda_max",
                "layer_type",
                "log_alpha_norm",
                "log_norm",
                "log_spectral_norm",
                "matrix_rank",
                "norm",
                "num_evals",
                "num_pl_spikes",
                "rank_loss",
                "rf",
                "sigma",
                "slice_id",
                "spectral_norm",
                "stable_rank",
                "sv_max",
                "xmax",
                "xmin",
            ]),
            ColumnSet::V0_1_2 => Some(&[
                "layer_id",
                "layer_type",
                "N",
                "M",
                "slice_id",
                "D",
                "alpha",
                "alpha_weighted",
                "lambda_min",
                "lambda_max",
                "lognorm",
                "norm",
                "rank_loss",
                "softrank",
                "softranklog",
                "softranklogratio",
                "spectralnorm",
            ]),
        }
    }
}

/// Puts the numbers of 0.1.2 in place of today's, and takes away those it did not have.
pub(super) fn as_0_1_2(row: &mut Row, spectrum: &LayerSpectrum) {
    let all = spectrum.parts.iter().flat_map(|p| &p.eigenvalues);
    let (square, largest) = all.fold((0.0, 0.0f64), |(sum, max), v| (sum + v, max.max(*v)));
    let norm = square.sqrt();
    row.norm = Some(norm);
    row.old = Some(OldNorms {
        lognorm: norm.log10(),
        spectralnorm: largest,
        softrank: norm / largest,
        softranklog: (norm / largest).log10(),
        softranklogratio: norm.log10() / largest.log10(),
        lambda_min: spectrum.eigenvalues.first().copied().unwrap_or(f64::NAN),
    });
    // A count of singular values above the tolerance, which is of λ_max.
    let tolerance = spectrum.lambda_max() * row.M.unwrap_or(0) as f64 * f64::EPSILON;
    row.rank_loss = Some(spectrum.eigenvalues.iter().filter(|v| v.sqrt() > tolerance).count());
    for number in [
        &mut row.sv_max,
        &mut row.sv_min,
        &mut row.sigma,
        &mut row.log_norm,
        &mut row.spectral_norm,
        &mut row.log_spectral_norm,
        &mut row.log_alpha_norm,
        &mut row.stable_rank,
        &mut row.entropy,
    ] {
        *number = None;
    }
    (row.weak_rank_loss, row.matrix_rank, row.warning) = (None, None, "");
}
