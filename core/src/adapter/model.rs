//! A model with the updates of an adapter as tensors of their own.

use std::collections::HashMap;

use super::factors::{Factors, find, product_shape};
use super::update::{MAX_ELEMENTS, Update, Weights};
use super::{AdapterConfig, Lora};
use crate::analysis::{Options, OptionsError, Pairing, Plan};
use crate::source::{OpenModel, Product, Refusal, SourceError, TensorInfo, WeightFile};
use crate::tensor::{Dtype, Tensor};

/// What a tensor of the merged model is.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// One of the file's.
    Stored(usize),
    /// An update.
    Product(usize),
    /// Weights and their update.
    Sum(usize),
}

struct Adapted {
    model: OpenModel,
    base: Option<OpenModel>,
    infos: Vec<TensorInfo>,
    parts: Vec<Part>,
    updates: Vec<Update>,
}

/// Whether the model has a pair of low-rank factors (`MODULE.lora_A`, `MODULE.lora_B`).
pub fn has_factors(model: &OpenModel) -> bool {
    !find(model.file.tensors()).is_empty()
}

/// The model with the products of its low-rank factors as tensors, and the factors listed as parts of them.
///
/// With [`Lora::WithBase`] the sums of weights and updates are tensors too; the weights are those of the module in `base`,
/// or in the model itself. Without a configuration the products are not scaled.
pub fn merge(
    model: OpenModel,
    base: Option<OpenModel>,
    config: Option<&AdapterConfig>,
    how: Lora,
    options: &Options,
) -> Result<OpenModel, OptionsError> {
    let pairs = find(model.file.tensors());
    if how == Lora::Off || pairs.is_empty() {
        return Ok(model);
    }
    let adapted = match options.conventions.pairing {
        Pairing::Name => by_name(model, base, config, how, pairs),
        Pairing::Reference => in_place(model, how, pairs, options)?,
    };
    let (loader, mut name) = (adapted.model.loader.clone(), adapted.model.name.clone());
    if let Some(base) = &adapted.base {
        name = format!("{name} on {}", base.name);
    }
    Ok(OpenModel { loader, name, file: Box::new(adapted) })
}

/// Products and sums after the tensors of the file, which keep their places.
fn by_name(
    model: OpenModel,
    base: Option<OpenModel>,
    config: Option<&AdapterConfig>,
    how: Lora,
    pairs: Vec<Factors>,
) -> Adapted {
    let default = AdapterConfig::default();
    let mut infos = model.file.tensors().to_vec();
    let mut parts: Vec<Part> = (0..infos.len()).map(Part::Stored).collect();
    let (mut updates, mut made) = (Vec::new(), Vec::new());
    let own = names(model.file.tensors());
    let of_base = base.as_ref().map(|b| names(b.file.tensors()));
    for factors in pairs {
        let (a, b) = (&infos[factors.a], &infos[factors.b]);
        let Some((shape, rank)) = product_shape(&a.shape, &b.shape, factors.embedding) else {
            let why = format!("factors that do not fit: A {}, B {}", sides(&a.shape), sides(&b.shape));
            infos[factors.b].note = Some(why.clone());
            infos[factors.a].note = Some(why);
            continue;
        };
        let scale = config.map_or(1.0, |c| c.scaling(strip(&factors.module), rank));
        let product = renamed(a, &factors, "lora_BA", shape.clone(), rank);
        let about = format!("factor of '{}' (rank {rank}, times {scale})", product.name);
        let mut update = Update { factors, shape, rank, scale, weights: None };
        let mut sum = None;
        if how == Lora::WithBase {
            let mut info = renamed(a, &update.factors, "lora_W_plus_AB", update.shape.clone(), rank);
            info.components = None;
            info.note =
                locate(&mut update, &own, &of_base, &model, base.as_ref(), config.unwrap_or(&default));
            if let Some(weights) = update.weights {
                let file = if weights.in_base { base.as_ref().unwrap_or(&model) } else { &model };
                let stored = &file.file.tensors()[weights.index];
                (info.shape, info.kind, info.layout) = (stored.shape.clone(), stored.kind, stored.layout);
            }
            sum = Some(info);
        }
        for index in [update.factors.a, update.factors.b] {
            infos[index].note = Some(about.clone());
        }
        made.extend(sum.map(|info| (Part::Sum(updates.len()), info)));
        made.push((Part::Product(updates.len()), product));
        updates.push(update);
    }
    for (part, info) in made {
        parts.push(part);
        infos.push(info);
    }
    Adapted { model, base, infos, parts, updates }
}

/// Finds the weights of the update's module; why not, where it does not.
fn locate(
    update: &mut Update,
    own: &HashMap<String, usize>,
    of_base: &Option<HashMap<String, usize>>,
    model: &OpenModel,
    base: Option<&OpenModel>,
    config: &AdapterConfig,
) -> Option<String> {
    if config.use_dora {
        return Some(
            "DoRA rescales W + BA column by column: the sum is not what the network uses".to_owned(),
        );
    }
    let module = &update.factors.module;
    let found = match of_base {
        // The adapter's names have more before the module's: `base_model.model.`.
        Some(names) => {
            std::iter::successors(Some(module.as_str()), |m| m.split_once('.').map(|(_, rest)| rest))
                .find_map(|m| names.get(m))
                .map(|index| (*index, true))
        }
        None => own.get(module).map(|index| (*index, false)),
    };
    let Some((index, in_base)) = found else {
        let place = if of_base.is_some() { "in the base model" } else { "beside the factors" };
        return Some(format!("no weights of '{module}' {place}"));
    };
    let file = if in_base { base.unwrap_or(model) } else { model };
    let weights = &file.file.tensors()[index];
    let turned: Vec<usize> = update.shape.iter().rev().copied().collect();
    let transposed = match (weights.shape == update.shape, weights.shape == turned) {
        (true, true) => config.fan_in_fan_out,
        (same, other) if same || other => other,
        _ => {
            let (of_update, of_weights) = (sides(&update.shape), sides(&weights.shape));
            return Some(format!("shapes differ: BA {of_update}, W {of_weights}"));
        }
    };
    if weights.note.is_some() || !(weights.dtype.is_float() || weights.quantized) {
        return Some(format!("the weights of '{module}' are not read: {}", weights.dtype));
    }
    update.weights = Some(Weights { index, in_base, transposed });
    None
}

/// WeightWatcher 0.7.7: the product takes the place of A, the sum that of B, nothing is scaled, the weights are those of the
/// layer before, and with [`Lora::Product`] no other layer is analysed.
fn in_place(
    model: OpenModel,
    how: Lora,
    pairs: Vec<Factors>,
    options: &Options,
) -> Result<Adapted, OptionsError> {
    let plan = Plan::new(model.file.as_ref(), options)?;
    let mut infos = model.file.tensors().to_vec();
    let mut parts: Vec<Part> = (0..infos.len()).map(Part::Stored).collect();
    if how == Lora::Product {
        for (info, layer) in infos.iter_mut().zip(&plan.layers) {
            if layer.skip.is_none() && !info.name.contains("lora_") {
                info.note = Some("no low-rank update (weightwatcher-0.7.7, peft)".to_owned());
            }
        }
    }
    let mut updates = Vec::new();
    for factors in pairs {
        let (a, b) = (&infos[factors.a], &infos[factors.b]);
        let dense = !factors.embedding && a.shape.len() == 2 && plan.layers[factors.a].skip.is_none();
        let Some((shape, rank)) = product_shape(&a.shape, &b.shape, false).filter(|_| dense) else {
            continue;
        };
        let product = renamed(a, &factors, "lora_BA", shape.clone(), rank);
        let before = (0..factors.a)
            .rev()
            .find(|i| plan.layers[*i].skip.is_none() && !infos[*i].name.contains("lora_"))
            .filter(|i| how == Lora::WithBase && infos[*i].shape == shape);
        let weights = before.map(|index| Weights { index, in_base: false, transposed: false });
        let mut sum = b.clone();
        if weights.is_some() {
            sum.name = sum.name.replace("lora_B", "lora_W_plus_AB");
            (sum.shape, sum.dtype, sum.components) = (shape.clone(), Dtype::F32, Some(rank));
            parts[factors.b] = Part::Sum(updates.len());
        } else {
            sum.note = Some(format!("factor of '{}'", product.name));
        }
        parts[factors.a] = Part::Product(updates.len());
        (infos[factors.a], infos[factors.b]) = (product, sum);
        updates.push(Update { factors, shape, rank, scale: 1.0, weights });
    }
    Ok(Adapted { model, base: None, infos, parts, updates })
}

/// The entry of a product or a sum, named after A.
fn renamed(a: &TensorInfo, factors: &Factors, to: &str, shape: Vec<usize>, rank: usize) -> TensorInfo {
    let from = if factors.embedding { ".lora_embedding_A" } else { ".lora_A" };
    let rest = a.name[factors.module.len()..].strip_prefix(from).unwrap_or("");
    let mut info = TensorInfo::new(format!("{}.{to}{rest}", factors.module), Dtype::F32, shape);
    if a.dtype == Dtype::F64 {
        info.dtype = Dtype::F64;
    }
    if let Some(note) = too_large(&info) {
        info.note = Some(note);
    }
    info.components = Some(rank);
    info
}

fn too_large(info: &TensorInfo) -> Option<String> {
    let n = info.numel();
    (n > MAX_ELEMENTS).then(|| format!("a product of {n} elements, above the limit of {MAX_ELEMENTS}"))
}

fn sides(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

/// A module's name as the base model has it, and as patterns are written for.
fn strip(module: &str) -> &str {
    module.strip_prefix("base_model.model.").unwrap_or(module)
}

/// Modules that have weights, by name. PEFT puts those of a wrapped module under `base_layer`.
fn names(infos: &[TensorInfo]) -> HashMap<String, usize> {
    let module = |name: &str| {
        let stem = name.strip_suffix(".weight")?;
        Some(stem.strip_suffix(".base_layer").unwrap_or(stem).to_owned())
    };
    infos.iter().enumerate().filter_map(|(i, t)| Some((module(&t.name)?, i))).collect()
}

impl WeightFile for Adapted {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let file = self.model.file.as_ref();
        let refuse = |what| SourceError::new(self.model.name.clone(), Refusal::Malformed(what));
        match self.parts.get(index) {
            None => {
                let what = format!("tensor {index} of {}", self.parts.len());
                Err(SourceError::new(self.model.name.clone(), Refusal::Missing(what)))
            }
            Some(Part::Stored(index)) => file.read(*index),
            Some(Part::Product(update)) => self.updates[*update].product(file),
            Some(Part::Sum(at)) => {
                let update = &self.updates[*at];
                let Some(weights) = update.weights else {
                    return Err(refuse(format!("no weights of '{}'", update.factors.module)));
                };
                let from = self.base.as_ref().filter(|_| weights.in_base).unwrap_or(&self.model);
                let stored = from.file.read(weights.index)?;
                let product = update.product(file)?;
                let product = if weights.transposed { product.transposed() } else { Ok(product) };
                let product = product.map_err(|e| refuse(e.to_string()))?;
                if product.shape() != stored.shape() {
                    let (found, expected) = (sides(stored.shape()), sides(product.shape()));
                    return Err(refuse(format!("weights of shape {found} where {expected} was listed")));
                }
                stored.combined(&product, |w, d| w + d).map_err(|e| refuse(e.to_string()))
            }
        }
    }

    fn product(&self, index: usize) -> Result<Option<Product>, SourceError> {
        let Some(Part::Product(at)) = self.parts.get(index) else { return Ok(None) };
        let update = &self.updates[*at];
        if update.shape.len() != 2 || update.factors.embedding {
            return Ok(None);
        }
        let (left, right) = update.read(self.model.file.as_ref())?;
        Ok(Some(Product { left, right, scale: update.scale }))
    }

    fn zeros(&self, index: usize) -> Option<&str> {
        matches!(self.parts.get(index), Some(Part::Product(_)))
            .then_some("an update of zeros: a fresh adapter?")
    }

    fn metadata(&self) -> Vec<(String, String)> {
        let mut metadata = self.model.file.metadata();
        metadata.extend(self.base.as_ref().map(|b| ("base_model".to_owned(), b.name.clone())));
        metadata
    }
}
