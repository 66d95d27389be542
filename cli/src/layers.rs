//! `eigenscope compare --layers`: models beside each other, layer by layer and by depth.

use eigenscope_workbench::compare::{LayerView, layer_view};
use eigenscope_workbench::store::{Details, Name, Store};

use crate::args::{Format, OutputArgs};
use crate::exit;
use crate::failure::Failure;
use crate::numbers::{plural, real};
use crate::output::Output;
use crate::store;
use crate::style::{DIM, HEADING, paint};
use crate::table::{Column, Line, Table};
use crate::text::{self, printable, wrap};

/// What models are called above their columns.
const LETTERS: [&str; 12] = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L"];

/// Compares a metric of the models named.
pub fn run(
    store: &Store,
    names: &[Name],
    metric: &str,
    args: &OutputArgs,
    output: &Output,
) -> Result<u8, Failure> {
    if names.len() > LETTERS.len() {
        let words = format!(
            "expected at most {} models to put beside each other, found {}",
            LETTERS.len(),
            names.len()
        );
        return Err(Failure::new(words).usage());
    }
    let mut models: Vec<(String, Details)> = Vec::new();
    for name in names {
        let entry = store::entry(store, name)?;
        let (details, _) = store.details(&entry).map_err(|e| Failure::of(&e))?;
        if !details.has(metric) {
            return Err(Failure::new(format!("{name}: its layers have no metric '{metric}'")).usage());
        }
        models.push((name.to_string(), details));
    }
    let models: Vec<(String, &Details)> = models.iter().map(|(n, d)| (n.clone(), d)).collect();
    let view = layer_view(&models, metric);
    match args.format() {
        Format::Table => {
            let width = if args.output.is_none() { text::terminal_width() } else { text::WIDTH };
            output.write_styled(&words(&view, width))?;
        }
        Format::Csv => output.write(&comma_separated(&view)?)?,
        Format::Json => {
            let text = serde_json::to_string_pretty(&view).map_err(|e| Failure::of(&e))?;
            output.write(format!("{text}\n").as_bytes())?;
        }
        Format::Jsonl => {
            let line = |row| serde_json::to_string(row).map(|l| l + "\n");
            let lines: Result<String, _> = view.matched.iter().map(line).collect();
            output.write(lines.map_err(|e| Failure::of(&e))?.as_bytes())?;
        }
    }
    Ok(exit::OK)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), real)
}

fn words(view: &LayerView, width: usize) -> String {
    let mut out = String::new();
    for (at, name) in view.models.iter().enumerate() {
        let partners = match at {
            0 => format!("{} with a partner", view.partners[0]),
            _ => {
                let likeness = view.likeness[at].map(|rho| format!(", Spearman {rho:.2} with A over them"));
                format!("{} of them in A by name{}", view.partners[at], likeness.unwrap_or_default())
            }
        };
        let words = format!(": {}, {partners}", plural(view.layers[at], "layer"));
        out += &format!("{} {}{words}\n", paint(HEADING, LETTERS[at]), printable(name));
    }
    let label = |heading, text, yields| Column { heading, text, yields };
    let models = |out: &mut Vec<Column>| {
        out.extend(LETTERS.iter().take(view.models.len()).map(|letter| label(letter, false, 0)));
    };
    if !view.matched.is_empty() {
        let mut columns = vec![label("layer", true, 0), label("type", true, 30), label("depth", false, 24)];
        models(&mut columns);
        columns.push(label("change", false, 0));
        let lines = view.matched.iter().map(|row| {
            let mut cells = vec![
                printable(&row.name).into_owned(),
                printable(&row.layer_type).into_owned(),
                format!("{:.2}", row.depth),
            ];
            cells.extend(row.values.iter().map(|v| number(*v)));
            cells.push(row.change.map_or_else(
                || "-".to_owned(),
                |c| format!("{}{}", if c > 0.0 { "+" } else { "" }, real(c)),
            ));
            Line { cells: cells.into_iter().map(Into::into).collect(), note: None }
        });
        let table = Table { columns, flexible: 0, lines: lines.collect() };
        let title = format!("{}, layers of the same name", printable(&view.metric));
        out += &format!("\n{}\n{}", paint(HEADING, title), table.render(width));
    }
    let mut columns = vec![label("depth", true, 0)];
    models(&mut columns);
    let lines = view.depth.iter().map(|row| {
        let mut cells = vec![format!("{:.1} to {:.1}", row.from, row.to)];
        cells.extend(row.means.iter().map(|v| number(*v)));
        Line { cells: cells.into_iter().map(Into::into).collect(), note: None }
    });
    let table = Table { columns, flexible: 0, lines: lines.collect() };
    let title = format!("mean {} by depth", printable(&view.metric));
    out += &format!("\n{}\n{}\n", paint(HEADING, title), table.render(width));
    let note = "depth: 0 the first analysed layer, 1 the last; change: the last model less the first";
    for line in wrap(note, width, 2) {
        out += &format!("{}\n", paint(DIM, line));
    }
    out
}

/// A line a layer, then a line for each tenth of the depth.
fn comma_separated(view: &LayerView) -> Result<Vec<u8>, Failure> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let number = |v: &Option<f64>| v.map_or_else(String::new, |v| format!("{v:?}"));
    let heading = ["view", "layer", "layer_type", "depth", "metric"].into_iter().map(str::to_owned);
    let heading: Vec<String> = heading.chain(view.models.iter().cloned()).collect();
    writer.write_record(&heading).map_err(|e| Failure::of(&e))?;
    for row in &view.matched {
        let mut cells = vec![
            "layer".to_owned(),
            row.name.clone(),
            row.layer_type.clone(),
            format!("{:?}", row.depth),
            view.metric.clone(),
        ];
        cells.extend(row.values.iter().map(number));
        writer.write_record(&cells).map_err(|e| Failure::of(&e))?;
    }
    for row in &view.depth {
        let middle = format!("{:?}", (row.from + row.to) / 2.0);
        let mut cells = vec!["depth".to_owned(), String::new(), String::new(), middle, view.metric.clone()];
        cells.extend(row.means.iter().map(number));
        writer.write_record(&cells).map_err(|e| Failure::of(&e))?;
    }
    writer.into_inner().map_err(|e| Failure::of(&e))
}
