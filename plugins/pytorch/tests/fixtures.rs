//! Files that torch wrote, against what torch says is in them (`fixtures/make_fixtures.py`).
#![allow(missing_docs)]

use std::path::PathBuf;

use eigenscope_plugin::source::{Input, Loader, WeightFile};
use eigenscope_plugin::tensor::{Dtype, LayerKind, Layout, Role, Stacked};
use eigenscope_pytorch::Pytorch;
use serde_json::Value;

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

fn open(name: &str) -> Box<dyn WeightFile> {
    Pytorch.open(&Input::path(fixtures().join(name))).unwrap()
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixtures().join("expected.json")).unwrap()).unwrap()
}

/// Torch's names of element types, where they differ.
fn torch_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F64 => "float64",
        Dtype::F32 => "float32",
        Dtype::F16 => "float16",
        Dtype::BF16 => "bfloat16",
        Dtype::F8E4M3 => "float8_e4m3fn",
        Dtype::F8E5M2 => "float8_e5m2",
        Dtype::I64 => "int64",
        Dtype::I32 => "int32",
        Dtype::I16 => "int16",
        Dtype::I8 => "int8",
        Dtype::U32 => "uint32",
        Dtype::U16 => "uint16",
        Dtype::U8 => "uint8",
        Dtype::Bool => "bool",
        _ => "?",
    }
}

#[test]
fn every_file_holds_the_names_order_shapes_types_and_values_torch_says() {
    let mut compared = 0;
    for (name, expected) in expected().as_object().unwrap() {
        let file = open(name);
        let listed: Vec<_> =
            file.tensors().iter().enumerate().filter(|(_, t)| !t.name.contains("_flat_weights")).collect();
        let tensors = expected["tensors"].as_array().unwrap();
        let names: Vec<_> = tensors.iter().map(|t| t["name"].as_str().unwrap()).collect();
        let found: Vec<_> = listed.iter().map(|(_, t)| t.name.as_str()).collect();
        if name == "script.pt" {
            // TorchScript's own file order is buffers first.
            let (mut found, mut names) = (found.clone(), names.clone());
            found.sort();
            names.sort();
            assert_eq!(found, names, "{name}");
        } else {
            assert_eq!(found, names, "{name}");
        }
        for want in tensors {
            let (i, info) = listed.iter().find(|(_, t)| t.name == want["name"].as_str().unwrap()).unwrap();
            let at = format!("{name} {}", info.name);
            let tensor = file.read(*i).unwrap();
            let shape: Vec<u64> = info.shape.iter().map(|&d| d as u64).collect();
            assert_eq!(serde_json::json!(shape), want["shape"], "{at}");
            let Some(values) = want["values"].as_array() else {
                assert_eq!(info.dtype, Dtype::Opaque, "{at}");
                assert!(info.note.is_some(), "{at}");
                continue;
            };
            let dtype = want["dtype"].as_str().unwrap();
            assert_eq!(torch_name(info.dtype), dtype.strip_prefix('q').unwrap_or(dtype), "{at}");
            assert_eq!(info.quantized, dtype.starts_with('q'), "{at}");
            let got = tensor.to_vec();
            assert_eq!(got.len(), values.len(), "{at}");
            for (got, want) in got.iter().zip(values) {
                let want: f64 = want.as_str().unwrap().parse().unwrap();
                // Torch dequantises in single precision; everything else is exact.
                let slack = if info.quantized { 1e-6 } else { 0.0 };
                assert!((got - want).abs() <= slack, "{at}: {got} is not {want}");
                compared += 1;
            }
        }
        let facts = file.metadata();
        for (key, value) in expected["metadata"].as_object().unwrap() {
            let found = facts.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
            assert_eq!(found, value.as_str(), "{name} {key}");
        }
    }
    assert!(compared > 1400, "{compared}");
}

#[test]
fn every_file_is_recognised_by_its_first_bytes_whatever_its_name() {
    for name in expected().as_object().unwrap().keys() {
        let bytes = std::fs::read(fixtures().join(name)).unwrap();
        assert_eq!(Pytorch.probe(&Input::bytes("weights", bytes).glimpse().unwrap()), 100, "{name}");
    }
}

#[test]
fn a_deflated_archive_reads_the_same_as_a_stored_one() {
    let (stored, deflated) = (open("zip.pt"), open("deflated.pt"));
    for i in 0..stored.tensors().len() {
        assert_eq!(stored.read(i).unwrap().to_vec(), deflated.read(i).unwrap().to_vec());
    }
}

#[test]
fn a_whole_module_says_kinds_layouts_and_which_tensors_are_buffers() {
    for name in ["module.pt", "module_legacy.pt"] {
        let file = open(name);
        let info = |n: &str| file.tensors().iter().find(|t| t.name == n).unwrap();
        assert_eq!(info("conv.weight").kind, Some(LayerKind::Conv2d));
        assert_eq!(info("conv.weight").layout, Layout::OutInSpatial);
        assert_eq!(info("up.weight").layout, Layout::InOutSpatial);
        assert_eq!(info("rnn.weight_ih_l0").stacked, Some(Stacked { count: 4, axis: 0 }));
        assert_eq!(info("emb.weight").kind, Some(LayerKind::Embedding));
        assert_eq!(info("bn.running_var").role, Role::Buffer);
        assert_eq!(info("bn.weight").role, Role::Weight);
        let copy = info("rnn._flat_weights.0");
        assert_eq!(copy.role, Role::Buffer);
        assert!(copy.note.as_deref().unwrap().contains("not part of its state"));
    }
}

#[test]
fn torchscript_says_which_tensors_are_buffers() {
    let file = open("script.pt");
    let roles: Vec<_> = file.tensors().iter().map(|t| (t.name.as_str(), t.role)).collect();
    assert!(roles.contains(&("table", Role::Buffer)), "{roles:?}");
    assert!(roles.contains(&("fc.weight", Role::Weight)), "{roles:?}");
}

#[test]
fn optimizer_state_is_listed_as_such() {
    let file = open("checkpoint.pt");
    for t in file.tensors() {
        assert_eq!(t.role == Role::Optimizer, t.name.starts_with("optimizer_state_dict."), "{}", t.name);
        assert_eq!(t.note.is_some(), t.role == Role::Optimizer);
    }
}

#[test]
fn what_cannot_be_read_is_listed_with_the_reason() {
    let file = open("uncommon.pt");
    let note = |n: &str| file.tensors().iter().find(|t| t.name == n).unwrap().note.clone().unwrap();
    assert!(note("complex").contains("complex64"));
    assert!(note("sparse").contains("torch.sparse_coo"));
    assert!(note("csr").contains("torch.sparse_csr"));
    assert!(note("meta").contains("without data"));
}
