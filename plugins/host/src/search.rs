//! Where plugins are looked for. A host says which places; the default is none, and the working directory is never one.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::discovery::{Candidate, Discovery, Origin, Place, State};
use crate::manifest::Manifest;
use crate::plugin::Plugin;
use crate::{Reason, trust};

/// A list of folders, as in `PATH`; relative ones are passed over.
pub const ENVIRONMENT: &str = "EIGENSCOPE_PLUGIN_PATH";
/// Where installed plugins lie: `EIGENSCOPE_PLUGIN_DIR` at build time, or below `/usr/local`.
pub const INSTALLED: &str = match option_env!("EIGENSCOPE_PLUGIN_DIR") {
    Some(folder) => folder,
    None => "/usr/local/lib/eigenscope/plugins",
};
/// The user's folder, below `$XDG_DATA_HOME` or `~/.local/share`.
const USER: &str = "eigenscope/plugins";
/// Who has a name that no plugin has.
const HOST: &str = "this host itself";
/// Entries of a folder that are looked at.
const MAX_ENTRIES: usize = 4096;

/// What to search, always in this order. The first plugin of a name wins.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Manifests (`.toml`), libraries, or folders of manifests that the user named.
    pub explicit: Vec<PathBuf>,
    /// Folders of manifests.
    pub folders: Vec<PathBuf>,
    /// Whether to search the folders in [`ENVIRONMENT`].
    pub environment: bool,
    /// Whether to search the user's folder.
    pub user: bool,
    /// Whether to search [`INSTALLED`].
    pub installed: bool,
    /// Names of loaders the host has already; plugins of these names are passed over.
    pub taken: Vec<String>,
    /// Names of loaders the host has already and gives up for a plugin of `explicit` or `folders`; in the other places
    /// plugins of these names are passed over.
    pub yielding: Vec<String>,
}

impl Search {
    /// Every usual place.
    pub fn everywhere() -> Search {
        Search { environment: true, user: true, installed: true, ..Search::default() }
    }

    /// Looks at every place, loads only libraries that `explicit` names.
    ///
    /// A process with the rights of another user than the one who started it (setuid) does not follow that user's
    /// environment.
    pub fn discover(&self) -> Discovery {
        self.discover_in(&Surroundings::of_process())
    }

    fn discover_in(&self, surroundings: &Surroundings) -> Discovery {
        let mut run = Run { found: Discovery::default(), names: HashMap::new() };
        for name in &self.taken {
            run.names.insert(name.clone(), HOST.to_owned());
        }
        for path in &self.explicit {
            run.explicit(path);
        }
        for folder in &self.folders {
            run.folder(Origin::Folder, folder);
        }
        for name in &self.yielding {
            run.names.entry(name.clone()).or_insert_with(|| HOST.to_owned());
        }
        if self.environment {
            for folder in surroundings.plugin_path.iter().flat_map(env::split_paths) {
                // An empty entry, and any relative one, would be the working directory.
                if folder.is_absolute() {
                    run.folder(Origin::Environment, &folder);
                } else {
                    run.place(Origin::Environment, &folder, 0, Some("a relative folder".to_owned()));
                }
            }
        }
        if self.user
            && let Some(folder) = surroundings.user_folder()
        {
            run.folder(Origin::User, &folder);
        }
        if self.installed {
            run.folder(Origin::Installed, Path::new(INSTALLED));
        }
        run.found
    }
}

/// What the process's environment says.
#[derive(Default)]
struct Surroundings {
    plugin_path: Option<OsString>,
    data_home: Option<OsString>,
    home: Option<OsString>,
}

impl Surroundings {
    fn of_process() -> Surroundings {
        if elevated() {
            return Surroundings::default();
        }
        Surroundings {
            plugin_path: env::var_os(ENVIRONMENT),
            data_home: env::var_os("XDG_DATA_HOME"),
            home: env::var_os("HOME"),
        }
    }

    /// Relative values are to be ignored, says the XDG specification.
    fn user_folder(&self) -> Option<PathBuf> {
        let absolute = |p: &OsString| Some(PathBuf::from(p)).filter(|p| p.is_absolute());
        let below_home = || self.home.as_ref().and_then(absolute).map(|home| home.join(".local/share"));
        self.data_home.as_ref().and_then(absolute).or_else(below_home).map(|data| data.join(USER))
    }
}

#[cfg(target_os = "linux")]
fn elevated() -> bool {
    // SAFETY: reads the auxiliary vector of this process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

#[cfg(not(target_os = "linux"))]
fn elevated() -> bool {
    false
}

/// A search in progress.
struct Run {
    found: Discovery,
    /// Names that are taken, and by what.
    names: HashMap<String, String>,
}

impl Run {
    fn place(&mut self, origin: Origin, path: &Path, candidates: usize, passed_over: Option<String>) {
        self.found.places.push(Place { origin, path: path.to_owned(), candidates, passed_over });
    }

    fn folder(&mut self, origin: Origin, folder: &Path) {
        let manifests = match manifests(folder) {
            Ok(manifests) => manifests,
            Err(error) => return self.place(origin, folder, 0, Some(error.to_string())),
        };
        self.place(origin, folder, manifests.len(), None);
        for path in manifests {
            self.manifest(origin, path);
        }
    }

    fn explicit(&mut self, path: &Path) {
        if path.is_dir() {
            return self.folder(Origin::Explicit, path);
        }
        self.place(Origin::Explicit, path, 1, None);
        if path.extension().is_some_and(|e| e == "toml") {
            self.manifest(Origin::Explicit, path.to_owned());
        } else {
            self.library(path.to_owned());
        }
    }

    fn manifest(&mut self, origin: Origin, path: PathBuf) {
        let mut candidate = Candidate::new(origin, path);
        let result = self.judge(&mut candidate);
        self.settle(candidate, result);
    }

    fn judge(&mut self, candidate: &mut Candidate) -> Result<Plugin, Reason> {
        let real = trust::trusted(&candidate.path)?;
        let manifest = Manifest::read(&real)?;
        candidate.describe(&manifest);
        self.free(&manifest.name)?;
        candidate.library = Some(trust::library(&manifest, &real)?);
        Ok(Plugin::lazy(manifest, real))
    }

    fn library(&mut self, path: PathBuf) {
        let mut candidate = Candidate::new(Origin::Explicit, path);
        let result = trust::trusted(&candidate.path).and_then(|real| {
            candidate.library = Some(real.clone());
            let plugin = Plugin::eager(real)?;
            candidate.describe_loaded(&plugin);
            self.free(eigenscope::source::Loader::name(&plugin)).map(|()| plugin)
        });
        self.settle(candidate, result);
    }

    fn free(&self, name: &str) -> Result<(), Reason> {
        match self.names.get(name) {
            None => Ok(()),
            Some(first) => Err(Reason::DuplicateName { name: name.to_owned(), first: first.clone() }),
        }
    }

    fn settle(&mut self, mut candidate: Candidate, result: Result<Plugin, Reason>) {
        match result {
            Ok(plugin) => {
                let name = eigenscope::source::Loader::name(&plugin).to_owned();
                self.names.insert(name, candidate.path.display().to_string());
                candidate.state = if plugin.is_loaded() { State::Loaded } else { State::Found };
                candidate.plugin = Some(Arc::new(plugin));
            }
            Err(reason) => {
                log::info!("plugin {} passed over: {reason}", candidate.path.display());
                candidate.state = State::Refused(reason);
            }
        }
        self.found.candidates.push(candidate);
    }
}

/// The manifests in a folder, sorted by name.
fn manifests(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)?.take(MAX_ENTRIES) {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(plugin_path: &str, data_home: &str, home: &str) -> Surroundings {
        let some = |text: &str| (!text.is_empty()).then(|| OsString::from(text));
        Surroundings { plugin_path: some(plugin_path), data_home: some(data_home), home: some(home) }
    }

    #[test]
    fn a_host_that_asks_for_nothing_searches_nothing() {
        let found = Search::default().discover_in(&surroundings("/a:/b", "/data", "/home/me"));
        assert!(found.places.is_empty() && found.candidates.is_empty());
    }

    #[test]
    fn places_come_in_the_documented_order() {
        let search = Search {
            explicit: vec!["/x/one.toml".into()],
            folders: vec!["/api".into()],
            ..Search::everywhere()
        };
        let found = search.discover_in(&surroundings("/env1:/env2", "/data", "/home/me"));
        let places: Vec<(Origin, &str)> =
            found.places.iter().map(|p| (p.origin, p.path.to_str().unwrap())).collect();
        assert_eq!(
            places,
            [
                (Origin::Explicit, "/x/one.toml"),
                (Origin::Folder, "/api"),
                (Origin::Environment, "/env1"),
                (Origin::Environment, "/env2"),
                (Origin::User, "/data/eigenscope/plugins"),
                (Origin::Installed, INSTALLED),
            ]
        );
        assert!(found.places[1].passed_over.as_ref().unwrap().contains("No such file"));
    }

    #[test]
    fn the_working_directory_is_not_searched_through_the_environment() {
        let search = Search { environment: true, user: true, ..Search::default() };
        let found = search.discover_in(&surroundings(":.:plugins", "share", ""));
        assert_eq!(found.places.len(), 3);
        for place in &found.places {
            assert_eq!(place.passed_over.as_deref(), Some("a relative folder"), "{}", place.path.display());
        }
        let found = search.discover_in(&surroundings("", "share", "/home/me"));
        assert_eq!(found.places[0].path, Path::new("/home/me/.local/share/eigenscope/plugins"));
    }

    #[test]
    fn a_name_the_host_would_give_up_is_taken_in_the_usual_places() {
        let folder = tempfile::TempDir::new().unwrap();
        let manifest = "name = \"keras\"\nversion = \"1\"\nabi = \"rust-v1\"\nlibrary = \"a.so\"\n\
            [[formats]]\nname = \"Keras\"\nextensions = [\"keras\"]\n";
        fs::write(folder.path().join("a.toml"), manifest).unwrap();
        fs::write(folder.path().join("a.so"), "").unwrap();
        let mut search = Search { environment: true, ..Search::default() };
        let surroundings = surroundings(folder.path().to_str().unwrap(), "", "");
        assert_eq!(search.discover_in(&surroundings).candidates[0].state, State::Found);
        search.yielding = vec!["keras".to_owned()];
        let State::Refused(reason) = search.discover_in(&surroundings).candidates[0].state.clone() else {
            panic!()
        };
        assert_eq!(reason, Reason::DuplicateName { name: "keras".to_owned(), first: HOST.to_owned() });
    }
}
