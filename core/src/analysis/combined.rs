//! Rows about several tensors at once: products of neighbours (`intra`), all layers stacked (`stacked`), weights with their
//! biases (`add_biases`).

use std::collections::HashMap;

use super::Options;
use super::conventions::CombineRule;
use super::plan::LayerPlan;
use crate::matrix::{MatrixShape, MatrixView, product, shared_side, stack, stacked_sides};
use crate::source::TensorInfo;
use crate::spectrum::stream;
use crate::tensor::{LayerKind, Layout, Tensor};

/// Most numbers of a matrix that an analysis makes: 2 GiB of doubles.
pub(super) const MAX_NUMBERS: usize = 1 << 28;

/// Whose weights a row is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Made {
    /// Its own tensor's.
    #[default]
    Alone,
    /// The first matrix of the layer with this index times the first of its own.
    Product(usize),
    /// All of the layers with these indices.
    Stack(Vec<usize>),
    /// Its own tensor's, and the bias with this index as one more row or column.
    Biased(usize),
}

impl Made {
    /// Indices of every tensor that the row needs, in order, where its own is `index`.
    pub(super) fn tensors(&self, index: usize) -> Vec<usize> {
        match self {
            Made::Alone => vec![index],
            Made::Product(first) => vec![*first, index],
            Made::Stack(all) => all.clone(),
            Made::Biased(bias) => vec![index, *bias],
        }
    }
}

/// Turns the plan of single layers into that of their combination.
pub(super) fn combine(layers: &mut [LayerPlan], infos: &[TensorInfo], options: &Options) {
    let taken: Vec<usize> = (0..layers.len()).filter(|k| layers[*k].skip.is_none()).collect();
    if options.intra {
        products(layers, &taken, options);
    } else if options.stacked {
        stacked(layers, &taken, infos, options);
    } else if options.add_biases {
        biased(layers, &taken, infos);
    }
}

fn products(layers: &mut [LayerPlan], taken: &[usize], options: &Options) {
    let reference = options.conventions.combined == CombineRule::Reference;
    let single: Vec<LayerPlan> = taken.iter().map(|k| layers[*k].clone()).collect();
    let sides = |l: &LayerPlan| l.matrices.map_or((0, 0), |s| (s.n, s.m));
    if let Some(first) = taken.first() {
        layers[*first].skip = Some("the first layer: none before it to multiply it with".to_owned());
    }
    for pair in single.windows(2) {
        let (before, layer) = (&pair[0], &mut layers[pair[1].index]);
        let (a, b) = (sides(before), sides(&pair[1]));
        let Some(side) = shared_side(a, b) else {
            let reason = format!("{}x{} shares no side with {}x{} of '{}'", b.0, b.1, a.0, a.1, before.name);
            layer.skip = Some(reason);
            continue;
        };
        let other = |s: (usize, usize)| if s.0 == side { s.1 } else { s.0 };
        let (rows, cols) = (other(a), other(b));
        let (n, m) = (rows.max(cols), rows.min(cols));
        if n.saturating_mul(m) > MAX_NUMBERS {
            layer.skip = Some(format!("the product would have {n}x{m} elements, above {MAX_NUMBERS}"));
            continue;
        }
        let end = if reference { " " } else { "" };
        layer.name = format!("{} X {}{end}", before.layer_id, layer.layer_id);
        layer.keep = Some(if reference { layer.num_evals().min(m) } else { m });
        layer.sides = Some((n, m));
        layer.cost += before.cost;
        layer.made = Made::Product(before.index);
        layer.combines = format!("{} x {}", before.longname, layer.longname);
    }
}

fn stacked(layers: &mut [LayerPlan], taken: &[usize], infos: &[TensorInfo], options: &Options) {
    let Some(&first) = taken.first() else { return };
    let reference = options.conventions.combined == CombineRule::Reference;
    let (mut rows, mut cols) = (0usize, 0usize);
    for &k in taken {
        let (shape, own) =
            (layers[k].matrices.unwrap_or(MatrixShape { n: 0, m: 0, count: 1 }), &infos[k].shape);
        let stored = if own.len() == 2 && shape.count == 1 { (own[0], own[1]) } else { (shape.n, shape.m) };
        let (r, c) = stacked_sides(stored, shape.count);
        (rows, cols) = (rows.saturating_add(r), cols.max(c));
    }
    let (n, m) = (rows.max(cols), rows.min(cols));
    let name = layers[first].name.clone();
    for &k in &taken[1..] {
        layers[k].skip = Some(format!("stacked in the row of '{name}'"));
    }
    let all: Vec<&str> = taken.iter().map(|k| &*layers[*k].longname).collect();
    let (combines, keep) = (all.join(" / "), layers[first].num_evals().min(m));
    let layer = &mut layers[first];
    "Stacked Layer".clone_into(&mut layer.name);
    layer.combines = combines;
    layer.kind = LayerKind::Stacked;
    layer.made = Made::Stack(taken.to_vec());
    layer.matrices = Some(MatrixShape { n, m, count: 1 });
    layer.sides = Some((n, m));
    layer.keep = Some(if reference { keep } else { m });
    layer.cost = n as f64 * m as f64 * m as f64;
    if reference {
        layer.layer_id = 0;
    }
    if n.saturating_mul(m) > MAX_NUMBERS {
        layer.skip =
            Some(format!("the stack would have {n}x{m} elements, above {MAX_NUMBERS}; select fewer layers"));
    }
}

/// `fc.weight` and `fc.bias`, `dense/kernel:0` and `dense/bias:0`: the name of the bias beside a weight.
fn bias_of(name: &str) -> Option<String> {
    let last = name.rfind(['.', '/']).map_or(0, |at| at + 1);
    let (folder, own) = name.split_at(last);
    let word = ["weight", "kernel"].into_iter().find(|w| own.starts_with(w))?;
    Some(format!("{folder}bias{}", &own[word.len()..]))
}

fn biased(layers: &mut [LayerPlan], taken: &[usize], infos: &[TensorInfo]) {
    let places: HashMap<&str, usize> = infos.iter().enumerate().map(|(k, i)| (&*i.name, k)).collect();
    for &k in taken {
        let (layer, info) = (&mut layers[k], &infos[k]);
        let Some(&bias) = bias_of(&info.name).and_then(|name| places.get(&*name)) else { continue };
        let [length] = infos[bias].shape[..] else { continue };
        let [rows, cols] = info.shape[..] else { continue };
        if layer.kind != LayerKind::Dense || ![rows, cols].contains(&length) || !infos[bias].dtype.is_float()
        {
            continue;
        }
        let (rows, cols) =
            if appends_row(info.layout, rows, cols, length) { (rows + 1, cols) } else { (rows, cols + 1) };
        let (n, m) = (rows.max(cols), rows.min(cols));
        layer.matrices = Some(MatrixShape { n, m, count: 1 });
        layer.sides = Some((n, m));
        layer.made = Made::Biased(bias);
        layer.combines = format!("{} + {}", info.name, infos[bias].name);
    }
}

/// A bias is as long as there are outputs; where both sides are, the layout says which the outputs are.
fn appends_row(layout: Layout, rows: usize, cols: usize, length: usize) -> bool {
    length != rows || (cols == rows && matches!(layout, Layout::InOutSpatial | Layout::SpatialInOut))
}

/// A weight matrix with its bias, as long as its outputs, beside it.
pub(super) fn with_bias(weight: &Tensor, layout: Layout, bias: &[f64]) -> MatrixView {
    let (rows, cols) = (weight.shape()[0], weight.shape()[1]);
    let row = appends_row(layout, rows, cols, bias.len());
    let mut values = weight.to_vec();
    let shape = if row {
        values.extend(bias);
        vec![rows + 1, cols]
    } else {
        values = values.chunks(cols).zip(bias).flat_map(|(line, b)| [line, &[*b]].concat()).collect();
        vec![rows, cols + 1]
    };
    MatrixView::new(Tensor::from_f64(shape, &values).expect("one number for each place"), 1)
}

/// The matrices of a row from those of its layers by name, and what of them had to be left out.
pub(super) fn views(
    plan: &LayerPlan,
    mut names: Vec<&str>,
    mut layers: Vec<Vec<MatrixView>>,
    options: &Options,
) -> Result<(Vec<MatrixView>, String), String> {
    let empty = || "no elements".to_owned();
    match &plan.made {
        Made::Alone | Made::Biased(_) => Ok((layers.pop().unwrap_or_default(), String::new())),
        Made::Product(_) => {
            let firsts: Vec<&MatrixView> = layers.iter().filter_map(|v| v.first()).collect();
            let [a, b] = firsts[..] else { return Err(empty()) };
            let seed = options.sparsify.then(|| stream(options.seed, &plan.longname, 0, 0));
            product(a, b, seed).map(|x| (vec![x], String::new())).ok_or_else(|| "no shared side".to_owned())
        }
        Made::Stack(_) => {
            let mut out = Vec::new();
            let by_column = options.conventions.combined == CombineRule::Reference;
            loop {
                if layers.is_empty() || layers.iter().any(Vec::is_empty) {
                    return Err(empty());
                }
                match stack(&layers, by_column) {
                    Ok(view) => {
                        let note = format!("left out, without a spread to divide by: {}", out.join(", "));
                        return Ok((vec![view], if out.is_empty() { String::new() } else { note }));
                    }
                    Err(constant) => {
                        layers.remove(constant);
                        out.push(names.remove(constant));
                    }
                }
            }
        }
    }
}
