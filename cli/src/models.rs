//! The models named on the command line, one after the other.

use std::path::Path;

use eigenscope::adapter::{AdapterConfig, CONFIG, Lora, has_factors, prepare};
use eigenscope::analysis::{Options, Pairing};
use eigenscope::source::{Glimpse, Input, OpenModel};

use crate::args::ModelArgs;
use crate::exit;
use crate::failure::Failure;
use crate::hint;
use crate::loaders::Loaders;

/// From here on a loader knows a folder's layout; other formats beside it are copies as a rule.
const CERTAIN: u8 = 100;

impl ModelArgs {
    /// Does `work` with each model. One that cannot be opened, or fails, is reported and does not stop the others.
    /// What came of the rest, and the exit status so far; an error where `--loader` names none.
    pub fn each<T>(
        &self,
        loaders: &Loaders,
        options: &Options,
        mut work: impl FnMut(&OpenModel) -> Result<T, Failure>,
    ) -> Result<(Vec<T>, u8), Failure> {
        if let Some(name) = &self.loader {
            // Once, rather than for each model.
            loaders.check(name)?;
        }
        let (mut done, mut status) = (Vec::new(), exit::OK);
        for path in &self.paths {
            match self.open(loaders, path, options).and_then(|model| work(&model)) {
                Ok(result) => done.push(result),
                Err(failure) => status = exit::worst([status, failure.print()]),
            }
        }
        Ok((done, status))
    }

    /// One model, with the updates of an adapter, or less the base model where there is one.
    pub fn open(&self, loaders: &Loaders, path: &Path, options: &Options) -> Result<OpenModel, Failure> {
        let loader = self.loader.as_deref();
        let model = open(loaders, path, loader)?;
        let base = self.base_model.as_ref().map(|base| open(loaders, base, loader)).transpose()?;
        prepared(model, path, base, self.lora, options)
    }
}

/// What is analysed of a model; updates of adapters are scaled as the configuration beside them says.
pub fn prepared(
    model: OpenModel,
    path: &Path,
    base: Option<OpenModel>,
    how: Option<Lora>,
    options: &Options,
) -> Result<OpenModel, Failure> {
    let config =
        if has_factors(&model) { AdapterConfig::beside(path).map_err(|e| Failure::of(&e))? } else { None };
    if config.is_none()
        && how != Some(Lora::Off)
        && options.conventions.pairing == Pairing::Name
        && has_factors(&model)
    {
        log::warn!("{}: no {CONFIG} beside it; updates are not scaled by lora_alpha / r", model.name);
    }
    prepare(model, base, config.as_ref(), how, options).map_err(|e| Failure::of(&e).usage())
}

/// Opens one model, with the loader of that name if there is one.
pub fn open(loaders: &Loaders, path: &Path, loader: Option<&str>) -> Result<OpenModel, Failure> {
    if let Some(name) = loader {
        loaders.check(name)?;
    }
    let input = Input::path(path);
    let model = loaders.registry.open(&input, loader).map_err(|error| {
        hint::for_refusal(path, &error, loaders).into_iter().fold(Failure::of(&error), Failure::hint)
    })?;
    if loader.is_none()
        && path.is_dir()
        && let Ok(glimpse) = input.glimpse()
    {
        warn_of_others(loaders, &glimpse, &model);
    }
    Ok(model)
}

/// A folder may hold models of several formats; one of them was read.
fn warn_of_others(loaders: &Loaders, glimpse: &Glimpse, model: &OpenModel) {
    let scores: Vec<(&str, u8)> =
        loaders.registry.loaders().iter().map(|l| (l.name(), l.probe(glimpse))).collect();
    let certain = scores.iter().any(|(name, score)| *name == model.loader && *score >= CERTAIN);
    let others: Vec<&str> =
        scores.iter().filter(|(n, s)| *s > 0 && *n != model.loader).map(|(n, _)| *n).collect();
    if !others.is_empty() {
        let level = if certain { log::Level::Info } else { log::Level::Warn };
        log::log!(
            level,
            "{}: read with {}; the folder also holds files for {}, which --loader would read",
            model.name,
            model.loader,
            others.join(" and ")
        );
    }
}
