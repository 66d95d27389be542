//! CSV: WeightWatcher's columns in its order, then ours, as pandas would write them.

use eigenscope::analysis::{COLUMNS, Column, Row, Value, column};

use crate::document::Document;
use crate::failure::Failure;

/// Every row of every model. Rows of several models begin with the model's name.
pub fn table<D: Document>(documents: &[D]) -> Result<Vec<u8>, Failure> {
    let rows = || documents.iter().flat_map(|d| d.rows().iter().map(|r| (d.model(), r)));
    let old = documents.first().and_then(Document::columns);
    let columns = columns(rows().map(|(_, row)| row), old);
    let several = documents.len() > 1;
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let names = columns.iter().map(|c| c.name.to_owned());
    let mut write = |first: &str, cells: &mut dyn Iterator<Item = String>| {
        let first = several.then(|| first.to_owned());
        writer.write_record(first.into_iter().chain(cells)).map_err(|e| Failure::of(&e))
    };
    write("model", &mut names.into_iter())?;
    for (model, row) in rows() {
        write(model, &mut columns.iter().map(|c| cell(&c.value(row))))?;
    }
    writer.into_inner().map_err(|e| Failure::of(&e))
}

/// `layer_id`, `name`, the rest of WeightWatcher's columns in ASCII order (those that only some analyses have where a row
/// has them), then what WeightWatcher lacks. Under an old version's conventions its columns, and what became of each tensor.
fn columns<'a>(
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
