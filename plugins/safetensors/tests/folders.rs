//! Models in several files.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use common::floats;
use eigenscope_plugin::source::{Input, Loader, Refusal, SourceError, WeightFile};
use eigenscope_safetensors::Safetensors;

fn open(path: &Path) -> Result<Box<dyn WeightFile>, SourceError> {
    Safetensors.open(&Input::path(path))
}

fn names(file: &dyn WeightFile) -> Vec<String> {
    file.tensors().iter().map(|t| t.name.clone()).collect()
}

fn sharded(folder: &Path) {
    fs::write(folder.join("model-00001-of-00002.safetensors"), floats(&[("z", &[1.0]), ("a", &[2.0])]))
        .unwrap();
    fs::write(folder.join("model-00002-of-00002.safetensors"), floats(&[("m", &[3.0])])).unwrap();
}

const INDEX: &str = r#"{"metadata":{"total_size":12},"weight_map":{"a":"model-00001-of-00002.safetensors","m":"model-00002-of-00002.safetensors","z":"model-00001-of-00002.safetensors"}}"#;

#[test]
fn an_index_a_folder_with_it_and_a_folder_without_it_are_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    sharded(folder.path());
    let without = open(folder.path()).unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    fs::write(&index, INDEX).unwrap();
    for file in [without, open(folder.path()).unwrap(), open(&index).unwrap()] {
        assert_eq!(names(&*file), ["z", "a", "m"]);
        let values: Vec<_> = (0..3).map(|i| file.read(i).unwrap().to_vec()[0]).collect();
        assert_eq!(values, [1.0, 2.0, 3.0]);
        assert_eq!(file.metadata(), [("format".to_owned(), "pt".to_owned())]);
        assert!(file.read(3).is_err());
    }
    assert_eq!(Safetensors.probe(&Input::path(folder.path()).glimpse().unwrap()), 100);
}

#[test]
fn a_missing_shard_or_tensor_is_named() {
    let folder = tempfile::tempdir().unwrap();
    sharded(folder.path());
    let index = folder.path().join("model.safetensors.index.json");
    fs::write(&index, INDEX.replace(r#""z":"#, r#""gone":"#)).unwrap();
    let error = open(&index).unwrap_err();
    assert_eq!(error.tensor.as_deref(), Some("gone"));
    assert!(matches!(*error.refusal, Refusal::Missing(_)), "{error}");

    fs::write(&index, INDEX).unwrap();
    fs::remove_file(folder.path().join("model-00002-of-00002.safetensors")).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(
        matches!(&*error.refusal, Refusal::Missing(what) if what.contains("model-00002-of-00002")),
        "{error}"
    );
    fs::remove_file(&index).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(&*error.refusal, Refusal::Missing(what) if what.contains("shard 2")), "{error}");
}

#[test]
fn a_tensor_the_index_forgot_is_listed_with_a_note() {
    let folder = tempfile::tempdir().unwrap();
    sharded(folder.path());
    let index = folder.path().join("model.safetensors.index.json");
    fs::write(&index, INDEX.replace(r#","z":"model-00001-of-00002.safetensors""#, "")).unwrap();
    let file = open(&index).unwrap();
    assert_eq!(file.tensors()[0].note.as_deref(), Some("not in the index"));
    assert_eq!(file.tensors()[1].note, None);
}

#[test]
fn an_index_cannot_leave_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("model");
    fs::create_dir(&inner).unwrap();
    fs::write(folder.path().join("secret.safetensors"), floats(&[("a", &[1.0])])).unwrap();
    let index = inner.join("model.safetensors.index.json");
    let absolute = folder.path().join("secret.safetensors").display().to_string();
    for shard in
        ["../secret.safetensors", &absolute, "x/../../secret.safetensors", "C:secret", "..\\\\secret", ""]
    {
        fs::write(&index, format!(r#"{{"weight_map":{{"a":"{shard}"}}}}"#)).unwrap();
        let error = open(&index).unwrap_err();
        assert!(matches!(*error.refusal, Refusal::Forbidden(_)), "{shard}: {error}");
    }
    for (text, code) in
        [("{}", "malformed"), ("", "empty"), (r#"{"weight_map":{}}"#, "empty"), ("[", "malformed")]
    {
        fs::write(&index, text).unwrap();
        assert_eq!(open(&index).unwrap_err().refusal.code(), code, "{text}");
    }
    let deep = format!(r#"{{"metadata":{}1{},"weight_map":{{}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    fs::write(&index, deep).unwrap();
    assert!(open(&index).is_err());
}

#[test]
fn the_same_tensor_in_two_shards_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for i in 1..=2 {
        let path = folder.path().join(format!("model-0000{i}-of-00002.safetensors"));
        fs::write(path, floats(&[("a", &[1.0])])).unwrap();
    }
    let error = open(folder.path()).unwrap_err();
    assert!(
        matches!(*error.refusal, Refusal::Malformed(_)) && error.tensor.as_deref() == Some("a"),
        "{error}"
    );
}

#[test]
fn a_folder_is_one_model_or_says_which_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let write =
        |name: &str, tensor: &str| fs::write(folder.path().join(name), floats(&[(tensor, &[1.0])])).unwrap();
    assert!(matches!(*open(folder.path()).unwrap_err().refusal, Refusal::Empty));
    write("README.md", "x");
    assert!(matches!(*open(folder.path()).unwrap_err().refusal, Refusal::Missing(_)));
    write("lora_b.safetensors", "b");
    assert_eq!(names(&*open(folder.path()).unwrap()), ["b"]);
    write("lora_c.safetensors", "c");
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("lora_b.safetensors, lora_c.safetensors"), "{error}");
    write("adapter_model.safetensors", "adapter");
    assert_eq!(names(&*open(folder.path()).unwrap()), ["adapter"]);
    write("model.fp16.safetensors", "half");
    assert_eq!(names(&*open(folder.path()).unwrap()), ["half"]);
    write("model.safetensors", "model");
    assert_eq!(names(&*open(folder.path()).unwrap()), ["model"]);
}
