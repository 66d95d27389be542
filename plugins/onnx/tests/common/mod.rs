//! What the tests share: opening, finding tensors by name, the real models, and small models made on the spot.
#![allow(dead_code, clippy::print_stdout)]

use std::path::{Path, PathBuf};

use eigenscope_onnx::Onnx;
use eigenscope_plugin::source::{Input, Loader, SourceError, TensorInfo, WeightFile};

#[path = "../../src/proto.rs"]
#[rustfmt::skip]
pub mod proto;

pub mod make;

/// Opens a file or folder.
pub fn open(path: &Path) -> Box<dyn WeightFile> {
    Onnx.open(&Input::path(path)).unwrap()
}

/// Opens bytes under a name a model would have.
pub fn open_bytes(bytes: Vec<u8>) -> Result<Box<dyn WeightFile>, SourceError> {
    Onnx.open(&Input::bytes("model.onnx", bytes))
}

/// Position and description of the tensor of that name.
pub fn find<'a>(file: &'a dyn WeightFile, name: &str) -> (usize, &'a TensorInfo) {
    let index = file.tensors().iter().position(|t| t.name == name).unwrap_or_else(|| {
        let names: Vec<&str> = file.tensors().iter().map(|t| t.name.as_str()).collect();
        panic!("no tensor '{name}' among {names:?}")
    });
    (index, &file.tensors()[index])
}

/// The numbers of the tensor of that name.
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
