//! A report that was written as JSON, to be stored.

use eigenscope::analysis::{COLUMNS, summary_columns};
use serde_json::{Map, Value};

use super::{Draft, Layers, Name, StoreError};

/// What `analyze --format json` wrote, as a result of that name.
pub fn from_report(name: Name, text: &[u8], place: &str) -> Result<Draft, StoreError> {
    let refuse = |reason: &str| StoreError::content(place, reason);
    let report: Value = serde_json::from_slice(text).map_err(|e| StoreError::content(place, e))?;
    if report.is_array() {
        return Err(refuse("expected the report of one model, found several"));
    }
    let part =
        |key: &str| report.get(key).ok_or_else(|| refuse(&format!("expected a report, found no '{key}'")));
    let layers = part("layers")?.as_array().ok_or_else(|| refuse("'layers' is no list"))?;
    let summary = part("summary")?.as_object().ok_or_else(|| refuse("'summary' is no object"))?;
    let version = part("eigenscope")?.as_str().unwrap_or("?");
    let means = summary_columns();
    let count = |key: &str| summary.get(key).and_then(Value::as_u64).unwrap_or(0) as usize;
    let model = report.get("model").and_then(Value::as_object);
    let kept = ["loader", "tensors", "parameters"];
    Ok(Draft {
        name,
        series: None,
        tags: Vec::new(),
        tool: format!("eigenscope {version}"),
        conventions: report.get("conventions").and_then(Value::as_str).map(str::to_owned),
        options: report.get("options").cloned(),
        source: None,
        base: None,
        model: kept.iter().filter_map(|k| Some(((*k).to_owned(), model?.get(*k)?.clone()))).collect(),
        summary: means.filter_map(|m| Some((m.to_owned(), summary.get(m)?.clone()))).collect(),
        layers: Layers { analyzed: count("analyzed"), failed: count("failed"), skipped: count("skipped") },
        details: details(layers).map_err(|e| StoreError::content(place, e))?,
    })
}

/// The rows as CSV: the columns that any of them has, in the order of the documentation.
fn details(layers: &[Value]) -> Result<Vec<u8>, csv::Error> {
    let rows: Vec<&Map<String, Value>> = layers.iter().filter_map(Value::as_object).collect();
    let columns: Vec<&str> =
        COLUMNS.iter().map(|c| c.name).filter(|name| rows.iter().any(|r| r.contains_key(*name))).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&columns)?;
    for row in rows {
        writer.write_record(columns.iter().map(|name| cell(row.get(*name))))?;
    }
    writer.into_inner().map_err(|e| csv::Error::from(e.into_error()))
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(yes)) => if *yes { "True" } else { "False" }.to_owned(),
        Some(other) => other.to_string(),
    }
}
