//! How spread out the eigenvectors are.

use eigenscope::analysis::{Inspection, Options};
use eigenscope::metrics::VectorMeasures;

use super::esd::LayerFit;
use super::figure::{Figure, Mark, Panel, Shape};
use super::histogram::{Histogram, bins};
use super::kind::Kind;
use super::scale::Axis;
use super::theme::Role;
use super::words;

type Measure = (&'static str, fn(&VectorMeasures) -> f64);

const MEASURES: [Measure; 3] = [
    ("entropy", |v| v.entropy),
    ("localisation ratio", |v| v.localization),
    ("participation ratio", |v| v.participation),
];

/// Every measure by index, and the eigenvalues below.
pub(super) fn metrics(inspection: &Inspection, options: &Options) -> Option<Figure> {
    let vectors = sorted(inspection)?;
    let fit = LayerFit::of(inspection, options);
    let panel = |label: &str, value: &dyn Fn(&VectorMeasures) -> f64, log: bool| {
        let points: Vec<(f64, f64)> = vectors
            .iter()
            .enumerate()
            .map(|(k, v)| (k as f64, value(v)))
            .filter(|p| !log || p.1 > 0.0)
            .collect();
        let values = points.iter().map(|p| p.1);
        let y = if log { Axis::log(label, values) } else { Axis::linear(label, values, false) };
        let mut marks = vec![Mark::new(Shape::Dots { points, radius: 2 }, Role::Point, "eigenvector")];
        marks.extend(fit.map(|f| {
            let index = vectors.partition_point(|v| v.eigenvalue < f.xmin * (1.0 - 1e-9));
            Mark::vertical(index as f64, Role::Xmin, true, "xmin")
        }));
        Panel {
            x: Axis::linear("index of the eigenvalue, ascending", [0.0, vectors.len() as f64], false),
            y,
            marks,
        }
    };
    let mut panels: Vec<Panel> = MEASURES.iter().map(|(label, value)| panel(label, value, false)).collect();
    panels.push(panel("eigenvalue λ", &|v| v.eigenvalue, true));
    Some(Figure {
        name: Kind::VectorMetrics.name(),
        title: words::title("Vector metrics", inspection),
        subtitle: words::fit(&inspection.row),
        panels,
    })
}

/// The distribution of every measure, below xmin and above.
pub(super) fn histograms(inspection: &Inspection, options: &Options) -> Option<Figure> {
    let vectors = sorted(inspection)?;
    let xmin = LayerFit::of(inspection, options)?.xmin * (1.0 - 1e-9);
    let (bulk, tail) = vectors.split_at(vectors.partition_point(|v| v.eigenvalue < xmin));
    let panels = MEASURES.iter().map(|(label, value)| {
        let of = |side: &[VectorMeasures]| {
            let mut values: Vec<f64> = side.iter().map(value).filter(|v| v.is_finite()).collect();
            values.sort_by(f64::total_cmp);
            Histogram::linear(&values, bins(values.len()).min(40))
        };
        let sides =
            [(of(bulk), Role::Bulk, "bulk, below xmin"), (of(tail), Role::Tail, "tail, from xmin on")];
        let found: Vec<(Histogram, Role, &str)> =
            sides.into_iter().filter_map(|(h, role, label)| Some((h?, role, label))).collect();
        let ends = found.iter().flat_map(|(h, ..)| [h.edges[0], h.edges[h.edges.len() - 1]]);
        Panel {
            x: Axis::linear(label, ends, false),
            y: Axis::linear("density", found.iter().map(|(h, ..)| h.peak()), true),
            marks: found
                .into_iter()
                .map(|(h, role, label)| {
                    let shape = Shape::Bars { edges: h.edges, heights: h.density, sheer: role == Role::Tail };
                    Mark::new(shape, role, label)
                })
                .collect(),
        }
    });
    Some(Figure {
        name: Kind::VectorHistograms.name(),
        title: words::title("Vector histograms", inspection),
        subtitle: format!("{} eigenvectors below xmin, {} from there on", bulk.len(), tail.len()),
        panels: panels.collect(),
    })
}

fn sorted(inspection: &Inspection) -> Option<Vec<VectorMeasures>> {
    let mut vectors = inspection.vectors.clone();
    vectors.sort_by(|a, b| a.eigenvalue.total_cmp(&b.eigenvalue));
    (!vectors.is_empty()).then_some(vectors)
}
