//! Data in files beside the model: read from there, and from nowhere else.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use common::make::*;
use common::proto::{ModelProto, TensorProto};
use common::{open, open_bytes, real};
use eigenscope_onnx::Onnx;
use eigenscope_plugin::source::{Input, Loader, Refusal, SourceError};
use prost::Message;

/// Moves the data of every initializer to `location` in `folder`, unaligned and with gaps, and writes the model there.
fn externalise(model: &Path, folder: &Path, location: &str) {
    let mut proto = ModelProto::decode(fs::read(model).unwrap().as_slice()).unwrap();
    let mut data = vec![0xAA; 3];
    for tensor in &mut proto.graph.as_mut().unwrap().initializer {
        let raw = std::mem::take(&mut tensor.raw_data);
        let (offset, length) = (data.len().to_string(), raw.len().to_string());
        let moved = external("", &[], &[("location", location), ("offset", &offset), ("length", &length)]);
        (tensor.external_data, tensor.data_location) = (moved.external_data, 1);
        data.extend_from_slice(&raw);
        data.push(0xAA);
    }
    fs::create_dir_all(folder.join(location).parent().unwrap()).unwrap();
    fs::write(folder.join(location), data).unwrap();
    fs::write(folder.join("model.onnx"), proto.encode_to_vec()).unwrap();
}

/// A model in `folder` of one tensor of 2 x 3 singles (24 bytes) with these entries, opened.
fn opened(folder: &Path, entries: &[(&str, &str)]) -> Result<Vec<f64>, SourceError> {
    let path = folder.join("model.onnx");
    fs::write(&path, bytes(vec![], vec![external("w", &[2, 3], entries)])).unwrap();
    let file = Onnx.open(&Input::path(path))?;
    Ok(file.read(0).unwrap().to_vec())
}

fn six() -> Vec<u8> {
    floats("", &[6]).raw_data.to_vec()
}

#[test]
fn open_nsfw_with_its_data_moved_to_another_file_reads_the_same() {
    let Some(path) = real("opennsfw/open-nsfw.onnx") else { return };
    let folder = tempfile::tempdir().unwrap();
    externalise(&path, folder.path(), "data/weights.bin");
    let (inline, moved) = (open(&path), open(&folder.path().join("model.onnx")));
    assert_eq!(inline.tensors(), moved.tensors());
    for index in 0..inline.tensors().len() {
        let (a, b) = (inline.read(index).unwrap(), moved.read(index).unwrap());
        assert_eq!(a.to_vec(), b.to_vec(), "{}", inline.tensors()[index].name);
    }
}

#[test]
fn offset_and_length_say_which_bytes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("w.bin"), [vec![9; 5], six(), vec![9; 7]].concat()).unwrap();
    let whole = [("location", "w.bin"), ("offset", "5"), ("length", "24")];
    assert_eq!(opened(folder.path(), &whole).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(opened(folder.path(), &whole[..2]).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn offsets_and_lengths_beyond_the_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("w.bin"), six()).unwrap();
    let huge = u64::MAX.to_string();
    for (entry, needed, left) in [(("offset", "1"), 24, 23), (("offset", huge.as_str()), 24, 0)] {
        let error = opened(folder.path(), &[("location", "w.bin"), entry]).unwrap_err();
        assert_eq!(error.tensor.as_deref(), Some("w"));
        let Refusal::Truncated { needed: n, found, .. } = *error.refusal else { panic!("{error}") };
        assert_eq!((n, found), (needed, left));
    }
    for entry in [
        ("length", "25"),
        ("length", "-1"),
        ("offset", "-4"),
        ("offset", "99999999999999999999999"),
        ("offset", ""),
    ] {
        let error = opened(folder.path(), &[("location", "w.bin"), entry]).unwrap_err();
        assert!(matches!(*error.refusal, Refusal::Malformed(_)), "{entry:?}: {error}");
    }
    assert!(matches!(*opened(folder.path(), &[("offset", "0")]).unwrap_err().refusal, Refusal::Malformed(_)));
}

#[test]
fn paths_that_leave_the_folder_are_refused_even_where_the_file_is_there() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("model");
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(outer.path().join("secret.bin"), six()).unwrap();
    fs::write(folder.join("inside.bin"), six()).unwrap();
    let absolute = outer.path().join("secret.bin").display().to_string();
    let paths = [
        "../secret.bin",
        "sub/../../secret.bin",
        "sub/../inside.bin",
        absolute.as_str(),
        "/etc/passwd",
        "..",
        "C:\\x",
        "..\\secret.bin",
        "\\\\server\\x",
    ];
    for location in paths {
        let error = opened(&folder, &[("location", location)]).unwrap_err();
        assert!(matches!(*error.refusal, Refusal::Forbidden(_)), "{location}: {error}");
        assert_eq!(error.tensor.as_deref(), Some("w"));
    }
    assert_eq!(opened(&folder, &[("location", "./inside.bin")]).unwrap().len(), 6);
    let missing = opened(&folder, &[("location", "no.bin")]).unwrap_err();
    assert!(matches!(*missing.refusal, Refusal::Missing(_)), "{missing}");
    let long = "a".repeat(100_000);
    assert!(opened(&folder, &[("location", &long)]).unwrap_err().to_string().len() < 1000);
    assert!(opened(&folder, &[("location", "")]).is_err());
    assert!(opened(&folder, &[("location", "a\0b")]).is_err());
    let itself = opened(&folder, &[("location", "sub")]).unwrap_err();
    assert!(matches!(*itself.refusal, Refusal::Forbidden(_)), "{itself}");
}

#[cfg(unix)]
#[test]
fn links_out_of_the_folder_are_refused_and_links_of_a_download_cache_are_not() {
    use std::os::unix::fs::symlink;
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("model");
    fs::create_dir_all(&folder).unwrap();
    fs::write(outer.path().join("secret.bin"), six()).unwrap();
    symlink(outer.path().join("secret.bin"), folder.join("w.bin")).unwrap();
    symlink(outer.path(), folder.join("up")).unwrap();
    for location in ["w.bin", "up/secret.bin"] {
        let error = opened(&folder, &[("location", location)]).unwrap_err();
        assert!(matches!(*error.refusal, Refusal::Forbidden(_)), "{error}");
    }
    // Model and data both are links to a folder that holds the files themselves.
    let (blobs, snapshot) = (outer.path().join("blobs"), outer.path().join("snapshot"));
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(blobs.join("1"), bytes(vec![], vec![external("w", &[2, 3], &[("location", "w.bin")])]))
        .unwrap();
    fs::write(blobs.join("2"), six()).unwrap();
    symlink("../blobs/1", snapshot.join("model.onnx")).unwrap();
    symlink("../blobs/2", snapshot.join("w.bin")).unwrap();
    let file = open(&snapshot.join("model.onnx"));
    assert_eq!(file.read(0).unwrap().to_vec(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn bytes_have_no_folder_to_look_in() {
    let model = bytes(vec![], vec![external("w", &[2, 3], &[("location", "w.bin")])]);
    let error = open_bytes(model).unwrap_err();
    assert!(matches!(*error.refusal, Refusal::Missing(_)));
    assert!(error.to_string().contains("open it by its path"), "{error}");
}

#[test]
fn a_tensor_of_no_data_at_all_says_how_much_is_missing() {
    let empty = TensorProto { raw_data: vec![].into(), ..floats("w", &[2, 3]) };
    let error = open_bytes(bytes(vec![], vec![empty])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "model.onnx, tensor 'w': missing: 24 bytes of data for float_data of shape [2, 3] and type float32"
    );
}
