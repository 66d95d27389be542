//! From an ordinary [`Loader`] to a plugin.

use eigenscope::source::{Loader, Refusal, SourceError, WeightFile};

use crate::abi::abi_stable::library::{CheckTypeLayout, LibHeader, RootModuleResult};
use crate::abi::abi_stable::prefix_type::{PrefixRefTrait, PrefixTypeTrait};
use crate::abi::abi_stable::sabi_trait::TD_Opaque;
use crate::abi::abi_stable::std_types::{RResult, RString, RVec, Tuple2};
use crate::abi::{
    DescriptionV1, GlimpseV1, HostV1, InputV1, LoaderBoxV1, LoaderPluginV1, LoaderPluginV1Ref, LoaderV1,
    LoaderV1_TO, ModelBoxV1, ModelV1, ModelV1_TO, ResultV1, TensorInfoV1, TensorV1,
};
use crate::border;
use crate::forward;
use crate::guard::{Guarded, contain};

/// Turns the crate into a plugin: the argument is an expression that makes its [`Loader`].
///
/// ```
/// use eigenscope_plugin::source::{Glimpse, Input, Loader, Refusal, Score, SourceError, WeightFile};
///
/// struct Nothing;
///
/// impl Loader for Nothing {
///     fn name(&self) -> &str {
///         "nothing"
///     }
///     fn extensions(&self) -> &[&str] {
///         &["nothing"]
///     }
///     fn probe(&self, glimpse: &Glimpse) -> Score {
///         if glimpse.extension() == "nothing" { 20 } else { 0 }
///     }
///     fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
///         Err(SourceError::new(input.name(), Refusal::Empty))
///     }
/// }
///
/// eigenscope_plugin::export_loader!(Nothing);
/// # fn main() {}
/// ```
///
/// Once per library. The symbol it defines has one name for all plugins, so a crate that is also linked into programs
/// as an ordinary library keeps this line behind a feature.
#[macro_export]
macro_rules! export_loader {
    ($make:expr) => {
        const _: () = {
            extern "C" fn create(
                host: $crate::abi::HostV1,
            ) -> $crate::abi::ResultV1<$crate::abi::LoaderBoxV1> {
                $crate::export::create(host, env!("CARGO_PKG_VERSION"), || $make)
            }
            extern "C" fn module() -> $crate::abi::abi_stable::library::RootModuleResult {
                $crate::export::module(create)
            }
            #[unsafe(no_mangle)]
            #[allow(non_upper_case_globals)]
            pub static egs_loader_plugin_v1: $crate::abi::abi_stable::library::LibHeader =
                $crate::export::header(module);
        };
    };
}

/// For [`export_loader!`](crate::export_loader): what stands at the exported symbol.
pub const fn header(module: extern "C" fn() -> RootModuleResult) -> LibHeader {
    // SAFETY: the constructor is `module` below for this very root module type.
    unsafe { LibHeader::from_constructor::<LoaderPluginV1Ref>(module, CheckTypeLayout::Yes) }
}

/// For [`export_loader!`](crate::export_loader): the root module.
pub fn module(create: extern "C" fn(HostV1) -> ResultV1<LoaderBoxV1>) -> RootModuleResult {
    let module = LoaderPluginV1 { create }.leak_into_prefix();
    // SAFETY: `header` declares the type that is erased here.
    RResult::ROk(unsafe { module.to_prefix_ref().cast() })
}

/// For [`export_loader!`](crate::export_loader): makes the loader and wraps it.
pub fn create<L: Loader + 'static>(
    host: HostV1,
    version: &'static str,
    make: impl FnOnce() -> L,
) -> ResultV1<LoaderBoxV1> {
    forward::install(host);
    let made = contain(make).map_err(|message| {
        SourceError::new("the plugin", Refusal::Loader(format!("it panicked when it was made ({message})")))
    });
    crossing(
        made.map(|loader| {
            LoaderV1_TO::from_value(Exported { loader: Guarded::new(loader), version }, TD_Opaque)
        }),
    )
}

fn crossing<T>(result: Result<T, SourceError>) -> ResultV1<T> {
    result.map_err(border::error_into).into()
}

struct Exported<L> {
    loader: Guarded<L>,
    version: &'static str,
}

impl<L: Loader + 'static> LoaderV1 for Exported<L> {
    fn describe(&self) -> ResultV1<DescriptionV1> {
        forward::follow();
        crossing(self.loader.call("its description", "the plugin", |loader| {
            Ok(DescriptionV1 {
                name: loader.name().into(),
                version: self.version.into(),
                extensions: loader.extensions().iter().map(|e| RString::from(*e)).collect(),
            })
        }))
    }

    fn probe(&self, glimpse: GlimpseV1) -> ResultV1<u8> {
        forward::follow();
        let glimpse = border::glimpse_from(glimpse);
        crossing(self.loader.call("probe", &glimpse.name, |loader| Ok(loader.probe(&glimpse))))
    }

    fn open(&self, input: InputV1) -> ResultV1<ModelBoxV1> {
        forward::follow();
        let opened = border::input_from(input).and_then(|input| {
            let name = input.name();
            let model = self.loader.call("open", &name, |loader| loader.open(&input).map(Guarded::new))?;
            Ok(ModelV1_TO::from_value(ExportedModel { model, name }, TD_Opaque))
        });
        crossing(opened)
    }
}

/// An open model; a panic in it poisons it alone.
struct ExportedModel {
    model: Guarded<Box<dyn WeightFile>>,
    name: String,
}

impl ModelV1 for ExportedModel {
    fn tensors(&self) -> ResultV1<RVec<TensorInfoV1>> {
        forward::follow();
        crossing(
            self.model.call("tensors", &self.name, |model| {
                Ok(model.tensors().iter().map(border::info_into).collect())
            }),
        )
    }

    fn read(&self, index: u64) -> ResultV1<TensorV1> {
        forward::follow();
        crossing(self.model.call("read", &self.name, |model| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            Ok(border::tensor_into(&model.read(index)?))
        }))
    }

    fn metadata(&self) -> ResultV1<RVec<Tuple2<RString, RString>>> {
        forward::follow();
        crossing(self.model.call("metadata", &self.name, |model| {
            let pairs = model.metadata().into_iter();
            Ok(pairs.map(|(key, value)| Tuple2(key.into(), value.into())).collect())
        }))
    }
}
