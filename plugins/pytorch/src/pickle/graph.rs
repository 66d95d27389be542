//! What a pickle describes: nodes in one arena, so that cycles are harmless and cost is counted.

use std::borrow::Cow;

use eigenscope_plugin::Bytes;

use super::Element;

/// Index of a node in its graph.
pub type NodeId = u32;

/// A range of the pickle's bytes: strings are never copied while unpickling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

/// A Python value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// A wider integer, little-endian two's complement.
    Long(Text),
    /// A float.
    Float(f64),
    /// A string.
    Text(Text),
    /// Bytes.
    Bytes(Text),
    /// Anything with contents.
    Node(NodeId),
}

/// A value with contents.
#[derive(Debug)]
pub enum Node {
    /// A list or set.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dictionary of any kind, in the order of its items.
    Dict(Vec<(Value, Value)>),
    /// A class or function by name.
    Global {
        /// Its module.
        module: Text,
        /// Its name in the module, perhaps dotted.
        name: Text,
    },
    /// `getattr` of a class or module.
    Attribute {
        /// A global or another attribute.
        of: Value,
        /// The attribute.
        name: Text,
    },
    /// The instance of an unknown class, or the result of an unknown function; inert.
    Object(Box<Object>),
    /// Where a tensor's elements are.
    Storage(Box<Storage>),
    /// A tensor.
    Tensor(Box<RawTensor>),
    /// Bytes that had to be decoded.
    Decoded(Bytes),
}

/// An inert object: what it was made from, unexecuted.
#[derive(Debug)]
pub struct Object {
    /// Class or function.
    pub class: Value,
    /// Arguments of the call.
    pub args: Value,
    /// What `__setstate__` would have been given.
    pub state: Vec<Value>,
    /// Items set, for dictionaries and the like.
    pub items: Vec<(Value, Value)>,
    /// Items appended, for lists and the like.
    pub appended: Vec<Value>,
}

/// A storage by reference; its bytes lie elsewhere in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// Its name in the file.
    pub key: String,
    /// Element type; bytes for an untyped storage.
    pub element: Element,
    /// Number of elements.
    pub numel: u64,
    /// First element and number of elements, when it is a part of the storage `key`.
    pub view: Option<(u64, u64)>,
}

/// Where a tensor's bytes come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A storage of the file, by node.
    Storage(NodeId),
    /// The pickle itself (NumPy arrays).
    Inline(Bytes),
    /// Nowhere: the reason is in the note.
    Nothing,
}

/// How a quantised tensor's scales are given.
#[derive(Clone, Debug)]
pub enum Quantizer {
    /// One for all elements.
    PerTensor {
        /// Step.
        scale: f64,
        /// The integer that stands for 0.
        zero_point: f64,
    },
    /// One per index of an axis.
    PerChannel {
        /// A tensor or list.
        scales: Value,
        /// A tensor or list.
        zero_points: Value,
        /// The axis.
        axis: usize,
    },
}

/// A tensor as the pickle describes it, unchecked.
#[derive(Clone, Debug)]
pub struct RawTensor {
    /// Its bytes.
    pub source: Source,
    /// Its element type, where it is not its storage's.
    pub element: Option<Element>,
    /// First element in the storage.
    pub offset: usize,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// In elements; `None` for row-major.
    pub strides: Option<Vec<isize>>,
    /// Scales.
    pub quantizer: Option<Quantizer>,
    /// Why it cannot be read as a plain tensor.
    pub note: Option<String>,
}

/// The values of one pickle.
#[derive(Debug)]
pub struct Graph {
    /// The bytes that texts are ranges of.
    pub bytes: Bytes,
    /// Every node.
    pub nodes: Vec<Node>,
    /// What the pickle evaluates to.
    pub root: Value,
    /// Position after the pickle.
    pub end: usize,
}

/// The longest string taken for a name.
pub const MAX_NAME_BYTES: u32 = 4096;
/// Attributes of attributes followed when a name is spelled out.
const MAX_DOTS: usize = 8;

impl Graph {
    /// The node behind a value.
    pub fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(id) => self.nodes.get(id as usize),
            _ => None,
        }
    }

    /// The bytes of a text.
    pub fn raw(&self, text: Text) -> &[u8] {
        let start = text.start as usize;
        self.bytes.get(start..start + text.len as usize).unwrap_or_default()
    }

    /// A text as a string; what is not UTF-8 is replaced.
    pub fn text(&self, text: Text) -> Cow<'_, str> {
        String::from_utf8_lossy(self.raw(text))
    }

    /// The string that a value is, if it is not too long for a name. Python 2 wrote names as bytes.
    pub fn str(&self, value: Value) -> Option<Cow<'_, str>> {
        match value {
            Value::Text(text) | Value::Bytes(text) if text.len <= MAX_NAME_BYTES => Some(self.text(text)),
            _ => None,
        }
    }

    /// Whether a value is this string.
    pub fn is(&self, value: Value, expected: &str) -> bool {
        matches!(value, Value::Text(text) | Value::Bytes(text) if self.raw(text) == expected.as_bytes())
    }

    /// The bytes that a value is.
    pub fn bytes_of(&self, value: Value) -> Option<Bytes> {
        match value {
            Value::Bytes(text) | Value::Text(text) => {
                let start = text.start as usize;
                Some(self.bytes.slice(start..start + text.len as usize))
            }
            _ => match self.node(value)? {
                Node::Decoded(bytes) => Some(bytes.clone()),
                _ => None,
            },
        }
    }

    /// Items of a list, set or tuple.
    pub fn items(&self, value: Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::List(items) | Node::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The dotted name of a class or function.
    pub fn path(&self, mut value: Value) -> Option<String> {
        let mut tail = String::new();
        for _ in 0..MAX_DOTS {
            match self.node(value)? {
                Node::Global { module, name } => {
                    return Some(format!("{}.{}{tail}", self.text(*module), self.text(*name)));
                }
                Node::Attribute { of, name } => {
                    tail = format!(".{}{tail}", self.text(*name));
                    value = *of;
                }
                _ => return None,
            }
        }
        None
    }

    /// A non-negative integer.
    pub fn size(&self, value: Value) -> Option<usize> {
        match value {
            Value::Int(i) => usize::try_from(i).ok(),
            Value::Bool(b) => Some(usize::from(b)),
            _ => None,
        }
    }

    /// A number.
    pub fn number(&self, value: Value) -> Option<f64> {
        match value {
            Value::Int(i) => Some(i as f64),
            Value::Float(x) => Some(x),
            _ => None,
        }
    }
}
