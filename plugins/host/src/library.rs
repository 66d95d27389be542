//! Opening a shared library, once and for good.

use std::ffi::c_int;
use std::path::Path;

use crate::Reason;

/// Opens the library. It is never closed: thread-locals, `atexit` handlers and vtables of a library that is gone are a crash
/// to come (`docs/adr/0011-plugins-are-never-unloaded.md`).
///
/// `RTLD_LOCAL`: its symbols serve nobody else. `RTLD_NOW`: a missing one is an error here, not a crash later.
#[cfg(unix)]
pub(crate) fn open(path: &Path, deepbind: bool) -> Result<&'static libloading::Library, Reason> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    let flags = RTLD_NOW | RTLD_LOCAL | libc::RTLD_NODELETE | if deepbind { deepbind_flag() } else { 0 };
    // SAFETY: this runs the library's initialisers, which is what the user asked for by installing the plugin; what
    // can be checked without running it has been (`trust`).
    let library = unsafe { Library::open(Some(path), flags) };
    keep(library.map(libloading::Library::from))
}

#[cfg(not(unix))]
pub(crate) fn open(path: &Path, _deepbind: bool) -> Result<&'static libloading::Library, Reason> {
    // SAFETY: as above.
    keep(unsafe { libloading::Library::new(path) })
}

fn keep(
    opened: Result<libloading::Library, libloading::Error>,
) -> Result<&'static libloading::Library, Reason> {
    match opened {
        Ok(library) => Ok(Box::leak(Box::new(library))),
        // The linker's own words are one level down.
        Err(error) => {
            let words =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Err(Reason::NotLoadable { detail: words })
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn deepbind_flag() -> c_int {
    libc::RTLD_DEEPBIND
}

/// Only glibc has it; elsewhere the two-level namespace, or nothing, does its work.
#[cfg(all(unix, not(all(target_os = "linux", target_env = "gnu"))))]
fn deepbind_flag() -> c_int {
    0
}
