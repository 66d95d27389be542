//! What a search found, what it passed over, and why.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use eigenscope::source::{Loader, Registry};
use serde::Serialize;

use crate::Reason;
use crate::manifest::{Abi, Format, Manifest};
use crate::plugin::Plugin;

/// Which kind of place a candidate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Origin {
    /// Named by the user.
    Explicit,
    /// A folder given through the API.
    Folder,
    /// A folder of the environment variable.
    Environment,
    /// The user's folder.
    User,
    /// The installed folder.
    Installed,
}

/// A place that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// Which kind it is.
    pub origin: Origin,
    /// Where it is.
    pub path: PathBuf,
    /// How many candidates it holds.
    pub candidates: usize,
    /// Why the place as a whole was passed over, if it was.
    pub passed_over: Option<String>,
}

/// How far a candidate got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Checked, and loaded when it is needed.
    Found,
    /// Loaded.
    Loaded,
    /// Not used.
    Refused(Reason),
}

/// One manifest or library that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// Which kind of place it comes from.
    pub origin: Origin,
    /// The manifest, or the library where it was named itself.
    pub path: PathBuf,
    /// Its name, as far as it could be read.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// How to talk to it.
    pub abi: Option<Abi>,
    /// What it reads.
    pub formats: Vec<Format>,
    /// Its library, all links followed.
    pub library: Option<PathBuf>,
    /// What became of it.
    pub state: State,
    #[serde(skip)]
    pub(crate) plugin: Option<Arc<Plugin>>,
}

impl Candidate {
    pub(crate) fn new(origin: Origin, path: PathBuf) -> Candidate {
        Candidate {
            origin,
            path,
            name: None,
            version: None,
            abi: None,
            formats: Vec::new(),
            library: None,
            state: State::Found,
            plugin: None,
        }
    }

    pub(crate) fn describe(&mut self, manifest: &Manifest) {
        self.name = Some(manifest.name.clone());
        self.version = Some(manifest.version.clone());
        self.abi = Some(manifest.abi);
        self.formats.clone_from(&manifest.formats);
    }

    pub(crate) fn describe_loaded(&mut self, plugin: &Plugin) {
        self.name = Some(plugin.name().to_owned());
        self.version = Some(plugin.version());
        self.abi = Some(plugin.abi());
        let extensions = plugin.extensions().iter().map(|e| (*e).to_owned()).collect();
        self.formats = vec![Format { name: plugin.name().to_owned(), extensions, magic: Vec::new() }];
    }

    /// The plugin, where the candidate is one that can be used.
    pub fn plugin(&self) -> Option<&Arc<Plugin>> {
        self.plugin.as_ref()
    }
}

/// Everything a search looked at. It prints as a list for people and serialises for programs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Discovery {
    /// The places, in the order they were searched.
    pub places: Vec<Place>,
    /// The candidates, in that order.
    pub candidates: Vec<Candidate>,
}

impl Discovery {
    /// The plugins that can be used, the first of each name.
    pub fn plugins(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.candidates.iter().filter_map(Candidate::plugin)
    }

    /// Adds every usable plugin to the registry.
    pub fn add_to(&self, registry: &mut Registry) {
        for plugin in self.plugins() {
            registry.add(Arc::clone(plugin) as Arc<dyn Loader>);
        }
    }

    /// Loads every plugin that was found, so that the report says which of them can be. This runs their code.
    pub fn verify(&mut self) {
        for candidate in &mut self.candidates {
            let Some(plugin) = &candidate.plugin else { continue };
            candidate.state = match plugin.load() {
                Ok(()) => State::Loaded,
                Err(reason) => {
                    candidate.plugin = None;
                    State::Refused(reason)
                }
            };
        }
    }
}

impl fmt::Display for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in &self.places {
            let origin = format!("{:?}", place.origin).to_lowercase();
            write!(f, "{} ({origin}): ", place.path.display())?;
            match &place.passed_over {
                Some(why) => writeln!(f, "passed over, {why}")?,
                None => writeln!(f, "{} looked at", place.candidates)?,
            }
        }
        for candidate in &self.candidates {
            let name = candidate.name.as_deref().unwrap_or("?");
            let version = candidate.version.as_deref().unwrap_or("");
            write!(f, "{name} {version} at {}: ", candidate.path.display())?;
            match &candidate.state {
                State::Found => f.write_str("found")?,
                State::Loaded => f.write_str("loaded")?,
                State::Refused(reason) => write!(f, "refused, {reason}")?,
            }
            let formats: Vec<&str> = candidate.formats.iter().map(|format| format.name.as_str()).collect();
            writeln!(f, " [{}]", formats.join(", "))?;
        }
        Ok(())
    }
}
