//! A restricted unpickler: it builds a graph of plain values and executes nothing. Calls it knows (tensors, storages,
//! dictionaries) become what they stand for, calls known to be dangerous are refused, every other class or function becomes an
//! inert object whose state can still be searched for tensors.

mod call;
mod danger;
mod element;
mod graph;
mod machine;

use eigenscope_plugin::source::Refusal;

pub use call::{key_text, storage_element};
pub use element::Element;
pub use graph::{
    Graph, MAX_NAME_BYTES, Node, NodeId, Object, Quantizer, RawTensor, Source, Storage, Text, Value,
};
pub use machine::{MAX_PICKLE_BYTES, unpickle};

/// A refusal and the byte of the pickle it concerns.
#[derive(Debug)]
pub struct Fault {
    /// Position in the bytes given to [`unpickle`].
    pub at: usize,
    /// What is wrong.
    pub refusal: Refusal,
}
