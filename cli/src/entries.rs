//! `eigenscope store list` and `show`: entries for people and for programs.

use std::path::PathBuf;

use clap::Args;
use eigenscope::analysis::SUMMARY_COLUMNS;
use eigenscope_workbench::store::{Entry, Name, Quality};
use serde_json::{Value, json};

use crate::args::{Format, OutputArgs};
use crate::exit;
use crate::failure::Failure;
use crate::numbers::{grouped, plural, real};
use crate::output::Output;
use crate::store::{entry, listing, open};
use crate::style::{DIM, HEADING, paint};
use crate::table::{Cell, Column, Line, Table};
use crate::text::{self, printable, wrap};

/// `store list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// The store
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// Read every byte and compare it with its hash
    #[arg(long)]
    check: bool,
    /// Only entries with this tag
    #[arg(long, value_name = "WORD")]
    tag: Option<String>,
    /// Where the list goes.
    #[command(flatten)]
    output: OutputArgs,
}

/// `store show`.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The store
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// Which entry: ARCHITECTURE/VARIANT
    #[arg(value_name = "NAME")]
    name: Name,
    /// Where it goes.
    #[command(flatten)]
    output: OutputArgs,
}

/// An entry as JSON, its quality with it.
fn whole(entry: &Entry) -> Value {
    let mut value = serde_json::to_value(entry).unwrap_or_default();
    value["quality"] = json!(entry.quality);
    value
}

/// `store list`.
pub fn list(args: &ListArgs) -> Result<u8, Failure> {
    let output = Output::new(args.output.output.as_deref())?;
    let store = open(&args.store)?;
    let (mut listing, status) = listing(&store, args.check)?;
    if let Some(tag) = &args.tag {
        listing.entries.retain(|e| e.tags.contains(tag));
    }
    let entries = &listing.entries;
    match args.output.format() {
        Format::Table => {
            let width = if args.output.output.is_none() { text::terminal_width() } else { text::WIDTH };
            let table = table(entries).render(width);
            let mut words = format!("{}: {}", store.folder().display(), counted(entries.len()));
            if !listing.damaged.is_empty() {
                words += &format!(", {} damaged", listing.damaged.len());
            }
            let table = if entries.is_empty() { String::new() } else { format!("{table}\n") };
            output.write_styled(&format!("{table}{words}\n"))?;
        }
        Format::Csv => output.write(&comma_separated(entries)?)?,
        Format::Json => {
            let damaged: Vec<Value> = listing
                .damaged
                .iter()
                .map(|d| json!({"path": d.path.display().to_string(), "reason": d.reason}))
                .collect();
            let entries: Vec<Value> = entries.iter().map(whole).collect();
            let document = json!({"entries": entries, "damaged": damaged});
            let text = serde_json::to_string_pretty(&document).map_err(|e| Failure::of(&e))?;
            output.write(format!("{text}\n").as_bytes())?;
        }
        Format::Jsonl => {
            let lines: String = entries.iter().map(|e| format!("{}\n", whole(e))).collect();
            output.write(lines.as_bytes())?;
        }
    }
    Ok(status)
}

fn counted(entries: usize) -> String {
    if entries == 1 { "1 entry".to_owned() } else { format!("{} entries", grouped(entries as u64)) }
}

fn qualities(entry: &Entry) -> String {
    let words: Vec<String> = entry.quality.iter().map(|q| format!("{} {}", q.metric, q.value)).collect();
    words.join(", ")
}

fn table(entries: &[Entry]) -> Table {
    let column = |heading, text, yields| Column { heading, text, yields };
    let columns = vec![
        column("name", true, 0),
        column("series", true, 26),
        column("layers", false, 0),
        column("alpha", false, 0),
        column("alphaw", false, 20),
        column("quality", true, 0),
        column("conventions", true, 28),
        column("stored", true, 30),
    ];
    let mean = |e: &Entry, metric| Cell::from(e.mean(metric).map_or_else(|| "-".to_owned(), real));
    let line = |e: &Entry| {
        let cells = vec![
            Cell::from(printable(&e.name.to_string()).into_owned()),
            printable(e.series.as_deref().unwrap_or("")).into_owned().into(),
            grouped(e.layers.analyzed as u64).into(),
            mean(e, "alpha"),
            mean(e, "alpha_weighted"),
            printable(&qualities(e)).into_owned().into(),
            printable(e.conventions.as_deref().unwrap_or("")).into_owned().into(),
            Cell { text: e.stored.get(..10).unwrap_or("").to_owned(), style: DIM },
        ];
        Line { cells, note: None }
    };
    Table { columns, flexible: 0, lines: entries.iter().map(line).collect() }
}

fn comma_separated(entries: &[Entry]) -> Result<Vec<u8>, Failure> {
    let mut qualities: Vec<&str> =
        entries.iter().flat_map(|e| e.quality.iter().map(|q| q.metric.as_str())).collect();
    qualities.sort_unstable();
    qualities.dedup();
    let mut metrics: Vec<&str> = SUMMARY_COLUMNS.to_vec();
    for name in entries.iter().flat_map(|e| e.summary.keys()) {
        if !metrics.contains(&name.as_str()) {
            metrics.push(name);
        }
    }
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let fixed = [
        "architecture",
        "variant",
        "series",
        "tags",
        "layers",
        "failed",
        "tool",
        "conventions",
        "sha256",
        "stored",
    ];
    let heading = fixed.iter().chain(&metrics).chain(&qualities);
    writer.write_record(heading).map_err(|e| Failure::of(&e))?;
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:?}"));
    for e in entries {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut cells = vec![
            e.name.architecture.clone(),
            e.name.variant.clone(),
            text(&e.series),
            e.tags.join(" "),
            e.layers.analyzed.to_string(),
            e.layers.failed.to_string(),
            e.tool.clone(),
            text(&e.conventions),
            e.source.as_ref().map_or_else(String::new, |s| s.sha256.clone()),
            e.stored.clone(),
        ];
        cells.extend(metrics.iter().map(|m| number(e.mean(m))));
        cells.extend(qualities.iter().map(|q| number(e.quality(q).map(|(v, _)| v))));
        writer.write_record(cells).map_err(|e| Failure::of(&e))?;
    }
    writer.into_inner().map_err(|e| Failure::of(&e))
}

/// `store show`.
pub fn show(args: &ShowArgs) -> Result<u8, Failure> {
    let output = Output::new(args.output.output.as_deref())?;
    let store = open(&args.store)?;
    let entry = entry(&store, &args.name)?;
    let details = || store.details(&entry).map_err(|e| Failure::of(&e));
    match args.output.format() {
        Format::Table => output.write_styled(&described(&entry, text::terminal_width()))?,
        Format::Csv => output.write(&details()?.1)?,
        Format::Json => {
            let text = serde_json::to_string_pretty(&whole(&entry)).map_err(|e| Failure::of(&e))?;
            output.write(format!("{text}\n").as_bytes())?;
        }
        Format::Jsonl => {
            let (details, _) = details()?;
            let cell = |row: usize, column: &str| match details.number(row, column) {
                Some(v) if !["True", "False"].contains(&details.text(row, column)) => json!(v),
                _ => json!(details.text(row, column)),
            };
            let line = |row| {
                let cells = details.columns().map(|c| (c.to_owned(), cell(row, c)));
                format!("{}\n", Value::Object(cells.collect()))
            };
            output.write((0..details.len()).map(line).collect::<String>().as_bytes())?;
        }
    }
    Ok(exit::OK)
}

fn described(e: &Entry, width: usize) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let mut add = |label, words: Option<String>| lines.extend(words.map(|w| (label, w)));
    add("series", e.series.clone());
    add("tags", (!e.tags.is_empty()).then(|| e.tags.join(", ")));
    add(
        "quality",
        (!e.quality.is_empty()).then(|| {
            let one = |q: &Quality| format!("{} {} ({} is better)", q.metric, q.value, q.better.name());
            e.quality.iter().map(one).collect::<Vec<_>>().join(", ")
        }),
    );
    add(
        "layers",
        Some(format!(
            "{} analysed, {} failed, {} skipped",
            e.layers.analyzed, e.layers.failed, e.layers.skipped
        )),
    );
    let means = e.summary.iter().filter_map(|(k, v)| Some(format!("{k} {}", real(v.as_f64()?))));
    add("means", Some(means.collect::<Vec<_>>().join(", ")));
    add(
        "made by",
        Some(match &e.conventions {
            Some(conventions) => format!("{}, conventions {conventions}, {}", e.tool, e.stored),
            None => format!("{}, {}", e.tool, e.stored),
        }),
    );
    for (label, source) in [("source", &e.source), ("base", &e.base)] {
        add(
            label,
            source.as_ref().map(|s| {
                format!(
                    "{}, {}, {} bytes, sha256 {}",
                    s.path,
                    plural(s.files, "file"),
                    grouped(s.bytes),
                    s.sha256
                )
            }),
        );
    }
    let mut out = format!("{}\n", paint(HEADING, printable(&e.name.to_string())));
    for (label, words) in lines {
        let line = format!("{label:<8} {}", printable(&words));
        for line in wrap(&line, width, 9) {
            out += &format!("{line}\n");
        }
    }
    out
}
