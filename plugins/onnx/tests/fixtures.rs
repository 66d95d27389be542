//! Small models made by the onnx package (tests/fixtures/make.py), against what that package reads from them.
#![allow(missing_docs)]

mod common;

use std::path::PathBuf;

use common::{find, open, values};
use eigenscope_plugin::source::WeightFile;
use eigenscope_plugin::tensor::{Dtype, LayerKind, Layout, Stacked};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Opens a fixture and compares every tensor its JSON tells of.
fn checked(name: &str) -> Box<dyn WeightFile> {
    let file = open(&fixture(&format!("{name}.onnx")));
    let text = std::fs::read(fixture(&format!("{name}.json"))).unwrap();
    let expected: Vec<(String, Vec<usize>, Vec<Value>)> = serde_json::from_slice(&text).unwrap();
    assert!(!expected.is_empty());
    for (tensor, shape, numbers) in expected {
        assert_eq!(find(file.as_ref(), &tensor).1.shape, shape, "{tensor}");
        let found = values(file.as_ref(), &tensor);
        assert_eq!(found.len(), numbers.len(), "{tensor}");
        for (found, number) in found.iter().zip(&numbers) {
            // The oracle multiplies scales in single precision.
            let number = number.as_f64().unwrap();
            assert!((found - number).abs() <= 1e-6 * number.abs(), "{tensor}: {found}, not {number}");
        }
    }
    file
}

#[test]
fn every_element_type_reads_alike_from_raw_data_and_from_its_own_field() {
    let file = checked("elements");
    for (name, dtype) in [
        ("float.raw", Dtype::F32),
        ("bfloat16.typed", Dtype::BF16),
        ("float8e4m3fn.typed", Dtype::F8E4M3),
        ("float8e5m2fnuz.raw", Dtype::F32),
        ("int4.typed", Dtype::I8),
        ("uint2.raw", Dtype::U8),
        ("bool.typed", Dtype::Bool),
        ("uint64.typed", Dtype::U64),
    ] {
        assert_eq!(find(file.as_ref(), name).1.dtype, dtype, "{name}");
    }
    for name in ["complex64", "string"] {
        let (index, info) = find(file.as_ref(), name);
        assert_eq!(info.dtype, Dtype::Opaque);
        assert_eq!(info.note.as_deref(), Some(format!("elements of type {name}").as_str()));
        assert_eq!(file.read(index).unwrap().shape(), [2]);
    }
}

#[test]
fn the_limits_of_64_bit_integers_survive() {
    let file = open(&fixture("elements.onnx"));
    assert_eq!(values(file.as_ref(), "int64.typed")[..2], [-(2f64.powi(63)), 2f64.powi(63)]);
    assert_eq!(values(file.as_ref(), "uint64.raw")[1], 2f64.powi(64));
}

#[test]
fn quantised_weights_read_as_the_numbers_they_stand_for() {
    let file = checked("quantized");
    let dense = |name: &str, layout| {
        let (_, info) = find(file.as_ref(), name);
        assert_eq!(
            (info.kind, info.layout, info.quantized),
            (Some(LayerKind::Dense), layout, true),
            "{name}"
        );
        assert_eq!(info.note, None, "{name}");
    };
    for name in ["q_tensor", "q_column", "q_int4", "w", "dynamic", "bare"] {
        dense(name, Layout::InOutSpatial);
    }
    // Stored as [out, in] and transposed on the way.
    dense("q_row", Layout::OutInSpatial);
    let (_, kernel) = find(file.as_ref(), "k");
    assert_eq!((kernel.kind, kernel.quantized, kernel.dtype), (Some(LayerKind::Conv2d), true, Dtype::I8));
    let (_, table) = find(file.as_ref(), "table");
    assert_eq!((table.kind, table.quantized), (Some(LayerKind::Embedding), true));
    // Quantised and dequantised at run time: the stored numbers are the weights.
    let (_, fake) = find(file.as_ref(), "fake");
    assert_eq!((fake.kind, fake.quantized), (Some(LayerKind::Dense), false));
    let (_, blocks) = find(file.as_ref(), "q_blocks");
    assert_eq!(
        blocks.note.as_deref(),
        Some("quantised in blocks of 2 by DequantizeLinear 'dq_blocks'; operand of MatMul 'fc4'")
    );
    let (_, scale) = find(file.as_ref(), "q_row_scale");
    assert_eq!(scale.note.as_deref(), Some("scale constant of DequantizeLinear 'dq_row'"));
    let told = ("quantized_without_scale".to_owned(), "bare: read with scale 1".to_owned());
    assert!(file.metadata().contains(&told), "{:?}", file.metadata());
}

#[test]
fn each_direction_of_a_recurrent_layer_is_one_matrix_of_stacked_gates() {
    let file = checked("recurrent");
    for (name, count) in [("w[forward]", 4), ("r[reverse]", 4), ("gw", 3), ("gr", 3), ("rw", 1), ("rr", 1)] {
        let (_, info) = find(file.as_ref(), name);
        assert_eq!((info.kind, info.layout), (Some(LayerKind::Recurrent), Layout::OutInSpatial), "{name}");
        assert_eq!(info.stacked, Some(Stacked { count, axis: 0 }), "{name}");
    }
    let (_, bias) = find(file.as_ref(), "b");
    assert_eq!((bias.kind, bias.note.as_deref()), (Some(LayerKind::Bias), Some("bias of LSTM 'lstm'")));
}

#[test]
fn data_beside_the_model_are_read_from_there() {
    let file = checked("external");
    assert!(file.metadata().contains(&("external_data".to_owned(), "external.data".to_owned())));
    assert_eq!(find(file.as_ref(), "b").1.dtype, Dtype::F16);
}
