//! CSV: WeightWatcher's columns in its order, then ours, as pandas would write them.

pub use eigenscope_workbench::rows::cell;
use eigenscope_workbench::rows::columns;

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
