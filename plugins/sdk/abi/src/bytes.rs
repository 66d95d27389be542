//! Memory that crosses without being copied.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use abi_stable::StableAbi;

/// Read-only bytes and what keeps them alive, which the side that made them frees.
#[repr(C)]
#[derive(StableAbi)]
pub struct BytesV1 {
    start: *const u8,
    length: usize,
    owner: *mut u8,
    free: extern "C" fn(owner: *mut u8),
}

// SAFETY: the bytes are never written, and `new` takes owners that may be dropped on, and shared by, any thread.
unsafe impl Send for BytesV1 {}
// SAFETY: as above.
unsafe impl Sync for BytesV1 {}

impl BytesV1 {
    /// The bytes of `owner`, which lives until the value is dropped, on whichever side that happens.
    pub fn new<T: AsRef<[u8]> + Send + Sync + 'static>(owner: T) -> Self {
        let owner = Box::new(owner);
        let bytes: &[u8] = (*owner).as_ref();
        let (start, length) = (bytes.as_ptr(), bytes.len());
        BytesV1 { start, length, owner: Box::into_raw(owner).cast(), free: free::<T> }
    }
}

impl AsRef<[u8]> for BytesV1 {
    fn as_ref(&self) -> &[u8] {
        if self.start.is_null() || self.length == 0 {
            return &[];
        }
        // SAFETY: `new` took start and length from one slice of the boxed owner, which is neither moved nor changed
        // before `drop`. Across the border this is the other side's promise, as everything it hands over is.
        unsafe { slice::from_raw_parts(self.start, self.length) }
    }
}

impl Drop for BytesV1 {
    fn drop(&mut self) {
        (self.free)(self.owner);
    }
}

impl fmt::Debug for BytesV1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BytesV1({} bytes)", self.length)
    }
}

extern "C" fn free<T>(owner: *mut u8) {
    if owner.is_null() {
        return;
    }
    // SAFETY: `owner` is what `Box::<T>::into_raw` gave in `new`, and `drop` passes it on once.
    let owner = unsafe { Box::from_raw(owner.cast::<T>()) };
    // A panic may not cross the border. Its payload is leaked: dropping it could panic again.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(owner))) {
        std::mem::forget(payload);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Counted(Vec<u8>, Arc<AtomicUsize>);

    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
            assert!(self.0.len() != 3, "a destructor that panics");
        }
    }

    #[test]
    fn bytes_are_shared_not_copied_and_freed_once() {
        let drops = Arc::new(AtomicUsize::new(0));
        let data = vec![1, 2, 3, 4];
        let start = data.as_ptr();
        let bytes = BytesV1::new(Counted(data, drops.clone()));
        assert_eq!(bytes.as_ref(), [1, 2, 3, 4]);
        assert_eq!(bytes.as_ref().as_ptr(), start);
        std::thread::spawn(move || drop(bytes)).join().unwrap();
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_destructor_that_panics_is_contained() {
        let drops = Arc::new(AtomicUsize::new(0));
        drop(BytesV1::new(Counted(vec![1, 2, 3], drops.clone())));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }
}
