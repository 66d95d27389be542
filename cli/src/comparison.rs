//! What `eigenscope compare` found, for people and for programs.

use std::path::Path;

use eigenscope_workbench::compare::{Comparison, Correlation, Finding, GroupKind, pretty_chance};
use serde::Serialize;

use crate::args::{Format, OutputArgs};
use crate::failure::Failure;
use crate::numbers::{plural, real};
use crate::output::Output;
use crate::style::{DIM, HEADING, paint};
use crate::table::{Column, Line, Table};
use crate::text::{self, printable, wrap};

#[derive(Serialize)]
struct Whole<'a> {
    eigenscope: &'static str,
    store: String,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

/// Writes it in the format asked for.
pub fn write(
    comparison: &Comparison,
    store: &Path,
    args: &OutputArgs,
    output: &Output,
) -> Result<(), Failure> {
    match args.format() {
        Format::Table => {
            let width = if args.output.is_none() { text::terminal_width() } else { text::WIDTH };
            output.write_styled(&words(comparison, width))
        }
        Format::Csv => output.write(&comma_separated(&comparison.findings)?),
        Format::Json => {
            let whole = Whole {
                eigenscope: env!("CARGO_PKG_VERSION"),
                store: store.display().to_string(),
                comparison,
            };
            let text = serde_json::to_string_pretty(&whole).map_err(|e| Failure::of(&e))?;
            output.write(format!("{text}\n").as_bytes())
        }
        Format::Jsonl => {
            let line = |f: &Finding| serde_json::to_string(f).map(|l| l + "\n");
            let lines: Result<String, _> = comparison.findings.iter().map(line).collect();
            output.write(lines.map_err(|e| Failure::of(&e))?.as_bytes())
        }
    }
}

/// `.96`, `-1.00`: the zero says nothing in a coefficient.
fn coefficient(value: f64) -> String {
    let text = format!("{value:.2}");
    if value.abs() < 0.995 { text.replacen("0.", ".", 1) } else { text }
}

fn value(of: Option<Correlation>) -> String {
    of.map_or_else(|| "-".to_owned(), |c| coefficient(c.value))
}

fn interval(of: Option<Correlation>) -> String {
    let ends = of.and_then(|c| Some((c.low?, c.high?)));
    ends.map_or_else(String::new, |(low, high)| format!("{} to {}", coefficient(low), coefficient(high)))
}

fn section(findings: &[&Finding], width: usize) -> String {
    let column = |heading, text, yields| Column { heading, text, yields };
    let columns = vec![
        column("metric", true, 0),
        column("n", false, 0),
        column("pearson", false, 0),
        column("95 %", true, 18),
        column("spearman", false, 0),
        column("95 %", true, 22),
        column("tau", false, 0),
        column("95 %", true, 20),
        column("chance", true, 0),
        column("R2", false, 0),
        column("RMSE", false, 0),
        column("LOO", false, 0),
    ];
    let odds = |f: &Finding| match f.chance {
        None => String::new(),
        Some(chance) if chance <= 1e-6 => "< 1 of 1e6".to_owned(),
        Some(chance) => pretty_chance(chance),
    };
    let line = |f: &&Finding| {
        let of_line = |get: fn(&eigenscope_workbench::compare::Line) -> Option<f64>| {
            f.line.as_ref().and_then(get).map_or_else(|| "-".to_owned(), real)
        };
        let cells = vec![
            printable(&f.metric).into_owned(),
            f.n.to_string(),
            value(f.pearson),
            interval(f.pearson),
            value(f.spearman),
            interval(f.spearman),
            value(f.kendall),
            interval(f.kendall),
            odds(f),
            f.line.map_or_else(|| "-".to_owned(), |l| coefficient(l.r2)),
            of_line(|l| Some(l.rmse)),
            of_line(|l| l.loo_rmse),
        ];
        Line { cells: cells.into_iter().map(Into::into).collect(), note: None }
    };
    Table { columns, flexible: 0, lines: findings.iter().map(line).collect() }.render(width)
}

fn words(comparison: &Comparison, width: usize) -> String {
    let mut out = String::new();
    let key = |f: &Finding| (f.quality.clone(), f.group.clone());
    for part in comparison.findings.chunk_by(|a, b| key(a) == key(b)) {
        let first = &part[0];
        let (name, quality) = (printable(&first.group.name), printable(&first.quality));
        let kind = match first.group.kind {
            GroupKind::Series => "series ",
            _ => "",
        };
        let title = format!("{kind}{name} by {quality}");
        let mean = first.line.map(|l| format!("  (LOO of the mean alone: {})", real(l.loo_rmse_of_mean)));
        out += &format!("{}{}\n", paint(HEADING, title), paint(DIM, mean.unwrap_or_default()));
        out += &section(&part.iter().collect::<Vec<_>>(), width);
        let best = part.iter().filter(|f| f.chance.is_some());
        if let Some(best) = best.min_by(|a, b| a.chance.unwrap_or(1.0).total_cmp(&b.chance.unwrap_or(1.0))) {
            for line in wrap(&printable(&best.sentence), width, 2) {
                out += &format!("{line}\n");
            }
        }
        out.push('\n');
    }
    for line in notes(comparison).iter().flat_map(|note| wrap(note, width, 2)) {
        out += &format!("{}\n", paint(DIM, line));
    }
    out
}

fn notes(comparison: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    let tests = comparison.findings.iter().filter(|f| f.chance.is_some()).count();
    if tests > 0 {
        notes.push(
            "chance: how often unrelated numbers order models as well (docs/store.md); 95 %: intervals; \
             RMSE, LOO: of a line, LOO with each model left out in turn"
                .to_owned(),
        );
    }
    if tests > 10 {
        let few = (tests as f64 / 20.0).round();
        notes.push(format!(
            "{tests} pairs of metric and group were looked at: chance alone brings about {few} of them to 1 of 20"
        ));
    }
    if !comparison.too_small.is_empty() {
        let names: Vec<String> = comparison
            .too_small
            .iter()
            .map(|s| format!("{} (n = {}, {})", s.group.name, s.n, s.quality))
            .collect();
        notes.push(printable(&format!("too small to compare: {}", names.join(", "))).into_owned());
    }
    if comparison.without_quality > 0 {
        notes.push(format!("{} without any quality", plural(comparison.without_quality, "model")));
    }
    notes
}

fn comma_separated(findings: &[Finding]) -> Result<Vec<u8>, Failure> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let heading = [
        "quality",
        "better",
        "group_kind",
        "group",
        "metric",
        "n",
        "pearson",
        "pearson_low",
        "pearson_high",
        "pearson_p",
        "spearman",
        "spearman_low",
        "spearman_high",
        "spearman_p",
        "kendall",
        "kendall_low",
        "kendall_high",
        "kendall_p",
        "chance",
        "intercept",
        "slope",
        "r2",
        "rmse",
        "loo_rmse",
        "loo_rmse_of_mean",
        "sentence",
    ];
    writer.write_record(heading).map_err(|e| Failure::of(&e))?;
    for f in findings {
        let number =
            |v: Option<f64>| v.filter(|v| !v.is_nan()).map_or_else(String::new, |v| format!("{v:?}"));
        let mut cells = vec![
            f.quality.clone(),
            f.better.name().to_owned(),
            f.group.kind.name().to_owned(),
            f.group.name.clone(),
            f.metric.clone(),
            f.n.to_string(),
        ];
        for c in [f.pearson, f.spearman, f.kendall] {
            let numbers = [
                c.map(|c| c.value),
                c.and_then(|c| c.low),
                c.and_then(|c| c.high),
                c.and_then(|c| c.p_two_sided()),
            ];
            cells.extend(numbers.map(number));
        }
        cells.push(number(f.chance));
        let l = f.line;
        let numbers = [
            l.map(|l| l.intercept),
            l.map(|l| l.slope),
            l.map(|l| l.r2),
            l.map(|l| l.rmse),
            l.and_then(|l| l.loo_rmse),
            l.map(|l| l.loo_rmse_of_mean),
        ];
        cells.extend(numbers.map(number));
        cells.push(f.sentence.clone());
        writer.write_record(cells).map_err(|e| Failure::of(&e))?;
    }
    writer.into_inner().map_err(|e| Failure::of(&e))
}
