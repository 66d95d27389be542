#![no_main]

use eigenscope_keras::Keras;

libfuzzer_sys::fuzz_target!(|data: &[u8]| eigenscope_fuzz::exercise(&Keras, "x.h5", data));
