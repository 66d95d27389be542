//! How much memory a call uses on its own thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a count. Make it the `#[global_allocator]` of a test for the kit to check memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter;

// Constant and without destructors, so that an allocator may use them.
thread_local! {
    static USED: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // Fails while a thread ends, when nobody measures any more.
    let _ = USED.try_with(|used| {
        used.set(used.get().saturating_add(bytes));
        PEAK.try_with(|peak| peak.set(peak.get().max(used.get())))
    });
}

// SAFETY: every request goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Runs `call`; the most bytes it held at once, or `None` where no [`Meter`] is installed.
pub(super) fn measure<R>(call: impl FnOnce() -> R) -> (R, Option<usize>) {
    let before = USED.get();
    PEAK.set(before);
    drop(std::hint::black_box(Box::new([0u8; 64])));
    let installed = PEAK.get() != before;
    PEAK.set(before);
    let result = call();
    let peak = PEAK.get().saturating_sub(before);
    (result, installed.then(|| usize::try_from(peak).unwrap_or(0)))
}
