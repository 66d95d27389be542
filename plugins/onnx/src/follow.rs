//! Where a tensor goes: through the nodes that only move or rescale it, to those that compute with it.

use std::collections::VecDeque;

use crate::data::Stored;
use crate::graph::{Graph, Node, NodeId, ValueId};

/// Steps followed from one tensor. Weights reach their operator within a dozen; a shared constant may have thousands of
/// uses, of which the first say enough.
const MAX_STEPS: u64 = 256;
/// Steps followed for all tensors of a file together; when they are used up, [`FEW_STEPS`] remain for each further one.
pub(crate) const ALL_STEPS: u64 = 2_000_000;
const FEW_STEPS: u64 = 8;
/// Values looked at to tell whether a value depends on constants alone.
const MAX_LOOK_BACK: usize = 64;

/// What happened to a tensor on the way.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// For each axis where it arrives, the stored axis it is; `None` once that is lost.
    pub axes: Option<Vec<usize>>,
    /// The DequantizeLinear node it passed.
    pub dequantized: Option<NodeId>,
    /// The stored axes where it passed that node.
    pub dequantized_axes: Option<Vec<usize>>,
    /// Whether it was quantised on the way, so that the next DequantizeLinear only undoes that.
    requantized: bool,
}

/// A node that computes with the tensor, and at which input.
pub(crate) struct End {
    pub node: NodeId,
    pub position: usize,
    pub path: Path,
}

/// Every end the tensor at `value` reaches, within what is left of `budget`.
pub(crate) fn follow(graph: &Graph<'_>, value: ValueId, stored: &Stored, budget: &mut u64) -> Vec<End> {
    let limit = if *budget == 0 { FEW_STEPS } else { MAX_STEPS };
    let axes = Some((0..stored.shape.len()).collect());
    let path = Path { axes, dequantized: None, dequantized_axes: None, requantized: false };
    let mut ends = Vec::new();
    let mut queue = VecDeque::from([(value, path)]);
    let mut steps = 0;
    'all: while let Some((value, path)) = queue.pop_front() {
        for &next in &graph.values[value].to {
            steps += 1;
            if steps > limit {
                break 'all;
            }
            queue.push_back((next, path.clone()));
        }
        for &(id, position) in &graph.values[value].uses {
            steps += 1;
            if steps > limit {
                break 'all;
            }
            let node = &graph.nodes[id];
            if node.body_inputs.as_ref().is_some_and(|inside| inside.contains(&position)) {
                continue;
            }
            match through(graph, node, id, position, &path) {
                Some(path) => queue.extend(node.outputs.iter().map(|&output| (output, path.clone()))),
                None => ends.push(End { node: id, position, path: path.clone() }),
            }
        }
    }
    *budget = budget.saturating_sub(steps);
    ends
}

/// The path on the other side of a node that only passes its input on; `None` for one that computes.
fn through(graph: &Graph<'_>, node: &Node<'_>, id: NodeId, position: usize, path: &Path) -> Option<Path> {
    let mut path = path.clone();
    match (node.op(), position) {
        ("Identity" | "Cast" | "CastLike" | "Dropout", 0) => {}
        ("Transpose", 0) => path.axes = path.axes.and_then(|axes| permuted(&axes, node)),
        ("Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Slice" | "Split" | "Expand", 0) => {
            path.axes = None
        }
        ("Concat", _) => {
            let others = node.inputs.iter().enumerate().filter(|(i, _)| *i != position);
            let mut fuel = MAX_LOOK_BACK;
            if !others.into_iter().all(|(_, v)| v.is_some_and(|v| constant(graph, v, &mut fuel))) {
                return None;
            }
            path.axes = None;
        }
        ("QuantizeLinear", 0) => path.requantized = true,
        ("DequantizeLinear", 0) => {
            if path.requantized {
                path.requantized = false;
            } else {
                path.dequantized = Some(id);
                path.dequantized_axes.clone_from(&path.axes);
            }
        }
        _ => return None,
    }
    Some(path)
}

fn permuted(axes: &[usize], node: &Node<'_>) -> Option<Vec<usize>> {
    match node.attribute("perm") {
        None => Some(axes.iter().rev().copied().collect()),
        Some(perm) if perm.ints.len() == axes.len() => {
            perm.ints.iter().map(|&p| axes.get(usize::try_from(p).ok()?).copied()).collect()
        }
        Some(_) => None,
    }
}

/// Whether a value comes of constants alone, by nodes that only move them.
fn constant(graph: &Graph<'_>, value: ValueId, fuel: &mut usize) -> bool {
    if *fuel == 0 {
        return false;
    }
    *fuel -= 1;
    let value = &graph.values[value];
    if value.tensor.is_some() {
        return true;
    }
    if let [from] = value.from[..] {
        return constant(graph, from, fuel);
    }
    let Some(node) = value.producer.map(|id| &graph.nodes[id]) else {
        return false;
    };
    let moves = matches!(
        node.op(),
        "Identity"
            | "Cast"
            | "Transpose"
            | "Reshape"
            | "Squeeze"
            | "Unsqueeze"
            | "Slice"
            | "Split"
            | "Concat"
    );
    moves && node.inputs.iter().all(|input| input.is_none_or(|v| constant(graph, v, fuel)))
}
