//! `libeigenscope`: the C ABI of the engine.
//!
//! The documentation is `include/eigenscope/eigenscope.h`, which is written by hand and is the specification; there is a file here
//! for every section of it. Every exported function goes through [`boundary`], the one place where panics are caught, handles are
//! checked and errors are handed out. Structs are mirrored beside the functions that use them, and compared with the header by a
//! test that compiles C.

#[cfg(target_endian = "big")]
compile_error!("tensors in memory are read as little-endian");

mod analyze;
mod arrow;
mod boundary;
mod copies;
mod dlpack;
mod engine;
mod error;
mod esd;
#[cfg(test)]
mod layout;
mod log;
mod monitor;
mod monitor_options;
mod monitor_tables;
mod options;
mod overlay;
mod plugins;
mod prepared;
mod report;
mod rules;
mod structs;
mod table;
mod tensor;
mod text;
mod verdict;
mod version;
