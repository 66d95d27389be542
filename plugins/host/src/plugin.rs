//! A plugin as a loader that is loaded when it is needed.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use eigenscope::source::{Glimpse, Input, Loader, Refusal, Score, SourceError, WeightFile};
use eigenscope_c_loader::LogSink;

use crate::loaded::Loaded;
use crate::manifest::{Abi, Manifest, Probe};
use crate::{Reason, trust};

/// What an extension alone is worth, by the convention of [`Score`].
const BY_EXTENSION: Score = 20;

/// A plugin that was found. Its library is loaded the first time a file is opened with it, or earlier where its manifest
/// asks to be probed by the library; once loaded it stays.
pub struct Plugin {
    about: About,
    name: String,
    extensions: Vec<&'static str>,
    loaded: OnceLock<Result<Loaded, Reason>>,
    /// Who hears what a plugin of the ABI `c-v1` logs.
    listener: Arc<OnceLock<LogSink>>,
}

/// Where the knowledge of a plugin comes from.
enum About {
    Manifest {
        manifest: Manifest,
        path: PathBuf,
    },
    /// The library itself, named explicitly; it is loaded from the start.
    Library {
        path: PathBuf,
    },
}

impl Plugin {
    /// The plugin of a manifest whose library has been checked.
    pub(crate) fn lazy(manifest: Manifest, path: PathBuf) -> Plugin {
        let extensions = manifest.formats.iter().flat_map(|f| &f.extensions).map(|e| lasting(e)).collect();
        let name = manifest.name.clone();
        Plugin {
            about: About::Manifest { manifest, path },
            name,
            extensions,
            loaded: OnceLock::new(),
            listener: Arc::default(),
        }
    }

    /// The plugin in a library, loaded now.
    pub(crate) fn eager(path: PathBuf) -> Result<Plugin, Reason> {
        let listener = Arc::default();
        let loader = Loaded::guess(&path, &listener)?;
        let extensions = loader.extensions().into_iter().map(lasting).collect();
        let name = loader.name().to_owned();
        let loaded = OnceLock::from(Ok(loader));
        Ok(Plugin { about: About::Library { path }, name, extensions, loaded, listener })
    }

    /// The plugin's version: the manifest's, or that of a library without one.
    pub fn version(&self) -> String {
        match (&self.about, self.loaded.get()) {
            (About::Manifest { manifest, .. }, _) => manifest.version.clone(),
            (About::Library { .. }, Some(Ok(loader))) => loader.version().to_owned(),
            (About::Library { .. }, _) => String::new(),
        }
    }

    /// How it talks: as the manifest says, or as the library without one exports.
    pub fn abi(&self) -> Abi {
        match (&self.about, self.loaded.get()) {
            (About::Manifest { manifest, .. }, _) => manifest.abi,
            (About::Library { .. }, Some(Ok(loader))) => loader.abi(),
            (About::Library { .. }, _) => Abi::RustV1,
        }
    }

    /// Hands what a plugin of the ABI `c-v1` logs to `sink` rather than to the process's logger. The first sink stays.
    pub fn log_to(&self, sink: LogSink) {
        let _ = self.listener.set(sink);
    }

    /// The manifest, or the library where there is none.
    pub fn path(&self) -> &Path {
        match &self.about {
            About::Manifest { path, .. } | About::Library { path } => path,
        }
    }

    /// Whether the library has been loaded.
    pub fn is_loaded(&self) -> bool {
        matches!(self.loaded.get(), Some(Ok(_)))
    }

    /// Loads the library unless that has been tried before.
    ///
    /// # Errors
    /// Why it cannot be loaded; the same every time.
    pub fn load(&self) -> Result<(), Reason> {
        self.loader().map(|_| ()).map_err(Clone::clone)
    }

    fn loader(&self) -> Result<&Loaded, &Reason> {
        let loaded = self.loaded.get_or_init(|| match &self.about {
            About::Manifest { manifest, path } => load(manifest, path, &self.listener),
            About::Library { path } => Loaded::guess(path, &self.listener),
        });
        loaded.as_ref()
    }

    /// The score without asking the library.
    fn score(&self, glimpse: &Glimpse) -> Score {
        match &self.about {
            About::Manifest { manifest, .. } => manifest.score(glimpse),
            About::Library { .. } if self.extensions.contains(&glimpse.extension().as_str()) => BY_EXTENSION,
            About::Library { .. } => 0,
        }
    }

    fn asks_library(&self, glimpse: &Glimpse, score: Score) -> bool {
        match &self.about {
            About::Manifest { manifest, .. } => {
                manifest.probe == Probe::Library && (score > 0 || glimpse.entries.is_some())
            }
            About::Library { .. } => true,
        }
    }
}

/// Everything that was checked when the plugin was found is checked again: that may have been days ago.
fn load(manifest: &Manifest, path: &Path, listener: &Arc<OnceLock<LogSink>>) -> Result<Loaded, Reason> {
    let library = trust::library(manifest, &trust::trusted(path)?)?;
    let loader = Loaded::open(&library, manifest.abi, manifest.deepbind, listener)?;
    if loader.name() != manifest.name {
        let (manifest, library) = (manifest.name.clone(), loader.name().to_owned());
        return Err(Reason::WrongName { manifest, library });
    }
    log::debug!("loaded plugin {} from {}", manifest.name, library.display());
    Ok(loader)
}

impl Loader for Plugin {
    fn name(&self) -> &str {
        &self.name
    }

    fn extensions(&self) -> &[&str] {
        &self.extensions
    }

    /// A library that fails here keeps the score it has without being asked, so that opening the file tells why.
    fn probe(&self, glimpse: &Glimpse) -> Score {
        let score = self.score(glimpse);
        if !self.asks_library(glimpse, score) {
            return score;
        }
        match self.loader().map(|loader| loader.probe(glimpse)) {
            Ok(Ok(asked)) => asked,
            Ok(Err(error)) => {
                log::warn!("plugin {}: {error}", self.name);
                score
            }
            Err(reason) => {
                log::warn!("plugin {} at {}: {reason}", self.name, self.path().display());
                score
            }
        }
    }

    fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
        match self.loader() {
            Ok(loader) => loader.open_input(input),
            Err(reason) => {
                let what = format!("plugin '{}' ({}): {reason}", self.name, self.path().display());
                Err(SourceError::new(input.name(), Refusal::Loader(what)))
            }
        }
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plugin({} at {}, loaded: {})", self.name, self.path().display(), self.is_loaded())
    }
}

/// The text for as long as the process lives, one copy of each: the trait lends its extensions as `&[&str]`, and
/// plugins stay anyway.
fn lasting(text: &str) -> &'static str {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(text) {
        return known;
    }
    let new: &'static str = Box::leak(text.to_owned().into_boxed_str());
    kept.insert(new);
    new
}
