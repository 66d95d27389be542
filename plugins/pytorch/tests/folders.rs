//! Models in several files.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use common::{Pickle, checkpoint};
use eigenscope_plugin::source::{Input, Loader, Refusal, SourceError, WeightFile};
use eigenscope_pytorch::Pytorch;

fn open(path: &Path) -> Result<Box<dyn WeightFile>, SourceError> {
    Pytorch.open(&Input::path(path))
}

fn write(folder: &Path, name: &str, tensor: &str) {
    let pickle = Pickle::new().dict(tensor, |p| p.tensor("FloatStorage", 2, 0, &[2], &[1]));
    fs::write(folder.join(name), checkpoint(&pickle.end(), 2)).unwrap();
}

fn names(file: &dyn WeightFile) -> Vec<String> {
    file.tensors().iter().map(|t| t.name.clone()).collect()
}

#[test]
fn an_index_joins_its_shards() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "pytorch_model-00001-of-00002.bin", "z.weight");
    write(folder.path(), "pytorch_model-00002-of-00002.bin", "a.weight");
    let index = folder.path().join("pytorch_model.bin.index.json");
    fs::write(&index, r#"{"metadata":{},"weight_map":{"a.weight":"pytorch_model-00002-of-00002.bin","z.weight":"pytorch_model-00001-of-00002.bin"}}"#).unwrap();
    assert_eq!(Pytorch.probe(&Input::path(&index).glimpse().unwrap()), 100);
    assert_eq!(Pytorch.probe(&Input::path(folder.path()).glimpse().unwrap()), 80);
    for path in [&index, folder.path()] {
        let file = open(path).unwrap();
        assert_eq!(names(&*file), ["z.weight", "a.weight"]);
        assert_eq!(file.read(1).unwrap().to_vec(), [1.0, 1.0]);
    }
    fs::remove_file(folder.path().join("pytorch_model-00001-of-00002.bin")).unwrap();
    let error = open(&index).unwrap_err();
    assert!(
        matches!(&*error.refusal, Refusal::Missing(what) if what.contains("00001-of-00002.bin")),
        "{error}"
    );
}

#[test]
fn the_model_is_found_beside_what_training_left() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(*open(folder.path()).unwrap_err().refusal, Refusal::Empty));
    write(folder.path(), "optimizer.pt", "state");
    write(folder.path(), "training_args.bin", "args");
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("optimizer.pt, training_args.bin"), "{error}");
    write(folder.path(), "pytorch_model.bin", "w");
    assert_eq!(names(&*open(folder.path()).unwrap()), ["w"]);
}
