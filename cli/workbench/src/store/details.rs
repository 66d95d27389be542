//! The lines of a model's layers, as they were written.

use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord};

/// A table of layers: a heading, and a line a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    heading: StringRecord,
    places: HashMap<String, usize>,
    rows: Vec<StringRecord>,
}

impl Details {
    /// Reads CSV with a heading; every line must have as many cells.
    pub fn parse(bytes: &[u8]) -> Result<Self, csv::Error> {
        let mut reader = ReaderBuilder::new().from_reader(bytes);
        let heading = reader.headers()?.clone();
        let places = heading.iter().enumerate().map(|(at, name)| (name.to_owned(), at)).collect();
        let rows = reader.records().collect::<Result<_, _>>()?;
        Ok(Details { heading, places, rows })
    }

    /// The names of the columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.heading.iter()
    }

    /// Whether there is such a column.
    pub fn has(&self, column: &str) -> bool {
        self.places.contains_key(column)
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A cell; empty where there is none.
    pub fn text(&self, row: usize, column: &str) -> &str {
        let cell = || self.rows.get(row)?.get(*self.places.get(column)?);
        cell().unwrap_or("")
    }

    /// A number; `True` is 1 and `False` is 0.
    pub fn number(&self, row: usize, column: &str) -> Option<f64> {
        match self.text(row, column).trim() {
            "True" | "true" => Some(1.0),
            "False" | "false" => Some(0.0),
            text => text.parse::<f64>().ok().filter(|v| !v.is_nan()),
        }
    }

    /// The lines of layers that were analysed. A table without a word on it holds no others.
    pub fn analyzed(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        let all = !self.has("status");
        (0..self.rows.len()).filter(move |row| all || self.text(*row, "status") == "success")
    }

    /// The mean of a column over the analysed layers that have it.
    pub fn mean(&self, column: &str) -> Option<f64> {
        let values: Vec<f64> = self.analyzed().filter_map(|row| self.number(row, column)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_analysed_layers_that_have_the_number() {
        let details = Details::parse(b"name,status,alpha,ok\na,success,2.0,True\nb,failed,9,False\nc,success,,True\nd,success,4,False\n");
        let details = details.unwrap();
        assert_eq!(
            (details.len(), details.mean("alpha"), details.mean("ok")),
            (4, Some(3.0), Some(2.0 / 3.0))
        );
        assert_eq!((details.text(1, "name"), details.text(9, "name"), details.mean("none")), ("b", "", None));
        let bare = Details::parse(b"alpha\n2\nnan\n4\n").unwrap();
        assert_eq!(bare.mean("alpha"), Some(3.0));
        assert!(Details::parse(b"a,b\n1\n").is_err());
    }
}
