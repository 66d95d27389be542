//! Loaders written in C or C++: the table of `include/eigenscope/plugin.h` as a
//! [`Loader`](eigenscope_core::source::Loader). Shared libraries that hold such tables are opened by `eigenscope-host`.
//!
//! Nothing allocated crosses the border: errors go through a sink that copies, tensors come as DLPack with their own deleter, and
//! whoever opened a model closes it.

pub mod codes;
mod dlpack;
mod loader;
mod model;
mod table;
mod view;

pub use dlpack::{
    DLDataType, DLDevice, DLManagedTensorVersioned, DLPACK_MAJOR, DLPackVersion, DLTensor, READ_ONLY,
    dtype_of, take, view_of,
};
pub use loader::{CLoader, LogSink};
pub use table::{ABI_MAJOR, ABI_MINOR, Call, Host, Input, LoaderTable, MAX_NDIM, TensorInfoC};
pub use view::{RawView, ViewError};
