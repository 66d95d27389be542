//! What holds for files that are not as they should be.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use eigenscope::source::{Glimpse, Input};

use super::sound::{list, probe_twice, read};
use super::{MEMORY_FACTOR, Rule, Run};
use crate::mapped;

/// Bytes of copies made in one check; larger samples get fewer of them.
const MAX_COPIED: usize = 1 << 30;
/// Copies of each kind.
const COPIES: usize = 4000;
/// Start and end of a file, where its structure is likely to be.
const EDGE: usize = 4096;
/// Tensors of a broken copy that are read.
const MAX_READ: usize = 64;

pub(super) fn check(run: &mut Run<'_>, sample: &Input) {
    let Ok(glimpse) = sample.glimpse() else { return };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    garbage(run, &glimpse, &mut random);
    places(run, &glimpse.name);
    let Ok(bytes) = mapped::contents(sample) else { return };
    let copies = (MAX_COPIED / bytes.len().max(1)).clamp(1, COPIES);
    for length in lengths(bytes.len(), copies) {
        if run.is_full() {
            return;
        }
        run.summary.truncations += 1;
        broken(run, &glimpse.name, bytes.slice(..length), &format!("cut to {length} bytes"));
    }
    for _ in 0..copies {
        if run.is_full() {
            return;
        }
        let (at, bit) = (position(&mut random, bytes.len()), random.below(8));
        let mut copy = bytes.to_vec();
        copy[at] ^= 1 << bit;
        run.summary.flips += 1;
        broken(run, &glimpse.name, copy.into(), &format!("with bit {bit} of byte {at} flipped"));
    }
}

/// Contents that are no weights at all, under the sample's name and under others.
fn garbage(run: &mut Run<'_>, sample: &Glimpse, random: &mut Random) {
    let noise: Vec<u8> = (0..EDGE).map(|_| random.below(256) as u8).collect();
    let mut contents: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("one byte", vec![0]),
        ("an HTML page", b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>".to_vec()),
        (
            "a Git LFS pointer",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n".to_vec(),
        ),
        ("noise", noise.clone()),
        ("deep brackets", b"[".repeat(1 << 16)),
        ("deep objects", b"{\"a\":".repeat(1 << 14)),
    ];
    let signs: [(&str, &[u8]); 6] = [
        ("a zip with noise", b"PK\x03\x04"),
        ("an HDF5 file with noise", b"\x89HDF\r\n\x1a\n"),
        ("a NumPy array with noise", b"\x93NUMPY\x01\x00"),
        ("a GGUF file with noise", b"GGUF\x03\0\0\0"),
        ("a library with noise", b"\x7fELF\x02\x01\x01"),
        ("a pickle with noise", b"\x80\x02"),
    ];
    contents.extend(signs.map(|(what, sign)| (what, [sign, &noise].concat())));
    for (what, contents) in contents {
        let contents = Bytes::from(contents);
        let long = "x".repeat(10_000);
        for name in [sample.name.as_str(), "", ".", "no-extension", "ünïcödé.\u{202e}", &long] {
            let head = contents.slice(..contents.len().min(EDGE));
            let size = contents.len() as u64;
            probe_twice(run, &Glimpse { name: name.to_owned(), head, size, entries: None });
        }
        let input = Input::bytes(sample.name.as_str(), contents);
        let loader = run.loader;
        let opened = run.call(&format!("opening {what}"), || loader.open(&input).map(drop), |_| 0);
        match opened {
            Some(Ok(())) => run.fail(Rule::Refuses, format!("{what} opens as weights")),
            Some(Err(error)) => run.names_file(&error, &input),
            None => {}
        }
    }
    let folder = |entries: &[&str]| Glimpse {
        name: "folder".to_owned(),
        head: Bytes::new(),
        size: 0,
        entries: Some(entries.iter().map(|e| (*e).to_owned()).collect()),
    };
    probe_twice(run, &folder(&[]));
    probe_twice(run, &folder(&["", "..", "model.bin", &sample.name]));
}

/// A file that is not there, and an empty folder.
fn places(run: &mut Run<'_>, name: &str) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder: PathBuf =
        std::env::temp_dir().join(format!("eigenscope-testkit-{}-{number}", std::process::id()));
    if fs::create_dir(&folder).is_err() {
        return;
    }
    for input in [Input::path(folder.join(name)), Input::path(&folder)] {
        let loader = run.loader;
        match run.call("opening nothing", || loader.open(&input).map(drop), |_| 0) {
            Some(Ok(())) => run.fail(Rule::Refuses, format!("{} opens as weights", input.name())),
            Some(Err(error)) => run.names_file(&error, &input),
            None => {}
        }
    }
    // Nothing is in it; a failure leaves an empty temporary folder.
    let _ = fs::remove_dir(&folder);
}

/// A broken copy: an error that names the file, or tensors that hold together.
fn broken(run: &mut Run<'_>, name: &str, bytes: Bytes, how: &str) {
    let allowed = bytes.len().saturating_mul(MEMORY_FACTOR);
    let input = Input::bytes(name, bytes);
    let loader = run.loader;
    let what = format!("the sample {how}");
    if let Ok(glimpse) = input.glimpse() {
        probe_twice(run, &glimpse);
    }
    match run.call(&what, || loader.open(&input), |_| allowed) {
        None => {}
        Some(Err(error)) => run.names_file(&error, &input),
        Some(Ok(model)) => {
            list(run, &what, &*model);
            let count = model.tensors().len().min(MAX_READ);
            let before = run.failures.len();
            for index in 0..count {
                read(run, &input, &*model, index);
            }
            run.summary.survivors += 1;
            for failure in &mut run.failures[before..] {
                failure.what = format!("{what}: {}", failure.what);
            }
            run.call(&format!("closing {what}"), || drop(model), |()| 0);
        }
    }
}

/// All lengths of a small file; of a larger one those near its edges and as many in between.
fn lengths(size: usize, copies: usize) -> Vec<usize> {
    if size <= copies {
        return (0..size).collect();
    }
    let edge = (copies / 4).min(EDGE);
    let middle = copies - 2 * edge;
    let between = (0..middle).map(|i| edge + (size - 2 * edge) / middle.max(1) * i);
    (0..edge).chain(between).chain(size - edge..size).collect()
}

/// Half of them near the edges.
fn position(random: &mut Random, size: usize) -> usize {
    match random.below(4) {
        0 => random.below(size.min(EDGE)),
        1 => size - 1 - random.below(size.min(EDGE)),
        _ => random.below(size),
    }
}

/// SplitMix64: the same copies on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }
}
