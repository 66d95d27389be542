//! Engine: threads, loaders, a log function.

use std::ffi::{CString, c_char, c_void};
use std::sync::{Arc, PoisonError, RwLock};

use eigenscope_c_loader::codes;
use eigenscope_core::analysis::{Engine, EngineOptions};
use eigenscope_core::source::{Loader, Registry};
use serde_json::Value;

use crate::boundary::{self, Handle, State};
use crate::error::{Error, egs_error};
use crate::log::{self, Log, LogFn};
use crate::text::{cstring, optional};
use crate::{overlay, structs};

/// Most threads of an engine: more than any machine a trainer shares with it.
const MAX_THREADS: u32 = 1024;
/// `EGS_ENGINE_LOW_PRIORITY`.
pub(crate) const LOW_PRIORITY: u64 = 1;
/// `EGS_ENGINE_NO_LOADERS`.
pub(crate) const NO_LOADERS: u64 = 2;
/// Stack of the thread that starts the others.
const STARTER_STACK: usize = 256 << 10;
/// How far the engine's threads stand back on request.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// `egs_engine_options`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, non_camel_case_types)]
pub struct egs_engine_options {
    pub struct_size: usize,
    pub flags: u64,
    pub threads: u32,
    pub log_level: i32,
    pub log: Option<LogFn>,
    pub log_user: *mut c_void,
    pub json: *const c_char,
    pub max_memory: u64,
}

// SAFETY: no padding; zero is "no" for every field.
unsafe impl structs::Sized for egs_engine_options {
    const NAME: &'static str = "egs_engine_options";
}

/// What an engine and everything made with it share.
pub(crate) struct Shared {
    pub engine: Engine,
    pub log: Log,
    loaders: RwLock<Loaders>,
}

#[derive(Default)]
struct Loaders {
    registry: Registry,
    /// For C, which is lent them until the engine ends.
    names: Vec<CString>,
}

impl Shared {
    /// The loaders as they are now.
    pub fn registry(&self) -> Registry {
        self.loaders.read().unwrap_or_else(PoisonError::into_inner).registry.clone()
    }

    /// Adds a loader unless there is one of its name.
    pub fn add(&self, loader: Arc<dyn Loader>) -> Result<(), Error> {
        let mut loaders = self.loaders.write().unwrap_or_else(PoisonError::into_inner);
        let name = loader.name().to_owned();
        if loaders.registry.loaders().iter().any(|l| l.name() == name) {
            return Err(Error::new(
                codes::INVALID_STATE,
                format!("there is a loader named '{name}' already"),
            ));
        }
        self.log.say(log::INFO, "plugins", || format!("loader '{name}' added"));
        loaders.names.push(cstring(&name));
        loaders.registry.add(loader);
        Ok(())
    }
}

/// An engine that C owns.
#[allow(non_camel_case_types)]
pub struct egs_engine {
    state: State,
    pub(crate) shared: Arc<Shared>,
}

impl Handle for egs_engine {
    const NAME: &'static str = "engine";
    fn state(&self) -> &State {
        &self.state
    }
}

struct Settings {
    threads: u32,
    low_priority: bool,
    log_level: i32,
    max_memory: u64,
}

fn settings(options: &egs_engine_options) -> Result<Settings, Error> {
    if options.flags & !(LOW_PRIORITY | NO_LOADERS) != 0 {
        return Err(Error::argument(format!(
            "egs_engine_options.flags: unknown bits in {:#x}",
            options.flags
        )));
    }
    let mut settings = Settings {
        threads: options.threads.max(1),
        low_priority: options.flags & LOW_PRIORITY != 0,
        log_level: options.log_level,
        max_memory: options.max_memory,
    };
    // SAFETY: NULL or NUL-terminated, as the header demands.
    if let Some(json) = unsafe { optional(options.json, "egs_engine_options.json") }? {
        for (key, value) in overlay::object(json, "egs_engine_options.json")? {
            json_setting(&mut settings, &key, &value).ok_or_else(|| {
                Error::argument(format!("egs_engine_options.json: '{key}' cannot be {value}"))
            })??;
        }
    }
    if settings.threads > MAX_THREADS {
        let found = settings.threads;
        return Err(Error::argument(format!(
            "threads: expected 1 to {MAX_THREADS}, or 0 for 1, found {found}"
        )));
    }
    if !(0..=log::DEBUG).contains(&settings.log_level) {
        let found = settings.log_level;
        return Err(Error::argument(format!(
            "log_level: expected EGS_LOG_OFF (0) to EGS_LOG_DEBUG (4), found {found}"
        )));
    }
    Ok(settings)
}

/// `None` for a value of the wrong kind.
fn json_setting(settings: &mut Settings, key: &str, value: &Value) -> Option<Result<(), Error>> {
    match key {
        "threads" => settings.threads = u32::try_from(value.as_u64()?).ok()?.max(1),
        "max_memory" => settings.max_memory = value.as_u64()?,
        "low_priority" => settings.low_priority = value.as_bool()?,
        "log_level" => {
            let words = ["off", "error", "warn", "info", "debug"];
            settings.log_level = words.iter().position(|w| Some(*w) == value.as_str())? as i32;
        }
        _ => {
            let what = format!(
                "egs_engine_options.json: unknown key '{key}'; there are: threads, max_memory, low_priority, log_level"
            );
            return Some(Err(Error::argument(what)));
        }
    }
    Some(Ok(()))
}

/// Runs something that starts threads. They begin life with the signal mask and, on Linux, the priority of the thread that starts
/// them, so that is one of its own, short-lived, with the mask and priority they should have.
pub(crate) fn on_starter<T: Send + 'static>(
    low_priority: bool,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let starter = move || {
        stand_back(low_priority);
        run()
    };
    let spawned = std::thread::Builder::new()
        .name("eigenscope-start".to_owned())
        .stack_size(STARTER_STACK)
        .spawn(starter);
    let io = |e: std::io::Error| Error::new(codes::IO, format!("cannot start a thread: {e}"));
    spawned.map_err(io)?.join().or_else(|payload| std::panic::resume_unwind(payload))
}

#[cfg(unix)]
fn stand_back(low_priority: bool) {
    // SAFETY: plain system calls on this thread. A signal meant for the host must not run its handler on our threads.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        // Those that a fault of the thread itself raises must reach it.
        for fault in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGILL,
            libc::SIGTRAP,
            libc::SIGABRT,
            libc::SIGPROF,
        ] {
            libc::sigdelset(&raw mut all, fault);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
        #[cfg(target_os = "linux")]
        if low_priority {
            // On Linux this is the priority of the calling thread, inherited by those it starts.
            libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = low_priority;
}

#[cfg(not(unix))]
fn stand_back(_low_priority: bool) {}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_engine_new(
    options: *const egs_engine_options,
    out: *mut *mut egs_engine,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::status(error, || {
            let options = structs::read_or_default(options)?;
            if out.is_null() {
                return Err(Error::null("out"));
            }
            let settings = settings(&options)?;
            let log = Log { function: options.log, user: options.log_user, level: settings.log_level };
            let limit = Some(settings.max_memory).filter(|bytes| *bytes > 0);
            let engine_options = EngineOptions::threads(settings.threads as usize).max_memory(limit);
            let engine = on_starter(settings.low_priority, move || Engine::new(engine_options))??;
            let shared = Shared { engine, log, loaders: RwLock::default() };
            if options.flags & NO_LOADERS == 0 {
                shared.add(Arc::new(eigenscope_safetensors::Safetensors))?;
                shared.add(Arc::new(eigenscope_pytorch::Pytorch))?;
                shared.add(Arc::new(eigenscope_onnx::Onnx))?;
                shared.add(Arc::new(eigenscope_keras::Keras))?;
            }
            out.write(Box::into_raw(Box::new(egs_engine { state: State::new(), shared: Arc::new(shared) })));
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_engine_free(engine: *mut egs_engine) {
    // SAFETY: NULL or live and not used again, as the header demands.
    unsafe { boundary::free(engine) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_engine_loaders(engine: *const egs_engine) -> usize {
    // SAFETY: NULL or live.
    unsafe { boundary::get(engine, 0, |e| e.shared.registry().loaders().len()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_engine_loader_name(engine: *const egs_engine, index: usize) -> *const c_char {
    // SAFETY: NULL or live.
    unsafe {
        boundary::get(engine, std::ptr::null(), |e| {
            let loaders = e.shared.loaders.read().unwrap_or_else(PoisonError::into_inner);
            // The bytes of a name stay where they are when the list grows.
            loaders.names.get(index).map_or(std::ptr::null(), |name| name.as_ptr())
        })
    }
}
