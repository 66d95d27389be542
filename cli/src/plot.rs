//! `eigenscope plot`: one figure of one layer.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use eigenscope::analysis::{Inspection, Plan};
use eigenscope_workbench::figures::{Figure, Kind, Theme};

use crate::args::Common;
use crate::esd::find;
use crate::exit;
use crate::failure::Failure;
use crate::hint;
use crate::loaders::Loaders;
use crate::models;
use crate::numbers::plural;
use crate::options::{FitArgs, PlanArgs};
use crate::output::Output;

/// `plot`.
#[derive(Args, Debug)]
pub struct PlotArgs {
    /// A model: a weight file, a folder of shards, or an index (*.index.json)
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The layer: its name, the full name of its tensor, or its id
    #[arg(long, value_name = "NAME|ID")]
    layer: String,
    /// Which figure: what it needs is analysed without being asked for
    #[arg(long, value_name = "NAME", default_value = "esd", help = figure_help(), ignore_case = true)]
    #[arg(value_parser = PossibleValuesParser::new(Kind::ALL.iter().map(|k| k.name())).try_map(|n| n.parse::<Kind>()))]
    figure: Kind,
    /// Which slice of a convolution whose slices are kept apart (--no-pool)
    #[arg(long, value_name = "N", requires = "no_pool")]
    slice: Option<usize>,
    /// Read with this loader, whatever the content looks like
    #[arg(long, value_name = "NAME")]
    loader: Option<String>,
    /// Write to FILE instead of standard output; .png makes a PNG picture, everything else is SVG
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Colours
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    theme: ThemeArg,
    /// How it is analysed.
    #[command(flatten)]
    plan: PlanArgs,
    /// How it is fitted.
    #[command(flatten)]
    fit: FitArgs,
}

fn figure_help() -> String {
    let lines: Vec<String> = Kind::ALL.iter().map(|k| format!("{}: {}", k.name(), k.words())).collect();
    format!("Which figure; what it needs is analysed without being asked for. {}", lines.join("; "))
}

/// `--theme`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ThemeArg {
    /// Dark marks on white
    #[default]
    Light,
    /// Light marks on near black
    Dark,
}

impl From<ThemeArg> for Theme {
    fn from(theme: ThemeArg) -> Self {
        match theme {
            ThemeArg::Light => Theme::Light,
            ThemeArg::Dark => Theme::Dark,
        }
    }
}

/// Runs `plot`.
pub fn run(args: &PlotArgs, common: &Common) -> Result<u8, Failure> {
    args.fit.whole()?;
    let mut options = args.plan.options(Some(&args.fit)).map_err(|e| Failure::of(&e).usage())?;
    args.figure.require(&mut options);
    options.validate().map_err(|e| Failure::of(&e).usage())?;
    let png = is_png(args.output.as_deref());
    let output = Output::new(args.output.as_deref())?;
    let loaders = Loaders::find(&common.plugins)?;
    let model = models::open(&loaders, &args.path, args.loader.as_deref())?;
    let plan = Plan::new(model.file.as_ref(), &options).map_err(|e| Failure::of(&e).usage())?;
    let layer = find(&plan, &args.layer).ok_or_else(|| hint::no_layer(&model, &plan, &args.layer))?;
    let engine = args.fit.engine()?;
    let kept = Mutex::<Vec<Inspection>>::default();
    let rows = engine.inspect_layer(&model, layer, &options, &kept);
    let mut inspections = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(slice) = args.slice {
        inspections.retain(|i| i.row.slice_id == Some(slice));
    }
    let failure = |why: String| Failure::new(format!("{}: {why}", model.name));
    let named = &layer.longname;
    let found = match &inspections[..] {
        [one] => one,
        [] => {
            let reason = rows.first().map_or("", |r| r.reason.as_str());
            return Err(match args.slice {
                Some(slice) if reason.is_empty() => failure(format!("'{named}' has no slice {slice}")),
                _ => failure(format!("'{named}' has no spectrum: {reason}")),
            });
        }
        several => {
            let count = plural(several.len(), "slice");
            return Err(failure(format!("'{named}' has {count}")).usage().hint("`--slice N` chooses one"));
        }
    };
    let none = || {
        let reason = if found.row.reason.is_empty() { "" } else { ": " };
        failure(format!("'{named}' has no figure {}{reason}{}", args.figure.name(), found.row.reason))
    };
    let figure = args.figure.of(found, &options).ok_or_else(none)?;
    output.write(&drawn(&figure, args.theme.into(), png)?)?;
    Ok(exit::OK)
}

/// Whether a file is to be a PNG picture, by its name.
pub fn is_png(path: Option<&Path>) -> bool {
    path.and_then(Path::extension).is_some_and(|e| e.eq_ignore_ascii_case("png"))
}

/// The bytes of a figure.
pub fn drawn(figure: &Figure, theme: Theme, png: bool) -> Result<Vec<u8>, Failure> {
    let bytes = if png { figure.png(theme) } else { figure.svg(theme).map(String::into_bytes) };
    bytes.map_err(|e| Failure::of(&e))
}
