//! Reads ONNX models: initializers, constants and the tensors of sub-graphs and functions, each with the role that the
//! nodes using it give it.
//!
//! Nothing is executed and nothing but the model and the data files in its folder is opened. `raw_data`, `float_data`,
//! `double_data` and external data stay where they lie in the mapped file.
#![forbid(unsafe_code)]

mod data;
mod element;
mod external;
mod flatten;
mod follow;
mod graph;
mod model;
mod operators;
#[allow(missing_docs)]
#[rustfmt::skip]
mod proto;
mod roles;
mod scale;
mod scan;

use std::path::Path;

use eigenscope_plugin::source::{Glimpse, Input, Loader, Refusal, Score, SourceError, WeightFile};

/// The loader.
#[derive(Clone, Copy, Debug, Default)]
pub struct Onnx;

#[cfg(feature = "plugin")]
eigenscope_plugin::export_loader!(Onnx);

impl Loader for Onnx {
    fn name(&self) -> &str {
        "onnx"
    }

    fn extensions(&self) -> &[&str] {
        &["onnx"]
    }

    /// Protocol buffers have no signature; a model begins with its version, a small number in field 1.
    fn probe(&self, glimpse: &Glimpse) -> Score {
        if let Some(entries) = &glimpse.entries {
            return match models(entries).len() {
                0 => 0,
                1 => 60,
                _ => 20,
            };
        }
        let named = glimpse.extension() == "onnx";
        match (begins_as_model(&glimpse.head), named) {
            (true, true) => 90,
            (true, false) => 40,
            (false, true) => 20,
            (false, false) => 0,
        }
    }

    fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
        if let Input::Path(path) = input
            && path.is_dir()
        {
            return Ok(Box::new(model::open(&only_model(input, path)?)?));
        }
        Ok(Box::new(model::open(input)?))
    }
}

/// Whether bytes begin as a model does: `ir_version`, below 128 for a long time to come, then another field of the model.
fn begins_as_model(head: &[u8]) -> bool {
    let &[0x08, version, tag, ..] = head else {
        return false;
    };
    // producer_name, producer_version, domain, model_version, doc_string, graph, opset_import, metadata_props
    (1..128).contains(&version) && [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72].contains(&tag)
}

/// Names in a folder that are models.
fn models(entries: &[String]) -> Vec<&str> {
    // Files that start with a dot are left by copying tools.
    let is_model = |name: &&str| name.to_ascii_lowercase().ends_with(".onnx") && !name.starts_with('.');
    entries.iter().map(String::as_str).filter(is_model).collect()
}

/// The one model of a folder.
fn only_model(input: &Input, folder: &Path) -> Result<Input, SourceError> {
    let entries = input.glimpse()?.entries.unwrap_or_default();
    match models(&entries)[..] {
        [one] => Ok(Input::path(folder.join(one))),
        [] => {
            let what = "an .onnx file in the folder".to_owned();
            Err(SourceError::new(input.name(), Refusal::Missing(what)))
        }
        ref many => {
            let shown: Vec<&str> = many.iter().take(8).copied().collect();
            let dots = if many.len() > shown.len() { ", ..." } else { "" };
            let what = format!(
                "a folder of {} models ({}{dots}); open one of them by its path",
                many.len(),
                shown.join(", ")
            );
            Err(SourceError::new(input.name(), Refusal::Unsupported(what)))
        }
    }
}
