//! The page of a training run: the history of a monitor, as JSON or as CSV.

use std::collections::BTreeMap;

use eigenscope::monitor::METRICS;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::markup::Page;
use super::{ECHARTS_JS, PAGE_CSS, PAGE_JS};

const BODY: &str = include_str!("../../assets/series.html");
const SCRIPT: &str = include_str!("../../assets/series.js");

/// Why a file is no history.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeriesError {
    /// Neither format.
    #[error(
        "expected a monitor's history, JSON with 'commits' and 'layers' or CSV that begins with step,epoch,name,role: {0}"
    )]
    Format(String),
    /// Nothing in it.
    #[error("the history has no commits")]
    Empty,
}

/// A commit of the run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Commit {
    step: u64,
    #[serde(default)]
    epoch: Option<f64>,
    #[serde(default)]
    level: String,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    means: BTreeMap<String, Option<f64>>,
    #[serde(default)]
    metrics: Vec<(String, Option<f64>)>,
}

/// An analysis of a layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Point {
    step: u64,
    #[serde(default)]
    epoch: Option<f64>,
    #[serde(default)]
    segment: u32,
    #[serde(default)]
    values: BTreeMap<String, Option<f64>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Layer {
    name: String,
    #[serde(default)]
    role: String,
    points: Vec<Point>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Run {
    commits: Vec<Commit>,
    layers: Vec<Layer>,
}

/// Whether a file looks like a history rather than a model, by its beginning.
pub fn is_history(start: &[u8]) -> bool {
    let text = start.trim_ascii_start();
    if text.starts_with(b"step,epoch,name,role") {
        return true;
    }
    let head = text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    head.is_some_and(|rest| rest.starts_with(b"\"commits\""))
}

/// The page of a history: the JSON of `History`, or its CSV.
pub fn series(name: &str, text: &str) -> Result<String, SeriesError> {
    let run = if text.trim_start().starts_with('{') {
        serde_json::from_str::<Run>(text).map_err(|e| SeriesError::Format(e.to_string()))?
    } else {
        from_csv(text)?
    };
    if run.commits.is_empty() {
        return Err(SeriesError::Empty);
    }
    let data = json!({
        "eigenscope": env!("CARGO_PKG_VERSION"),
        "name": name,
        "metrics": METRICS,
        "commits": run.commits,
        "layers": run.layers.iter().map(compact).collect::<Vec<Value>>(),
    });
    Ok(Page {
        title: &format!("{name} – Eigenscope"),
        body: BODY,
        styles: &[PAGE_CSS],
        scripts: &[ECHARTS_JS, PAGE_JS, SCRIPT],
        data: &[("series", &data)],
        ..Page::default()
    }
    .render())
}

/// A layer with an array for each metric, in place of a map for each point.
fn compact(layer: &Layer) -> Value {
    let of = |metric: &str| -> Vec<Value> {
        let digits = |v: f64| format!("{v:.5e}").parse::<f64>().map_or(Value::Null, |v| json!(v));
        layer
            .points
            .iter()
            .map(|p| p.values.get(metric).copied().flatten().map_or(Value::Null, digits))
            .collect()
    };
    let values: serde_json::Map<String, Value> =
        METRICS.iter().map(|m| ((*m).to_owned(), Value::Array(of(m)))).collect();
    let steps: Vec<u64> = layer.points.iter().map(|p| p.step).collect();
    let segments: Vec<u32> = layer.points.iter().map(|p| p.segment).collect();
    json!({ "name": layer.name, "role": layer.role, "steps": steps, "segments": segments, "values": values })
}

fn from_csv(text: &str) -> Result<Run, SeriesError> {
    let wrong = |why: String| SeriesError::Format(why);
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    let names: Vec<String> =
        reader.headers().map_err(|e| wrong(e.to_string()))?.iter().map(str::to_owned).collect();
    let place = |name: &str| names.iter().position(|n| n == name);
    let (Some(step), Some(epoch), Some(name), Some(role)) =
        (place("step"), place("epoch"), place("name"), place("role"))
    else {
        return Err(wrong(format!("the first line is {}", names.join(","))));
    };
    let mut run = Run::default();
    for record in reader.records() {
        let record = record.map_err(|e| wrong(e.to_string()))?;
        let cell = |k: usize| record.get(k).unwrap_or("");
        let number = |k: usize| cell(k).parse::<f64>().ok();
        let line = record.position().map_or(0, csv::Position::line);
        let at =
            cell(step).parse().map_err(|_| wrong(format!("line {line}: '{}' is no step", cell(step))))?;
        let values: BTreeMap<String, Option<f64>> =
            METRICS.iter().filter_map(|m| Some(((*m).to_owned(), number(place(m)?)))).collect();
        if cell(name).is_empty() && cell(role).is_empty() {
            let own = names
                .iter()
                .enumerate()
                .filter_map(|(k, n)| Some((n.strip_prefix("own:")?.to_owned(), number(k))));
            let flags = place("flags").map_or("", cell);
            run.commits.push(Commit {
                step: at,
                epoch: number(epoch),
                level: place("verdict").map_or("", cell).to_owned(),
                flags: flags.split('|').filter(|f| !f.is_empty()).map(str::to_owned).collect(),
                means: values,
                metrics: own.collect(),
            });
            continue;
        }
        let segment = place("segment").and_then(|k| cell(k).parse().ok()).unwrap_or(0);
        let point = Point { step: at, epoch: number(epoch), segment, values };
        let known = run.layers.iter_mut().find(|l| l.name == cell(name) && l.role == cell(role));
        match known {
            Some(layer) => layer.points.push(point),
            None => run.layers.push(Layer {
                name: cell(name).to_owned(),
                role: cell(role).to_owned(),
                points: vec![point],
            }),
        }
    }
    Ok(run)
}
