//! The page of one model: its layers in a table, alpha by depth, and the spectrum of any layer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use eigenscope::analysis::{COLUMNS, Inspection, Inspector, Options, Report, Row, guide};
use serde_json::{Value, json};

use super::markup::Page;
use super::{ECHARTS_JS, PAGE_CSS, PAGE_JS};
use crate::figures::{EsdView, Histogram, LayerFit, bins, pooled};

const BODY: &str = include_str!("../../assets/report.html");
const SCRIPT: &str = include_str!("../../assets/report.js");

/// Candidates of xmin in the page, for each layer.
const CANDIDATES: usize = 90;
/// Spikes marked, of each layer.
const SPIKES: usize = 60;
/// Points of a curve that is no straight line.
const CURVE: usize = 30;
/// Significant digits of what is only drawn.
const DIGITS: usize = 5;

/// Which row: a tensor may have several.
type Key = (usize, Option<usize>, String, String);

/// What the page draws of every layer, collected while a model is analysed.
#[derive(Debug)]
pub struct Spectra {
    options: Options,
    views: Mutex<HashMap<Key, Value>>,
}

impl Spectra {
    /// For an analysis with these options.
    pub fn new(options: &Options) -> Self {
        Spectra { options: options.clone(), views: Mutex::default() }
    }
}

impl Inspector for Spectra {
    fn inspect(&self, inspection: Inspection) {
        if let Some(view) = view(&inspection, &self.options) {
            let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
            views.insert(key(&inspection.row), view);
        }
    }
}

fn key(row: &Row) -> Key {
    (row.layer_id, row.slice_id, row.longname.clone(), row.combines.clone())
}

/// The page of an analysis; `spectra` was its inspector.
pub fn report(report: &Report, spectra: Spectra) -> String {
    let mut views = spectra.views.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rows: Vec<Value> = report
        .layers
        .iter()
        .map(|row| {
            let mut shown = json!(row);
            if let (Some(view), Some(map)) = (views.remove(&key(row)), shown.as_object_mut()) {
                map.insert("_view".to_owned(), view);
            }
            shown
        })
        .collect();
    let columns: Vec<Value> = COLUMNS
        .iter()
        .map(|column| {
            let reading = guide(column.name).map_or("", |g| g.reading);
            json!({ "name": column.name, "doc": column.doc, "reading": reading })
        })
        .collect();
    let data = json!({
        "eigenscope": report.eigenscope,
        "model": report.model,
        "conventions": report.conventions,
        "options": report.options,
        "defaults": Options { conventions: report.options.conventions.clone(), ..Options::default() },
        "summary": report.summary,
        "columns": columns,
        "rows": rows,
    });
    Page {
        title: &format!("{} – Eigenscope", report.model.name),
        body: BODY,
        styles: &[PAGE_CSS],
        scripts: &[ECHARTS_JS, PAGE_JS, SCRIPT],
        data: &[("report", &data)],
        ..Page::default()
    }
    .render()
}

/// The spectrum of a row, in few numbers.
fn view(inspection: &Inspection, options: &Options) -> Option<Value> {
    let values = &inspection.spectrum.eigenvalues;
    let fit = LayerFit::of(inspection, options);
    let esd = EsdView::new(values, fit.as_ref())?;
    let curve: Vec<(f64, f64)> = match fit {
        // A power law is straight.
        Some(f) if f.lambda.is_none() => {
            esd.curve.first().into_iter().chain(esd.curve.last()).copied().collect()
        }
        _ => esd.curve.iter().step_by((esd.curve.len() / CURVE).max(1)).copied().collect(),
    };
    let scan: Vec<[Value; 3]> = inspection
        .candidates(options, CANDIDATES)
        .iter()
        .map(|c| [c.xmin, c.d, c.alpha].map(short))
        .collect();
    let bulk = inspection.bulk(options).filter(|mp| mp.bulk_max > 0.0);
    let beyond = bulk.map(|mp| mp.tw_edge.unwrap_or(mp.bulk_max));
    let spikes = beyond.map_or(&[][..], |edge| &values[values.partition_point(|v| *v <= edge)..]);
    let random = {
        let all = pooled(inspection);
        let low = esd.histogram.edges[0];
        let shown = &all[all.partition_point(|v| *v < low)..];
        Histogram::log(shown, bins(shown.len())).map(|h| histogram(&h))
    };
    let pairs = |points: &[(f64, f64)]| -> Vec<[Value; 2]> {
        points.iter().map(|(x, y)| [short(*x), short(*y)]).collect()
    };
    Some(json!({
        "esd": histogram(&esd.histogram),
        "tail": pairs(&esd.empirical),
        "fit": pairs(&curve),
        "xmin": fit.map(|f| f.xmin),
        "scan": scan,
        "edge": bulk.map(|mp| short(mp.bulk_max)),
        "spikes": spikes.len(),
        "at": spikes.iter().rev().take(SPIKES).map(|v| short(*v)).collect::<Vec<Value>>(),
        "random": random,
    }))
}

/// Bins of equal ratio: their ends, and how many values each holds.
fn histogram(h: &Histogram) -> Value {
    json!({ "low": short(h.edges[0]), "high": short(h.edges[h.edges.len() - 1]), "counts": h.counts })
}

fn short(value: f64) -> Value {
    let text = format!("{value:.*e}", DIGITS - 1);
    text.parse::<f64>().map_or(Value::Null, |v| json!(v))
}
