//! Interface version 1 between a host and a Rust plugin. **Frozen**: nothing in this crate changes but the
//! tables of [`codes`], which may grow; not even its version does. What is wanted beyond it goes into a second
//! interface with a symbol of its own, which hosts look for first (`docs/adr/0010-abi-stable-frozen.md`).
//!
//! A plugin exports one symbol, [`SYMBOL`], an `abi_stable` library header whose root module is [`LoaderPluginV1`].
//! Everything that crosses is defined here or in `abi_stable`; no type of the engine, of `std` or of any other crate
//! does, so host and plugin may be built by different compilers with different dependencies.
//!
//! What may grow without a new interface are *codes*: element types, layer kinds, refusals and the like cross as plain
//! `u8` (the tables are in [`codes`]), never as an enum, because reading a value an enum does not list is undefined
//! behaviour. A side that does not know a code says so and goes on.
#![allow(non_local_definitions, unused_qualifications, reason = "what `sabi_trait` expands to")]

mod bytes;
pub mod codes;
mod data;

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::package_version_strings;
use abi_stable::sabi_trait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RBox, RResult, RString, RVec, Tuple2};

pub use abi_stable;
pub use bytes::BytesV1;
pub use data::{
    DescriptionV1, ErrorV1, GlimpseV1, HostV1, InputV1, LogRecordV1, QuantizationV1, TensorInfoV1, TensorV1,
};

/// The symbol every plugin of this interface exports; with the terminating zero that `dlsym` wants.
pub const SYMBOL: &str = "egs_loader_plugin_v1\0";

/// A result that crosses.
pub type ResultV1<T> = RResult<T, ErrorV1>;
/// A loader that crosses.
pub type LoaderBoxV1 = LoaderV1_TO<RBox<()>>;
/// An open model that crosses.
pub type ModelBoxV1 = ModelV1_TO<RBox<()>>;

/// What a plugin exports.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = LoaderPluginV1Ref)))]
#[sabi(missing_field(panic))]
pub struct LoaderPluginV1 {
    /// Makes the plugin's loader. Called once by each host, before anything else.
    #[sabi(last_prefix_field)]
    pub create: extern "C" fn(host: HostV1) -> ResultV1<LoaderBoxV1>,
}

impl RootModule for LoaderPluginV1Ref {
    abi_stable::declare_root_module_statics! {LoaderPluginV1Ref}
    const BASE_NAME: &'static str = "egs_loader_plugin_v1";
    const NAME: &'static str = "egs_loader_plugin_v1";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// Reads one format. No method unwinds: the plugin's side catches panics and returns them as errors.
#[sabi_trait]
pub trait LoaderV1: Send + Sync + 'static {
    /// Name, version and extensions.
    fn describe(&self) -> ResultV1<DescriptionV1>;

    /// How sure it is of an input, 0 to 100.
    fn probe(&self, glimpse: GlimpseV1) -> ResultV1<u8>;

    /// Opens a model.
    #[sabi(last_prefix_field)]
    fn open(&self, input: InputV1) -> ResultV1<ModelBoxV1>;
}

/// An open model. Callable from any thread, several at once.
#[sabi_trait]
pub trait ModelV1: Send + Sync + 'static {
    /// Every tensor, in the order of the file.
    fn tensors(&self) -> ResultV1<RVec<TensorInfoV1>>;

    /// The tensor at `index`.
    fn read(&self, index: u64) -> ResultV1<TensorV1>;

    /// What the file says of itself.
    #[sabi(last_prefix_field)]
    fn metadata(&self) -> ResultV1<RVec<Tuple2<RString, RString>>>;
}
