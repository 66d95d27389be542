//! From a variable's name and its layer's class to what the engine needs: kind, axis order, gates, or why it is no layer.

use eigenscope_plugin::tensor::{LayerKind, Layout, Role, Stacked, classify};

use crate::config::Options;

/// A variable and what is known of its layer.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Layers and sublayers it is in.
    pub scope: &'a [String],
    /// `kernel`, `bias`, ...
    pub weight: &'a str,
    pub shape: &'a [usize],
    /// The layer's class in snake case.
    pub class: Option<&'a str>,
    pub options: Option<&'a Options>,
    /// Gates of the recurrent layer it is in.
    pub gates: Option<usize>,
    /// Convolutions in Theano's order.
    pub theano: bool,
}

/// What a variable is.
#[derive(Debug, Default)]
pub struct Meaning {
    pub kind: Option<LayerKind>,
    pub layout: Layout,
    pub stacked: Option<Stacked>,
    pub role: Role,
    pub note: Option<String>,
    /// The shape with the axes of inputs, and those of outputs, merged.
    pub merged: Option<Vec<usize>>,
}

impl Meaning {
    fn of(kind: LayerKind, layout: Layout) -> Meaning {
        Meaning { kind: Some(kind), layout, ..Meaning::default() }
    }

    fn not(kind: LayerKind, role: Role, note: impl Into<String>) -> Meaning {
        Meaning { kind: Some(kind), role, note: Some(note.into()), ..Meaning::default() }
    }

    /// State of an optimizer.
    pub fn optimizer() -> Meaning {
        Meaning::not(LayerKind::Other, Role::Optimizer, "optimizer state")
    }

    /// Anything that is kept for training only.
    pub fn buffer(note: &str) -> Meaning {
        Meaning::not(LayerKind::Other, Role::Buffer, note)
    }
}

/// Judges by name first, then by class, then by rank.
pub fn of(subject: &Subject<'_>) -> Meaning {
    let Subject { weight, shape, .. } = *subject;
    let rank = shape.len();
    let norm = |role| Meaning::not(LayerKind::Norm, role, "norm layer");
    match weight {
        _ if rank == 0 => Meaning::not(LayerKind::Other, Role::Weight, "scalar"),
        "gamma" | "beta" if rank == 1 => norm(Role::Weight),
        "scale" if subject.class == Some("rms_normalization") => norm(Role::Weight),
        "moving_mean" | "moving_variance" | "running_mean" | "running_std" => norm(Role::Buffer),
        "mean" | "variance" if subject.class == Some("normalization") => norm(Role::Buffer),
        "vector_u" => Meaning::buffer("vector of the spectral normalisation"),
        "g_idx" | "awq_scales" => Meaning::not(LayerKind::Other, Role::Constant, "quantisation table"),
        _ if weight.contains("seed_generator") => Meaning::buffer("random seed"),
        _ if weight.ends_with("_scale") || weight.ends_with("_zero") || weight.ends_with("_amax_history") => {
            Meaning::not(LayerKind::Other, Role::Constant, "quantisation scales")
        }
        _ if weight == "b" || weight.starts_with("b_") || weight.contains("bias") => {
            let note = if rank == 1 { "1-D bias".to_owned() } else { format!("bias of {rank} axes") };
            Meaning::not(LayerKind::Bias, Role::Weight, note)
        }
        "embeddings" | "position_embeddings" if rank == 2 => {
            Meaning::of(LayerKind::Embedding, Layout::InOutSpatial)
        }
        "W" | "kernel" | "embeddings" if rank == 2 && subject.class == Some("embedding") => {
            Meaning::of(LayerKind::Embedding, Layout::InOutSpatial)
        }
        "kernel" | "recurrent_kernel" if rank == 2 && subject.gates.is_some() => Meaning {
            // One gate is the plain recurrent layer: nothing is stacked.
            stacked: subject.gates.filter(|&g| g > 1).map(|count| Stacked { count, axis: 1 }),
            ..Meaning::of(LayerKind::Recurrent, Layout::InOutSpatial)
        },
        _ if rank == 2 && is_gate(weight) => Meaning::of(LayerKind::Recurrent, Layout::InOutSpatial),
        "kernel" | "depthwise_kernel" | "pointwise_kernel" | "recurrent_kernel" | "W" => kernel(subject),
        _ => by_rank(subject),
    }
}

/// Keras 1 keeps each gate of an LSTM or GRU as a matrix of its own: `W_i`, `U_f`.
fn is_gate(weight: &str) -> bool {
    matches!(weight.as_bytes(), [b'W' | b'U', b'_', _])
}

fn kernel(subject: &Subject<'_>) -> Meaning {
    let Subject { shape, class, .. } = *subject;
    let class = class.unwrap_or_default();
    if class.starts_with("locally_connected") {
        let note = "locally connected: a kernel of its own for every position";
        return Meaning::not(LayerKind::Other, Role::Weight, note);
    }
    if let Some(axes) = einsum_axes(subject) {
        return contraction(shape, &axes);
    }
    if class == "einsum_dense" && shape.len() != 2 {
        let note = format!("einsum kernel of {} axes whose inputs and outputs are not known", shape.len());
        return Meaning::not(LayerKind::Other, Role::Weight, note);
    }
    let layout = if subject.theano {
        Layout::OutInSpatial
    } else if class.ends_with("_transpose") {
        Layout::SpatialOutIn
    } else {
        Layout::SpatialInOut
    };
    match shape.len() {
        2 => Meaning::of(LayerKind::Dense, Layout::InOutSpatial),
        3 => Meaning::of(LayerKind::Conv1d, layout),
        4 => Meaning::of(LayerKind::Conv2d, layout),
        5 => Meaning::of(LayerKind::Conv3d, layout),
        _ => by_rank(subject),
    }
}

fn by_rank(subject: &Subject<'_>) -> Meaning {
    let name = format!("{}/{}", subject.scope.join("/"), subject.weight);
    let judged = classify(&name, subject.shape.len());
    let layout = match judged.kind {
        kind if kind.is_conv() && subject.theano => Layout::OutInSpatial,
        kind if kind.is_conv() => Layout::SpatialInOut,
        _ => Layout::InOutSpatial,
    };
    let note = judged.why_not.map(str::to_owned);
    Meaning { kind: Some(judged.kind), layout, note, ..Meaning::default() }
}

/// What an axis of an einsum's kernel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    In,
    Out,
    /// In the input and in the output: one matrix for each index.
    Batch,
}

/// The axes of an EinsumDense kernel: by its equation, or by its place in an attention layer.
fn einsum_axes(subject: &Subject<'_>) -> Option<Vec<Axis>> {
    let rank = subject.shape.len();
    if let Some(equation) = subject.options.and_then(|o| o.equation.as_deref()) {
        return equation_axes(equation).filter(|axes| axes.len() == rank);
    }
    let place = subject.scope.last().map(|s| s.trim_start_matches('_'))?;
    let split = match place {
        "query" | "key" | "value" | "query_dense" | "key_dense" | "value_dense" if rank >= 3 => 1,
        "attention_output" | "output_dense" if rank >= 3 => rank - 1,
        _ => return None,
    };
    Some((0..rank).map(|axis| if axis < split { Axis::In } else { Axis::Out }).collect())
}

/// `abc,cde->abde`: `c` is summed over, `d` and `e` are new.
fn equation_axes(equation: &str) -> Option<Vec<Axis>> {
    let plain: String = equation.chars().filter(|c| !c.is_whitespace() && *c != '.').collect();
    let (operands, output) = plain.split_once("->")?;
    let (input, kernel) = operands.split_once(',')?;
    let axis = |c: char| match (input.contains(c), output.contains(c)) {
        (true, false) => Some(Axis::In),
        (false, true) => Some(Axis::Out),
        (true, true) => Some(Axis::Batch),
        (false, false) => None,
    };
    kernel.chars().map(axis).collect()
}

fn contraction(shape: &[usize], axes: &[Axis]) -> Meaning {
    let runs: Vec<&[Axis]> = axes.chunk_by(|a, b| a == b).collect();
    let layout = match runs[..] {
        [[Axis::In, ..], [Axis::Out, ..]] => Layout::InOutSpatial,
        [[Axis::Out, ..], [Axis::In, ..]] => Layout::OutInSpatial,
        _ => {
            let note = "einsum kernel that is not one matrix: inputs, outputs and shared axes alternate";
            return Meaning::not(LayerKind::Other, Role::Weight, note);
        }
    };
    let (first, last) = shape.split_at(runs[0].len());
    // Both are below the element count, which the container has checked.
    let merged = vec![first.iter().product(), last.iter().product()];
    Meaning { merged: (shape.len() > 2).then_some(merged), ..Meaning::of(LayerKind::Dense, layout) }
}

/// Whether a rank-4 kernel of Keras 1 is in Theano's order, `[out, in, rows, columns]`, rather than TensorFlow's. The shape
/// tells where the configuration does not: the sides of a kernel are short and the channels many. Where it tells nothing,
/// Theano's was the default.
pub fn is_theano_shape(shape: &[usize]) -> bool {
    const LONGEST_SIDE: usize = 11;
    let &[a, b, c, d] = shape else { return true };
    let sides = |x: usize, y: usize| x.max(y) <= LONGEST_SIDE;
    !sides(a, b) || sides(c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel_of(equation: &str, shape: &[usize]) -> Meaning {
        let options = Options { equation: Some(equation.to_owned()), ..Options::default() };
        let class = Some("einsum_dense");
        let scope = ["layer".to_owned()];
        let (options, weight) = (Some(&options), "kernel");
        of(&Subject { scope: &scope, weight, shape, class, options, gates: None, theano: false })
    }

    #[test]
    fn an_equation_tells_inputs_from_outputs() {
        let heads = kernel_of("abc,cde->abde", &[8, 2, 4]);
        assert_eq!((heads.merged, heads.layout), (Some(vec![8, 8]), Layout::InOutSpatial));
        let joined = kernel_of("abcd,cde->abe", &[2, 4, 8]);
        assert_eq!((joined.merged, joined.layout), (Some(vec![8, 8]), Layout::InOutSpatial));
        let turned = kernel_of("...x, yx -> ...y", &[5, 3]);
        assert_eq!((turned.merged, turned.layout), (None, Layout::OutInSpatial));
        let per_head = kernel_of("abnh,nhd->abnd", &[2, 4, 8]);
        assert_eq!(per_head.kind, Some(LayerKind::Other));
        assert!(per_head.note.unwrap().starts_with("einsum kernel that is not one matrix"));
    }

    #[test]
    fn the_shape_of_a_keras_1_kernel_tells_its_order() {
        for (shape, theano) in [
            ([64, 3, 3, 3], true),
            ([3, 3, 3, 64], false),
            ([512, 256, 3, 3], true),
            ([3, 3, 256, 512], false),
            ([7, 7, 3, 64], false),
            ([6, 4, 3, 3], true),
            ([3, 3, 3, 3], true),
        ] {
            assert_eq!(is_theano_shape(&shape), theano, "{shape:?}");
        }
    }
}
