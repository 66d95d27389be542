//! What is analysed and how, as far as it is not convention.

use serde::{Deserialize, Serialize};

use super::clashes::{analysis_only, clashes};
use super::estimated::of_whole_spectra;
use super::{Conventions, LayerFilter};
use crate::fit::XminRule;
use crate::matrix::ConvMode;
use crate::spectrum::{Estimate, Precision, Solver};

/// The family fitted to the tail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fit {
    /// A power law.
    #[default]
    #[serde(rename = "PL")]
    PowerLaw,
    /// A power law with an exponential cut-off.
    #[serde(rename = "TPL")]
    Truncated,
    /// The same with [`FixFingers::XminPeak`].
    #[serde(rename = "E_TPL")]
    PeakTruncated,
}

/// The upper end of the fitted values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Xmax {
    /// None.
    #[default]
    Unbounded,
    /// The largest eigenvalue bounds the model too (`xmax='force'`).
    Force,
    /// So many of the largest eigenvalues are left out (integer `xmax`).
    Drop(usize),
}

/// Whether fingers, a few huge eigenvalues, are removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixFingers {
    /// They stay.
    #[default]
    Off,
    /// The largest are removed until alpha falls by `finger_thresh`.
    ClipXmax,
    /// xmin is looked for near the peak of the histogram of log λ only.
    XminPeak,
}

const DEFAULT_MIN_EVALS: usize = 8;

/// Options of an analysis. Defaults are WeightWatcher's, but for the upper limits, which are off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Which layers.
    pub layers: LayerFilter,
    /// Fewest eigenvalues a layer must have; the default, 8, stands for that of the conventions.
    pub min_evals: usize,
    /// Most eigenvalues it may have; `None`: no limit (the reference preset sets its own).
    pub max_evals: Option<usize>,
    /// Largest side it may have; `None` likewise.
    pub max_n: Option<usize>,
    /// One spectrum for all slices of a convolution, or a row for each.
    pub pool: bool,
    /// How convolutions become matrices.
    pub conv_mode: ConvMode,
    /// Side of the square periodic image that [`ConvMode::Fft`] convolves; WeightWatcher's 32 x 32 are fixed.
    pub fft_size: usize,
    /// Divide each matrix by the standard deviation of a Glorot initialisation, √(2 / ((N + M) rf)), in place of the factor on
    /// convolutions.
    pub glorot_fix: bool,
    /// Append the bias to the matrix of dense layers that have one, as a column beside their inputs.
    pub add_biases: bool,
    /// Split stacked gates and projections into a matrix each.
    pub split: bool,
    /// Analyse the product of each layer's first matrix with that of the layer before.
    pub intra: bool,
    /// Put a random 0/1 matrix between the two (WeightWatcher's default for `intra`).
    pub sparsify: bool,
    /// Analyse all layers stacked to one matrix, each less its median and over its median absolute deviation.
    pub stacked: bool,
    /// The family fitted to the tail.
    pub fit: Fit,
    /// Where the tail begins.
    pub xmin: XminRule,
    /// Upper end of the fitted values.
    pub xmax: Xmax,
    /// Whether fingers are removed.
    pub fix_fingers: FixFingers,
    /// Most fingers to try.
    pub max_fingers: usize,
    /// The fall of alpha that counts.
    pub finger_thresh: f64,
    /// Compare with shuffled matrices: the `rand_` columns.
    pub randomize: bool,
    /// Seed of every shuffle, which the layer's name decides with it, and of the bootstrap; whatever the threads.
    pub seed: u64,
    /// Shuffles of each matrix; `None`: 5 below 100 eigenvalues, else 1, as the reference has it.
    pub replicas: Option<usize>,
    /// Fit a Marchenko-Pastur law to the spectrum.
    pub mp_fit: bool,
    /// Find correlation traps by the largest eigenvalues of one shuffle.
    pub traps: bool,
    /// Probability that a random matrix stays below the Tracy-Widom edge that spikes and traps are counted from.
    pub tw_quantile: f64,
    /// The number of largest eigenvalues whose product is still 1 (detX, ERG).
    pub detx: bool,
    /// Statistics of the gaps between neighbouring eigenvalues.
    pub deltas: bool,
    /// Entropy and localisation of eigenvectors, in the bulk and in the tail.
    pub vectors: bool,
    /// Analyse 1/λ instead of λ: how the smallest eigenvalues fall off.
    pub inverse: bool,
    /// Largest xmin under [`FixFingers::XminPeak`]; `None`: 1.5 times the peak.
    pub xmin_max: Option<f64>,
    /// Compare the power law of the tail with other families.
    pub compare: bool,
    /// Replicates of the bootstrap behind the uncertainty of alpha and the goodness of fit; 0: none.
    pub bootstrap: usize,
    /// Set alpha beside that of Gaussian matrices of the same shape.
    pub null_reference: bool,
    /// All eigenvalues, or less for less.
    pub estimate: Estimate,
    /// Arithmetic of the spectra.
    pub precision: Precision,
    /// Library that finds eigenvalues.
    pub solver: Solver,
    /// Every convention that changes a number.
    pub conventions: Conventions,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            layers: LayerFilter::default(),
            min_evals: DEFAULT_MIN_EVALS,
            max_evals: None,
            max_n: None,
            pool: true,
            conv_mode: ConvMode::default(),
            fft_size: 32,
            glorot_fix: false,
            add_biases: false,
            split: false,
            intra: false,
            sparsify: false,
            stacked: false,
            fit: Fit::default(),
            xmin: XminRule::default(),
            xmax: Xmax::default(),
            fix_fingers: FixFingers::default(),
            max_fingers: 10,
            finger_thresh: 1.0,
            randomize: false,
            seed: 0,
            replicas: None,
            mp_fit: false,
            traps: false,
            tw_quantile: 0.9999,
            detx: false,
            deltas: false,
            vectors: false,
            inverse: false,
            xmin_max: None,
            compare: false,
            bootstrap: 0,
            null_reference: false,
            estimate: Estimate::default(),
            precision: Precision::default(),
            solver: Solver::default(),
            conventions: Conventions::default(),
        }
    }
}

/// Options that contradict each other.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// No number of eigenvalues would do.
    #[error("min_evals {min} is above max_evals {max}")]
    Evals {
        /// Fewest asked for.
        min: usize,
        /// Most allowed.
        max: usize,
    },
    /// No matrix has more eigenvalues than its larger side.
    #[error("max_N {max_n} is below min_evals {min}")]
    MaxN {
        /// Largest side allowed.
        max_n: usize,
        /// Fewest eigenvalues asked for.
        min: usize,
    },
    /// Two ways to choose the upper end.
    #[error("fix_fingers = clip_xmax chooses the upper end itself; it does not go with xmax")]
    FingersAndXmax,
    /// Two ways to deal with fingers.
    #[error("fit = E_TPL looks for xmin near the peak; it does not go with fix_fingers = clip_xmax")]
    PeakAndClip,
    /// Two ways to choose the lower end.
    #[error("a fixed xmin goes with fit = PL only, without fix_fingers and without xmax = force")]
    FixedXmin,
    /// No share of the values.
    #[error("xmin: the tail must be a share above 0 and at most 1, found {0}")]
    XminShare(f64),
    /// Not a number, or negative.
    #[error("finger_thresh must be a number of at least 0, found {0}")]
    FingerThresh(f64),
    /// Inverse eigenvalues belong to other matrices than the vectors or the shuffled weights.
    #[error("inverse does not go with vectors or randomize")]
    Inverse,
    /// Two options of which one has no meaning beside the other.
    #[error("{0} does not go with {1}")]
    Together(&'static str, &'static str),
    /// Rows of an analysis alone.
    #[error("{0} goes with an analysis only: its matrices are not those of single tensors")]
    AnalysisOnly(&'static str),
    /// An image has pixels.
    #[error("fft_size must be at least 1")]
    FftSize,
    /// Without a product there is nothing to put between.
    #[error("sparsify goes with intra only")]
    Sparsify,
    /// Nothing would be estimated.
    #[error("estimate: so many must be at least 1")]
    Estimate,
    /// Nothing would be compared.
    #[error("replicas must be at least 1")]
    Replicas,
    /// Not a probability that has a quantile.
    #[error("tw_quantile must be between 0 and 1, found {0}")]
    TwQuantile(f64),
    /// Layer filter that cannot be read.
    #[error("layer filter '{0}': {1}")]
    Filter(String, String),
}

impl Options {
    /// Defaults under the reference's conventions.
    pub fn weightwatcher_0_7_7() -> Self {
        Options { conventions: Conventions::weightwatcher_0_7_7(), ..Options::default() }
    }

    /// The limit on eigenvalues in force.
    pub fn effective_max_evals(&self) -> Option<usize> {
        self.max_evals.or(self.conventions.max_evals)
    }

    /// The least number of eigenvalues in force.
    pub fn effective_min_evals(&self) -> usize {
        if self.min_evals == DEFAULT_MIN_EVALS { self.conventions.limits.least } else { self.min_evals }
    }

    /// The upper end of the fitted values in force.
    pub fn effective_xmax(&self) -> Xmax {
        let plain = self.fit == Fit::PowerLaw && self.fix_fingers == FixFingers::Off;
        let free = plain && self.xmin == XminRule::Scan && self.xmax == Xmax::Unbounded;
        if free && self.conventions.forced_xmax { Xmax::Force } else { self.xmax }
    }

    /// Whether the slices of a layer have one spectrum.
    pub fn pooled(&self) -> bool {
        self.pool && !self.conventions.apart
    }

    /// The limit on the larger side in force.
    pub fn effective_max_n(&self) -> Option<usize> {
        self.max_n.or(self.conventions.max_n)
    }

    /// Shuffles of each matrix of a layer with so many eigenvalues.
    pub fn effective_replicas(&self, num_evals: usize) -> usize {
        self.replicas.unwrap_or(if num_evals < 100 { 5 } else { 1 })
    }

    /// Refuses rows about other matrices than those of single tensors, for work on the tensors themselves.
    pub(crate) fn of_single_tensors(&self) -> Result<(), OptionsError> {
        analysis_only(self)
    }

    /// Refuses contradictions.
    pub fn validate(&self) -> Result<(), OptionsError> {
        if let Some(max) = self.max_evals
            && max < self.min_evals
        {
            return Err(OptionsError::Evals { min: self.min_evals, max });
        }
        if let Some(max_n) = self.max_n
            && max_n < self.min_evals
        {
            return Err(OptionsError::MaxN { max_n, min: self.min_evals });
        }
        if self.fix_fingers == FixFingers::ClipXmax && self.xmax != Xmax::Unbounded {
            return Err(OptionsError::FingersAndXmax);
        }
        if self.fix_fingers == FixFingers::ClipXmax && self.fit == Fit::PeakTruncated {
            return Err(OptionsError::PeakAndClip);
        }
        let plain = self.fit == Fit::PowerLaw && self.fix_fingers == FixFingers::Off;
        if self.xmin != XminRule::Scan && !(plain && self.xmax != Xmax::Force) {
            return Err(OptionsError::FixedXmin);
        }
        if let XminRule::Top(share) = self.xmin
            && !(share > 0.0 && share <= 1.0)
        {
            return Err(OptionsError::XminShare(share));
        }
        if self.finger_thresh.is_nan() || self.finger_thresh < 0.0 {
            return Err(OptionsError::FingerThresh(self.finger_thresh));
        }
        if self.inverse && (self.vectors || self.randomize) {
            return Err(OptionsError::Inverse);
        }
        clashes(self)?;
        of_whole_spectra(self)?;
        if self.fft_size == 0 {
            return Err(OptionsError::FftSize);
        }
        if self.sparsify && !self.intra {
            return Err(OptionsError::Sparsify);
        }
        if self.replicas == Some(0) {
            return Err(OptionsError::Replicas);
        }
        if !(self.tw_quantile > 0.0 && self.tw_quantile < 1.0) {
            return Err(OptionsError::TwQuantile(self.tw_quantile));
        }
        self.layers.validate()
    }
}
