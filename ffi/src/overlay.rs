//! Options as JSON, laid over those already there: every key must be known, every value must fit.

use eigenscope_core::analysis::{Conventions, Options};
use serde_json::{Map, Value};

use crate::error::Error;

/// The object in a text.
pub(crate) fn object(json: &str, what: &str) -> Result<Map<String, Value>, Error> {
    match serde_json::from_str(json) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err(Error::argument(format!("{what}: expected an object, found {other}"))),
        Err(e) => Err(Error::argument(format!("{what} is not JSON: {e}"))),
    }
}

/// Analysis options with those of `json` laid over them.
pub(crate) fn options(base: Options, json: &str, what: &str) -> Result<Options, Error> {
    laid(base, object(json, what)?, what)
}

/// The same of an object that is parsed.
pub(crate) fn laid(base: Options, object: Map<String, Value>, what: &str) -> Result<Options, Error> {
    let mut options = base;
    for (key, value) in object {
        options = with(&options, &key, value).map_err(|error| error.about(what))?;
    }
    Ok(options)
}

/// One key at a time, so that an error names it.
fn with(options: &Options, key: &str, value: Value) -> Result<Options, Error> {
    let Ok(Value::Object(mut all)) = serde_json::to_value(options) else {
        return Err(Error::argument("the options cannot be written as JSON"));
    };
    let value = match (key, value) {
        ("conventions", Value::String(name)) => preset(&name)?,
        ("conventions", Value::Object(changes)) => changed(all.get(key), changes)?,
        ("layers", Value::String(terms)) => terms.split(',').map(|t| Value::from(t.trim())).collect(),
        (_, value) => value,
    };
    let Some(place) = all.get_mut(key) else {
        let known: Vec<&str> = all.keys().map(String::as_str).collect();
        return Err(Error::argument(format!("unknown key '{key}'; there are: {}", known.join(", "))));
    };
    let words = value.to_string();
    *place = value;
    serde_json::from_value(Value::Object(all))
        .map_err(|e| Error::argument(format!("'{key}' cannot be {words}: {e}")))
}

fn preset(name: &str) -> Result<Value, Error> {
    let conventions = Conventions::named(name).ok_or_else(|| unknown_preset(name))?;
    serde_json::to_value(conventions).map_err(|e| Error::argument(e.to_string()))
}

/// For a name that is no preset.
pub(crate) fn unknown_preset(name: &str) -> Error {
    Error::argument(format!("unknown conventions '{name}'; there are: {}", Conventions::NAMES.join(", ")))
}

/// Single conventions changed, on top of a preset named in the same object or of those in force.
fn changed(now: Option<&Value>, changes: Map<String, Value>) -> Result<Value, Error> {
    let mut all = match changes.get("name").and_then(Value::as_str) {
        Some(name) => preset(name)?,
        None => now.cloned().unwrap_or_default(),
    };
    for (key, value) in changes {
        let Some(place) = all.get_mut(&key) else {
            return Err(Error::argument(format!("unknown convention '{key}'")));
        };
        *place = value;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(json: &str) -> Result<Options, Error> {
        options(Options::default(), json, "json")
    }

    #[test]
    fn known_keys_are_laid_over_the_defaults() {
        let o = over(r#"{"min_evals": 20, "layers": "dense,!head", "conventions": "weightwatcher-0.7.7"}"#)
            .unwrap();
        assert_eq!((o.min_evals, o.layers.terms.len(), o.max_fingers), (20, 2, 10));
        assert_eq!(o.conventions.name, "weightwatcher-0.7.7");
        let o = over(r#"{"conventions": {"round_to_single": true}, "max_n": null}"#).unwrap();
        assert!(o.conventions.round_to_single && o.conventions.name == "default");
    }

    #[test]
    fn what_is_not_known_or_does_not_fit_is_named() {
        for (json, part) in [
            (r#"{"min_eval": 20}"#, "unknown key 'min_eval'"),
            (r#"{"min_evals": "many"}"#, "'min_evals' cannot be \"many\""),
            (r#"{"conventions": "classic"}"#, "weightwatcher-0.7.7"),
            (r#"{"conventions": {"colour": 1}}"#, "'colour'"),
            ("[1]", "expected an object"),
            ("{", "not JSON"),
        ] {
            let error = over(json).unwrap_err();
            assert!(format!("{error:?}").contains(&part.replace('"', "\\\"")), "{json}: {error:?}");
        }
    }
}
