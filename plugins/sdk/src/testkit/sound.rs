//! What holds for a file that is as it should be.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use eigenscope::source::{Glimpse, Input, Loader, SourceError, TensorInfo, WeightFile};
use eigenscope::tensor::{Dtype, Tensor};

use super::{MEMORY_FACTOR, Rule, Run};
use crate::mapped;

/// Threads that read at once.
const THREADS: usize = 4;
/// Elements up to which values are compared; beyond, the stored bytes are.
const MAX_ELEMENTS: usize = 1 << 20;
/// Characters of a loader's name or extension.
const MAX_NAME: usize = 32;

pub(super) fn check(run: &mut Run<'_>, sample: &Input) {
    names(run);
    probe(run, sample);
    let Some(model) = open(run, sample) else { return };
    let infos = model.tensors().to_vec();
    run.summary.tensors = infos.len();
    run.expect(!infos.is_empty(), Rule::Opens, || {
        "the sample has no tensors: nothing can be checked".to_owned()
    });
    let digests = read_all(run, sample, &*model);
    let again = read_all(run, sample, &*model);
    run.expect(digests == again, Rule::Repeatable, || "reading twice gives different tensors".to_owned());
    threads(run, &*model, &digests);
    out_of_range(run, &*model, infos.len());
    let metadata = run.call("metadata", || (model.metadata(), model.metadata()), |_| 0);
    run.expect(metadata.is_none_or(|(a, b)| a == b), Rule::Repeatable, || "metadata changes".to_owned());
    other_way(run, sample, &infos);
    run.call("closing the sample", || drop(model), |()| 0);
}

fn names(run: &mut Run<'_>) {
    let loader = run.loader;
    let proper = |name: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.') && name.chars().all(fits)
    };
    let name = loader.name();
    run.expect(proper(name), Rule::Names, || format!("the loader's name '{name}'"));
    for extension in loader.extensions() {
        run.expect(proper(extension), Rule::Names, || format!("the extension '{extension}'"));
    }
}

fn probe(run: &mut Run<'_>, sample: &Input) {
    let glimpse = match sample.glimpse() {
        Ok(glimpse) => glimpse,
        Err(error) => return run.fail(Rule::Opens, format!("the sample cannot be read: {error}")),
    };
    let score = probe_twice(run, &glimpse);
    run.expect(score != Some(0), Rule::Probe, || format!("{} scores 0", sample.name()));
}

/// The score, after the rules that hold for every input.
pub(super) fn probe_twice(run: &mut Run<'_>, glimpse: &Glimpse) -> Option<u8> {
    let loader = run.loader;
    let what = format!("probe of {:.80}", glimpse.name);
    let (first, second) = run.call(&what, || (loader.probe(glimpse), loader.probe(glimpse)), |_| 0)?;
    run.expect(first == second, Rule::Probe, || format!("{what} gives {first}, then {second}"));
    run.expect(first <= 100, Rule::Probe, || format!("{what} gives {first}"));
    Some(first)
}

fn open(run: &mut Run<'_>, sample: &Input) -> Option<Box<dyn WeightFile>> {
    let loader = run.loader;
    let allowed = size(sample).saturating_mul(MEMORY_FACTOR);
    match run.call("opening the sample", || loader.open(sample), |_| allowed)? {
        Ok(model) => Some(model),
        Err(error) => {
            run.fail(Rule::Opens, format!("the sample is refused: {error}"));
            None
        }
    }
}

/// Bytes of a file; a folder's do not matter, as it is mapped.
pub(super) fn size(input: &Input) -> usize {
    input.glimpse().map_or(0, |glimpse| usize::try_from(glimpse.size).unwrap_or(usize::MAX))
}

/// Digests of all tensors of the intact sample.
fn read_all(run: &mut Run<'_>, sample: &Input, model: &dyn WeightFile) -> Vec<Option<u64>> {
    list(run, "the sample", model);
    let indices = 0..model.tensors().len();
    let mut read = |index| match read(run, sample, model, index)? {
        Ok(tensor) => Some(digest(&tensor)),
        Err(error) => {
            run.fail(Rule::Declared, format!("a tensor of the sample is refused: {error}"));
            None
        }
    };
    indices.map(&mut read).collect()
}

/// Names are unique and not empty.
pub(super) fn list(run: &mut Run<'_>, what: &str, model: &dyn WeightFile) {
    let mut names = HashSet::new();
    for info in model.tensors() {
        run.expect(!info.name.is_empty(), Rule::Opens, || format!("{what} has a tensor without a name"));
        let new = names.insert(info.name.as_str());
        run.expect(new, Rule::Opens, || format!("{what} has two tensors named '{}'", info.name));
    }
}

/// Reads a tensor and compares it with the list.
pub(super) fn read(
    run: &mut Run<'_>,
    input: &Input,
    model: &dyn WeightFile,
    index: usize,
) -> Option<Result<Tensor, SourceError>> {
    let info = model.tensors().get(index)?;
    let file = size(input);
    let allowed = |result: &Result<Tensor, SourceError>| {
        let tensor = result.as_ref().map_or(0, |t| t.len().saturating_mul(t.dtype().size()));
        file.saturating_add(tensor).saturating_mul(MEMORY_FACTOR)
    };
    let what = format!("reading '{:.80}'", info.name);
    let result = run.call(&what, || model.read(index), allowed)?;
    match &result {
        Ok(tensor) => {
            let same = tensor.dtype() == info.dtype && tensor.shape() == info.shape;
            run.expect(same, Rule::Declared, || {
                let (dtype, shape) = (tensor.dtype(), tensor.shape());
                format!("{what}: listed as {} {:?}, read as {dtype} {shape:?}", info.dtype, info.shape)
            });
        }
        Err(error) => run.names_file(error, input),
    }
    Some(result)
}

fn digest(tensor: &Tensor) -> u64 {
    let mut hasher = DefaultHasher::new();
    (tensor.dtype(), tensor.shape()).hash(&mut hasher);
    if tensor.dtype() == Dtype::Opaque {
        return hasher.finish();
    }
    if tensor.len() <= MAX_ELEMENTS {
        tensor.to_vec().iter().for_each(|v| v.to_bits().hash(&mut hasher));
    } else {
        (tensor.byte_strides(), tensor.storage()).hash(&mut hasher);
    }
    hasher.finish()
}

fn threads(run: &mut Run<'_>, model: &dyn WeightFile, expected: &[Option<u64>]) {
    let reader = |start: usize| {
        let count = expected.len();
        // Each thread starts elsewhere, so that different tensors are read at the same time.
        (0..count).map(|i| (start + i) % count).all(|i| match (expected[i], model.read(i)) {
            (Some(digest_before), Ok(tensor)) => digest(&tensor) == digest_before,
            (before, result) => before.is_none() == result.is_err(),
        })
    };
    let outcome = std::thread::scope(|scope| {
        let reader = &reader;
        let threads: Vec<_> =
            (0..THREADS).map(|t| scope.spawn(move || reader(t * expected.len() / THREADS))).collect();
        threads.into_iter().map(|t| t.join()).collect::<Vec<_>>()
    });
    for result in outcome {
        match result {
            Ok(same) => {
                run.expect(same, Rule::Threads, || "a tensor read beside others differs".to_owned());
            }
            Err(payload) => {
                std::mem::forget(payload);
                run.fail(Rule::NoPanic, "reading from several threads panicked");
            }
        }
    }
}

fn out_of_range(run: &mut Run<'_>, model: &dyn WeightFile, count: usize) {
    for index in [count, usize::MAX] {
        let what = format!("reading tensor {index} of {count}");
        if let Some(Ok(_)) = run.call(&what, || model.read(index), |_| 0) {
            run.fail(Rule::OutOfRange, format!("{what} gives a tensor"));
        }
    }
}

/// The sample as bytes where it is a file, and a second time in any case.
fn other_way(run: &mut Run<'_>, sample: &Input, infos: &[TensorInfo]) {
    let mut inputs = vec![sample.clone()];
    if let (Input::Path(_), Ok(bytes), Ok(glimpse)) = (sample, mapped::contents(sample), sample.glimpse()) {
        inputs.push(Input::bytes(glimpse.name, bytes));
    }
    for input in inputs {
        let loader: &dyn Loader = run.loader;
        match run.call("opening the sample again", || loader.open(&input), |_| usize::MAX) {
            Some(Ok(model)) => run.expect(model.tensors() == infos, Rule::Repeatable, || {
                format!("{:.80} opened again lists other tensors", input.name())
            }),
            Some(Err(error)) => run.fail(Rule::Opens, format!("opened again, {error}")),
            None => {}
        }
    }
}
