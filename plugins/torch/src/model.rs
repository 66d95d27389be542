//! Tensors that libtorch holds, listed and copied out.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use eigenscope_plugin::source::{Refusal, SourceError, TensorInfo, WeightFile};
use eigenscope_plugin::tensor::{Dtype, Role, Tensor};
use tch::{Device, Kind, TchError};

use crate::script;
use crate::torch::{FLAT, alone, words};

/// A view may repeat elements (`expand`), but not to more than this many, or than the file has bytes.
const MAX_REPEATED: u64 = 1 << 24;

/// An open model. libtorch has read its tensors into memory already.
pub struct Model {
    file: String,
    container: &'static str,
    infos: Vec<TensorInfo>,
    /// Behind locks because `tch` promises no more than that a tensor may move between threads.
    slots: Vec<Mutex<Slot>>,
}

struct Slot {
    tensor: tch::Tensor,
    dtype: Dtype,
    shape: Vec<usize>,
}

/// A tensor with its name and what it is registered as.
pub struct Named {
    pub name: String,
    pub tensor: tch::Tensor,
    pub kind: script::Kind,
}

impl Model {
    /// Describes the tensors of a file of `bytes` bytes; on libtorch's thread.
    pub fn new(
        file: String,
        container: &'static str,
        found: Vec<Named>,
        bytes: u64,
    ) -> Result<Model, SourceError> {
        let mut model = Model { file, container, infos: Vec::new(), slots: Vec::new() };
        let mut names = HashSet::new();
        for Named { name, tensor, kind } in found {
            let refuse = |refusal| SourceError::new(model.file.as_str(), refusal).tensor(&name);
            if !names.insert(name.clone()) {
                return Err(refuse(Refusal::Unsupported("two tensors of one name".to_owned())));
            }
            let (slot, note) = describe(tensor, bytes).map_err(refuse)?;
            let mut info = TensorInfo::new(name, slot.dtype, slot.shape.clone());
            info.note = note;
            info.role = match kind {
                script::Kind::Parameter => Role::Weight,
                script::Kind::Buffer | script::Kind::Attribute => Role::Buffer,
            };
            if kind == script::Kind::Attribute && info.note.is_none() {
                info.note = Some("attribute of a module, not part of its state".to_owned());
            }
            model.infos.push(info);
            model.slots.push(Mutex::new(slot));
        }
        Ok(model)
    }
}

fn describe(tensor: tch::Tensor, bytes: u64) -> Result<(Slot, Option<String>), Refusal> {
    let sizes = tensor.size();
    let shape: Result<Vec<usize>, _> = sizes.iter().map(|d| usize::try_from(*d)).collect();
    let shape = shape.map_err(|_| Refusal::Malformed(format!("shape {sizes:?}")))?;
    let kind = tensor.f_kind();
    let (dtype, note) = if tensor.is_sparse() {
        (None, Some("sparse tensor, which is not read".to_owned()))
    } else if tensor.is_mkldnn() || tensor.device() != Device::Cpu {
        (None, Some("not in plain memory, which is not read".to_owned()))
    } else if let Some(dtype) = kind.as_ref().ok().and_then(|kind| dtype(*kind)) {
        (Some(dtype), None)
    } else {
        let kind = kind.map_or_else(|_| "without a name in tch".to_owned(), |kind| format!("{kind:?}"));
        (None, Some(format!("element type {kind}, which is not read")))
    };
    if dtype.is_some() {
        within(&tensor, bytes)?;
    }
    Ok((Slot { tensor, dtype: dtype.unwrap_or(Dtype::Opaque), shape }, note))
}

/// That every element lies in the tensor's storage: libtorch believes the shape and strides of a pickle, and a file may lie.
/// Making the same view again is what makes it compare them.
fn within(tensor: &tch::Tensor, bytes: u64) -> Result<(), Refusal> {
    let sizes = tensor.size();
    let numel = sizes.iter().try_fold(1u64, |n, d| n.checked_mul(*d as u64)).unwrap_or(u64::MAX);
    let limit = MAX_REPEATED.max(bytes);
    if numel > limit {
        let what = format!("the element count of shape {sizes:?}");
        return Err(Refusal::TooLarge { what, size: numel, limit });
    }
    tensor.f_as_strided(sizes, tensor.stride(), None).map(drop).map_err(refused)
}

fn refused(error: TchError) -> Refusal {
    Refusal::Malformed(words(&error))
}

fn dtype(kind: Kind) -> Option<Dtype> {
    Some(match kind {
        Kind::Double => Dtype::F64,
        Kind::Float => Dtype::F32,
        Kind::Half => Dtype::F16,
        Kind::BFloat16 => Dtype::BF16,
        Kind::Float8e4m3fn => Dtype::F8E4M3,
        Kind::Float8e5m2 => Dtype::F8E5M2,
        Kind::Int64 => Dtype::I64,
        Kind::Int => Dtype::I32,
        Kind::Int16 => Dtype::I16,
        Kind::Int8 => Dtype::I8,
        Kind::Uint8 => Dtype::U8,
        Kind::Bool => Dtype::Bool,
        _ => return None,
    })
}

impl Slot {
    /// The elements in row-major order. Copied: what libtorch owns cannot be lent in safe code.
    fn copy(&self) -> Result<Tensor, Refusal> {
        let numel: usize = self.shape.iter().product();
        let mut data = vec![0; if self.dtype == Dtype::Opaque { 0 } else { numel * self.dtype.size() }];
        if !data.is_empty() {
            self.tensor.f_copy_data_u8(&mut data, numel).map_err(refused)?;
        }
        let tensor = Tensor::new(self.dtype, self.shape.clone(), data.into());
        tensor.map_err(|e| Refusal::Malformed(e.to_string()))
    }
}

impl WeightFile for Model {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let (Some(info), Some(slot)) = (self.infos.get(index), self.slots.get(index)) else {
            let what = format!("tensor {index} of {}", self.infos.len());
            return Err(SourceError::new(self.file.as_str(), Refusal::Missing(what)));
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let slot: &mut Slot = &mut slot;
        let copied = alone(FLAT, move || slot.copy()).and_then(|copied| copied);
        copied.map_err(|e| SourceError::new(self.file.as_str(), e).tensor(&info.name))
    }

    fn metadata(&self) -> Vec<(String, String)> {
        vec![
            ("container".to_owned(), self.container.to_owned()),
            ("libtorch".to_owned(), "2.13.0".to_owned()),
        ]
    }
}
