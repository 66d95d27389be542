//! Means over the pairs of two models, and how many there are of each sort.

use serde::Serialize;
use serde_json::{Map, Value};

use super::columns::PAIR_COLUMNS;
use super::{Outcome, PairRow};

/// The columns that are averaged.
const AVERAGED: [&str; 14] = [
    "delta_W",
    "delta_b",
    "raw",
    "relative",
    "cosine",
    "euclidean",
    "CKA",
    "cka_out",
    "cka_in",
    "cka_out_centred",
    "cka_in_centred",
    "overlap_out",
    "overlap_in",
    "wasserstein",
];

/// Means over layers, and counts over tensors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairSummary {
    /// Mean of each column over the layers that have it; null where none does.
    #[serde(flatten)]
    pub means: Map<String, Value>,
    /// Layers compared.
    pub layers: usize,
    /// Other tensors compared: biases, norms.
    pub others: usize,
    /// Of all these, pairs without any difference.
    pub identical: usize,
    /// Pairs that could not be compared.
    pub failed: usize,
    /// Pairs whose shapes differ.
    pub shapes_differ: usize,
    /// Tensors that only the first model has.
    pub only_first: usize,
    /// Tensors that only the second has.
    pub only_second: usize,
    /// Pairs left out: by the filter, by their size, or because they hold no weights.
    pub skipped: usize,
}

impl PairSummary {
    pub(super) fn of(rows: &[PairRow]) -> Self {
        let mut means = Map::new();
        for name in AVERAGED {
            let column = PAIR_COLUMNS.iter().find(|c| c.name == name);
            let values: Vec<f64> = rows
                .iter()
                .filter(|r| r.is_layer())
                .filter_map(|r| column?.value(r).as_f64())
                .filter(|v| v.is_finite())
                .collect();
            let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
            means.insert(name.to_owned(), mean.into());
        }
        let of = |outcome| rows.iter().filter(|r| r.outcome == outcome).count();
        let layers = rows.iter().filter(|r| r.outcome == Outcome::Compared && r.is_layer()).count();
        PairSummary {
            means,
            layers,
            others: of(Outcome::Compared) - layers,
            identical: rows.iter().filter(|r| r.is_identical()).count(),
            failed: of(Outcome::Failed),
            shapes_differ: of(Outcome::ShapesDiffer),
            only_first: of(Outcome::OnlyFirst),
            only_second: of(Outcome::OnlySecond),
            skipped: of(Outcome::Skipped),
        }
    }

    /// The mean of a column.
    pub fn mean(&self, name: &str) -> Option<f64> {
        self.means.get(name)?.as_f64()
    }
}
