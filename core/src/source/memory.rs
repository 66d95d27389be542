//! A model whose tensors the caller holds already.

use super::{OpenModel, Refusal, SourceError, TensorInfo, WeightFile};
use crate::tensor::Tensor;

/// Named tensors in memory, analysed like a file.
#[derive(Clone, Debug, Default)]
pub struct MemoryModel {
    infos: Vec<TensorInfo>,
    tensors: Vec<Tensor>,
}

impl MemoryModel {
    /// No tensors yet.
    pub fn new() -> Self {
        MemoryModel::default()
    }

    /// Adds a weight whose kind follows from its rank and name.
    #[must_use]
    pub fn with(self, name: impl Into<String>, tensor: Tensor) -> Self {
        let info = TensorInfo::new(name, tensor.dtype(), tensor.shape().to_vec());
        self.with_info(info, tensor)
    }

    /// Adds a tensor with all that is known of it; shape and type are the tensor's.
    #[must_use]
    pub fn with_info(mut self, mut info: TensorInfo, tensor: Tensor) -> Self {
        info.shape = tensor.shape().to_vec();
        info.dtype = tensor.dtype();
        info.quantized = tensor.quantization().is_some();
        self.infos.push(info);
        self.tensors.push(tensor);
        self
    }

    /// Ready for analysis, under a name of the caller's choice.
    pub fn open(self, name: impl Into<String>) -> OpenModel {
        OpenModel { loader: "memory".to_owned(), name: name.into(), file: Box::new(self) }
    }
}

impl WeightFile for MemoryModel {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        self.tensors.get(index).cloned().ok_or_else(|| {
            SourceError::new("memory", Refusal::Missing(format!("tensor {index} of {}", self.tensors.len())))
        })
    }
}
