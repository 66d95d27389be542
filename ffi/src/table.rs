//! A table of named, typed columns: what every report is to C.

use std::ffi::{CStr, CString};
use std::sync::OnceLock;

use eigenscope_core::analysis::{COLUMNS, Row, Value};

use crate::text::cstring;

/// The type of a column, as the header numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Kind {
    Integer = 1,
    Number = 2,
    Text = 3,
    Bool = 4,
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Number(f64),
    Text(CString),
    Bool(bool),
}

impl Cell {
    pub fn number(&self) -> f64 {
        match self {
            Cell::Integer(i) => *i as f64,
            Cell::Number(f) => *f,
            Cell::Bool(b) => f64::from(u8::from(*b)),
            Cell::Null | Cell::Text(_) => f64::NAN,
        }
    }

    fn words(&self) -> CString {
        match self {
            Cell::Null => CString::default(),
            Cell::Integer(i) => cstring(&i.to_string()),
            Cell::Number(f) => cstring(&f.to_string()),
            Cell::Text(t) => t.clone(),
            Cell::Bool(b) => cstring(if *b { "true" } else { "false" }),
        }
    }
}

impl From<Value<'_>> for Cell {
    fn from(value: Value<'_>) -> Cell {
        match value {
            Value::Null => Cell::Null,
            Value::Int(i) => Cell::Integer(i),
            Value::Float(f) => Cell::Number(f),
            Value::Text(t) => Cell::Text(cstring(&t)),
            Value::Bool(b) => Cell::Bool(b),
        }
    }
}

pub(crate) struct Column {
    pub name: CString,
    pub doc: CString,
    pub kind: Kind,
}

/// Rows and columns, immutable.
pub(crate) struct Table {
    pub columns: Vec<Column>,
    /// Row by row.
    cells: Vec<Cell>,
    rows: usize,
    /// Every cell in words, made when one is first asked for.
    words: OnceLock<Vec<CString>>,
}

/// Columns of an analysis that are not numbers with a fraction. Names that are in no list take the type of their values.
const INTEGERS: &[&str] = &[
    "layer_id",
    "N",
    "M",
    "rf",
    "slice_id",
    "num_evals",
    "rank_loss",
    "weak_rank_loss",
    "num_pl_spikes",
    "matrix_rank",
    "num_fingers",
    "num_spikes",
    "num_spikes_tw",
    "rand_replicas",
    "rand_num_spikes",
    "num_traps",
    "detX_num",
    "num_ERG_spikes",
    "ERG_gap",
    "step",
    "segment",
];
const TEXTS: &[&str] = &[
    "name",
    "layer_type",
    "status",
    "reason",
    "longname",
    "dtype",
    "shape",
    "warning",
    "estimator",
    "method",
    "precision",
    "conv_mode",
    "best_fit",
    "trap_weights",
    "role",
    "level",
    "flags",
];
const BOOLS: &[&str] = &["has_esd", "power_law", "fresh"];

fn declared(name: &str) -> Option<Kind> {
    let in_list = |list: &[&str]| list.contains(&name);
    if in_list(INTEGERS) {
        Some(Kind::Integer)
    } else if in_list(TEXTS) {
        Some(Kind::Text)
    } else if in_list(BOOLS) {
        Some(Kind::Bool)
    } else {
        None
    }
}

/// The narrowest type that holds every value of a column.
fn of_values<'a>(values: impl Iterator<Item = &'a Cell>) -> Option<Kind> {
    values.fold(None, |kind, value| match (kind, value) {
        (Some(Kind::Text), _) | (_, Cell::Text(_)) => Some(Kind::Text),
        (kind, Cell::Null) => kind,
        (None | Some(Kind::Bool), Cell::Bool(_)) => Some(Kind::Bool),
        (None | Some(Kind::Integer), Cell::Integer(_)) => Some(Kind::Integer),
        _ => Some(Kind::Number),
    })
}

impl Table {
    /// `rows` have a cell for each column.
    pub fn new<'a>(columns: impl Iterator<Item = (&'a str, &'a str)>, rows: Vec<Vec<Cell>>) -> Table {
        let count = rows.len();
        let cells: Vec<Cell> = rows.into_iter().flatten().collect();
        let mut columns: Vec<Column> = columns
            .map(|(name, doc)| Column {
                name: cstring(name),
                doc: cstring(doc),
                kind: declared(name).unwrap_or(Kind::Number),
            })
            .collect();
        let width = columns.len();
        for (c, column) in columns.iter_mut().enumerate() {
            let values = cells.iter().skip(c).step_by(width.max(1));
            match (column.kind, of_values(values)) {
                // A whole number among others is still one of them; a column without values keeps its type.
                (kind, Some(found)) if kind != found && !(kind == Kind::Number && found == Kind::Integer) => {
                    column.kind = found;
                }
                _ => {}
            }
        }
        Table { columns, cells, rows: count, words: OnceLock::new() }
    }

    /// Rows of an analysis, with columns of the caller's own before them.
    pub fn of_rows<'a>(
        own: &[(&'a str, &'a str)],
        rows: impl Iterator<Item = (Vec<Cell>, &'a Row)>,
    ) -> Table {
        let columns = own.iter().copied().chain(COLUMNS.iter().map(|c| (c.name, c.doc)));
        let cells = rows.map(|(mut cells, row)| {
            cells.extend(COLUMNS.iter().map(|c| Cell::from(c.value(row))));
            cells
        });
        Table::new(columns, cells.collect())
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name.to_bytes() == name.as_bytes())
    }

    pub fn cell(&self, row: usize, column: usize) -> Option<&Cell> {
        if row < self.rows && column < self.columns.len() {
            self.cells.get(row * self.columns.len() + column)
        } else {
            None
        }
    }

    /// The cells of a column, from the top.
    pub fn cells(&self, column: usize) -> impl Iterator<Item = &Cell> {
        self.cells.iter().skip(column).step_by(self.columns.len().max(1))
    }

    pub fn words(&self, row: usize, column: usize) -> Option<&CStr> {
        self.cell(row, column)?;
        let words = self.words.get_or_init(|| self.cells.iter().map(Cell::words).collect());
        words.get(row * self.columns.len() + column).map(CString::as_c_str)
    }

    /// RFC 4180 with `\n` line ends; what is no finite number is empty.
    pub fn csv(&self) -> String {
        let mut out = String::new();
        let line = |out: &mut String, fields: &mut dyn Iterator<Item = String>| {
            for (i, field) in fields.enumerate() {
                if i > 0 {
                    out.push(',');
                }
                if field.contains([',', '"', '\n', '\r']) {
                    out.push_str(&format!("\"{}\"", field.replace('"', "\"\"")));
                } else {
                    out.push_str(&field);
                }
            }
            out.push('\n');
        };
        line(&mut out, &mut self.columns.iter().map(|c| c.name.to_string_lossy().into_owned()));
        for row in self.cells.chunks(self.columns.len().max(1)) {
            line(
                &mut out,
                &mut row.iter().map(|cell| match cell {
                    Cell::Number(f) if !f.is_finite() => String::new(),
                    cell => cell.words().to_string_lossy().into_owned(),
                }),
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let rows = vec![
            vec![Cell::Integer(0), Cell::Text(cstring("a,\"b\"")), Cell::Number(0.1), Cell::Null],
            vec![Cell::Integer(1), Cell::Text(cstring("c")), Cell::Number(f64::NAN), Cell::Bool(true)],
        ];
        Table::new([("layer_id", ""), ("name", ""), ("alpha", ""), ("own", "")].into_iter(), rows)
    }

    #[test]
    fn columns_have_the_type_of_their_values() {
        let kinds: Vec<Kind> = table().columns.iter().map(|c| c.kind).collect();
        assert_eq!(kinds, [Kind::Integer, Kind::Text, Kind::Number, Kind::Bool]);
    }

    #[test]
    fn csv_quotes_and_leaves_out_what_is_no_number() {
        assert_eq!(table().csv(), "layer_id,name,alpha,own\n0,\"a,\"\"b\"\"\",0.1,\n1,c,,true\n");
    }

    #[test]
    fn cells_come_as_numbers_and_as_words() {
        let t = table();
        assert_eq!(t.cell(0, 2).unwrap().number(), 0.1);
        assert_eq!(t.words(0, 2).unwrap(), c"0.1");
        assert!(t.cell(2, 0).is_none() && t.cell(0, 4).is_none() && t.words(9, 9).is_none());
        assert_eq!(t.cells(0).map(Cell::number).collect::<Vec<_>>(), [0.0, 1.0]);
    }
}
