//! The gaps between neighbouring eigenvalues.

use eigenscope::analysis::{Inspection, Options};

use super::esd::{LayerFit, per_decade};
use super::figure::{Figure, Mark, Panel, Shape};
use super::kind::Kind;
use super::scale::Axis;
use super::theme::Role;
use super::words;

/// Gaps by index, and their density; `kind` says whether of the weights in random order.
pub(super) fn gaps(inspection: &Inspection, options: &Options, kind: Kind) -> Option<Figure> {
    if !options.deltas {
        return None;
    }
    let random = matches!(kind, Kind::RandDeltaEs | Kind::RandLevelStats);
    let spectrum = if random { inspection.random.first()? } else { &inspection.spectrum };
    let values = &spectrum.eigenvalues;
    let gap = |(k, w): (usize, &[f64])| (k as f64, w[1] - w[0]);
    let points: Vec<(f64, f64)> =
        values.windows(2).enumerate().map(gap).filter(|(_, gap)| *gap > 0.0).collect();
    let role = if random { Role::Random } else { Role::Spectrum };
    let whose = if random { ", weights in random order" } else { "" };
    let ratio = inspection.row.level_ratio.filter(|_| !random);
    let subtitle = ratio.map_or_else(
        || format!("{} gaps", points.len()),
        |r| {
            format!(
                "{} gaps · mean ratio of neighbours {r:.3} (random matrices 0.531, independent values 0.386)",
                points.len()
            )
        },
    );
    let panel = if matches!(kind, Kind::LevelStats | Kind::RandLevelStats) {
        let mut sizes: Vec<f64> = points.iter().map(|p| p.1).collect();
        sizes.sort_by(f64::total_cmp);
        let h = per_decade(&sizes)?;
        Panel {
            x: Axis::log("gap between neighbouring eigenvalues ΔE", [h.edges[0], h.edges[h.edges.len() - 1]]),
            y: Axis::linear("share of gaps per decade", [h.peak()], true),
            marks: vec![Mark::bars(&h, role, format!("density of {} gaps", sizes.len()))],
        }
    } else {
        let place = if random {
            let edge =
                inspection.row.random.as_ref().and_then(|r| r.mp).map(|mp| mp.bulk_max).filter(|b| *b > 0.0);
            edge.map(|e| (e, Role::Edge, "edge of the bulk"))
        } else {
            LayerFit::of(inspection, options).map(|f| (f.xmin, Role::Xmin, "xmin"))
        };
        let x = Axis::linear("index of the eigenvalue, ascending", [0.0, values.len() as f64], false);
        let y = Axis::log("gap to the next eigenvalue ΔE", points.iter().map(|p| p.1));
        let mut marks = vec![Mark::new(
            Shape::Dots { points, radius: 2 },
            if random { role } else { Role::Point },
            "gap",
        )];
        marks.extend(place.map(|(value, role, label)| {
            Mark::vertical(values.partition_point(|v| *v < value) as f64, role, true, label)
        }));
        Panel { x, y, marks }
    };
    let what =
        if matches!(kind, Kind::LevelStats | Kind::RandLevelStats) { "Level statistics" } else { "Delta Es" };
    Some(Figure {
        name: kind.name(),
        title: format!("{}{whose}", words::title(what, inspection)),
        subtitle,
        panels: vec![panel],
    })
}
