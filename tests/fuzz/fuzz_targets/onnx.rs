#![no_main]

use eigenscope_onnx::Onnx;

libfuzzer_sys::fuzz_target!(|data: &[u8]| eigenscope_fuzz::exercise(&Onnx, "x.onnx", data));
