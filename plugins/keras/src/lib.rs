//! Reads what Keras writes: full models and weights of Keras 1, 2 and tf.keras in HDF5, `.weights.h5` and `.keras` of Keras 3,
//! and, tensor by tensor, any other HDF5 file.
//!
//! HDF5 itself is read by the `hdf5-reader` crate, pure Rust, whose every call runs behind a bound on the bytes it may touch
//! and a catch for panics. Contiguous datasets are slices of the mapped file; chunked and compressed ones are decoded when
//! they are read. External links and external data files are listed and never followed.

mod archive;
mod attributes;
mod config;
mod container;
mod dataset;
mod file;
mod guard;
mod legacy;
mod links;
mod meaning;
mod native;
mod variables;

use std::path::Path;

use eigenscope_plugin::mapped;
use eigenscope_plugin::source::{Glimpse, Input, Loader, Refusal, Score, SourceError, WeightFile};

pub use archive::{MAX_CONFIG_BYTES, MAX_MEMBERS, MEMBER_EXPANSION, MEMBER_FREE_BYTES};
pub use container::{MAX_DEPTH, MAX_OBJECTS};
pub use dataset::{DATASET_EXPANSION, DATASET_FREE_BYTES};

const EXTENSIONS: [&str; 3] = ["keras", "h5", "hdf5"];

/// The Keras and HDF5 loader.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keras;

#[cfg(feature = "plugin")]
eigenscope_plugin::export_loader!(Keras);

impl Loader for Keras {
    fn name(&self) -> &str {
        "keras"
    }

    fn extensions(&self) -> &[&str] {
        &EXTENSIONS
    }

    fn probe(&self, glimpse: &Glimpse) -> Score {
        match &glimpse.entries {
            Some(entries) => match models(entries).len() {
                0 => 0,
                1 => 80,
                _ => 20,
            },
            None if archive::looks_like_one(&glimpse.head) => 100,
            None if container::signature(&glimpse.head).is_some() => 80,
            None if EXTENSIONS.contains(&glimpse.extension().as_str()) => 20,
            None => 0,
        }
    }

    fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
        let glimpse = input.glimpse()?;
        if let (Input::Path(folder), Some(entries)) = (input, &glimpse.entries) {
            return self.open(&Input::path(folder.join(only_model(&input.name(), entries)?)));
        }
        let bytes = mapped::contents(input)?;
        let name = input.name();
        if archive::is_zip(&bytes) {
            return file::open_archive(name, &bytes);
        }
        if container::signature(&bytes).is_none() {
            let expected = "an HDF5 file or a .keras archive".to_owned();
            let found = glimpse.looks_like().to_owned();
            return Err(SourceError::new(name, Refusal::WrongFormat { expected, found }));
        }
        file::open_hdf5(name, bytes)
    }
}

fn models(entries: &[String]) -> Vec<&String> {
    let is_model = |name: &&String| {
        let extension = Path::new(name.as_str()).extension().map(|e| e.to_string_lossy().to_lowercase());
        extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
    };
    entries.iter().filter(is_model).collect()
}

fn only_model<'a>(folder: &str, entries: &'a [String]) -> Result<&'a String, SourceError> {
    let refusal = match models(entries)[..] {
        [only] => return Ok(only),
        [] if entries.is_empty() => Refusal::Empty,
        [] => Refusal::Missing("no *.keras, *.h5 or *.hdf5 in this folder".to_owned()),
        ref several => {
            let names: Vec<&str> = several.iter().take(8).map(|n| n.as_str()).collect();
            let more = if several.len() > names.len() { ", ..." } else { "" };
            let what =
                format!("a folder of {} models; name one of {}{more}", several.len(), names.join(", "));
            Refusal::Unsupported(what)
        }
    };
    Err(SourceError::new(folder, refusal))
}
