//! A plugin's loader once its library is in the process, whichever way it talks.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use eigenscope::source::{Glimpse, Input, Loader, Score, SourceError, WeightFile};
use eigenscope_c_loader::{CLoader, LogSink};

use crate::manifest::Abi;
use crate::rust::RustLoader;
use crate::{Reason, c, library};

pub(crate) enum Loaded {
    Rust(RustLoader),
    C(CLoader),
}

impl Loaded {
    /// Opens the library at `path` as the plugin of a manifest.
    pub(crate) fn open(
        path: &Path,
        abi: Abi,
        deepbind: bool,
        listener: &Arc<OnceLock<LogSink>>,
    ) -> Result<Loaded, Reason> {
        let library = library::open(path, deepbind)?;
        match abi {
            Abi::RustV1 => RustLoader::of(library).map(Loaded::Rust),
            Abi::CV1 => c::loader(library, c::sink(path, listener)).map(Loaded::C),
        }
    }

    /// Opens a library without a manifest, whose exports say how it talks.
    pub(crate) fn guess(path: &Path, listener: &Arc<OnceLock<LogSink>>) -> Result<Loaded, Reason> {
        let library = library::open(path, false)?;
        match RustLoader::of(library) {
            Err(Reason::NotAPlugin { .. }) if c::is_exported(library) => {
                c::loader(library, c::sink(path, listener)).map(Loaded::C)
            }
            result => result.map(Loaded::Rust),
        }
    }

    pub(crate) fn abi(&self) -> Abi {
        match self {
            Loaded::Rust(_) => Abi::RustV1,
            Loaded::C(_) => Abi::CV1,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Loaded::Rust(loader) => &loader.description.name,
            Loaded::C(loader) => loader.name(),
        }
    }

    pub(crate) fn version(&self) -> &str {
        match self {
            Loaded::Rust(loader) => &loader.description.version,
            Loaded::C(loader) => loader.version(),
        }
    }

    pub(crate) fn extensions(&self) -> Vec<&str> {
        match self {
            Loaded::Rust(loader) => loader.description.extensions.iter().map(|e| &**e).collect(),
            Loaded::C(loader) => loader.extensions().to_vec(),
        }
    }

    pub(crate) fn probe(&self, glimpse: &Glimpse) -> Result<Score, SourceError> {
        match self {
            Loaded::Rust(loader) => loader.probe(glimpse),
            Loaded::C(loader) => Ok(loader.probe(glimpse)),
        }
    }

    pub(crate) fn open_input(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
        match self {
            Loaded::Rust(loader) => loader.open(input),
            Loaded::C(loader) => loader.open(input),
        }
    }
}
