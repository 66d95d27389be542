//! Reads PyTorch checkpoints, and executes nothing: not one function that a pickle names is ever called.
//!
//! Containers: the zip of PyTorch 1.6 and later, TorchScript's zip, the pickles before it, the tar of PyTorch 0.1, and
//! `pytorch_model.bin.index.json` or a folder of shards. Storages that are not compressed are slices of the mapped file.
//!
//! Names are those of the state dictionary, as stored, so `module.` and `_orig_mod.` stay; the key that holds the model
//! (`state_dict`, `model`, ...) is not part of them. The order is that of the file.

mod container;
mod file;
mod flatten;
mod module;
mod pickle;
mod script;

use std::path::Path;

use eigenscope_plugin::source::{Glimpse, Input, Loader, Score, SourceError, WeightFile};
use eigenscope_plugin::{mapped, shards::Convention};

const CONVENTION: Convention = Convention {
    stems: &["pytorch_model", "adapter_model", "model"],
    extensions: &["bin", "pt", "pth", "ckpt", "th", "jit", "tar"],
};

/// The PyTorch loader.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pytorch;

#[cfg(feature = "plugin")]
eigenscope_plugin::export_loader!(Pytorch);

impl Loader for Pytorch {
    fn name(&self) -> &str {
        "pytorch"
    }

    fn extensions(&self) -> &[&str] {
        CONVENTION.extensions
    }

    fn probe(&self, glimpse: &Glimpse) -> Score {
        if let Some(entries) = &glimpse.entries {
            return match entries {
                _ if CONVENTION.prefers(entries) => 80,
                _ if entries.iter().any(|n| CONVENTION.is_file(n)) => 40,
                _ => 0,
            };
        }
        if CONVENTION.is_index(&glimpse.name) {
            return 100;
        }
        let named = CONVENTION.is_file(&glimpse.name);
        let head = &glimpse.head[..];
        if head.starts_with(b"PK\x03\x04") {
            return zip_score(head, named);
        }
        if container::announced(head) {
            return 100;
        }
        if container::is_tar(head) {
            return match container::is_our_tar(head) {
                true => 100,
                false if named => 60,
                false => 0,
            };
        }
        if named { 20 } else { 0 }
    }

    fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
        let open_one = |path: &Path| file::open(&path.display().to_string(), &mapped::map(path)?);
        if let Input::Path(path) = input {
            let glimpse = input.glimpse()?;
            if let Some(entries) = &glimpse.entries {
                return CONVENTION.open_folder(path, entries, &open_one);
            }
            if CONVENTION.is_index(&glimpse.name) {
                return CONVENTION.open_index(path, &open_one);
            }
        }
        file::open(&input.name(), &mapped::contents(input)?)
    }
}

/// How sure the name of the first entry makes one of a zip.
fn zip_score(head: &[u8], named: bool) -> Score {
    let length = head.get(26..28).map_or(0, |l| usize::from(u16::from_le_bytes([l[0], l[1]])));
    let first = head.get(30..30 + length).map(String::from_utf8_lossy).unwrap_or_default();
    let inner = first.split_once('/').map_or("", |(_, inner)| inner);
    let ours = ["data.pkl", "constants.pkl", "version", "byteorder", ".format_version", ".storage_alignment"];
    let ours_below = ["data/", ".data/", "constants/", "code/"];
    if first == "data.pkl" || ours.contains(&inner) || ours_below.iter().any(|f| inner.starts_with(f)) {
        100
    } else if named && !first.ends_with(".npy") && !matches!(&*first, "metadata.json" | "config.json") {
        60
    } else {
        0
    }
}
