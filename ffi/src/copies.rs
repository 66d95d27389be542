//! Memory for copies of submitted tensors, used again and again: to get it from the system each time, page by page, costs the
//! trainer's thread several times what the copy itself does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Smaller copies are left to malloc, which has memory of that size at hand.
const SMALLEST: usize = 1 << 16;

/// Vectors that wait for the next tensor of about their size; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Copies(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    by_capacity: BTreeMap<usize, Vec<Vec<u8>>>,
    bytes: usize,
    /// Bytes of copies made since the last commit, and the most that a commit had: as much is kept.
    filling: usize,
    most: usize,
}

impl Copies {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty vector, with room for so many bytes if one is at hand.
    pub fn take(&self, size: usize) -> Vec<u8> {
        if size < SMALLEST {
            return Vec::new();
        }
        let mut shelf = self.shelf();
        shelf.filling += size;
        let Some(entry) = shelf.by_capacity.range_mut(size..=size.saturating_mul(2)).next() else {
            return Vec::new();
        };
        let capacity = *entry.0;
        let found = entry.1.pop().unwrap_or_default();
        if entry.1.is_empty() {
            shelf.by_capacity.remove(&capacity);
        }
        shelf.bytes -= found.capacity();
        found
    }

    /// The data of a tensor; its memory comes back when the last clone is dropped, on any thread.
    pub fn lend(&self, copy: Vec<u8>) -> Bytes {
        if copy.capacity() < SMALLEST {
            return copy.into();
        }
        Bytes::from_owner(Lent { copy, home: self.clone() })
    }

    /// What was copied since the last call was one commit.
    pub fn committed(&self) {
        let mut shelf = self.shelf();
        shelf.most = shelf.most.max(shelf.filling);
        shelf.filling = 0;
    }

    fn put(&self, mut copy: Vec<u8>) {
        let mut shelf = self.shelf();
        let capacity = copy.capacity();
        if shelf.bytes + capacity <= shelf.most {
            copy.clear();
            shelf.bytes += capacity;
            shelf.by_capacity.entry(capacity).or_default().push(copy);
        }
    }
}

struct Lent {
    copy: Vec<u8>,
    home: Copies,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.copy
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.put(std::mem::take(&mut self.copy));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(copies: &Copies, size: usize) -> Bytes {
        let mut room = copies.take(size);
        room.resize(size, 7);
        copies.lend(room)
    }

    #[test]
    fn memory_comes_back_for_the_next_copy_of_its_size() {
        let copies = Copies::default();
        let first = copied(&copies, 100_000);
        let place = first.as_ptr();
        copies.committed();
        let clone = first.clone();
        drop(first);
        assert_eq!(copies.take(100_000).capacity(), 0, "a clone still has it");
        drop(clone);
        assert_eq!(copies.take(300_000).capacity(), 0, "too large");
        assert_eq!(copies.take(40_000).capacity(), 0, "small");
        let again = copied(&copies, 90_000);
        assert_eq!((again.as_ptr(), again.len()), (place, 90_000));
    }

    #[test]
    fn no_more_is_kept_than_a_commit_took() {
        let copies = Copies::default();
        let one = copied(&copies, 100_000);
        copies.committed();
        let two = [copied(&copies, 100_000), copied(&copies, 100_000)];
        drop((one, two));
        assert_eq!(copies.shelf().bytes, 100_000);
        assert_eq!(copies.shelf().by_capacity.values().map(Vec::len).sum::<usize>(), 1);
    }
}
