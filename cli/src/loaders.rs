//! The formats this command reads: those built in, one line each, and those of plugins.

use std::sync::Arc;

use eigenscope::source::{Loader, Registry};
use eigenscope_host::{Candidate, Discovery, Origin, Search, State};

use crate::args::PluginArgs;
use crate::failure::Failure;
use crate::unread;

/// Every loader built in.
pub fn built_in() -> Vec<Arc<dyn Loader>> {
    vec![
        Arc::new(eigenscope_safetensors::Safetensors),
        Arc::new(eigenscope_pytorch::Pytorch),
        Arc::new(eigenscope_onnx::Onnx),
        Arc::new(eigenscope_keras::Keras),
    ]
}

/// The loaders of a run, and what was passed over on the way to them.
#[derive(Debug)]
pub struct Loaders {
    /// Plugins that the command line names, loaders built in, plugins from the usual places: the first of a name wins,
    /// and of two that are equally sure of a file the first is tried first.
    pub registry: Registry,
    /// What the search for plugins looked at.
    pub found: Discovery,
}

impl Loaders {
    /// Looks in every place, and makes no fuss about what is passed over.
    pub fn search(args: &PluginArgs) -> Loaders {
        let built_in = built_in();
        let search = Search {
            explicit: args.plugin.clone(),
            folders: args.plugin_dir.clone(),
            yielding: built_in.iter().map(|l| l.name().to_owned()).collect(),
            ..Search::everywhere()
        };
        Loaders::new(built_in, search.discover())
    }

    fn new(built_in: Vec<Arc<dyn Loader>>, found: Discovery) -> Loaders {
        let mut registry = Registry::new();
        let plugins = |named: bool| {
            found.candidates.iter().filter(move |c| is_named(c.origin) == named).filter_map(Candidate::plugin)
        };
        for plugin in plugins(true) {
            registry.add(Arc::clone(plugin) as Arc<dyn Loader>);
        }
        for loader in built_in {
            if !registry.loaders().iter().any(|l| l.name() == loader.name()) {
                registry.add(loader);
            }
        }
        for plugin in plugins(false) {
            registry.add(Arc::clone(plugin) as Arc<dyn Loader>);
        }
        Loaders { registry, found }
    }

    /// The same for a command that opens models: what `--plugin` names must be usable, and where `--plugin-dir` points
    /// must be a folder.
    pub fn find(args: &PluginArgs) -> Result<Loaders, Failure> {
        let loaders = Loaders::search(args);
        for place in loaders.found.places.iter().filter(|p| is_named(p.origin)) {
            if let Some(why) = &place.passed_over {
                let option = origin(place.origin);
                return Err(Failure::new(format!("{option} {}: {why}", place.path.display())).usage());
            }
        }
        for candidate in loaders.found.candidates.iter().filter(|c| is_named(c.origin)) {
            let State::Refused(reason) = &candidate.state else { continue };
            let words = format!("plugin {} is not used: {reason}", candidate.path.display());
            if candidate.origin == Origin::Explicit {
                return Err(Failure::new(words).usage());
            }
            log::warn!("{words}");
        }
        Ok(loaders)
    }

    /// Whether there is a loader of that name; if not, what there is.
    pub fn check(&self, name: &str) -> Result<(), Failure> {
        let names: Vec<&str> = self.registry.loaders().iter().map(|l| l.name()).collect();
        match names.contains(&name) {
            true => Ok(()),
            false => Err(unread::no_loader(name, &names, &self.found)),
        }
    }
}

/// Whether the command line names the place.
fn is_named(origin: Origin) -> bool {
    matches!(origin, Origin::Explicit | Origin::Folder)
}

/// The place as the user knows it.
pub fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Explicit => "--plugin",
        Origin::Folder => "--plugin-dir",
        Origin::Environment => eigenscope_host::ENVIRONMENT,
        Origin::User => "the user's folder",
        Origin::Installed => "the installed folder",
        _ => "elsewhere",
    }
}
