//! What each tensor is, from the nodes that use it.

use std::collections::HashSet;

use eigenscope_plugin::tensor::{Dtype, LayerKind, Layout, Role, Stacked};

use crate::data::Stored;
use crate::follow::{Path, follow};
use crate::graph::{Graph, Node, NodeId, TensorId};
use crate::operators::{Part, part};
use crate::scale::{Dequantize, applied, from_operator};

/// What was found out about a tensor.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// Findings of a tensor with several uses compete; the highest wins.
    rank: u8,
    pub kind: Option<LayerKind>,
    pub layout: Layout,
    pub stacked: Option<Stacked>,
    pub role: Role,
    pub note: Option<String>,
    pub dequantize: Option<Dequantize>,
    /// Leading axes that are no part of the matrix: directions of a recurrent layer, or ones.
    pub leading: usize,
}

impl Finding {
    /// Nothing: name and shape decide.
    fn unknown() -> Finding {
        Finding {
            rank: 0,
            kind: None,
            layout: Layout::default(),
            stacked: None,
            role: Role::Weight,
            note: None,
            dequantize: None,
            leading: 0,
        }
    }

    fn layer(rank: u8, kind: LayerKind, layout: Layout) -> Finding {
        Finding { rank, kind: Some(kind), layout, ..Finding::unknown() }
    }

    /// A parameter that has no matrix.
    fn parameter(rank: u8, kind: LayerKind, note: String) -> Finding {
        Finding { rank, kind: Some(kind), note: Some(note), ..Finding::unknown() }
    }

    /// A weight that cannot be analysed, and why.
    fn refused(rank: u8, note: String) -> Finding {
        Finding { rank, note: Some(note), ..Finding::unknown() }
    }

    pub(crate) fn constant(note: String) -> Finding {
        Finding {
            rank: 1,
            kind: Some(LayerKind::Other),
            role: Role::Constant,
            note: Some(note),
            ..Finding::unknown()
        }
    }
}

/// What the tensor is; `budget` is what is left of [`ALL_STEPS`](crate::follow::ALL_STEPS).
pub(crate) fn finding(graph: &Graph<'_>, id: TensorId, budget: &mut u64) -> Finding {
    let found = &graph.tensors[id];
    if let Some(note) = &found.note {
        return Finding::constant(note.clone());
    }
    if found.stored.element.dtype == Dtype::Opaque {
        return Finding::constant(format!("elements of type {}", found.stored.element.name));
    }
    // A file of tensors without a graph: there is nothing to go by but names.
    if graph.nodes.is_empty() {
        return Finding::unknown();
    }
    let mut best: Option<Finding> = None;
    let mut judged: HashSet<(NodeId, usize)> = HashSet::new();
    let ends = found.value.map_or_else(Vec::new, |value| follow(graph, value, &found.stored, budget));
    for end in ends {
        if !judged.insert((end.node, end.position)) {
            continue;
        }
        let finding = judge(graph, &found.stored, end.node, end.position, &end.path);
        if best.as_ref().is_none_or(|b| finding.rank > b.rank) {
            best = Some(finding);
        }
    }
    let mut best = best.unwrap_or_else(|| Finding::refused(0, "no node uses it".to_owned()));
    if found.training {
        best.role = Role::Optimizer;
        best.note.get_or_insert_with(|| "tensor of the training graph".to_owned());
    }
    best
}

fn judge(graph: &Graph<'_>, stored: &Stored, id: NodeId, position: usize, path: &Path) -> Finding {
    let node = &graph.nodes[id];
    let (part, quantized) = part(node, position);
    let title = node.title();
    let mut finding = match part {
        Part::Matrix { out } => matrix(stored, node, out, path),
        Part::Kernel { transposed } => kernel(stored, node, transposed, path),
        Part::Gates { count, swapped } => gates(stored, node, count, swapped),
        Part::Projections => projections(stored, node),
        Part::Table if stored.shape.len() == 2 && !counts(stored) => {
            Finding::layer(6, LayerKind::Embedding, Layout::default())
        }
        Part::Table => return Finding::constant(format!("table of {title}, of shape {:?}", stored.shape)),
        Part::Norm(what) => Finding::parameter(5, LayerKind::Norm, format!("{what} of {title}")),
        Part::Statistics(what) => Finding {
            role: Role::Buffer,
            ..Finding::parameter(5, LayerKind::Norm, format!("{what} of {title}"))
        },
        Part::Bias => Finding::parameter(4, LayerKind::Bias, format!("bias of {title}")),
        Part::Addend if is_bias(stored) => {
            Finding::parameter(4, LayerKind::Bias, format!("bias added by {title}"))
        }
        Part::Addend => return Finding::constant(format!("constant added by {title}")),
        Part::Operand(what) => return Finding::constant(format!("{what} constant of {title}")),
    };
    let scale = match quantized {
        Some(by) => from_operator(graph, id, position, &by, stored, path),
        None => applied(graph, id, stored, path),
    };
    match scale {
        Err(problem) if finding.kind.is_some_and(LayerKind::has_matrices) && finding.note.is_none() => {
            finding = Finding::refused(3, format!("{problem}; operand of {title}"));
        }
        Err(_) => {}
        Ok(Some(dequantize)) => finding.dequantize = Some(dequantize),
        Ok(None) if finding.note.is_none() && !stored.element.dtype.is_float() => {
            let what = format!("{} matrix of {title} without a scale", stored.element.name);
            finding = Finding { role: Role::Constant, ..Finding::refused(3, what) };
        }
        Ok(None) => {}
    }
    finding
}

/// Whether the elements are counts or truth values rather than weights.
fn counts(stored: &Stored) -> bool {
    !stored.element.dtype.is_float() && !matches!(stored.element.dtype, Dtype::I8 | Dtype::U8)
}

/// A vector of numbers, whatever the number of axes around it.
fn is_bias(stored: &Stored) -> bool {
    stored.element.dtype.is_float() && stored.shape.iter().filter(|&&d| d != 1).count() == 1
}

fn matrix(stored: &Stored, node: &Node<'_>, out: usize, path: &Path) -> Finding {
    let rank = stored.shape.len();
    let leading = rank.saturating_sub(2);
    if rank < 2 || stored.shape[..leading].iter().any(|&d| d != 1) {
        let what = if rank < 2 { "not a matrix" } else { "more than one matrix" };
        let note = format!("operand of {} of shape {:?}, {what}", node.title(), stored.shape);
        return Finding::refused(3, note);
    }
    // Where the path lost track of the axes, the spectrum is the same either way.
    let stored_axis = path.axes.as_ref().and_then(|axes| axes.get(axes.len().checked_sub(2)? + out)).copied();
    let out = match stored_axis {
        Some(axis) if axis >= leading => axis - leading,
        Some(_) => {
            let note = format!("operand of {} whose matrix axes are not its last", node.title());
            return Finding::refused(3, note);
        }
        None => out,
    };
    let layout = if out == 0 { Layout::OutInSpatial } else { Layout::InOutSpatial };
    Finding { leading, ..Finding::layer(7, LayerKind::Dense, layout) }
}

fn kernel(stored: &Stored, node: &Node<'_>, transposed: bool, path: &Path) -> Finding {
    let rank = stored.shape.len();
    let kind = match rank {
        // One tap stored as the matrix it is.
        2 => LayerKind::Dense,
        3 => LayerKind::Conv1d,
        4 => LayerKind::Conv2d,
        5 => LayerKind::Conv3d,
        _ => {
            return Finding::refused(3, format!("kernel of {} with {rank} axes", node.title()));
        }
    };
    let direct = if transposed { Layout::InOutSpatial } else { Layout::OutInSpatial };
    let layout = match &path.axes {
        _ if rank == 2 => Some(direct),
        None => None,
        Some(axes) if axes.len() == rank => {
            let (first, second) = (axes[0], axes[1]);
            let spatial = &axes[2..];
            let in_order = spatial.is_sorted();
            // Where the operator's first two axes lie in the stored tensor.
            let (out, inp) = if transposed { (second, first) } else { (first, second) };
            match (out, inp) {
                (0, 1) if in_order => Some(Layout::OutInSpatial),
                (1, 0) if in_order => Some(Layout::InOutSpatial),
                (o, i) if in_order && o == rank - 1 && i == rank - 2 => Some(Layout::SpatialInOut),
                (o, i) if in_order && o == rank - 2 && i == rank - 1 => Some(Layout::SpatialOutIn),
                _ => None,
            }
        }
        Some(_) => None,
    };
    match layout {
        Some(layout) => Finding::layer(9, kind, layout),
        None => Finding::refused(3, format!("kernel of {}, its axes rearranged on the way", node.title())),
    }
}

fn gates(stored: &Stored, node: &Node<'_>, count: usize, swapped: bool) -> Finding {
    let shape = &stored.shape;
    let leading = match shape.len() {
        2 => 0,
        // Directions come first.
        3 if (1..=2).contains(&shape[0]) => 1,
        _ => {
            let note = format!("recurrent weight of {} of shape {shape:?}", node.title());
            return Finding::refused(3, note);
        }
    };
    let matrix = &shape[leading..];
    let hidden = node.attribute("hidden_size").and_then(|a| usize::try_from(a.i).ok()).filter(|&h| h > 0);
    let is_stack = |axis: usize| match hidden {
        Some(hidden) => matrix[axis] == count * hidden,
        None => matrix[axis] != 0 && matrix[axis].is_multiple_of(count),
    };
    let order = if swapped { [1, 0] } else { [0, 1] };
    let axis = order.into_iter().find(|&axis| is_stack(axis));
    let layout = if axis.unwrap_or(order[0]) == 0 { Layout::OutInSpatial } else { Layout::InOutSpatial };
    let stacked = axis.map(|axis| Stacked { count, axis });
    Finding { stacked, leading, ..Finding::layer(8, LayerKind::Recurrent, layout) }
}

fn projections(stored: &Stored, node: &Node<'_>) -> Finding {
    let &[_, columns] = stored.shape.as_slice() else {
        return Finding::refused(3, format!("weight of {} of shape {:?}", node.title(), stored.shape));
    };
    let equal = node.attribute("qkv_hidden_sizes").is_none_or(|a| a.ints.windows(2).all(|w| w[0] == w[1]));
    let stacked = (equal && columns % 3 == 0 && columns > 0).then_some(Stacked { count: 3, axis: 1 });
    Finding { stacked, ..Finding::layer(8, LayerKind::Attention, Layout::InOutSpatial) }
}
