//! What the author of an Eigenscope loader depends on.
//!
//! Implement [`source::Loader`] and [`source::WeightFile`], call [`export_loader!`], build a `cdylib`: that is a plugin.
//! `docs/plugins.md` walks through it and `examples/plugin-npy` is one, complete.
pub use bytes::Bytes;
pub use eigenscope::source;
pub use eigenscope::tensor;
pub use eigenscope_plugin_abi as abi;

pub mod border;
#[doc(hidden)]
pub mod export;
mod forward;
mod guard;
pub mod mapped;
pub mod shards;
pub mod testkit;

/// The guide's plugin is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/plugins.md")]
struct Guide;
