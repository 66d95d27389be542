//! What the tests share: fixtures, the real models, and what h5py read in both.
#![allow(dead_code, clippy::print_stdout)]

use std::io::Read;
use std::path::{Path, PathBuf};

use eigenscope_keras::Keras;
use eigenscope_plugin::source::{Input, Loader, SourceError, TensorInfo, WeightFile};
use eigenscope_plugin::tensor::Role;
use flate2::bufread::GzDecoder;
use serde_json::Value;

/// A fixture, unpacked.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}.gz", env!("CARGO_MANIFEST_DIR"));
    let packed = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut bytes = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Opens a fixture.
pub fn open(name: &str) -> Box<dyn WeightFile> {
    open_bytes(name, fixture(name)).unwrap_or_else(|e| panic!("{e}"))
}

pub fn open_bytes(name: &str, bytes: Vec<u8>) -> Result<Box<dyn WeightFile>, SourceError> {
    Keras.open(&Input::bytes(name, bytes))
}

/// The error of bytes that must not open.
pub fn refusal(name: &str, bytes: Vec<u8>) -> SourceError {
    match open_bytes(name, bytes) {
        Ok(file) => panic!("{name} opens, with {} tensors", file.tensors().len()),
        Err(error) => error,
    }
}

/// Position and description of the tensor of that name.
pub fn find<'a>(file: &'a dyn WeightFile, name: &str) -> (usize, &'a TensorInfo) {
    let index = file.tensors().iter().position(|t| t.name == name).unwrap_or_else(|| {
        let names: Vec<&str> = file.tensors().iter().map(|t| t.name.as_str()).collect();
        panic!("no tensor '{name}' among {names:?}")
    });
    (index, &file.tensors()[index])
}

pub fn values(file: &dyn WeightFile, name: &str) -> Vec<f64> {
    file.read(find(file, name).0).unwrap().to_vec()
}

/// A file under target/models, if it was fetched.
pub fn real(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/models").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("EIGENSCOPE_REQUIRE_MODELS").is_none_or(|v| v != "1"),
        "{name} is not there; run tests/fetch_models.py"
    );
    println!("skipped: {name} is not there; run tests/fetch_models.py");
    None
}

/// Shapes, order and every value against tests/expected/values.json; quantised integers by their integers' shape only.
pub fn check_values(file: &dyn WeightFile, name: &str) {
    let path = format!("{}/tests/expected/values.json", env!("CARGO_MANIFEST_DIR"));
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let expected = &all[name];
    let is = |role: Role| move |(_, t): &(usize, &TensorInfo)| t.role == role;
    let listed = || file.tensors().iter().enumerate();
    assert_eq!(listed().filter(is(Role::Optimizer)).count() as u64, expected["optimizer"].as_u64().unwrap());
    let layers: Vec<_> = listed()
        .filter(|(_, t)| t.role != Role::Optimizer && t.note.as_deref() != Some("state of a metric"))
        .collect();
    let expected = expected["layers"].as_array().unwrap();
    assert_eq!(layers.len(), expected.len());
    for ((index, info), line) in layers.into_iter().zip(expected) {
        let shape: Vec<u64> = line[1].as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).collect();
        assert_eq!(info.numel(), shape.iter().product::<u64>(), "{} is {line}", info.name);
        if info.quantized {
            continue;
        }
        let values = file.read(index).unwrap().to_vec();
        let (sum, size) = values.iter().fold((0.0, 0.0), |(sum, size), v| (sum + v, size + v.abs()));
        let number = |at: usize| line[at].as_f64().unwrap();
        assert!((sum - number(3)).abs() <= 1e-9 * size, "{}: {sum}, not {line}", info.name);
        // As singles: the JSON reader may miss the last bit of a double.
        assert_eq!(values[0] as f32, number(4) as f32, "{} is {line}", info.name);
        assert_eq!(*values.last().unwrap() as f32, number(5) as f32, "{} is {line}", info.name);
    }
}
