//! Memory whose first number begins a cache line.

use super::{give_back, zeros};

/// Numbers whose first begins a cache line; zeros to begin with.
#[derive(Debug)]
pub struct Buffer<T: 'static> {
    numbers: Vec<T>,
    first: usize,
}

const LINE: usize = 64;

impl<T: Copy + Default + 'static> Buffer<T> {
    /// So many zeros.
    pub fn zeros(len: usize) -> Self {
        let numbers: Vec<T> = zeros(len + LINE / size_of::<T>());
        let first = numbers.as_ptr().align_offset(LINE).min(LINE / size_of::<T>());
        Buffer { numbers, first }
    }

    pub(crate) fn as_ptr(&self) -> *const T {
        self.numbers[self.first..].as_ptr()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut T {
        self.numbers[self.first..].as_mut_ptr()
    }
}

impl<T: 'static> Drop for Buffer<T> {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.numbers));
    }
}

impl<T> std::ops::Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.numbers[self.first..]
    }
}

impl<T> std::ops::DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.numbers[self.first..]
    }
}
