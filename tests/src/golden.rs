//! Golden numbers: WeightWatcher 0.7.7's own output, and how far ours are from it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use eigenscope::analysis::{Row, Value, column};
use serde_json::Value as Json;

/// A file under `tests/golden`.
///
/// # Panics
/// When it is missing or not JSON.
pub fn load(name: &str) -> Json {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A golden number; infinities are spelled out in the files.
pub fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(n) => n.as_f64(),
        Json::String(s) => s.parse().ok(),
        _ => None,
    }
}

/// Largest relative deviation seen, by column.
#[derive(Clone, Debug, Default)]
pub struct Deviations {
    /// Column to deviation and the place it was seen.
    pub worst: BTreeMap<String, (f64, String)>,
    /// Cells compared.
    pub cells: usize,
    /// What was not equal that should have been.
    pub wrong: Vec<String>,
}

impl Deviations {
    /// Compares every column that `golden` has, each as closely as `tolerance` says; `None` leaves it out.
    pub fn compare_all(
        &mut self,
        place: &str,
        row: &Row,
        golden: &Json,
        tolerance: impl Fn(&str) -> Option<f64>,
    ) {
        for name in golden.as_object().into_iter().flat_map(|columns| columns.keys()) {
            if let Some(tolerance) = tolerance(name) {
                self.compare(place, row, golden, &[name], tolerance);
            }
        }
    }

    /// Compares real columns relatively and the others for equality.
    pub fn compare(&mut self, place: &str, row: &Row, golden: &Json, columns: &[&str], tolerance: f64) {
        for name in columns {
            let Some(expected) = golden.get(*name) else { continue };
            let found = column(name).unwrap_or_else(|| panic!("no column {name}")).value(row);
            self.cells += 1;
            let wrong = |how: &str| format!("{place} {name}: found {found:?}, expected {expected}{how}");
            match (&found, expected) {
                (Value::Null, Json::Null) => {}
                (Value::Text(text), Json::String(word)) if text == word => {}
                (Value::Bool(ours), Json::Bool(theirs)) if ours == theirs => {}
                (Value::Int(i), Json::Number(n)) if n.as_f64() == Some(*i as f64) => {}
                (Value::Float(f), _) => match number(expected) {
                    Some(e) if *f == e => {}
                    Some(e) => {
                        let deviation = (f - e).abs() / e.abs();
                        let seen = self.worst.entry((*name).to_owned()).or_default();
                        if deviation > seen.0 || deviation.is_nan() {
                            *seen = (deviation, place.to_owned());
                        }
                        if deviation.is_nan() || deviation > tolerance {
                            self.wrong.push(wrong(&format!(", deviation {deviation:e}")));
                        }
                    }
                    None => self.wrong.push(wrong("")),
                },
                _ => self.wrong.push(wrong("")),
            }
        }
    }

    /// Prints the table and panics where anything was off.
    ///
    /// # Panics
    /// When anything was off, or nothing was compared.
    #[allow(clippy::print_stdout)]
    pub fn finish(&self, title: &str) {
        println!("{title}: {} cells", self.cells);
        for (name, (deviation, place)) in &self.worst {
            println!("  {name:18} {deviation:9.2e}  {place}");
        }
        assert!(self.cells > 0, "{title}: nothing compared");
        let shown = self.wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        assert!(
            self.wrong.is_empty(),
            "{title}: {} of {} cells are off\n{shown}",
            self.wrong.len(),
            self.cells
        );
    }
}
