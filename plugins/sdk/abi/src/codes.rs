//! The numbers that stand for the engine's enumerations. New ones may be appended; none is ever reused.

/// Element types, by the names the engine prints; the code is the position. The first stands for any type the other
/// side has no code for.
pub const DTYPES: [&str; 16] = [
    "opaque",
    "f64",
    "f32",
    "f16",
    "bf16",
    "f8_e4m3fn",
    "f8_e5m2",
    "i64",
    "i32",
    "i16",
    "i8",
    "u64",
    "u32",
    "u16",
    "u8",
    "bool",
];

/// Layer kinds; the code is the position. The first means that rank and name decide.
pub const KINDS: [&str; 11] = [
    "",
    "dense",
    "conv1d",
    "conv2d",
    "conv3d",
    "embedding",
    "recurrent",
    "attention",
    "norm",
    "bias",
    "other",
];

/// Axis orders; the code is the position.
pub const LAYOUTS: [&str; 4] = ["out_in_spatial", "in_out_spatial", "spatial_in_out", "spatial_out_in"];

/// What tensors are for; the code is the position.
pub const ROLES: [&str; 5] = ["weight", "gradient", "optimizer", "buffer", "constant"];

/// Log levels; the code is the position, and 0 is none.
pub const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Kinds of I/O error that have no number of the operating system; the code is the position.
pub const IO_KINDS: [&str; 7] = [
    "other",
    "not found",
    "permission denied",
    "unexpected end of file",
    "invalid data",
    "interrupted",
    "out of memory",
];

/// The code of a value that this interface had no number for when the side that sends it was built.
pub const UNKNOWN: u8 = 255;

/// An input that is a path.
pub const INPUT_PATH: u8 = 0;
/// An input that is the contents of a file.
pub const INPUT_BYTES: u8 = 1;

/// An I/O error.
pub const REFUSAL_IO: u8 = 0;
/// Nothing to read.
pub const REFUSAL_EMPTY: u8 = 1;
/// Another format.
pub const REFUSAL_WRONG_FORMAT: u8 = 2;
/// No loader knows it.
pub const REFUSAL_UNRECOGNIZED: u8 = 3;
/// The data end early.
pub const REFUSAL_TRUNCATED: u8 = 4;
/// Above a cap.
pub const REFUSAL_TOO_LARGE: u8 = 5;
/// Contradicts itself or the format.
pub const REFUSAL_MALFORMED: u8 = 6;
/// Well-formed, not supported.
pub const REFUSAL_UNSUPPORTED: u8 = 7;
/// Would run code or leave the model's folder.
pub const REFUSAL_FORBIDDEN: u8 = 8;
/// Refers to something that is not there.
pub const REFUSAL_MISSING: u8 = 9;
/// Cancelled by the caller.
pub const REFUSAL_CANCELLED: u8 = 10;
/// The loader broke its promise.
pub const REFUSAL_LOADER: u8 = 11;
