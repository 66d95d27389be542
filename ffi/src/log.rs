//! The log function of an engine. Messages go there by hand: no logger is registered with anyone.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use eigenscope_c_loader::LogSink;

use crate::text::cstring;

pub(crate) const WARN: i32 = 2;
pub(crate) const INFO: i32 = 3;
pub(crate) const DEBUG: i32 = 4;

/// `egs_log_fn`.
pub(crate) type LogFn = unsafe extern "C" fn(i32, *const c_char, *const c_char, *mut c_void);

/// Who listens, and to what.
#[derive(Clone, Copy)]
pub(crate) struct Log {
    pub function: Option<LogFn>,
    pub user: *mut c_void,
    pub level: i32,
}

// SAFETY: the header demands a function that may be called on any thread, with this pointer.
unsafe impl Send for Log {}
// SAFETY: as above.
unsafe impl Sync for Log {}

impl Log {
    pub fn say(&self, level: i32, target: &str, message: impl FnOnce() -> String) {
        if let Some(function) = self.function.filter(|_| level <= self.level) {
            let (target, message) = (cstring(target), cstring(&message()));
            // SAFETY: the header says what the function is called with.
            unsafe { function(level, target.as_ptr(), message.as_ptr(), self.user) };
        }
    }

    /// For loaders, under a target of their own.
    pub fn sink(self) -> LogSink {
        Arc::new(move |level, message| self.say(level, "loader", || message.to_owned()))
    }
}
