//! The bulk: a spectrum beside its weights in random order, Marchenko-Pastur laws, and where the product of eigenvalues is 1.

use std::f64::consts::PI;

use eigenscope::analysis::{Inspection, MpColumns, Options};
use eigenscope::rmt::MpLaw;

use super::esd::{EIGENVALUE, LayerFit, per_decade, xmin};
use super::figure::{Figure, Mark, Panel, Shape};
use super::histogram::{Histogram, bins};
use super::kind::Kind;
use super::scale::{Axis, number};
use super::theme::Role;
use super::words;

/// Points of a law.
const CURVE: usize = 400;
/// A law is shown as far as this times its edge; beyond are spikes.
const BEYOND: f64 = 1.6;
/// WeightWatcher's figure of detX shows rescaled eigenvalues above this.
const LEAST: f64 = 1e-5;

/// All eigenvalues of the replicas, ascending.
pub(crate) fn pooled(inspection: &Inspection) -> Vec<f64> {
    let mut all: Vec<f64> = inspection.random.iter().flat_map(|s| s.eigenvalues.iter().copied()).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// A spectrum and that of its weights in random order.
pub(super) fn random(inspection: &Inspection, kind: Kind) -> Option<Figure> {
    let log = kind == Kind::RandEsd2;
    let real = positive(&inspection.spectrum.eigenvalues);
    let drawn = pooled(inspection);
    let drawn = positive(&drawn);
    let largest = *drawn.last()?;
    let top = largest.max(*real.last()?);
    // On linear axes the same bins for both.
    let histogram = |v: &[f64]| if log { per_decade(v) } else { Histogram::within(v, 0.0, top, 100) };
    let (a, b) = (histogram(real)?, histogram(drawn)?);
    let bars = |h: &Histogram, role, sheer, label: &str| {
        let (edges, heights) = (h.edges.clone(), h.density.clone());
        Mark::new(Shape::Bars { edges, heights, sheer }, role, label)
    };
    let marks = vec![
        bars(&a, Role::Spectrum, false, "the layer"),
        bars(&b, Role::Random, true, "its weights in random order"),
        Mark::vertical(
            largest,
            Role::Random,
            true,
            format!("largest eigenvalue in random order, {}", number(largest, 4)),
        ),
    ];
    let ends = [&a, &b].map(|h| [h.edges[0], h.edges[h.edges.len() - 1]]).concat();
    let peak = a.peak().max(b.peak());
    let (x, y) = if log {
        (Axis::log(EIGENVALUE, ends), Axis::linear("share of eigenvalues per decade", [peak], true))
    } else {
        (Axis::linear(EIGENVALUE, ends, true), Axis::linear("probability density", [peak], true))
    };
    let what = if log { "Log10 ESD & Random ESD" } else { "ESD & Random ESD" };
    let above = real.len() - real.partition_point(|v| *v <= largest);
    Some(Figure {
        name: kind.name(),
        title: words::title(what, inspection),
        subtitle: format!("{above} of {} eigenvalues are above all of those in random order", real.len()),
        panels: vec![Panel { x, y, marks }],
    })
}

fn positive(ascending: &[f64]) -> &[f64] {
    let largest = ascending.last().copied().unwrap_or(0.0);
    &ascending[ascending.partition_point(|v| *v <= 1e-9 * largest)..]
}

/// A Marchenko-Pastur law beside the rescaled eigenvalues, or a quarter circle beside their roots where the matrix is square.
/// `kind` says which, and whether it is that of the weights in random order.
pub(super) fn law(inspection: &Inspection, options: &Options, kind: Kind) -> Option<Figure> {
    let random = matches!(kind, Kind::RandMpFit1 | Kind::RandMpFit2);
    let mp = if random {
        inspection.row.random.as_ref()?.mp?
    } else if options.mp_fit {
        inspection.row.mp?
    } else {
        return None;
    };
    let (n, m) = inspection.sides()?;
    let (q, square) = (n as f64 / m as f64, n == m);
    let first = matches!(kind, Kind::MpFit1 | Kind::RandMpFit1);
    if mp.sigma_mp <= 0.0 || (first && !square) {
        return None;
    }
    // Of a square matrix, WeightWatcher's first figure has the eigenvalues, the second their roots.
    let roots = square && !first;
    let drawn;
    let values = if random {
        drawn = pooled(inspection);
        &drawn[..]
    } else {
        &inspection.spectrum.eigenvalues[..]
    };
    let factor = mp.W_scale * mp.W_scale;
    let unit = |v: f64| if roots { (factor * v).max(0.0).sqrt() } else { factor * v };
    let rescaled: Vec<f64> = values.iter().map(|v| unit(*v)).collect();
    let law = MpLaw::new(mp.sigma_mp, q);
    let end = if roots { 2.0 * mp.sigma_mp } else { law.high };
    let density = |x: f64| match roots {
        true => (4.0 * mp.sigma_mp.powi(2) - x * x).max(0.0).sqrt() / (PI * mp.sigma_mp.powi(2)),
        false => law.density(x),
    };
    let edge = unit(mp.tw_edge.unwrap_or(mp.bulk_max));
    let top = (BEYOND * end.max(edge)).min(rescaled.last().copied()?.max(1.05 * end));
    let h = Histogram::within(&rescaled, 0.0, top, bins(rescaled.len()))?;
    let start = if roots { 0.0 } else { law.low };
    let at = |k: usize| start + (end - start) * (k as f64 + 0.5) / CURVE as f64;
    let curve: Vec<(f64, f64)> = (0..CURVE).map(at).map(|x| (x, density(x))).collect();
    // The density of eigenvalues of a square matrix has no upper end.
    let peak = h.peak().max(1e-9);
    let high = curve.iter().map(|c| c.1).fold(0.0, f64::max).clamp(peak, 1.6 * peak);
    let (role, whose) =
        if random { (Role::Random, ", weights in random order") } else { (Role::Spectrum, "") };
    let name = if roots { "quarter circle" } else { "Marchenko-Pastur law" };
    let marks = vec![
        Mark::bars(&h, role, format!("density of {} values", rescaled.len())),
        Mark::new(
            Shape::Line { points: curve, dashed: false },
            Role::Fit,
            format!("{name}, σ = {:.3}", mp.sigma_mp),
        ),
        Mark::vertical(edge, Role::Edge, true, format!("Tracy-Widom edge, {}", number(edge, 4))),
    ];
    let x =
        if roots { "singular value, rescaled to mean square 1" } else { "eigenvalue λ, rescaled to mean 1" };
    let what = if roots { "QC SSD" } else { "MP ESD" };
    Some(Figure {
        name: kind.name(),
        title: format!("{}{whose}", words::title(what, inspection)),
        subtitle: numbers(&mp, q, &rescaled, top),
        panels: vec![Panel {
            x: Axis { label: x.to_owned(), log: false, low: 0.0, high: top },
            y: Axis::linear("probability density", [high], true),
            marks,
        }],
    })
}

fn numbers(mp: &MpColumns, q: f64, rescaled: &[f64], top: f64) -> String {
    let beyond = rescaled.len() - rescaled.partition_point(|v| *v <= top);
    let hidden = match beyond {
        0 => String::new(),
        n => format!(" ({n} beyond the right border)"),
    };
    format!(
        "Q = {q:.3} · σ_mp = {:.3} · R_mp = {:.3} · spikes: {}{hidden}",
        mp.sigma_mp,
        mp.mp_softrank,
        mp.num_spikes_tw.unwrap_or(mp.num_spikes)
    )
}

/// Where the product of the largest eigenvalues falls below 1, and where the tail begins.
pub(super) fn detx(inspection: &Inspection, options: &Options) -> Option<Figure> {
    let found = inspection.row.detx?;
    let values = &inspection.spectrum.eigenvalues;
    let factor = values.len() as f64 / values.iter().sum::<f64>();
    let rescaled: Vec<f64> = values.iter().map(|v| factor * v).filter(|v| *v > LEAST).collect();
    let h = per_decade(&rescaled)?;
    let place = factor * found.val;
    let mut marks = vec![
        Mark::bars(&h, Role::Spectrum, format!("density of {} eigenvalues", rescaled.len())),
        Mark::vertical(
            place,
            Role::Detx,
            false,
            format!("detX: λ = {}, {} above", number(place, 4), found.num),
        ),
    ];
    marks.extend(LayerFit::of(inspection, options).map(|f| xmin(factor * f.xmin)));
    let gap = found.gap.map_or_else(String::new, |g| format!(" · {g} more than in the tail"));
    Some(Figure {
        name: Kind::Detx.name(),
        title: words::title("DETX", inspection),
        subtitle: format!("the {} largest eigenvalues multiply to 1{gap}", found.num),
        panels: vec![Panel {
            x: Axis::log("eigenvalue λ, rescaled to mean 1", [h.edges[0], h.edges[h.edges.len() - 1]]),
            y: Axis::linear("share of eigenvalues per decade", [h.peak()], true),
            marks,
        }],
    })
}
