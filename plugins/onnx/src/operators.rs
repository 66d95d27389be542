//! What the operators of ONNX, and of ONNX Runtime's extensions, do with each of their inputs.

use crate::graph::Node;

/// What an input is to an operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    /// A matrix in a product; `out` is the axis, 0 or 1, that is left in the result.
    Matrix {
        out: usize,
    },
    /// The kernel of a convolution: `[out, in, ...]`, or `[in, out, ...]` where it is transposed.
    Kernel {
        transposed: bool,
    },
    /// Stacked gates, `[directions, count * hidden, in]`, or with the last two axes swapped.
    Gates {
        count: usize,
        swapped: bool,
    },
    /// Query, key and value side by side, `[in, 3 * hidden]`.
    Projections,
    /// A table whose rows are looked up.
    Table,
    /// Scale or shift of a normalisation.
    Norm(&'static str),
    /// Running statistics of a normalisation.
    Statistics(&'static str),
    Bias,
    /// Something added: a bias if it is a vector of numbers.
    Addend,
    /// Anything else, by what the operator calls it.
    Operand(&'static str),
}

/// Inputs that say how an input is quantised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuantizedBy {
    /// The input with the scales; `None` where a later multiplication holds them.
    pub scale: Option<usize>,
    pub zero_point: Option<usize>,
    /// The axis of the input that many scales run along.
    pub axis: usize,
}

/// What input `position` is to `node`, and how it is quantised if the operator takes integers.
pub(crate) fn part(node: &Node<'_>, position: usize) -> (Part, Option<QuantizedBy>) {
    let flag = |name| node.int(name, 0) != 0;
    let left = |transposed: bool| Part::Matrix { out: usize::from(transposed) };
    let right = |transposed: bool| Part::Matrix { out: usize::from(!transposed) };
    let by = |scale, zero_point, axis| {
        Some(QuantizedBy { scale: Some(scale), zero_point: Some(zero_point), axis })
    };
    let later = |zero_point, axis| Some(QuantizedBy { scale: None, zero_point: Some(zero_point), axis });
    let plain = |part| (part, None);
    let kernel = Part::Kernel { transposed: false };
    match (node.op(), position) {
        ("MatMul", 0) => plain(left(false)),
        ("MatMul", 1) => plain(right(false)),
        ("Gemm" | "FusedMatMul" | "TransposeMatMul" | "FusedGemm", 0) => plain(left(flag("transA"))),
        ("Gemm" | "FusedMatMul" | "TransposeMatMul" | "FusedGemm", 1) => plain(right(flag("transB"))),
        ("Gemm" | "FusedGemm", 2) => plain(Part::Bias),
        ("MatMulInteger", 0) => (left(false), later(2, 0)),
        ("MatMulInteger", 1) => (right(false), later(3, 1)),
        ("QLinearMatMul", 0) => (left(false), by(1, 2, 0)),
        ("QLinearMatMul", 3) => (right(false), by(4, 5, 1)),
        ("MatMulIntegerToFloat", 1) => (right(false), by(3, 5, 1)),
        ("MatMulIntegerToFloat", 6) => plain(Part::Bias),
        ("DynamicQuantizeMatMul", 1) => (right(false), by(2, 3, 1)),
        ("DynamicQuantizeMatMul", 4) => plain(Part::Bias),
        ("QGemm", 3) => (right(flag("transB")), by(4, 5, usize::from(!flag("transB")))),
        ("QGemm", 6) => plain(Part::Bias),
        ("Einsum", _) => plain(einsum(node, position)),
        ("MatMulNBits" | "MatMulBnb4", 1) => plain(Part::Operand("block-quantised matrix")),

        ("Conv" | "FusedConv" | "NhwcFusedConv", 1) => plain(kernel),
        ("Conv" | "FusedConv" | "NhwcFusedConv", 2) => plain(Part::Bias),
        ("DeformConv", 1) => plain(kernel),
        ("DeformConv", 3) => plain(Part::Bias),
        ("ConvTranspose", 1) => plain(Part::Kernel { transposed: true }),
        ("ConvTranspose", 2) => plain(Part::Bias),
        ("ConvInteger", 1) => (kernel, later(3, 0)),
        ("QLinearConv", 3) => (kernel, by(4, 5, 0)),
        ("QLinearConv", 8) => plain(Part::Bias),

        ("LSTM", 1 | 2) => plain(Part::Gates { count: 4, swapped: false }),
        ("GRU", 1 | 2) => plain(Part::Gates { count: 3, swapped: false }),
        ("RNN", 1 | 2) => plain(Part::Gates { count: 1, swapped: false }),
        ("DynamicQuantizeLSTM", 1) => (Part::Gates { count: 4, swapped: true }, by(8, 9, 0)),
        ("DynamicQuantizeLSTM", 2) => (Part::Gates { count: 4, swapped: true }, by(10, 11, 0)),
        ("LSTM" | "GRU" | "RNN" | "DynamicQuantizeLSTM", 3) => plain(Part::Bias),
        ("LSTM" | "GRU" | "RNN" | "DynamicQuantizeLSTM", 4) => plain(Part::Operand("sequence lengths")),
        ("LSTM" | "GRU" | "RNN" | "DynamicQuantizeLSTM", 5) => plain(Part::Operand("initial hidden state")),
        ("LSTM" | "DynamicQuantizeLSTM", 6) => plain(Part::Operand("initial cell state")),
        ("LSTM" | "DynamicQuantizeLSTM", 7) => plain(Part::Operand("peephole weights")),

        ("Attention" | "PackedAttention" | "LongformerAttention" | "DecoderMaskedSelfAttention", 1)
            if node.proto.domain == "com.microsoft" =>
        {
            plain(Part::Projections)
        }
        ("Attention" | "PackedAttention" | "LongformerAttention" | "DecoderMaskedSelfAttention", 2)
            if node.proto.domain == "com.microsoft" =>
        {
            plain(Part::Bias)
        }
        ("QAttention", 1) => (Part::Projections, by(4, 7, 1)),
        ("QAttention", 2) => plain(Part::Bias),
        ("MultiHeadAttention", 3) => plain(Part::Bias),

        ("Gather", 0) => plain(Part::Table),
        ("EmbedLayerNormalization", 2..=4) => plain(Part::Table),
        ("EmbedLayerNormalization", 5) => plain(Part::Norm("scale")),
        ("EmbedLayerNormalization", 6) => plain(Part::Norm("shift")),
        ("QEmbedLayerNormalization", 2) => (Part::Table, by(7, 12, 0)),
        ("QEmbedLayerNormalization", 3) => (Part::Table, by(8, 13, 0)),
        ("QEmbedLayerNormalization", 4) => (Part::Table, by(9, 14, 0)),
        ("GatherBlockQuantized", 0) => plain(Part::Operand("block-quantised table")),

        ("BatchNormalization", 3) => plain(Part::Statistics("running mean")),
        ("BatchNormalization", 4) => plain(Part::Statistics("running variance")),
        ("SkipLayerNormalization" | "SkipSimplifiedLayerNormalization", 2) => plain(Part::Norm("scale")),
        ("SkipLayerNormalization", 3) => plain(Part::Norm("shift")),
        ("SkipLayerNormalization", 4) | ("SkipSimplifiedLayerNormalization", 3) => plain(Part::Bias),
        (op, 1) if op.ends_with("Normalization") || op == "GroupNorm" => plain(Part::Norm("scale")),
        (op, 2) if op.ends_with("Normalization") || op == "GroupNorm" => plain(Part::Norm("shift")),

        ("BiasGelu" | "FastGelu" | "BiasAdd" | "BiasSplitGelu", 1) => plain(Part::Bias),
        ("Add", _) => plain(Part::Addend),
        (op, position) => plain(Part::Operand(operand(op, position))),
    }
}

/// What operators call the inputs that are never weights.
fn operand(op: &str, position: usize) -> &'static str {
    match (op, position) {
        ("Reshape" | "Expand", 1) | ("ConstantOfShape", 0) => "shape",
        ("Slice", 1) => "start",
        ("Slice", 2) => "end",
        ("Slice", 3) | ("Squeeze" | "Unsqueeze", 1) => "axes",
        ("Slice", 4) => "step",
        ("Pad", 1) => "padding",
        ("Pad", 2) => "fill value",
        ("Tile", 1) => "repeats",
        ("Split", 1) => "sizes",
        ("Gather" | "GatherElements" | "GatherND" | "ScatterElements" | "ScatterND", 1) => "indices",
        ("Resize", 1) => "region",
        ("Resize" | "Upsample", _) => "scales or sizes",
        ("TopK", 1) => "count",
        ("Clip", 1 | 2) => "limit",
        ("QuantizeLinear" | "DequantizeLinear", 1) => "scale",
        ("QuantizeLinear" | "DequantizeLinear", 2) => "zero point",
        ("QLinearConv" | "QLinearMatMul" | "QGemm", 1 | 4 | 6 | 7) => "scale",
        ("QLinearConv" | "QLinearMatMul" | "QGemm", _) => "zero point",
        ("MatMulInteger" | "ConvInteger", 2 | 3) => "zero point",
        ("Mul" | "Div", _) => "factor",
        ("PRelu", 1) => "slope",
        ("If", 0) | ("Where", 0) => "condition",
        ("Loop", 0) => "trip count",
        (op, 1) if op.starts_with("Reduce") => "axes",
        _ => "operand",
    }
}

/// The operand of an Einsum: a matrix where its subscripts are two letters, one of which is summed away.
fn einsum(node: &Node<'_>, position: usize) -> Part {
    let other = Part::Operand("operand");
    let Some(equation) = node.attribute("equation").and_then(|a| std::str::from_utf8(&a.s).ok()) else {
        return other;
    };
    let Some((operands, result)) = equation.split_once("->") else {
        return other;
    };
    let letters: Vec<char> = operands
        .split(',')
        .nth(position)
        .map_or_else(Vec::new, |o| o.chars().filter(|c| *c != ' ').collect());
    match letters[..] {
        [a, b] if a != b && result.contains(a) != result.contains(b) => {
            Part::Matrix { out: usize::from(result.contains(b)) }
        }
        _ => other,
    }
}
