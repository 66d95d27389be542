//! An open model: the list of tensors and how each is read.

use std::collections::HashSet;

use eigenscope_plugin::mapped;
use eigenscope_plugin::source::{Input, Refusal, SourceError, TensorInfo, WeightFile};
use eigenscope_plugin::tensor::Tensor;
use prost::Message;

use crate::begins_as_model;
use crate::data::Stored;
use crate::external::{Folder, shorten};
use crate::flatten::flatten;
use crate::follow::ALL_STEPS;
use crate::graph::{Graph, TensorId};
use crate::proto::ModelProto;
use crate::roles::{Finding, finding};
use crate::scale::Dequantize;
use crate::scan;

/// Data files named in the metadata; some exporters write one for each tensor.
const MAX_LOCATIONS: usize = 8;

/// An open model.
pub(crate) struct Model {
    file: String,
    infos: Vec<TensorInfo>,
    entries: Vec<Entry>,
    stored: Vec<Stored>,
    metadata: Vec<(String, String)>,
}

/// How an entry of the list is read.
struct Entry {
    tensor: TensorId,
    /// Leading axes left out, and which of the parts they count this is.
    leading: usize,
    part: usize,
    dequantize: Option<Dequantize>,
}

/// Opens the model in one file, or in bytes.
pub(crate) fn open(input: &Input) -> Result<Model, SourceError> {
    let file = input.name();
    let bytes = mapped::contents(input)?;
    let wrong = |found: String| {
        let expected = "an ONNX model (a protocol buffer)".to_owned();
        SourceError::new(file.clone(), Refusal::WrongFormat { expected, found })
    };
    let glimpse = input.glimpse()?;
    if glimpse.looks_like() != "unknown bytes" {
        return Err(wrong(glimpse.looks_like().to_owned()));
    }
    scan::check(&bytes).map_err(|(refusal, offset)| match begins_as_model(&bytes) {
        true => SourceError::new(file.clone(), refusal).at(offset),
        false => wrong(glimpse.looks_like().to_owned()),
    })?;
    let proto = ModelProto::decode(bytes)
        .map_err(|e| SourceError::new(file.clone(), Refusal::Malformed(e.to_string())))?;
    if proto.graph.is_none() {
        return Err(wrong("a protocol buffer without a graph".to_owned()));
    }
    let mut folder = Folder::of(input);
    let graph = flatten(&proto, &file, &mut folder)?;
    let mut model = Model {
        metadata: metadata(&proto, &folder),
        file,
        infos: Vec::new(),
        entries: Vec::new(),
        stored: Vec::new(),
    };
    let taken: HashSet<&str> = graph.tensors.iter().map(|found| found.name.as_str()).collect();
    let mut budget = ALL_STEPS;
    for id in 0..graph.tensors.len() {
        model.list(&graph, id, finding(&graph, id, &mut budget), &taken);
    }
    drop(taken);
    model.stored = graph.tensors.into_iter().map(|found| found.stored).collect();
    Ok(model)
}

impl Model {
    /// Adds a tensor to the list: whole, or each direction of a recurrent layer by itself.
    fn list(&mut self, graph: &Graph<'_>, id: TensorId, finding: Finding, taken: &HashSet<&str>) {
        const DIRECTIONS: [&str; 2] = ["forward", "reverse"];
        let found = &graph.tensors[id];
        let (outer, shape) = found.stored.shape.split_at(finding.leading);
        let parts: usize = outer.iter().product();
        if finding.dequantize.as_ref().is_some_and(|d| d.scale.is_none()) {
            let name = format!("{}: read with scale 1", shorten(&found.name));
            self.metadata.push(("quantized_without_scale".to_owned(), name));
        }
        for part in 0..parts {
            let mut name = found.name.clone();
            if let Some(direction) = DIRECTIONS.get(part).filter(|_| parts > 1) {
                name = format!("{name}[{direction}]");
                while taken.contains(name.as_str()) {
                    name.push('\'');
                }
            }
            let mut info = TensorInfo::new(name, found.stored.element.dtype, shape.to_vec());
            info.kind = finding.kind;
            info.layout = finding.layout;
            info.stacked = finding.stacked;
            info.role = finding.role;
            info.note.clone_from(&finding.note);
            info.quantized = finding.dequantize.is_some();
            self.infos.push(info);
            let dequantize = finding.dequantize.clone();
            self.entries.push(Entry { tensor: id, leading: finding.leading, part, dequantize });
        }
    }

    fn tensor(&self, entry: &Entry) -> Result<Tensor, Refusal> {
        let tensor = self.stored[entry.tensor].part(entry.leading, entry.part)?;
        let Some(dequantize) = &entry.dequantize else {
            return Ok(tensor);
        };
        let quantization = dequantize.quantization(&self.stored, entry.leading, entry.part)?;
        tensor.quantized(quantization).map_err(|e| Refusal::Malformed(format!("quantisation: {e}")))
    }
}

impl WeightFile for Model {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let (Some(entry), Some(info)) = (self.entries.get(index), self.infos.get(index)) else {
            let what = format!("tensor {index} of {}", self.infos.len());
            return Err(SourceError::new(self.file.clone(), Refusal::Missing(what)));
        };
        self.tensor(entry)
            .map_err(|refusal| SourceError::new(self.file.clone(), refusal).tensor(info.name.clone()))
    }

    fn metadata(&self) -> Vec<(String, String)> {
        self.metadata.clone()
    }
}

fn metadata(proto: &ModelProto, folder: &Folder) -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> = Vec::new();
    let mut add = |key: &str, value: String| {
        if !value.is_empty() {
            list.push((key.to_owned(), value));
        }
    };
    add("ir_version", proto.ir_version.to_string());
    add("producer_name", proto.producer_name.clone());
    add("producer_version", proto.producer_version.clone());
    add("domain", proto.domain.clone());
    if proto.model_version != 0 {
        add("model_version", proto.model_version.to_string());
    }
    for opset in &proto.opset_import {
        let domain = if opset.domain.is_empty() { "ai.onnx" } else { &opset.domain };
        add("opset_import", format!("{domain} {}", opset.version));
    }
    add("graph", proto.graph.as_ref().map_or_else(String::new, |g| g.name.clone()));
    let locations = folder.locations();
    for location in locations.iter().take(MAX_LOCATIONS) {
        add("external_data", shorten(location));
    }
    if let Some(more) = locations.len().checked_sub(MAX_LOCATIONS).filter(|&more| more > 0) {
        add("external_data", format!("and {more} more files"));
    }
    for entry in &proto.metadata_props {
        add(&entry.key, entry.value.clone());
    }
    list
}
