//! A report for people: a line a layer, a legend, what was skipped, the means.

use eigenscope::analysis::{Report, Row, SUMMARY_COLUMNS, Status};

use crate::document::Document;
use crate::numbers::{count, grouped, plural, real};
use crate::skipped;
use crate::style::{BAD, DIM, HEADING, OVER, UNDER, paint};
use crate::table::{Cell, Column, Line, Table};
use crate::text::{WIDTH, printable, shorten, wrap};

/// A report, and whether skipped tensors get lines of their own.
#[derive(Debug, serde::Serialize)]
#[serde(transparent)]
pub struct Analysis {
    report: Report,
    #[serde(skip)]
    all: bool,
}

type Get = fn(&Row) -> String;

/// The columns after the labels: heading, [`Column::yields`], whether it is there even if no row has a word for it, cell.
const NUMBERS: [(&str, usize, bool, Get); 14] = [
    ("slice", 0, false, |r| r.slice_id.map_or_else(String::new, count)),
    ("N", 0, true, |r| integer(r.N)),
    ("M", 0, true, |r| integer(r.M)),
    ("rf", 10, false, |r| r.rf.filter(|n| *n != 1).map_or_else(String::new, count)),
    ("evals", 12, true, |r| integer(r.num_evals)),
    ("alpha", 0, true, |r| number(r.alpha)),
    ("D", 0, true, |r| number(r.D)),
    ("sigma", 32, true, |r| number(r.sigma)),
    ("lognorm", 20, true, |r| number(r.log_norm)),
    ("logspec", 16, true, |r| number(r.log_spectral_norm)),
    ("stable", 18, true, |r| number(r.stable_rank)),
    ("alphaw", 14, true, |r| number(r.alpha_weighted)),
    ("fingers", 13, false, |r| r.num_fingers.map_or_else(String::new, count)),
    ("rawalpha", 15, false, |r| r.raw_alpha.map_or_else(String::new, real)),
];

fn integer(value: Option<usize>) -> String {
    value.map_or_else(|| "-".to_owned(), count)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), real)
}

/// The mark of a row, and the style of its alpha.
fn mark(row: &Row) -> (&'static str, anstyle::Style) {
    match (row.status, row.warning) {
        (Status::Skipped, _) => ("·", DIM),
        (Status::Failed, _) => ("✗", BAD),
        (_, "over-trained") => ("▼", OVER),
        (_, "under-trained") => ("▲", UNDER),
        _ => ("", anstyle::Style::new()),
    }
}

impl Analysis {
    /// `all`: skipped tensors line by line.
    pub fn new(report: Report, all: bool) -> Self {
        Analysis { report, all }
    }

    /// Whether every layer, and at least one, was analysed.
    pub fn complete(&self) -> bool {
        self.report.summary.failed == 0 && self.report.summary.analyzed > 0
    }

    /// The report.
    pub fn report(&self) -> &Report {
        &self.report
    }

    fn table(&self) -> Table {
        let layers = &self.report.layers;
        let shown: Vec<&Row> = layers.iter().filter(|r| self.all || r.status != Status::Skipped).collect();
        let numbers: Vec<_> = NUMBERS
            .iter()
            .filter(|(_, _, always, get)| *always || shown.iter().any(|r| !get(r).is_empty()))
            .collect();
        let label = |heading, text| Column { heading, text, yields: 0 };
        let mut columns = vec![label("", true), label("id", false), label("name", true), label("type", true)];
        let column = |&&(heading, yields, ..): &&(_, _, _, _)| Column { heading, text: false, yields };
        columns.extend(numbers.iter().map(column));
        let line = |row: &&Row| {
            let (sign, style) = mark(row);
            let mut cells = vec![
                Cell { text: sign.to_owned(), style },
                row.layer_id.to_string().into(),
                printable(&row.name).into_owned().into(),
                row.layer_type.name().to_owned().into(),
            ];
            if row.status == Status::Success {
                cells.extend(numbers.iter().map(|(heading, _, _, get)| match *heading {
                    "alpha" => Cell { text: get(row), style },
                    _ => get(row).into(),
                }));
                return Line { cells, note: None };
            }
            let slice = row.slice_id.map_or_else(String::new, |s| format!("slice {s}: "));
            let shape: Vec<String> = row.shape.iter().map(ToString::to_string).collect();
            let words = format!("{} {}  {slice}{}", shape.join("x"), row.dtype, row.reason);
            Line { cells, note: Some(Cell { text: printable(words.trim_start()).into_owned(), style }) }
        };
        Table { columns, flexible: 2, lines: shown.iter().map(line).collect() }
    }

    fn legend(&self, width: usize) -> String {
        let signs = [
            (OVER, "▼", "alpha < 2: over-trained"),
            (UNDER, "▲", "alpha > 6: under-trained"),
            (BAD, "✗", "failed"),
        ];
        let mut parts = signs.map(|(style, sign, words)| format!("{} {words}", paint(style, sign))).to_vec();
        // Last, and in one line: what a narrow terminal can do without.
        if width >= WIDTH {
            parts.push(paint(DIM, "lognorm, logspec: log10 Σλ, λmax"));
        }
        parts.join("   ")
    }

    /// The failures whose lines in the table have no room for the reason.
    fn failures(&self, table: &str, width: usize) -> Vec<String> {
        let cut = |r: &&Row| r.status == Status::Failed && !table.contains(&*printable(&r.reason));
        let failed = self.report.layers.iter().filter(cut);
        let lines = failed.flat_map(|row| {
            let slice = row.slice_id.map_or_else(String::new, |s| format!(", slice {s}"));
            let name = printable(&row.name);
            let words = format!("failed: {}{slice}: {}", shorten(&name, width / 2), printable(&row.reason));
            wrap(&words, width, 2)
        });
        lines.collect()
    }

    fn counts(&self) -> String {
        let (report, s) = (&self.report, &self.report.summary);
        let sliced = report.layers.iter().any(|r| r.slice_id.is_some());
        let rows = plural(s.analyzed, if sliced { "row" } else { "layer" });
        format!(
            "{rows} analysed, {} failed; {} over-trained, {} under-trained (every column: --format csv)",
            s.failed, s.over_trained, s.under_trained
        )
    }

    fn means(&self) -> Option<String> {
        let s = &self.report.summary;
        let over = |name: &str| s.layers_in_mean.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let most = SUMMARY_COLUMNS.iter().map(|n| over(n)).max().filter(|n| *n > 0)?;
        let part = |name: &&str| {
            let mean = s.mean(name)?;
            let fewer = if over(name) < most { format!(" (over {})", over(name)) } else { String::new() };
            // A number stays with its name.
            Some(format!("{name}\u{a0}{}{fewer}", real(mean)))
        };
        let parts: Vec<String> = SUMMARY_COLUMNS.iter().filter_map(part).collect();
        Some(format!("mean over {most}: {}", parts.join(", ")))
    }

    fn nothing(&self) -> String {
        match self.report.model.tensors {
            0 => "nothing to analyse: the model has no tensors".to_owned(),
            1 => "nothing to analyse: the only tensor is skipped".to_owned(),
            n => format!("nothing to analyse: all {} tensors are skipped", grouped(n as u64)),
        }
    }
}

/// `model.pt: pytorch, 103 tensors, 22,713,216 parameters`.
pub fn title(name: &str, loader: &str, tensors: usize, parameters: u64, width: usize) -> String {
    let words = format!(": {loader}, {}, {} parameters", plural(tensors, "tensor"), grouped(parameters));
    let name = printable(name);
    let name = shorten(&name, width.saturating_sub(crate::text::width(&words)));
    format!("{}{words}\n", paint(HEADING, name))
}

impl Document for Analysis {
    fn model(&self) -> &str {
        &self.report.model.name
    }

    fn rows(&self) -> &[Row] {
        &self.report.layers
    }

    fn columns(&self) -> Option<&'static [&'static str]> {
        self.report.options.conventions.columns.names()
    }

    fn text(&self, width: usize) -> String {
        let (report, model) = (&self.report, &self.report.model);
        let mut out = title(&model.name, &model.loader, model.tensors, model.parameters, width);
        let analysed = report.summary.analyzed + report.summary.failed > 0;
        let mut lines = Vec::new();
        if !analysed {
            lines.push(paint(BAD, self.nothing()));
        }
        let table = self.table();
        let table = if table.lines.is_empty() { String::new() } else { table.render(width) };
        if !table.is_empty() {
            out += &format!("\n{table}\n");
        }
        if analysed {
            lines.push(self.legend(width));
            lines.extend(self.failures(&table, width));
            lines.extend(wrap(&self.counts(), width, 2));
            let means = self.means().map(|means| wrap(&means, width, 2)).unwrap_or_default();
            lines.extend(means.iter().map(|line| line.replace('\u{a0}', " ")));
        }
        if let Some(reasons) = skipped::by_reason(&report.layers) {
            let how = if self.all { "" } else { " (--all lists them)" };
            lines.extend(wrap(&format!("skipped: {}{how}", printable(&reasons)), width, 2));
        }
        let o = &report.options;
        let solver = format!("{:?}", o.solver).to_lowercase();
        let made = format!(
            "conventions {}, precision {}, solver {solver}, eigenscope {}",
            report.conventions,
            o.precision.name(),
            report.eigenscope
        );
        lines.extend(wrap(&made, width, 2).iter().map(|line| paint(DIM, line)));
        out + &lines.join("\n") + "\n"
    }
}
