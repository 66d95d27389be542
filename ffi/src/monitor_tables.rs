//! What a monitor tells, as tables.

use std::sync::Arc;

use eigenscope_core::analysis::SUMMARY_COLUMNS;
use eigenscope_core::monitor::{EpochReport, History, METRICS, MetricValues, Stamp};

use crate::report::egs_report;
use crate::table::{Cell, Table};
use crate::text::cstring;

/// What a report of a monitor has before the columns of an analysis.
const OWN: [(&str, &str); 5] = [
    ("step", "Step of the commit that the row was computed at."),
    ("epoch", "Its epoch."),
    ("fresh", "Whether that is the commit of this report."),
    ("role", "weight, gradient or momentum."),
    ("segment", "How many times the tensor's shape, type or kind changed so far."),
];

fn stamp(stamp: Option<Stamp>) -> [Cell; 2] {
    let Some(stamp) = stamp else { return [Cell::Null, Cell::Null] };
    [integer(stamp.step), stamp.epoch.map_or(Cell::Null, Cell::Number)]
}

fn integer(value: u64) -> Cell {
    Cell::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The latest rows of every tensor.
pub(crate) fn epoch_report(report: Arc<EpochReport>) -> *mut egs_report {
    let rows = report.layers.iter().flat_map(|layer| {
        layer.rows.iter().map(move |row| {
            let [step, epoch] = stamp(layer.computed);
            let role = Cell::Text(cstring(layer.role.name()));
            (vec![step, epoch, Cell::Bool(layer.fresh), role, integer(layer.segment.into())], row)
        })
    });
    let table = Table::of_rows(&OWN, rows);
    let means = SUMMARY_COLUMNS.map(|c| (c, report.means.get(c).unwrap_or(f64::NAN)));
    egs_report::new(table, means.to_vec(), Box::new(move || serde_json::to_string_pretty(&*report)))
}

/// All series: a row for every commit, then one for every analysis of every layer.
pub(crate) fn history(history: History) -> *mut egs_report {
    let mut own: Vec<&str> =
        history.commits.iter().flat_map(|c| c.metrics.iter().map(|(n, _)| n.as_str())).collect();
    own.sort_unstable();
    own.dedup();
    let own_names: Vec<String> = own.iter().map(|name| format!("own:{name}")).collect();
    let mut columns = vec![
        ("step", "The trainer's step."),
        ("epoch", "The trainer's epoch."),
        ("name", "The layer; empty for the means over layers at a commit."),
        ("role", "weight, gradient or momentum; empty for means."),
        ("segment", "See the report."),
    ];
    columns.extend(METRICS.map(|m| (m, "As in the report.")));
    columns.extend([
        ("level", "The verdict at a commit: none, warn, snapshot or stop."),
        ("flags", "The rules raised."),
    ]);
    columns.extend(own_names.iter().map(|n| (n.as_str(), "The trainer's own number.")));
    let mut rows = Vec::new();
    for commit in &history.commits {
        let mut row: Vec<Cell> = stamp(Some(commit.stamp)).into();
        row.extend([Cell::Text(cstring("")), Cell::Text(cstring("")), Cell::Null]);
        row.extend(metrics(&commit.means));
        row.push(Cell::Text(cstring(commit.level.name())));
        row.push(Cell::Text(cstring(&commit.flags.to_string())));
        row.extend(own.iter().map(|name| {
            commit.metrics.iter().find(|(n, _)| n == name).map_or(Cell::Null, |(_, v)| Cell::Number(*v))
        }));
        rows.push(row);
    }
    for layer in &history.layers {
        for point in &layer.points {
            let mut row: Vec<Cell> = stamp(Some(point.stamp)).into();
            let (name, role) = (Cell::Text(cstring(&layer.name)), Cell::Text(cstring(layer.role.name())));
            row.extend([name, role, integer(point.segment.into())]);
            row.extend(metrics(&point.values));
            row.resize(columns.len(), Cell::Null);
            rows.push(row);
        }
    }
    let table = Table::new(columns.into_iter(), rows);
    egs_report::new(table, Vec::new(), Box::new(move || serde_json::to_string_pretty(&history)))
}

fn metrics(values: &MetricValues) -> impl Iterator<Item = Cell> {
    METRICS.into_iter().map(|m| values.get(m).map_or(Cell::Null, Cell::Number))
}
