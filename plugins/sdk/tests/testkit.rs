//! The conformance kit finds each broken promise, and none where there is none.
#![allow(missing_docs)]

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};

use eigenscope_plugin::source::{
    Glimpse, Input, Loader, Refusal, Score, SourceError, TensorInfo, WeightFile,
};
use eigenscope_plugin::tensor::{Dtype, Tensor};
use eigenscope_plugin::testkit::{self, Rule, check};
use eigenscope_plugin::{Bytes, mapped};

#[global_allocator]
static METER: testkit::Meter = testkit::Meter;

/// `TOY`, a count of two bytes, and as many bytes; with at most one promise broken.
#[derive(Clone, Copy)]
struct Toy {
    fault: Option<Rule>,
}

impl Toy {
    fn breaks(self, rule: Rule) -> bool {
        self.fault == Some(rule)
    }
}

impl Loader for Toy {
    fn name(&self) -> &str {
        if self.breaks(Rule::Names) { "The Toy Loader" } else { "toy" }
    }

    fn extensions(&self) -> &[&str] {
        &["toy"]
    }

    fn probe(&self, glimpse: &Glimpse) -> Score {
        match glimpse.head.starts_with(b"TOY") {
            true if self.breaks(Rule::Probe) => 101,
            true => 100,
            false => 0,
        }
    }

    fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
        let file = if self.breaks(Rule::NamesFile) { "?".to_owned() } else { input.name() };
        let bytes = mapped::contents(input)?;
        let refuse = |what: &str| SourceError::new(file.as_str(), Refusal::Malformed(what.to_owned()));
        if self.breaks(Rule::Refuses) && !bytes.starts_with(b"TOY") {
            return Ok(Box::new(Model {
                toy: *self,
                infos: Vec::new(),
                data: bytes,
                reads: AtomicU32::new(0),
            }));
        }
        if !bytes.starts_with(b"TOY") {
            return Err(refuse("no toy"));
        }
        if bytes.len() < 5 && !self.breaks(Rule::NoPanic) {
            return Err(refuse("cut"));
        }
        let count = usize::from(u16::from_le_bytes([bytes[3], bytes[4]]));
        if self.breaks(Rule::Memory) {
            // What a loader does that trusts the header.
            drop(Vec::<[u8; 1 << 12]>::with_capacity(count));
        }
        if count > bytes.len() - 5 {
            return Err(refuse("cut"));
        }
        let mut infos = vec![TensorInfo::new("toy", Dtype::U8, vec![count])];
        if self.breaks(Rule::Opens) {
            infos.push(infos[0].clone());
        }
        Ok(Box::new(Model { toy: *self, infos, data: bytes.slice(5..), reads: AtomicU32::new(0) }))
    }
}

struct Model {
    toy: Toy,
    infos: Vec<TensorInfo>,
    data: Bytes,
    reads: AtomicU32,
}

impl WeightFile for Model {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let index = if self.toy.breaks(Rule::OutOfRange) { 0 } else { index };
        let missing = || SourceError::new("toy", Refusal::Missing(format!("tensor {index}")));
        let mut shape = self.infos.get(index).ok_or_else(missing)?.shape.clone();
        let mut data = self.data.clone();
        let reads = self.reads.fetch_add(1, Ordering::SeqCst);
        if self.toy.breaks(Rule::Declared) {
            shape.push(1);
        }
        let beside = std::thread::current().name() != Some(CHECKING);
        if self.toy.breaks(Rule::Repeatable) || self.toy.breaks(Rule::Threads) && beside {
            data = vec![reads as u8; data.len()].into();
        }
        Ok(Tensor::new(Dtype::U8, shape, data).expect("as many bytes as the shape says"))
    }
}

const CHECKING: &str = "checking";

fn broken_rules(fault: Option<Rule>) -> HashSet<Rule> {
    let run = move || {
        let sample = Input::bytes("sample.toy", &b"TOY\x03\x00abc"[..]);
        match check(&Toy { fault }, &sample) {
            Ok(summary) => {
                assert_eq!((summary.tensors, summary.truncations, summary.flips), (1, 8, 4000));
                assert!(summary.survivors > 1000, "{summary:?}");
                assert!(summary.peak.is_some_and(|peak| peak < 1 << 20), "{summary:?}");
                HashSet::new()
            }
            Err(failures) => {
                assert!(!failures.is_empty() && failures.len() <= 50);
                failures.iter().map(|failure| failure.rule).collect()
            }
        }
    };
    std::thread::Builder::new().name(CHECKING.to_owned()).spawn(run).unwrap().join().unwrap()
}

#[test]
fn a_sound_loader_passes() {
    assert_eq!(broken_rules(None), HashSet::new());
}

#[test]
fn every_broken_promise_is_found_under_its_own_name() {
    for rule in [
        Rule::Names,
        Rule::NoPanic,
        Rule::Probe,
        Rule::Opens,
        Rule::Declared,
        Rule::Repeatable,
        Rule::Threads,
        Rule::OutOfRange,
        Rule::Refuses,
        Rule::NamesFile,
        Rule::Memory,
    ] {
        let found = broken_rules(Some(rule));
        assert!(found.contains(&rule), "{rule:?}: {found:?}");
    }
}
