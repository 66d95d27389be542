//! Monitors.

use std::ffi::c_char;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eigenscope_c_loader::{DLManagedTensorVersioned, RawView, ViewError, codes};
use eigenscope_core::monitor::{
    Assignment, Committed, Counters, Hints, Monitor, MonitorError, MultiplierOptions, TensorRole,
};
use eigenscope_core::tensor::Tensor;

use crate::analyze::{taken, too_large};
use crate::boundary::{self, Handle, State};
use crate::copies::Copies;
use crate::engine::on_starter;
use crate::error::{Error, egs_error};
use crate::log::{self, Log};
use crate::monitor_options::{User, egs_monitor_options, opened};
use crate::monitor_tables::{epoch_report, history};
use crate::report::egs_report;
use crate::structs;
use crate::tensor::{described, egs_tensor};
use crate::text::{given, optional};
use crate::verdict::egs_verdict;

/// `EGS_BORROW`.
pub(crate) const BORROW: u32 = 256;
/// `EGS_MULTIPLIER_*`.
pub(crate) const INVERTED: u64 = 1;
pub(crate) const KEEP_FIRST: u64 = 2;
pub(crate) const KEEP_LAST: u64 = 4;

/// A monitor that C owns.
#[allow(non_camel_case_types)]
pub struct egs_monitor {
    state: State,
    inner: Arc<Inner>,
}

/// What a call keeps while it runs, even when a callback in it closes the monitor.
struct Inner {
    monitor: Monitor,
    log: Log,
    /// Tensors submitted since the last commit.
    submitted: AtomicUsize,
    copies: Copies,
    /// The trainer's own numbers for the next commit.
    metrics: Mutex<Vec<(String, f64)>>,
    /// Ends after the monitor, which is declared first.
    _user: Arc<User>,
}

impl Handle for egs_monitor {
    const NAME: &'static str = "monitor";
    fn state(&self) -> &State {
        &self.state
    }
}

impl From<MonitorError> for Error {
    fn from(error: MonitorError) -> Error {
        let message = error.to_string();
        match error {
            MonitorError::Options(_) | MonitorError::Invalid { .. } => {
                Error::argument(message).advice("correct the options")
            }
            MonitorError::TooMany { .. } => {
                Error::argument(message).advice("commit more often, or submit less")
            }
            MonitorError::NoColumn(_) => Error::new(codes::NOT_FOUND, message),
            MonitorError::Thread(_) => Error::new(codes::IO, message),
            MonitorError::Forked { .. } | MonitorError::Closed => Error::new(codes::INVALID_STATE, message),
            _ => Error::new(codes::INTERNAL, message),
        }
    }
}

/// `egs_counters`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, non_camel_case_types)]
pub struct egs_counters {
    pub struct_size: usize,
    pub commits: u64,
    pub analyzed: u64,
    pub dropped: u64,
    pub skipped: u64,
    pub failed: u64,
    pub unread_lost: u64,
}

// SAFETY: no padding; zero is a valid bit pattern of every field.
unsafe impl structs::Sized for egs_counters {
    const NAME: &'static str = "egs_counters";
}

/// `egs_multiplier_options`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, non_camel_case_types)]
pub struct egs_multiplier_options {
    pub struct_size: usize,
    pub flags: u64,
    pub assignment: i32,
    pub role: u32,
    pub low: f64,
    pub high: f64,
    pub steepness: f64,
    pub min_evals: u64,
    pub metric: *const c_char,
}

// SAFETY: no padding; zero is the default of every field.
unsafe impl structs::Sized for egs_multiplier_options {
    const NAME: &'static str = "egs_multiplier_options";
}

fn role(code: u32) -> Result<TensorRole, Error> {
    match code {
        0 => Ok(TensorRole::Weight),
        1 => Ok(TensorRole::Gradient),
        2 => Ok(TensorRole::Momentum),
        _ => Err(Error::argument(format!("role: {code:#x} is not known"))),
    }
}

/// What a tensor that is held describes.
fn view(tensor: &Tensor) -> Result<RawView, ViewError> {
    let (bytes, origin) = tensor.storage();
    let size = tensor.dtype().size().max(1) as isize;
    let shape: Vec<i64> = tensor.shape().iter().map(|&extent| extent as i64).collect();
    let strides: Vec<i64> = tensor.byte_strides().iter().map(|stride| (stride / size) as i64).collect();
    RawView::new(tensor.dtype(), &shape, Some(&strides), bytes.as_ptr().wrapping_add(origin))
}

impl Inner {
    /// # Safety
    /// As for [`RawView::copy`].
    unsafe fn copy(&self, view: &RawView) -> Result<Tensor, ViewError> {
        // SAFETY: as the caller promises.
        unsafe { view.copy(|size| self.copies.take(size), |copy| self.copies.lend(copy)) }
    }

    fn submit(&self, name: &str, role: TensorRole, hints: Hints, tensor: Tensor) -> Result<(), Error> {
        if let Some(why) = too_large(tensor.shape()) {
            return Err(Error::new(codes::UNSUPPORTED, format!("tensor '{name}': {why}")));
        }
        self.monitor.submit(name, role, hints, tensor)?;
        self.submitted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn commit(&self, step: u64, epoch: f64, loss: f64) -> Result<(), Error> {
        if self.submitted.swap(0, Ordering::Relaxed) == 0 {
            return Err(Error::new(
                codes::INVALID_STATE,
                "commit: nothing was submitted since the last commit",
            )
            .advice("call egs_monitor_submit() for each tensor first"));
        }
        self.copies.committed();
        let own = std::mem::take(&mut *self.metrics.lock().unwrap_or_else(PoisonError::into_inner));
        let mut metrics: Vec<(&str, f64)> = own.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        if !loss.is_nan() {
            metrics.push(("loss", loss));
        }
        let committed = self.monitor.commit(step, (!epoch.is_nan()).then_some(epoch), &metrics)?;
        self.log.say(log::DEBUG, "monitor", || match committed {
            Committed::Queued => format!("step {step}: queued"),
            Committed::Replaced => format!("step {step}: queued in the place of an earlier commit"),
            Committed::Dropped => format!("step {step}: dropped, the queue is full"),
            Committed::Skipped => format!("step {step}: skipped, too soon after the last commit"),
        });
        Ok(())
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_open(
    options: *const egs_monitor_options,
    out: *mut *mut egs_monitor,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::status(error, || {
            if out.is_null() {
                return Err(Error::null("out"));
            }
            let (opened, user) = opened(options)?;
            let (log, options) = (opened.log, opened.options);
            // Callbacks that go unused with the options must not take the destructor along.
            let monitor = match on_starter(false, move || Monitor::open(options)).and_then(|m| Ok(m?)) {
                Ok(monitor) => monitor,
                Err(e) => {
                    User::disarm(user);
                    return Err(e);
                }
            };
            if let Err(why) = monitor.low_priority() {
                log.say(log::WARN, "monitor", || format!("low priority: {why}"));
            }
            let inner = Inner {
                monitor,
                log,
                submitted: AtomicUsize::new(0),
                copies: Copies::default(),
                metrics: Mutex::default(),
                _user: user,
            };
            out.write(Box::into_raw(Box::new(egs_monitor { state: State::new(), inner: Arc::new(inner) })));
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_close(monitor: *mut egs_monitor) {
    // SAFETY: NULL or live and not used again, as the header demands.
    unsafe { boundary::free(monitor) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_submit(
    monitor: *const egs_monitor,
    name: *const c_char,
    tensor: *const egs_tensor,
    flags: u32,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(monitor, error, |monitor| {
            let (name, role) = (given(name, "name")?, role(flags & !BORROW)?);
            let described = described(tensor).map_err(|e| e.about(&format!("tensor '{name}'")))?;
            let tensor = if flags & BORROW == 0 {
                monitor.inner.copy(&described.view)
            } else {
                described.view.lend(Box::new(()))
            }?;
            let hints = Hints { kind: described.kind, layout: described.layout, stacked: None };
            monitor.inner.submit(name, role, hints, tensor)
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_submit_dlpack(
    monitor: *const egs_monitor,
    name: *const c_char,
    managed: *mut DLManagedTensorVersioned,
    flags: u32,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        let taken = boundary::guarded(|| taken(managed));
        boundary::on(monitor, error, |monitor| {
            let lent = taken.unwrap_or_else(|e| Err(Error::new(codes::PANIC, e)))?;
            let (name, role) = (given(name, "name")?, role(flags & !BORROW)?);
            let tensor = if flags & BORROW == 0 { monitor.inner.copy(&view(&lent)?)? } else { lent };
            monitor.inner.submit(name, role, Hints::default(), tensor)
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_metric(
    monitor: *const egs_monitor,
    name: *const c_char,
    value: f64,
    error: *mut *mut egs_error,
) -> i32 {
    /// Numbers that may be added before a commit refuses them all.
    const MAX_METRICS: usize = 1000;
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(monitor, error, |monitor| {
            let name = given(name, "name")?;
            let mut metrics = monitor.inner.metrics.lock().unwrap_or_else(PoisonError::into_inner);
            if metrics.len() >= MAX_METRICS {
                return Err(Error::argument(format!("more than {MAX_METRICS} numbers for one commit")));
            }
            metrics.push((name.to_owned(), value));
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_commit(
    monitor: *const egs_monitor,
    step: u64,
    epoch: f64,
    loss: f64,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe { boundary::on(monitor, error, |monitor| monitor.inner.commit(step, epoch, loss)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_discard(monitor: *const egs_monitor, error: *mut *mut egs_error) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(monitor, error, |monitor| {
            monitor.inner.submitted.store(0, Ordering::Relaxed);
            monitor.inner.metrics.lock().unwrap_or_else(PoisonError::into_inner).clear();
            Ok(monitor.inner.monitor.discard()?)
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_poll(
    monitor: *const egs_monitor,
    timeout_ms: u32,
    out: *mut egs_verdict,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(monitor, error, |monitor| {
            let inner = Arc::clone(&monitor.inner);
            // Refused before a report is taken that nobody would see.
            structs::read(out.cast_const())?;
            let report = inner.monitor.wait(Duration::from_millis(timeout_ms.into()))?;
            structs::write(out, &report.map_or_else(egs_verdict::none, |r| egs_verdict::of(&r)))
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_wait(
    monitor: *const egs_monitor,
    timeout_ms: u32,
    idle: *mut i32,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(monitor, error, |monitor| {
            if idle.is_null() {
                return Err(Error::null("idle"));
            }
            let inner = Arc::clone(&monitor.inner);
            let is_idle = inner.monitor.wait_idle(Duration::from_millis(timeout_ms.into()))?;
            idle.write(is_idle.into());
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_verdict(
    monitor: *const egs_monitor,
    out: *mut egs_verdict,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(monitor, error, |monitor| {
            let latest = monitor.inner.monitor.report()?;
            structs::write(out, &latest.map_or_else(egs_verdict::none, |r| egs_verdict::of(&r)))
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_report(
    monitor: *const egs_monitor,
    out: *mut *mut egs_report,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(monitor, error, |monitor| {
            if out.is_null() {
                return Err(Error::null("out"));
            }
            let Some(report) = monitor.inner.monitor.report()? else {
                return Err(Error::new(codes::NOT_FOUND, "no commit has been analysed yet")
                    .advice("wait with egs_monitor_wait()"));
            };
            out.write(epoch_report(report));
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_history(
    monitor: *const egs_monitor,
    out: *mut *mut egs_report,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(monitor, error, |monitor| {
            if out.is_null() {
                return Err(Error::null("out"));
            }
            out.write(history(monitor.inner.monitor.history()?));
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_counters(
    monitor: *const egs_monitor,
    out: *mut egs_counters,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(monitor, error, |monitor| {
            let Counters { commits, analyzed, dropped, skipped, failed, unread_lost, .. } =
                monitor.inner.monitor.counters()?;
            let counters =
                egs_counters { struct_size: 0, commits, analyzed, dropped, skipped, failed, unread_lost };
            structs::write(out, &counters)
        })
    }
}

/// # Safety
/// `options` is NULL or as the header demands.
unsafe fn multiplier_options(options: *const egs_multiplier_options) -> Result<MultiplierOptions, Error> {
    // SAFETY: as the caller promises.
    let c = unsafe { structs::read_or_default(options) }?;
    let unknown = c.flags & !(INVERTED | KEEP_FIRST | KEEP_LAST);
    if unknown != 0 {
        return Err(Error::argument(format!("egs_multiplier_options.flags: unknown bits {unknown:#x}")));
    }
    if ![c.low, c.high, c.steepness].iter().all(|v| v.is_finite()) {
        return Err(Error::argument("egs_multiplier_options: low, high and steepness must be finite"));
    }
    let published = c.low == 0.0 && c.high == 0.0;
    let bounds = |low: f64, high: f64| if published { (low, high) } else { (c.low, c.high) };
    let steepness = |default: f64| if c.steepness == 0.0 { default } else { c.steepness };
    let assignment = match c.assignment {
        0 => {
            let (min, max) = bounds(0.5, 1.5);
            Assignment::LinearMap { min, max }
        }
        1 => Assignment::Sqrt,
        2 => Assignment::Log2,
        3 => {
            let (min, max) = bounds(0.5, 1.5);
            Assignment::Step { min, max }
        }
        4 => {
            let (below, above) = bounds(0.25, 0.25);
            Assignment::StdSigmoid { above, below, steepness: steepness(1.0) }
        }
        5 => Assignment::Sigmoid { steepness: steepness(4.0) },
        other => {
            return Err(Error::argument(format!("egs_multiplier_options.assignment: {other} is not known")));
        }
    };
    let defaults = MultiplierOptions::default();
    let min_evals = usize::try_from(c.min_evals).unwrap_or(usize::MAX);
    let mut o = MultiplierOptions {
        assignment,
        role: role(c.role)?,
        inverted: c.flags & INVERTED != 0,
        skip_first: c.flags & KEEP_FIRST != 0,
        skip_last: c.flags & KEEP_LAST != 0,
        min_evals: if min_evals == 0 { defaults.min_evals } else { min_evals },
        ..defaults
    };
    // SAFETY: NULL or NUL-terminated.
    if let Some(metric) = unsafe { optional(c.metric, "egs_multiplier_options.metric") }? {
        metric.clone_into(&mut o.metric);
    }
    Ok(o)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_monitor_multipliers(
    monitor: *const egs_monitor,
    options: *const egs_multiplier_options,
    out: *mut f32,
    capacity: usize,
    count: *mut usize,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(monitor, error, |monitor| {
            let factors = monitor.inner.monitor.multipliers(&multiplier_options(options)?)?;
            let only_count = out.is_null() && capacity == 0;
            if only_count && count.is_null() {
                return Err(Error::null("count"));
            }
            if !only_count {
                if out.is_null() {
                    return Err(Error::null("out"));
                }
                if capacity < factors.len() {
                    return Err(Error::argument(format!(
                        "capacity: expected at least {}, found {capacity}",
                        factors.len()
                    )));
                }
                for (i, factor) in factors.iter().enumerate() {
                    out.add(i).write(*factor as f32);
                }
            }
            if !count.is_null() {
                count.write(factors.len());
            }
            Ok(())
        })
    }
}
