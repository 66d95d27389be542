//! No hostile file takes more than 64 MiB, whatever it declares.
#![allow(missing_docs, clippy::print_stdout)]

mod common;

use common::{Pickle, checkpoint, exercise, one_tensor, zip};
use eigenscope_plugin::source::{Input, Loader};
use eigenscope_pytorch::Pytorch;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn peak(what: impl FnOnce() -> bool, name: &str) -> usize {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    assert!(what(), "{name} must be refused");
    let used = ALLOCATOR.peak_usage() - before;
    println!("{name}: {} KiB", used >> 10);
    assert!(used < 64 << 20, "{name} took {} MiB", used >> 20);
    used
}

// One test, so that nothing else allocates meanwhile.
#[test]
fn hostile_files_stay_below_64_mib() {
    let big = 1 << 40;
    let evil = Pickle::new().global("posix", "system").raw(b"(").text("id").raw(b"tR").end();
    let good = one_tensor(4, 0, &[2, 2], &[2, 1]);
    let half = good[..good.len() / 2].to_vec();
    let nested = Pickle::new().raw(&b"]".repeat(200_000)).raw(&b"a".repeat(199_999)).end();
    let long_text = Pickle::new().raw(b"X\xff\xff\xff\x7f").end();
    let strange = zip(&[("readme", b"hello")]);
    let mut bomb = zip(&[("a/data.pkl", &[0xff; 64])]);
    // The same entry, declared as deflated and a terabyte long.
    let directory = bomb.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    for (at, value) in [(8, 8u8), (directory + 10, 8), (directory + 24 + 3, 0x7f)] {
        bomb[at] = value;
    }
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("0 bytes", Vec::new()),
        ("an HTML page", b"<!DOCTYPE html><html></html>".to_vec()),
        ("a truncated zip", half),
        ("os.system", checkpoint(&evil, 0)),
        ("a shape of [2^40, 2^40]", one_tensor(4, 0, &[big, big], &[big, 1])),
        ("a shape of [2^40] that repeats one element", one_tensor(4, 0, &[big], &[0])),
        ("deep nesting", checkpoint(&nested, 0)),
        ("a string of 2 GiB", checkpoint(&long_text, 0)),
        ("another zip", strange),
        ("a zip bomb", bomb),
    ];
    for (name, bytes) in cases {
        peak(|| exercise("file.pt", bytes).is_err(), name);
    }
    let megabyte = Input::bytes("big.pt", one_tensor(1 << 16, 0, &[256, 256], &[256, 1]));
    let file = Pytorch.open(&megabyte).unwrap();
    assert!(peak(|| file.read(0).is_ok(), "reading a stored tensor") < 4096);
    let folder = tempfile::tempdir().unwrap();
    peak(|| Pytorch.open(&Input::path(folder.path())).is_err(), "an empty folder");
}
