//! A model less its base: what fine-tuning changed, as a model of its own.

use super::Matching;
use crate::analysis::{Options, OptionsError, Pairing, Plan};
use crate::source::{OpenModel, Refusal, SourceError, TensorInfo, WeightFile};
use crate::tensor::{Dtype, Tensor};

/// What becomes of one tensor of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Partner {
    /// It is subtracted.
    Same(usize),
    /// It is subtracted after a transposition (the reference only).
    Transposed(usize),
    /// Zeros stand in for the delta (the reference only).
    Zeros,
    /// The tensor itself stands in for it (the reference only).
    Nothing,
    /// It is listed with a reason and not read.
    Listed,
    /// So is a tensor of the base model.
    InBase,
}

struct Delta {
    model: OpenModel,
    base: OpenModel,
    infos: Vec<TensorInfo>,
    partners: Vec<Partner>,
}

/// The model whose weights are those of `model` less those of `base`, tensor by tensor, paired as the conventions say.
///
/// Every tensor of either is listed; one without a partner, or with a partner of another shape, with that reason. Deltas
/// are made when they are read, one at a time.
pub fn delta(model: OpenModel, base: OpenModel, options: &Options) -> Result<OpenModel, OptionsError> {
    let (infos, partners) = match options.conventions.pairing {
        Pairing::Name => by_name(&model, &base),
        Pairing::Reference => by_walk(&model, &base, options)?,
    };
    let name = format!("{} minus {}", model.name, base.name);
    let loader = model.loader.clone();
    Ok(OpenModel { loader, name, file: Box::new(Delta { model, base, infos, partners }) })
}

fn by_name(model: &OpenModel, base: &OpenModel) -> (Vec<TensorInfo>, Vec<Partner>) {
    let (of_model, of_base) = (model.file.tensors(), base.file.tensors());
    let matching = Matching::by_name(of_model, of_base);
    let (mut infos, mut partners) = (Vec::new(), Vec::new());
    for (info, partner) in of_model.iter().zip(&matching.partners) {
        let mut info = info.clone();
        let against = partner.map(|j| &of_base[j]);
        let why = match against {
            None => Some("not in the base model".to_owned()),
            Some(base) if base.shape != info.shape => {
                Some(format!("shapes differ: {}, in the base model {}", sides(&info), sides(base)))
            }
            Some(base) if base.layout != info.layout => {
                Some("the order of axes differs from the base model's".to_owned())
            }
            Some(base) => base.note.as_ref().map(|note| format!("in the base model: {note}")),
        };
        // What the file itself says of a tensor goes first.
        let listed = info.note.is_some() || why.is_some();
        info.note = info.note.or(why);
        float(&mut info);
        partners.push(partner.filter(|_| !listed).map_or(Partner::Listed, Partner::Same));
        infos.push(info);
    }
    for index in matching.left_over {
        let mut info = of_base[index].clone();
        info.note = Some("only in the base model".to_owned());
        infos.push(info);
        partners.push(Partner::InBase);
    }
    (infos, partners)
}

/// WeightWatcher 0.7.7: the layers of the base model wait in a queue; a layer of the model takes the first of them if the
/// name of that contains its own, and stays as it is otherwise.
fn by_walk(
    model: &OpenModel,
    base: &OpenModel,
    options: &Options,
) -> Result<(Vec<TensorInfo>, Vec<Partner>), OptionsError> {
    let plan = Plan::new(model.file.as_ref(), options)?;
    let queue = Plan::new(base.file.as_ref(), options)?.layers;
    let mut queue = queue.into_iter().filter(|l| l.skip.is_none()).peekable();
    let (mut infos, mut partners) = (Vec::new(), Vec::new());
    for (info, layer) in model.file.tensors().iter().zip(&plan.layers) {
        let next = if layer.skip.is_none() { queue.next_if(|l| l.name.contains(&layer.name)) } else { None };
        partners.push(match next {
            None if layer.skip.is_none() => Partner::Nothing,
            None => Partner::Listed,
            Some(partner) => {
                let other = &base.file.tensors()[partner.index].shape;
                let turned: Vec<usize> = info.shape.iter().rev().copied().collect();
                if *other == info.shape {
                    Partner::Same(partner.index)
                } else if info.shape.len() == 2 && *other == turned {
                    Partner::Transposed(partner.index)
                } else {
                    Partner::Zeros
                }
            }
        });
        let mut info = info.clone();
        float(&mut info);
        infos.push(info);
    }
    Ok((infos, partners))
}

/// Differences of quantised integers are real numbers.
fn float(info: &mut TensorInfo) {
    if info.quantized {
        (info.quantized, info.dtype) = (false, Dtype::F32);
    }
}

fn sides(info: &TensorInfo) -> String {
    info.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

impl WeightFile for Delta {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let (Some(info), Some(partner)) = (self.infos.get(index), self.partners.get(index)) else {
            let what = format!("tensor {index} of {}", self.infos.len());
            return Err(SourceError::new(self.model.name.clone(), Refusal::Missing(what)));
        };
        let refused = |what: String| {
            SourceError::new(self.model.name.clone(), Refusal::Malformed(what)).tensor(&info.name)
        };
        let subtract = |base: Tensor| {
            let model = self.model.file.read(index)?;
            if model.shape() != base.shape() {
                let (found, expected) = (base.shape(), model.shape());
                return Err(refused(format!("the base model gave shape {found:?} for {expected:?}")));
            }
            model.combined(&base, |m, b| m - b).map_err(|e| refused(e.to_string()))
        };
        match *partner {
            Partner::Same(j) => subtract(self.base.file.read(j)?),
            Partner::Transposed(j) => {
                let turned = self.base.file.read(j)?.transposed().map_err(|e| refused(e.to_string()))?;
                subtract(turned)
            }
            Partner::Zeros => {
                let size = info.shape.iter().product::<usize>() * Dtype::F32.size();
                Tensor::new(Dtype::F32, info.shape.clone(), vec![0; size].into())
                    .map_err(|e| refused(e.to_string()))
            }
            Partner::Nothing | Partner::Listed => self.model.file.read(index),
            Partner::InBase => Err(refused("only in the base model".to_owned())),
        }
    }

    fn metadata(&self) -> Vec<(String, String)> {
        let mut metadata = self.model.file.metadata();
        metadata.push(("base_model".to_owned(), self.base.name.clone()));
        metadata
    }

    fn zeros(&self, _index: usize) -> Option<&str> {
        Some("identical to the base model")
    }
}
