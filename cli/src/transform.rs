//! `eigenscope smooth` and `eigenscope sharpen`: a changed copy of a model, and what was done to each tensor.

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args, ValueEnum};
use eigenscope::analysis::{AnalysisError, Engine, EngineOptions, Options};
use eigenscope::tensor::Layout;
use eigenscope::transform::{
    Change, Done, SharpenMethod, Sharpening, SmoothMethod, Smoothing, Transform, TransformError, Transformed,
};
use serde_json::{Value, json};

use crate::args::Common;
use crate::exit;
use crate::failure::Failure;
use crate::hint;
use crate::loaders::Loaders;
use crate::models;
use crate::numbers::{plural, real};
use crate::options::{MAX_THREADS, PlanArgs};
use crate::output::Output;
use crate::progress::Watch;
use crate::safetensors_file;
use crate::style::DIM;
use crate::table::{Cell, Column, Line, Table};
use crate::text::{printable, terminal_width};

/// What both commands need.
#[derive(Args, Debug)]
struct CopyArgs {
    /// The model to read: a weight file of any format, a folder of shards, or an index (*.index.json)
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The safetensors file to write, complete or not at all. Never IN itself
    #[arg(short, long, value_name = "OUT", help_heading = "Output")]
    output: PathBuf,
    /// Replace OUT where there is such a file
    #[arg(long, help_heading = "Output")]
    force: bool,
    /// How the list of what was done is written
    #[arg(long, value_enum, default_value = "table", help_heading = "Output")]
    format: ListFormat,
    /// Read with this loader, whatever the content looks like
    #[arg(long, value_name = "NAME")]
    loader: Option<String>,
    /// Threads; 0: as many as the machine has
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Arithmetic")]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=MAX_THREADS).map(|n| n as usize))]
    threads: usize,
    #[command(flatten)]
    plan: PlanArgs,
}

/// `smooth`.
#[derive(Args, Debug)]
pub struct SmoothArgs {
    #[command(flatten)]
    copy: CopyArgs,
    /// How many of the largest singular values a layer keeps [default: detX; svd with --percent]
    #[arg(long, value_enum, help_heading = "Smoothing")]
    method: Option<Method>,
    /// With svd: this share of the singular values is kept, 0.2 for a fifth; below 0, such a share of the largest is removed
    #[arg(long, value_name = "P", allow_negative_numbers = true, help_heading = "Smoothing")]
    percent: Option<f64>,
}

/// `smooth --method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    /// As many as multiply to 1 where the mean is 1: column detX_num
    #[value(name = "detX", alias = "detx")]
    DetX,
    /// Those of the power law's tail: column num_pl_spikes
    #[value(name = "alpha_min", alias = "alpha-min")]
    AlphaMin,
    /// Those beyond the bulk of the Marchenko-Pastur law: column num_spikes
    Rmt,
    /// rmt where alpha is above 6, detX elsewhere
    Auto,
    /// The share that --percent says
    Svd,
}

/// `sharpen`.
#[derive(Args, Debug)]
pub struct SharpenArgs {
    #[command(flatten)]
    copy: CopyArgs,
    /// How traps are taken out
    #[arg(long, value_enum, default_value = "localized", help_heading = "Sharpening")]
    method: Way,
    /// Seed of the random orders in which traps are looked for
    #[arg(long, value_name = "N", default_value_t = Options::default().seed, help_heading = "Sharpening")]
    seed: u64,
    /// Probability that a random matrix stays below the Tracy-Widom edge that traps are counted from
    #[arg(long, value_name = "P", default_value_t = Options::default().tw_quantile, help_heading = "Sharpening")]
    tw_quantile: f64,
}

/// `sharpen --method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// The weights that carry a trap become 0; no other weight changes
    Localized,
    /// As many of the largest singular values as there are traps are removed, whatever they are of (SVDSharpness)
    Svd,
}

/// `--format` of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// For people
    Table,
    /// For programs: model, output, tensors
    Json,
}

/// Runs `smooth`.
pub fn smooth(args: &SmoothArgs, common: &Common) -> Result<u8, Failure> {
    let method = match (args.method, args.percent) {
        (None | Some(Method::Svd), Some(share)) => SmoothMethod::Share(share),
        (Some(Method::Svd), None) => {
            return Err(Failure::new("--method svd needs --percent, such as 0.8").usage());
        }
        (Some(_), Some(_)) => return Err(Failure::new("--percent goes with --method svd only").usage()),
        (None | Some(Method::DetX), None) => SmoothMethod::DetX,
        (Some(Method::AlphaMin), None) => SmoothMethod::AlphaMin,
        (Some(Method::Rmt), None) => SmoothMethod::Rmt,
        (Some(Method::Auto), None) => SmoothMethod::Auto,
    };
    let made_by = match method {
        SmoothMethod::Share(share) => format!("smooth --method svd --percent {share}"),
        SmoothMethod::AlphaMin => "smooth --method alpha_min".to_owned(),
        SmoothMethod::Rmt => "smooth --method rmt".to_owned(),
        SmoothMethod::Auto => "smooth --method auto".to_owned(),
        SmoothMethod::DetX => "smooth --method detX".to_owned(),
    };
    let options = args.copy.plan.options(None).map_err(|e| Failure::of(&e).usage())?;
    run(&args.copy, common, &options, &Transform::Smooth(Smoothing { method }), &made_by)
}

/// Runs `sharpen`.
pub fn sharpen(args: &SharpenArgs, common: &Common) -> Result<u8, Failure> {
    let (method, name) = match args.method {
        Way::Localized => (SharpenMethod::Localized, "localized"),
        Way::Svd => (SharpenMethod::Svd, "svd"),
    };
    let mut options = args.copy.plan.options(None).map_err(|e| Failure::of(&e).usage())?;
    (options.seed, options.tw_quantile) = (args.seed, args.tw_quantile);
    options.validate().map_err(|e| Failure::of(&e).usage())?;
    let made_by = format!("sharpen --method {name} --seed {} --tw-quantile {}", args.seed, args.tw_quantile);
    run(&args.copy, common, &options, &Transform::Sharpen(Sharpening { method }), &made_by)
}

fn run(
    args: &CopyArgs,
    common: &Common,
    options: &Options,
    transform: &Transform,
    made_by: &str,
) -> Result<u8, Failure> {
    let path = safetensors_file::place(&args.input, &args.output, args.force)?;
    let loaders = Loaders::find(&common.plugins)?;
    let model = models::open(&loaders, &args.input, args.loader.as_deref())?;
    let engine = Engine::new(EngineOptions::threads(args.threads)).map_err(|e| Failure::of(&e))?;
    let watch = Watch::new(&model.name, common);
    let result = engine.transform(&model, transform, options, &watch);
    watch.finish();
    let mut tensors = result.map_err(|error| match error {
        TransformError::Analysis(AnalysisError::NothingMatches(terms)) => {
            hint::nothing_matches(&model, options, &terms)
        }
        TransformError::Source(error) => Failure::of(&error),
        error => Failure::of(&error).usage(),
    })?;
    let new = tensors.iter_mut().map(|t| t.tensor.take()).collect();
    let made_by = format!("{made_by} ({})", env!("CARGO_PKG_VERSION"));
    safetensors_file::write(&model, new, &made_by, &path, args.force)?;
    match args.format {
        ListFormat::Table => {
            let summary = summary(&tensors, &args.output.display().to_string());
            Output::Stdout.write_styled(&(table(&tensors).render(terminal_width()) + &summary))?;
        }
        ListFormat::Json => {
            let document = json!({
                "eigenscope": env!("CARGO_PKG_VERSION"),
                "model": model.name,
                "output": args.output.display().to_string(),
                "made_by": made_by,
                "tensors": tensors.iter().map(record).collect::<Vec<_>>(),
            });
            let mut text = serde_json::to_vec_pretty(&document).map_err(|e| Failure::of(&e))?;
            text.push(b'\n');
            Output::Stdout.write(&text)?;
        }
    }
    let infos = model.file.tensors();
    if tensors.iter().any(|t| t.layer.kind.is_conv() && infos[t.layer.index].layout != Layout::default()) {
        log::warn!(
            "{}: convolutions keep the order of their axes, which safetensors cannot say: who reads them must know it",
            args.output.display()
        );
    }
    for tensor in &tensors {
        if let Done::Changed(Change { traps_left: left @ 1.., .. }) = tensor.done {
            log::warn!("{}: {} left", printable(&tensor.layer.longname), plural(left, "trap"));
        }
    }
    Ok(exit::OK)
}

fn record(tensor: &Transformed) -> Value {
    let layer = &tensor.layer;
    let mut record = json!({
        "layer_id": layer.layer_id, "name": layer.name, "longname": layer.longname,
        "layer_type": layer.kind.name(), "changed": matches!(tensor.done, Done::Changed(_)),
    });
    match &tensor.done {
        Done::Unchanged(why) => record["reason"] = json!(why),
        Done::Changed(change) => {
            if let Some((kept, of)) = change.kept {
                (record["kept"], record["of"]) = (json!(kept), json!(of));
            }
            record["traps"] = json!(change.traps);
            record["traps_left"] = json!(change.traps_left);
            record["weights"] = json!(change.weights);
            record["distance"] = json!(change.distance);
        }
    }
    record
}

/// What was done, in words.
fn words(change: &Change) -> String {
    let mut parts = Vec::new();
    if let Some((kept, of)) = change.kept {
        parts.push(format!("kept {kept} of {of} singular values"));
    }
    if change.weights > 0 {
        parts.push(format!("{} set to 0", plural(change.weights, "weight")));
    }
    if change.traps > 0 {
        parts.push(plural(change.traps, "trap"));
    }
    parts.push(format!("changed by {}", real(change.distance)));
    parts.join(", ")
}

fn table(tensors: &[Transformed]) -> Table {
    let column = |heading, text| Column { heading, text, yields: 0 };
    let lines = tensors.iter().map(|tensor| {
        let layer = &tensor.layer;
        let (words, style) = match &tensor.done {
            Done::Unchanged(why) => (format!("unchanged: {why}"), DIM),
            Done::Changed(change) => (words(change), anstyle::Style::new()),
        };
        let note = Cell { text: printable(&words).into_owned(), style };
        let cells = [layer.layer_id.to_string(), printable(&layer.longname).into_owned()];
        Line { cells: cells.map(Cell::from).into(), note: Some(note) }
    });
    let columns = vec![column("id", false), column("tensor", true), column("what was done", true)];
    Table { columns, flexible: 1, lines: lines.collect() }
}

fn summary(tensors: &[Transformed], output: &str) -> String {
    let changed = tensors.iter().filter(|t| matches!(t.done, Done::Changed(_))).count();
    let rest = plural(tensors.len() - changed, "tensor");
    format!("\n{output}: {} changed, {rest} as they were\n", plural(changed, "tensor"))
}
