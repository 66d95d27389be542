//! Runs numbered jobs on the monitor's thread and, if it may have more, on helpers beside it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use eigenscope_linalg::Reuse;

use super::priority::thread_time;
use crate::analysis::STACK;

/// What jobs gave, and the CPU they took.
pub(super) struct Done<T> {
    /// By number, ascending.
    pub results: Vec<(usize, T)>,
    pub cpu: Duration,
}

/// Does jobs `0..count` in that order, `threads` at a time, until `go_on` (told the CPU time of the finished ones)
/// says no.
pub(super) fn run<T: Send>(
    threads: usize,
    count: usize,
    go_on: impl Fn(Duration) -> bool + Sync,
    job: impl Fn(usize) -> T + Sync,
) -> Done<T> {
    let (next, spent) = (AtomicUsize::new(0), AtomicU64::new(0));
    let results = Mutex::new(Vec::with_capacity(count));
    let work = || {
        let _reuse = Reuse::begin();
        while go_on(Duration::from_nanos(spent.load(Ordering::Relaxed))) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            let start = thread_time();
            let result = job(number);
            let took = thread_time().saturating_sub(start).as_nanos();
            spent.fetch_add(u64::try_from(took).unwrap_or(u64::MAX), Ordering::Relaxed);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
        }
    };
    std::thread::scope(|scope| {
        let start = |helper: usize| {
            let name = format!("eigenscope-monitor-{helper}");
            std::thread::Builder::new().name(name).stack_size(STACK).spawn_scoped(scope, work)
        };
        // Without a helper the work takes longer, no more.
        let helpers: Vec<_> = (1..threads.min(count)).filter_map(|helper| start(helper).ok()).collect();
        work();
        // The scope alone would wait for their work, not for their end, and they would outlive the monitor by a moment.
        for helper in helpers {
            if let Err(panic) = helper.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(number, _)| *number);
    Done { results, cpu: Duration::from_nanos(spent.into_inner()) }
}
