//! An open Keras or HDF5 file: the tensor list, put together from whichever scheme the file follows.

use std::collections::{HashMap, HashSet};

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError, TensorInfo, WeightFile};
use eigenscope_plugin::tensor::{Dtype, LayerKind, Layout, Quantization, Role, Tensor};
use serde_json::Value;

use crate::archive::{self, MAX_CONFIG_BYTES};
use crate::config::{Layer, Options};
use crate::container::Container;
use crate::meaning::{self, Meaning, Subject};
use crate::{legacy, native, variables};

/// A variable that one of Keras's schemes names.
#[derive(Debug, Default)]
pub struct Weight {
    /// Its dataset.
    pub leaf: usize,
    /// Layers it is in, the outermost first.
    pub scope: Vec<String>,
    /// `kernel`, `bias`, ...
    pub weight: String,
    pub class: Option<String>,
    pub options: Option<Options>,
    pub optimizer: bool,
    /// Why it is kept besides the weights.
    pub buffer: Option<&'static str>,
}

/// The class in snake case that a name such as `conv1d_7` tells, where Keras made it up.
pub fn class_of_name(name: &str) -> Option<String> {
    let stem = match name.rsplit_once('_') {
        Some((stem, number)) if number.bytes().all(|b| b.is_ascii_digit()) => stem,
        _ => name,
    };
    variables::knows(stem).then(|| stem.to_owned())
}

struct KerasFile {
    container: Container,
    infos: Vec<TensorInfo>,
    sources: Vec<Source>,
    metadata: Vec<(String, String)>,
}

struct Source {
    leaf: usize,
    scales: Option<Scales>,
}

/// Quantised integers: where their scales are, and the axis these differ along.
#[derive(Clone, Copy)]
struct Scales {
    leaf: usize,
    axis: Option<usize>,
}

/// Opens a `.keras` archive.
pub fn open_archive(name: String, bytes: &Bytes) -> Result<Box<dyn WeightFile>, SourceError> {
    let archive = archive::open(&name, bytes)?;
    let config = json(&name, "config.json", &archive.config)?;
    let mut metadata = vec![("format".to_owned(), "Keras archive (.keras)".to_owned())];
    if let Some(text) = &archive.metadata {
        let stated = json(&name, "metadata.json", text)?;
        for (key, value) in stated.as_object().into_iter().flatten() {
            metadata.push((key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
    }
    let container = Container::open(format!("{name}:model.weights.h5"), archive.weights)?;
    Ok(Box::new(KerasFile::new(container, Some(&config), metadata)?))
}

/// Opens an HDF5 file.
pub fn open_hdf5(name: String, bytes: Bytes) -> Result<Box<dyn WeightFile>, SourceError> {
    let container = Container::open(name, bytes)?;
    let attributes = container.attributes("")?;
    let mut metadata = Vec::new();
    for key in ["keras_version", "backend"] {
        if let Some(text) = container.guarded(|| attributes.text(key)).ok().flatten() {
            metadata.push((key.to_owned(), text));
        }
    }
    let config = match container.guarded(|| attributes.text("model_config"))? {
        Some(text) if text.len() as u64 > MAX_CONFIG_BYTES => {
            let (what, size) = ("the model_config attribute in bytes".to_owned(), text.len() as u64);
            let refusal = Refusal::TooLarge { what, size, limit: MAX_CONFIG_BYTES };
            return Err(SourceError::new(&container.name, refusal));
        }
        Some(text) => Some(json(&container.name, "the model_config attribute", text.as_bytes())?),
        None => None,
    };
    Ok(Box::new(KerasFile::new(container, config.as_ref(), metadata)?))
}

fn json(file: &str, what: &str, text: &[u8]) -> Result<Value, SourceError> {
    serde_json::from_slice(text)
        .map_err(|e| SourceError::new(file, Refusal::Malformed(format!("{what}: {e}"))))
}

impl KerasFile {
    fn new(
        container: Container,
        config: Option<&Value>,
        mut metadata: Vec<(String, String)>,
    ) -> Result<KerasFile, SourceError> {
        let model = config.and_then(Layer::parse);
        let archive = metadata.iter().any(|(key, _)| key == "format");
        let mut say = |key: &str, value: &str| {
            if key != "format" || !archive {
                metadata.push((key.to_owned(), value.to_owned()));
            }
        };
        if let Some(model) = &model {
            say("class_name", &model.class_name);
            say("model_name", &model.name);
        }
        let legacy_root = legacy::root(&container)?;
        let mut keras_1 = false;
        let weights = match legacy_root {
            Some(root) => {
                let attributes = container.attributes(root)?;
                keras_1 = !attributes.has("keras_version");
                say("format", if root.is_empty() { "Keras weights, HDF5" } else { "Keras model, HDF5" });
                if keras_1 {
                    say(
                        "axis_order",
                        "Keras 1: convolutions [out, in, rows, columns] where not shaped otherwise",
                    );
                }
                legacy::weights(&container, root, model.as_ref())?
            }
            None if native::is_one(&container) => {
                say("format", "Keras 3 weights, HDF5");
                native::weights(&container, model.as_ref())?
            }
            None => {
                say("format", "plain HDF5, not written by Keras: kinds follow from names and ranks");
                Vec::new()
            }
        };
        let is_keras = !weights.is_empty() || legacy_root.is_some();
        let mut file = KerasFile { container, infos: Vec::new(), sources: Vec::new(), metadata };
        file.list(&weights, keras_1);
        file.list_the_rest(is_keras);
        Ok(file)
    }

    /// Lists what Keras names.
    fn list(&mut self, weights: &[Weight], keras_1: bool) {
        let gates = gates(&self.container, weights);
        let scales = scales(weights);
        let mut taken = HashSet::new();
        for weight in weights {
            let leaf = &self.container.leaves()[weight.leaf];
            let element = leaf.as_keras_writes();
            let meaning = if weight.optimizer {
                Meaning::optimizer()
            } else if let Some(note) = weight.buffer {
                Meaning::buffer(note)
            } else {
                let ordering = weight.options.as_ref().and_then(|o| o.dim_ordering.as_deref());
                meaning::of(&Subject {
                    scope: &weight.scope,
                    weight: &weight.weight,
                    shape: &leaf.shape,
                    class: weight.class.as_deref(),
                    options: weight.options.as_ref(),
                    gates: gates.get(&weight.scope).copied(),
                    theano: keras_1 && ordering.map_or(meaning::is_theano_shape(&leaf.shape), |o| o == "th"),
                })
            };
            let mut name = format!("{}/{}", weight.scope.join("/"), weight.weight);
            if !taken.insert(name.clone()) {
                // Names of layers may repeat in models inside models; paths never do.
                name.clone_from(&leaf.path);
                taken.insert(name.clone());
            }
            let shape = meaning.merged.clone().unwrap_or_else(|| leaf.shape.clone());
            if meaning.merged.is_some() {
                self.metadata.push((format!("reshaped {name}"), format!("{:?} as {shape:?}", leaf.shape)));
            }
            let mut info = TensorInfo::new(name, element.dtype, shape);
            info.kind = meaning.kind;
            info.layout = meaning.layout;
            info.stacked = meaning.stacked;
            info.role = meaning.role;
            info.note = meaning.note.or(element.note).or_else(|| leaf.alias.clone());
            let found = self.quantization(weight, &mut info, &scales);
            self.infos.push(info);
            self.sources.push(Source { leaf: weight.leaf, scales: found });
        }
    }

    /// The scales of integers, if these are a weight's.
    fn quantization(
        &self,
        weight: &Weight,
        info: &mut TensorInfo,
        scales: &HashMap<(&[String], &str), usize>,
    ) -> Option<Scales> {
        if info.dtype != Dtype::I8 || info.note.is_some() {
            return None;
        }
        let mode = weight.options.as_ref().and_then(|o| o.quantization.as_deref());
        if let Some(mode) = mode.filter(|m| !m.starts_with("int8")) {
            info.note = Some(format!("integers packed for {mode}, which are not read"));
            return None;
        }
        let leaf = *scales.get(&(weight.scope.as_slice(), weight.weight.as_str()))?;
        let count = self.container.leaves()[leaf].shape.iter().product::<usize>();
        let axis = match (info.shape[..].as_ref(), info.layout, info.kind) {
            _ if count == 1 => None,
            (&[rows, _], _, Some(LayerKind::Embedding)) if rows == count => Some(0),
            (&[_, columns], Layout::InOutSpatial, _) if columns == count => Some(1),
            (&[rows, _], Layout::OutInSpatial, _) if rows == count => Some(0),
            _ => {
                info.note = Some(format!("quantised, with {count} scales that fit neither axis"));
                return None;
            }
        };
        info.quantized = true;
        Some(Scales { leaf, axis })
    }

    /// Lists every dataset and link that no scheme names.
    fn list_the_rest(&mut self, is_keras: bool) {
        let named: HashSet<usize> = self.sources.iter().map(|s| s.leaf).collect();
        let mut taken: HashSet<String> = self.infos.iter().map(|i| i.name.clone()).collect();
        for (at, leaf) in self.container.leaves().iter().enumerate() {
            if named.contains(&at) {
                continue;
            }
            let mut name = leaf.path.clone();
            while !taken.insert(name.clone()) {
                name.push('\'');
            }
            let mut info = TensorInfo::new(name, leaf.element.dtype, leaf.shape.clone());
            info.note = leaf.element.note.clone().or_else(|| leaf.alias.clone());
            if is_keras {
                info.kind = Some(LayerKind::Other);
                let optimizer = legacy::is_optimizer(&leaf.path);
                info.role = if optimizer { Role::Optimizer } else { Role::Buffer };
                let why = if optimizer { "optimizer state" } else { "in no list of a layer's weights" };
                info.note.get_or_insert_with(|| why.to_owned());
            }
            self.infos.push(info);
            self.sources.push(Source { leaf: at, scales: None });
        }
    }
}

impl WeightFile for KerasFile {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let name = &self.container.name;
        let (Some(info), Some(source)) = (self.infos.get(index), self.sources.get(index)) else {
            let what = format!("tensor {index} of {}", self.infos.len());
            return Err(SourceError::new(name, Refusal::Missing(what)));
        };
        let refuse = |e: SourceError| e.tensor(&info.name);
        let tensor = self.container.read(source.leaf, info.dtype, info.shape.clone()).map_err(refuse)?;
        let Some(Scales { leaf, axis }) = source.scales else { return Ok(tensor) };
        let stored = &self.container.leaves()[leaf];
        let divisors = self.container.read(leaf, stored.element.dtype, stored.shape.clone())?.to_vec();
        if let Some(bad) = divisors.iter().find(|s| !s.is_finite() || **s == 0.0) {
            let what = format!("its scale {bad}, by which integers are divided");
            return Err(refuse(SourceError::new(name, Refusal::Malformed(what))));
        }
        // Keras multiplies by the scale to quantise, and divides by it to go back.
        let scales = divisors.into_iter().map(|s| 1.0 / s).collect();
        tensor
            .quantized(Quantization { axis, scales, zero_points: Vec::new() })
            .map_err(|e| refuse(SourceError::new(name, Refusal::Malformed(e.to_string()))))
    }

    fn metadata(&self) -> Vec<(String, String)> {
        self.metadata.clone()
    }
}

/// Gates of each recurrent layer: the recurrent kernel takes the state to all of them at once.
fn gates<'a>(container: &Container, weights: &'a [Weight]) -> HashMap<&'a Vec<String>, usize> {
    let mut gates = HashMap::new();
    for weight in weights.iter().filter(|w| w.weight == "recurrent_kernel") {
        if let &[units, columns] = &container.leaves()[weight.leaf].shape[..]
            && units > 0
            && columns % units == 0
        {
            gates.insert(&weight.scope, columns / units);
        }
    }
    gates
}

/// Where the scales of a weight are: `kernel_scale` beside `kernel`.
fn scales(weights: &[Weight]) -> HashMap<(&[String], &str), usize> {
    weights
        .iter()
        .filter_map(|w| Some(((w.scope.as_slice(), w.weight.strip_suffix("_scale")?), w.leaf)))
        .collect()
}
