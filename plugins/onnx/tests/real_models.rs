//! Every tensor of the real models, against what the onnx package reads (tests/expected/dump.py).
#![allow(missing_docs)]

mod common;

use common::{find, open, real};
use eigenscope_plugin::source::WeightFile;
use eigenscope_plugin::tensor::{LayerKind, Layout, Role, Stacked};
use serde_json::Value;

/// Kinds of the tensors that the engine will analyse.
fn layers(file: &dyn WeightFile) -> Vec<(String, LayerKind, Vec<usize>)> {
    let analysed = file.tensors().iter().filter(|t| t.note.is_none());
    analysed.map(|t| (t.name.clone(), t.kind.unwrap(), t.shape.clone())).collect()
}

/// A number of the JSON, where infinities are text.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn check_values(name: &str) {
    let Some(path) = real(name) else { return };
    let file = open(&path);
    let expected = format!("{}/tests/expected/{}.json", env!("CARGO_MANIFEST_DIR"), name.replace('/', "-"));
    let expected: Vec<Value> = serde_json::from_slice(&std::fs::read(expected).unwrap()).unwrap();
    assert_eq!(file.tensors().len(), expected.len());
    for (index, (info, line)) in file.tensors().iter().zip(&expected).enumerate() {
        assert_eq!(info.name, line[0].as_str().unwrap());
        let mut shape: Vec<usize> =
            line[1].as_array().unwrap().iter().map(|d| d.as_u64().unwrap() as usize).collect();
        if info.kind == Some(LayerKind::Recurrent) && shape.len() == 3 {
            assert_eq!(shape.remove(0), 1);
        }
        assert_eq!(info.shape, shape, "{}", info.name);
        let values = file.read(index).unwrap().to_vec();
        assert_eq!(values.len() as u64, info.numel());
        let sum = number(&line[3]);
        let (found, size) = values.iter().fold((0.0, 0.0), |(sum, size), v| (sum + v, size + v.abs()));
        assert!(found == sum || (found - sum).abs() <= 1e-9 * size, "{}: {found}, not {sum}", info.name);
        for (at, value) in
            [0, values.len() / 2, values.len().wrapping_sub(1)].iter().zip(line[4].as_array().unwrap())
        {
            // As singles: the JSON reader may miss the last bit of a double.
            assert_eq!(values[*at] as f32, number(value) as f32, "{} [{at}]", info.name);
        }
    }
}

#[test]
fn every_value_of_open_nsfw_is_what_onnx_reads() {
    check_values("opennsfw/open-nsfw.onnx");
}

#[test]
fn every_value_of_magika_is_what_onnx_reads() {
    check_values("magika/model.onnx");
}

#[test]
fn every_value_of_six_silero_exports_is_what_onnx_reads() {
    for name in ["", "_16k_op15", "_16k_sequence", "_half", "_op18_ifless", "_openvino_16k"] {
        check_values(&format!("silero/silero_vad{name}.onnx"));
    }
}

#[test]
fn open_nsfw_has_53_convolutions_and_one_dense_layer() {
    let Some(path) = real("opennsfw/open-nsfw.onnx") else { return };
    let file = open(&path);
    let layers = layers(file.as_ref());
    assert_eq!(layers.iter().filter(|(_, kind, _)| *kind == LayerKind::Conv2d).count(), 53);
    let dense: Vec<_> = layers.iter().filter(|(_, kind, _)| *kind != LayerKind::Conv2d).collect();
    assert_eq!(dense, [&("fc_nsfw/MatMul/ReadVariableOp:0".to_owned(), LayerKind::Dense, vec![1024, 2])]);
    let (_, fc) = find(file.as_ref(), "fc_nsfw/MatMul/ReadVariableOp:0");
    assert_eq!(fc.layout, Layout::InOutSpatial);
    let (_, shape) = find(file.as_ref(), "new_shape__650");
    assert_eq!(shape.role, Role::Constant);
    assert_eq!(shape.note.as_deref(), Some("shape constant of Reshape 'pool/AvgPool__437'"));
    let (_, bias) = find(file.as_ref(), "fc_nsfw/BiasAdd/ReadVariableOp:0");
    assert_eq!((bias.kind, bias.role), (Some(LayerKind::Bias), Role::Weight));
    let (_, bias) = find(file.as_ref(), "conv_stage3_block2_branch2c/BiasAdd_bias_fused_bn");
    assert_eq!(bias.note.as_deref(), Some("bias of Conv 'conv_stage3_block2_branch2c/BiasAdd'"));
}

#[test]
fn magika_has_one_convolution_and_two_dense_layers() {
    let Some(path) = real("magika/model.onnx") else { return };
    let layers = layers(open(&path).as_ref());
    let found: Vec<_> = layers.iter().map(|(_, kind, shape)| (*kind, shape.as_slice())).collect();
    let expected: [(LayerKind, &[usize]); 3] = [
        (LayerKind::Conv2d, &[512, 256, 5, 1]),
        (LayerKind::Dense, &[512, 214]),
        (LayerKind::Dense, &[257, 64]),
    ];
    assert_eq!(found, expected);
}

/// The same network, exported in six ways: weights as initializers, as constants, in branches, of an LSTM or of
/// the Gemm it was broken into, some with the gates sliced and put together again.
#[test]
fn every_silero_export_shows_the_same_layers() {
    let network = |spectrum: [Vec<usize>; 2], gates| {
        let conv = LayerKind::Conv1d;
        let shared = [vec![64, 128, 3], vec![64, 64, 3], vec![128, 64, 3], vec![1, 128, 1]];
        let convs = spectrum.into_iter().chain(shared).map(|shape| (conv, shape));
        convs.chain([(gates, vec![512, 128]), (gates, vec![512, 128])]).collect::<Vec<_>>()
    };
    let by_name = |(kind, shape): &(LayerKind, Vec<usize>)| (kind.name(), shape.clone());
    for (name, both, gates) in [
        ("", true, LayerKind::Recurrent),
        ("_16k_op15", false, LayerKind::Recurrent),
        ("_16k_sequence", false, LayerKind::Recurrent),
        ("_half", false, LayerKind::Recurrent),
        ("_op18_ifless", true, LayerKind::Dense),
        ("_openvino_16k", false, LayerKind::Recurrent),
    ] {
        let Some(path) = real(&format!("silero/silero_vad{name}.onnx")) else { continue };
        let file = open(&path);
        let mut found: Vec<_> =
            layers(file.as_ref()).into_iter().map(|(_, kind, shape)| (kind, shape)).collect();
        let mut expected = network([vec![258, 1, 256], vec![128, 129, 3]], gates);
        if both {
            expected.extend(network([vec![130, 1, 128], vec![128, 65, 3]], gates));
        }
        found.sort_by_key(by_name);
        expected.sort_by_key(by_name);
        assert_eq!(found, expected, "{name}");
        for info in file.tensors().iter().filter(|t| t.kind == Some(LayerKind::Recurrent)) {
            assert_eq!(info.stacked, Some(Stacked { count: 4, axis: 0 }), "{name}: {}", info.name);
        }
    }
}
