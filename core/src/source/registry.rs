//! Which loader opens an input: by content first, by extension second.

use std::sync::Arc;

use super::{Glimpse, Input, Loader, Refusal, Score, SourceError, WeightFile};

/// The loaders of a process, in the order they were added.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    loaders: Vec<Arc<dyn Loader>>,
}

/// An open model and the name of the loader that opened it.
#[derive(Debug)]
pub struct OpenModel {
    /// Name of the loader.
    pub loader: String,
    /// As the caller named it.
    pub name: String,
    /// The tensors.
    pub file: Box<dyn WeightFile>,
}

impl Registry {
    /// No loader at all.
    pub fn new() -> Self {
        Registry::default()
    }

    /// Adds a loader.
    #[must_use]
    pub fn with(mut self, loader: impl Loader + 'static) -> Self {
        self.loaders.push(Arc::new(loader));
        self
    }

    /// Adds a loader that is already shared.
    pub fn add(&mut self, loader: Arc<dyn Loader>) {
        self.loaders.push(loader);
    }

    /// Every loader.
    pub fn loaders(&self) -> &[Arc<dyn Loader>] {
        &self.loaders
    }

    /// Opens `input` with the loader that is surest of it, or with the one named `force`.
    ///
    /// A file that two loaders are equally sure of is tried with each in turn, in the order they were added; if none
    /// opens it, the error of the first is returned.
    pub fn open(&self, input: &Input, force: Option<&str>) -> Result<OpenModel, SourceError> {
        let glimpse = input.glimpse()?;
        if let Some(name) = force {
            let loader = self.loaders.iter().find(|l| l.name() == name).ok_or_else(|| {
                let known: Vec<&str> = self.loaders.iter().map(|l| l.name()).collect();
                let what = format!("a loader named '{name}'; there are: {}", known.join(", "));
                SourceError::new(input.name(), Refusal::Missing(what))
            })?;
            return open_with(loader.as_ref(), input);
        }
        if glimpse.entries.is_none() && glimpse.size == 0 {
            return Err(SourceError::new(input.name(), Refusal::Empty));
        }
        let mut scored: Vec<(Score, &Arc<dyn Loader>)> =
            self.loaders.iter().map(|l| (l.probe(&glimpse), l)).filter(|(score, _)| *score > 0).collect();
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        let Some(&(best, _)) = scored.first() else {
            return Err(SourceError::new(input.name(), self.unrecognized(&glimpse)));
        };
        let mut first_error = None;
        for (_, loader) in scored.iter().take_while(|(score, _)| *score == best) {
            match open_with(loader.as_ref(), input) {
                Ok(model) => return Ok(model),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| SourceError::new(input.name(), Refusal::Empty)))
    }

    fn unrecognized(&self, glimpse: &Glimpse) -> Refusal {
        if glimpse.entries.as_ref().is_some_and(Vec::is_empty) {
            return Refusal::Empty;
        }
        let known: Vec<String> =
            self.loaders.iter().map(|l| format!("{} (.{})", l.name(), l.extensions().join(", ."))).collect();
        Refusal::Unrecognized(format!(
            "it looks like {}; loaders asked: {}",
            glimpse.looks_like(),
            known.join("; ")
        ))
    }
}

fn open_with(loader: &dyn Loader, input: &Input) -> Result<OpenModel, SourceError> {
    let file = loader.open(input)?;
    log::debug!("{} opened {} with {} tensors", loader.name(), input.name(), file.tensors().len());
    Ok(OpenModel { loader: loader.name().to_owned(), name: input.name(), file })
}
