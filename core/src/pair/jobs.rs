//! What is compared with what, and what not, with the reason.

use std::collections::HashMap;

use super::compare::{Job, Side, start};
use super::{Matching, Outcome, PairOptions, PairRow};
use crate::source::TensorInfo;
use crate::tensor::{Layout, Role};

/// What is to be done for one row or a few.
pub(super) enum Work {
    Compare(Job),
    Ready(Box<PairRow>),
}

/// A tensor without a partner, or one that has no weights to compare.
fn alone(side: Side<'_>, index: usize, outcome: Outcome, reason: &str) -> Work {
    let plan = &side.plans[index];
    let mut row = PairRow::empty(plan.layer_id, &plan.name, plan.kind, &side.file.tensors()[index]);
    row.outcome = outcome;
    reason.clone_into(&mut row.reason);
    Work::Ready(Box::new(row))
}

const ONLY_FIRST: &str = "only in the first model";
const ONLY_SECOND: &str = "only in the second model";

/// The pairs of each name, in the order of the first model; then what only the second has. And the prefix that did not count.
pub(super) fn by_name(sides: [Side<'_>; 2], options: &PairOptions) -> (Vec<Work>, Option<String>) {
    let [a, b] = sides;
    let (of_a, of_b) = (a.file.tensors(), b.file.tensors());
    let names = [of_a, of_b].map(names);
    let matching = Matching::by_name(of_a, of_b);
    let mut work = Vec::with_capacity(of_a.len() + matching.left_over.len());
    for (i, partner) in matching.partners.iter().enumerate() {
        let Some(j) = *partner else {
            work.push(alone(a, i, Outcome::OnlyFirst, ONLY_FIRST));
            continue;
        };
        let plan = &a.plans[i];
        let layer = plan.matrices.is_some() && plan.kind.has_matrices();
        let biases = biases(sides, &names, i, j);
        let job = Job { a: i, b: j, biases, layer };
        work.push(match unequal(sides, &job, options) {
            None => Work::Compare(job),
            Some((outcome, reason)) => {
                let mut row = start(a, b, &job, options);
                (row.outcome, row.reason) = (outcome, reason);
                Work::Ready(Box::new(row))
            }
        });
    }
    work.extend(matching.left_over.iter().map(|j| alone(b, *j, Outcome::OnlySecond, ONLY_SECOND)));
    (work, matching.prefix.map(|(prefix, _)| prefix))
}

/// Why two tensors of a name are not compared.
fn unequal(sides: [Side<'_>; 2], job: &Job, options: &PairOptions) -> Option<(Outcome, String)> {
    let [a, b] = sides;
    let (first, second) = (&a.file.tensors()[job.a], &b.file.tensors()[job.b]);
    let (plan, partner) = (&a.plans[job.a], &b.plans[job.b]);
    let skip = |reason: &str| Some((Outcome::Skipped, reason.to_owned()));
    if job.layer || !options.analysis.layers.terms.is_empty() {
        // The same limits and filters as for an analysis.
        if let Some(reason) = &plan.skip {
            return skip(reason);
        }
    } else if let Some(note) = &first.note {
        return skip(note);
    } else if matches!(first.role, Role::Optimizer | Role::Constant) {
        return skip(plan.skip.as_deref().unwrap_or("no weights"));
    } else if !(first.dtype.is_float() || first.quantized) {
        return skip(&format!("{} values without a quantisation scale", first.dtype));
    }
    if first.shape != second.shape {
        let sides = |t: &TensorInfo| t.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        return Some((
            Outcome::ShapesDiffer,
            format!("shapes differ: {} and {}", sides(first), sides(second)),
        ));
    }
    if second.note.is_some() || !(second.dtype.is_float() || second.quantized) {
        let reason = partner.skip.as_deref().unwrap_or("no weights");
        return skip(&format!("second model: {reason}"));
    }
    if job.layer && (first.layout != second.layout || plan.unfolding.kind.is_conv() != partner.kind.is_conv())
    {
        return Some((
            Outcome::ShapesDiffer,
            format!("the order of axes differs: {} and {}", axes(first.layout), axes(second.layout)),
        ));
    }
    None
}

fn axes(layout: Layout) -> &'static str {
    match layout {
        Layout::OutInSpatial => "out, in, spatial",
        Layout::InOutSpatial => "in, out, spatial",
        Layout::SpatialInOut => "spatial, in, out",
        Layout::SpatialOutIn => "spatial, out, in",
    }
}

/// The layers of both in their order, one by one, whatever their names, as WeightWatcher 0.7.7 takes them.
pub(super) fn by_place(sides: [Side<'_>; 2], options: &PairOptions) -> Vec<Work> {
    let [a, b] = sides;
    let names = [a.file.tensors(), b.file.tensors()].map(names);
    let layers = |side: Side<'_>| -> Vec<usize> {
        (0..side.plans.len()).filter(|i| side.plans[*i].skip.is_none()).collect()
    };
    let (of_a, of_b) = (layers(a), layers(b));
    let mut partners = of_a.iter().zip(&of_b);
    let mut work = Vec::new();
    for (i, plan) in a.plans.iter().enumerate() {
        if let Some(reason) = &plan.skip {
            work.push(alone(a, i, Outcome::Skipped, reason));
        } else if let Some((_, j)) = partners.next() {
            let job = Job { a: i, b: *j, biases: biases(sides, &names, i, *j), layer: true };
            if a.file.tensors()[i].shape == b.file.tensors()[*j].shape {
                work.push(Work::Compare(job));
                continue;
            }
            let mut row = start(a, b, &job, options);
            row.outcome = Outcome::ShapesDiffer;
            "shapes differ: counted as -1".clone_into(&mut row.reason);
            (row.delta_W, row.delta_b) = (Some(-1.0), Some(0.0));
            work.push(Work::Ready(Box::new(row)));
        } else {
            work.push(alone(a, i, Outcome::OnlyFirst, ONLY_FIRST));
        }
    }
    work.extend(of_b.iter().skip(of_a.len()).map(|j| alone(b, *j, Outcome::OnlySecond, ONLY_SECOND)));
    work
}

fn names(infos: &[TensorInfo]) -> HashMap<&str, usize> {
    infos.iter().enumerate().map(|(i, info)| (info.name.as_str(), i)).collect()
}

/// The biases of two layers, if they have the same length.
fn biases(
    sides: [Side<'_>; 2],
    names: &[HashMap<&str, usize>; 2],
    a: usize,
    b: usize,
) -> Option<(usize, usize)> {
    let find = |which: usize, index: usize| {
        let infos = sides[which].file.tensors();
        let found = *names[which].get(bias_name(&infos[index].name)?.as_str())?;
        let bias = &infos[found];
        (bias.shape.len() == 1 && (bias.dtype.is_float() || bias.quantized)).then_some((found, bias.shape[0]))
    };
    let ((i, first), (j, second)) = (find(0, a)?, find(1, b)?);
    (first == second).then_some((i, j))
}

/// What the bias of a weight of that name is called: `fc.weight` has `fc.bias`, `weight_ih_l0` has `bias_ih_l0`, `kernel`
/// has `bias`.
fn bias_name(weight: &str) -> Option<String> {
    let at = weight.rfind(['.', '/']).map_or(0, |at| at + 1);
    let (head, last) = weight.split_at(at);
    let rest = last.strip_prefix("weight").or_else(|| last.strip_prefix("kernel"))?;
    Some(format!("{head}bias{rest}"))
}
