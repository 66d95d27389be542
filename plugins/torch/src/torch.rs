//! The calls into libtorch: on a thread of their own, with errors that say why.

use std::thread;

use eigenscope_plugin::source::Refusal;
use tch::TchError;

/// Stack to open a file with: address space, used as far as nested values of a pickle need it (`pickle::MAX_CONTAINERS`).
pub const DEEP: usize = 1 << 30;
/// Stack to copy a tensor with.
pub const FLAT: usize = 2 << 20;
/// Characters of libtorch's own words that are kept.
const MAX_WORDS: usize = 400;

/// Runs `work` on a new thread with this much stack, where libtorch computes with one thread. The number belongs to the thread: the caller's
/// OpenMP, which may be the same library, keeps its own.
pub fn alone<R: Send>(stack: usize, work: impl FnOnce() -> R + Send) -> Result<R, Refusal> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("eigenscope-torch".to_owned()).stack_size(stack);
        let spawned = builder.spawn_scoped(scope, || {
            tch::set_num_threads(1);
            work()
        });
        match spawned.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Err(Refusal::Loader("the binding of libtorch panicked".to_owned())),
            Err(error) => Err(Refusal::Loader(format!("no thread for libtorch: {error}"))),
        }
    })
}

/// What libtorch says, without its stack trace.
pub fn words(error: &TchError) -> String {
    let text = match error {
        TchError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    let text = text.split("Exception raised from").next().unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut said = words.join(" ");
    if let Some((end, _)) = said.char_indices().nth(MAX_WORDS) {
        said.truncate(end);
        said.push('…');
    }
    format!("libtorch: {said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_binding_is_an_error() {
        let shape = alone(FLAT, || tch::Tensor::zeros([2, 3], tch::kind::FLOAT_CPU).size());
        assert_eq!(shape.unwrap(), [2, 3]);
        let error = alone(FLAT, || tch::Tensor::zeros([-1], tch::kind::FLOAT_CPU).size()).unwrap_err();
        assert_eq!(error.code(), "loader");
    }

    #[test]
    fn words_are_short_and_without_the_stack() {
        let long = format!("a\n  b {}Exception raised from f at g.cpp:1", "c".repeat(1000));
        let said = words(&TchError::Torch(long));
        assert!(said.starts_with("libtorch: a b ccc") && said.ends_with("c…"), "{said}");
        assert_eq!(said.chars().count(), "libtorch: ".len() + MAX_WORDS + 1);
    }
}
