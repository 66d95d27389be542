//! Means over the layers of a model.

use serde::Serialize;
use serde_json::{Map, Value};

use super::columns::column;
use super::conventions::{Conventions, Failed, SummaryRule};
use super::{Row, Status};

/// The columns that are averaged, in WeightWatcher's order.
pub const SUMMARY_COLUMNS: [&str; 6] =
    ["log_norm", "alpha", "alpha_weighted", "log_alpha_norm", "log_spectral_norm", "stable_rank"];

/// Those, and the one that follows where a Marchenko-Pastur law was fitted.
pub fn summary_columns() -> impl Iterator<Item = &'static str> {
    SUMMARY_COLUMNS.into_iter().chain(["mp_softrank"])
}

/// Arithmetic means, and over how many layers each is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Mean of each summary column, by name; null where no layer has it.
    #[serde(flatten)]
    pub means: Map<String, Value>,
    /// How many layers each mean is over.
    pub layers_in_mean: Map<String, Value>,
    /// Rows with status success.
    pub analyzed: usize,
    /// Rows with status failed.
    pub failed: usize,
    /// Rows with status skipped.
    pub skipped: usize,
    /// Rows called over-trained (alpha below 2).
    pub over_trained: usize,
    /// Rows called under-trained (alpha above 6).
    pub under_trained: usize,
}

impl Summary {
    /// Averages over layers or rows. Fit-derived columns of failed rows enter only where [`Failed::MinusOne`] puts
    /// sentinels there; NaN never does.
    pub(super) fn of(rows: &[Row], conventions: &Conventions) -> Self {
        let (mut means, mut counts) = (Map::new(), Map::new());
        let counted: Vec<&Row> = rows
            .iter()
            .filter(|r| match r.status {
                Status::Success => true,
                Status::Failed => conventions.failed == Failed::MinusOne,
                Status::Skipped => false,
            })
            .collect();
        for name in summary_columns() {
            let values = values(&counted, name, conventions.summary);
            if values.is_empty() && !SUMMARY_COLUMNS.contains(&name) {
                continue;
            }
            means.insert(name.to_owned(), mean(&values).into());
            counts.insert(name.to_owned(), values.len().into());
        }
        let count = |status| rows.iter().filter(|r| r.status == status).count();
        let warned = |warning| rows.iter().filter(|r| r.warning == warning).count();
        Summary {
            means,
            layers_in_mean: counts,
            analyzed: count(Status::Success),
            failed: count(Status::Failed),
            skipped: count(Status::Skipped),
            over_trained: warned("over-trained"),
            under_trained: warned("under-trained"),
        }
    }

    /// The mean of a column.
    pub fn mean(&self, name: &str) -> Option<f64> {
        self.means.get(name)?.as_f64()
    }
}

/// What a column's mean is over.
fn values(rows: &[&Row], name: &str, rule: SummaryRule) -> Vec<f64> {
    let number = |row: &&Row| column(name)?.value(row).as_f64();
    match rule {
        SummaryRule::Rows => rows.iter().filter_map(number).filter(|v| !v.is_nan()).collect(),
        SummaryRule::Layers => {
            // The slices of a layer are neighbours.
            let layers = rows.chunk_by(|a, b| a.layer_id == b.layer_id);
            let slices = |layer: &[&Row]| -> Vec<f64> {
                layer.iter().filter_map(number).filter(|v| v.is_finite()).collect()
            };
            layers.filter_map(|layer| mean(&slices(layer))).collect()
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
