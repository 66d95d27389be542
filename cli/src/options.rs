//! Options of an analysis, from the command line to the engine's.

use bytesize::ByteSize;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use eigenscope::analysis::{
    Conventions, Engine, EngineOptions, Fit, FixFingers, LayerFilter, Options, OptionsError, Xmax,
};
use eigenscope::fit::XminRule;
use eigenscope::matrix::ConvMode;
use eigenscope::spectrum::{Estimate, Precision, Solver};

use crate::failure::Failure;

/// More threads than any machine has; a slip of the finger otherwise starts millions.
pub const MAX_THREADS: u64 = 1024;

/// Values of `--solver`.
#[cfg(feature = "lapack")]
pub const SOLVERS: &[&str] = &["native", "faer", "lapack"];
/// Values of `--solver`.
#[cfg(not(feature = "lapack"))]
pub const SOLVERS: &[&str] = &["native", "faer"];

/// What decides which tensors are layers, and which matrices they are made of.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// Only these layers: names, globs ('encoder.*'), ids, kinds (dense, conv1d, conv2d, conv3d, embedding, recurrent,
    /// attention); '!' before a term excludes, and so does a minus before an id (--layers=-7). Separated by commas, or
    /// repeated
    #[arg(
        long,
        value_name = "TERMS",
        value_delimiter = ',',
        allow_hyphen_values = true,
        help_heading = "Layers"
    )]
    #[arg(value_parser = term)]
    layers: Vec<String>,
    /// Fewest eigenvalues a layer must have
    #[arg(long, value_name = "N", default_value_t = Options::default().min_evals, help_heading = "Layers")]
    min_evals: usize,
    /// Most eigenvalues it may have [default: no limit; weightwatcher-0.7.7: 15000]
    #[arg(long, value_name = "N", help_heading = "Layers")]
    max_evals: Option<usize>,
    /// Largest side its matrix may have [default: no limit; weightwatcher-0.7.7: 50000]
    #[arg(long, value_name = "N", help_heading = "Layers")]
    max_n: Option<usize>,
    /// One row for a convolution, its slices' eigenvalues pooled (default)
    #[arg(long, overrides_with = "no_pool", help_heading = "Matrices")]
    pool: bool,
    /// One row for each slice of a convolution
    #[arg(long, overrides_with = "pool", help_heading = "Matrices")]
    no_pool: bool,
    /// Convolutions as one matrix per kernel position (slices), as a single out x (in * kernel) matrix (flatten), or two-dimensional
    /// ones as the operator on images (fft)
    #[arg(long, value_name = "MODE", default_value = "slices", help_heading = "Matrices")]
    #[arg(value_parser = PossibleValuesParser::new(["slices", "flatten", "fft"]).map(|m| conv_mode(&m)))]
    conv_mode: ConvMode,
    /// The same as --conv-mode fft
    #[arg(long, conflicts_with = "conv_mode", help_heading = "Matrices")]
    conv2d_fft: bool,
    /// Side of the square periodic image of --conv-mode fft; the work grows with its square
    #[arg(long, value_name = "N", default_value_t = Options::default().fft_size, help_heading = "Matrices")]
    fft_size: usize,
    /// Divide matrices by the standard deviation of a Glorot initialisation of their shape
    #[arg(long, help_heading = "Matrices")]
    glorot_fix: bool,
    /// Append the bias to the matrix of dense layers that have one
    #[arg(long, help_heading = "Matrices")]
    add_biases: bool,
    /// Split stacked LSTM and GRU gates and fused attention projections into a matrix each
    #[arg(long, help_heading = "Matrices")]
    split: bool,
    /// Analyse the product of each layer with the one before, where they share a side
    #[arg(long, conflicts_with_all = ["no_pool", "stacked"], help_heading = "Matrices")]
    intra: bool,
    /// Put a random 0/1 matrix between the two, as WeightWatcher does unless told not to
    #[arg(long, requires = "intra", help_heading = "Matrices")]
    sparsify: bool,
    /// Analyse all layers as one matrix, stacked, each less its median and over its median absolute deviation
    #[arg(long, help_heading = "Matrices")]
    stacked: bool,
    /// Definitions behind the numbers: sound ones, or those of WeightWatcher 0.7.7, its defects included, or of its older versions
    #[arg(long, value_name = "NAME", default_value = "default", help_heading = "Arithmetic")]
    #[arg(value_parser = PossibleValuesParser::new(Conventions::NAMES))]
    conventions: String,
}

/// What decides the numbers of a layer.
#[derive(Args, Debug)]
pub struct FitArgs {
    /// Family fitted to the tail: PL, a power law; TPL, one with an exponential cut-off; E_TPL, the same with xmin near
    /// the peak
    #[arg(long, default_value = "PL", help_heading = "Fit")]
    #[arg(value_parser = PossibleValuesParser::new(["PL", "TPL", "E_TPL"]).map(|f| family(&f)))]
    fit: Fit,
    /// Where the tail begins: scan, at the least Kolmogorov-Smirnov distance; median, or top:SHARE, the largest such
    /// share of the eigenvalues (Hill estimator)
    #[arg(long, value_name = "RULE", default_value = "scan", value_parser = xmin, help_heading = "Fit")]
    xmin: XminRule,
    /// Upper end of the fitted values: N, so many of the largest are left out; force, the largest bounds the model
    #[arg(long, value_name = "N|force", value_parser = xmax, help_heading = "Fit")]
    xmax: Option<Xmax>,
    /// Fingers: clip_xmax, the largest eigenvalues go until alpha falls by --finger-thresh; xmin_peak, xmin is looked
    /// for near the peak of the histogram of log eigenvalues
    #[arg(long, value_name = "HOW", help_heading = "Fit")]
    #[arg(value_parser = PossibleValuesParser::new(["clip_xmax", "xmin_peak"]).map(|h| fingers(&h)))]
    fix_fingers: Option<FixFingers>,
    /// Most fingers to remove
    #[arg(long, value_name = "N", default_value_t = Options::default().max_fingers, help_heading = "Fit")]
    max_fingers: usize,
    /// The fall of alpha that counts
    #[arg(long, value_name = "X", default_value_t = Options::default().finger_thresh, help_heading = "Fit")]
    finger_thresh: f64,
    /// Fit a Marchenko-Pastur law: num_spikes, sigma_mp, bulk edges and the like
    #[arg(long, help_heading = "Random matrices")]
    mp_fit: bool,
    /// Compare with the same weights in random order: the rand_ columns, num_traps
    #[arg(long, help_heading = "Random matrices")]
    randomize: bool,
    /// Find correlation traps from the largest eigenvalues of the weights in random order, and the weights that carry them
    #[arg(long, help_heading = "Random matrices")]
    traps: bool,
    /// Seed of random orders and of the bootstrap
    #[arg(long, value_name = "N", default_value_t = Options::default().seed, help_heading = "Random matrices")]
    seed: u64,
    /// Random orders of each matrix [default: 5 below 100 eigenvalues, else 1]
    #[arg(long, value_name = "N", help_heading = "Random matrices")]
    replicas: Option<usize>,
    /// Probability that a random matrix stays below the Tracy-Widom edge of spikes and traps
    #[arg(long, value_name = "P", default_value_t = Options::default().tw_quantile, help_heading = "Random matrices")]
    tw_quantile: f64,
    /// How many of the largest eigenvalues multiply to 1 (detX, ERG)
    #[arg(long, visible_alias = "erg", help_heading = "More columns")]
    detx: bool,
    /// Statistics of the gaps between eigenvalues
    #[arg(long, help_heading = "More columns")]
    deltas: bool,
    /// Entropy and localisation of eigenvectors, in bulk and tail
    #[arg(long, help_heading = "More columns")]
    vectors: bool,
    /// Analyse 1/λ instead of λ
    #[arg(long, conflicts_with_all = ["vectors", "randomize"], help_heading = "More columns")]
    inverse: bool,
    /// Largest xmin near the peak [default: 1.5 times the peak]
    #[arg(long, value_name = "X", help_heading = "Fit")]
    xmin_max: Option<f64>,
    /// Compare the power law with other families: columns best_fit, R_*, p_*
    #[arg(long, help_heading = "Fit")]
    compare: bool,
    /// Bootstrap N samples: uncertainty of alpha and goodness of fit, columns alpha_se, alpha_lo, alpha_hi, gof_p
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Fit")]
    bootstrap: usize,
    /// Set alpha beside that of Gaussian matrices of the same shape: columns alpha0, alpha0_sd, alpha_z
    #[arg(long, help_heading = "Fit")]
    null_reference: bool,
    /// Only the K largest eigenvalues of each layer, for a fraction of the time; columns that would need the others stay empty
    #[arg(long, value_name = "K", group = "estimate", help_heading = "Estimates")]
    top: Option<usize>,
    /// The eigenvalues of square windows that cover each matrix (FARMS), so that layers of different shapes compare; with --xmin median, as
    /// published
    #[arg(long, value_name = "SIDE", group = "estimate", help_heading = "Estimates")]
    windows: Option<usize>,
    /// The density of the eigenvalues by so many steps of stochastic Lanczos quadrature, for matrices whose smaller side squared does not
    /// fit into memory; alpha is the Hill exponent of the upper half. 50 to 100 steps are usual
    #[arg(long, value_name = "STEPS", group = "estimate", help_heading = "Estimates")]
    density: Option<usize>,
    /// Arithmetic of the spectra; f32 takes half the memory, and eigenvalues below 1e-5 of the largest are approximate
    #[arg(long, value_name = "TYPE", default_value = "f64", help_heading = "Arithmetic")]
    #[arg(value_parser = PossibleValuesParser::new(["f64", "f32"]).map(|p| precision(&p)))]
    precision: Precision,
    /// Library that finds eigenvalues
    #[arg(long, value_name = "NAME", default_value = "native", help_heading = "Arithmetic")]
    #[arg(value_parser = PossibleValuesParser::new(SOLVERS).map(|s| solver(&s)))]
    solver: Solver,
    /// Threads; 0: as many as the machine has
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Arithmetic")]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=MAX_THREADS).map(|n| n as usize))]
    threads: usize,
    /// Take no more memory than this (800MiB, 2GB, ...): layers wait for their turn, and one that would not fit alone is skipped with
    /// the reason. Mapped pages of files do not count
    #[arg(long, value_name = "SIZE", help_heading = "Arithmetic")]
    max_memory: Option<ByteSize>,
}

impl FitArgs {
    fn estimate(&self) -> Estimate {
        let all = [
            self.top.map(Estimate::Top),
            self.windows.map(Estimate::Windows),
            self.density.map(Estimate::Density),
        ];
        all.into_iter().flatten().next().unwrap_or_default()
    }

    /// Refuses estimates, for what shows whole spectra.
    pub fn whole(&self) -> Result<(), Failure> {
        match self.estimate() {
            Estimate::Exact => Ok(()),
            estimate => Err(Failure::new(format!("pictures need all eigenvalues, not {estimate}")).usage()),
        }
    }

    /// An engine as asked for.
    pub fn engine(&self) -> Result<Engine, Failure> {
        let options =
            EngineOptions::threads(self.threads).max_memory(self.max_memory.map(|size| size.as_u64()));
        Engine::new(options).map_err(|error| Failure::of(&error))
    }
}

/// An option in the place of a term is a term forgotten.
fn term(text: &str) -> Result<String, String> {
    match text.trim().strip_prefix('-') {
        Some(id) if id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit()) => {
            Err("a term begins with '-' only before an id; '!' excludes by name or kind".to_owned())
        }
        _ => Ok(text.trim().to_owned()),
    }
}

/// `--conv-mode`.
pub fn conv_mode(name: &str) -> ConvMode {
    match name {
        "flatten" => ConvMode::Flatten,
        "fft" => ConvMode::Fft,
        _ => ConvMode::Slices,
    }
}

/// `--precision`.
pub fn precision(name: &str) -> Precision {
    if name == "f32" { Precision::F32 } else { Precision::F64 }
}

/// `--solver`.
pub fn solver(name: &str) -> Solver {
    match name {
        #[cfg(feature = "lapack")]
        "lapack" => Solver::Lapack,
        "faer" => Solver::Faer,
        _ => Solver::Native,
    }
}

fn family(name: &str) -> Fit {
    match name {
        "TPL" => Fit::Truncated,
        "E_TPL" => Fit::PeakTruncated,
        _ => Fit::PowerLaw,
    }
}

fn fingers(name: &str) -> FixFingers {
    if name == "xmin_peak" { FixFingers::XminPeak } else { FixFingers::ClipXmax }
}

fn xmin(text: &str) -> Result<XminRule, String> {
    match (text, text.strip_prefix("top:").map(str::parse)) {
        ("scan", _) => Ok(XminRule::Scan),
        ("median", _) => Ok(XminRule::Median),
        (_, Some(Ok(share))) => Ok(XminRule::Top(share)),
        _ => Err("expected scan, median or top:SHARE, such as top:0.2".to_owned()),
    }
}

fn xmax(text: &str) -> Result<Xmax, String> {
    match text.parse() {
        Ok(0) => Ok(Xmax::Unbounded),
        Ok(n) => Ok(Xmax::Drop(n)),
        Err(_) if text == "force" => Ok(Xmax::Force),
        Err(_) => Err("expected a count of eigenvalues to leave out, or 'force'".to_owned()),
    }
}

impl PlanArgs {
    /// The engine's options, contradictions refused.
    pub fn options(&self, fit: Option<&FitArgs>) -> Result<Options, OptionsError> {
        let mut options = Options {
            layers: LayerFilter::new(self.layers.iter().filter(|t| !t.is_empty()).cloned()),
            min_evals: self.min_evals,
            max_evals: self.max_evals,
            max_n: self.max_n,
            pool: !self.no_pool,
            conv_mode: if self.conv2d_fft { ConvMode::Fft } else { self.conv_mode },
            fft_size: self.fft_size,
            glorot_fix: self.glorot_fix,
            add_biases: self.add_biases,
            split: self.split,
            intra: self.intra,
            sparsify: self.sparsify,
            stacked: self.stacked,
            conventions: Conventions::named(&self.conventions).unwrap_or_default(),
            ..Options::default()
        };
        if let Some(fit) = fit {
            options.fit = fit.fit;
            options.xmax = fit.xmax.unwrap_or_default();
            options.fix_fingers = fit.fix_fingers.unwrap_or_default();
            options.max_fingers = fit.max_fingers;
            options.finger_thresh = fit.finger_thresh;
            options.mp_fit = fit.mp_fit;
            options.randomize = fit.randomize;
            options.traps = fit.traps;
            options.seed = fit.seed;
            options.replicas = fit.replicas;
            options.tw_quantile = fit.tw_quantile;
            options.detx = fit.detx;
            options.deltas = fit.deltas;
            options.vectors = fit.vectors;
            options.inverse = fit.inverse;
            options.xmin = fit.xmin;
            options.xmin_max = fit.xmin_max;
            options.compare = fit.compare;
            options.bootstrap = fit.bootstrap;
            options.null_reference = fit.null_reference;
            options.estimate = fit.estimate();
            options.precision = fit.precision;
            options.solver = fit.solver;
        }
        options.validate()?;
        Ok(options)
    }
}
