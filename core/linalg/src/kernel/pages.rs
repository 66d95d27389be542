//! Large memory: in large pages, and kept from one matrix to the next.

use std::any::Any;
use std::cell::RefCell;

/// Bytes from which large pages are worth asking for.
const LARGE: usize = 4 << 20;
/// Bytes from which memory is worth keeping: the allocator itself keeps smaller pieces.
const WORTH_KEEPING: usize = 32 << 10;
/// Most bytes that a thread keeps.
const MOST: usize = 128 << 20;

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

#[derive(Default)]
struct Kept {
    /// How many want memory to be kept.
    wanted: usize,
    bytes: usize,
    /// `Vec<T>`, with their size in bytes, the latest last.
    pieces: Vec<(usize, Box<dyn Any>)>,
}

/// As long as one lives, large memory that matrices and solvers give back on this thread is kept for the next ones, up to 128 MiB of it: the system
/// would clear every page of it again, which for a matrix of 512 columns takes a fifth of the time of its spectrum.
#[derive(Debug)]
pub struct Reuse {
    /// Belongs to its thread.
    thread: std::marker::PhantomData<*const ()>,
}

impl Reuse {
    /// Begins.
    pub fn begin() -> Self {
        KEPT.with_borrow_mut(|kept| kept.wanted += 1);
        Reuse { thread: std::marker::PhantomData }
    }
}

impl Drop for Reuse {
    fn drop(&mut self) {
        // Where the thread ends, its memory goes with it.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            kept.wanted -= 1;
            if kept.wanted == 0 {
                *kept = Kept::default();
            }
        });
    }
}

/// So many zeros. The system hands out large memory page by page as it is first touched, 4 KiB each, which for a matrix of 2048 columns takes
/// longer than its product on two threads; pages of 2 MiB are asked for where there are any.
pub(crate) fn zeros<T: Copy + Default + 'static>(len: usize) -> Vec<T> {
    if let Some(mut kept) = kept::<T>(len) {
        // What is there is filled, which is a matter of a call; only what is missing is appended, number by number.
        kept.truncate(len);
        kept.fill(T::default());
        kept.resize(len, T::default());
        return kept;
    }
    let numbers = vec![T::default(); len];
    #[cfg(target_os = "linux")]
    if len * size_of::<T>() >= LARGE {
        advise(&numbers);
    }
    numbers
}

/// Memory for so many that was given back, not twice as much.
fn kept<T: 'static>(len: usize) -> Option<Vec<T>> {
    let bytes = len * size_of::<T>();
    if bytes < WORTH_KEEPING {
        return None;
    }
    let take = |kept: &RefCell<Kept>| {
        let mut kept = kept.borrow_mut();
        let fits =
            |(size, piece): &(usize, Box<dyn Any>)| (bytes..2 * bytes).contains(size) && piece.is::<Vec<T>>();
        let place = kept.pieces.iter().rposition(fits)?;
        let (size, piece) = kept.pieces.remove(place);
        kept.bytes -= size;
        piece.downcast::<Vec<T>>().ok().map(|piece| *piece)
    };
    KEPT.try_with(take).ok().flatten()
}

/// Takes memory back.
pub(crate) fn give_back<T: 'static>(numbers: Vec<T>) {
    let size = numbers.capacity() * size_of::<T>();
    if !(WORTH_KEEPING..=MOST).contains(&size) {
        return;
    }
    let _ = KEPT.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.wanted == 0 {
            return;
        }
        kept.bytes += size;
        kept.pieces.push((size, Box::new(numbers)));
        while kept.bytes > MOST {
            kept.bytes -= kept.pieces.remove(0).0;
        }
    });
}

#[cfg(target_os = "linux")]
fn advise<T>(numbers: &[T]) {
    use rustix::mm::{Advice, madvise};
    const PAGE: usize = 4096;
    let (start, bytes) = (numbers.as_ptr() as usize, size_of_val(numbers));
    let first = start.next_multiple_of(PAGE);
    let len = (start + bytes).saturating_sub(first) / PAGE * PAGE;
    // SAFETY: a hint on whole pages inside this allocation; it changes no content. An error means that there are no large pages.
    let _ = unsafe { madvise(first as *mut _, len, Advice::LinuxHugepage) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_size_is_zeros_that_can_be_written() {
        for len in [0, 1, 1000, LARGE / 8 - 1, LARGE / 8, LARGE / 8 + 1, 3 * LARGE / 8 + 77] {
            let mut numbers = zeros::<f64>(len);
            assert!(numbers.len() == len && numbers.iter().all(|v| *v == 0.0));
            numbers.fill(1.0);
        }
    }

    #[test]
    fn memory_is_kept_while_it_is_wanted_and_comes_back_as_zeros() {
        let bytes = || KEPT.with_borrow(|kept| kept.bytes);
        give_back(vec![1.0; 10_000]);
        assert_eq!(bytes(), 0);
        let reuse = Reuse::begin();
        let inner = Reuse::begin();
        let numbers = vec![1.0; 10_000];
        let place = numbers.as_ptr();
        give_back(numbers);
        drop(inner);
        assert_eq!(bytes(), 80_000);
        assert!(kept::<f32>(15_000).is_none(), "of another type");
        assert!(kept::<f64>(4_999).is_none(), "twice as large");
        let again = zeros::<f64>(9_000);
        assert!(again.as_ptr() == place && again.len() == 9_000 && again.iter().all(|v| *v == 0.0));
        give_back(again);
        give_back(vec![0u8; MOST]);
        assert_eq!(bytes(), MOST, "the oldest goes first");
        drop(reuse);
        assert_eq!(bytes(), 0);
    }
}
