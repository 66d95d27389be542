//! JSON: the report as the engine serialises it, or a row a line.

use eigenscope::analysis::Row;
use serde::Serialize;

use crate::document::Document;
use crate::failure::Failure;

#[derive(Serialize)]
struct NamedRow<'a> {
    model: &'a str,
    #[serde(flatten)]
    row: &'a Row,
}

/// One object; of several models an array.
pub fn document<D: Document>(documents: &[D]) -> Result<Vec<u8>, Failure> {
    let text = match documents {
        [one] => serde_json::to_vec_pretty(one),
        several => serde_json::to_vec_pretty(several),
    };
    let mut text = text.map_err(|e| Failure::of(&e))?;
    text.push(b'\n');
    Ok(text)
}

/// An object a row, a line each; rows of several models begin with the model's name.
pub fn lines<D: Document>(documents: &[D]) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    for document in documents {
        for row in document.rows() {
            let written = if documents.len() == 1 {
                serde_json::to_writer(&mut out, row)
            } else {
                serde_json::to_writer(&mut out, &NamedRow { model: document.model(), row })
            };
            written.map_err(|e| Failure::of(&e))?;
            out.push(b'\n');
        }
    }
    Ok(out)
}
