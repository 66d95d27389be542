//! Loaders from outside: tables of this program, plugins on disk.

use std::ffi::c_char;
use std::path::Path;
use std::sync::Arc;

use eigenscope_c_loader::{CLoader, LoaderTable, codes};
use eigenscope_host::{Search, State};

use crate::boundary;
use crate::engine::{Shared, egs_engine};
use crate::error::{Error, egs_error};
use crate::log;
use crate::text::path;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_engine_register_loader(
    engine: *const egs_engine,
    loader: *const LoaderTable,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(engine, error, |engine| {
            let loader = CLoader::new(loader, engine.shared.log.sink())
                .map_err(|(code, what)| Error::new(code, what))?;
            engine.shared.add(Arc::new(loader))
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_engine_load_plugins(
    engine: *const egs_engine,
    file: *const c_char,
    loaded: *mut usize,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(engine, error, |engine| {
            let file = if file.is_null() { None } else { Some(path(file, "path")?) };
            let count = load(&engine.shared, file)?;
            if !loaded.is_null() {
                loaded.write(count);
            }
            Ok(())
        })
    }
}

/// Adds what a path, or the usual places, hold.
fn load(shared: &Shared, file: Option<&Path>) -> Result<usize, Error> {
    let taken = shared.registry().loaders().iter().map(|l| l.name().to_owned()).collect();
    let search = match file {
        Some(file) => Search { explicit: vec![file.to_owned()], taken, ..Search::default() },
        None => Search { taken, ..Search::everywhere() },
    };
    let found = search.discover();
    let mut count = 0;
    let mut refused = Vec::new();
    for place in &found.places {
        if let Some(why) = &place.passed_over {
            shared.log.say(log::DEBUG, "plugins", || format!("{}: {why}", place.path.display()));
            refused.push(format!("{}: {why}", place.path.display()));
        }
    }
    for candidate in &found.candidates {
        if let State::Refused(reason) = &candidate.state {
            let why = format!("{}: {reason}", candidate.path.display());
            shared.log.say(log::WARN, "plugins", || why.clone());
            refused.push(why);
        }
    }
    for plugin in found.plugins() {
        plugin.log_to(shared.log.sink());
        shared.add(Arc::clone(plugin) as _)?;
        count += 1;
    }
    match (count, file) {
        (0, Some(file)) => {
            let why = if refused.is_empty() { "no plugin there".to_owned() } else { refused.join("; ") };
            let missing = !file.exists();
            Err(Error::new(if missing { codes::NOT_FOUND } else { codes::ABI }, why)
                .about("no plugin was loaded")
                .advice("a plugin is a .toml manifest beside its library, or the library itself"))
        }
        _ => Ok(count),
    }
}
