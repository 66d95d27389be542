//! Commits between the trainer and the monitor's thread, and reports on their way back.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::submission::Snapshot;
use super::{Committed, Counters, EpochReport, WhenBusy};

/// Reports kept for a caller that does not poll; older ones are lost, and counted.
const UNREAD: usize = 32;

/// Everything the trainer's threads and the monitor's thread share while both run.
pub(super) struct Exchange {
    state: Mutex<State>,
    /// A commit came, or the end.
    work: Condvar,
    /// A report came, or the monitor fell idle, or the end.
    news: Condvar,
    closed: AtomicBool,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Snapshot>,
    busy: bool,
    last_accepted: Option<Instant>,
    unread: VecDeque<Arc<EpochReport>>,
    latest: Option<Arc<EpochReport>>,
    counters: Counters,
}

impl Exchange {
    pub fn new() -> Self {
        Exchange {
            state: Mutex::default(),
            work: Condvar::new(),
            news: Condvar::new(),
            closed: AtomicBool::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends the work: what waits is dropped, what is under way stops at the next layer.
    pub fn close(&self) {
        let mut state = self.state();
        self.closed.store(true, Ordering::Release);
        let dropped = std::mem::take(&mut state.waiting);
        state.counters.dropped += dropped.len() as u64;
        drop(state);
        // Tensors may run code of the trainer's when they go; never under a lock.
        drop(dropped);
        self.work.notify_all();
        self.news.notify_all();
    }

    /// Hands over a commit, or not.
    pub fn put(&self, snapshot: Snapshot, when_busy: WhenBusy, min_interval: Duration) -> Committed {
        let mut state = self.state();
        state.counters.commits += 1;
        let now = (!min_interval.is_zero()).then(Instant::now);
        if let (Some(now), Some(last)) = (now, state.last_accepted)
            && now.duration_since(last) < min_interval
        {
            state.counters.skipped += 1;
            drop(state);
            drop(snapshot);
            return Committed::Skipped;
        }
        let places = if let WhenBusy::Queue(places) = when_busy { places } else { 1 };
        let full = state.waiting.len() >= places;
        let (committed, dropped) = if self.closed() || (full && when_busy != WhenBusy::LatestWins) {
            (Committed::Dropped, Some(snapshot))
        } else {
            state.last_accepted = now;
            state.waiting.push_back(snapshot);
            if full { (Committed::Replaced, state.waiting.pop_front()) } else { (Committed::Queued, None) }
        };
        state.counters.dropped += u64::from(dropped.is_some());
        drop(state);
        drop(dropped);
        self.work.notify_one();
        committed
    }

    /// The next commit, for the monitor's thread; `None` at the end.
    pub fn take(&self) -> Option<Snapshot> {
        let mut state = self.state();
        state.busy = false;
        self.news.notify_all();
        loop {
            if self.closed() {
                return None;
            }
            if let Some(snapshot) = state.waiting.pop_front() {
                state.busy = true;
                return Some(snapshot);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts something.
    pub fn count(&self, what: impl FnOnce(&mut Counters)) -> Counters {
        let mut state = self.state();
        what(&mut state.counters);
        state.counters
    }

    /// A finished report.
    pub fn publish(&self, report: Arc<EpochReport>) {
        let mut state = self.state();
        state.latest = Some(Arc::clone(&report));
        if state.unread.len() >= UNREAD {
            state.unread.pop_front();
            state.counters.unread_lost += 1;
        }
        state.unread.push_back(report);
        drop(state);
        self.news.notify_all();
    }

    pub fn latest(&self) -> Option<Arc<EpochReport>> {
        self.state().latest.clone()
    }

    pub fn counters(&self) -> Counters {
        self.state().counters
    }

    /// The oldest unread report, waiting so long for one to come; not at all once closed.
    pub fn read(&self, timeout: Duration) -> Option<Arc<EpochReport>> {
        self.wait_until(timeout, |state| state.unread.pop_front())
    }

    /// Waits until nothing is under way; says whether that is so.
    pub fn wait_idle(&self, timeout: Duration) -> bool {
        self.wait_until(timeout, |state| (state.waiting.is_empty() && !state.busy).then_some(())).is_some()
    }

    fn wait_until<T>(&self, timeout: Duration, mut found: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        // A timeout beyond what the clock can count is none.
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.state();
        loop {
            if let Some(found) = found(&mut state) {
                return Some(found);
            }
            let left = deadline.map_or(Duration::MAX, |d| d.saturating_duration_since(Instant::now()));
            if left.is_zero() || self.closed() {
                return None;
            }
            state = self.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
