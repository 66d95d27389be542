//! Series over the commits: key metrics of every layer, means over layers, and the trainer's own numbers.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Level, Stamp, TensorRole};
use crate::analysis::{Row, Status, column};

/// The columns whose series are kept.
pub const METRICS: [&str; 12] = [
    "alpha",
    "D",
    "stable_rank",
    "spectral_norm",
    "norm",
    "log_spectral_norm",
    "log_norm",
    "alpha_weighted",
    "log_alpha_norm",
    "entropy",
    "matrix_rank",
    "num_traps",
];

/// Those of them that come from the fit.
const FITTED: [&str; 4] = ["alpha", "D", "alpha_weighted", "log_alpha_norm"];

/// A number for each of [`METRICS`]; NaN where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricValues(pub [f64; METRICS.len()]);

impl Default for MetricValues {
    fn default() -> Self {
        MetricValues([f64::NAN; METRICS.len()])
    }
}

impl MetricValues {
    /// The number of that metric, if there is one.
    pub fn get(&self, metric: &str) -> Option<f64> {
        let place = METRICS.iter().position(|m| *m == metric)?;
        Some(self.0[place]).filter(|v| !v.is_nan())
    }

    /// Of a layer: the mean over its slices, or the one row's own. A fit that failed has no numbers, whatever the
    /// conventions leave in its columns.
    pub(super) fn of(rows: &[Row]) -> Self {
        let get = |name: &str| {
            let counts = |row: &&Row| row.status == Status::Success || !FITTED.contains(&name);
            let values = rows.iter().filter(counts).filter_map(|row| column(name)?.value(row).as_f64());
            mean(values).unwrap_or(f64::NAN)
        };
        MetricValues(METRICS.map(get))
    }

    /// The mean of each metric over those layers that have it.
    pub(super) fn means<'a>(layers: impl Iterator<Item = &'a MetricValues> + Clone) -> Self {
        let over = |place: usize| mean(layers.clone().map(|l| l.0[place])).unwrap_or(f64::NAN);
        MetricValues(std::array::from_fn(over))
    }
}

/// The mean of the finite numbers.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) =
        values.filter(|v| v.is_finite()).fold((0.0, 0usize), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / count as f64)
}

impl Serialize for MetricValues {
    /// A map by name; null where there is no finite number.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(METRICS.len()))?;
        for (name, value) in METRICS.iter().zip(self.0) {
            map.serialize_entry(name, &Some(value).filter(|v| v.is_finite()))?;
        }
        map.end()
    }
}

/// One analysed commit.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct CommitPoint {
    /// When.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// The verdict's level.
    pub level: Level,
    /// The verdict's flags.
    pub flags: super::Flags,
    /// Means over the layers submitted as weights, each by its latest row.
    pub means: MetricValues,
    /// The trainer's own numbers.
    pub metrics: Vec<(String, f64)>,
}

/// One analysis of one layer.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct LayerPoint {
    /// When.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// See [`LayerReport::segment`](super::LayerReport).
    pub segment: u32,
    /// The numbers; all NaN for an analysis that failed.
    pub values: MetricValues,
}

/// Every analysis of one layer that the history still holds.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct LayerSeries {
    /// The name it was submitted under.
    pub name: String,
    /// What was submitted.
    pub role: TensorRole,
    /// Oldest first.
    pub points: Vec<LayerPoint>,
}

/// A copy of all series.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct History {
    /// Oldest first.
    pub commits: Vec<CommitPoint>,
    /// In the order first submitted; only tensors that are layers.
    pub layers: Vec<LayerSeries>,
}

impl History {
    /// A layer's metric over steps.
    pub fn series(&self, name: &str, role: TensorRole, metric: &str) -> Vec<(u64, f64)> {
        let layer = self.layers.iter().find(|l| l.name == name && l.role == role);
        let points = layer.into_iter().flat_map(|l| &l.points);
        points.filter_map(|p| Some((p.stamp.step, p.values.get(metric)?))).collect()
    }

    /// The mean of a metric over steps.
    pub fn means(&self, metric: &str) -> Vec<(u64, f64)> {
        self.commits.iter().filter_map(|c| Some((c.stamp.step, c.means.get(metric)?))).collect()
    }

    /// One of the trainer's own numbers over steps.
    pub fn own(&self, metric: &str) -> Vec<(u64, f64)> {
        let value = |c: &CommitPoint| c.metrics.iter().find(|(name, _)| name == metric).map(|(_, v)| *v);
        self.commits.iter().filter_map(|c| Some((c.stamp.step, value(c)?))).collect()
    }

    /// Comma-separated values (RFC 4180, `\n` line ends). First a line for every commit, with empty `name` and `role`: the means,
    /// the verdict, the trainer's own numbers. Then a line for every analysis of every layer. No number, NaN and
    /// infinity are empty.
    pub fn csv(&self) -> String {
        let own: BTreeSet<&str> =
            self.commits.iter().flat_map(|c| c.metrics.iter().map(|(name, _)| name.as_str())).collect();
        let mut out = String::from("step,epoch,name,role,segment");
        for metric in METRICS {
            out.push(',');
            out.push_str(metric);
        }
        out.push_str(",verdict,flags");
        for name in &own {
            out.push(',');
            out.push_str(&quoted(&format!("own:{name}")));
        }
        out.push('\n');
        for commit in &self.commits {
            stamp(&mut out, commit.stamp);
            out.push_str(",,,");
            numbers(&mut out, &commit.means.0);
            let _ = write!(out, ",{},{}", commit.level.name(), commit.flags);
            for name in &own {
                let value = commit.metrics.iter().find(|(n, _)| n == name).map_or(f64::NAN, |(_, v)| *v);
                numbers(&mut out, &[value]);
            }
            out.push('\n');
        }
        for layer in &self.layers {
            for point in &layer.points {
                stamp(&mut out, point.stamp);
                let _ = write!(out, ",{},{},{}", quoted(&layer.name), layer.role.name(), point.segment);
                numbers(&mut out, &point.values.0);
                out.push_str(",,");
                out.extend(std::iter::repeat_n(',', own.len()));
                out.push('\n');
            }
        }
        out
    }
}

fn stamp(out: &mut String, stamp: Stamp) {
    let _ = write!(out, "{}", stamp.step);
    numbers(out, &[stamp.epoch.unwrap_or(f64::NAN)]);
}

fn numbers(out: &mut String, values: &[f64]) {
    for value in values {
        out.push(',');
        if value.is_finite() {
            let _ = write!(out, "{value:?}");
        }
    }
}

fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}
