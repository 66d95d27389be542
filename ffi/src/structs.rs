//! Structs that may grow: `size_t struct_size` first, then fields that are only ever appended.

use std::mem::MaybeUninit;

use crate::error::Error;

/// No struct is larger; what claims to be has not been initialised.
const MAX_SIZE: usize = 65_536;

/// A mirror of a C struct that begins with its size.
///
/// # Safety
/// `repr(C)`, `size_t struct_size` first, no padding, and every field may be all zero bytes.
pub(crate) unsafe trait Sized: Copy {
    /// The C name.
    const NAME: &'static str;
}

/// The caller's struct; fields that an older caller does not have are zero.
///
/// # Safety
/// `from` is NULL or the `struct_size` bytes it claims are readable.
pub(crate) unsafe fn read<T: Sized>(from: *const T) -> Result<T, Error> {
    // SAFETY: as the caller promises.
    let size = unsafe { size_of_given(from) }?;
    let bytes = from.cast::<u8>();
    for beyond in size_of::<T>()..size {
        // SAFETY: within `struct_size`.
        if unsafe { bytes.add(beyond).read() } != 0 {
            return Err(Error::argument(format!(
                "{}: byte {beyond} is not zero; this library knows {} bytes of it",
                T::NAME,
                size_of::<T>()
            ))
            .advice(
                "this library is older than the header: leave the newer fields zero, or install a newer one",
            ));
        }
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both sides hold that many bytes, and any of `T`'s fields may be zero.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes, value.as_mut_ptr().cast::<u8>(), size.min(size_of::<T>()));
        Ok(value.assume_init())
    }
}

/// The same where NULL means that everything is at its default.
///
/// # Safety
/// As for [`read`].
pub(crate) unsafe fn read_or_default<T: Sized>(from: *const T) -> Result<T, Error> {
    if from.is_null() {
        // SAFETY: all zero is a valid value, by the contract of `Sized`.
        return Ok(unsafe { MaybeUninit::zeroed().assume_init() });
    }
    // SAFETY: as the caller promises.
    unsafe { read(from) }
}

/// Fills in the caller's struct as far as it reaches; its `struct_size` stays.
///
/// # Safety
/// `to` is NULL or the `struct_size` bytes it claims are writable.
pub(crate) unsafe fn write<T: Sized>(to: *mut T, value: &T) -> Result<(), Error> {
    // SAFETY: as the caller promises.
    let size = unsafe { size_of_given(to.cast_const()) }?.min(size_of::<T>());
    let first = size_of::<usize>();
    // SAFETY: both sides hold that many bytes.
    unsafe {
        std::ptr::copy_nonoverlapping(
            (&raw const *value).cast::<u8>().add(first),
            to.cast::<u8>().add(first),
            size - first,
        );
    }
    Ok(())
}

/// # Safety
/// As for [`read`].
unsafe fn size_of_given<T: Sized>(given: *const T) -> Result<usize, Error> {
    if given.is_null() {
        return Err(Error::null(T::NAME));
    }
    // SAFETY: the size comes first.
    let size = unsafe { given.cast::<usize>().read_unaligned() };
    // Of this first version nothing may be missing.
    if (size_of::<T>()..=MAX_SIZE).contains(&size) {
        return Ok(size);
    }
    Err(Error::argument(format!(
        "{}.struct_size: expected {} or somewhat more, found {size}",
        T::NAME,
        size_of::<T>()
    ))
    .advice(format!("initialise it: {0} x = EGS_INIT({0});", T::NAME)))
}
