//! Reads TorchScript modules, and dictionaries of tensors, with libtorch, through the `tch` crate.
//!
//! The loader `pytorch` reads the same files without libtorch and without running anything, and is asked first; this one is
//! for an answer by PyTorch's own code. It is a plugin, so that nothing else of Eigenscope needs libtorch
//! (`docs/adr/0013-libtorch-is-a-plugin.md`).
//!
//! * TorchScript: every parameter, buffer and tensor attribute of every module, in the order of the modules. Constants of the
//!   code have no name that `tch` can ask for.
//! * `torch.save` of a dictionary with tensors: what libtorch reads of it, which leaves out `OrderedDict`, the usual state
//!   dictionary.
//!
//! Quantised tensors, and modules whose code would run to open them, are refused.

mod archive;
mod model;
mod pickle;
mod process;
mod rope;
mod script;
mod torch;

use std::collections::{HashMap, HashSet};
use std::io;

use eigenscope_plugin::source::{Glimpse, Input, Loader, Refusal, Score, SourceError, WeightFile};
use eigenscope_plugin::{Bytes, mapped};
use tch::{Device, Tensor};

use archive::Archive;
use model::{Model, Named};
use script::Kind;

eigenscope_plugin::export_loader!(Torch);

/// The libtorch loader.
#[derive(Clone, Copy, Debug, Default)]
pub struct Torch;

type Tensors = Vec<(String, Tensor)>;

impl Loader for Torch {
    fn name(&self) -> &str {
        "torch"
    }

    fn extensions(&self) -> &[&str] {
        &["jit", "pt", "pts", "torchscript"]
    }

    /// By the extension, however well the file fits: where the loader `pytorch` knows it, that one is surer.
    fn probe(&self, glimpse: &Glimpse) -> Score {
        let named = self.extensions().contains(&glimpse.extension().as_str());
        if named && glimpse.head.starts_with(b"PK\x03\x04") { 20 } else { 0 }
    }

    fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
        let bytes = mapped::contents(input)?;
        let refuse = |refusal| SourceError::new(input.name(), refusal);
        if !bytes.starts_with(b"PK\x03\x04") {
            let expected = "a zip archive of torch.jit.save or torch.save".to_owned();
            let found = input.glimpse()?.looks_like().to_owned();
            return Err(refuse(Refusal::WrongFormat { expected, found }));
        }
        process::check().map_err(refuse)?;
        let archive = Archive::open(&bytes).map_err(refuse)?;
        let texts = texts(&archive).map_err(refuse)?;
        let name = input.name();
        let opened = torch::alone(torch::DEEP, || {
            let (container, tensors) = if archive.get("constants.pkl").is_some() {
                ("torchscript", script_tensors(&archive).map_err(refuse)?)
            } else {
                ("zip", dictionary(&archive, &texts).map_err(refuse)?)
            };
            Model::new(name, container, tensors, bytes.len() as u64)
        });
        Ok(Box::new(opened.map_err(refuse)??))
    }
}

/// The texts of `data.pkl`, after a look at everything libtorch will unpickle.
fn texts(archive: &Archive) -> Result<Vec<&str>, Refusal> {
    if archive.get("model.json").is_some() {
        let what = "a TorchScript archive of PyTorch 1.0 (save it again with a later version)";
        return Err(Refusal::Unsupported(what.to_owned()));
    }
    if let Some(order) = archive.get("byteorder").filter(|order| &order[..] != b"little") {
        let what = format!("byte order '{}'", String::from_utf8_lossy(&order[..order.len().min(16)]));
        return Err(Refusal::Unsupported(what));
    }
    let Some(data) = archive.get("data.pkl") else {
        let expected = "a zip with data.pkl in it".to_owned();
        return Err(Refusal::WrongFormat { expected, found: "another zip archive".to_owned() });
    };
    if let Some(constants) = archive.get("constants.pkl") {
        pickle::texts("constants.pkl", constants)?;
    }
    pickle::texts("data.pkl", data)
}

/// Parameters, buffers and attributes of a module.
fn script_tensors(archive: &Archive) -> Result<Vec<Named>, Refusal> {
    let mut code = HashMap::new();
    let mut names = script::Names::default();
    for entry in archive.entries.iter().filter(|e| e.name.starts_with("code/") && e.name.ends_with(".py")) {
        let source = script::check(&entry.name, &entry.data)?;
        script::register(&source, &mut names);
        code.insert(entry.name.as_str(), source);
    }
    let load = |kind: Kind| -> Result<Tensors, Refusal> {
        let rope = archive.rewritten(|entry| {
            let source = code.get(entry.name.as_str())?;
            Some(Bytes::from(script::expose(source, kind)))
        });
        let loaded = Tensor::load_multi_from_stream_with_device(rope, Device::Cpu);
        loaded.map_err(|e| Refusal::Malformed(torch::words(&e)))
    };
    let last = |name: &str| name.rsplit('.').next().and_then(|last| names.kind(last));
    let tensors = load(Kind::Attribute)?;
    // Where one class has a parameter of the name that another has for a buffer, libtorch is asked once more.
    let only = |kind| -> Result<HashSet<String>, Refusal> {
        Ok(load(kind)?.into_iter().map(|(name, _)| name).collect())
    };
    let (parameters, buffers) = if tensors.iter().any(|(name, _)| last(name).is_none()) {
        (only(Kind::Parameter)?, only(Kind::Buffer)?)
    } else {
        Default::default()
    };
    let kind = |name: &str| match last(name) {
        Some(kind) => kind,
        None if parameters.contains(name) => Kind::Parameter,
        None if buffers.contains(name) => Kind::Buffer,
        None => Kind::Attribute,
    };
    Ok(tensors.into_iter().map(|(name, tensor)| Named { kind: kind(&name), name, tensor }).collect())
}

/// A dictionary of tensors, in the order of the file; libtorch gives the order of the alphabet. It reads a path only.
fn dictionary(archive: &Archive, texts: &[&str]) -> Result<Vec<Named>, Refusal> {
    let mut copy = tempfile::NamedTempFile::new().map_err(Refusal::Io)?;
    io::copy(&mut archive.rewritten(|_| None), &mut copy).map_err(Refusal::Io)?;
    let loaded = Tensor::loadz_multi_with_device(copy.path(), Device::Cpu);
    let mut tensors = loaded.map_err(|e| {
        Refusal::Unsupported(format!(
            "{} (the loader 'pytorch' reads more kinds of checkpoints)",
            torch::words(&e)
        ))
    })?;
    let mut order = HashMap::new();
    for (position, text) in texts.iter().enumerate() {
        // As `tch` writes it.
        order.entry(text.replace('|', ".")).or_insert(position);
    }
    tensors.sort_by_key(|(name, _)| order.get(name).copied());
    Ok(tensors.into_iter().map(|(name, tensor)| Named { name, tensor, kind: Kind::Parameter }).collect())
}
