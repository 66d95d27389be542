//! Results in the format asked for.

use eigenscope::analysis::Row;
use serde::Serialize;

use crate::args::{Format, OutputArgs};
use crate::failure::Failure;
use crate::output::Output;
use crate::{csv, json, text};

/// The result for one model.
pub trait Document: Serialize {
    /// The model's name.
    fn model(&self) -> &str;
    /// A row for every tensor.
    fn rows(&self) -> &[Row];
    /// The columns of the version whose conventions are in force, where that is an old one.
    fn columns(&self) -> Option<&'static [&'static str]> {
        None
    }
    /// For people, in lines of at most `width` columns.
    fn text(&self, width: usize) -> String;
}

/// Writes the results for all models.
pub fn write<D: Document>(documents: &[D], args: &OutputArgs, output: &Output) -> Result<(), Failure> {
    if documents.is_empty() {
        return Ok(());
    }
    match args.format() {
        Format::Table => {
            let width = if args.output.is_none() { text::terminal_width() } else { text::WIDTH };
            let parts: Vec<String> = documents.iter().map(|d| d.text(width)).collect();
            output.write_styled(&parts.join("\n"))
        }
        Format::Csv => output.write(&csv::table(documents)?),
        Format::Json => output.write(&json::document(documents)?),
        Format::Jsonl => output.write(&json::lines(documents)?),
    }
}
