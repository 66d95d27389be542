//! Files that people published, against what the reference library (safetensors 0.7 for Python, with torch) says of them.
#![allow(missing_docs, clippy::print_stdout)]

use std::path::PathBuf;

use eigenscope_plugin::source::{Input, Loader, WeightFile};
use eigenscope_plugin::tensor::Dtype;
use eigenscope_safetensors::Safetensors;

fn open(name: &str) -> Option<Box<dyn WeightFile>> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/models")).join(name);
    if !path.exists() {
        let required = std::env::var("EIGENSCOPE_REQUIRE_MODELS").as_deref() == Ok("1");
        assert!(!required, "{name} is required; run tests/fetch_models.py");
        println!("skipped: {name} is not there; run tests/fetch_models.py");
        return None;
    }
    let input = Input::path(path);
    assert_eq!(Safetensors.probe(&input.glimpse().unwrap()), 100);
    Some(Safetensors.open(&input).unwrap())
}

fn check(file: &dyn WeightFile, at: usize, name: &str, shape: &[usize], dtype: Dtype, sum: f64) {
    let info = &file.tensors()[at];
    assert_eq!((info.name.as_str(), &info.shape[..], info.dtype), (name, shape, dtype));
    let found: f64 = file.read(at).unwrap().to_vec().iter().sum();
    assert!((found - sum).abs() <= 1e-9 * sum.abs().max(1.0), "{name}: {found} is not {sum}");
}

#[test]
fn minilm_lists_104_tensors_in_data_order() {
    let Some(file) = open("minilm/model.safetensors") else { return };
    assert_eq!(file.tensors().len(), 104);
    assert_eq!(file.metadata(), [("format".to_owned(), "pt".to_owned())]);
    check(&*file, 0, "embeddings.position_ids", &[1, 512], Dtype::I64, 130_816.0);
    check(&*file, 1, "embeddings.LayerNorm.bias", &[384], Dtype::F32, 4.187019871980738);
    check(&*file, 103, "pooler.dense.weight", &[384, 384], Dtype::F32, -8.150986969470978);
}

#[test]
fn silero_lists_15_tensors_in_data_order() {
    let Some(file) = open("silero/silero_vad_16k.safetensors") else { return };
    assert_eq!(file.tensors().len(), 15);
    check(&*file, 0, "stft_conv.weight", &[258, 1, 256], Dtype::F32, 63.99999985052273);
    check(&*file, 1, "conv1.weight", &[128, 129, 3], Dtype::F32, -884.1920835400379);
    check(&*file, 14, "final_conv.bias", &[1], Dtype::F32, -0.5740388631820679);
}
