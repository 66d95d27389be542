//! Checkpoints layer by layer: layers of the same name beside each other, and depth as a share of the way through.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::correlation::spearman;
use crate::store::Details;

/// Into how many parts the depth is divided.
pub const BINS: usize = 10;

/// A layer that the first model has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MatchedRow {
    /// Its name in the first model.
    pub name: String,
    /// Its kind.
    pub layer_type: String,
    /// Where it is: 0 the first analysed layer of that model, 1 the last.
    pub depth: f64,
    /// The metric of each model, in their order.
    pub values: Vec<Option<f64>>,
    /// Of the last model less that of the first.
    pub change: Option<f64>,
}

/// A part of the depth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DepthRow {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// The mean of each model's layers in it.
    pub means: Vec<Option<f64>>,
    /// How many those are.
    pub layers: Vec<usize>,
}

/// Two or more models, layer by layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerView {
    /// The metric.
    pub metric: String,
    /// The models.
    pub models: Vec<String>,
    /// How many layers each has.
    pub layers: Vec<usize>,
    /// The layers of the first model that another has too.
    pub matched: Vec<MatchedRow>,
    /// How many layers of each model have a partner in the first; of the first, in any.
    pub partners: Vec<usize>,
    /// Spearman's rho of matched layers, each model against the first; `None` for the first.
    pub likeness: Vec<Option<f64>>,
    /// Depth in ten parts.
    pub depth: Vec<DepthRow>,
}

struct Layer<'a> {
    name: &'a str,
    kind: &'a str,
    value: Option<f64>,
}

/// Compares a metric. Layers are matched by name, slices of one in their order; a prefix such as `module.` that one model's
/// names have and the other's lack does not count.
pub fn layer_view(models: &[(String, &Details)], metric: &str) -> LayerView {
    let layers: Vec<Vec<Layer<'_>>> = models.iter().map(|(_, d)| of(d, metric)).collect();
    let count: Vec<usize> = layers.iter().map(Vec::len).collect();
    let mut partners = vec![0; models.len()];
    let (mut matched, mut likeness) = (Vec::new(), vec![None; models.len()]);
    if let Some((first, others)) = layers.split_first() {
        let found: Vec<Vec<Option<usize>>> = others.iter().map(|other| pairs(first, other)).collect();
        for (at, layer) in first.iter().enumerate() {
            let theirs = found.iter().zip(others).map(|(f, other)| f[at].map(|i| &other[i]));
            let theirs: Vec<Option<&Layer<'_>>> = theirs.collect();
            if theirs.iter().all(Option::is_none) {
                continue;
            }
            partners[0] += 1;
            theirs.iter().enumerate().filter(|(_, t)| t.is_some()).for_each(|(i, _)| partners[i + 1] += 1);
            let values: Vec<Option<f64>> =
                [layer.value].into_iter().chain(theirs.iter().map(|t| t.and_then(|t| t.value))).collect();
            let change = values.last().copied().flatten().zip(layer.value).map(|(b, a)| b - a);
            matched.push(MatchedRow {
                name: layer.name.to_owned(),
                layer_type: layer.kind.to_owned(),
                depth: share(at, first.len()),
                values,
                change,
            });
        }
        for (at, likeness) in likeness.iter_mut().enumerate().skip(1) {
            let both = matched.iter().filter_map(|r| r.values[0].zip(r.values[at]));
            let (x, y): (Vec<f64>, Vec<f64>) = both.unzip();
            *likeness = spearman(&x, &y).map(|rho| rho.value);
        }
    }
    LayerView {
        metric: metric.to_owned(),
        models: models.iter().map(|(name, _)| name.clone()).collect(),
        layers: count,
        matched,
        partners,
        likeness,
        depth: depth(&layers),
    }
}

fn of<'a>(details: &'a Details, metric: &str) -> Vec<Layer<'a>> {
    let named = if details.has("longname") { "longname" } else { "name" };
    let layer = |row| Layer {
        name: details.text(row, named),
        kind: details.text(row, "layer_type"),
        value: details.number(row, metric),
    };
    details.analyzed().map(layer).collect()
}

fn share(at: usize, count: usize) -> f64 {
    if count < 2 { 0.0 } else { at as f64 / (count - 1) as f64 }
}

/// For each layer of the first model its partner.
fn pairs(first: &[Layer<'_>], other: &[Layer<'_>]) -> Vec<Option<usize>> {
    let plain = by_name(&names(first, ""), &names(other, ""));
    let mut best = plain;
    for (mine, theirs) in [(prefix(first), String::new()), (String::new(), prefix(other))] {
        let pairs = by_name(&names(first, &mine), &names(other, &theirs));
        if pairs.iter().flatten().count() > best.iter().flatten().count() {
            best = pairs;
        }
    }
    best
}

/// Names without the prefix, and which of its name a layer is.
fn names<'a>(layers: &[Layer<'a>], prefix: &str) -> Vec<(&'a str, usize)> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let name = |layer: &Layer<'a>| {
        let name = layer.name.strip_prefix(prefix).unwrap_or(layer.name);
        let count = seen.entry(name).or_default();
        *count += 1;
        (name, *count)
    };
    layers.iter().map(name).collect()
}

fn by_name(first: &[(&str, usize)], other: &[(&str, usize)]) -> Vec<Option<usize>> {
    let places: HashMap<(&str, usize), usize> = other.iter().enumerate().map(|(i, n)| (*n, i)).collect();
    first.iter().map(|name| places.get(name).copied()).collect()
}

/// The first word of all names, dot included, if they have one in common.
fn prefix(layers: &[Layer<'_>]) -> String {
    let word = |l: &Layer<'_>| l.name.split_inclusive('.').next().unwrap_or("").to_owned();
    let words: HashSet<String> = layers.iter().map(word).collect();
    let mut words = words.into_iter();
    words.next().filter(|w| words.len() == 0 && w.ends_with('.')).unwrap_or_default()
}

fn depth(models: &[Vec<Layer<'_>>]) -> Vec<DepthRow> {
    let bin = |at: usize, count: usize| ((share(at, count) * BINS as f64) as usize).min(BINS - 1);
    let part = |part: usize| {
        let (mut means, mut layers) = (Vec::new(), Vec::new());
        for model in models {
            let inside = model.iter().enumerate().filter(|(at, _)| bin(*at, model.len()) == part);
            let values: Vec<f64> = inside.filter_map(|(_, l)| l.value).collect();
            layers.push(values.len());
            means.push((!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64));
        }
        DepthRow { from: part as f64 / BINS as f64, to: (part + 1) as f64 / BINS as f64, means, layers }
    };
    (0..BINS).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(prefix: &str, values: &[(&str, f64)]) -> Details {
        let lines = values.iter().map(|(name, v)| format!("{prefix}{name},dense,success,{v}\n"));
        let text = format!("name,layer_type,status,alpha\n{}", lines.collect::<String>());
        Details::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn layers_meet_by_name_whatever_is_before_it_and_in_whatever_order() {
        let a = details("", &[("stem", 2.0), ("block.1", 3.0), ("block.2", 4.0), ("head", 5.0)]);
        let b = details("module.", &[("block.1", 3.5), ("stem", 2.5), ("block.2", 4.5), ("extra", 9.0)]);
        let view = layer_view(&[("a".to_owned(), &a), ("b".to_owned(), &b)], "alpha");
        let rows: Vec<_> = view.matched.iter().map(|r| (r.name.as_str(), r.change)).collect();
        assert_eq!(rows, [("stem", Some(0.5)), ("block.1", Some(0.5)), ("block.2", Some(0.5))]);
        assert_eq!((view.partners, view.layers), (vec![3, 3], vec![4, 4]));
        assert_eq!(view.likeness, [None, Some(1.0)]);
        assert_eq!(view.matched[2].depth, 2.0 / 3.0);
    }

    #[test]
    fn depth_is_a_share_so_that_nets_of_different_length_compare() {
        let rising = |n: usize| -> Details {
            let names: Vec<String> = (0..n).map(|i| format!("l{i}")).collect();
            let values: Vec<(&str, f64)> = names
                .iter()
                .enumerate()
                .map(|(i, name)| (name.as_str(), i as f64 / (n - 1) as f64))
                .collect();
            details("", &values)
        };
        let (short, long) = (rising(21), rising(201));
        let view = layer_view(&[("s".to_owned(), &short), ("l".to_owned(), &long)], "alpha");
        assert_eq!(view.depth.len(), 10);
        for row in &view.depth {
            let (a, b) = (row.means[0].unwrap(), row.means[1].unwrap());
            assert!((a - b).abs() < 0.03 && a >= row.from && b <= row.to, "{row:?}");
        }
        assert_eq!(view.depth.iter().map(|r| r.layers[1]).sum::<usize>(), 201);
    }
}
