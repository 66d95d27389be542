//! Where panics stop.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use eigenscope::source::{Refusal, SourceError};

/// A value whose methods and destructor may panic. The first panic poisons it: that call and every later one return
/// the same [`Refusal::Loader`], and none of the value's code but its destructor runs again.
pub(crate) struct Guarded<T> {
    value: ManuallyDrop<T>,
    poison: OnceLock<String>,
}

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Guarded { value: ManuallyDrop::new(value), poison: OnceLock::new() }
    }

    /// Runs `call` on the value; `what` names the method and `file` the input in the error of a panic.
    pub(crate) fn call<R>(
        &self,
        what: &str,
        file: &str,
        call: impl FnOnce(&T) -> Result<R, SourceError>,
    ) -> Result<R, SourceError> {
        if let Some(poison) = self.poison.get() {
            return Err(SourceError::new(file, Refusal::Loader(poison.clone())));
        }
        contain(|| call(&self.value)).unwrap_or_else(|message| {
            let text = format!("it panicked in {what} ({message}) and is not called again");
            let text = self.poison.get_or_init(|| text).clone();
            Err(SourceError::new(file, Refusal::Loader(text)))
        })
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: dropped here only, and the value is not used afterwards.
        let dropped = contain(|| unsafe { ManuallyDrop::drop(&mut self.value) });
        if let Err(message) = dropped {
            log::warn!("a destructor panicked: {message}");
        }
    }
}

/// Runs `call`; a panic becomes its message.
pub(crate) fn contain<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let message = message(&*payload);
        // Leaked, not dropped: the destructor of a payload may panic again.
        std::mem::forget(payload);
        message
    })
}

fn message(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "no message".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    #[test]
    fn the_first_panic_is_the_answer_to_every_later_call() {
        let guarded = Guarded::new(7);
        let ask = |text: &'static str| {
            guarded.call("probe", "a.npy", |_| -> Result<(), SourceError> { std::panic::panic_any(text) })
        };
        let first = ask("one").unwrap_err();
        assert_eq!(first.file, "a.npy");
        assert_eq!(
            first.refusal.to_string(),
            "the loader failed: it panicked in probe (one) and is not called again"
        );
        assert_eq!(ask("two").unwrap_err().refusal.to_string(), first.refusal.to_string());
        let fine = guarded.call("open", "b.npy", |value| Ok(*value)).unwrap_err();
        assert_eq!(fine.to_string(), format!("b.npy: {}", first.refusal));
    }

    #[test]
    fn destructors_and_payloads_that_panic_are_contained() {
        drop(Guarded::new(Bomb));
        assert_eq!(contain(|| std::panic::panic_any(Bomb)).unwrap_err(), "no message");
    }
}
