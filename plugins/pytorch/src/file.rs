//! An open checkpoint: every tensor checked against the bytes there are, read when asked for.

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError, TensorInfo, WeightFile};
use eigenscope_plugin::tensor::{Dtype, Quantization, Role, Tensor, TensorError, row_major_strides};

use crate::container::{self, Data, Part};
use crate::flatten::{Named, flatten};
use crate::pickle::{Node, Quantizer, RawTensor, Source, Value};
use crate::{module, script};

/// A view may repeat elements (`expand`), but not to more than this many; what it repeats is smaller still.
const MAX_REPEATED: u128 = 1 << 24;

/// Scales are read when the file is opened; a model has fewer of them than weights by a hundred times or more.
const MAX_SCALE_BYTES: u64 = 256 << 20;

struct Checkpoint {
    name: String,
    infos: Vec<TensorInfo>,
    slots: Vec<Slot>,
    metadata: Vec<(String, String)>,
}

/// How to make one tensor.
#[derive(Clone, Debug)]
struct Slot {
    data: Data,
    /// Bytes of `data` that belong to its storage.
    from: usize,
    to: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    strides: Vec<isize>,
    offset: usize,
    quantization: Option<Quantization>,
}

/// Opens one file.
pub fn open(name: &str, bytes: &Bytes) -> Result<Box<dyn WeightFile>, SourceError> {
    let contents = container::open(name, bytes)?;
    let refuse = |refusal| SourceError::new(name, refusal);
    let mut file = Checkpoint {
        name: name.to_owned(),
        infos: Vec::new(),
        slots: Vec::new(),
        metadata: vec![("container".to_owned(), contents.container.to_owned())],
    };
    let scripted = script::classes(&contents.code);
    let mut budget = MAX_SCALE_BYTES;
    for part in &contents.parts {
        let role = if part.constants { Role::Constant } else { Role::Weight };
        let found = flatten(&part.graph, &scripted, role).map_err(refuse)?;
        for mut named in found.tensors {
            if part.constants {
                named.name = format!("constants.{}", named.name);
            }
            let (info, slot) =
                resolve(part, &named, &mut budget).map_err(|r| refuse(r).tensor(&named.name))?;
            file.infos.push(info);
            file.slots.push(slot);
        }
        file.metadata.extend(found.facts);
    }
    Ok(Box::new(file))
}

fn resolve(part: &Part, named: &Named, budget: &mut u64) -> Result<(TensorInfo, Slot), Refusal> {
    let Some(Node::Tensor(raw)) = part.graph.node(Value::Node(named.tensor)) else {
        return Err(Refusal::Loader("a name without a tensor".to_owned()));
    };
    let (mut slot, note) = place(part, raw)?;
    if let Some(quantizer) = &raw.quantizer
        && slot.dtype != Dtype::Opaque
    {
        slot.quantization = Some(scales(part, quantizer, &slot.shape, budget)?);
    }
    // Everything that building the tensor would refuse is refused now.
    if let Data::Stored(_) = slot.data {
        slot.tensor()?;
    }
    let mut info = TensorInfo::new(named.name.clone(), slot.dtype, slot.shape.clone());
    info.role = named.role;
    info.quantized = slot.quantization.is_some();
    info.note =
        note.or_else(|| named.attribute.then(|| "attribute of a module, not part of its state".to_owned()));
    if named.role == Role::Optimizer && info.note.is_none() {
        info.note = Some("optimizer state".to_owned());
    }
    if let Some(class) = &named.class {
        module::describe(&mut info, class);
    }
    Ok((info, slot))
}

/// Finds a tensor's bytes and checks that every element lies in them.
fn place(part: &Part, raw: &RawTensor) -> Result<(Slot, Option<String>), Refusal> {
    let row_major = row_major_strides(&raw.shape)
        .ok_or_else(|| tensor_refusal(TensorError::TooLarge(raw.shape.clone())))?;
    let strides = raw.strides.clone().unwrap_or(row_major);
    let (data, from, to, stored) = match &raw.source {
        Source::Nothing => (Data::Stored(Bytes::new()), 0, 0, None),
        Source::Inline(bytes) => (Data::Stored(bytes.clone()), 0, bytes.len(), None),
        Source::Storage(id) => {
            let Some(Node::Storage(storage)) = part.graph.node(Value::Node(*id)) else {
                return Err(Refusal::Malformed("a tensor without a storage".to_owned()));
            };
            let data = match part.storages.get(&storage.key) {
                Some(data) => data.clone(),
                // Old files leave empty storages out.
                None if storage.numel == 0 => Data::Stored(Bytes::new()),
                None => return Err(Refusal::Missing(format!("storage '{}'", storage.key))),
            };
            let size = storage.element.size as u64;
            let (first, count) = storage.view.unwrap_or((0, storage.numel));
            let bytes = |n: u64| n.saturating_mul(size);
            let needed = bytes(storage.numel.max(first.saturating_add(count)));
            if needed > data.size() {
                let what = format!("storage '{}'", storage.key);
                return Err(Refusal::Truncated { what, needed, found: data.size() });
            }
            let (from, to) = (bytes(first) as usize, bytes(first + count) as usize);
            (data, from, to, Some(storage.element))
        }
    };
    let element = raw.element.or(stored);
    let dtype = match element {
        Some(element) if raw.note.is_none() => element.dtype,
        _ => Dtype::Opaque,
    };
    let mut note = raw.note.clone();
    if dtype == Dtype::Opaque && note.is_none() {
        let name = element.map_or("unknown", |e| e.name);
        note = Some(format!("element type {name}, which is not read"));
    }
    let slot = Slot {
        data,
        from,
        to,
        dtype,
        shape: raw.shape.clone(),
        strides,
        offset: raw.offset,
        quantization: None,
    };
    slot.check()?;
    Ok((slot, note))
}

impl Slot {
    /// What [`Tensor::with_strides`] checks, before there are bytes; and that repetition stays within bounds.
    fn check(&self) -> Result<(), Refusal> {
        if self.strides.len() != self.shape.len() {
            let what = format!("{} strides for {} axes", self.strides.len(), self.shape.len());
            return Err(Refusal::Malformed(what));
        }
        let too_large = || tensor_refusal(TensorError::TooLarge(self.shape.clone()));
        let numel =
            self.shape.iter().try_fold(1u128, |n, &d| n.checked_mul(d as u128)).ok_or_else(too_large)?;
        let size = self.dtype.size() as u128;
        if numel == 0 || size == 0 {
            return Ok(());
        }
        if self.strides.iter().any(|&s| s < 0) {
            return Err(Refusal::Malformed(format!("negative strides {:?}", self.strides)));
        }
        let mut last = self.offset as u128;
        for (&extent, &stride) in self.shape.iter().zip(&self.strides) {
            let reach = (extent as u128 - 1).checked_mul(stride as u128).ok_or_else(too_large)?;
            last = last.checked_add(reach).ok_or_else(too_large)?;
        }
        let needed = last.checked_add(1).and_then(|n| n.checked_mul(size)).ok_or_else(too_large)?;
        let found = (self.to - self.from) as u128;
        if needed > found {
            return Err(Refusal::Truncated {
                what: format!("shape {:?} of {} at offset {}", self.shape, self.dtype, self.offset),
                needed: u64::try_from(needed).unwrap_or(u64::MAX),
                found: found as u64,
            });
        }
        if numel > MAX_REPEATED.max(found / size) {
            let what =
                format!("the element count of shape {:?}, which repeats the same elements,", self.shape);
            let size = u64::try_from(numel).unwrap_or(u64::MAX);
            return Err(Refusal::TooLarge { what, size, limit: MAX_REPEATED as u64 });
        }
        Ok(())
    }

    fn tensor(&self) -> Result<Tensor, Refusal> {
        let data = match self.dtype {
            Dtype::Opaque => Bytes::new(),
            _ => self.data.unpack()?,
        };
        let data = if data.is_empty() { data } else { data.slice(self.from..self.to) };
        let tensor = Tensor::with_strides(self.dtype, self.shape.clone(), &self.strides, self.offset, data);
        let tensor = tensor.map_err(tensor_refusal)?;
        match &self.quantization {
            Some(quantization) => tensor.quantized(quantization.clone()).map_err(tensor_refusal),
            None => Ok(tensor),
        }
    }
}

fn tensor_refusal(error: TensorError) -> Refusal {
    match error {
        TensorError::TooLarge(shape) => Refusal::TooLarge {
            what: format!("the element count of shape {shape:?}"),
            size: u64::MAX,
            limit: i64::MAX as u64,
        },
        other => Refusal::Malformed(other.to_string()),
    }
}

/// `budget` is what the scales of all tensors together may still cost.
fn scales(
    part: &Part,
    quantizer: &Quantizer,
    shape: &[usize],
    budget: &mut u64,
) -> Result<Quantization, Refusal> {
    let (scales, zero_points, axis) = match quantizer {
        Quantizer::PerTensor { scale, zero_point } => {
            return Ok(Quantization { axis: None, scales: vec![*scale], zero_points: vec![*zero_point] });
        }
        Quantizer::PerChannel { scales, zero_points, axis } => (*scales, *zero_points, *axis),
    };
    let Some(&expected) = shape.get(axis) else {
        return Err(Refusal::Malformed(format!("scales along axis {axis} of {}", shape.len())));
    };
    let mut spend = |bytes: u64| -> Result<(), Refusal> {
        match budget.checked_sub(bytes) {
            Some(left) => {
                *budget = left;
                Ok(())
            }
            None => {
                let what = "what the scales of quantised tensors take, in bytes,".to_owned();
                Err(Refusal::TooLarge { what, size: MAX_SCALE_BYTES + 1, limit: MAX_SCALE_BYTES })
            }
        }
    };
    let mut numbers = |value: Value, what: &str| -> Result<Vec<f64>, Refusal> {
        let odd =
            || Refusal::Malformed(format!("{what} are neither a tensor nor a list of {expected} numbers"));
        match part.graph.node(value) {
            Some(Node::Tensor(raw)) if raw.shape == [expected] && raw.quantizer.is_none() => {
                let (slot, _) = place(part, raw)?;
                spend(8 * expected as u64 + slot.data.cost())?;
                Ok(slot.tensor()?.to_vec())
            }
            Some(Node::List(items)) if items.len() == expected => {
                spend(8 * expected as u64)?;
                items.iter().map(|&v| part.graph.number(v)).collect::<Option<_>>().ok_or_else(odd)
            }
            _ => Err(odd()),
        }
    };
    let scales = numbers(scales, "scales")?;
    let zero_points = numbers(zero_points, "zero points")?;
    Ok(Quantization { axis: Some(axis), scales, zero_points })
}

impl WeightFile for Checkpoint {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let (Some(slot), Some(info)) = (self.slots.get(index), self.infos.get(index)) else {
            let what = format!("tensor {index} of {}", self.infos.len());
            return Err(SourceError::new(self.name.clone(), Refusal::Missing(what)));
        };
        slot.tensor().map_err(|refusal| SourceError::new(self.name.clone(), refusal).tensor(&info.name))
    }

    fn metadata(&self) -> Vec<(String, String)> {
        self.metadata.clone()
    }
}
