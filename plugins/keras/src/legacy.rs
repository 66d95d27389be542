//! Keras 1, 2 and tf.keras in HDF5: a group per layer, in the order of the attribute `layer_names`, with its variables in the
//! order of `weight_names`.

use eigenscope_plugin::source::{Refusal, SourceError};

use crate::config::Layer;
use crate::container::Container;
use crate::file::{Weight, class_of_name};

/// The group that holds the layers of a full model.
const MODEL: &str = "model_weights";
const OPTIMIZER: &str = "optimizer_weights";
/// Variables of the model itself, in no layer.
const TOP_LEVEL: &str = "top_level_model_weights";

/// The group with `layer_names`, if this is such a file: the root, or that of a full model.
pub fn root(container: &Container) -> Result<Option<&'static str>, SourceError> {
    for group in [MODEL, ""] {
        if container.has_group(group) {
            let attributes = container.attributes(group)?;
            if attributes.has("layer_names") || attributes.has("layer_names0") {
                return Ok(Some(group));
            }
        }
    }
    Ok(None)
}

/// The variables of every layer, then of the optimizer.
pub fn weights(container: &Container, root: &str, model: Option<&Layer>) -> Result<Vec<Weight>, SourceError> {
    let mut weights = Vec::new();
    let mut names = list(container, root, "layer_names")?.unwrap_or_default();
    let top = container.has_group(&join(root, TOP_LEVEL)) && !names.iter().any(|n| n == TOP_LEVEL);
    names.extend(top.then(|| TOP_LEVEL.to_owned()));
    for layer in names {
        let group = join(root, &layer);
        if !container.has_group(&group) {
            let what = format!("group '{group}', which layer_names lists");
            return Err(SourceError::new(&container.name, Refusal::Missing(what)));
        }
        for name in list(container, &group, "weight_names")?.unwrap_or_default() {
            let path = join(&group, &name);
            let Some(leaf) = container.leaf(&path) else {
                let what = Refusal::Missing(format!("dataset '{path}', which weight_names lists"));
                return Err(SourceError::new(&container.name, what).tensor(name));
            };
            weights.push(weight(&layer, &name, leaf, model));
        }
    }
    if container.has_group(OPTIMIZER) {
        for name in list(container, OPTIMIZER, "weight_names")?.unwrap_or_default() {
            if let Some(leaf) = container.leaf(&join(OPTIMIZER, &name)) {
                let scope = vec![OPTIMIZER.to_owned()];
                weights.push(Weight { leaf, scope, weight: name, optimizer: true, ..Weight::default() });
            }
        }
    }
    Ok(weights)
}

/// Whether a dataset that no list names is optimizer state all the same.
pub fn is_optimizer(path: &str) -> bool {
    path.split('/').next() == Some(OPTIMIZER)
}

fn list(container: &Container, group: &str, name: &str) -> Result<Option<Vec<String>>, SourceError> {
    let attributes = container.attributes(group)?;
    container.guarded(|| attributes.list(name))
}

fn join(group: &str, name: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{group}/{name}") }
}

fn weight(layer: &str, name: &str, leaf: usize, model: Option<&Layer>) -> Weight {
    let mut parts: Vec<&str> = name.split('/').collect();
    // TensorFlow numbers the outputs of the operation that made a variable: `kernel:0`.
    let last = parts.pop().unwrap_or_default();
    let last =
        last.rsplit_once(':').filter(|(_, n)| n.bytes().all(|b| b.is_ascii_digit())).map_or(last, |(n, _)| n);
    // Keras 1 writes `dense_1_W` into the group `dense_1`.
    let alone = parts.is_empty().then_some(last);
    let weight = match alone.and_then(|w| w.strip_prefix(layer)?.strip_prefix('_')) {
        // On TensorFlow with the number of the session after it: `W_1`.
        Some(short) => without_number(short).unwrap_or(short),
        None => last,
    };
    // The layer's own name, with models around it or a number of its session, is said once.
    let own = |part: &&str| *part == layer || without_number(part) == Some(layer);
    let skip = parts.iter().position(own).map_or(0, |at| at + 1);
    let inner = &parts[skip..];
    let mut scope = vec![layer.to_owned()];
    scope.extend(inner.iter().map(|part| (*part).to_owned()));

    let found = model.and_then(|m| m.named(layer)).map(|(_, found)| descend(found, inner));
    Weight {
        leaf,
        class: match found {
            Some(layer) => Some(layer.class.clone()),
            None => class_of_name(layer),
        },
        options: found.map(|layer| layer.options.clone()),
        scope,
        weight: weight.to_owned(),
        ..Weight::default()
    }
}

/// The layer that `parts` of a variable's name lead to inside `layer`.
fn descend<'a>(mut layer: &'a Layer, parts: &[&str]) -> &'a Layer {
    for part in parts {
        layer = layer.unwrapped();
        if let Some((_, inner)) = layer.named(part) {
            layer = inner;
        }
    }
    layer.unwrapped()
}

fn without_number(name: &str) -> Option<&str> {
    let (stem, number) = name.rsplit_once('_')?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(stem)
}
