//! What is analysed of a model, its base model and its adapter: the one rule for every front end.

use super::{AdapterConfig, Lora, has_factors, merge};
use crate::analysis::{Options, OptionsError, Pairing};
use crate::pair::delta;
use crate::source::OpenModel;

/// An adapter becomes its updates, on the base model if there is one; any other model that has a base model becomes what it
/// differs by; and the rest stays as it is. Without `how`, adapters are merged unless the conventions are the reference's.
pub fn prepare(
    model: OpenModel,
    base: Option<OpenModel>,
    config: Option<&AdapterConfig>,
    how: Option<Lora>,
    options: &Options,
) -> Result<OpenModel, OptionsError> {
    let how = how.unwrap_or(match options.conventions.pairing {
        Pairing::Reference => Lora::Off,
        Pairing::Name if base.is_some() => Lora::WithBase,
        Pairing::Name => Lora::Product,
    });
    if how != Lora::Off && has_factors(&model) {
        return merge(model, base, config, how, options);
    }
    match base {
        Some(base) => delta(model, base, options),
        None => Ok(model),
    }
}
