//! What the tail would have been had it begun elsewhere: D and alpha of every candidate xmin.

use eigenscope::analysis::{Inspection, Options};
use eigenscope::fit::Candidate;

use super::esd::{LayerFit, xmin};
use super::figure::{Figure, Mark, Panel, Shape};
use super::kind::Kind;
use super::scale::Axis;
use super::theme::Role;
use super::words;

/// Candidates drawn.
const MOST: usize = 800;

pub(super) fn distance(inspection: &Inspection, options: &Options) -> Option<Figure> {
    figure(inspection, options, Kind::Esd4, "D of every xmin", "Kolmogorov-Smirnov distance D", |c| c.d)
}

pub(super) fn alpha(inspection: &Inspection, options: &Options) -> Option<Figure> {
    figure(inspection, options, Kind::Esd5, "Alpha of every xmin", "exponent α", |c| c.alpha)
}

fn figure(
    inspection: &Inspection,
    options: &Options,
    kind: Kind,
    what: &str,
    label: &str,
    value: fn(&Candidate) -> f64,
) -> Option<Figure> {
    let candidates = inspection.candidates(options, MOST);
    let points: Vec<(f64, f64)> = candidates.iter().map(|c| (c.xmin, value(c))).collect();
    if points.len() < 2 {
        return None;
    }
    let mut y: Vec<f64> = points.iter().map(|p| p.1).filter(|v| v.is_finite()).collect();
    y.sort_by(f64::total_cmp);
    // The last few tails are of two or three values; their exponents would hide all others.
    let highest = y[(y.len() - 1) * 98 / 100];
    let fit = LayerFit::of(inspection, options);
    let chosen = fit.map(|f| if kind == Kind::Esd4 { f.d.unwrap_or(0.0) } else { f.alpha });
    let x = Axis::log("xmin", points.iter().map(|p| p.0));
    let y = Axis::linear(label, [y[0], highest].into_iter().chain(chosen), kind == Kind::Esd4);
    let of = if kind == Kind::Esd4 { "D" } else { "α" };
    let mut marks = vec![Mark::new(
        Shape::Dots { points, radius: 2 },
        Role::Point,
        format!("{of} of the tail that begins at xmin"),
    )];
    if let (Some(fit), Some(chosen)) = (fit, chosen) {
        marks.push(xmin(fit.xmin));
        let point = Shape::Dots { points: vec![(fit.xmin, chosen)], radius: 5 };
        marks.push(Mark::new(point, Role::Fit, format!("chosen: {of} = {chosen:.3}")));
    }
    Some(Figure {
        name: kind.name(),
        title: words::title(what, inspection),
        subtitle: words::fit(&inspection.row),
        panels: vec![Panel { x, y, marks }],
    })
}
