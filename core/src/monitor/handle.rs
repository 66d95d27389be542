//! The monitor as the trainer sees it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use super::multipliers::multipliers;
use super::submission::{Draft, Entry, Snapshot, own_metrics};
use super::worker::Shared;
use super::{
    Committed, Counters, Delivery, EpochReport, Hints, History, MonitorError, MonitorOptions,
    MultiplierOptions, Stamp, TensorRole, Verdict, WhenBusy, priority,
};
use crate::analysis::STACK;
use crate::tensor::Tensor;

/// Watches a training run: takes tensors, analyses them on its own thread, and says how the run looks.
///
/// All methods may be called from any thread at any time. None blocks on an analysis but [`wait`](Self::wait),
/// [`wait_idle`](Self::wait_idle) and [`close`](Self::close); none calls the trainer's code while it holds a lock.
pub struct Monitor {
    shared: Arc<Shared>,
    draft: Mutex<Open>,
    thread: Mutex<Option<JoinHandle<()>>>,
    thread_id: ThreadId,
    process: u32,
    when_busy: WhenBusy,
    min_interval: Duration,
    low_priority: Result<(), String>,
}

/// The commit being filled, and the names of the one before.
#[derive(Default)]
struct Open {
    draft: Draft,
    names: Vec<String>,
}

impl Monitor {
    /// Starts the monitor's thread.
    pub fn open(options: MonitorOptions) -> Result<Monitor, MonitorError> {
        options.validate()?;
        if cfg!(target_family = "wasm") {
            return Err(MonitorError::Thread("this platform has no threads".to_owned()));
        }
        let (when_busy, min_interval) = (options.when_busy, options.min_interval);
        let wanted = options.low_priority;
        let (shared, budget) = Shared::new(options);
        let shared = Arc::new(shared);
        let (tell, told) = std::sync::mpsc::channel();
        let work = {
            let shared = Arc::clone(&shared);
            move || {
                // Helpers are started by this thread and inherit its priority.
                let _ = tell.send(if wanted { priority::lower() } else { Ok(()) });
                shared.work(budget);
            }
        };
        let thread = std::thread::Builder::new()
            .name("eigenscope-monitor".to_owned())
            .stack_size(STACK)
            .spawn(work)
            .map_err(|e| MonitorError::Thread(e.to_string()))?;
        let low_priority = told.recv().unwrap_or_else(|_| Err("the thread ended at once".to_owned()));
        if let Err(why) = &low_priority {
            shared.note(format!("low priority: {why}"));
        }
        Ok(Monitor {
            shared,
            draft: Mutex::default(),
            thread_id: thread.thread().id(),
            thread: Mutex::new(Some(thread)),
            process: std::process::id(),
            when_busy,
            min_interval,
            low_priority,
        })
    }

    /// Adds a tensor to the commit being filled. A second one of the same name and role replaces the first. Nothing is read
    /// here: bytes that are borrowed must stay as they are until the commit's report is out, or the commit was dropped.
    pub fn submit(
        &self,
        name: &str,
        role: TensorRole,
        hints: Hints,
        tensor: Tensor,
    ) -> Result<(), MonitorError> {
        self.check_open()?;
        let replaced = self.open_draft().draft.add(Entry { name: name.to_owned(), role, hints, tensor })?;
        drop(replaced);
        Ok(())
    }

    /// Forgets what was submitted since the last commit.
    pub fn discard(&self) -> Result<(), MonitorError> {
        self.check_process()?;
        let draft = std::mem::take(&mut self.open_draft().draft);
        drop(draft);
        Ok(())
    }

    /// Hands what was submitted to the monitor's thread, with the trainer's own numbers (loss, accuracy), and starts the
    /// next commit.
    pub fn commit(
        &self,
        step: u64,
        epoch: Option<f64>,
        metrics: &[(&str, f64)],
    ) -> Result<Committed, MonitorError> {
        self.check_open()?;
        let metrics = own_metrics(metrics)?;
        let draft = {
            let mut open = self.open_draft();
            open.names = open.draft.names();
            std::mem::take(&mut open.draft)
        };
        let snapshot = Snapshot { stamp: Stamp { step, epoch }, metrics, entries: draft.into_entries() };
        Ok(self.shared.exchange.put(snapshot, self.when_busy, self.min_interval))
    }

    /// The next report that was not read yet, oldest first, if there is one. Runs the callbacks of it where the options
    /// say [`Delivery::Poll`].
    pub fn poll(&self) -> Result<Option<Arc<EpochReport>>, MonitorError> {
        self.wait(Duration::ZERO)
    }

    /// The same, waiting so long for one to come; not at all once the monitor is closed.
    pub fn wait(&self, timeout: Duration) -> Result<Option<Arc<EpochReport>>, MonitorError> {
        self.check_process()?;
        let timeout = if self.on_own_thread() { Duration::ZERO } else { timeout };
        let report = self.shared.exchange.read(timeout);
        if let Some(report) = &report
            && self.shared.callbacks.delivery == Delivery::Poll
        {
            self.shared.tell(report);
        }
        Ok(report)
    }

    /// The verdict on the latest analysed commit, read or not.
    pub fn verdict(&self) -> Result<Verdict, MonitorError> {
        Ok(self.report()?.map(|r| r.verdict.clone()).unwrap_or_default())
    }

    /// The latest report, read or not.
    pub fn report(&self) -> Result<Option<Arc<EpochReport>>, MonitorError> {
        self.check_process()?;
        Ok(self.shared.exchange.latest())
    }

    /// A copy of all series.
    pub fn history(&self) -> Result<History, MonitorError> {
        self.check_process()?;
        Ok(self.shared.history())
    }

    /// All series as comma-separated values; see [`History::csv`].
    pub fn history_csv(&self) -> Result<String, MonitorError> {
        Ok(self.history()?.csv())
    }

    /// A factor for the learning rate or weight decay of every tensor of the last commit, in the order of
    /// [`names`](Self::names), by the layers' latest rows. 1 for what was not analysed.
    pub fn multipliers(&self, options: &MultiplierOptions) -> Result<Vec<f64>, MonitorError> {
        let report = self.report()?;
        multipliers(&self.names()?, report.as_deref(), options)
    }

    /// The names of the last commit, analysed or not, each once, in submit order.
    pub fn names(&self) -> Result<Vec<String>, MonitorError> {
        self.check_process()?;
        Ok(self.open_draft().names.clone())
    }

    /// What happened to commits so far.
    pub fn counters(&self) -> Result<Counters, MonitorError> {
        self.check_process()?;
        Ok(self.shared.exchange.counters())
    }

    /// Whether the threads run at low priority where that was asked for; else why not.
    pub fn low_priority(&self) -> &Result<(), String> {
        &self.low_priority
    }

    /// Waits until every commit handed over is analysed and its callbacks on the monitor's thread are done; says whether that is
    /// so. Inside such a callback it never is.
    pub fn wait_idle(&self, timeout: Duration) -> Result<bool, MonitorError> {
        self.check_process()?;
        Ok(!self.on_own_thread() && self.shared.exchange.wait_idle(timeout))
    }

    /// Drops what waits, lets the layers under way finish, and ends the thread. What was reported can still be read. Inside a
    /// callback on the monitor's thread it does not wait for that thread. A second call does nothing.
    pub fn close(&self) -> Result<(), MonitorError> {
        self.check_process()?;
        self.shared.exchange.close();
        if self.on_own_thread() {
            return Ok(());
        }
        let draft = std::mem::take(&mut self.open_draft().draft);
        drop(draft);
        // The lock is held while joining, so that a second caller too returns only when the thread is gone.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // Its panics are caught inside.
            let _ = thread.join();
        }
        Ok(())
    }

    fn open_draft(&self) -> MutexGuard<'_, Open> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn on_own_thread(&self) -> bool {
        std::thread::current().id() == self.thread_id
    }

    /// Before any lock: in a forked child another thread may have held it, and will never give it back.
    fn check_process(&self) -> Result<(), MonitorError> {
        if std::process::id() == self.process {
            Ok(())
        } else {
            Err(MonitorError::Forked { opened_in: self.process })
        }
    }

    fn check_open(&self) -> Result<(), MonitorError> {
        self.check_process()?;
        if self.shared.exchange.closed() { Err(MonitorError::Closed) } else { Ok(()) }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if self.close().is_err() {
            // In a forked child: the thread, and locks it may hold, stayed in the parent. What is left is leaked.
            std::mem::forget(std::mem::take(&mut *match self.draft.get_mut() {
                Ok(open) => open,
                Err(poisoned) => poisoned.into_inner(),
            }));
            if let Ok(thread) = self.thread.get_mut() {
                std::mem::forget(thread.take());
            }
            std::mem::forget(Arc::clone(&self.shared));
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("process", &self.process).finish_non_exhaustive()
    }
}
