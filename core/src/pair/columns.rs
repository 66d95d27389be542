//! The columns of a comparison: names, meanings and where each number comes from.

use std::borrow::Cow;

use super::PairRow;
use crate::analysis::Value;

/// One column.
#[derive(Clone, Copy)]
pub struct PairColumn {
    /// WeightWatcher's name where the meaning is WeightWatcher's.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Left out where no row has a value for it.
    pub optional: bool,
    get: fn(&PairRow) -> Value<'_>,
}

impl PairColumn {
    /// The cell of a row.
    pub fn value<'a>(&self, row: &'a PairRow) -> Value<'a> {
        (self.get)(row)
    }
}

impl std::fmt::Debug for PairColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PairColumn({})", self.name)
    }
}

fn text<'a>(words: impl Into<Cow<'a, str>>) -> Value<'a> {
    Value::Text(words.into())
}

fn real(value: Option<f64>) -> Value<'static> {
    value.map_or(Value::Null, Value::Float)
}

fn count(value: Option<usize>) -> Value<'static> {
    value.map_or(Value::Null, |n| Value::Int(i64::try_from(n).unwrap_or(i64::MAX)))
}

fn sides(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

macro_rules! columns {
    ($($name:literal $($optional:ident)?: $doc:literal => $get:expr;)*) => {
        &[$(PairColumn {
            name: $name,
            doc: $doc,
            optional: {
                let flags: &[&str] = &[$(stringify!($optional))?];
                !flags.is_empty()
            },
            get: $get,
        }),*]
    };
}

/// Every column, in the order of tables. A and B are the tensors of the first and the second model.
pub static PAIR_COLUMNS: &[PairColumn] = columns! {
    "layer_id": "layer_id of the tensor in the first model; in the second, for tensors that only that has." => |r| count(Some(r.layer_id));
    "name": "Name of the layer: the tensor's name without `.weight`." => |r| text(&*r.name);
    "layer_type": "dense, conv1d, conv2d, conv3d, embedding, recurrent, attention, norm, bias or other." => |r| text(r.layer_type.name());
    "slice_id" optional: "Which of the rf matrices this row is about, where they are not pooled." => |r| count(r.slice_id);
    "status": "success, failed (see reason) or skipped (see reason)." => |r| text(r.outcome.status().name());
    "reason": "Why the two were not compared; empty for success." => |r| text(&*r.reason);
    "delta_W": "raw, euclidean or CKA: what the method says (WeightWatcher's column)." => |r| real(r.delta_W);
    "delta_b": "‖a - b‖ of the biases that go with the layer (method raw)." => |r| real(r.delta_b);
    "N": "Larger side of the layer's matrices (weightwatcher-0.7.7, raw: largest extent of the tensor)." => |r| count(r.N);
    "M": "Smaller side of the matrices (weightwatcher-0.7.7, raw: smallest extent of the tensor)." => |r| count(r.M);
    "rf": "Number of matrices the layer unfolds into." => |r| count(r.rf);
    "b_shape": "Length of these biases." => |r| count(r.b_shape);
    "raw": "‖A - B‖_F of the whole tensors." => |r| real(r.measures.raw);
    "relative": "‖A - B‖_F / ‖A‖_F." => |r| real(r.measures.relative);
    "cosine": "⟨A, B⟩ / (‖A‖_F ‖B‖_F), -1 to 1." => |r| real(r.measures.cosine);
    "euclidean": "Mean over the layer's matrices of ‖A - B‖_F." => |r| real(r.measures.euclidean);
    "CKA": "Mean over the matrices of ‖AᵀB‖_F / √(‖AᵀA‖_F ‖BᵀB‖_F) as stored, convolutions with the larger side first: WeightWatcher's CKA, a similarity, the square root of cka_out (or cka_in)." => |r| real(r.measures.CKA);
    "cka_out": "Linear CKA without centring, outputs as examples: ⟨AAᵀ, BBᵀ⟩ / (‖AAᵀ‖_F ‖BBᵀ‖_F), A being out x in; 0 to 1. Mean over the matrices, as all below." => |r| real(r.measures.cka_out);
    "cka_in": "The same with inputs as examples: ⟨AᵀA, BᵀB⟩ / (‖AᵀA‖_F ‖BᵀB‖_F)." => |r| real(r.measures.cka_in);
    "cka_out_centred": "cka_out of matrices whose mean over the outputs is taken away (Kornblith et al. 2019)." => |r| real(r.measures.cka_out_centred);
    "cka_in_centred": "cka_in of matrices whose mean over the inputs is taken away." => |r| real(r.measures.cka_in_centred);
    "overlap_out": "Overlap ‖UᵀV‖_F² / k of the spaces of the k largest left singular vectors, those over the outputs (Hu et al. 2021): 0 to 1, k / outputs by chance." => |r| real(r.measures.overlap_out);
    "overlap_in": "The same of the right singular vectors, those over the inputs." => |r| real(r.measures.overlap_in);
    "overlap_count": "k: as many as asked for, at most M / 2, fewer where a matrix has a smaller rank." => |r| count(r.measures.overlap_count);
    "wasserstein": "Wasserstein distance of the two spectral densities, ∫|F_A - F_B| dλ over the mean λ of A." => |r| real(r.measures.wasserstein);
    "longname": "Full name of the tensor." => |r| text(&*r.longname);
    "longname_b" optional: "Full name in the second model, where it is another." => |r| r.longname_b.as_deref().map_or(Value::Null, text);
    "dtype": "Element type as stored." => |r| text(r.dtype.name());
    "dtype_b" optional: "Element type in the second model, where it is another." => |r| r.dtype_b.map_or(Value::Null, |d| text(d.name()));
    "shape": "Shape as stored, sides joined by x." => |r| text(sides(&r.shape));
    "shape_b" optional: "Shape in the second model, where it is another." => |r| r.shape_b.as_deref().map_or(Value::Null, |s| text(sides(s)));
};
