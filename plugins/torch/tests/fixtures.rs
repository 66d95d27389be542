//! Files that torch wrote, against what torch says is in them (plugins/pytorch/tests/fixtures/make_fixtures.py), and a
//! published one against the reader that has no libtorch.
#![allow(missing_docs, clippy::print_stdout)]

mod common;

use common::{View, dictionary, fixture, model, open, plugin, script_replaced};
use eigenscope_plugin::source::{Input, Loader, WeightFile};
use eigenscope_plugin::tensor::{Dtype, Role};
use eigenscope_pytorch::Pytorch;
use serde_json::Value;

fn expected(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[name]["tensors"].as_array().unwrap().clone()
}

/// Compares everything torch says of the file; the number of elements compared.
fn compare(name: &str, file: &dyn WeightFile) -> usize {
    let expected = expected(name);
    let names: Vec<&str> = file.tensors().iter().map(|t| t.name.as_str()).collect();
    let wanted: Vec<&str> = expected.iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names, wanted, "{name}");
    let mut compared = 0;
    for (index, (info, want)) in file.tensors().iter().zip(&expected).enumerate() {
        let at = format!("{name} {}", info.name);
        assert_eq!(serde_json::json!(info.shape), want["shape"], "{at}");
        assert_eq!((info.dtype, want["dtype"].as_str()), (Dtype::F32, Some("float32")), "{at}");
        let values = want["values"].as_array().unwrap();
        let want: Vec<f64> = values.iter().map(|v| v.as_str().unwrap().parse().unwrap()).collect();
        let want: Vec<u64> = want.iter().map(|v| v.to_bits()).collect();
        assert_eq!(bits(file, index), want, "{at}");
        compared += want.len();
    }
    compared
}

#[test]
fn a_script_module_holds_what_torch_says_buffers_included() {
    let file = plugin().open(&Input::path(fixture("script.pt"))).unwrap();
    assert_eq!(compare("script.pt", &*file), 6 + 12 + 3 + 12 + 3);
    let roles: Vec<Role> = file.tensors().iter().map(|t| t.role).collect();
    assert_eq!(roles, [Role::Buffer, Role::Weight, Role::Weight, Role::Weight, Role::Weight]);
    assert!(file.tensors().iter().all(|t| t.note.is_none()));
    assert_eq!(file.metadata()[0], ("container".to_owned(), "torchscript".to_owned()));
}

#[test]
fn views_of_one_storage_hold_what_torch_says() {
    let file = plugin().open(&Input::path(fixture("views.pt"))).unwrap();
    assert_eq!(compare("views.pt", &*file), 96);
    assert_eq!(file.metadata()[0], ("container".to_owned(), "zip".to_owned()));
}

/// The order is not the alphabet's; the other reader is compared with torch itself in its own tests.
#[test]
fn a_dictionary_of_every_element_type_agrees_with_the_reader_without_libtorch() {
    let classes = [
        ("Short", 32, Dtype::I16),
        ("Double", 8, Dtype::F64),
        ("Float", 16, Dtype::F32),
        ("Half", 32, Dtype::F16),
        ("BFloat16", 32, Dtype::BF16),
        ("Long", 8, Dtype::I64),
        ("Int", 16, Dtype::I32),
        ("Char", 64, Dtype::I8),
        ("Byte", 64, Dtype::U8),
        ("Bool", 64, Dtype::Bool),
    ];
    let view =
        |(class, numel)| View { name: class, class, numel, offset: 1, shape: &[2, 3], strides: &[1, 2] };
    for (class, numel, dtype) in classes {
        let bytes = dictionary(&[view((class, numel))]);
        let (ours, theirs) = both(bytes);
        assert_eq!(ours.tensors(), theirs.tensors());
        assert_eq!(ours.tensors()[0].dtype, dtype);
        assert_eq!(bits(&*ours, 0), bits(&*theirs, 0), "{class}");
    }
    let floats = ["z", "b", "a|c"].map(|name| View { name, ..view(("Float", 16)) });
    let ours = open(dictionary(&floats)).unwrap();
    let names: Vec<&str> = ours.tensors().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["z", "b", "a.c"]);
}

fn both(bytes: Vec<u8>) -> (Box<dyn WeightFile>, Box<dyn WeightFile>) {
    let input = Input::bytes("model.pt", bytes);
    (plugin().open(&input).unwrap(), Pytorch.open(&input).unwrap())
}

fn bits(file: &dyn WeightFile, index: usize) -> Vec<u64> {
    file.read(index).unwrap().to_vec().iter().map(|v| v.to_bits()).collect()
}

/// A tensor that a class holds without registering it, and a name that is a parameter here and a buffer there.
#[test]
fn what_a_tensor_is_registered_as_becomes_its_role() {
    let code = "script/code/__torch__.py";
    let file = open(script_replaced(code, "[\"table\", ]", "[]")).unwrap();
    assert_eq!(compare("script.pt", &*file), 36);
    let table = &file.tensors()[0];
    assert_eq!(table.role, Role::Buffer);
    assert_eq!(table.note.as_deref(), Some("attribute of a module, not part of its state"));

    let code = "script/code/__torch__/torch/nn/modules/conv.py";
    let buffers = "__parameters__ = [\"bias\", ]\n  __buffers__ = [\"weight\", ]";
    let file =
        open(script_replaced(code, "__parameters__ = [\"weight\", \"bias\", ]\n  __buffers__ = []", buffers));
    let file = file.unwrap();
    assert_eq!(compare("script.pt", &*file), 36);
    let roles: Vec<Role> = file.tensors().iter().map(|t| t.role).collect();
    assert_eq!(roles, [Role::Buffer, Role::Buffer, Role::Weight, Role::Weight, Role::Weight]);
}

#[test]
fn a_published_script_module_agrees_with_the_reader_without_libtorch() {
    let Some(path) = model("silero/silero_vad.jit") else {
        println!("left out: target/models/silero/silero_vad.jit is not there");
        return;
    };
    let (ours, theirs) =
        (plugin().open(&Input::path(&path)).unwrap(), Pytorch.open(&Input::path(&path)).unwrap());
    let mut compared = 0;
    for (index, info) in ours.tensors().iter().enumerate() {
        let other = theirs.tensors().iter().position(|t| t.name == info.name);
        let other = other.unwrap_or_else(|| panic!("only libtorch lists {}", info.name));
        let there = &theirs.tensors()[other];
        assert_eq!(
            (&info.shape, info.dtype, info.role),
            (&there.shape, there.dtype, there.role),
            "{}",
            info.name
        );
        let (a, b) = (bits(&*ours, index), bits(&*theirs, other));
        assert_eq!(a, b, "{}", info.name);
        compared += a.len();
    }
    let names: Vec<&str> = ours.tensors().iter().map(|t| t.name.as_str()).collect();
    let only: Vec<&str> =
        theirs.tensors().iter().map(|t| t.name.as_str()).filter(|name| !names.contains(name)).collect();
    // A constant of the code, not of the module.
    assert_eq!((names.len(), only, compared), (32, vec!["constants.0"], 545_282));
}

#[test]
fn the_reader_without_libtorch_is_asked_first() {
    let scripted = Input::path(fixture("script.pt"));
    let glimpse = scripted.glimpse().unwrap();
    assert_eq!((plugin().probe(&glimpse), Pytorch.probe(&glimpse)), (20, 100));
    let mut registry = eigenscope_plugin::source::Registry::new();
    common::discovery().add_to(&mut registry);
    registry.add(std::sync::Arc::new(Pytorch));
    assert_eq!(registry.open(&scripted, None).unwrap().loader, "pytorch");
    assert_eq!(registry.open(&scripted, Some("torch")).unwrap().loader, "torch");
}
