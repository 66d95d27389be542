//! Which inputs the loader takes for its own.
#![allow(missing_docs)]

mod common;

use common::make::varied;
use common::real;
use eigenscope_onnx::Onnx;
use eigenscope_plugin::source::{Input, Loader, Registry};

fn score(name: &str, bytes: &[u8]) -> u8 {
    Onnx.probe(&Input::bytes(name, bytes.to_vec()).glimpse().unwrap())
}

#[test]
fn scores_follow_the_first_bytes_and_then_the_extension() {
    let model = varied();
    assert_eq!(score("model.onnx", &model), 90);
    assert_eq!(score("MODEL.ONNX", &model), 90);
    assert_eq!(score("model", &model), 40);
    assert_eq!(score("page.onnx", b"<!doctype html>"), 20);
    assert_eq!(score("page.html", b"<!doctype html>"), 0);
    assert_eq!(score("model.pt", b"PK\x03\x04"), 0);
    assert_eq!(score("empty", b""), 0);
}

#[test]
fn real_models_are_recognised_without_their_extension() {
    for name in [
        "opennsfw/open-nsfw.onnx",
        "magika/model.onnx",
        "silero/silero_vad.onnx",
        "silero/silero_vad_half.onnx",
    ] {
        let Some(path) = real(name) else { continue };
        let bytes = std::fs::read(path).unwrap();
        assert_eq!((score("model.onnx", &bytes), score("model", &bytes)), (90, 40), "{name}");
    }
}

#[test]
fn an_html_page_under_the_name_of_a_model_is_called_one() {
    let registry = Registry::new().with(Onnx);
    let error = registry.open(&Input::bytes("model.onnx", &b"<html>not found</html>"[..]), None).unwrap_err();
    assert!(error.to_string().contains("found an HTML page"), "{error}");
}

#[test]
fn folders_count_their_models() {
    let folder = tempfile::tempdir().unwrap();
    let score = || Onnx.probe(&Input::path(folder.path()).glimpse().unwrap());
    assert_eq!(score(), 0);
    std::fs::write(folder.path().join("a.onnx"), varied()).unwrap();
    assert_eq!(score(), 60);
    std::fs::write(folder.path().join("b.onnx"), varied()).unwrap();
    assert_eq!(score(), 20);
}
