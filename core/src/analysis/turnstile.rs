//! What several threads finish goes through one at a time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Items are dealt with in the order they come, by whichever thread is there first; the others leave theirs and go on. No lock is held meanwhile: an
/// observer may ask the same engine for another analysis, which would wait for threads that waited for the lock.
#[derive(Debug)]
pub(crate) struct Turnstile<T>(Mutex<Waiting<T>>);

#[derive(Debug)]
struct Waiting<T> {
    queue: VecDeque<T>,
    busy: bool,
}

impl<T> Turnstile<T> {
    /// With nobody in it.
    pub(crate) fn new() -> Self {
        Turnstile(Mutex::new(Waiting { queue: VecDeque::new(), busy: false }))
    }

    /// Leaves an item, and deals with all there are unless somebody does.
    pub(crate) fn pass(&self, item: T, mut each: impl FnMut(T)) {
        let mut waiting = self.lock();
        waiting.queue.push_back(item);
        if waiting.busy {
            return;
        }
        waiting.busy = true;
        while let Some(item) = waiting.queue.pop_front() {
            drop(waiting);
            each(item);
            waiting = self.lock();
        }
        waiting.busy = false;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_left_meanwhile_are_dealt_with_in_order_by_who_is_there() {
        let turnstile = Turnstile::new();
        let seen = Mutex::new(Vec::new());
        let note = |item: u32| seen.lock().unwrap().push(item);
        turnstile.pass(1, |item| {
            note(item);
            if item == 1 {
                // As a thread that waits inside an observer may.
                turnstile.pass(2, |_| unreachable!("somebody is there"));
                turnstile.pass(3, |_| unreachable!("somebody is there"));
            }
        });
        turnstile.pass(4, note);
        assert_eq!(*seen.lock().unwrap(), [1, 2, 3, 4]);
    }
}
