//! `eigenscope esd`: the eigenvalues of one layer, or its weights, as a file for other programs.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use eigenscope::analysis::{Conventions, Engine, EngineOptions, Esd, LayerPlan, Options, Plan};
use eigenscope::matrix::ConvMode;
use eigenscope::source::OpenModel;
use eigenscope::spectrum::{Precision, Solver};
use ndarray::{Array1, Array3, Axis};
use serde_json::{Value, json};

use crate::args::Common;
use crate::exit;
use crate::failure::Failure;
use crate::hint;
use crate::loaders::Loaders;
use crate::models;
use crate::npy;
use crate::options::{self, MAX_THREADS, SOLVERS};
use crate::output::Output;

/// `esd`.
#[derive(Args, Debug)]
pub struct EsdArgs {
    /// A model: a weight file, a folder of shards, or an index (*.index.json)
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The layer: its name, the full name of its tensor, or its id. Limits on sizes do not apply
    #[arg(long, value_name = "NAME|ID")]
    layer: String,
    /// Read with this loader, whatever the content looks like
    #[arg(long, value_name = "NAME")]
    loader: Option<String>,
    /// The weights in place of the eigenvalues: one N x M matrix, larger side first, or rf of them (rf x N x M); npy only
    #[arg(long)]
    weights: bool,
    /// How the numbers are written [default: by the ending of FILE, else csv; npy for weights]
    #[arg(long, value_enum, help_heading = "Output")]
    format: Option<EsdFormat>,
    /// Write to FILE instead of standard output; it is replaced only when the result is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Keep the eigenvalues of a convolution's slices apart: column slice_id in csv, an array for each in json and npy
    #[arg(long, help_heading = "Matrices")]
    no_pool: bool,
    /// Convolutions as one matrix per kernel position, or as a single out x (in * kernel) matrix
    #[arg(long, value_name = "MODE", default_value = "slices", help_heading = "Matrices")]
    #[arg(value_parser = PossibleValuesParser::new(["slices", "flatten"]).map(|m| options::conv_mode(&m)))]
    conv_mode: ConvMode,
    /// Split stacked LSTM and GRU gates and fused attention projections into a matrix each
    #[arg(long, help_heading = "Matrices")]
    split: bool,
    /// Definitions behind names, ids and scales
    #[arg(long, value_name = "NAME", default_value = "default", help_heading = "Arithmetic")]
    #[arg(value_parser = PossibleValuesParser::new(Conventions::NAMES))]
    conventions: String,
    /// Arithmetic of the spectrum; f32 takes half the memory, and eigenvalues below 1e-5 of the largest are approximate
    #[arg(long, value_name = "TYPE", default_value = "f64", help_heading = "Arithmetic")]
    #[arg(value_parser = PossibleValuesParser::new(["f64", "f32"]).map(|p| options::precision(&p)))]
    precision: Precision,
    /// Library that finds eigenvalues
    #[arg(long, value_name = "NAME", default_value = "native", help_heading = "Arithmetic")]
    #[arg(value_parser = PossibleValuesParser::new(SOLVERS).map(|s| options::solver(&s)))]
    solver: Solver,
    /// Threads; 0: as many as the machine has
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Arithmetic")]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=MAX_THREADS).map(|n| n as usize))]
    threads: usize,
}

/// `esd --format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EsdFormat {
    /// A line an eigenvalue, below a comment that says what made them; `eigenscope fit` reads it
    Csv,
    /// An array of doubles for NumPy
    Npy,
    /// What made them, and the array `eigenvalues`
    Json,
}

impl EsdArgs {
    fn options(&self) -> Options {
        let mut conventions = Conventions::named(&self.conventions).unwrap_or_default();
        (conventions.max_evals, conventions.max_n) = (None, None);
        Options {
            min_evals: 0,
            pool: !self.no_pool,
            conv_mode: self.conv_mode,
            split: self.split,
            precision: self.precision,
            solver: self.solver,
            conventions,
            ..Options::default()
        }
    }

    fn format(&self) -> Result<EsdFormat, Failure> {
        let ending = self.output.as_ref().and_then(|path| path.extension()?.to_str());
        let by_name = ending.and_then(|e| EsdFormat::from_str(e, true).ok());
        let default = if self.weights { EsdFormat::Npy } else { EsdFormat::Csv };
        let format = self.format.or(by_name).unwrap_or(default);
        if self.weights && format != EsdFormat::Npy {
            return Err(Failure::new("--weights are written as npy only").usage());
        }
        if format == EsdFormat::Npy && self.output.is_none() && std::io::stdout().is_terminal() {
            return Err(Failure::new("npy is no text for a terminal")
                .usage()
                .hint("`-o FILE` writes a file"));
        }
        Ok(format)
    }
}

/// Runs the command.
pub fn run(args: &EsdArgs, common: &Common) -> Result<u8, Failure> {
    let (options, format) = (args.options(), args.format()?);
    let output = Output::new(args.output.as_deref())?;
    let loaders = Loaders::find(&common.plugins)?;
    let model = models::open(&loaders, &args.path, args.loader.as_deref())?;
    let plan = Plan::new(model.file.as_ref(), &options).map_err(|e| Failure::of(&e).usage())?;
    let layer = find(&plan, &args.layer).ok_or_else(|| hint::no_layer(&model, &plan, &args.layer))?;
    let engine = Engine::new(EngineOptions::threads(args.threads)).map_err(|e| Failure::of(&e))?;
    let named = |error: &dyn std::error::Error| Failure::new(format!("{}: {error}", model.name));
    let bytes = if args.weights {
        weights(&engine, &model, layer, &options, named)?
    } else {
        let esd = engine.esd(&model, layer, &options).map_err(|e| named(&e))?;
        match format {
            EsdFormat::Csv => csv(&made_by(&model, layer, &esd, &options), &esd),
            EsdFormat::Npy => array(&esd)?,
            EsdFormat::Json => document(made_by(&model, layer, &esd, &options), &esd)?,
        }
    };
    output.write(&bytes)?;
    Ok(exit::OK)
}

/// By the tensor's full name, the layer's name, then its id.
pub fn find<'a>(plan: &'a Plan, name: &str) -> Option<&'a LayerPlan> {
    let by = |is: &dyn Fn(&LayerPlan) -> bool| plan.layers.iter().find(|l| is(l));
    let id = name.parse::<usize>().ok();
    by(&|l| l.longname == name)
        .or_else(|| by(&|l| l.name == name && l.skip.is_none()))
        .or_else(|| by(&|l| l.name == name))
        .or_else(|| by(&|l| Some(l.layer_id) == id && l.skip.is_none()))
        .or_else(|| by(&|l| Some(l.layer_id) == id))
}

fn weights(
    engine: &Engine,
    model: &OpenModel,
    layer: &LayerPlan,
    options: &Options,
    named: impl Fn(&dyn std::error::Error) -> Failure,
) -> Result<Vec<u8>, Failure> {
    let views = engine.matrices(model, layer, options).map_err(|e| named(&e))?;
    match &views[..] {
        [one] => npy::bytes(&one.to_array()),
        several => {
            let (n, m) = several.first().map_or((0, 0), |v| (v.rows(), v.cols()));
            let mut all = Array3::zeros((several.len(), n, m));
            for (mut slice, view) in all.axis_iter_mut(Axis(0)).zip(several) {
                slice.assign(&view.to_array());
            }
            npy::bytes(&all)
        }
    }
}

/// What the eigenvalues are of, and how they were found.
fn made_by(model: &OpenModel, layer: &LayerPlan, esd: &Esd, options: &Options) -> Value {
    let info = &model.file.tensors()[layer.index];
    let svd = esd.spectra.iter().map(|s| s.method().to_string()).max();
    json!({
        "eigenscope": env!("CARGO_PKG_VERSION"),
        "model": model.name,
        "loader": model.loader,
        "layer_id": layer.layer_id,
        "name": layer.name,
        "longname": layer.longname,
        "layer_type": layer.kind.name(),
        "dtype": info.dtype.name(),
        "shape": info.shape,
        "N": layer.matrices.map(|s| s.n),
        "M": layer.matrices.map(|s| s.m),
        "rf": layer.matrices.map(|s| s.count),
        "num_evals": esd.spectra.iter().map(|s| s.eigenvalues.len()).sum::<usize>(),
        "pooled": esd.spectra.len() == 1,
        "scale": esd.scale,
        "conv_mode": layer.kind.is_conv().then(|| options.conv_mode.describe(esd.spectra.len() == 1)),
        "precision": options.precision.name(),
        "method": svd,
        "conventions": options.conventions.name,
    })
}

fn csv(made_by: &Value, esd: &Esd) -> Vec<u8> {
    // JSON, so that a name with a line break stays in its line.
    let mut out = format!("# {made_by}\n");
    let apart = esd.spectra.len() > 1;
    out += if apart { "slice_id,eigenvalue\n" } else { "eigenvalue\n" };
    for (slice, spectrum) in esd.spectra.iter().enumerate() {
        for value in &spectrum.eigenvalues {
            let _ = if apart { writeln!(out, "{slice},{value:?}") } else { writeln!(out, "{value:?}") };
        }
    }
    out.into_bytes()
}

fn document(mut made_by: Value, esd: &Esd) -> Result<Vec<u8>, Failure> {
    let all: Vec<&[f64]> = esd.spectra.iter().map(|s| &s.eigenvalues[..]).collect();
    made_by["eigenvalues"] = if let [one] = all[..] { json!(one) } else { json!(all) };
    let mut text = serde_json::to_vec_pretty(&made_by).map_err(|e| Failure::of(&e))?;
    text.push(b'\n');
    Ok(text)
}

/// One-dimensional, or a row for each slice.
fn array(esd: &Esd) -> Result<Vec<u8>, Failure> {
    let values: Array1<f64> = esd.spectra.iter().flat_map(|s| s.eigenvalues.iter().copied()).collect();
    let (count, total) = (esd.spectra.len(), values.len());
    if count == 1 {
        return npy::bytes(&values);
    }
    let rows = values.into_shape_with_order((count, total / count)).map_err(|e| Failure::of(&e))?;
    npy::bytes(&rows)
}
