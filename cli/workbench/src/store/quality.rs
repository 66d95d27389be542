//! How good a model is, by a number that somebody measured: accuracy, loss, and which way is better.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Name, StoreError};

/// Which way a number is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Accuracy.
    Higher,
    /// Error, loss, perplexity.
    Lower,
}

impl Better {
    /// What a metric's name says: errors, losses and perplexities are better low, all else high.
    pub fn by_name(metric: &str) -> Self {
        let name = metric.to_lowercase();
        let lower = ["err", "loss", "perplexity", "ppl", "mse", "mae", "rmse", "wer"];
        if lower.iter().any(|word| name.contains(word)) { Better::Lower } else { Better::Higher }
    }

    /// `higher` or `lower`.
    pub fn name(self) -> &'static str {
        match self {
            Better::Higher => "higher",
            Better::Lower => "lower",
        }
    }

    /// The number, turned so that higher is better.
    pub fn goodness(self, value: f64) -> f64 {
        match self {
            Better::Higher => value,
            Better::Lower => -value,
        }
    }
}

/// A number that says how good a model is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// What was measured.
    pub metric: String,
    /// What came out.
    pub value: f64,
    /// Which way is better.
    pub better: Better,
}

impl Quality {
    /// A finite number under a name.
    pub fn new(metric: &str, value: f64, better: Option<Better>) -> Result<Self, String> {
        if metric.trim().is_empty() {
            return Err("expected the name of a metric, found nothing".to_owned());
        }
        if !value.is_finite() {
            return Err(format!("{metric}: expected a finite number, found {value}"));
        }
        let better = better.unwrap_or_else(|| Better::by_name(metric));
        Ok(Quality { metric: metric.to_owned(), value, better })
    }
}

/// The quality of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct QualityRow {
    /// Which model.
    pub name: Name,
    /// How good it is.
    pub quality: Quality,
}

/// What became of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attached {
    /// Numbers that now belong to an entry.
    pub attached: usize,
    /// Names without an entry yet; their numbers wait for it.
    pub waiting: Vec<Name>,
}

/// A table of qualities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QualityTable {
    /// A number each.
    pub rows: Vec<QualityRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlFile {
    quality: Vec<TomlRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlRow {
    architecture: String,
    variant: String,
    metric: String,
    value: f64,
    better: Option<Better>,
}

impl QualityTable {
    /// Reads a table: `.toml`, a `[[quality]]` each; anything else as CSV.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let text = std::fs::read_to_string(path).map_err(StoreError::io("read", path))?;
        let place = path.display().to_string();
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml")) {
            return Self::toml(&text, &place);
        }
        let metric = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        Self::csv(&text, &metric, &place)
    }

    fn toml(text: &str, place: &str) -> Result<Self, StoreError> {
        let file: TomlFile = toml::from_str(text).map_err(|e| StoreError::content(place, e.message()))?;
        let row = |row: &TomlRow| -> Result<QualityRow, StoreError> {
            let quality = Quality::new(&row.metric, row.value, row.better);
            Ok(QualityRow {
                name: Name::new(&row.architecture, &row.variant)?,
                quality: quality.map_err(|e| StoreError::content(place, e))?,
            })
        };
        Ok(QualityTable { rows: file.quality.iter().map(row).collect::<Result<_, _>>()? })
    }

    /// With a heading, `architecture, variant, metric, value` and perhaps `better`, or a column named after each metric;
    /// without one, `architecture, variant, value` of the metric that the file is named after.
    fn csv(text: &str, metric: &str, place: &str) -> Result<Self, StoreError> {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(text.as_bytes());
        let records: Vec<csv::StringRecord> =
            reader.records().collect::<Result<_, _>>().map_err(|e| StoreError::content(place, e))?;
        let mut records = records.iter();
        let mut rows = Vec::new();
        let Some(first) = records.clone().next() else { return Ok(QualityTable::default()) };
        let heading: Vec<String> = first.iter().map(str::to_lowercase).collect();
        let column = |name: &str| heading.iter().position(|h| h == name);
        let (Some(architecture), Some(variant)) = (column("architecture"), column("variant")) else {
            if first.len() != 3 {
                let reason = format!(
                    "expected a heading with architecture, variant, metric and value, or three columns; found {} columns",
                    first.len()
                );
                return Err(StoreError::content(place, reason));
            }
            for record in records {
                push(&mut rows, record, (0, 1), metric, &record[2], None, place)?;
            }
            return Ok(QualityTable { rows });
        };
        records.next();
        let better = column("better");
        let direction =
            |record: &csv::StringRecord| match better.map(|at| record[at].to_lowercase()).as_deref() {
                None | Some("") => Ok(None),
                Some("higher") => Ok(Some(Better::Higher)),
                Some("lower") => Ok(Some(Better::Lower)),
                Some(other) => Err(StoreError::content(
                    line(place, record),
                    format!("better: expected higher or lower, found '{other}'"),
                )),
            };
        for record in records {
            let way = direction(record)?;
            if let (Some(metric), Some(value)) = (column("metric"), column("value")) {
                push(
                    &mut rows,
                    record,
                    (architecture, variant),
                    &record[metric],
                    &record[value],
                    way,
                    place,
                )?;
                continue;
            }
            for (at, name) in first.iter().enumerate() {
                // An empty cell: nobody measured it.
                if ![Some(architecture), Some(variant), better].contains(&Some(at)) && !record[at].is_empty()
                {
                    push(&mut rows, record, (architecture, variant), name, &record[at], way, place)?;
                }
            }
        }
        Ok(QualityTable { rows })
    }
}

fn line(place: &str, record: &csv::StringRecord) -> String {
    record.position().map_or_else(|| place.to_owned(), |p| format!("{place}:{}", p.line()))
}

fn push(
    rows: &mut Vec<QualityRow>,
    record: &csv::StringRecord,
    (architecture, variant): (usize, usize),
    metric: &str,
    value: &str,
    better: Option<Better>,
    place: &str,
) -> Result<(), StoreError> {
    let refuse = |reason: String| StoreError::content(line(place, record), reason);
    let number: f64 =
        value.parse().map_err(|_| refuse(format!("{metric}: expected a number, found '{value}'")))?;
    rows.push(QualityRow {
        name: Name::new(&record[architecture], &record[variant]).map_err(|e| refuse(e.to_string()))?,
        quality: Quality::new(metric, number, better).map_err(refuse)?,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> Result<Vec<(String, String, f64, Better)>, String> {
        let table = QualityTable::csv(text, "top1", "q.csv").map_err(|e| e.to_string())?;
        let flat = |r: &QualityRow| {
            (r.name.to_string(), r.quality.metric.clone(), r.quality.value, r.quality.better)
        };
        Ok(table.rows.iter().map(flat).collect())
    }

    #[test]
    fn every_shape_of_table_gives_the_same_numbers() {
        let expected = vec![
            ("ResNet/20".to_owned(), "top1".to_owned(), 91.73, Better::Higher),
            ("ResNet/56".to_owned(), "top1".to_owned(), 93.39, Better::Higher),
        ];
        for text in [
            "ResNet,20,91.73\nResNet,56,93.39\n",
            "architecture,variant,top1\nResNet,20,91.73\nResNet,56,93.39\n",
            "variant,architecture,metric,value\n20,ResNet,top1,91.73\n56,ResNet,top1,93.39\n",
            "architecture,variant,metric,value,better\nResNet,20,top1,91.73,higher\nResNet,56,top1,93.39,\n",
        ] {
            assert_eq!(csv(text).unwrap(), expected, "{text}");
        }
        let toml =
            "[[quality]]\narchitecture = 'ResNet'\nvariant = '20'\nmetric = 'top1_error'\nvalue = 8.27\n";
        let row = QualityTable::toml(toml, "q.toml").unwrap().rows.remove(0);
        assert_eq!((row.quality.value, row.quality.better), (8.27, Better::Lower));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, says) in [
            ("architecture,variant,top1\nR,20,x\n", "q.csv:2: top1: expected a number, found 'x'"),
            ("R,20,1\nR,21,inf\n", "q.csv:2: top1: expected a finite number, found inf"),
            ("a,b\n", "q.csv: expected a heading"),
            (
                "architecture,variant,metric,value,better\nR,1,m,2,up\n",
                "q.csv:2: better: expected higher or lower",
            ),
            ("architecture,variant,top1\n,20,5\n", "q.csv:2: architecture \"\": expected a word"),
        ] {
            let found = csv(text).unwrap_err();
            assert!(found.starts_with(says), "{found}");
        }
    }
}
