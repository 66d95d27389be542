//! Reads safetensors: a single file, the shards an index names, or a Hugging Face folder of either, adapters (LoRA) included.
//!
//! Tensors come in the order of their bytes in the file. (The usual writer puts the widest types first and sorts by name within
//! a type, so this is not always the order of the layers.) Shards come in the order of their names. Every read is a slice of
//! the mapped file.
//!
//! The header is parsed here rather than by the `safetensors` crate, which knows no position for its errors, forgets duplicate
//! names and refuses a whole file for one element type that it does not know.

mod file;
mod header;

use eigenscope_plugin::source::{Glimpse, Input, Loader, Score, SourceError, WeightFile};
use eigenscope_plugin::{mapped, shards::Convention};

pub use header::{MAX_HEADER_BYTES, MAX_RANK, MAX_TENSORS};

const CONVENTION: Convention =
    Convention { stems: &["model", "adapter_model"], extensions: &["safetensors"] };

/// The safetensors loader.
#[derive(Clone, Copy, Debug, Default)]
pub struct Safetensors;

#[cfg(feature = "plugin")]
eigenscope_plugin::export_loader!(Safetensors);

impl Loader for Safetensors {
    fn name(&self) -> &str {
        "safetensors"
    }

    fn extensions(&self) -> &[&str] {
        CONVENTION.extensions
    }

    fn probe(&self, glimpse: &Glimpse) -> Score {
        if let Some(entries) = &glimpse.entries {
            let any = entries.iter().any(|n| CONVENTION.is_file(n) || CONVENTION.is_index(n));
            return if any { 100 } else { 0 };
        }
        if CONVENTION.is_index(&glimpse.name) || header::looks_like_one(&glimpse.head, glimpse.size) {
            100
        } else if CONVENTION.is_file(&glimpse.name) {
            20
        } else {
            0
        }
    }

    fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
        let open_one = |path: &std::path::Path| file::open(&path.display().to_string(), mapped::map(path)?);
        if let Input::Path(path) = input {
            let glimpse = input.glimpse()?;
            if let Some(entries) = &glimpse.entries {
                return CONVENTION.open_folder(path, entries, &open_one);
            }
            if CONVENTION.is_index(&glimpse.name) {
                return CONVENTION.open_index(path, &open_one);
            }
        }
        file::open(&input.name(), mapped::contents(input)?)
    }
}
