//! The rows of a report as a table: which columns, in which order, and how a cell is written.

use eigenscope::analysis::{COLUMNS, Column, Row, Value, column};

/// `layer_id`, `name`, the rest of WeightWatcher's columns in ASCII order (those that only some analyses have where a row
/// has them), then what WeightWatcher lacks. `old`: under an old version's conventions its columns, and what became of each
/// tensor.
pub fn columns<'a>(
    rows: impl Iterator<Item = &'a Row> + Clone,
    old: Option<&'static [&'static str]>,
) -> Vec<&'static Column> {
    let present = |c: &Column| !c.optional || rows.clone().any(|row| !c.value(row).is_null());
    if let Some(names) = old {
        let theirs = names.iter().filter_map(|name| column(name));
        return theirs
            .chain(["status", "reason", "longname", "shape"].iter().filter_map(|n| column(n)))
            .collect();
    }
    let (mut reference, mut own): (Vec<&Column>, Vec<&Column>) = COLUMNS.iter().partition(|c| c.reference);
    reference.retain(|c| present(c));
    own.retain(|c| !c.requested || present(c));
    let first = |name: &str| ["layer_id", "name"].iter().position(|n| *n == name).unwrap_or(usize::MAX);
    reference.sort_by_key(|c| (first(c.name), c.name));
    reference.into_iter().chain(own).collect()
}

/// A cell as pandas would write it.
pub fn cell(value: &Value<'_>) -> String {
    match value {
        Value::Null => String::new(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) if f.is_nan() => "nan".to_owned(),
        // `{:?}` keeps every digit that counts and takes an exponent where that is shorter.
        Value::Float(f) => format!("{f:?}"),
        Value::Text(t) => t.to_string(),
        Value::Bool(b) => if *b { "True" } else { "False" }.to_owned(),
    }
}

/// The rows of one report as CSV.
pub fn csv(rows: &[Row], old: Option<&'static [&'static str]>) -> Result<Vec<u8>, csv::Error> {
    let columns = columns(rows.iter(), old);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(|c| c.name))?;
    for row in rows {
        writer.write_record(columns.iter().map(|c| cell(&c.value(row))))?;
    }
    writer.into_inner().map_err(|e| csv::Error::from(e.into_error()))
}
