//! Which layers are analysed: by kind, id, name or glob, with exclusions.

use glob::Pattern;
use serde::{Deserialize, Serialize};

use super::OptionsError;
use crate::tensor::LayerKind;

/// A list of terms. A layer is taken when it matches any including term (or there is none) and no excluding one.
///
/// | term | takes |
/// |---|---|
/// | `dense`, `conv2d`, ... | layers of that kind |
/// | `7` | the layer with that id |
/// | `encoder.layer.0.*`, `*query*` | names that match the glob (`*`, `?`, `[...]`); plain names match whole |
/// | `!` before any of these | excludes instead |
/// | `-7` | excludes the layer with that id, as in WeightWatcher |
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LayerFilter {
    /// The terms as written.
    pub terms: Vec<String>,
}

enum Test {
    Kind(LayerKind),
    Id(usize),
    Name(Pattern),
}

struct Term {
    exclude: bool,
    test: Test,
}

/// What a filter sees of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its id in the report.
    pub id: usize,
    /// Its name in the report.
    pub name: &'a str,
    /// The full name of the tensor.
    pub longname: &'a str,
    /// Its kind.
    pub kind: LayerKind,
}

fn parse(text: &str) -> Result<Term, OptionsError> {
    let error = |why: String| OptionsError::Filter(text.to_owned(), why);
    let (exclude, body) = match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let negative = body.strip_prefix('-').and_then(|digits| digits.parse().ok());
    if let Some(id) = negative.filter(|_| !exclude) {
        return Ok(Term { exclude: true, test: Test::Id(id) });
    }
    let test = if body.is_empty() {
        return Err(error("empty".to_owned()));
    } else if let Some(kind) = LayerKind::from_name(body) {
        Test::Kind(kind)
    } else if let Ok(id) = body.parse() {
        Test::Id(id)
    } else {
        Test::Name(Pattern::new(body).map_err(|e| error(e.to_string()))?)
    };
    Ok(Term { exclude, test })
}

impl Term {
    fn matches(&self, layer: Candidate<'_>) -> bool {
        match &self.test {
            Test::Kind(kind) => layer.kind == *kind,
            Test::Id(id) => layer.id == *id,
            Test::Name(pattern) => pattern.matches(layer.name) || pattern.matches(layer.longname),
        }
    }
}

impl LayerFilter {
    /// A filter of these terms.
    pub fn new<S: Into<String>>(terms: impl IntoIterator<Item = S>) -> Self {
        LayerFilter { terms: terms.into_iter().map(Into::into).collect() }
    }

    /// Refuses terms that cannot be read.
    pub fn validate(&self) -> Result<(), OptionsError> {
        self.terms.iter().try_for_each(|t| parse(t).map(|_| ()))
    }

    /// For each layer, whether it is taken; and the terms that matched no layer at all.
    pub fn apply<'a>(
        &self,
        layers: impl Iterator<Item = Candidate<'a>>,
    ) -> Result<(Vec<bool>, Vec<String>), OptionsError> {
        let terms = self.terms.iter().map(|t| parse(t)).collect::<Result<Vec<_>, _>>()?;
        let any_include = terms.iter().any(|t| !t.exclude);
        let mut used = vec![false; terms.len()];
        let taken = layers
            .map(|layer| {
                let (mut included, mut excluded) = (!any_include, false);
                for (term, used) in terms.iter().zip(&mut used) {
                    if term.matches(layer) {
                        *used = true;
                        *(if term.exclude { &mut excluded } else { &mut included }) = true;
                    }
                }
                included && !excluded
            })
            .collect();
        let unused =
            self.terms.iter().zip(&used).filter(|(_, used)| !**used).map(|(t, _)| t.clone()).collect();
        Ok((taken, unused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(terms: &[&str]) -> (Vec<bool>, Vec<String>) {
        let layers = [
            (0, "conv1", LayerKind::Conv2d),
            (2, "layer-1.fc", LayerKind::Dense),
            (3, "layer-2.fc", LayerKind::Dense),
        ];
        let candidates = layers.iter().map(|&(id, name, kind)| Candidate { id, name, longname: name, kind });
        LayerFilter::new(terms.iter().copied()).apply(candidates).unwrap()
    }

    #[test]
    fn terms_unite_and_exclusions_win() {
        assert_eq!(taken(&[]).0, [true, true, true]);
        assert_eq!(taken(&["dense"]).0, [false, true, true]);
        assert_eq!(taken(&["dense", "0", "!*2.fc"]).0, [true, true, false]);
        assert_eq!(taken(&["-3"]).0, [true, true, false]);
        assert_eq!(taken(&["layer-1.fc"]).0, [false, true, false]);
        assert_eq!(taken(&["!conv2d"]).0, [false, true, true]);
    }

    #[test]
    fn a_term_that_matches_nothing_is_named_and_a_broken_one_refused() {
        assert_eq!(taken(&["dense", "nope*"]).1, ["nope*"]);
        assert!(LayerFilter::new(["[z-"]).validate().is_err());
        assert!(LayerFilter::new(["!"]).validate().is_err());
    }
}
