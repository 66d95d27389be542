//! `eigenscope report`: a model, or a training run, as one page.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use eigenscope::adapter::Lora;
use eigenscope_workbench::pages;

use crate::analyze::explain;
use crate::args::Common;
use crate::exit;
use crate::failure::Failure;
use crate::loaders::Loaders;
use crate::models;
use crate::options::{FitArgs, PlanArgs};
use crate::output::Output;
use crate::progress::Watch;

/// `report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// A model: a weight file, a folder of shards, or an index (*.index.json); or the history of a monitor, JSON or CSV
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Write to FILE instead of standard output; it is replaced only when the result is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Read with this loader, whatever the content looks like
    #[arg(long, value_name = "NAME")]
    loader: Option<String>,
    /// Analyse what differs from this model: weights less its weights, paired by name
    #[arg(long, value_name = "PATH")]
    base_model: Option<PathBuf>,
    /// What is analysed.
    #[command(flatten)]
    plan: PlanArgs,
    /// How it is analysed.
    #[command(flatten)]
    fit: FitArgs,
}

/// Runs the command.
pub fn run(args: &ReportArgs, common: &Common) -> Result<u8, Failure> {
    let output = Output::binary(args.output.as_deref(), "a page", "report.html")?;
    if let Some(text) = history(&args.path)? {
        let name = args.path.display().to_string();
        let page = pages::series(&name, &text).map_err(|e| Failure::new(format!("{name}: {e}")))?;
        output.write(page.as_bytes())?;
        return Ok(exit::OK);
    }
    args.fit.whole()?;
    let options = args.plan.options(Some(&args.fit)).map_err(|e| Failure::of(&e).usage())?;
    let loaders = Loaders::find(&common.plugins)?;
    let engine = args.fit.engine()?;
    let loader = args.loader.as_deref();
    let model = models::open(&loaders, &args.path, loader)?;
    let base = args.base_model.as_ref().map(|base| models::open(&loaders, base, loader)).transpose()?;
    let model = models::prepared(model, &args.path, base, None::<Lora>, &options)?;
    let (watch, spectra) = (Watch::new(&model.name, common), pages::Spectra::new(&options));
    let report = engine.inspect(&model, &options, &watch, &spectra);
    watch.finish();
    let report = report.map_err(|error| explain(error, &model, &options))?;
    output.write(pages::report(&report, spectra).as_bytes())?;
    let complete = report.summary.failed == 0 && report.summary.analyzed > 0;
    Ok(if complete { exit::OK } else { exit::INCOMPLETE })
}

/// The text of a monitor's history; `None` where the file is something else.
fn history(path: &Path) -> Result<Option<String>, Failure> {
    if path.is_dir() {
        return Ok(None);
    }
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let failure = |e: std::io::Error| Failure::new(format!("cannot read {}: {e}", path.display()));
    let mut start = [0; 256];
    let mut filled = 0;
    while filled < start.len() {
        match file.read(&mut start[filled..]).map_err(failure)? {
            0 => break,
            n => filled += n,
        }
    }
    if !pages::is_history(&start[..filled]) {
        return Ok(None);
    }
    let mut bytes = start[..filled].to_vec();
    file.read_to_end(&mut bytes).map_err(failure)?;
    let text = String::from_utf8(bytes)
        .map_err(|e| Failure::new(format!("{}: expected text in UTF-8: {e}", path.display())))?;
    Ok(Some(text))
}
