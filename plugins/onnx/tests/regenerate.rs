//! The generated code in `src/proto.rs` is what `proto/onnx.proto` gives.
//!
//! `cargo test -p eigenscope-onnx --features regenerate --test regenerate`; with `EIGENSCOPE_REGENERATE=1` it writes the
//! file instead of comparing.
#![cfg(feature = "regenerate")]

use std::path::Path;

#[test]
fn the_checked_in_code_is_what_the_schema_gives() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tempfile::tempdir().unwrap();
    let schema = protox::compile([root.join("proto/onnx.proto")], [root.join("proto")]).unwrap();
    prost_build::Config::new()
        .bytes(["."])
        // So that attributes, the most frequent of all messages, stay small.
        .boxed(".onnx.AttributeProto.t")
        .boxed(".onnx.AttributeProto.g")
        .boxed(".onnx.AttributeProto.sparse_tensor")
        .out_dir(scratch.path())
        .compile_fds(schema)
        .unwrap();
    let generated = std::fs::read_to_string(scratch.path().join("onnx.rs")).unwrap();
    let checked_in = root.join("src/proto.rs");
    if std::env::var_os("EIGENSCOPE_REGENERATE").is_some() {
        std::fs::write(&checked_in, &generated).unwrap();
    }
    let words =
        |text: &str| text.split_whitespace().collect::<String>().replace(",)", ")").replace(",}", "}");
    assert_eq!(words(&std::fs::read_to_string(&checked_in).unwrap()), words(&generated));
}
