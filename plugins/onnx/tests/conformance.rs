//! The promises every loader makes, checked by the kit of the SDK on a model with one of each structure.
#![allow(missing_docs)]

mod common;

use common::make::varied;
use eigenscope_onnx::Onnx;
use eigenscope_plugin::source::Input;
use eigenscope_plugin::testkit;

#[global_allocator]
static METER: testkit::Meter = testkit::Meter;

#[test]
fn the_loader_keeps_the_promises_of_a_loader() {
    let summary = testkit::check(&Onnx, &Input::bytes("model.onnx", varied())).unwrap_or_else(|failures| {
        panic!("{failures:?}");
    });
    assert_eq!(summary.tensors, 11);
    assert!(summary.truncations > 500 && summary.flips > 500, "{summary:?}");
}
