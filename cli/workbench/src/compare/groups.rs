//! Each metric against each quality, over all models and within each group of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::correlation::{Correlation, kendall, pearson, spearman};
use super::line::{Line, fit};
use super::words::sentence;
use crate::store::{Better, Entry};

/// Fewer models say nothing at all.
const LEAST: usize = 3;

/// What models are compared within.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupKind {
    /// Everything.
    All,
    /// An architecture.
    Architecture,
    /// A series that entries name.
    Series,
}

impl GroupKind {
    /// All of them.
    pub const NAMES: [&str; 3] = ["all", "architecture", "series"];

    /// By name.
    pub fn named(name: &str) -> Option<Self> {
        let kinds = [GroupKind::All, GroupKind::Architecture, GroupKind::Series];
        Self::NAMES.iter().position(|n| *n == name).map(|at| kinds[at])
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// A group of models.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Group {
    /// What it is.
    #[serde(rename = "group_kind")]
    pub kind: GroupKind,
    /// Its name: `all`, or that of the architecture or the series.
    #[serde(rename = "group")]
    pub name: String,
}

/// A model as far as a comparison is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its architecture.
    pub architecture: String,
    /// Its variant.
    pub variant: String,
    /// Its series.
    pub series: Option<String>,
    /// Metrics of its weights.
    pub metrics: BTreeMap<String, f64>,
    /// What is known of how good it is.
    pub quality: BTreeMap<String, (f64, Better)>,
}

impl From<&Entry> for Sample {
    fn from(entry: &Entry) -> Self {
        let metrics = entry.summary.keys().filter_map(|name| Some((name.clone(), entry.mean(name)?)));
        let quality = entry.quality.iter().map(|q| (q.metric.clone(), (q.value, q.better)));
        Sample {
            architecture: entry.name.architecture.clone(),
            variant: entry.name.variant.clone(),
            series: entry.series.clone(),
            metrics: metrics.collect(),
            quality: quality.collect(),
        }
    }
}

/// A metric against a quality within a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Within what.
    #[serde(flatten)]
    pub group: Group,
    /// The metric of the weights.
    pub metric: String,
    /// The quality.
    pub quality: String,
    /// Which way it is better.
    pub better: Better,
    /// Models that have both.
    pub n: usize,
    /// Of the numbers.
    pub pearson: Option<Correlation>,
    /// Of their ranks.
    pub spearman: Option<Correlation>,
    /// Of their order in pairs.
    pub kendall: Option<Correlation>,
    /// Quality by metric.
    pub line: Option<Line>,
    /// Probability that chance orders the models as well: in the direction that was expected, or, where none was or it is the
    /// other, in either.
    pub chance: Option<f64>,
    /// The same in words.
    pub sentence: String,
}

/// A group too small to compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The group.
    #[serde(flatten)]
    pub group: Group,
    /// The quality.
    pub quality: String,
    /// How many of its models have it.
    pub n: usize,
}

/// Everything that was compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// By quality, group and metric.
    pub findings: Vec<Finding>,
    /// Groups of fewer than three models.
    pub too_small: Vec<Skipped>,
    /// Models without any quality.
    pub without_quality: usize,
}

/// Metrics that are smaller in better trained models, by the papers that proposed them: alpha (Martin and Mahoney 2021),
/// alpha-hat and the norms (Martin, Peng and Mahoney 2021).
pub fn expected_lower(metric: &str) -> bool {
    let known = [
        "alpha",
        "alpha_weighted",
        "log_alpha_norm",
        "log_norm",
        "log_spectral_norm",
        "norm",
        "spectral_norm",
    ];
    known.contains(&metric)
}

/// Compares the metrics in their order with every quality, or the one named. `kinds`: which groups.
pub fn compare(
    samples: &[Sample],
    metrics: &[String],
    quality: Option<&str>,
    kinds: &[GroupKind],
) -> Comparison {
    let mut out = Comparison {
        without_quality: samples.iter().filter(|s| s.quality.is_empty()).count(),
        ..Comparison::default()
    };
    let mut qualities: Vec<&str> =
        samples.iter().flat_map(|s| s.quality.keys().map(String::as_str)).collect();
    qualities.sort_unstable();
    qualities.dedup();
    qualities.retain(|q| quality.is_none_or(|only| only == *q));
    for quality in qualities {
        for (group, members) in groups(samples, kinds) {
            let rated: Vec<&Sample> =
                members.into_iter().filter(|s| s.quality.contains_key(quality)).collect();
            match rated.len() {
                0 => {}
                n if n < LEAST => {
                    out.too_small.push(Skipped { group, quality: quality.to_owned(), n });
                }
                _ => out.findings.extend(metrics.iter().filter_map(|m| finding(&group, &rated, m, quality))),
            }
        }
    }
    out
}

/// The groups in order of kind and first appearance. A group of all models that is one architecture is not told twice.
fn groups<'a>(samples: &'a [Sample], kinds: &[GroupKind]) -> Vec<(Group, Vec<&'a Sample>)> {
    let mut out: Vec<(Group, Vec<&Sample>)> = Vec::new();
    for kind in [GroupKind::All, GroupKind::Architecture, GroupKind::Series] {
        if !kinds.contains(&kind) {
            continue;
        }
        for sample in samples {
            let name = match kind {
                GroupKind::All => "all",
                GroupKind::Architecture => &sample.architecture,
                GroupKind::Series => match &sample.series {
                    Some(series) => series,
                    None => continue,
                },
            };
            match out.iter_mut().find(|(g, _)| g.kind == kind && g.name == name) {
                Some((_, members)) => members.push(sample),
                None => out.push((Group { kind, name: name.to_owned() }, vec![sample])),
            }
        }
    }
    let within = |kind| out.iter().filter(|(g, _)| g.kind == kind).count();
    if within(GroupKind::All) == 1 && within(GroupKind::Architecture) == 1 {
        out.retain(|(g, _)| g.kind != GroupKind::All);
    }
    out
}

fn finding(group: &Group, rated: &[&Sample], metric: &str, quality: &str) -> Option<Finding> {
    let pairs: Vec<(f64, f64, Better)> = rated
        .iter()
        .filter_map(|s| {
            let (value, better) = *s.quality.get(quality)?;
            Some((*s.metrics.get(metric)?, value, better))
        })
        .collect();
    let better = pairs.first()?.2;
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().map(|(x, y, _)| (*x, *y)).unzip();
    let kendall = kendall(&x, &y);
    let chance = kendall.and_then(|tau| match better {
        Better::Higher if expected_lower(metric) && tau.value < 0.0 => tau.p_low,
        Better::Lower if expected_lower(metric) && tau.value > 0.0 => tau.p_high,
        // Nobody foretold the direction.
        _ => tau.p_two_sided(),
    });
    let mut finding = Finding {
        group: group.clone(),
        metric: metric.to_owned(),
        quality: quality.to_owned(),
        better,
        n: x.len(),
        pearson: pearson(&x, &y),
        spearman: spearman(&x, &y),
        kendall,
        line: fit(&x, &y),
        chance,
        sentence: String::new(),
    };
    finding.sentence = sentence(&finding);
    Some(finding)
}
