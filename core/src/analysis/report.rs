//! What an analysis gives: a row for every tensor, and a summary.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::columns::COLUMNS;
use super::estimated::Estimated;
use super::tail::TailColumns;
use super::{DetxColumns, MpColumns, Nested, OldNorms, Options, RandomColumns, Summary};
use crate::fit::Estimator;
use crate::matrix::ConvMode;
use crate::metrics::VectorColumns;
use crate::rmt::Trap;
use crate::source::OpenModel;
use crate::spectrum::{Method, Precision};
use crate::tensor::{Dtype, LayerKind};

/// What became of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Analysed, and the tail fitted.
    Success,
    /// Meant to be analysed; the reason says what went wrong.
    Failed,
    /// Not a layer, or filtered out; the reason says why.
    Skipped,
}

impl Status {
    /// The word in the `status` column.
    pub fn name(self) -> &'static str {
        match self {
            Status::Success => "success",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
        }
    }
}

/// How a row's numbers were made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Provenance {
    /// Arithmetic.
    pub precision: Precision,
    /// Gram matrix or SVD.
    pub method: Method,
    /// How the convolution became matrices.
    pub conv_mode: Option<ConvMode>,
    /// Side of the image that a convolution was an operator on.
    pub fft_size: Option<usize>,
    /// What the eigenvalues were multiplied by.
    pub scale: f64,
    /// What gave alpha; `None` without a fit.
    pub estimator: Option<Estimator>,
}

/// One layer, or one slice of it. The names are the columns' (see [`COLUMNS`] for formulas and units); numbers that do not
/// exist are `None`.
#[derive(Clone, Debug, PartialEq)]
#[allow(non_snake_case)]
#[allow(missing_docs)] // COLUMNS says what each is.
pub struct Row {
    pub layer_id: usize,
    pub name: String,
    pub longname: String,
    pub layer_type: LayerKind,
    pub slice_id: Option<usize>,
    pub status: Status,
    pub reason: String,
    pub warning: &'static str,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub combines: String,
    pub product: bool,
    pub N: Option<usize>,
    pub M: Option<usize>,
    pub Q: Option<f64>,
    pub rf: Option<usize>,
    pub num_evals: Option<usize>,
    pub sv_max: Option<f64>,
    pub sv_min: Option<f64>,
    pub rank_loss: Option<usize>,
    pub weak_rank_loss: Option<usize>,
    pub lambda_max: Option<f64>,
    pub alpha: Option<f64>,
    pub xmin: Option<f64>,
    pub xmax: Option<f64>,
    pub D: Option<f64>,
    pub sigma: Option<f64>,
    pub num_pl_spikes: Option<i64>,
    pub norm: Option<f64>,
    pub log_norm: Option<f64>,
    pub spectral_norm: Option<f64>,
    pub log_spectral_norm: Option<f64>,
    pub alpha_weighted: Option<f64>,
    pub log_alpha_norm: Option<f64>,
    pub stable_rank: Option<f64>,
    pub matrix_rank: Option<usize>,
    pub entropy: Option<f64>,
    pub old: Option<OldNorms>,
    pub num_fingers: Option<usize>,
    pub raw_alpha: Option<f64>,
    pub mp: Option<MpColumns>,
    pub random: Option<Box<RandomColumns>>,
    pub num_traps: Option<i64>,
    pub traps: Vec<Trap>,
    pub detx: Option<DetxColumns>,
    pub level_ratio: Option<f64>,
    pub vectors: Option<Box<VectorColumns>>,
    pub tail: TailColumns,
    pub estimate: Option<Estimated>,
    pub provenance: Option<Provenance>,
}

impl Row {
    /// How many eigenvalues its matrices have, of which an estimate knows fewer or none; `None` for a row without a spectrum.
    pub fn all_evals(&self) -> Option<usize> {
        match (&self.estimate, self.M) {
            (Some(_), Some(m)) => Some(m * if self.slice_id.is_some() { 1 } else { self.rf.unwrap_or(1) }),
            _ => self.num_evals,
        }
    }

    /// A row without numbers.
    pub(super) fn empty(layer_id: usize, name: &str, longname: &str, kind: LayerKind) -> Self {
        Row {
            layer_id,
            name: name.to_owned(),
            longname: longname.to_owned(),
            layer_type: kind,
            slice_id: None,
            status: Status::Skipped,
            reason: String::new(),
            warning: "",
            dtype: Dtype::Opaque,
            shape: Vec::new(),
            combines: String::new(),
            product: false,
            N: None,
            M: None,
            Q: None,
            rf: None,
            num_evals: None,
            sv_max: None,
            sv_min: None,
            rank_loss: None,
            weak_rank_loss: None,
            lambda_max: None,
            alpha: None,
            xmin: None,
            xmax: None,
            D: None,
            sigma: None,
            num_pl_spikes: None,
            norm: None,
            log_norm: None,
            spectral_norm: None,
            log_spectral_norm: None,
            alpha_weighted: None,
            log_alpha_norm: None,
            stable_rank: None,
            matrix_rank: None,
            entropy: None,
            old: None,
            num_fingers: None,
            raw_alpha: None,
            mp: None,
            random: None,
            num_traps: None,
            traps: Vec::new(),
            detx: None,
            level_ratio: None,
            vectors: None,
            tail: TailColumns::default(),
            estimate: None,
            provenance: None,
        }
    }
}

impl Serialize for Row {
    /// A map of every column that concerns the row's kind of analysis; absent numbers, NaN and infinities are null.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for column in COLUMNS {
            let value = column.value(self);
            if column.optional && value.is_null() {
                continue;
            }
            map.serialize_entry(column.name, &value)?;
        }
        map.end()
    }
}

/// The model that was analysed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelInfo {
    /// As the caller named it.
    pub name: String,
    /// The loader that opened it.
    pub loader: String,
    /// Tensors in it.
    pub tensors: usize,
    /// Elements in all of them.
    pub parameters: u64,
    /// What the file says of itself.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

impl ModelInfo {
    /// What is known of an open model without reading a weight.
    pub fn of(model: &OpenModel) -> Self {
        let file = model.file.as_ref();
        ModelInfo {
            name: model.name.clone(),
            loader: model.loader.clone(),
            tensors: file.tensors().len(),
            parameters: file.tensors().iter().fold(0, |n, t| n.saturating_add(t.numel())),
            metadata: file.metadata().into_iter().map(|(k, v)| (k, v.into())).collect(),
        }
    }
}

/// The result of an analysis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of the engine.
    pub eigenscope: &'static str,
    /// What was analysed.
    pub model: ModelInfo,
    /// Name of the conventions in force.
    pub conventions: String,
    /// The options, all conventions included.
    pub options: Options,
    /// A row for every tensor (for every slice where slices are not pooled), in the order of the file.
    pub layers: Vec<Row>,
    /// Means over layers.
    pub summary: Summary,
    /// The same as WeightWatcher 0.1.2 gave it, under its conventions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nested: Option<Nested>,
}
