//! `eigenscope compare`: metrics against quality, in a store.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use eigenscope::analysis::summary_columns;
use eigenscope_workbench::compare::{Comparison, GroupKind, Sample, compare};
use eigenscope_workbench::store::{Entry, Name, Store};

use crate::args::OutputArgs;
use crate::comparison;
use crate::exit;
use crate::failure::Failure;
use crate::hint::{did_you_mean, near};
use crate::layers;
use crate::output::Output;
use crate::store;

/// `compare`.
#[derive(Args, Debug)]
pub struct CompareArgs {
    /// The store
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// Metrics of the weights: means of the summary, or of any column of the layers; all: the whole summary. Separated by
    /// commas, or repeated [default: log_norm, alpha, alpha_weighted, log_alpha_norm, log_spectral_norm, stable_rank,
    /// mp_softrank; with --layers: alpha]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    metric: Vec<String>,
    /// The quality they are related to [default: every one]
    #[arg(long, value_name = "NAME", conflicts_with = "layers")]
    quality: Option<String>,
    /// Within what: all, architecture, series. Separated by commas, or repeated [default: each of them]
    #[arg(long, value_name = "KINDS", value_delimiter = ',', conflicts_with = "layers")]
    #[arg(value_parser = PossibleValuesParser::new(GroupKind::NAMES).map(|n| GroupKind::named(&n).unwrap_or(GroupKind::All)))]
    group: Vec<GroupKind>,
    /// Only models with this tag
    #[arg(long, value_name = "WORD", conflicts_with = "layers")]
    tag: Option<String>,
    /// Put these models beside each other instead: layer by layer, matched by name, and by depth as a share of the way
    /// through. ARCHITECTURE/VARIANT, two or more
    #[arg(long, value_name = "NAME", num_args = 2..)]
    layers: Vec<Name>,
    /// Where the result goes.
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub fn run(args: &CompareArgs) -> Result<u8, Failure> {
    let output = Output::new(args.output.output.as_deref())?;
    let store = store::open(&args.store)?;
    if !args.layers.is_empty() {
        let metric = match &args.metric[..] {
            [] => "alpha",
            [one] => one,
            several => {
                let found = several.join(", ");
                return Err(Failure::new(format!("expected one metric with --layers, found {found}")).usage());
            }
        };
        return layers::run(&store, &args.layers, metric, &args.output, &output);
    }
    let (listing, status) = store::listing(&store, false)?;
    let mut entries = listing.entries;
    if let Some(tag) = &args.tag {
        entries.retain(|e| e.tags.contains(tag));
    }
    let mut samples: Vec<Sample> = entries.iter().map(Sample::from).collect();
    let metrics = metrics(args, &entries, &store, &mut samples)?;
    check_quality(args, &samples)?;
    let kinds = if args.group.is_empty() {
        vec![GroupKind::All, GroupKind::Architecture, GroupKind::Series]
    } else {
        args.group.clone()
    };
    let comparison = compare(&samples, &metrics, args.quality.as_deref(), &kinds);
    if comparison.findings.is_empty() {
        log::warn!(
            "{}: nothing to compare: {}",
            store.folder().display(),
            why_nothing(&comparison, entries.len())
        );
    }
    warn_of_mixture(&entries);
    comparison::write(&comparison, store.folder(), &args.output, &output)?;
    let nothing = if comparison.findings.is_empty() { exit::INCOMPLETE } else { exit::OK };
    Ok(exit::worst([status, nothing]))
}

/// The metrics asked for. One that no summary has is a mean over the layers, which are then read.
fn metrics(
    args: &CompareArgs,
    entries: &[Entry],
    store: &Store,
    samples: &mut [Sample],
) -> Result<Vec<String>, Failure> {
    let known: BTreeSet<&str> = entries.iter().flat_map(|e| e.summary.keys().map(String::as_str)).collect();
    let standing = || summary_columns().filter(|n| known.contains(n));
    let mut metrics: Vec<String> = match args.metric.as_slice() {
        [] => standing().map(str::to_owned).collect(),
        [all] if all == "all" => {
            let others = known.iter().copied().filter(|n| !standing().any(|s| s == *n));
            standing().map(str::to_owned).chain(others.map(str::to_owned)).collect()
        }
        named => named.to_vec(),
    };
    let mut seen = BTreeSet::new();
    metrics.retain(|m| seen.insert(m.clone()));
    let unknown: Vec<&String> = metrics.iter().filter(|m| !known.contains(m.as_str())).collect();
    if unknown.is_empty() || entries.is_empty() {
        return Ok(metrics);
    }
    let mut columns: BTreeSet<String> = BTreeSet::new();
    for (entry, sample) in entries.iter().zip(samples) {
        let (details, _) = store.details(entry).map_err(|e| Failure::of(&e))?;
        columns.extend(details.columns().map(str::to_owned));
        for name in &unknown {
            sample.metrics.extend(details.mean(name).map(|mean| ((*name).clone(), mean)));
        }
    }
    match unknown.iter().find(|name| !columns.contains(name.as_str())) {
        None => Ok(metrics),
        Some(name) => {
            let failure = Failure::new(format!("no model of the store has a metric '{name}'")).usage();
            let names: BTreeSet<&str> = columns.iter().map(String::as_str).chain(known).collect();
            Err(did_you_mean(&near(name, names)).into_iter().fold(failure, Failure::hint))
        }
    }
}

fn check_quality(args: &CompareArgs, samples: &[Sample]) -> Result<(), Failure> {
    let Some(name) = &args.quality else { return Ok(()) };
    let known: BTreeSet<&str> = samples.iter().flat_map(|s| s.quality.keys().map(String::as_str)).collect();
    if known.contains(name.as_str()) {
        return Ok(());
    }
    let failure = Failure::new(format!("no model of the store has a quality '{name}'")).usage();
    let all: Vec<&str> = known.into_iter().collect();
    Err(failure.hint(if all.is_empty() {
        "`eigenscope store quality STORE TABLE` attaches qualities".to_owned()
    } else {
        format!("there are: {}", all.join(", "))
    }))
}

fn why_nothing(comparison: &Comparison, entries: usize) -> String {
    match (entries, comparison.without_quality) {
        (0, _) => "the store is empty".to_owned(),
        (n, without) if n == without => {
            "no model has a quality; `eigenscope store quality STORE TABLE` attaches them".to_owned()
        }
        _ => "no group has three models with the same quality".to_owned(),
    }
}

/// Numbers that were made in different ways are not of one kind.
fn warn_of_mixture(entries: &[Entry]) {
    let conventions: BTreeSet<&str> = entries.iter().filter_map(|e| e.conventions.as_deref()).collect();
    let tools: BTreeSet<&str> = entries.iter().map(|e| e.tool.as_str()).collect();
    let list = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
    if conventions.len() > 1 {
        log::warn!("models under different conventions are compared: {}", list(conventions));
    } else if tools.len() > 1 {
        log::warn!("models analysed by different tools are compared: {}", list(tools));
    }
    let mut options: Vec<_> = entries.iter().filter_map(|e| e.options.as_ref()).collect();
    options.dedup();
    if options.len() > 1 {
        log::warn!(
            "models analysed with different options are compared; `store show NAME --format json` has them"
        );
    }
}
