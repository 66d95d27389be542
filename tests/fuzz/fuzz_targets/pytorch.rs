#![no_main]

use eigenscope_pytorch::Pytorch;

libfuzzer_sys::fuzz_target!(|data: &[u8]| eigenscope_fuzz::exercise(&Pytorch, "x.pt", data));
