//! `eigenscope analyze --store`: many models into a store, resumable, in shards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use eigenscope::analysis::{Engine, ModelInfo, Options};
use eigenscope::source::OpenModel;
use eigenscope_workbench::store::{Draft, Entry, Name, Source, Store, source};
use serde_json::Value;

use crate::analyze::explain;
use crate::args::{AnalyzeArgs, Common};
use crate::exit;
use crate::failure::Failure;
use crate::loaders::Loaders;
use crate::numbers::{plural, real};
use crate::output::Output;
use crate::progress::Watch;
use crate::style::{BAD, DIM, UNDER, paint};
use crate::text::printable;

/// Files with such a name are called by their folder.
const GENERIC: [&str; 8] = [
    "model",
    "pytorch_model",
    "tf_model",
    "weights",
    "checkpoint",
    "model.weights",
    "model.safetensors.index",
    "pytorch_model.bin.index",
];

/// `--store` and what goes with it.
#[derive(Args, Debug)]
pub struct BatchArgs {
    /// Put results into this store instead of writing a report. PATH may be ARCHITECTURE/VARIANT=PATH; without a name, the
    /// folder and the file give one. What is there already, of the same files by the same options, is left alone
    #[arg(long, value_name = "DIR", help_heading = "Store", conflicts_with_all = ["format", "output", "all", "plots"])]
    pub store: Option<PathBuf>,
    /// Only the I-th of N parts of the models named, for job arrays; they may run at the same time
    #[arg(long, value_name = "I/N", help_heading = "Store", requires = "store", value_parser = shard)]
    pub shard: Option<(usize, usize)>,
    /// Analyse again what is there already
    #[arg(long, help_heading = "Store", requires = "store")]
    pub again: bool,
    /// What the models belong to beside their architectures: a series of sizes, a training run
    #[arg(long, value_name = "NAME", help_heading = "Store", requires = "store")]
    pub series: Option<String>,
    /// A word to find them by. Repeatable
    #[arg(long, value_name = "WORD", help_heading = "Store", requires = "store")]
    pub tag: Vec<String>,
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((i, n)) if 1 <= i && i <= n => Ok((i, n)),
        _ => Err("expected I/N with I from 1 to N, such as 1/8".to_owned()),
    }
}

/// A model to analyse.
struct Job {
    name: Name,
    path: PathBuf,
}

/// What became of one.
enum Done {
    Stored(Entry),
    There(Entry),
}

struct Batch<'a> {
    args: &'a AnalyzeArgs,
    common: &'a Common,
    store: Store,
    loaders: Loaders,
    engine: Engine,
    options: Options,
    base: Option<Source>,
}

/// Runs the command.
pub fn run(args: &AnalyzeArgs, common: &Common) -> Result<u8, Failure> {
    let options = args.plan.options(Some(&args.fit)).map_err(|e| Failure::of(&e).usage())?;
    let jobs = jobs(&args.models.paths)?;
    let loaders = Loaders::find(&common.plugins)?;
    if let Some(name) = &args.models.loader {
        loaders.check(name)?;
    }
    let Some(folder) = &args.batch.store else { return Ok(exit::OK) };
    let store = Store::create(folder).map_err(|e| Failure::of(&e))?;
    let engine = args.fit.engine()?;
    let base = args.models.base_model.as_ref().map(|path| source(path, &[])).transpose();
    let base = base.map_err(|e| Failure::of(&e))?;
    let batch = Batch { args, common, store, loaders, engine, options, base };
    let (part, parts) = args.batch.shard.unwrap_or((1, 1));
    let mine: Vec<&Job> = jobs.iter().skip(part - 1).step_by(parts).collect();
    batch.all(&mine)
}

/// A name for each path; two models of one name are refused before any work is done.
fn jobs(paths: &[PathBuf]) -> Result<Vec<Job>, Failure> {
    let jobs: Vec<Job> = paths.iter().map(|p| job(p)).collect::<Result<_, _>>()?;
    let mut seen: BTreeMap<&Name, &Path> = BTreeMap::new();
    for job in &jobs {
        if let Some(other) = seen.insert(&job.name, &job.path) {
            let both = format!("{} and {}", other.display(), job.path.display());
            let failure = Failure::new(format!("{both} would both be {}", job.name)).usage();
            return Err(failure.hint("ARCHITECTURE/VARIANT=PATH names a model"));
        }
    }
    Ok(jobs)
}

fn job(argument: &Path) -> Result<Job, Failure> {
    // A file whose name holds the sign is that file.
    let text = argument.to_str().filter(|_| !argument.exists());
    if let Some((name, path)) = text.and_then(|t| t.split_once('=')) {
        let name = name.parse().map_err(|e| Failure::of(&e).usage())?;
        return Ok(Job { name, path: path.into() });
    }
    // An absent file is told later, in the words of whoever opens it.
    let whole = argument.canonicalize().unwrap_or_else(|_| argument.to_owned());
    let last = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = if whole.is_dir() {
        last(&whole)
    } else {
        whole.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let parent = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    let (architecture, variant) = if GENERIC.contains(&stem.as_str()) {
        (last(&parent(&parent(&whole))), last(&parent(&whole)))
    } else {
        (last(&parent(&whole)), stem)
    };
    let architecture = if architecture.is_empty() { "models".to_owned() } else { architecture };
    let name = Name::new(&architecture, &variant)
        .map_err(|e| Failure::of(&e).usage().hint("ARCHITECTURE/VARIANT=PATH names a model"))?;
    Ok(Job { name, path: argument.to_owned() })
}

impl Batch<'_> {
    fn all(&self, jobs: &[&Job]) -> Result<u8, Failure> {
        let (mut stored, mut there, mut failed, mut status) = (0, 0, Vec::new(), exit::OK);
        for (at, job) in jobs.iter().enumerate() {
            let started = Instant::now();
            let done = self.one(job, &format!("{}/{} {}", at + 1, jobs.len(), job.name));
            let (words, style) = match &done {
                Ok(Done::Stored(entry)) => {
                    stored += 1;
                    let seconds = started.elapsed().as_secs_f64();
                    (format!("stored, {} ({seconds:.1} s)", result(entry)), anstyle::Style::new())
                }
                Ok(Done::There(entry)) => {
                    there += 1;
                    (format!("is there, {}", result(entry)), DIM)
                }
                Err(_) => ("failed".to_owned(), BAD),
            };
            let line = format!("{}/{} {}: {words}", at + 1, jobs.len(), printable(&job.name.to_string()));
            match done {
                Ok(Done::Stored(entry) | Done::There(entry)) => {
                    let incomplete = entry.layers.failed > 0 || entry.layers.analyzed == 0;
                    let style = if incomplete { UNDER } else { style };
                    Output::Stdout.write_styled(&format!("{}\n", paint(style, line)))?;
                    status = exit::worst([status, if incomplete { exit::INCOMPLETE } else { exit::OK }]);
                }
                Err(failure) => {
                    Output::Stdout.write_styled(&format!("{}\n", paint(style, line)))?;
                    failed.push((job, failure));
                }
            }
        }
        Output::Stdout.write_styled(&format!(
            "{}: {stored} stored, {there} already there, {} failed\n",
            self.store.folder().display(),
            failed.len()
        ))?;
        for (_, failure) in &failed {
            status = exit::worst([status, failure.print()]);
        }
        Ok(status)
    }

    fn one(&self, job: &Job, title: &str) -> Result<Done, Failure> {
        let model = self.args.models.open(&self.loaders, &job.path, &self.options)?;
        let files = source(&job.path, &external(&model)).map_err(|e| Failure::of(&e))?;
        let mut options = serde_json::to_value(&self.options).map_err(|e| Failure::of(&e))?;
        if let (Some(lora), Some(map)) = (self.args.models.lora, options.as_object_mut()) {
            map.insert("lora".to_owned(), Value::String(format!("{lora:?}").to_lowercase()));
        }
        // A damaged entry is made anew.
        if !self.args.batch.again
            && let Ok(Some(entry)) = self.store.entry(&job.name)
            && entry.is_of(&files, self.base.as_ref(), &options)
        {
            return Ok(Done::There(entry));
        }
        let watch = Watch::new(title, self.common);
        let report = self.engine.analyze(&model, &self.options, &watch);
        watch.finish();
        let report = report.map_err(|error| explain(error, &model, &self.options))?;
        let mut draft = Draft::of(job.name.clone(), &report).map_err(|e| Failure::of(&e))?;
        draft.options = Some(options);
        draft.source = Some(files);
        draft.base.clone_from(&self.base);
        draft.series.clone_from(&self.args.batch.series);
        draft.tags.clone_from(&self.args.batch.tag);
        self.store.add(draft).map(Done::Stored).map_err(|e| Failure::of(&e))
    }
}

/// Files that an ONNX model keeps its weights in.
fn external(model: &OpenModel) -> Vec<String> {
    let metadata = ModelInfo::of(model).metadata;
    metadata
        .iter()
        .filter(|(k, _)| *k == "external_data")
        .filter_map(|(_, v)| Some(v.as_str()?.to_owned()))
        .collect()
}

fn result(entry: &Entry) -> String {
    let alpha = entry.mean("alpha").map_or_else(|| "no alpha".to_owned(), |a| format!("alpha {}", real(a)));
    let failed = match entry.layers.failed {
        0 => String::new(),
        n => format!(", {} failed", plural(n, "layer")),
    };
    format!("{}, {alpha}{failed}", plural(entry.layers.analyzed, "layer"))
}
