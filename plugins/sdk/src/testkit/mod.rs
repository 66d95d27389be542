//! Conformance of a loader: what the engine relies on, checked on a sample file of yours and on thousands of broken copies.
//!
//! ```
//! use eigenscope_plugin::source::Input;
//! use eigenscope_plugin::testkit;
//! # use eigenscope_plugin::source::{Glimpse, Loader, Refusal, Score, SourceError, TensorInfo, WeightFile};
//! # use eigenscope_plugin::{Bytes, mapped, tensor::{Dtype, Tensor}};
//! # struct Mine;
//! # impl Loader for Mine {
//! #     fn name(&self) -> &str { "mine" }
//! #     fn extensions(&self) -> &[&str] { &["mine"] }
//! #     fn probe(&self, glimpse: &Glimpse) -> Score { if glimpse.head.starts_with(b"MINE") { 100 } else { 0 } }
//! #     fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
//! #         let bytes = mapped::contents(input)?;
//! #         let refuse = |r| SourceError::new(input.name(), r);
//! #         if !bytes.starts_with(b"MINE") || bytes.len() != 12 {
//! #             return Err(refuse(Refusal::Malformed("not mine".to_owned())));
//! #         }
//! #         Ok(Box::new(Two(bytes, [TensorInfo::new("w", Dtype::F32, vec![2])])))
//! #     }
//! # }
//! # struct Two(Bytes, [TensorInfo; 1]);
//! # impl WeightFile for Two {
//! #     fn tensors(&self) -> &[TensorInfo] { &self.1 }
//! #     fn read(&self, index: usize) -> Result<Tensor, SourceError> {
//! #         let refuse = |r| SourceError::new("x.mine", r);
//! #         let info = self.1.get(index).ok_or_else(|| refuse(Refusal::Missing("no".to_owned())))?;
//! #         Ok(Tensor::new(info.dtype, info.shape.clone(), self.0.slice(4..)).unwrap())
//! #     }
//! # }
//! // Optional: lets the kit see how much memory the loader asks for.
//! #[global_allocator]
//! static METER: testkit::Meter = testkit::Meter;
//!
//! let sample = Input::bytes("x.mine", &b"MINE\0\0\x80\x3f\0\0\0\x40"[..]);
//! let summary = testkit::check(&Mine, &sample).unwrap();
//! assert_eq!(summary.tensors, 1);
//! ```
//!
//! A small sample (some kilobytes) with every feature of the format is worth more than a large one.

mod hostile;
mod meter;
mod sound;

use std::fmt;
use std::time::{Duration, Instant};

use eigenscope::source::{Input, Loader, SourceError};

pub use meter::Meter;

use crate::guard::contain;

/// Failures after which the kit stops collecting: the first ones tell enough.
const MAX_FAILURES: usize = 50;
/// What any single call may take. Samples are small, and a hostile file must not hang an analysis.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Memory any call may use however small the file is.
const MEMORY_FLOOR: usize = 16 << 20;
/// Memory a call may use per byte of the file, and per byte of the tensor it returns.
const MEMORY_FACTOR: usize = 8;

/// What was checked; for the author's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Tensors in the sample.
    pub tensors: usize,
    /// Truncated copies that were opened.
    pub truncations: usize,
    /// Copies with a flipped bit that were opened.
    pub flips: usize,
    /// Broken copies that opened all the same, with tensors that hold together.
    pub survivors: usize,
    /// The most memory a call asked for in all; `None` unless [`Meter`] is the test's allocator.
    pub peak: Option<usize>,
}

/// What a loader promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Names and extensions are short, lower case, without dots.
    Names,
    /// No call panics, whatever the file.
    NoPanic,
    /// `probe` knows the sample, stays within 0 to 100 and does not change its mind.
    Probe,
    /// The sample opens, from a path and from bytes alike, with tensors of unique names.
    Opens,
    /// A tensor has the type and shape the list declares.
    Declared,
    /// Reading again gives the same.
    Repeatable,
    /// Reading from several threads gives the same.
    Threads,
    /// An index beyond the list is an error.
    OutOfRange,
    /// Files that are no such format are refused.
    Refuses,
    /// Errors name the file they concern.
    NamesFile,
    /// Memory is bounded by what is there, not by what is declared.
    Memory,
    /// Every call ends.
    Time,
}

/// A promise that was broken, and how.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The promise.
    pub rule: Rule,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

impl std::error::Error for Failure {}

/// Checks `loader` with a file it reads. For a folder the broken copies are left out.
///
/// # Errors
/// Every promise that was broken, up to fifty.
pub fn check(loader: &dyn Loader, sample: &Input) -> Result<Summary, Vec<Failure>> {
    let mut run = Run { loader, summary: Summary::default(), failures: Vec::new() };
    sound::check(&mut run, sample);
    hostile::check(&mut run, sample);
    if run.failures.is_empty() { Ok(run.summary) } else { Err(run.failures) }
}

struct Run<'a> {
    loader: &'a dyn Loader,
    summary: Summary,
    failures: Vec<Failure>,
}

impl Run<'_> {
    fn fail(&mut self, rule: Rule, what: impl Into<String>) {
        if !self.is_full() {
            self.failures.push(Failure { rule, what: what.into() });
        }
    }

    fn is_full(&self) -> bool {
        self.failures.len() >= MAX_FAILURES
    }

    fn expect(&mut self, holds: bool, rule: Rule, what: impl FnOnce() -> String) {
        if !holds {
            self.fail(rule, what());
        }
    }

    /// Runs a call under the rules that hold for all of them; `None` after a panic. `allowed` is the memory it may use
    /// beyond the floor, which may depend on what it returns.
    fn call<R>(
        &mut self,
        what: &str,
        call: impl FnOnce() -> R,
        allowed: impl FnOnce(&R) -> usize,
    ) -> Option<R> {
        let start = Instant::now();
        let (result, peak) = meter::measure(|| contain(call));
        let time = start.elapsed();
        self.expect(time <= MAX_TIME, Rule::Time, || format!("{what} took {time:?}"));
        self.summary.peak = self.summary.peak.max(peak);
        match result {
            Ok(result) => {
                let limit = allowed(&result).saturating_add(MEMORY_FLOOR);
                self.expect(peak.is_none_or(|peak| peak <= limit), Rule::Memory, || {
                    format!("{what} used {} bytes, {limit} would do", peak.unwrap_or(0))
                });
                Some(result)
            }
            Err(message) => {
                self.fail(Rule::NoPanic, format!("{what} panicked: {message}"));
                None
            }
        }
    }

    fn names_file(&mut self, error: &SourceError, input: &Input) {
        let name = input.name();
        let name = name.rsplit(['/', '\\']).next().unwrap_or(&name);
        self.expect(error.file.contains(name), Rule::NamesFile, || {
            format!("an error about {name} names '{}': {error}", error.file)
        });
    }
}
