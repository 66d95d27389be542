//! `eigenscope store`: what is in a store, in and out of it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use eigenscope_workbench::store::{
    Better, Draft, Entry, Listing, Name, Quality, QualityRow, QualityTable, Store, StoreError, export,
    find_results, from_report, read_result, source,
};

use crate::entries::{self, ListArgs, ShowArgs};
use crate::exit;
use crate::failure::Failure;
use crate::hint::{did_you_mean, near};
use crate::numbers::plural;
use crate::output::Output;

/// Names told at most.
const MAX_NAMES: usize = 5;

/// `store`.
#[derive(Args, Debug)]
pub struct StoreArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What is done with a store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Add reports that `analyze --format json` wrote
    Add(AddArgs),
    /// List the entries, and those that are damaged
    List(ListArgs),
    /// Show one entry: where it comes from, its summary, its quality; as CSV, its layers
    Show(ShowArgs),
    /// Take in results/ARCHITECTURE/VARIANT/{details.csv,summary.json}
    Import(ImportArgs),
    /// Write entries as ARCHITECTURE/VARIANT/{details.csv,summary.json}
    Export(ExportArgs),
    /// Attach quality: tables of architecture, variant, metric, value (CSV or TOML)
    Quality(QualityArgs),
    /// Remove entries
    Rm(RmArgs),
}

/// `store add`.
#[derive(Args, Debug)]
pub struct AddArgs {
    /// The store; made if it is not there
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// The report of one model, as JSON; - is standard input
    #[arg(value_name = "REPORT")]
    report: PathBuf,
    /// What it is called: ARCHITECTURE/VARIANT
    #[arg(long, value_name = "NAME")]
    name: Name,
    /// What it belongs to beside its architecture
    #[arg(long, value_name = "NAME")]
    series: Option<String>,
    /// A word to find it by. Repeatable
    #[arg(long, value_name = "WORD")]
    tag: Vec<String>,
    /// How good the model is: METRIC=VALUE, or METRIC=VALUE:lower where lower is better. Repeatable
    #[arg(long, value_name = "M=V", value_parser = quality)]
    quality: Vec<Quality>,
    /// The model's file, for its hash
    #[arg(long, value_name = "PATH")]
    source: Option<PathBuf>,
}

/// `store import`.
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// The store; made if it is not there
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// The folder of architectures
    #[arg(value_name = "RESULTS")]
    results: PathBuf,
    /// What made the results
    #[arg(long, value_name = "TEXT", default_value = "imported")]
    tool: String,
    /// A table of their quality
    #[arg(long, value_name = "TABLE")]
    quality: Option<PathBuf>,
    /// What they belong to beside their architectures
    #[arg(long, value_name = "NAME")]
    series: Option<String>,
    /// A word to find them by. Repeatable
    #[arg(long, value_name = "WORD")]
    tag: Vec<String>,
}

/// `store export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// The store
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// The folder to write to; results of the same names are replaced
    #[arg(value_name = "RESULTS")]
    results: PathBuf,
    /// Which entries: ARCHITECTURE/VARIANT; none: all
    #[arg(value_name = "NAME")]
    names: Vec<Name>,
}

/// `store quality`.
#[derive(Args, Debug)]
pub struct QualityArgs {
    /// The store
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// CSV with the columns architecture, variant, metric, value and perhaps better (higher, lower), or architecture, variant
    /// and a column for each metric; or TOML with a [[quality]] each
    #[arg(value_name = "TABLE", required = true)]
    tables: Vec<PathBuf>,
}

/// `store rm`.
#[derive(Args, Debug)]
pub struct RmArgs {
    /// The store
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// Which entries: ARCHITECTURE/VARIANT
    #[arg(value_name = "NAME", required = true)]
    names: Vec<Name>,
}

fn quality(text: &str) -> Result<Quality, String> {
    let (metric, rest) = text.split_once('=').ok_or("expected METRIC=VALUE, such as top1=93.1")?;
    let (value, better) = match rest.split_once(':') {
        None => (rest, None),
        Some((value, "higher")) => (value, Some(Better::Higher)),
        Some((value, "lower")) => (value, Some(Better::Lower)),
        Some((_, other)) => return Err(format!("expected higher or lower, found '{other}'")),
    };
    let value = value.parse().map_err(|_| format!("{metric}: expected a number, found '{value}'"))?;
    Quality::new(metric, value, better)
}

/// Runs the command.
pub fn run(args: &StoreArgs) -> Result<u8, Failure> {
    match &args.command {
        StoreCommand::Add(args) => add(args),
        StoreCommand::List(args) => entries::list(args),
        StoreCommand::Show(args) => entries::show(args),
        StoreCommand::Import(args) => import(args),
        StoreCommand::Export(args) => out(args),
        StoreCommand::Quality(args) => attach(args),
        StoreCommand::Rm(args) => remove(args),
    }
}

/// A store that is there, as a mistake of the command line where it is none.
pub fn open(folder: &std::path::Path) -> Result<Store, Failure> {
    Store::open(folder).map_err(|error| {
        let failure = Failure::of(&error);
        match error {
            StoreError::NoStore { .. } => {
                failure.usage().hint("`eigenscope analyze --store DIR PATH...` makes one, and `store import`")
            }
            _ => failure,
        }
    })
}

/// Every entry; damaged ones are told and left out, which the exit status says.
pub fn listing(store: &Store, thorough: bool) -> Result<(Listing, u8), Failure> {
    let listing = store.list(thorough).map_err(|e| Failure::of(&e))?;
    for damaged in &listing.damaged {
        log::warn!("{}: damaged, left out: {}", damaged.path.display(), damaged.reason);
    }
    let status = if listing.damaged.is_empty() { exit::OK } else { exit::INCOMPLETE };
    Ok((listing, status))
}

/// The entry of that name, or what it might have been.
pub fn entry(store: &Store, name: &Name) -> Result<Entry, Failure> {
    if let Some(entry) = store.entry(name).map_err(|e| Failure::of(&e))? {
        return Ok(entry);
    }
    let failure = Failure::of(&StoreError::NoEntry(name.to_string())).usage();
    let names: Vec<String> =
        store.list(false).map(|l| l.entries.iter().map(|e| e.name.to_string()).collect()).unwrap_or_default();
    let hint = did_you_mean(&near(&name.to_string(), names.iter().map(String::as_str)));
    let failure = hint.into_iter().fold(failure, Failure::hint);
    Err(failure.hint("`eigenscope store list` lists every name"))
}

fn say(words: &str) -> Result<(), Failure> {
    Output::Stdout.write_styled(&format!("{words}\n"))
}

fn add(args: &AddArgs) -> Result<u8, Failure> {
    let place = args.report.display().to_string();
    let text = if place == "-" {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut text).map(|_| text)
    } else {
        std::fs::read(&args.report)
    };
    let text = text.map_err(|e| Failure::new(format!("cannot read {place}: {e}")))?;
    let mut draft: Draft = from_report(args.name.clone(), &text, &place).map_err(|e| Failure::of(&e))?;
    draft.series.clone_from(&args.series);
    draft.tags.clone_from(&args.tag);
    let files = args.source.as_ref().map(|path| source(path, &[])).transpose();
    draft.source = files.map_err(|e| Failure::of(&e))?;
    let store = Store::create(&args.store).map_err(|e| Failure::of(&e))?;
    let entry = store.add(draft).map_err(|e| Failure::of(&e))?;
    let row = |q: &Quality| QualityRow { name: args.name.clone(), quality: q.clone() };
    let rows: Vec<QualityRow> = args.quality.iter().map(row).collect();
    store.attach(&rows).map_err(|e| Failure::of(&e))?;
    say(&format!("{}: stored, {}", entry.name, plural(entry.layers.analyzed, "layer")))?;
    Ok(exit::OK)
}

fn import(args: &ImportArgs) -> Result<u8, Failure> {
    let found = find_results(&args.results).map_err(|e| Failure::of(&e))?;
    if found.is_empty() {
        let failure = Failure::new(format!("{}: no results in it", args.results.display()));
        return Err(failure.hint("expected ARCHITECTURE/VARIANT/details.csv below it"));
    }
    let table = args.quality.as_deref().map(QualityTable::read).transpose().map_err(|e| Failure::of(&e))?;
    let store = Store::create(&args.store).map_err(|e| Failure::of(&e))?;
    let (mut taken, mut status) = (0, exit::OK);
    for result in &found {
        let draft = read_result(result, &args.tool).map(|mut draft| {
            draft.series.clone_from(&args.series);
            draft.tags.clone_from(&args.tag);
            draft
        });
        match draft.and_then(|draft| store.add(draft)) {
            Ok(_) => taken += 1,
            Err(error) => status = exit::worst([status, Failure::of(&error).print()]),
        }
    }
    say(&format!("{}: {taken} of {} imported", args.store.display(), plural(found.len(), "result")))?;
    if let Some(table) = table {
        attached(&store, &table)?;
    }
    Ok(status)
}

fn attach(args: &QualityArgs) -> Result<u8, Failure> {
    let store = open(&args.store)?;
    let tables: Vec<QualityTable> = args
        .tables
        .iter()
        .map(|t| QualityTable::read(t))
        .collect::<Result<_, _>>()
        .map_err(|e| Failure::of(&e))?;
    for table in &tables {
        attached(&store, table)?;
    }
    Ok(exit::OK)
}

fn attached(store: &Store, table: &QualityTable) -> Result<(), Failure> {
    let done = store.attach(&table.rows).map_err(|e| Failure::of(&e))?;
    say(&format!("{}: {} of quality attached", store.folder().display(), plural(done.attached, "number")))?;
    if !done.waiting.is_empty() {
        let mut names: Vec<String> = done.waiting.iter().take(MAX_NAMES).map(ToString::to_string).collect();
        if done.waiting.len() > MAX_NAMES {
            names.push(format!("and {} more", done.waiting.len() - MAX_NAMES));
        }
        log::warn!("no entry yet, kept until there is one: {}", names.join(", "));
    }
    Ok(())
}

fn out(args: &ExportArgs) -> Result<u8, Failure> {
    let store = open(&args.store)?;
    let (entries, mut status) = if args.names.is_empty() {
        let (listing, status) = listing(&store, false)?;
        (listing.entries, status)
    } else {
        (args.names.iter().map(|n| entry(&store, n)).collect::<Result<_, _>>()?, exit::OK)
    };
    let mut written = 0;
    for entry in &entries {
        match export(&store, entry, &args.results) {
            Ok(_) => written += 1,
            Err(error) => status = exit::worst([status, Failure::of(&error).print()]),
        }
    }
    say(&format!("{}: {} written", args.results.display(), plural(written, "result")))?;
    Ok(status)
}

fn remove(args: &RmArgs) -> Result<u8, Failure> {
    let store = open(&args.store)?;
    let mut status = exit::OK;
    for name in &args.names {
        let removed = store.remove(name).map_err(|error| match error {
            StoreError::NoEntry(_) => entry(&store, name).err().unwrap_or_else(|| Failure::of(&error)),
            error => Failure::of(&error),
        });
        match removed {
            Ok(()) => say(&format!("{name}: removed"))?,
            Err(failure) => status = exit::worst([status, failure.print()]),
        }
    }
    Ok(status)
}
