//! A plugin of the ABI `c-v1`, the table of `include/eigenscope/plugin.h`, as a loader.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use eigenscope_c_loader::{ABI_MAJOR, ABI_MINOR, CLoader, Host, LoaderTable, LogSink, codes};

use crate::Reason;

/// The one function such a library exports; with the terminating zero that `dlsym` wants.
const SYMBOL: &str = "egs_plugin_entry_v1\0";

/// What every plugin is told of this host. Static: a plugin may keep the pointer.
static HOST: Host = Host { struct_size: size_of::<Host>(), abi_major: ABI_MAJOR, abi_minor: ABI_MINOR };

type Entry = unsafe extern "C" fn(*const Host) -> *const LoaderTable;

/// Whether the library has an entry point for the C table.
pub(crate) fn is_exported(library: &libloading::Library) -> bool {
    // SAFETY: the function is not called.
    unsafe { library.get::<Entry>(SYMBOL.as_bytes()) }.is_ok()
}

/// Takes the table of a library, which stays for the life of the process.
pub(crate) fn loader(library: &'static libloading::Library, log: LogSink) -> Result<CLoader, Reason> {
    // SAFETY: the name is this interface's own and says what the function is.
    let Ok(entry) = (unsafe { library.get::<Entry>(SYMBOL.as_bytes()) }) else {
        return Err(Reason::NotAPlugin { symbol: SYMBOL.trim_end_matches('\0').to_owned() });
    };
    // SAFETY: the entry point takes a host and returns NULL or a table for the rest of the process.
    let table = unsafe { entry(&raw const HOST) };
    if table.is_null() {
        let report = format!("It declines to work with plugin ABI {ABI_MAJOR}.{ABI_MINOR}");
        return Err(Reason::WrongInterface { report });
    }
    // SAFETY: as above.
    unsafe { CLoader::new(table, log) }.map_err(|(code, what)| match code {
        codes::ABI => Reason::WrongInterface { report: what },
        _ => Reason::Failed { detail: what },
    })
}

/// Where the messages of the plugin at `path` go: to whoever asked for them, or else to the process's logger.
pub(crate) fn sink(path: &Path, listener: &Arc<OnceLock<LogSink>>) -> LogSink {
    let target = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let listener = Arc::clone(listener);
    Arc::new(move |level, message| match listener.get() {
        Some(listener) => listener(level, message),
        None => {
            let level = log::Level::iter().nth(level.clamp(1, 4) as usize - 1).unwrap_or(log::Level::Debug);
            // A panic in the process's logger may not reach the plugin, which cannot be unwound.
            let said = catch_unwind(AssertUnwindSafe(|| log::log!(target: &target, level, "{message}")));
            if let Err(payload) = said {
                std::mem::forget(payload);
            }
        }
    })
}
