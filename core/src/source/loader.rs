//! The one trait between the engine and every format.

use std::fmt;

use serde::Serialize;

use super::{Glimpse, Input, SourceError};
use crate::tensor::{Dtype, LayerKind, Layout, Role, Stacked, Tensor};

/// How sure a loader is that an input is its own. By convention: 0 no; 20 the extension only; 60 the container fits
/// (a zip, a pickle); 100 a signature of the format itself.
pub type Score = u8;

/// Reads one format.
pub trait Loader: Send + Sync {
    /// A short lower-case name, such as `safetensors`.
    fn name(&self) -> &str;

    /// Extensions it reads, lower case, without dots.
    fn extensions(&self) -> &[&str];

    /// How sure it is, from a glimpse. Never fails, never panics.
    fn probe(&self, glimpse: &Glimpse) -> Score;

    /// Opens a model. Reads structure only: tensors are read one at a time, later.
    fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError>;
}

impl fmt::Debug for dyn Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loader({})", self.name())
    }
}

/// An open model: a list of tensors, read lazily and from any thread.
pub trait WeightFile: Send + Sync {
    /// Every tensor of the model, in the order of the file; nothing is left out.
    fn tensors(&self) -> &[TensorInfo];

    /// The tensor at `index` of the list. Repeatable; its shape and type are those of the list.
    fn read(&self, index: usize) -> Result<Tensor, SourceError>;

    /// The factors of the tensor at `index`, where it is a product of two: its spectrum then follows from them.
    fn product(&self, _index: usize) -> Result<Option<Product>, SourceError> {
        Ok(None)
    }

    /// What it means that the tensor at `index` is nothing but zeros, where that is no fault ("identical to the base model"):
    /// its layer is then skipped with these words.
    fn zeros(&self, _index: usize) -> Option<&str> {
        None
    }

    /// What the file says of itself (framework, version, ...), in the file's order.
    fn metadata(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

impl fmt::Debug for dyn WeightFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeightFile({} tensors)", self.tensors().len())
    }
}

/// A matrix that is a product: `scale * left * right`.
#[derive(Clone, Debug)]
pub struct Product {
    /// `out x rank`.
    pub left: Tensor,
    /// `rank x in`.
    pub right: Tensor,
    /// What the product is multiplied by.
    pub scale: f64,
}

/// One tensor of an open model, as the file describes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TensorInfo {
    /// The full name, unique in the model.
    pub name: String,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Element type as stored.
    pub dtype: Dtype,
    /// The layer kind, where the format knows it; otherwise rank and name decide
    /// ([`classify`](crate::tensor::classify)).
    pub kind: Option<LayerKind>,
    /// The order of the axes.
    pub layout: Layout,
    /// How gates or projections are stacked, where the format knows.
    pub stacked: Option<Stacked>,
    /// What the tensor is for.
    pub role: Role,
    /// Why it is not a layer, where the format knows ("shape constant", "optimizer state", "sparse tensor").
    /// A tensor with a note is listed with this reason and not analysed.
    pub note: Option<String>,
    /// Whether integers carry scales, so that they are weights after all.
    pub quantized: bool,
    /// Only so many of the largest singular values of its matrices count; the others are zero, or are not asked for.
    pub components: Option<usize>,
}

impl TensorInfo {
    /// A weight of unknown kind in `[out, in, spatial...]` order.
    pub fn new(name: impl Into<String>, dtype: Dtype, shape: Vec<usize>) -> Self {
        TensorInfo {
            name: name.into(),
            shape,
            dtype,
            kind: None,
            layout: Layout::default(),
            stacked: None,
            role: Role::Weight,
            note: None,
            quantized: false,
            components: None,
        }
    }

    /// Number of elements; saturates.
    pub fn numel(&self) -> u64 {
        if self.shape.contains(&0) {
            return 0;
        }
        self.shape.iter().fold(1u64, |n, &d| n.saturating_mul(d as u64))
    }
}
