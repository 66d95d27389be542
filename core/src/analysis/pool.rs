//! The threads of an engine: as many as there are from its beginning, and none once it is gone.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Stack of every thread that analyses. Said, since the standard library would ask the environment for it.
pub(crate) const STACK: usize = 2 << 20;

/// A pool that waits for the end of its threads when it is dropped. Rayon's own only asks them to end: they would outlive the library's
/// last call, into a host's `fork`, its leak checker, or its `exit`.
#[derive(Debug)]
pub(crate) struct Pool {
    /// There until it is dropped.
    pool: Option<ThreadPool>,
    threads: Threads,
}

#[derive(Clone, Debug, Default)]
struct Threads(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Pool {
    /// So many threads; 0: as many as the machine has.
    pub(crate) fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let started = Threads::default();
        let mut pool = Pool { pool: None, threads: started.clone() };
        let builder = ThreadPoolBuilder::new().num_threads(threads).spawn_handler(move |thread| {
            let handle = thread::Builder::new()
                .name(format!("eigenscope-{}", thread.index()))
                .stack_size(STACK)
                .spawn(|| thread.run())?;
            started.0.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
            Ok(())
        });
        pool.pool = Some(builder.build()?);
        Ok(pool)
    }
}

impl Deref for Pool {
    type Target = ThreadPool;

    fn deref(&self) -> &ThreadPool {
        self.pool.as_ref().expect("a pool has its threads until it is dropped")
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.pool.take());
        let threads = std::mem::take(&mut *self.threads.0.lock().unwrap_or_else(PoisonError::into_inner));
        // A thread that drops its own pool cannot wait for itself, nor the others for it.
        if threads.iter().all(|handle| handle.thread().id() != thread::current().id()) {
            threads.into_iter().for_each(|handle| drop(handle.join()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Counts the threads that have ended.
    struct Ended(Arc<AtomicUsize>);

    impl Drop for Ended {
        fn drop(&mut self) {
            thread::sleep(Duration::from_millis(20));
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    thread_local! {
        static AT_THE_END: std::cell::RefCell<Option<Ended>> = const { std::cell::RefCell::new(None) };
    }

    #[test]
    fn no_thread_outlives_its_pool() {
        let ended = Arc::new(AtomicUsize::new(0));
        let pool = Pool::new(3).unwrap();
        assert_eq!(pool.current_num_threads(), 3);
        pool.broadcast(|_| AT_THE_END.with(|end| *end.borrow_mut() = Some(Ended(ended.clone()))));
        drop(pool);
        assert_eq!(ended.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_thread_may_drop_its_own_pool() {
        let pool = Arc::new(Pool::new(2).unwrap());
        let (own, (tell, told)) = (pool.clone(), mpsc::channel());
        let (go, wait) = mpsc::channel::<()>();
        pool.spawn(move || {
            wait.recv().unwrap();
            drop(own);
            tell.send(()).unwrap();
        });
        drop(pool);
        go.send(()).unwrap();
        told.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
