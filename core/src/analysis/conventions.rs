//! Every convention that changes a number, as data, with two presets.

use serde::{Deserialize, Serialize};

use crate::fit::{ClipRule, PeakRule, SmallNSigma};
use crate::metrics::{EntropyRule, RankTolerance};
use crate::rmt::QuarterCircle;

/// How layers are numbered, named and typed, and which tensors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// `layer_id` is the ordinal of the tensor in the file, from 0; every tensor whose kind has matrices counts.
    Tensors,
    /// `layer_id` counts the names that end in `.weight`, from 1, and only those count, matrices being dense whatever
    /// their name: an in-memory PyTorch state dict in WeightWatcher 0.7.7. Where the format itself says what each tensor
    /// is (ONNX, Keras), its word is taken and the ids are ordinals.
    StateDict,
}

/// The factor on the eigenvalues of convolution slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConvScale {
    /// 1/2, pooled or not.
    Half,
    /// 1: the slices as they are.
    One,
    /// 1/2 pooled, half the number of slices unpooled (WeightWatcher 0.7.7).
    Reference,
}

/// What N and M are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sides {
    /// N is the larger, always.
    Sorted,
    /// For convolutions, what WeightWatcher 0.7.7 reports: N may be smaller for kernels with an even number of
    /// positions or with fewer channels than positions.
    Reference,
}

/// What a failed fit leaves in its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failed {
    /// Nothing; no warning; not part of the summary.
    Null,
    /// -1, called over-trained, part of the summary (WeightWatcher 0.7.7).
    MinusOne,
}

/// `sv_min` of a pooled layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SvMin {
    /// The smallest singular value.
    Smallest,
    /// The largest of the slices' smallest (WeightWatcher 0.7.7).
    LargestOfSlices,
}

/// How a spectrum is compared with those of shuffled matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Randomization {
    /// Every column is a mean over the same replicas; traps are eigenvalues beyond the Tracy-Widom edge.
    Replicas,
    /// WeightWatcher 0.7.7: the largest eigenvalue and the fit are of all replicas pooled, the comparisons with one more
    /// replica; traps are the spikes of the pooled fit, so five replicas count each five times.
    Reference,
}

/// What detX counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetxRule {
    /// Sums of logarithms; `detX_val` is in the units of the spectrum, `detX_val_rescaled` in those where the mean is 1.
    LogSums,
    /// A plain product, which overflows for more than about 2500 eigenvalues, and the rescaled value called
    /// `detX_val_unrescaled` (WeightWatcher 0.7.7).
    Product,
}

/// Which eigenvalues `inverse` inverts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InverseRule {
    /// Each that is above the rank tolerance; the others are left out.
    Once,
    /// Those of every other slice, zeros to infinity (WeightWatcher 0.7.7, which inverts what it has each time it adds a slice).
    EveryOther,
}

/// Which layers of two models belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// Those of the same name and shape; the others are listed apart.
    Name,
    /// WeightWatcher 0.7.7: in distances, those of the same place among the layers, another shape counting as a distance of -1; in
    /// deltas, the next layer of the base model if its name contains the name, and otherwise none, the weights themselves
    /// standing in for the delta.
    Reference,
}

/// Limits on numbers of eigenvalues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvalLimits {
    /// What the default of `min_evals`, 8, stands for.
    pub least: usize,
    /// `max_evals` is compared with N rf, not M rf.
    pub most_by_rows: bool,
}

/// The version whose columns rows have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColumnSet {
    /// This one.
    #[serde(rename = "current")]
    Current,
    /// WeightWatcher 0.4.
    #[serde(rename = "0.4")]
    V0_4,
    /// WeightWatcher 0.1.2, with norms that are not squared.
    #[serde(rename = "0.1.2")]
    V0_1_2,
}

/// What the summary's means are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SummaryRule {
    /// Layers, each by the mean of its slices; finite numbers only.
    Layers,
    /// Rows, so that a convolution whose slices are not pooled counts as often as it has slices; infinities too (WeightWatcher 0.7.7).
    Rows,
}

/// What the spectrum of a convolution as an operator is (`conv_mode = fft`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorRule {
    /// The singular values of the operator on periodic images.
    Frequencies,
    /// The largest singular values of the real parts of every channel pair's 32 x 32 transform, halved in their squares, without a
    /// limit on their number (WeightWatcher 0.7.7).
    Reference,
}

/// How many eigenvalues a row about several layers has (`intra`, `stacked`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CombineRule {
    /// All of its matrix.
    All,
    /// As many as the second layer of a product, or the first of a stack, would have alone; a product with a convolution is halved in
    /// its squares, and in a stack each column is over its own deviation (WeightWatcher 0.7.7).
    Reference,
}

/// Which singular values of a convolution's slices smoothing keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmoothShare {
    /// The largest of all slices together.
    Pooled,
    /// As many from each slice, rounded up (WeightWatcher 0.7.7).
    Even,
}

/// A threshold on eigenvalues.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// The same for every layer.
    Absolute(f64),
    /// Times the layer's largest eigenvalue, so that scaling a layer changes nothing.
    Relative(f64),
}

impl Threshold {
    /// The threshold for a layer with that largest eigenvalue.
    pub fn at(self, lambda_max: f64) -> f64 {
        match self {
            Threshold::Absolute(value) => value,
            Threshold::Relative(factor) => factor * lambda_max,
        }
    }
}

/// Every convention that changes a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Conventions {
    /// Name of the preset, for reports.
    pub name: String,
    /// Ids, names, and which tensors count.
    pub naming: Naming,
    /// Round double weights to single before anything else, as the reference does with PyTorch tensors.
    pub round_to_single: bool,
    /// Scale of convolution slices.
    pub conv_scale: ConvScale,
    /// What N and M are.
    pub sides: Sides,
    /// Eigenvalues not above it are left out of fits.
    pub eval_threshold: Threshold,
    /// Eigenvalues below it count as weak rank loss.
    pub weak_rank_tolerance: Threshold,
    /// Precision that matrix_rank and rank_loss are judged by.
    pub rank_tolerance: RankTolerance,
    /// `sv_min` of pooled layers.
    pub sv_min: SvMin,
    /// Entropy with or without an epsilon.
    pub entropy: EntropyRule,
    /// sigma where fewer than 8 values are fitted.
    pub small_n_sigma: SmallNSigma,
    /// How `clip_xmax` goes.
    pub clip: ClipRule,
    /// Marchenko-Pastur fit of square matrices.
    pub quarter_circle: QuarterCircle,
    /// Comparison with shuffled matrices.
    pub randomization: Randomization,
    /// What detX counts.
    pub detx: DetxRule,
    /// Which eigenvalues `inverse` inverts.
    pub inverse: InverseRule,
    /// Limits on numbers of eigenvalues.
    pub limits: EvalLimits,
    /// Where the options set no other end and look for no fingers, the largest eigenvalue bounds the fitted model.
    pub forced_xmax: bool,
    /// Slices are never pooled.
    pub apart: bool,
    /// The smallest eigenvalue of each matrix is not fitted.
    pub drop_smallest: bool,
    /// Embeddings are layers.
    pub embeddings: bool,
    /// The version whose columns rows have.
    pub columns: ColumnSet,
    /// What the summary's means are over.
    pub summary: SummaryRule,
    /// Spectra of convolutions as operators.
    pub operator: OperatorRule,
    /// Eigenvalues of rows about several layers.
    pub combined: CombineRule,
    /// Where the search of `xmin_peak` begins.
    pub peak: PeakRule,
    /// Which layers of two models belong together.
    pub pairing: Pairing,
    /// Which singular values of slices smoothing keeps.
    pub smooth_share: SmoothShare,
    /// What a failed fit leaves.
    pub failed: Failed,
    /// An infinite alpha counts as a fit.
    pub infinite_alpha: bool,
    /// An integer `xmax` above half the values is a bound on values, not an error.
    pub large_xmax_is_value: bool,
    /// Largest number of eigenvalues a layer may have where the options name none.
    pub max_evals: Option<usize>,
    /// Largest side a layer may have where the options name none.
    pub max_n: Option<usize>,
}

impl Conventions {
    /// WeightWatcher's definitions wherever they are sound, sane ones where they are not.
    pub fn sound() -> Self {
        Conventions {
            name: "default".to_owned(),
            naming: Naming::Tensors,
            round_to_single: false,
            conv_scale: ConvScale::Half,
            sides: Sides::Sorted,
            eval_threshold: Threshold::Relative(1e-7),
            weak_rank_tolerance: Threshold::Relative(1e-6),
            rank_tolerance: RankTolerance::Storage,
            sv_min: SvMin::Smallest,
            entropy: EntropyRule::Exact,
            small_n_sigma: SmallNSigma::FromAlpha,
            clip: ClipRule::Each,
            quarter_circle: QuarterCircle::Scaled,
            randomization: Randomization::Replicas,
            detx: DetxRule::LogSums,
            inverse: InverseRule::Once,
            limits: EvalLimits { least: 8, most_by_rows: false },
            forced_xmax: false,
            apart: false,
            drop_smallest: false,
            embeddings: true,
            columns: ColumnSet::Current,
            summary: SummaryRule::Layers,
            operator: OperatorRule::Frequencies,
            combined: CombineRule::All,
            peak: PeakRule::Linear,
            pairing: Pairing::Name,
            smooth_share: SmoothShare::Pooled,
            failed: Failed::Null,
            infinite_alpha: false,
            large_xmax_is_value: false,
            max_evals: None,
            max_n: None,
        }
    }

    /// The numbers of WeightWatcher 0.7.7, its defects included.
    pub fn weightwatcher_0_7_7() -> Self {
        Conventions {
            name: "weightwatcher-0.7.7".to_owned(),
            naming: Naming::StateDict,
            round_to_single: true,
            conv_scale: ConvScale::Reference,
            sides: Sides::Reference,
            eval_threshold: Threshold::Absolute(1e-5),
            weak_rank_tolerance: Threshold::Absolute(1e-6),
            rank_tolerance: RankTolerance::Double,
            sv_min: SvMin::LargestOfSlices,
            entropy: EntropyRule::Epsilon,
            small_n_sigma: SmallNSigma::Reference,
            clip: ClipRule::Reference,
            quarter_circle: QuarterCircle::FixedEdge,
            randomization: Randomization::Reference,
            detx: DetxRule::Product,
            inverse: InverseRule::EveryOther,
            limits: EvalLimits { least: 8, most_by_rows: false },
            forced_xmax: false,
            apart: false,
            drop_smallest: false,
            embeddings: true,
            columns: ColumnSet::Current,
            summary: SummaryRule::Rows,
            operator: OperatorRule::Reference,
            combined: CombineRule::Reference,
            peak: PeakRule::Reference,
            pairing: Pairing::Reference,
            smooth_share: SmoothShare::Even,
            failed: Failed::MinusOne,
            infinite_alpha: true,
            large_xmax_is_value: true,
            max_evals: Some(15_000),
            max_n: Some(50_000),
        }
    }

    /// Names of the presets.
    pub const NAMES: [&'static str; 4] =
        ["default", "weightwatcher-0.7.7", "weightwatcher-0.4", "weightwatcher-0.1.2"];

    /// The preset of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Conventions::sound()),
            "weightwatcher-0.7.7" => Some(Conventions::weightwatcher_0_7_7()),
            "weightwatcher-0.4" => Some(Conventions::weightwatcher_0_4()),
            "weightwatcher-0.1.2" => Some(Conventions::weightwatcher_0_1_2()),
            _ => None,
        }
    }
}

impl Default for Conventions {
    fn default() -> Self {
        Conventions::sound()
    }
}
