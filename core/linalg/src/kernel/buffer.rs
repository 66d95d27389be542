//! Memory whose first number begins a cache line.

/// Zeros to begin with.
#[derive(Debug)]
pub(crate) struct Buffer<T> {
    numbers: Vec<T>,
    first: usize,
}

const LINE: usize = 64;

impl<T: Copy + Default> Buffer<T> {
    pub(crate) fn zeros(len: usize) -> Self {
        let numbers = vec![T::default(); len + LINE / size_of::<T>()];
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
