//! The results of WeightWatcher 0.1.2 as it gave them: an object for each layer with one for each of its slices, and means over slices
//! and over layers.

use serde::Serialize;
use serde_json::{Map, Value};

use super::columns::column;
use super::{Row, Status};
use crate::tensor::LayerKind;

/// What is averaged, in its order.
const METRICS: [&str; 8] = [
    "norm",
    "lognorm",
    "alpha",
    "alpha_weighted",
    "spectralnorm",
    "softrank",
    "softranklog",
    "softranklogratio",
];
/// Numbers of a slice.
const FIELDS: [&str; 13] = [
    "N",
    "M",
    "Q",
    "norm",
    "lognorm",
    "spectralnorm",
    "softrank",
    "softranklog",
    "softranklogratio",
    "alpha",
    "D",
    "alpha_weighted",
    "lambda_min",
];
/// Outside of it a slice's summary speaks of danger.
const SAFE_ALPHA: std::ops::RangeInclusive<f64> = 1.5..=3.5;

/// Mean, least and largest of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Aggregate {
    /// Mean.
    pub avg: f64,
    /// Least.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Aggregate {
    fn of(values: &[f64]) -> Option<Self> {
        let fold = |start, f: fn(f64, f64) -> f64| values.iter().copied().fold(start, f);
        let avg = values.iter().sum::<f64>() / values.len() as f64;
        let (min, max) = (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max));
        (!values.is_empty()).then_some(Aggregate { avg, min, max })
    }
}

/// Results by layer id, and the aggregates of every metric there is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Nested {
    /// `layer_id` to slices by number, each with its numbers and a `summary` in words; or a `message` that says why there are none.
    pub results: Map<String, Value>,
    /// `metric` over all slices; `metric_compound` over layers, each by the mean of its slices.
    pub aggregates: Map<String, Value>,
}

impl Nested {
    /// From rows that are slices.
    pub(super) fn of(rows: &[Row]) -> Self {
        let layers: Vec<&[Row]> = rows.chunk_by(|a, b| a.layer_id == b.layer_id).collect();
        let results = layers.iter().map(|slices| (slices[0].layer_id.to_string(), layer(slices))).collect();
        let mut aggregates = Map::new();
        for metric in METRICS {
            let number = |row: &Row| column(metric)?.value(row).as_f64().filter(|v| v.is_finite());
            let by_layer: Vec<Vec<f64>> = layers
                .iter()
                .map(|slices| slices.iter().filter_map(number).collect::<Vec<f64>>())
                .filter(|values| !values.is_empty())
                .collect();
            let means: Vec<f64> =
                by_layer.iter().filter_map(|values| Aggregate::of(values)).map(|a| a.avg).collect();
            for (name, values) in
                [(metric.to_owned(), by_layer.concat()), (format!("{metric}_compound"), means)]
            {
                if let Some(aggregate) = Aggregate::of(&values) {
                    aggregates.insert(name, serde_json::to_value(aggregate).unwrap_or_default());
                }
            }
        }
        Nested { results, aggregates }
    }
}

fn layer(slices: &[Row]) -> Value {
    let first = &slices[0];
    let mut layer = Map::new();
    layer.insert("id".to_owned(), first.layer_id.into());
    layer.insert("type".to_owned(), kind(first.layer_type).into());
    if first.status == Status::Skipped {
        let message = match first.reason.as_str() {
            "not selected by the layer filter" => "Skipping (Layer id not requested to analyze)".to_owned(),
            _ if !first.layer_type.has_matrices() => "Skipping (Layer not supported)".to_owned(),
            reason => format!("Skipping ({reason})"),
        };
        layer.insert("message".to_owned(), message.into());
        return layer.into();
    }
    for (k, row) in slices.iter().enumerate() {
        let mut slice = Map::new();
        for field in FIELDS.into_iter().chain(["lambda_max", "rank_loss"]) {
            let value = column(field).map(|c| c.value(row));
            if let Some(value) = value.filter(|v| !v.is_null()) {
                slice.insert(field.to_owned(), serde_json::to_value(value).unwrap_or_default());
            }
        }
        slice.insert("summary".to_owned(), summary(row, k, slices.len()).into());
        layer.insert(k.to_string(), slice.into());
    }
    layer.into()
}

fn summary(row: &Row, slice: usize, slices: usize) -> String {
    let (m, n) = (row.M.unwrap_or(0), row.N.unwrap_or(0));
    let words = match row.alpha {
        Some(alpha) if SAFE_ALPHA.contains(&alpha) => format!("alpha {alpha:.4}"),
        Some(alpha) => format!("alpha {alpha:.4}, in the danger zone"),
        None => row.reason.clone(),
    };
    format!("Weight matrix {}/{slices} ({m},{n}): {words}", slice + 1)
}

fn kind(kind: LayerKind) -> &'static str {
    match kind {
        LayerKind::Dense => "DENSE",
        // Any other matrix was to it.
        LayerKind::Conv1d | LayerKind::Embedding | LayerKind::Recurrent | LayerKind::Attention => "CONV1D",
        LayerKind::Conv2d => "CONV2D",
        _ => "UNKNOWN",
    }
}
