//! The command line: commands, options and what their help teaches.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use eigenscope::adapter::Lora;
use eigenscope::pair::{Method, PairOptions};

use crate::batch::BatchArgs;
use crate::compare::CompareArgs;
use crate::dashboard::DashboardArgs;
use crate::esd::EsdArgs;
use crate::exit;
use crate::loaders;
use crate::options::{FitArgs, MAX_THREADS, PlanArgs};
use crate::page::ReportArgs;
use crate::plot::{PlotArgs, ThemeArg};
use crate::plots::PlotsArgs;
use crate::serve::ServeArgs;
use crate::store::StoreArgs;
use crate::style::Color;
use crate::transform::{SharpenArgs, SmoothArgs};

const EXAMPLES: &str = "\
Examples:
  eigenscope describe model.safetensors         what is in the file, and what would be analysed
  eigenscope analyze model.safetensors          a table of every layer
  eigenscope analyze model.pt -o report.json    the same in full, as JSON
  eigenscope explain alpha                      what a column means
  eigenscope plugins                            which formats are read, and by what";

const DESCRIBE_EXAMPLES: &str = "\
Examples:
  eigenscope describe model.safetensors
  eigenscope describe checkpoint/                     a folder of shards
  eigenscope describe model.pt --layers dense         only dense layers would be analysed
  eigenscope describe model.pt --format csv -o tensors.csv";

const ANALYZE_EXAMPLES: &str = "\
Examples:
  eigenscope analyze model.safetensors
  eigenscope analyze model.safetensors.index.json --all
  eigenscope analyze model.pt --layers 'encoder.*,!*norm*' --format csv
  eigenscope analyze model.pt --layers dense,conv2d --layers=-7
  eigenscope analyze before.pt after.pt -o both.csv
  eigenscope analyze tuned.pt --base-model base.pt
  eigenscope analyze adapter/ --base-model base/         a LoRA adapter: B A, and W + B A
  eigenscope analyze model.pt --conventions weightwatcher-0.7.7
  eigenscope analyze model.pt --format json | jq .summary.alpha
  eigenscope analyze model.pt --plots figures/ --plot-format png     figures of every layer, by WeightWatcher's names
  eigenscope analyze weights.npz --plugin-dir ~/eigenscope-plugins
  eigenscope analyze --store zoo ResNet/20=resnet20.th ResNet/56=resnet56.th
  eigenscope analyze --store zoo --shard 3/16 checkpoints/*/*.pt       a part of a job array";

const STORE_EXAMPLES: &str = "\
Examples:
  eigenscope analyze --store zoo ResNet/20=resnet20.th     many models into a store, and again: only what is new
  eigenscope store quality zoo top1.csv                    how good they are
  eigenscope store list zoo
  eigenscope store show zoo ResNet/20 --format csv         its layers
  eigenscope store add zoo report.json --name ResNet/110 --quality top1=93.68
  eigenscope store import zoo results/                     results/ARCHITECTURE/VARIANT/details.csv, summary.json
  eigenscope store export zoo results/
  eigenscope store rm zoo ResNet/110";

const COMPARE_EXAMPLES: &str = "\
Examples:
  eigenscope compare zoo
  eigenscope compare zoo --metric alpha,alpha_weighted --group architecture
  eigenscope compare zoo --metric entropy --quality top1 -o entropy.json
  eigenscope compare zoo --layers ResNet/20 ResNet/56             layer by layer, and by depth
  eigenscope compare zoo --format json | jq -r '.findings[].sentence'";

const DASHBOARD_EXAMPLES: &str = "\
Examples:
  eigenscope dashboard zoo -o zoo.html
  eigenscope dashboard zoo --tag published -o published.html";

const SERVE_EXAMPLES: &str = "\
Examples:
  eigenscope serve zoo                          http://127.0.0.1:8050/
  eigenscope serve zoo --port 0                 any free port; it is told
  ssh -L 8050:127.0.0.1:8050 server eigenscope serve zoo      the store of another machine, shown on this one only";

const DISTANCES_EXAMPLES: &str = "\
Examples:
  eigenscope distances before.pt after.pt
  eigenscope distances base/ tuned/ --layers '*attention*' --format csv -o distances.csv
  eigenscope distances a.pt b.pt --top 0                no singular vectors: faster
  eigenscope distances a.pt b.pt --method CKA --conventions weightwatcher-0.7.7
  eigenscope distances a.pt b.pt --format json | jq .summary.relative";

const FIT_EXAMPLES: &str = "\
Examples:
  eigenscope fit values.txt                     a power law and its rivals, xmin scanned
  eigenscope fit eigenvalues.npy --bootstrap 1000
  eigenscope fit values.txt --xmin 2.5 --format json
  eigenscope fit values.txt --plot fit.svg";

const ESD_EXAMPLES: &str = "\
Examples:
  eigenscope esd model.safetensors --layer fc1 -o fc1.csv
  eigenscope esd model.pt --layer encoder.layer.0.attention.self.query --format npy -o query.npy
  eigenscope esd model.pt --layer 7 --format json | jq .eigenvalues
  eigenscope esd model.pt --layer conv1 --weights -o conv1.npy
  eigenscope esd model.safetensors --layer fc1 -o fc1.csv && eigenscope fit fc1.csv";

const PLOT_EXAMPLES: &str = "\
Examples:
  eigenscope plot model.safetensors --layer fc1 -o fc1.svg
  eigenscope plot model.pt --layer 7 --figure mpfit2 -o bulk.png
  eigenscope plot model.pt --layer conv1 --no-pool --slice 4 --figure esd4 --theme dark -o d.svg
  eigenscope analyze model.pt --plots figures/          every figure of every layer";

const REPORT_EXAMPLES: &str = "\
Examples:
  eigenscope report model.safetensors -o report.html    open it in any browser, no network needed
  eigenscope report model.pt --mp-fit --randomize --compare -o report.html
  eigenscope report history.csv -o run.html             what a monitor saw of a training run; JSON too";

const SMOOTH_EXAMPLES: &str = "\
Examples:
  eigenscope smooth model.safetensors -o smooth.safetensors
  eigenscope smooth model.pt -o smooth.safetensors --method svd --percent 0.2
  eigenscope smooth model.pt -o rest.safetensors --percent=-0.1 --layers 'encoder.*'
  eigenscope smooth model.onnx -o smooth.safetensors --format json | jq '.tensors[].kept'";

const SHARPEN_EXAMPLES: &str = "\
Examples:
  eigenscope sharpen model.safetensors -o sharp.safetensors
  eigenscope sharpen model.pt -o sharp.safetensors --method svd
  eigenscope analyze sharp.safetensors --traps --format csv      none is left";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  eigenscope explain                           every column, a line each
  eigenscope explain alpha D sigma             these three in full
  eigenscope explain --markdown > metrics.md   all in full";

const PLUGINS_EXAMPLES: &str = "\
Examples:
  eigenscope plugins                                 the usual places
  eigenscope plugins --plugin-dir ./plugins          and a folder of your own
  eigenscope plugins --plugin ./libacme.so           and a library without a manifest
  eigenscope plugins --no-load                       read manifests only, run no plugin's code
  eigenscope plugins --format json | jq .passed_over";

fn help(examples: &str) -> String {
    format!("{examples}\n\n{}", exit::HELP)
}

/// Spectral diagnostics of neural-network weights.
///
/// Finds the eigenvalues of every weight matrix of a trained model, fits a power law to their tail and reports its
/// exponent alpha, norms and ranks. Needs the weights only: no data, no network, no Python. Nothing in a model file is
/// ever executed.
#[derive(Debug, Parser)]
#[command(name = "eigenscope", version, max_term_width = 100, after_help = help(EXAMPLES))]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
}

/// Options of every command.
#[derive(Args, Debug)]
pub struct Common {
    /// Colours in tables and messages
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", help_heading = "General")]
    pub color: Color,
    /// No progress bar and no warnings; errors only
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "General")]
    pub quiet: bool,
    /// Log to standard error, in place of the progress bar: -v each layer, -vv what loaders do
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "General")]
    pub verbose: u8,
    /// Where plugins come from.
    #[command(flatten)]
    pub plugins: PluginArgs,
}

/// Plugins that the command line names. They come before loaders that are built in, of the same name too.
#[derive(Args, Debug)]
pub struct PluginArgs {
    /// A plugin: its manifest (.toml), or its library. Repeatable. It runs with your rights, without a sandbox
    #[arg(long, global = true, value_name = "PATH", help_heading = "Plugins")]
    pub plugin: Vec<PathBuf>,
    /// A folder of plugins, before those in EIGENSCOPE_PLUGIN_PATH and in the user's and the installed folder. Repeatable
    #[arg(long, global = true, value_name = "DIR", help_heading = "Plugins")]
    pub plugin_dir: Vec<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the tensors of a model and what would be analysed, without reading a weight
    #[command(after_help = help(DESCRIBE_EXAMPLES))]
    Describe(DescribeArgs),
    /// Analyse the layers of a model
    #[command(after_help = help(ANALYZE_EXAMPLES))]
    Analyze(AnalyzeArgs),
    /// Compare two models layer by layer: norms, angles, CKA, singular vectors, spectra
    #[command(after_help = help(DISTANCES_EXAMPLES))]
    Distances(DistancesArgs),
    /// Write the eigenvalues of one layer, or its weights, for other programs
    #[command(after_help = help(ESD_EXAMPLES))]
    Esd(EsdArgs),
    /// Fit a power law to the numbers of a file, and compare it with other families
    #[command(after_help = help(FIT_EXAMPLES))]
    Fit(FitFileArgs),
    /// Draw a figure of one layer: its spectrum with the fit, D and alpha by xmin, random matrices, gaps, eigenvectors
    #[command(after_help = help(PLOT_EXAMPLES))]
    Plot(PlotArgs),
    /// Write a page about a model, or about a training run: tables, spectra, charts in one HTML file that needs no network
    #[command(after_help = help(REPORT_EXAMPLES))]
    Report(ReportArgs),
    /// Write a copy of a model whose layers keep their largest singular values only
    ///
    /// Reads any format, writes one safetensors file. Types, shapes, and every tensor that is no layer stay as they are, to the
    /// bit. Convolutions are taken apart as an analysis does: a matrix for each kernel position, and of all of them together the
    /// largest singular values are kept (each its own share with --no-pool; a single out x (in * kernel) matrix with
    /// --conv-mode flatten). Tensors are written in the order of safetensors, so ids in OUT may differ from those in IN.
    #[command(after_help = help(SMOOTH_EXAMPLES))]
    Smooth(SmoothArgs),
    /// Write a copy of a model without its correlation traps
    ///
    /// Reads any format, writes one safetensors file. A trap is an eigenvalue that the weights have in random order too: single
    /// weights that are far too large. Types, shapes, and every tensor without a trap stay as they are, to the bit.
    /// Convolutions are searched a kernel position at a time (--conv-mode flatten: as one matrix). Tensors are written in the
    /// order of safetensors, so ids in OUT may differ from those in IN.
    #[command(after_help = help(SHARPEN_EXAMPLES))]
    Sharpen(SharpenArgs),
    /// Keep the results of many models: add, list, show, import, export, rm
    #[command(after_help = help(STORE_EXAMPLES))]
    Store(StoreArgs),
    /// Relate the metrics of stored models to their quality; or put models beside each other layer by layer
    #[command(after_help = help(COMPARE_EXAMPLES))]
    Compare(CompareArgs),
    /// Write a page about every model of a store: one HTML file that needs no network
    #[command(after_help = help(DASHBOARD_EXAMPLES))]
    Dashboard(DashboardArgs),
    /// Show the same page on this machine, live while the store grows
    #[command(after_help = help(SERVE_EXAMPLES))]
    Serve(ServeArgs),
    /// Say what the columns of a report mean
    #[command(visible_alias = "columns", after_help = help(EXPLAIN_EXAMPLES))]
    Explain(ExplainArgs),
    /// List the loaders: those built in, the plugins found, and why others are passed over
    #[command(after_help = help(PLUGINS_EXAMPLES))]
    Plugins(PluginsArgs),
}

/// `describe`.
#[derive(Args, Debug)]
pub struct DescribeArgs {
    /// Which models.
    #[command(flatten)]
    pub models: ModelArgs,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What would be analysed.
    #[command(flatten)]
    pub plan: PlanArgs,
}

/// `analyze`.
#[derive(Args, Debug)]
pub struct AnalyzeArgs {
    /// Which models.
    #[command(flatten)]
    pub models: ModelArgs,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// List skipped tensors in the table too, line by line
    #[arg(long, help_heading = "Output")]
    pub all: bool,
    /// Figures.
    #[command(flatten)]
    pub plots: PlotsArgs,
    /// Whether results go into a store.
    #[command(flatten)]
    pub batch: BatchArgs,
    /// What is analysed.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// How it is analysed.
    #[command(flatten)]
    pub fit: FitArgs,
}

/// `distances`.
#[derive(Args, Debug)]
pub struct DistancesArgs {
    /// The first model
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// The second: tensors are paired by name
    #[arg(value_name = "B")]
    pub second: PathBuf,
    /// Read both with this loader, whatever the content looks like
    #[arg(long, value_name = "NAME", help = loader_help())]
    pub loader: Option<String>,
    /// What delta_W is, in WeightWatcher's words: raw, the norm of the difference; euclidean, the same of each of the
    /// layer's matrices, averaged; CKA, a similarity. The other columns are there whatever it is
    #[arg(long, value_name = "NAME", default_value = "raw", help_heading = "Distances", ignore_case = true)]
    #[arg(value_parser = PossibleValuesParser::new(Method::NAMES).map(|n| Method::named(&n).unwrap_or_default()))]
    pub method: Method,
    /// Singular vectors whose spaces are compared; 0: none, which saves most of the time
    #[arg(long, value_name = "K", default_value_t = PairOptions::default().top, help_heading = "Distances")]
    pub top: usize,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// List biases, norms and skipped tensors in the table too, line by line
    #[arg(long, help_heading = "Output")]
    pub all: bool,
    /// What is compared.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Threads; 0: as many as the machine has
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Arithmetic")]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=MAX_THREADS).map(|n| n as usize))]
    pub threads: usize,
}

/// `fit`.
#[derive(Args, Debug)]
pub struct FitFileArgs {
    /// Positive numbers: one a line, or a one-dimensional .npy array; - is standard input
    #[arg(value_name = "FILE")]
    pub path: PathBuf,
    /// The tail begins here [default: at the least Kolmogorov-Smirnov distance]
    #[arg(long, value_name = "X", help_heading = "Fit")]
    pub xmin: Option<f64>,
    /// Bootstrap N samples: uncertainty of alpha, goodness of fit
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Fit")]
    pub bootstrap: usize,
    /// Seed of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Fit")]
    pub seed: u64,
    /// How the result is written: table or json
    #[arg(long = "format", value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    #[arg(action = clap::ArgAction::Set)]
    #[arg(value_parser = PossibleValuesParser::new(["table", "json"]).map(|f| f == "json"))]
    pub json: bool,
    /// Write to FILE instead of standard output; it is replaced only when the result is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Draw the density and the fit too: .png makes a PNG picture, everything else is SVG
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub plot: Option<PathBuf>,
    /// Colours of the figure
    #[arg(long, value_enum, default_value_t, requires = "plot", help_heading = "Output")]
    pub theme: ThemeArg,
}

/// `explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Names of columns; none: all of them, a line each
    #[arg(value_name = "COLUMN")]
    pub columns: Vec<String>,
    /// All of it as Markdown: docs/metrics.md
    #[arg(long, conflicts_with = "columns")]
    pub markdown: bool,
}

/// `plugins`.
#[derive(Args, Debug)]
pub struct PluginsArgs {
    /// Read manifests only. Otherwise each plugin found is loaded, which runs its code, to see that it can be
    #[arg(long)]
    pub no_load: bool,
    /// How the list is written
    #[arg(long, value_enum, default_value = "table", help_heading = "Output")]
    pub format: ListFormat,
}

/// `plugins --format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people
    Table,
    /// For programs: built_in, plugins, passed_over, places
    Json,
}

/// The models of a command.
#[derive(Args, Debug)]
pub struct ModelArgs {
    /// A model: a weight file, a folder of shards, or an index (*.index.json). Several give a report each
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Read with this loader, whatever the content looks like
    #[arg(long, value_name = "NAME", help = loader_help())]
    pub loader: Option<String>,
    /// Analyse what differs from this model: weights less its weights, paired by name
    #[arg(long, value_name = "PATH")]
    pub base_model: Option<PathBuf>,
    /// Low-rank adapters: product, B A scaled by adapter_config.json; with-base, W + B A too, W being of the base model or of
    /// the same file; off, the factors as they are [default: with-base if there is a base model, else product;
    /// weightwatcher-0.7.7: off]
    #[arg(long, value_name = "HOW")]
    #[arg(value_parser = PossibleValuesParser::new(Lora::NAMES).map(|n| Lora::named(&n).unwrap_or_default()))]
    pub lora: Option<Lora>,
}

fn loader_help() -> String {
    let names: Vec<String> = loaders::built_in().iter().map(|l| l.name().to_owned()).collect();
    format!(
        "Read with this loader, whatever the content looks like: {}, or a plugin (`eigenscope plugins` lists them)",
        names.join(", ")
    )
}

/// Where results go.
#[derive(Args, Debug)]
pub struct OutputArgs {
    /// How the result is written [default: by the ending of FILE, else table]
    #[arg(long, value_enum, help_heading = "Output")]
    pub format: Option<Format>,
    /// Write to FILE instead of standard output; it is replaced only when the result is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; at most 100 columns wide
    Table,
    /// A line a tensor, every column; WeightWatcher's columns come first, in its order
    Csv,
    /// The whole report: model, options, layers, summary. Several models: an array
    Json,
    /// A JSON object a line, one for each row
    Jsonl,
}

impl OutputArgs {
    /// The format asked for, or the one that the file's name asks for.
    pub fn format(&self) -> Format {
        let by_name = || {
            let extension = self.output.as_ref()?.extension()?.to_str()?.to_ascii_lowercase();
            Format::from_str(&extension, true).ok().or((extension == "ndjson").then_some(Format::Jsonl))
        };
        self.format.or_else(by_name).unwrap_or(Format::Table)
    }
}
