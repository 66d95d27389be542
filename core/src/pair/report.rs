//! What a comparison of two models gives: a row for every pair of tensors, and a summary.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::columns::PAIR_COLUMNS;
use super::{PairOptions, PairSummary};
use crate::analysis::{ModelInfo, Status};
use crate::source::TensorInfo;
use crate::tensor::{Dtype, LayerKind};

/// What became of a tensor of either model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Compared with its partner.
    Compared,
    /// The second model has no such tensor.
    OnlyFirst,
    /// The first model has no such tensor.
    OnlySecond,
    /// The partner has another shape, or another order of axes.
    ShapesDiffer,
    /// Meant to be compared; the reason says what went wrong.
    Failed,
    /// Filtered out, too small, or no weights.
    Skipped,
}

impl Outcome {
    /// The word in the `status` column.
    pub fn status(self) -> Status {
        match self {
            Outcome::Compared => Status::Success,
            Outcome::Failed => Status::Failed,
            _ => Status::Skipped,
        }
    }
}

/// Two tensors, or one that has no partner. The names are the columns' ([`PAIR_COLUMNS`]); numbers that do not exist are
/// `None`.
#[derive(Clone, Debug, PartialEq)]
#[allow(non_snake_case)]
#[allow(missing_docs)] // PAIR_COLUMNS says what each is.
pub struct PairRow {
    pub layer_id: usize,
    pub name: String,
    pub longname: String,
    pub longname_b: Option<String>,
    pub layer_type: LayerKind,
    pub slice_id: Option<usize>,
    pub outcome: Outcome,
    pub reason: String,
    pub N: Option<usize>,
    pub M: Option<usize>,
    pub rf: Option<usize>,
    pub dtype: Dtype,
    pub dtype_b: Option<Dtype>,
    pub shape: Vec<usize>,
    pub shape_b: Option<Vec<usize>>,
    pub delta_W: Option<f64>,
    pub delta_b: Option<f64>,
    pub b_shape: Option<usize>,
    pub measures: Measures,
}

/// What is measured of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(non_snake_case)]
#[allow(missing_docs)] // PAIR_COLUMNS says what each is.
pub struct Measures {
    pub raw: Option<f64>,
    pub relative: Option<f64>,
    pub cosine: Option<f64>,
    pub euclidean: Option<f64>,
    pub CKA: Option<f64>,
    pub cka_out: Option<f64>,
    pub cka_in: Option<f64>,
    pub cka_out_centred: Option<f64>,
    pub cka_in_centred: Option<f64>,
    pub overlap_out: Option<f64>,
    pub overlap_in: Option<f64>,
    pub overlap_count: Option<usize>,
    pub wasserstein: Option<f64>,
}

impl PairRow {
    /// A row without numbers.
    pub(super) fn empty(layer_id: usize, name: &str, kind: LayerKind, info: &TensorInfo) -> Self {
        PairRow {
            layer_id,
            name: name.to_owned(),
            longname: info.name.clone(),
            longname_b: None,
            layer_type: kind,
            slice_id: None,
            outcome: Outcome::Skipped,
            reason: String::new(),
            N: None,
            M: None,
            rf: None,
            dtype: info.dtype,
            dtype_b: None,
            shape: info.shape.clone(),
            shape_b: None,
            delta_W: None,
            delta_b: None,
            b_shape: None,
            measures: Measures::default(),
        }
    }

    /// Whether the pair was compared and no element differs.
    pub fn is_identical(&self) -> bool {
        self.outcome == Outcome::Compared && self.measures.raw == Some(0.0)
    }

    /// Whether the row is about a layer, and not about a bias, a norm or the like.
    pub fn is_layer(&self) -> bool {
        self.M.is_some()
    }
}

impl Serialize for PairRow {
    /// A map of every column; absent numbers, NaN and infinities are null.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for column in PAIR_COLUMNS {
            let value = column.value(self);
            if column.optional && value.is_null() {
                continue;
            }
            map.serialize_entry(column.name, &value)?;
        }
        map.end()
    }
}

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairReport {
    /// Version of the engine.
    pub eigenscope: &'static str,
    /// The first model.
    pub a: ModelInfo,
    /// The second.
    pub b: ModelInfo,
    /// Name of the conventions in force.
    pub conventions: String,
    /// What a prefix of names was, if one was left out of account to pair them.
    pub prefix: Option<String>,
    /// The options.
    pub options: PairOptions,
    /// A row for every pair in the order of the first model, then one for each tensor that only the second has.
    pub layers: Vec<PairRow>,
    /// Means and counts.
    pub summary: PairSummary,
}
