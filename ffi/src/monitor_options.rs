//! `egs_monitor_options`, and the trainer's callbacks.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use eigenscope_core::monitor::{Callback, Delivery, EpochReport, MonitorOptions, WhenBusy};
use serde_json::Value;

use crate::boundary::{self, Handle};
use crate::engine::egs_engine;
use crate::error::Error;
use crate::log::Log;
use crate::monitor_tables::epoch_report;
use crate::options::{call, egs_analysis_options};
use crate::report::{egs_report, egs_report_free};
use crate::text::optional;
use crate::verdict::egs_verdict;
use crate::{overlay, rules, structs};

/// `EGS_MONITOR_CALL_IN_POLL`.
pub(crate) const CALL_IN_POLL: u64 = 1;
/// `EGS_MONITOR_NORMAL_PRIORITY`.
pub(crate) const NORMAL_PRIORITY: u64 = 2;

/// `egs_epoch_fn`.
pub(crate) type EpochFn = unsafe extern "C" fn(*const egs_report, *const egs_verdict, *mut c_void);
/// `egs_free_fn`.
pub(crate) type FreeFn = unsafe extern "C" fn(*mut c_void);

/// `egs_monitor_options`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, non_camel_case_types)]
pub struct egs_monitor_options {
    pub struct_size: usize,
    pub flags: u64,
    pub engine: *const egs_engine,
    pub analysis: *const egs_analysis_options,
    pub threads: u32,
    pub queue: u32,
    pub budget_ms: u64,
    pub min_interval_ms: u64,
    pub history: u64,
    pub rules_on: u32,
    pub rules_off: u32,
    pub json: *const c_char,
    pub on_epoch: Option<EpochFn>,
    pub on_alarm: Option<EpochFn>,
    pub user: *mut c_void,
    pub user_free: Option<FreeFn>,
}

// SAFETY: no padding; zero is the default of every field.
unsafe impl structs::Sized for egs_monitor_options {
    const NAME: &'static str = "egs_monitor_options";
}

/// The trainer's pointer; the last callback to go calls its destructor.
pub(crate) struct User {
    pointer: *mut c_void,
    free: Option<FreeFn>,
}

// SAFETY: the header says on which threads callbacks and destructor run.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: function and pointer came together; once.
            unsafe { free(self.pointer) };
        }
    }
}

impl User {
    /// Ends without the destructor: the monitor was never opened.
    pub fn disarm(user: Arc<User>) {
        if let Some(mut user) = Arc::into_inner(user) {
            user.free = None;
        }
    }
}

/// What an `egs_monitor_options` says.
pub(crate) struct Opened {
    pub options: MonitorOptions,
    pub log: Log,
}

/// # Safety
/// `options` is NULL or as the header demands; what it points to likewise.
pub(crate) unsafe fn opened(options: *const egs_monitor_options) -> Result<(Opened, Arc<User>), Error> {
    // SAFETY: as the caller promises.
    let c = unsafe { structs::read_or_default(options) }?;
    let unknown = c.flags & !(CALL_IN_POLL | NORMAL_PRIORITY);
    if unknown != 0 {
        return Err(Error::argument(format!("egs_monitor_options.flags: unknown bits {unknown:#x}")));
    }
    let mut o = MonitorOptions::default();
    // SAFETY: NULL or as the header demands.
    let analysis = unsafe { call(c.analysis) }?;
    if analysis.format.is_some() || analysis.watch.is_set() {
        return Err(Error::argument("egs_monitor_options.analysis: format and progress must be NULL"));
    }
    o.analysis = analysis.options;
    o.threads = c.threads.max(1) as usize;
    o.low_priority = c.flags & NORMAL_PRIORITY == 0;
    o.budget_ms = match c.budget_ms {
        0 => o.budget_ms,
        u64::MAX => 0,
        ms => ms,
    };
    if c.queue > 0 {
        o.when_busy = WhenBusy::Queue(c.queue as usize);
    }
    o.min_interval = Duration::from_millis(c.min_interval_ms);
    if c.history > 0 {
        o.history = usize::try_from(c.history).unwrap_or(usize::MAX);
    }
    o.rules = rules::switched(c.rules_on, c.rules_off)?;
    // SAFETY: NULL or NUL-terminated.
    if let Some(json) = unsafe { optional(c.json, "egs_monitor_options.json") }? {
        laid(&mut o, json).map_err(|e| e.about("egs_monitor_options.json"))?;
    }
    if c.flags & CALL_IN_POLL != 0 {
        o.delivery = Delivery::Poll;
    }
    // SAFETY: NULL or live.
    let log = match unsafe { c.engine.as_ref() } {
        Some(engine) if !engine.state().at_home() => {
            return Err(Error::new(
                eigenscope_c_loader::codes::INVALID_STATE,
                "the engine belongs to another process",
            ));
        }
        Some(engine) => engine.shared.log,
        None => Log { function: None, user: std::ptr::null_mut(), level: 0 },
    };
    let user = Arc::new(User { pointer: c.user, free: c.user_free });
    o.on_epoch = c.on_epoch.map(|function| callback(function, &user));
    o.on_alarm = c.on_alarm.map(|function| callback(function, &user));
    Ok((Opened { options: o, log }, user))
}

fn callback(function: EpochFn, user: &Arc<User>) -> Callback {
    let user = Arc::clone(user);
    Box::new(move |report: &EpochReport| {
        let verdict = egs_verdict::of(report);
        let table = epoch_report(Arc::new(report.clone()));
        // SAFETY: function and pointer came together; report and verdict live until it returns, and are ended once.
        let _ = boundary::guarded(|| unsafe {
            function(table, &raw const verdict, user.pointer);
            egs_report_free(table);
        });
    })
}

/// Options as JSON: those of the struct under their own names, `analysis` as for an analysis, and `rules`.
fn laid(o: &mut MonitorOptions, json: &str) -> Result<(), Error> {
    for (key, value) in overlay::object(json, "the text")? {
        let wrong = || Error::argument(format!("'{key}' cannot be {value}"));
        let count = || value.as_u64().ok_or_else(wrong);
        let size = || count().and_then(|n| usize::try_from(n).map_err(|_| wrong()));
        match (key.as_str(), &value) {
            ("threads", _) => o.threads = size()?.max(1),
            ("queue", _) => {
                o.when_busy = match size()? {
                    0 => WhenBusy::LatestWins,
                    places => WhenBusy::Queue(places),
                }
            }
            // Here, as nothing else says "no limit", null does.
            ("budget_ms", Value::Null) => o.budget_ms = 0,
            ("budget_ms", _) => o.budget_ms = count()?,
            ("min_interval_ms", _) => o.min_interval = Duration::from_millis(count()?),
            ("history", _) => o.history = size()?,
            ("unchanged_below", _) => o.unchanged_below = value.as_f64().ok_or_else(wrong)?,
            ("low_priority", _) => o.low_priority = value.as_bool().ok_or_else(wrong)?,
            ("analysis", Value::Object(_)) => {
                o.analysis = overlay::options(o.analysis.clone(), &value.to_string(), "analysis")?;
            }
            ("rules", Value::Object(map)) => rules::object(&mut o.rules, map)?,
            ("analysis" | "rules", _) => return Err(wrong()),
            _ => {
                return Err(Error::argument(format!(
                    "unknown key '{key}'; there are: threads, queue, budget_ms, min_interval_ms, history, \
                     unchanged_below, low_priority, analysis, rules"
                )));
            }
        }
    }
    Ok(())
}
