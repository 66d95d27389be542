//! Work shared by threads of the current rayon pool.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `work` with every number below `count`, by up to so many threads; each takes the next number when it is done with one,
/// so that numbers are begun in order.
pub(crate) fn each(threads: usize, count: usize, work: impl Fn(usize) + Sync) {
    if threads <= 1 || count <= 1 {
        (0..count).for_each(work);
        return;
    }
    let next = AtomicUsize::new(0);
    let run = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            work(number);
        }
    };
    rayon::scope(|scope| {
        for _ in 1..threads.min(count) {
            scope.spawn(|_| run());
        }
        run();
    });
}

/// A pointer that threads share, each writing what no other touches.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(pub(crate) *mut T);

// SAFETY: the pointer is only a number; whoever dereferences it says why no two threads touch the same place.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// The pointer; a method, so that closures capture the whole.
    pub(crate) fn get(self) -> *mut T {
        self.0
    }
}
