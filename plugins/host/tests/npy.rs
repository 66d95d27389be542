//! The example plugin, built, installed, found, loaded and read through the border.
#![allow(missing_docs)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use eigenscope::source::{Input, Loader, Registry};
use eigenscope::tensor::Dtype;
use eigenscope_host::{Origin, Search, State};
use eigenscope_plugin::testkit;
use tempfile::TempDir;

#[global_allocator]
static METER: testkit::Meter = testkit::Meter;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plugin-npy")
}

fn fixture(name: &str) -> PathBuf {
    example().join("tests/fixtures").join(name)
}

/// The example as its README installs it: the library beside its own manifest.
fn installed() -> TempDir {
    let folder = TempDir::new().unwrap();
    support::place(&support::npy(), &folder.path().join("libeigenscope_npy.so"));
    fs::copy(example().join("eigenscope-npy.toml"), folder.path().join("eigenscope-npy.toml")).unwrap();
    folder
}

#[test]
fn the_example_is_found_by_its_manifest_and_reads_what_numpy_reads() {
    let folder = installed();
    let found = Search { folders: vec![folder.path().into()], ..Search::default() }.discover();
    assert_eq!(found.candidates.len(), 1);
    let candidate = &found.candidates[0];
    assert_eq!((candidate.origin, &candidate.state), (Origin::Folder, &State::Found));
    assert_eq!(candidate.name.as_deref(), Some("npy"));
    let plugin = found.plugins().next().unwrap();
    assert_eq!((plugin.name(), plugin.version().as_str()), ("npy", "0.1.0"));
    assert_eq!(plugin.extensions(), ["npy", "npz"]);

    let mut registry = Registry::new();
    found.add_to(&mut registry);
    let other = Input::bytes("model.onnx", &b"\x08\x07"[..]);
    assert!(registry.open(&other, None).is_err());
    assert_eq!(plugin.probe(&Input::path(fixture("v1.npy")).glimpse().unwrap()), 100);
    assert!(!plugin.is_loaded(), "choosing needs no library");

    let text = fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut compared = 0;
    for file in ["stored.npz", "packed.npz", "v1.npy", "v2.npy", "v3.npy", "python2.npy"] {
        let model = registry.open(&Input::path(fixture(file)), None).unwrap();
        assert_eq!(model.loader, "npy");
        for (index, info) in model.file.tensors().iter().enumerate() {
            let Some(bits) = expected[file][&info.name]["values"].as_str() else {
                assert_eq!(info.dtype, Dtype::Opaque);
                continue;
            };
            let values = model.file.read(index).unwrap().to_vec();
            let values: Vec<String> = values.iter().map(|v| format!("{:016x}", v.to_bits())).collect();
            assert_eq!(values.join(" "), bits, "{file}: {}", info.name);
            compared += values.len();
        }
    }
    assert_eq!(compared, 588);
    assert!(plugin.is_loaded());
}

#[test]
fn tensors_cross_the_border_in_place() {
    let folder = installed();
    let found = Search { folders: vec![folder.path().into()], ..Search::default() }.discover();
    let bytes = eigenscope_plugin::Bytes::from(fs::read(fixture("v1.npy")).unwrap());
    let range = bytes.as_ptr_range();
    let plugin = found.plugins().next().unwrap();
    let tensor = plugin.open(&Input::bytes("v1.npy", bytes.clone())).unwrap().read(0).unwrap();
    drop(found);
    assert!(range.contains(&tensor.storage().0.as_ptr()), "the host's own bytes came back");
    assert_eq!(tensor.shape(), [3, 5]);
}

/// The kit judges the loader through the border as it does without it.
#[test]
fn the_example_keeps_its_promises_through_the_border() {
    let folder = installed();
    let found = Search { folders: vec![folder.path().into()], ..Search::default() }.discover();
    let plugin = found.plugins().next().unwrap();
    for file in ["packed.npz", "v2.npy"] {
        let summary = testkit::check(&**plugin, &Input::path(fixture(file)))
            .unwrap_or_else(|failures| panic!("{failures:#?}"));
        assert_eq!(summary.flips, 4000);
    }
}

#[test]
fn a_library_named_explicitly_needs_no_manifest() {
    let folder = TempDir::new().unwrap();
    let library = folder.path().join("anything.so");
    support::place(&support::npy(), &library);
    let found = Search { explicit: vec![library], ..Search::default() }.discover();
    assert_eq!(found.candidates[0].state, State::Loaded, "{found}");
    assert_eq!(found.candidates[0].version.as_deref(), Some("0.1.0"));
    let mut registry = Registry::new();
    found.add_to(&mut registry);
    let model = registry.open(&Input::path(fixture("v3.npy")), None).unwrap();
    assert_eq!((model.loader.as_str(), model.file.tensors()[0].dtype), ("npy", Dtype::F16));
}
