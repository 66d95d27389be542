//! The model as one flat graph: every tensor, every node, and which value goes where.

use crate::data::Stored;
use crate::external::shorten;
use crate::proto::{AttributeProto, NodeProto};

/// Index of a value, node or tensor in [`Graph`].
pub(crate) type ValueId = usize;
pub(crate) type NodeId = usize;
pub(crate) type TensorId = usize;

/// A value of the graph: what makes it and what takes it.
#[derive(Default)]
pub(crate) struct Value {
    pub tensor: Option<TensorId>,
    pub producer: Option<NodeId>,
    /// Nodes that take it, and at which input.
    pub uses: Vec<(NodeId, usize)>,
    /// The same value by another name: inside a function or loop body, or outside of an If.
    pub to: Vec<ValueId>,
    pub from: Vec<ValueId>,
}

/// A node with its values resolved.
pub(crate) struct Node<'m> {
    pub proto: &'m NodeProto,
    /// Its name, or operator and position where it has none.
    pub label: String,
    pub inputs: Vec<Option<ValueId>>,
    pub outputs: Vec<ValueId>,
    /// Its inputs from this one on continue as values inside a body, so that the node itself says nothing of them.
    pub body_inputs: Option<std::ops::Range<usize>>,
}

impl<'m> Node<'m> {
    pub(crate) fn attribute(&self, name: &str) -> Option<&'m AttributeProto> {
        self.proto.attribute.iter().find(|a| a.name == name)
    }

    /// An integer attribute, or what the operator assumes without it.
    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    pub(crate) fn op(&self) -> &'m str {
        &self.proto.op_type
    }

    /// Operator and name, for notes.
    pub(crate) fn title(&self) -> String {
        format!("{} '{}'", shorten(self.op()), self.label)
    }
}

/// A tensor of the file.
pub(crate) struct Found {
    pub name: String,
    pub stored: Stored,
    /// Its value in the graph, where it has one.
    pub value: Option<ValueId>,
    /// What is known of it without looking at who uses it.
    pub note: Option<String>,
    /// Whether it belongs to the graphs that train the model.
    pub training: bool,
}

#[derive(Default)]
pub(crate) struct Graph<'m> {
    pub values: Vec<Value>,
    pub nodes: Vec<Node<'m>>,
    pub tensors: Vec<Found>,
}

impl<'m> Graph<'m> {
    /// Says that values go on under other names.
    pub(crate) fn link(&mut self, from: &[Option<ValueId>], to: &[ValueId]) {
        for (from, &to) in from.iter().zip(to) {
            if let Some(from) = *from {
                self.values[from].to.push(to);
                self.values[to].from.push(from);
            }
        }
    }

    /// The tensor that a value is, by whatever name it got here.
    pub(crate) fn constant(&self, value: ValueId) -> Option<TensorId> {
        const STEPS: usize = 16;
        let mut at = value;
        for _ in 0..STEPS {
            let value = &self.values[at];
            if value.tensor.is_some() {
                return value.tensor;
            }
            at = match (value.from.as_slice(), value.producer) {
                (&[from], _) => from,
                (_, Some(id))
                    if matches!(self.nodes[id].op(), "Identity" | "Cast" | "Squeeze" | "Unsqueeze") =>
                {
                    self.nodes[id].inputs.first().copied().flatten()?
                }
                _ => return None,
            };
        }
        None
    }
}
