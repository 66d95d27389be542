//! The border: every exported function goes through here.
//!
//! A panic stops at this line. It becomes `EGS_ERR_PANIC`, poisons the handle it happened in, and prints nothing: this library
//! carries its own copy of the standard library, and that copy's panic hook, which nobody else in the process sees or shares,
//! notes the message instead of writing it to stderr (`docs/adr/0022-c-abi.md`).

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use eigenscope_c_loader::codes;

use crate::error::{Error, egs_error};

thread_local! {
    /// How many exported functions this thread is in: callbacks may call others.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic on this thread was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Threads whose panics are this library's business even outside an exported function: the pool's and the monitor's.
const OWN_THREADS: &str = "eigenscope";

/// What every handle begins with.
pub(crate) struct State {
    /// The process that made it.
    pid: u32,
    poisoned: AtomicBool,
}

impl State {
    pub fn new() -> State {
        State { pid: std::process::id(), poisoned: AtomicBool::new(false) }
    }

    /// Whether this is the process that made it, and not a child forked from it.
    pub fn at_home(&self) -> bool {
        self.pid == std::process::id()
    }
}

/// An object that C holds by pointer.
pub(crate) trait Handle {
    /// The C name of the type, for errors.
    const NAME: &'static str;

    fn state(&self) -> &State;
}

/// A fallible function: runs `body`, returns its status, and stores its error where the caller wants it.
///
/// # Safety
/// `error` is NULL or writable.
pub(crate) unsafe fn status(error: *mut *mut egs_error, body: impl FnOnce() -> Result<(), Error>) -> i32 {
    let failure = match guarded(body) {
        Ok(Ok(())) => return codes::OK,
        Ok(Err(failure)) => failure,
        Err(message) => panicked(&message),
    };
    let status = failure.status();
    if !error.is_null() {
        // SAFETY: writable, by the contract.
        unsafe { error.write(egs_error::into_raw(failure)) };
    }
    status
}

/// The same for a function of a handle, which must be there, sound, and made by this process.
///
/// # Safety
/// `handle` is NULL or live; `error` as for [`status`].
pub(crate) unsafe fn on<H: Handle>(
    handle: *const H,
    error: *mut *mut egs_error,
    body: impl FnOnce(&H) -> Result<(), Error>,
) -> i32 {
    // SAFETY: as the caller promises.
    unsafe {
        status(error, || {
            let handle = entered(handle)?;
            match guarded(|| body(handle)) {
                Ok(result) => result,
                Err(message) => {
                    handle.state().poisoned.store(true, Ordering::Release);
                    Err(panicked(&message))
                }
            }
        })
    }
}

/// A function that cannot fail: `default` for NULL, for a poisoned handle, and when it panics.
///
/// # Safety
/// `handle` is NULL or live.
pub(crate) unsafe fn get<H: Handle, T>(handle: *const H, default: T, body: impl FnOnce(&H) -> T) -> T {
    // SAFETY: as the caller promises.
    let handle = match unsafe { entered(handle) } {
        Ok(handle) => handle,
        Err(_) => return default,
    };
    guarded(|| body(handle)).unwrap_or(default)
}

/// Ends a handle. In a forked child its memory is left alone: what it owns may belong to threads that exist in the parent only.
///
/// # Safety
/// `handle` is NULL or was made by `Box::into_raw` and is not used again.
pub(crate) unsafe fn free<H: Handle>(handle: *mut H) {
    if handle.is_null() {
        return;
    }
    let _ = guarded(|| {
        // SAFETY: ours again, by the contract.
        let handle = unsafe { Box::from_raw(handle) };
        if handle.state().at_home() { drop(handle) } else { std::mem::forget(handle) }
    });
}

/// # Safety
/// `handle` is NULL or live.
unsafe fn entered<'a, H: Handle>(handle: *const H) -> Result<&'a H, Error> {
    // SAFETY: NULL or live.
    let Some(handle) = (unsafe { handle.as_ref() }) else {
        return Err(Error::null(H::NAME));
    };
    if !handle.state().at_home() {
        let what =
            format!("this {} belongs to the process that made it, not to a child forked from it", H::NAME);
        return Err(Error::new(codes::INVALID_STATE, what).advice("make a new engine after fork()"));
    }
    if handle.state().poisoned.load(Ordering::Acquire) {
        return Err(Error::new(codes::PANIC, format!("an earlier call on this {} panicked", H::NAME))
            .advice("free it and make a new one"));
    }
    Ok(handle)
}

fn panicked(message: &str) -> Error {
    Error::new(codes::PANIC, format!("internal error: {message}"))
        .advice("this is a defect of eigenscope: please report it; free the object concerned")
}

/// Runs `body`; a panic becomes its message.
pub(crate) fn guarded<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(hush);
    INSIDE.with(|depth| depth.set(depth.get() + 1));
    let result = catch_unwind(AssertUnwindSafe(body));
    INSIDE.with(|depth| depth.set(depth.get() - 1));
    result.map_err(|payload| {
        let message = words(payload.as_ref());
        // A payload may panic when it is dropped; it is not worth finding out.
        std::mem::forget(payload);
        let place = PLACE.with(|place| std::mem::take(&mut *place.borrow_mut()));
        if place.is_empty() { message } else { format!("{message} (at {place})") }
    })
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
        .to_owned()
}

/// Keeps this library's copy of the standard library from writing its panics to stderr (and from reading `RUST_BACKTRACE`). A panic
/// that has nothing to do with the border goes to the hook that was there.
fn hush() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let inside = INSIDE.try_with(Cell::get).unwrap_or(0) > 0;
        let own = || std::thread::current().name().is_some_and(|name| name.starts_with(OWN_THREADS));
        if inside || own() {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let _ = PLACE.try_with(|to| to.replace(place));
        } else {
            before(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{egs_error_advice, egs_error_code, egs_error_free, egs_error_message};
    use std::ffi::CStr;

    struct Thing(State);

    impl Handle for Thing {
        const NAME: &'static str = "thing";
        fn state(&self) -> &State {
            &self.0
        }
    }

    #[test]
    fn a_panic_becomes_an_error_and_poisons_its_handle_only() {
        let (broken, sound) = (Thing(State::new()), Thing(State::new()));
        let mut error = std::ptr::null_mut();
        // SAFETY: live handles, a writable error.
        unsafe {
            let status = on(&raw const broken, &raw mut error, |_| panic!("the {} broke", "wheel"));
            assert_eq!((status, egs_error_code(error)), (codes::PANIC, codes::PANIC));
            let message = CStr::from_ptr(egs_error_message(error)).to_str().unwrap();
            assert!(message.contains("the wheel broke") && message.contains("boundary.rs"), "{message}");
            assert!(!CStr::from_ptr(egs_error_advice(error)).is_empty());
            egs_error_free(error);
            assert_eq!(on(&raw const broken, std::ptr::null_mut(), |_| Ok(())), codes::PANIC);
            assert_eq!(get(&raw const broken, 7, |_| 8), 7);
            assert_eq!(on(&raw const sound, std::ptr::null_mut(), |_| Ok(())), codes::OK);
            assert_eq!(
                on(std::ptr::null::<Thing>(), std::ptr::null_mut(), |_| Ok(())),
                codes::INVALID_ARGUMENT
            );
        }
    }
}
