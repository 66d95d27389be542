//! What a tensor is to its network: layer kind, role and axis order.

use std::fmt;

use serde::Serialize;

/// The kind of layer a tensor belongs to; it decides how the tensor becomes matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LayerKind {
    /// A linear map, one matrix.
    Dense,
    /// Convolution over one axis, rank 3.
    Conv1d,
    /// Convolution over two axes, rank 4.
    Conv2d,
    /// Convolution over three axes, rank 5.
    Conv3d,
    /// A table of vectors, one matrix.
    Embedding,
    /// An LSTM, GRU or plain recurrent weight: one matrix of stacked gates.
    Recurrent,
    /// The stacked query, key and value projections of an attention layer.
    Attention,
    /// Scale, shift or running statistics of a normalisation layer.
    Norm,
    /// A bias vector.
    Bias,
    /// Several layers one above the other, which an analysis makes (`stacked`); no tensor of a file is one.
    Stacked,
    /// Anything else: counters, index tables, scalars, optimizer state.
    Other,
}

impl LayerKind {
    /// Every kind a tensor can be of, in the order of the documentation.
    pub const ALL: [LayerKind; 10] = [
        LayerKind::Dense,
        LayerKind::Conv1d,
        LayerKind::Conv2d,
        LayerKind::Conv3d,
        LayerKind::Embedding,
        LayerKind::Recurrent,
        LayerKind::Attention,
        LayerKind::Norm,
        LayerKind::Bias,
        LayerKind::Other,
    ];

    /// The name in the `layer_type` column and in layer filters.
    pub fn name(self) -> &'static str {
        match self {
            LayerKind::Dense => "dense",
            LayerKind::Conv1d => "conv1d",
            LayerKind::Conv2d => "conv2d",
            LayerKind::Conv3d => "conv3d",
            LayerKind::Embedding => "embedding",
            LayerKind::Recurrent => "recurrent",
            LayerKind::Attention => "attention",
            LayerKind::Norm => "norm",
            LayerKind::Bias => "bias",
            LayerKind::Stacked => "stacked",
            LayerKind::Other => "other",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<LayerKind> {
        LayerKind::ALL.into_iter().find(|k| k.name() == name)
    }

    /// Convolutions of any dimension.
    pub fn is_conv(self) -> bool {
        matches!(self, LayerKind::Conv1d | LayerKind::Conv2d | LayerKind::Conv3d)
    }

    /// Kinds that are made of matrices, and so can be analysed.
    pub fn has_matrices(self) -> bool {
        !matches!(self, LayerKind::Norm | LayerKind::Bias | LayerKind::Other)
    }
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The order of a tensor's axes. Spectra of one matrix do not depend on it; slicing and unfolding of
/// convolutions do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Layout {
    /// `[out, in, spatial...]`: PyTorch, ONNX.
    #[default]
    OutInSpatial,
    /// `[in, out, spatial...]`: transposed convolutions of PyTorch and ONNX, Keras Dense kernels.
    InOutSpatial,
    /// `[spatial..., in, out]`: Keras, TensorFlow, JAX.
    SpatialInOut,
    /// `[spatial..., out, in]`: transposed convolutions of Keras.
    SpatialOutIn,
}

/// How several matrices are stacked in one stored matrix, such as an LSTM's four gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Stacked {
    /// How many equal parts.
    pub count: usize,
    /// The axis they are stacked along, 0 or 1.
    pub axis: usize,
}

/// What the file says a tensor is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// A parameter of the model.
    #[default]
    Weight,
    /// A gradient, from a live trainer.
    Gradient,
    /// Optimizer state: never counted as a layer.
    Optimizer,
    /// A buffer: running statistics, masks, caches.
    Buffer,
    /// A constant of the graph: shapes, axes, scales.
    Constant,
}

/// The kind of a tensor and, where it is not a layer, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The kind.
    pub kind: LayerKind,
    /// For kinds without matrices: what it is, in the words of the report's `reason` column.
    pub why_not: Option<&'static str>,
}

/// Kind from rank and name: the one rule for every container that does not say itself. In this order:
///
/// | rank | name contains | kind |
/// |---|---|---|
/// | 0 | | other |
/// | 1 | `bias` (also `bias_ih`...) | bias |
/// | 1 | `norm`, `bn`, `ln_`, `gamma`, `beta`, `running_`, or the last part is `weight` | norm |
/// | 1 | | other |
/// | 2 | `weight_ih`, `weight_hh`, `recurrent_kernel`, `lstm`, `gru` | recurrent |
/// | 2 | `in_proj_weight`, `qkv`, `c_attn`, `query_key_value` | attention |
/// | 2 | `embed`, `wte`, `wpe`, or the part before `.weight` is `emb` | embedding |
/// | 2 | | dense |
/// | 3, 4, 5 | | conv1d, conv2d, conv3d |
/// | more | | other |
pub fn classify(name: &str, rank: usize) -> Classified {
    let lower = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    let last = lower.rsplit(['.', '/']).next().unwrap_or("");
    let yes = |kind| Classified { kind, why_not: None };
    let no = |kind, why| Classified { kind, why_not: Some(why) };
    match rank {
        0 => no(LayerKind::Other, "scalar"),
        1 if last.contains("bias") => no(LayerKind::Bias, "1-D bias"),
        1 if last == "weight" || has(&["norm", "bn", "ln_", "gamma", "beta", "running_"]) => {
            no(LayerKind::Norm, "norm layer")
        }
        1 => no(LayerKind::Other, "1-D tensor"),
        2 if has(&["weight_ih", "weight_hh", "recurrent_kernel", "lstm", "gru"]) => yes(LayerKind::Recurrent),
        2 if has(&["in_proj_weight", "qkv", "c_attn", "query_key_value"]) => yes(LayerKind::Attention),
        2 if has(&["embed", "wte", "wpe"]) || lower.split(['.', '/']).any(|part| part == "emb") => {
            yes(LayerKind::Embedding)
        }
        2 => yes(LayerKind::Dense),
        3 => yes(LayerKind::Conv1d),
        4 => yes(LayerKind::Conv2d),
        5 => yes(LayerKind::Conv3d),
        _ => no(LayerKind::Other, "more than 5 axes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ranks_decide_the_kind_where_the_container_does_not() {
        for (name, rank, kind) in [
            ("layer1.0.conv1.weight", 4, LayerKind::Conv2d),
            ("encoder.layer.0.attention.self.query.weight", 2, LayerKind::Dense),
            ("embeddings.word_embeddings.weight", 2, LayerKind::Embedding),
            ("transformer.wte.weight", 2, LayerKind::Embedding),
            ("attn.in_proj_weight", 2, LayerKind::Attention),
            ("rnn.weight_ih_l0", 2, LayerKind::Recurrent),
            ("rnn.bias_hh_l0", 1, LayerKind::Bias),
            ("bn1.weight", 1, LayerKind::Norm),
            ("bn1.running_var", 1, LayerKind::Norm),
            ("bn1.num_batches_tracked", 0, LayerKind::Other),
            ("logit_scale", 0, LayerKind::Other),
            ("fc.bias", 1, LayerKind::Bias),
        ] {
            assert_eq!(classify(name, rank).kind, kind, "{name}");
        }
    }
}
