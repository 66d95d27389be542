//! `eigenscope distances`: two models, tensor by tensor.

use eigenscope::analysis::{AnalysisError, Engine, EngineOptions};
use eigenscope::pair::{Outcome, PAIR_COLUMNS, PairColumn, PairOptions, PairReport, PairRow};

use crate::args::{Common, DistancesArgs, Format};
use crate::failure::Failure;
use crate::loaders::Loaders;
use crate::numbers::{count, grouped, plural, real};
use crate::output::Output;
use crate::progress::Watch;
use crate::report::title;
use crate::style::{BAD, DIM, UNDER, paint};
use crate::table::{Cell, Column, Line, Table};
use crate::text::{self, printable, wrap};
use crate::{csv, exit, hint, models};

type Get = fn(&PairRow) -> String;

/// The columns after the labels: heading, [`Column::yields`], cell.
const NUMBERS: [(&str, usize, Get); 12] = [
    ("slice", 0, |r| r.slice_id.map_or_else(String::new, count)),
    ("N", 12, |r| r.N.map_or_else(String::new, count)),
    ("M", 12, |r| r.M.map_or_else(String::new, count)),
    ("delta_W", 0, |r| number(r.delta_W)),
    ("delta_b", 24, |r| number(r.delta_b)),
    ("relative", 0, |r| number(r.measures.relative)),
    ("cosine", 10, |r| number(r.measures.cosine)),
    ("CKAout", 18, |r| number(r.measures.cka_out_centred)),
    ("CKAin", 18, |r| number(r.measures.cka_in_centred)),
    ("overout", 20, |r| number(r.measures.overlap_out)),
    ("overin", 20, |r| number(r.measures.overlap_in)),
    ("wasser", 16, |r| number(r.measures.wasserstein)),
];

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, real)
}

/// Runs the command.
pub fn run(args: &DistancesArgs, common: &Common) -> Result<u8, Failure> {
    let mut options = PairOptions::of(args.plan.options(None).map_err(|e| Failure::of(&e).usage())?);
    (options.method, options.top) = (args.method, args.top);
    let output = Output::new(args.output.output.as_deref())?;
    let loaders = Loaders::find(&common.plugins)?;
    if let Some(name) = &args.loader {
        loaders.check(name)?;
    }
    let open = |path| {
        let model = models::open(&loaders, path, args.loader.as_deref())?;
        models::prepared(model, path, None, None, &options.analysis)
    };
    let (first, second) = (open(&args.first)?, open(&args.second)?);
    let engine = Engine::new(EngineOptions::threads(args.threads)).map_err(|e| Failure::of(&e))?;
    let watch = Watch::new(&second.name, common);
    let compared = engine.distances(&first, &second, &options, &watch);
    watch.finish();
    let report = compared.map_err(|error| match error {
        AnalysisError::NothingMatches(terms) => hint::nothing_matches(&first, &options.analysis, &terms),
        AnalysisError::Options(error) => Failure::of(&error).usage(),
        error => Failure::of(&error),
    })?;
    write(&report, args, &output)?;
    Ok(status(&report))
}

fn status(report: &PairReport) -> u8 {
    let s = &report.summary;
    match (s.failed, s.layers) {
        (0, 0) => log::warn!("no layer of {} was compared with one of {}", report.a.name, report.b.name),
        (0, _) => return exit::OK,
        (n, _) => log::warn!("{} could not be compared", plural(n, "pair")),
    }
    exit::INCOMPLETE
}

fn write(report: &PairReport, args: &DistancesArgs, output: &Output) -> Result<(), Failure> {
    match args.output.format() {
        Format::Table => {
            let width = if args.output.output.is_none() { text::terminal_width() } else { text::WIDTH };
            output.write_styled(&table(report, args.all, width))
        }
        Format::Csv => output.write(&comma_separated(report)?),
        Format::Json => {
            let mut bytes = serde_json::to_vec_pretty(report).map_err(|e| Failure::of(&e))?;
            bytes.push(b'\n');
            output.write(&bytes)
        }
        Format::Jsonl => {
            let mut bytes = Vec::new();
            for row in &report.layers {
                serde_json::to_writer(&mut bytes, row).map_err(|e| Failure::of(&e))?;
                bytes.push(b'\n');
            }
            output.write(&bytes)
        }
    }
}

fn comma_separated(report: &PairReport) -> Result<Vec<u8>, Failure> {
    let present = |c: &&PairColumn| !c.optional || report.layers.iter().any(|r| !c.value(r).is_null());
    let columns: Vec<&PairColumn> = PAIR_COLUMNS.iter().filter(present).collect();
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(|c| c.name)).map_err(|e| Failure::of(&e))?;
    for row in &report.layers {
        let cells = columns.iter().map(|c| csv::cell(&c.value(row)));
        writer.write_record(cells).map_err(|e| Failure::of(&e))?;
    }
    writer.into_inner().map_err(|e| Failure::of(&e))
}

/// Whether a row gets a line although not every tensor does.
fn matters(row: &PairRow) -> bool {
    match row.outcome {
        Outcome::Compared => row.is_layer(),
        outcome => outcome != Outcome::Skipped,
    }
}

fn line(row: &PairRow, numbers: &[&(&str, usize, Get)]) -> Line {
    let (sign, style) = match row.outcome {
        Outcome::Compared if row.is_identical() => ("=", DIM),
        Outcome::Compared => ("", anstyle::Style::new()),
        Outcome::OnlyFirst => ("-", UNDER),
        Outcome::OnlySecond => ("+", UNDER),
        Outcome::ShapesDiffer => ("≠", UNDER),
        Outcome::Failed => ("✗", BAD),
        Outcome::Skipped => ("·", DIM),
    };
    let mut cells: Vec<Cell> = vec![
        Cell { text: sign.to_owned(), style },
        row.layer_id.to_string().into(),
        printable(&row.name).into_owned().into(),
        row.layer_type.name().to_owned().into(),
    ];
    if row.outcome == Outcome::Compared {
        cells.extend(numbers.iter().map(|(_, _, get)| Cell::from(get(row))));
        return Line { cells, note: None };
    }
    let shape: Vec<String> = row.shape.iter().map(ToString::to_string).collect();
    let words = match row.outcome {
        Outcome::ShapesDiffer => row.reason.clone(),
        _ => format!("{} {}  {}", shape.join("x"), row.dtype, row.reason),
    };
    Line { cells, note: Some(Cell { text: printable(&words).into_owned(), style }) }
}

fn table(report: &PairReport, all: bool, width: usize) -> String {
    let mut out = String::new();
    for model in [&report.a, &report.b] {
        out += &title(&model.name, &model.loader, model.tensors, model.parameters, width);
    }
    let shown: Vec<&PairRow> = report.layers.iter().filter(|r| all || matters(r)).collect();
    let has = |get: &Get| shown.iter().any(|r| r.outcome == Outcome::Compared && !get(r).is_empty());
    let numbers: Vec<_> = NUMBERS.iter().filter(|(_, _, get)| has(get)).collect();
    let label = |heading, text| Column { heading, text, yields: 0 };
    let mut columns = vec![label("", true), label("id", false), label("name", true), label("type", true)];
    columns.extend(numbers.iter().map(|(heading, yields, _)| Column {
        heading,
        text: false,
        yields: *yields,
    }));
    let lines: Vec<Line> = shown.iter().map(|row| line(row, &numbers)).collect();
    if !lines.is_empty() {
        out += &format!("\n{}\n", Table { columns, flexible: 2, lines }.render(width));
    }
    let mut lines = words(report, all);
    if let Some(means) = means(report) {
        lines.push(means);
    }
    for words in lines {
        for line in wrap(&words, width, 2) {
            out += &format!("{}\n", line.replace('\u{a0}', " "));
        }
    }
    let made = format!(
        "delta_W is {}; conventions {}, eigenscope {}",
        report.options.method.name(),
        report.conventions,
        report.eigenscope
    );
    out + &wrap(&made, width, 2).iter().map(|l| format!("{}\n", paint(DIM, l))).collect::<String>()
}

/// What was compared, and what was not.
fn words(report: &PairReport, all: bool) -> Vec<String> {
    let s = &report.summary;
    let sliced = report.layers.iter().any(|r| r.slice_id.is_some());
    let mut parts = vec![format!("{} compared", plural(s.layers, if sliced { "row" } else { "layer" }))];
    if s.others > 0 {
        parts.push(format!("{} compared", plural(s.others, "other tensor")));
    }
    for (n, what) in [
        (s.identical, "of all these identical (=)"),
        (s.failed, "failed (✗)"),
        (s.shapes_differ, "of other shapes (≠)"),
        (s.only_first, "only in the first model (-)"),
        (s.only_second, "only in the second (+)"),
        (s.skipped, "skipped"),
    ] {
        if n > 0 {
            parts.push(format!("{} {what}", grouped(n as u64)));
        }
    }
    let more = if !all && s.others + s.skipped > 0 { " (--all lists every tensor)" } else { "" };
    let mut lines = vec![format!("{}{more}", parts.join(", "))];
    if let Some(prefix) = &report.prefix {
        lines.push(format!("names are paired without '{}'", printable(prefix)));
    }
    lines
}

fn means(report: &PairReport) -> Option<String> {
    let part = |name: &&str| Some(format!("{name}\u{a0}{}", real(report.summary.mean(name)?)));
    let names =
        ["delta_W", "delta_b", "relative", "cosine", "cka_out_centred", "cka_in_centred", "wasserstein"];
    let parts: Vec<String> = names.iter().filter_map(part).collect();
    (!parts.is_empty()).then(|| format!("mean: {}", parts.join(", ")))
}
