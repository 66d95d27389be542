//! One safetensors file, open.

use std::ops::Range;

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError, TensorInfo, WeightFile};
use eigenscope_plugin::tensor::Tensor;

use crate::header::{self, Entry};

struct SafetensorsFile {
    name: String,
    bytes: Bytes,
    infos: Vec<TensorInfo>,
    ranges: Vec<Range<usize>>,
    metadata: Vec<(String, String)>,
}

/// Checks the header against the bytes there are and lists the tensors.
pub fn open(name: &str, bytes: Bytes) -> Result<Box<dyn WeightFile>, SourceError> {
    let header = header::parse(name, &bytes)?;
    let mut infos = Vec::with_capacity(header.entries.len());
    let mut ranges = Vec::with_capacity(header.entries.len());
    for Entry { name, dtype, note, shape, range } in header.entries {
        let mut info = TensorInfo::new(name, dtype, shape);
        info.note = note;
        infos.push(info);
        ranges.push(range);
    }
    Ok(Box::new(SafetensorsFile { name: name.to_owned(), bytes, infos, ranges, metadata: header.metadata }))
}

impl WeightFile for SafetensorsFile {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let (Some(info), Some(range)) = (self.infos.get(index), self.ranges.get(index)) else {
            let what = format!("tensor {index} of {}", self.infos.len());
            return Err(SourceError::new(self.name.clone(), Refusal::Missing(what)));
        };
        Tensor::new(info.dtype, info.shape.clone(), self.bytes.slice(range.clone())).map_err(|e| {
            SourceError::new(self.name.clone(), Refusal::Malformed(e.to_string()))
                .tensor(&info.name)
                .at(range.start as u64)
        })
    }

    fn metadata(&self) -> Vec<(String, String)> {
        self.metadata.clone()
    }
}
