#![no_main]

use eigenscope_safetensors::Safetensors;

libfuzzer_sys::fuzz_target!(|data: &[u8]| eigenscope_fuzz::exercise(&Safetensors, "x.safetensors", data));
