//! Small files written by Keras 3.15, tf_keras 2.21 and h5py, against what h5py reads in them.
#![allow(missing_docs)]

mod common;

use common::{check_values, find, fixture, open, open_bytes, values};
use eigenscope_keras::Keras;
use eigenscope_plugin::source::{Input, Loader, Refusal, WeightFile};
use eigenscope_plugin::tensor::{Dtype, LayerKind, Layout, Role, Stacked};

use LayerKind::{Conv1d, Conv2d, Dense, Embedding, Recurrent};
use Layout::{InOutSpatial, SpatialInOut, SpatialOutIn};

const LAYERS: [&str; 6] = [
    "k3_layers.keras",
    "k3_layers.h5",
    "k3_layers.weights.h5",
    "k2_layers.h5",
    "k2_layers_weights.h5",
    "k2_layers.keras",
];

/// Kinds of the tensors that the engine will analyse.
fn analysed(file: &dyn WeightFile) -> Vec<(&str, &[usize], LayerKind, Layout, usize)> {
    let analysed = file.tensors().iter().filter(|t| t.note.is_none());
    let gates = |s: Option<Stacked>| s.map_or(1, |s| if s.axis == 1 { s.count } else { 0 });
    analysed
        .map(|t| (t.name.as_str(), t.shape.as_slice(), t.kind.unwrap(), t.layout, gates(t.stacked)))
        .collect()
}

#[test]
fn every_value_of_every_fixture_is_what_h5py_reads_and_in_the_order_of_the_model() {
    for name in LAYERS.into_iter().chain([
        "k3_before_int8.keras",
        "k3_int8.keras",
        "k3_int8.h5",
        "k3_int4.keras",
        "k3_bfloat16.keras",
        "k3_bfloat16.h5",
        "k3_float16.keras",
        "k3_float16.h5",
        "k1_theano.h5",
        "split_attributes.h5",
    ]) {
        check_values(&*open(name), name);
    }
}

/// The layers of the model, but for the inner order of attention and of the two directions, which differs by version.
#[test]
fn each_layer_of_a_full_model_has_its_kind_axes_and_gates() {
    for (name, attention, cell, inner_cell, each) in [
        ("k3_layers.h5", ["query", "attention_output"], "lstm_cell", "forward_gru/gru_cell", "stepwise/each"),
        ("k2_layers.h5", ["query", "attention_output"], "lstm_cell", "forward_gru/gru_cell", "stepwise"),
        ("k3_layers.keras", ["query_dense", "output_dense"], "cell", "forward_layer/cell", "stepwise/layer"),
        (
            "k2_layers.keras",
            ["_query_dense", "_output_dense"],
            "cell",
            "forward_layer/cell",
            "stepwise/layer",
        ),
    ] {
        let file = open(name);
        let found = analysed(&*file);
        assert_eq!(found.len(), 23, "{name}: {found:?}");
        let depthwise =
            if name == "k2_layers.h5" { "depthwise/depthwise_kernel" } else { "depthwise/kernel" };
        for (tensor, shape, kind, layout, gates) in [
            ("conv_a/kernel", &[3, 3, 3, 4][..], Conv2d, SpatialInOut, 1),
            ("table/embeddings", &[11, 6], Embedding, InOutSpatial, 1),
            ("conv_b/kernel", &[3, 6, 8], Conv1d, SpatialInOut, 1),
            (depthwise, &[3, 3, 4, 2], Conv2d, SpatialInOut, 1),
            (&format!("attention/{}/kernel", attention[0]), &[8, 6], Dense, InOutSpatial, 1),
            (&format!("attention/{}/kernel", attention[1]), &[6, 8], Dense, InOutSpatial, 1),
            ("separable/depthwise_kernel", &[2, 2, 8, 1], Conv2d, SpatialInOut, 1),
            ("separable/pointwise_kernel", &[1, 1, 8, 5], Conv2d, SpatialInOut, 1),
            (&format!("memory/{cell}/kernel"), &[8, 16], Recurrent, InOutSpatial, 4),
            (&format!("memory/{cell}/recurrent_kernel"), &[4, 16], Recurrent, InOutSpatial, 4),
            ("up/kernel", &[2, 2, 6, 5], Conv2d, SpatialOutIn, 1),
            (&format!("both_ways/{inner_cell}/kernel"), &[4, 9], Recurrent, InOutSpatial, 3),
            (&format!("both_ways/{inner_cell}/recurrent_kernel"), &[3, 9], Recurrent, InOutSpatial, 3),
            (&format!("{each}/kernel"), &[6, 5], Dense, InOutSpatial, 1),
            ("inner/inner_dense/kernel", &[6, 7], Dense, InOutSpatial, 1),
            ("hidden/kernel", &[9, 4], Dense, InOutSpatial, 1),
            ("out/kernel", &[4, 2], Dense, InOutSpatial, 1),
        ] {
            assert!(found.contains(&(tensor, shape, kind, layout, gates)), "{name}: {tensor} in {found:?}");
        }
        let (_, mean) = find(&*file, "bn/moving_mean");
        assert_eq!((mean.kind, mean.role), (Some(LayerKind::Norm), Role::Buffer));
        let (_, bias) = find(&*file, "hidden/bias");
        assert_eq!((bias.kind, bias.note.as_deref()), (Some(LayerKind::Bias), Some("1-D bias")));
    }
}

#[test]
fn one_model_saved_three_ways_gives_the_same_tensors() {
    let [keras, full, weights] = ["k3_layers.keras", "k3_layers.h5", "k3_layers.weights.h5"].map(open);
    for name in ["conv_a/kernel", "table/embeddings", "hidden/kernel", "inner/inner_dense/kernel", "bn/gamma"]
    {
        let expected = values(&*keras, name);
        assert_eq!(values(&*full, name), expected, "{name}");
        assert_eq!(values(&*weights, name), expected, "{name}");
    }
    let named = |file: &dyn WeightFile, name: &str| values(file, name);
    assert_eq!(named(&*keras, "attention/query_dense/kernel"), named(&*full, "attention/query/kernel"));
    assert_eq!(named(&*keras, "memory/cell/kernel"), named(&*full, "memory/lstm_cell/kernel"));
}

#[test]
fn optimizer_state_is_listed_and_never_a_layer() {
    for (name, count) in [("k3_layers.keras", 45), ("k3_layers.h5", 45), ("k2_layers.h5", 44)] {
        let file = open(name);
        let optimizer: Vec<_> = file.tensors().iter().filter(|t| t.role == Role::Optimizer).collect();
        assert_eq!(optimizer.len(), count, "{name}");
        assert!(optimizer.iter().all(|t| t.note.as_deref() == Some("optimizer state")));
    }
}

#[test]
fn weights_without_a_configuration_have_the_same_names_kinds_and_order() {
    let (with, without) = (open("k3_layers.keras"), open("k3_layers.weights.h5"));
    let names = |file: &dyn WeightFile| -> Vec<String> {
        let layers = file.tensors().iter().filter(|t| t.role != Role::Optimizer);
        layers
            .map(|t| {
                t.name
                    .replace("stepwise/layer/vars/0", "stepwise/layer/kernel")
                    .replace("stepwise/layer/vars/1", "stepwise/layer/bias")
            })
            .collect()
    };
    let (mut a, mut b) = (names(&*with), names(&*without));
    a.sort();
    b.sort();
    assert_eq!(a, b);
    let kind = |file: &dyn WeightFile, name: &str| find(file, name).1.kind;
    for info in
        without.tensors().iter().filter(|t| !t.name.starts_with("stepwise") && t.role != Role::Optimizer)
    {
        assert_eq!(kind(&*with, &info.name), info.kind, "{}", info.name);
    }
}

#[test]
fn int8_kernels_read_as_the_numbers_they_were_quantised_from() {
    let before = open("k3_before_int8.keras");
    for name in ["k3_int8.keras", "k3_int8.h5"] {
        let file = open(name);
        for tensor in ["table/embeddings", "heads/kernel", "biased/kernel", "plain/kernel"] {
            let (_, info) = find(&*file, tensor);
            assert!(info.quantized && info.dtype == Dtype::I8, "{name}: {info:?}");
            let (old, new) = (values(&*before, tensor), values(&*file, tensor));
            let largest = old.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            let worst = old.iter().zip(&new).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
            // Half a step of 127 of the largest of its column, which is at most the largest of all.
            assert!(worst <= 0.5001 * largest / 127.0, "{name} {tensor}: {worst} of {largest}");
            assert!(worst > 0.0, "{name} {tensor} is not quantised");
        }
        let (_, scales) = find(&*file, "plain/kernel_scale");
        assert_eq!((scales.role, scales.note.as_deref()), (Role::Constant, Some("quantisation scales")));
    }
    let packed = open("k3_int4.keras");
    let (_, info) = find(&*packed, "first/kernel");
    assert_eq!(info.note.as_deref(), Some("integers packed for int4/128, which are not read"));
}

#[test]
fn half_precision_reads_in_both_its_forms() {
    for (name, dtype) in [
        ("k3_float16.keras", Dtype::F16),
        ("k3_float16.h5", Dtype::F16),
        ("k3_bfloat16.keras", Dtype::BF16),
        ("k3_bfloat16.h5", Dtype::BF16),
    ] {
        let file = open(name);
        let (index, info) = find(&*file, "first/kernel");
        assert_eq!((info.dtype, info.shape.as_slice()), (dtype, &[12, 6][..]), "{name}");
        let largest = file.read(index).unwrap().to_vec().iter().fold(0.0f64, |m, v| m.max(v.abs()));
        // Glorot's bound for 12 inputs and 6 outputs.
        assert!(largest > 0.4 && largest < (6.0f64 / 18.0).sqrt() + 0.01, "{name}: {largest}");
    }
}

#[test]
fn keras_1_convolutions_are_in_the_order_of_theano() {
    let file = open("k1_theano.h5");
    let names: Vec<&str> = file.tensors().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["convolution2d_1/W", "convolution2d_1/b", "dense_1/W", "dense_1/b"]);
    let (_, conv) = find(&*file, "convolution2d_1/W");
    assert_eq!((conv.kind, conv.layout), (Some(Conv2d), Layout::OutInSpatial));
    let (_, dense) = find(&*file, "dense_1/W");
    assert_eq!((dense.kind, dense.layout), (Some(Dense), InOutSpatial));
}

#[test]
fn keras_1_on_tensorflow_is_told_by_the_shape_of_its_kernels() {
    let file = open("k1_tensorflow.h5");
    let conv = &file.tensors()[0];
    assert_eq!((conv.name.as_str(), conv.kind), ("block1_conv1/W", Some(Conv2d)));
    assert_eq!(conv.layout, SpatialInOut);
}

#[test]
fn lists_split_over_attributes_are_joined() {
    let file = open("split_attributes.h5");
    let names: Vec<&str> = file.tensors().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names.len(), 12);
    assert_eq!(names[..3], ["dense_0/kernel", "dense_0/bias", "dense_1/kernel"]);
    assert_eq!(names[11], "dense_5/bias");
}

#[test]
fn a_plain_hdf5_file_is_listed_dataset_by_dataset() {
    for name in ["plain_earliest.h5", "plain_latest.h5"] {
        let file = open(name);
        assert!(file.metadata().iter().any(|(_, v)| v.starts_with("plain HDF5, not written by Keras")));
        let read = |tensor: &str| values(&*file, tensor);
        assert_eq!(file.tensors().len(), 35, "{name}");
        let gzip = read("net/gzip");
        assert_eq!(gzip.len(), 600);
        let variance = gzip.iter().map(|v| v * v).sum::<f64>() / 600.0;
        assert!((0.8..1.2).contains(&variance), "normal numbers have variance 1, these {variance}");
        assert_eq!(read("net/chunked_be"), (0..12).map(f64::from).collect::<Vec<_>>());
        assert_eq!(find(&*file, "net/big_endian").1.dtype, Dtype::F64);
        assert!(read("net/big_endian").iter().all(|v| v.abs() > 1e-6 && v.abs() < 5.0));
        for (tensor, dtype) in [
            ("net/int8", Dtype::I8),
            ("net/uint8", Dtype::U8),
            ("net/int64", Dtype::I64),
            ("net/uint16", Dtype::U16),
        ] {
            assert_eq!(find(&*file, tensor).1.dtype, dtype);
            assert_eq!(read(tensor), [1.0, 2.0, 100.0, 3.0, 4.0, 127.0]);
        }
        assert_eq!(find(&*file, "net/bool").1.dtype, Dtype::Bool);
        assert_eq!(read("net/bool"), [1.0, 0.0]);
        assert_eq!(read("net/scalar"), [2.5]);
        assert_eq!(read("net/never_written"), [1.5; 6]);
        assert_eq!(find(&*file, "net/empty").1.shape, [0, 4]);
        assert_eq!(find(&*file, "net/null").1.shape, [0]);
        assert_eq!(read("many/m11"), [11.0]);
        assert_eq!(find(&*file, "net/half").1.dtype, Dtype::F16);
    }
}

#[test]
fn types_without_numbers_are_named() {
    let file = open("plain_latest.h5");
    for (tensor, note) in [
        ("net/complex", "a compound type, such as complex numbers"),
        ("net/text", "text"),
        ("net/vlen_text", "text or lists of varying length"),
    ] {
        let (index, info) = find(&*file, tensor);
        assert_eq!((info.dtype, info.note.as_deref()), (Dtype::Opaque, Some(note)));
        assert!(file.read(index).is_ok());
    }
}

#[test]
fn links_are_listed_and_those_out_of_the_file_never_followed() {
    for name in ["plain_earliest.h5", "plain_latest.h5"] {
        let file = open(name);
        let note = |tensor: &str| find(&*file, tensor).1.note.clone().unwrap();
        assert_eq!(note("net/same"), "the same data as 'net/conv.weight'");
        assert_eq!(note("net/soft"), "the same data as 'net/gzip'");
        assert_eq!(values(&*file, "net/soft"), values(&*file, "net/gzip"));
        assert_eq!(note("net/dangling"), "a soft link to '/nowhere', which leads nowhere");
        assert_eq!(note("net/self"), "a soft link to '/net/self', which leads nowhere");
        assert_eq!(note("net/loop"), "a second link to a group listed already");
        assert_eq!(note("net/outside"), "an external link to 'other.h5:/secret': never followed");
        let refusal = |tensor: &str| *file.read(find(&*file, tensor).0).unwrap_err().refusal;
        assert!(matches!(refusal("net/outside"), Refusal::Forbidden(_)));
        assert!(matches!(refusal("net/dangling"), Refusal::Missing(_)));
    }
}

#[test]
fn contiguous_data_are_slices_of_the_input() {
    let bytes = eigenscope_plugin::Bytes::from(fixture("k3_layers.h5"));
    let file = Keras.open(&Input::bytes("k3_layers.h5", bytes.clone())).unwrap();
    let tensor = file.read(find(&*file, "hidden/kernel").0).unwrap();
    let range = bytes.as_ptr_range();
    assert!(range.contains(&tensor.storage().0.as_ptr()));
}

#[test]
fn metadata_says_who_wrote_the_file_and_what_was_reshaped() {
    let said = |name: &str, key: &str| {
        open(name).metadata().into_iter().find(|(k, _)| k == key).map(|(_, v)| v).unwrap_or_default()
    };
    assert_eq!(said("k3_layers.keras", "keras_version"), "3.15.1");
    assert_eq!(said("k3_layers.keras", "class_name"), "Functional");
    assert_eq!(said("k3_layers.keras", "format"), "Keras archive (.keras)");
    assert_eq!(said("k2_layers.h5", "keras_version"), "2.21.0");
    assert_eq!(said("k2_layers.h5", "backend"), "tensorflow");
    assert_eq!(said("k3_layers.weights.h5", "format"), "Keras 3 weights, HDF5");
    assert_eq!(said("k2_layers.h5", "reshaped attention/query/kernel"), "[8, 2, 3] as [8, 6]");
}

#[test]
fn probing_tells_archives_from_hdf5_from_names() {
    let score = |name: &str, bytes: Vec<u8>| Keras.probe(&Input::bytes(name, bytes).glimpse().unwrap());
    assert_eq!(score("x.keras", fixture("k3_float16.keras")), 100);
    assert_eq!(score("x", fixture("k3_float16.h5")), 80);
    assert_eq!(score("x", fixture("plain_latest.h5")), 80, "behind a user block");
    assert_eq!(score("x.h5", b"<html>".to_vec()), 20);
    assert_eq!(score("x.pt", b"PK\x03\x04 and more".to_vec()), 0);
}

#[test]
fn a_folder_of_one_model_is_that_model() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.h5"), fixture("k3_float16.h5")).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "x").unwrap();
    let input = Input::path(folder.path());
    assert_eq!(Keras.probe(&input.glimpse().unwrap()), 80);
    assert_eq!(Keras.open(&input).unwrap().tensors().len(), 3);
    std::fs::write(folder.path().join("b.keras"), fixture("k3_float16.keras")).unwrap();
    let error = Keras.open(&input).unwrap_err().to_string();
    assert!(error.ends_with("a folder of 2 models; name one of a.h5, b.keras"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = Keras.open(&Input::path(empty.path())).unwrap_err();
    assert!(matches!(*error.refusal, Refusal::Empty));
}

#[test]
fn a_dataset_that_the_layers_list_and_the_file_lacks_is_missed() {
    let mut bytes = fixture("k1_theano.h5");
    let name = b"dense_1_b\0";
    // The first is in weight_names or in the heap of the group, whichever: either way they no longer agree.
    let at = bytes.windows(name.len()).position(|w| w == name).unwrap();
    bytes[at + 8] = b'z';
    let error = open_bytes("k.h5", bytes).map(drop).unwrap_err();
    assert!(
        matches!(&*error.refusal, Refusal::Missing(what) if what.contains("which weight_names lists")),
        "{error}"
    );
}
