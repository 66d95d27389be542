//! No hostile file takes more than 64 MiB, whatever it declares.
#![allow(missing_docs, clippy::print_stdout)]

mod common;

use common::{exercise, file, floats};
use eigenscope_plugin::source::{Input, Loader};
use eigenscope_safetensors::Safetensors;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn peak(what: impl FnOnce() -> bool, name: &str) -> usize {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    assert!(what(), "{name}");
    let used = ALLOCATOR.peak_usage() - before;
    println!("{name}: {} KiB", used >> 10);
    assert!(used < 64 << 20, "{name} took {} MiB", used >> 20);
    used
}

// One test, so that nothing else allocates meanwhile.
#[test]
fn hostile_files_stay_below_64_mib() {
    let mut endless = (1u64 << 60).to_le_bytes().to_vec();
    endless.extend(b"{}");
    let huge = r#"{"x":{"dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,8]}}"#;
    let good = floats(&[("w", &[1.0; 64])]);
    let half = good[..good.len() / 2].to_vec();
    let extents =
        format!(r#"{{"x":{{"dtype":"U8","shape":[{}1],"data_offsets":[0,1]}}}}"#, "1,".repeat(4 << 20));
    let deep = format!(r#"{{"x":{}"#, "[".repeat(8 << 20));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("0 bytes", Vec::new()),
        ("an HTML page", b"<!DOCTYPE html><html></html>".to_vec()),
        ("half a file", half),
        ("a header of 2^60 bytes", endless),
        ("a shape of [2^40, 2^40]", file(huge, &[0; 8])),
        ("a shape of four million axes", file(&extents, &[0])),
        ("deep JSON", file(&deep, &[])),
    ];
    for (name, bytes) in cases {
        peak(|| exercise(bytes).is_err(), name);
    }
    let folder = tempfile::tempdir().unwrap();
    peak(|| Safetensors.open(&Input::path(folder.path())).is_err(), "an empty folder");
    let big = Safetensors.open(&Input::bytes("big", floats(&[("w", &[1.0; 1 << 16])]))).unwrap();
    assert!(peak(|| big.read(0).is_ok(), "reading a tensor") < 4096);
}
