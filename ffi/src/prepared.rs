//! The model that is analysed, of the one that was named: less its base model, or an adapter's updates.

use std::path::Path;

use eigenscope_core::adapter::{AdapterConfig, Lora, has_factors, prepare};
use eigenscope_core::analysis::Options;
use eigenscope_core::source::{Input, OpenModel};
use serde_json::{Map, Value};

use crate::engine::Shared;
use crate::error::Error;

/// Keys of the options' JSON that are about models rather than numbers.
#[derive(Debug, Default)]
pub(crate) struct Models {
    /// What is subtracted, or what an adapter is added to.
    base_model: Option<String>,
    /// What becomes of low-rank factors.
    lora: Option<Lora>,
}

impl Models {
    /// Takes the keys out of the object.
    pub fn take(object: &mut Map<String, Value>) -> Result<Self, Error> {
        let mut words = |key: &str| match object.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Error::argument(format!("'{key}' cannot be {other}: expected text"))),
        };
        let (base_model, lora) = (words("base_model")?, words("lora")?);
        let unknown = |name: &String| {
            Error::argument(format!("'lora' cannot be '{name}'; there are: {}", Lora::NAMES.join(", ")))
        };
        let lora = lora.map(|name| Lora::named(&name).ok_or_else(|| unknown(&name))).transpose()?;
        Ok(Models { base_model, lora })
    }

    /// What is analysed of the model; `path` is where the configuration of an adapter may be.
    pub fn prepared(
        &self,
        shared: &Shared,
        model: OpenModel,
        path: Option<&Path>,
        options: &Options,
    ) -> Result<OpenModel, Error> {
        let base = self.base_model.as_ref().map(|base| shared.registry().open(&Input::path(base), None));
        let config = match path.filter(|_| has_factors(&model)) {
            Some(path) => AdapterConfig::beside(path)?,
            None => None,
        };
        prepare(model, base.transpose()?, config.as_ref(), self.lora, options)
            .map_err(|e| Error::argument(e.to_string()))
    }
}
