//! The loader against NumPy: files and values in `fixtures` are NumPy's own (`make_fixtures.py`).

use std::path::PathBuf;

use eigenscope_npy::Npy;
use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Input, Loader, Refusal, WeightFile};
use eigenscope_plugin::tensor::Dtype;
use eigenscope_plugin::testkit;

#[global_allocator]
static METER: testkit::Meter = testkit::Meter;

const FILES: [&str; 6] = ["stored.npz", "packed.npz", "v1.npy", "v2.npy", "v3.npy", "python2.npy"];

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn open(name: &str) -> Box<dyn WeightFile> {
    Npy.open(&Input::path(fixture(name))).unwrap()
}

#[test]
fn every_array_reads_as_numpy_reads_it() {
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut compared = 0;
    for file in FILES {
        let model = open(file);
        let arrays = expected[file].as_object().unwrap();
        assert_eq!(model.tensors().len(), arrays.len(), "{file}");
        for (index, info) in model.tensors().iter().enumerate() {
            let array = &arrays[&info.name];
            let shape: Vec<usize> = serde_json::from_value(array["shape"].clone()).unwrap();
            assert_eq!(info.shape, shape, "{file}: {}", info.name);
            let tensor = model.read(index).unwrap();
            let Some(bits) = array["values"].as_str() else {
                assert_eq!(tensor.dtype(), Dtype::Opaque, "{file}: {}", info.name);
                assert!(info.note.as_ref().unwrap().starts_with("NumPy type"), "{}", info.name);
                continue;
            };
            let found: Vec<String> =
                tensor.to_vec().iter().map(|v| format!("{:016x}", v.to_bits())).collect();
            assert_eq!(found.join(" "), bits, "{file}: {}", info.name);
            compared += found.len();
        }
    }
    assert_eq!(compared, 588);
}

#[test]
fn stored_arrays_are_read_in_place_and_packed_ones_are_not() {
    let bytes = Bytes::from(std::fs::read(fixture("stored.npz")).unwrap());
    let range = bytes.as_ptr_range();
    let model = Npy.open(&Input::bytes("stored.npz", bytes.clone())).unwrap();
    let fortran = model.tensors().iter().position(|t| t.name == "fortran").unwrap();
    let tensor = model.read(fortran).unwrap();
    assert!(range.contains(&tensor.storage().0.as_ptr()));
    assert_eq!(tensor.byte_strides(), [4, 16, 48]);
    assert!(!range.contains(&open("packed.npz").read(fortran).unwrap().storage().0.as_ptr()));
}

#[test]
fn the_loader_keeps_the_promises_of_the_conformance_kit() {
    for file in FILES {
        let summary = testkit::check(&Npy, &Input::path(fixture(file)))
            .unwrap_or_else(|failures| panic!("{file}: {failures:#?}"));
        println!("{file}: {summary:?}");
        assert!(summary.truncations > 100 && summary.flips == 4000, "{summary:?}");
        assert!(summary.peak.unwrap() < 4 << 20, "{summary:?}");
    }
}

#[test]
fn headers_that_lie_are_refused_with_what_is_wrong() {
    let array = |header: &str| {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend([0; 16]);
        Npy.open(&Input::bytes("a.npy", bytes)).map(|model| model.tensors()[0].clone())
    };
    let refuse = |header: &str| *array(header).unwrap_err().refusal;
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
    assert_eq!(array(good).unwrap().shape, [2, 2]);
    let huge = refuse(&good.replace("(2, 2)", "(4294967296, 4294967296)"));
    assert!(matches!(huge, Refusal::Truncated { needed: u64::MAX, .. }), "{huge}");
    let one_more = refuse(&good.replace("(2, 2)", "(5,)"));
    assert!(matches!(one_more, Refusal::Truncated { needed: 87, found: 83, .. }), "{one_more}");
    for (from, to) in [
        ("(2, 2)", "(2, -2)"),
        ("(2, 2)", "(2, __import__('os'))"),
        ("(2, 2)", "2"),
        ("(2, 2)", "(99999999999999999999, 1)"),
        ("'shape'", "'shapes'"),
        ("'descr'", "'d'"),
        ("'fortran_order'", "'order'"),
    ] {
        let refusal = refuse(&good.replace(from, to));
        assert!(matches!(refusal, Refusal::Malformed(_)), "{to}: {refusal}");
    }
}

#[test]
fn other_files_are_refused_by_what_they_look_like() {
    let refuse = |contents: &'static [u8]| {
        let error = Npy.open(&Input::bytes("weights.npz", contents)).unwrap_err();
        assert_eq!(error.file, "weights.npz");
        error.refusal.to_string()
    };
    assert_eq!(
        refuse(b"<!doctype html><p>404"),
        "expected a NumPy array or archive, found an HTML page (a download that failed?)"
    );
    assert_eq!(refuse(b""), "empty: nothing to read");
    assert!(refuse(b"PK\x03\x04 and nothing else").starts_with("malformed: archive"));
}
