//! The update of one module: `scale * B A`, in the shape of its weights.

use super::factors::Factors;
use crate::source::{Refusal, SourceError, WeightFile};
use crate::tensor::{Dtype, Tensor, push_as};

/// Most elements of a product: two small factors can claim any shape.
pub(super) const MAX_ELEMENTS: u64 = 1 << 32;

/// A pair of factors and what their product is.
#[derive(Clone, Debug)]
pub(super) struct Update {
    pub factors: Factors,
    /// The shape of the product.
    pub shape: Vec<usize>,
    pub rank: usize,
    pub scale: f64,
    /// The weights it is added to, where they are known.
    pub weights: Option<Weights>,
}

/// The weights an update belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights {
    /// Index of the tensor.
    pub index: usize,
    /// In the base model, or in the adapter's own file.
    pub in_base: bool,
    /// The update is transposed before it is added.
    pub transposed: bool,
}

impl Update {
    /// The factors, B and A.
    pub fn read(&self, file: &dyn WeightFile) -> Result<(Tensor, Tensor), SourceError> {
        let read = |index: usize| {
            let (tensor, info) = (file.read(index)?, &file.tensors()[index]);
            if tensor.shape() == info.shape {
                return Ok(tensor);
            }
            let what = format!("shape {:?} where {:?} was listed", tensor.shape(), info.shape);
            Err(SourceError::new("adapter", Refusal::Loader(what)).tensor(&info.name))
        };
        Ok((read(self.factors.b)?, read(self.factors.a)?))
    }

    /// The product, in singles unless a factor is double.
    pub fn product(&self, file: &dyn WeightFile) -> Result<Tensor, SourceError> {
        let (b, a) = self.read(file)?;
        let dtype = if [&a, &b].iter().any(|t| t.dtype() == Dtype::F64) { Dtype::F64 } else { Dtype::F32 };
        let (left, right) = (b.to_vec(), a.to_vec());
        let inner = right.len() / self.rank;
        let mut bytes = Vec::with_capacity(left.len() / self.rank * inner * dtype.size());
        let mut row = vec![0.0; inner];
        for of_b in left.chunks_exact(self.rank) {
            row.fill(0.0);
            for (factor, of_a) in of_b.iter().zip(right.chunks_exact(inner.max(1))) {
                row.iter_mut().zip(of_a).for_each(|(sum, v)| *sum += factor * v);
            }
            row.iter().for_each(|v| push_as(dtype, self.scale * v, &mut bytes));
        }
        let mut shape = self.shape.clone();
        if self.factors.embedding {
            shape.reverse();
        }
        let product = Tensor::new(dtype, shape, bytes.into());
        let product = product.and_then(|p| if self.factors.embedding { p.transposed() } else { Ok(p) });
        product.map_err(|e| SourceError::new("adapter", Refusal::Malformed(e.to_string())))
    }
}
