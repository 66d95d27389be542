//! A plugin of the ABI `rust-v1` as a loader.

use std::collections::HashSet;

use eigenscope::source::{Glimpse, Input, Refusal, Score, SourceError, TensorInfo, WeightFile};
use eigenscope::tensor::Tensor;
use eigenscope_plugin::abi::abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError};
use eigenscope_plugin::abi::{
    DescriptionV1, ErrorV1, LoaderBoxV1, LoaderPluginV1Ref, ModelBoxV1, ResultV1, SYMBOL,
};
use eigenscope_plugin::border;

use crate::{Reason, logging};

/// The highest score there is.
const SURE: Score = 100;

/// A loader on the other side of the border.
pub(crate) struct RustLoader {
    loader: LoaderBoxV1,
    pub(crate) description: DescriptionV1,
}

/// The `rust-v1` root module of a library, after the layouts of both sides have been compared.
fn root_module(library: &libloading::Library) -> Result<LoaderPluginV1Ref, Reason> {
    // SAFETY: the symbol is this interface's own; what stands there begins with a signature that `upgrade` checks
    // before anything else is believed.
    let Ok(header) = (unsafe { library.get::<AbiHeaderRef>(SYMBOL.as_bytes()) }) else {
        return Err(Reason::NotAPlugin { symbol: SYMBOL.trim_end_matches('\0').to_owned() });
    };
    let header: &'static LibHeader = header.upgrade().map_err(report)?;
    if header.layout().is_none() {
        let report = "it was built without the layouts that could be compared".to_owned();
        return Err(Reason::WrongInterface { report });
    }
    header.init_root_module::<LoaderPluginV1Ref>().map_err(report)
}

fn report(error: LibraryError) -> Reason {
    Reason::WrongInterface { report: error.to_string().trim().to_owned() }
}

impl RustLoader {
    /// Makes the plugin's loader.
    pub(crate) fn of(library: &'static libloading::Library) -> Result<RustLoader, Reason> {
        let plugin = root_module(library)?;
        let failed = |e: ErrorV1| Reason::Failed { detail: border::error_from(e).refusal.to_string() };
        let loader = plugin.create()(logging::host()).into_result().map_err(failed)?;
        let description = loader.describe().into_result().map_err(failed)?;
        Ok(RustLoader { loader, description })
    }

    pub(crate) fn probe(&self, glimpse: &Glimpse) -> Result<Score, SourceError> {
        let score = received(self.loader.probe(border::glimpse_into(glimpse)), &glimpse.name)?;
        Ok(score.min(SURE))
    }

    pub(crate) fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
        let file = input.name();
        let model = received(self.loader.open(border::input_into(input)?), &file)?;
        let broken = |what: String| SourceError::new(&file, Refusal::Loader(what));
        let infos: Result<Vec<TensorInfo>, String> =
            received(model.tensors(), &file)?.into_iter().map(border::info_from).collect();
        let infos = infos.map_err(broken)?;
        let mut names = HashSet::with_capacity(infos.len());
        if let Some(twice) = infos.iter().find(|info| !names.insert(info.name.as_str())) {
            return Err(broken("it lists two tensors of this name".to_owned()).tensor(&twice.name));
        }
        Ok(Box::new(RustModel { model, infos, file }))
    }
}

/// An open model on the other side; its list has been fetched.
struct RustModel {
    model: ModelBoxV1,
    infos: Vec<TensorInfo>,
    file: String,
}

impl WeightFile for RustModel {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let Some(info) = self.infos.get(index) else {
            let what = format!("tensor {index} of {}", self.infos.len());
            return Err(SourceError::new(&self.file, Refusal::Missing(what)));
        };
        let tensor = received(self.model.read(index as u64), &self.file)?;
        let broken = |what| SourceError::new(&self.file, Refusal::Loader(what)).tensor(&info.name);
        let tensor = border::tensor_from(tensor).map_err(broken)?;
        if (tensor.dtype(), tensor.shape()) != (info.dtype, info.shape.as_slice()) {
            return Err(broken(format!(
                "it lists {} of shape {:?} and reads {} of shape {:?}",
                info.dtype,
                info.shape,
                tensor.dtype(),
                tensor.shape()
            )));
        }
        Ok(tensor)
    }

    fn metadata(&self) -> Vec<(String, String)> {
        match received(self.model.metadata(), &self.file) {
            Ok(pairs) => pairs.into_iter().map(|p| (p.0.into_string(), p.1.into_string())).collect(),
            Err(error) => {
                log::warn!("no metadata: {error}");
                Vec::new()
            }
        }
    }
}

/// A result from the other side; an error that names no file concerns `file`.
fn received<T>(result: ResultV1<T>, file: &str) -> Result<T, SourceError> {
    result.into_result().map_err(|error| {
        let mut error = border::error_from(error);
        if error.file.is_empty() {
            error.file = file.to_owned();
        }
        error
    })
}
