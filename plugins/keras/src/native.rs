//! Keras 3 weights, and the same scheme in tf.keras since 2.12: groups named after classes, variables numbered in `vars`.

use std::collections::HashMap;

use eigenscope_plugin::source::SourceError;

use crate::config::Layer;
use crate::container::Container;
use crate::file::{Weight, class_of_name};
use crate::variables;

/// Groups that hold a list of layers rather than one attribute of a layer.
const LISTS: [&str; 4] = ["layers", "_layer_checkpoint_dependencies", "cells", "_layers"];
const VARIABLES: &str = "vars";

/// Whether this is such a file: some dataset is a numbered variable.
pub fn is_one(container: &Container) -> bool {
    container.leaves().iter().any(|leaf| leaf.is_dataset() && split(&leaf.path).is_some())
}

/// Scope and number of a path `.../vars/N`.
fn split(path: &str) -> Option<(&str, &str)> {
    let (scope, number) = path.rsplit_once('/')?;
    let scope = if scope == VARIABLES { "" } else { scope.strip_suffix("/vars")? };
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some((scope, number))
}

/// Every numbered variable: layers in the order of the configuration, or, without one, of the file; then metrics and the
/// optimizer.
pub fn weights(container: &Container, model: Option<&Layer>) -> Result<Vec<Weight>, SourceError> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (scope, _) in container.leaves().iter().filter_map(|leaf| split(&leaf.path)) {
        *counts.entry(scope).or_default() += 1;
    }
    let mut scopes: HashMap<&str, Scope> = HashMap::new();
    let mut placed = Vec::new();
    for (leaf, info) in container.leaves().iter().enumerate() {
        let Some((path, number)) = split(&info.path) else { continue };
        let known = match scopes.get(path) {
            Some(known) => known,
            None => {
                let count = counts.get(path).copied().unwrap_or_default();
                let resolved = Scope::resolve(container, path, model, count)?;
                scopes.entry(path).or_insert(resolved)
            }
        };
        let name = number.parse::<usize>().ok().and_then(|n| known.names.as_ref()?.get(n));
        let weight = match name {
            Some(name) => (*name).to_owned(),
            None => format!("{VARIABLES}/{number}"),
        };
        placed.push((
            known.last,
            known.order.clone(),
            Weight {
                leaf,
                scope: known.shown.clone(),
                weight,
                class: known.class.clone(),
                options: known.options.clone(),
                optimizer: known.last == OPTIMIZER,
                buffer: (known.last == METRICS).then_some("state of a metric"),
            },
        ));
    }
    placed.sort_by(|a, b| (a.0, &a.1, a.2.leaf).cmp(&(b.0, &b.1, b.2.leaf)));
    Ok(placed.into_iter().map(|(_, _, weight)| weight).collect())
}

const METRICS: u8 = 1;
const OPTIMIZER: u8 = 2;

/// What the path before `vars` says.
struct Scope {
    /// The path in the names of the layers.
    shown: Vec<String>,
    /// Places in the lists of layers it goes through.
    order: Vec<usize>,
    /// 0, or [`METRICS`], or [`OPTIMIZER`].
    last: u8,
    class: Option<String>,
    options: Option<crate::config::Options>,
    names: Option<Vec<&'static str>>,
}

impl Scope {
    fn resolve(
        container: &Container,
        path: &str,
        model: Option<&Layer>,
        count: usize,
    ) -> Result<Scope, SourceError> {
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        let (mut shown, mut order) = (Vec::new(), Vec::new());
        let last = match parts.first() {
            Some(&("optimizer" | "_optimizer")) => OPTIMIZER,
            Some(&("metrics" | "_metrics" | "compile_metrics")) => METRICS,
            _ => 0,
        };
        let mut layer = model;
        let mut class = layer.map(|l| l.class.clone());
        let mut at = 0;
        while let Some(&part) = parts.get(at) {
            at += 1;
            match parts.get(at).filter(|_| LISTS.contains(&part)) {
                Some(&slug) => {
                    at += 1;
                    let found = layer.and_then(|l| l.slug(slug));
                    if layer.is_some() {
                        order.push(found.map_or(usize::MAX, |(i, _)| i));
                    }
                    layer = found.map(|(_, inner)| inner);
                    class = layer.map(|l| l.class.clone()).or_else(|| class_of_name(slug));
                    shown.push(match layer {
                        Some(layer) if !layer.name.is_empty() => layer.name.clone(),
                        _ => own_name(container, &parts[..at])?.unwrap_or_else(|| slug.to_owned()),
                    });
                }
                None => {
                    shown.push(part.to_owned());
                    let attribute = part.trim_start_matches('_');
                    let inner = layer.and_then(|l| l.slot(attribute).or_else(|| either_way(l, attribute)));
                    // A cell that is configured nowhere is described by its layer.
                    if inner.is_some() || attribute != "cell" || class.is_none() {
                        layer = inner;
                        class = match layer {
                            Some(layer) => Some(layer.class.clone()),
                            None => class_by_own_name(container, &parts[..at])?,
                        };
                    }
                }
            }
        }
        let options = layer.map(|l| l.options.clone());
        let names = class.as_deref().filter(|_| last == 0);
        let names = names.and_then(|class| variables::names(class, options.as_ref(), count));
        Ok(Scope { shown, order, last, class, options, names })
    }
}

/// Both directions of a Bidirectional wrapper are configured by its one `layer`.
fn either_way<'a>(layer: &'a Layer, attribute: &str) -> Option<&'a Layer> {
    if matches!(attribute, "forward_layer" | "backward_layer") { layer.slot("layer") } else { None }
}

/// The layer's name, which Keras writes on its variables since 3.7.
fn own_name(container: &Container, parts: &[&str]) -> Result<Option<String>, SourceError> {
    let group = format!("{}/{VARIABLES}", parts.join("/"));
    if !container.has_group(&group) {
        return Ok(None);
    }
    let attributes = container.attributes(&group)?;
    let name = container.guarded(|| attributes.text("name"))?;
    Ok(name.filter(|n| !n.is_empty() && !n.contains('/')))
}

/// The class by a name that Keras gave itself: `conv2d_5`. Sublayers of attention are einsums whatever their name.
fn class_by_own_name(container: &Container, parts: &[&str]) -> Result<Option<String>, SourceError> {
    match parts.last().map(|p| p.trim_start_matches('_')) {
        Some("query_dense" | "key_dense" | "value_dense" | "output_dense") => {
            Ok(Some("einsum_dense".to_owned()))
        }
        Some("cell") => Ok(Some("cell".to_owned())),
        _ => Ok(own_name(container, parts)?.as_deref().and_then(class_of_name)),
    }
}
