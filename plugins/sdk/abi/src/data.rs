//! The plain data that cross.

use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RString, RVec};

use crate::BytesV1;

/// What a host lends to a plugin. Both functions may be called from any thread, at any time.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct HostV1 {
    /// Takes a log record.
    pub log: extern "C" fn(record: LogRecordV1),
    /// The most verbose level the host wants, a code of [`codes::LEVELS`](crate::codes::LEVELS); 0 for none.
    pub max_level: extern "C" fn() -> u8,
}

/// One log record of a plugin.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct LogRecordV1 {
    /// A code of [`codes::LEVELS`](crate::codes::LEVELS).
    pub level: u8,
    /// The target, by default the module.
    pub target: RString,
    /// The formatted message.
    pub message: RString,
    /// The module it comes from.
    pub module: ROption<RString>,
    /// The source file it comes from.
    pub file: ROption<RString>,
    /// The line in that file.
    pub line: ROption<u32>,
}

/// What a plugin says of itself.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct DescriptionV1 {
    /// Name of the loader.
    pub name: RString,
    /// Version of the plugin.
    pub version: RString,
    /// Extensions it reads, lower case, without dots.
    pub extensions: RVec<RString>,
}

/// Mirror of `source::Glimpse`.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct GlimpseV1 {
    /// File or folder name without its path.
    pub name: RString,
    /// The first bytes of a file.
    pub head: RVec<u8>,
    /// Size of a file in bytes.
    pub size: u64,
    /// Names in a folder, sorted; none for a file.
    pub entries: ROption<RVec<RString>>,
}

/// Mirror of `source::Input`.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct InputV1 {
    /// A code of [`codes::INPUT_PATH`](crate::codes::INPUT_PATH) and its siblings; it says which of the fields count.
    pub kind: u8,
    /// The path as the operating system spells it: bytes on Unix, UTF-8 elsewhere.
    pub path: RVec<u8>,
    /// The name of contents that have no path.
    pub name: RString,
    /// Those contents.
    pub data: ROption<BytesV1>,
}

/// Mirror of `source::TensorInfo`.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct TensorInfoV1 {
    /// The full name.
    pub name: RString,
    /// Extent of each axis.
    pub shape: RVec<u64>,
    /// A code of [`codes::DTYPES`](crate::codes::DTYPES).
    pub dtype: u8,
    /// A code of [`codes::KINDS`](crate::codes::KINDS); 0 where rank and name decide.
    pub kind: u8,
    /// A code of [`codes::LAYOUTS`](crate::codes::LAYOUTS).
    pub layout: u8,
    /// A code of [`codes::ROLES`](crate::codes::ROLES).
    pub role: u8,
    /// How many matrices are stacked; 0 for not stacked.
    pub stacked_count: u64,
    /// The axis they are stacked along.
    pub stacked_axis: u64,
    /// Why it is not a layer.
    pub note: ROption<RString>,
    /// Whether integers carry scales.
    pub quantized: bool,
}

/// Mirror of `tensor::Tensor`.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct TensorV1 {
    /// A code of [`codes::DTYPES`](crate::codes::DTYPES).
    pub dtype: u8,
    /// Extent of each axis.
    pub shape: RVec<u64>,
    /// Distance of neighbours along each axis, in elements.
    pub strides: RVec<i64>,
    /// Position of the element at index 0, 0, ..., in elements.
    pub offset: u64,
    /// The elements, little-endian.
    pub data: BytesV1,
    /// How integers become numbers.
    pub quantization: ROption<QuantizationV1>,
}

/// Mirror of `tensor::Quantization`.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct QuantizationV1 {
    /// The axis along which scales differ; none when there is one for all.
    pub axis: ROption<u64>,
    /// One scale, or one per index of `axis`.
    pub scales: RVec<f64>,
    /// As many zero points as scales, or none at all.
    pub zero_points: RVec<f64>,
}

/// Mirror of `source::SourceError`.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct ErrorV1 {
    /// A code of [`codes::REFUSAL_IO`](crate::codes::REFUSAL_IO) and its siblings.
    pub code: u8,
    /// File or folder.
    pub file: RString,
    /// The tensor concerned.
    pub tensor: ROption<RString>,
    /// Byte position in the file.
    pub offset: ROption<u64>,
    /// What is refused; `expected` of a wrong format.
    pub what: RString,
    /// `found` of a wrong format.
    pub instead: RString,
    /// Bytes needed, or the size that is too large.
    pub size: u64,
    /// Bytes found, or the limit.
    pub limit: u64,
    /// The operating system's error number of an I/O error, where it has one.
    pub os_error: ROption<i32>,
    /// A code of [`codes::IO_KINDS`](crate::codes::IO_KINDS).
    pub io_kind: u8,
}
