//! What the monitor remembers of each tensor between commits.

use std::collections::{HashMap, VecDeque};

use super::history::{LayerPoint, LayerSeries, MetricValues};
use super::kept::Kept;
use super::scan::Pulse;
use super::submission::{Entry, Hints};
use super::{LayerReport, Stamp, TensorRole};
use crate::analysis::{Estimated, LayerPlan, Row, Start, Status};
use crate::spectrum::Method;
use crate::tensor::Dtype;

/// A tensor that is missing from so many analysed commits in a row is forgotten, its series included: a trainer that invents new
/// names for ever must not fill the memory.
const FORGET_AFTER: u64 = 100;

/// One tensor: the latest rows, the series, and what the scan saw.
pub(super) struct Track {
    pub id: u64,
    pub name: String,
    pub role: TensorRole,
    shape: Vec<usize>,
    dtype: Dtype,
    hints: Hints,
    segment: u32,
    points: VecDeque<LayerPoint>,
    rows: Vec<Row>,
    computed: Option<Stamp>,
    /// Ordinal of the commit the rows were computed at; 0 for none.
    pub turn: u64,
    /// Ordinal of the last commit it was part of.
    seen: u64,
    /// Part of the present commit.
    pub submitted: bool,
    /// Analysed at the present commit.
    pub fresh: bool,
    /// Whether it is made of matrices, and so a layer.
    pub matrices: bool,
    /// What the last scan saw.
    pub pulse: Option<Pulse>,
    /// Whether its bits changed since the commit before that it was part of; `None` at its first.
    pub moved: Option<bool>,
    /// Whether they ever did, within the segment.
    pub ever_moved: bool,
    /// Largest stable rank of the segment.
    pub peak_stable_rank: f64,
    /// Largest singular value at the first analysis.
    pub first_sv_max: Option<f64>,
    /// What the next analysis can use of the last.
    pub memory: Memory,
    /// How far the weights have moved since the last analysis, where that was too little for another.
    unchanged: Option<f64>,
}

/// What an analysis leaves for the next one.
#[derive(Default)]
pub(super) struct Memory {
    /// Where to look for the largest eigenvalues first.
    pub start: Start,
    /// The weights.
    pub kept: Option<Kept>,
}

impl Track {
    fn new(id: u64, entry: &Entry) -> Self {
        Track {
            id,
            name: entry.name.clone(),
            role: entry.role,
            shape: entry.tensor.shape().to_vec(),
            dtype: entry.tensor.dtype(),
            hints: entry.hints,
            segment: 0,
            points: VecDeque::new(),
            rows: Vec::new(),
            computed: None,
            turn: 0,
            seen: 0,
            submitted: false,
            fresh: false,
            matrices: false,
            pulse: None,
            moved: None,
            ever_moved: false,
            peak_stable_rank: 0.0,
            first_sv_max: None,
            memory: Memory::default(),
            unchanged: None,
        }
    }

    fn same_tensor(&self, entry: &Entry) -> bool {
        self.shape == entry.tensor.shape() && self.dtype == entry.tensor.dtype() && self.hints == entry.hints
    }

    /// Starts anew as another tensor of the same name, under another id; the series goes on in a new segment.
    fn restart(&mut self, id: u64, entry: &Entry) {
        let new = Track::new(id, entry);
        let (points, segment) = (std::mem::take(&mut self.points), self.segment.saturating_add(1));
        *self = Track { points, segment, ..new };
    }

    /// Whether the alpha rules look at it.
    pub fn judged(&self, min_evals: usize) -> bool {
        let evals: usize = self.rows.iter().filter_map(Row::all_evals).sum();
        self.role == TensorRole::Weight && evals >= min_evals && self.latest_point().is_some()
    }

    fn latest_point(&self) -> Option<&LayerPoint> {
        self.points.back().filter(|p| p.segment == self.segment)
    }

    /// The latest rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// A metric of the latest analysis.
    pub fn latest(&self, metric: &str) -> Option<f64> {
        self.latest_point()?.values.get(metric)
    }

    /// The points since the tensor last changed its shape.
    pub fn segment_points(&self) -> impl DoubleEndedIterator<Item = &LayerPoint> {
        self.points.iter().filter(|p| p.segment == self.segment)
    }

    /// What the scan of this commit saw, if there was anything to see.
    pub fn scanned(&mut self, pulse: Option<Pulse>, matrices: bool) {
        self.moved = match (self.pulse, pulse) {
            (Some(before), Some(now)) => Some(before.hash != now.hash),
            _ => None,
        };
        self.ever_moved |= self.moved == Some(true);
        self.matrices = matrices;
        self.pulse = pulse;
    }

    /// Takes the rows of an analysis at this commit.
    pub fn analyzed(&mut self, rows: Vec<Row>, stamp: Stamp, ordinal: u64, keep: usize) {
        let values = MetricValues::of(&rows);
        if self.points.len() >= keep {
            self.points.pop_front();
        }
        self.points.push_back(LayerPoint { stamp, segment: self.segment, values });
        self.peak_stable_rank = self.peak_stable_rank.max(values.get("stable_rank").unwrap_or(0.0));
        if self.first_sv_max.is_none() {
            self.first_sv_max = values.get("spectral_norm").map(f64::sqrt);
        }
        self.rows = rows;
        self.computed = Some(stamp);
        self.turn = ordinal;
        self.fresh = true;
        self.unchanged = None;
    }

    /// Leaves the rows as they are: the weights have moved by so much only.
    pub fn unchanged(&mut self, distance: f64, ordinal: u64) {
        self.turn = ordinal;
        self.unchanged = Some(distance);
    }

    /// The latest rows, with what is to be said of them since.
    fn latest_rows(&self) -> Vec<Row> {
        let Some(distance) = self.unchanged else { return self.rows.clone() };
        let since = |row: &Row| {
            let mut row = row.clone();
            let scale = row.provenance.map_or(1.0, |made| made.scale);
            let moved = row.sv_max.filter(|s| *s > 0.0).map(|largest| scale.sqrt() * distance / largest);
            let of_singular_values =
                row.provenance.is_none_or(|made| made.method != Method::Lanczos) && moved.is_some();
            let (how, error) = match row.estimate.take() {
                // Both are bounds on singular values over the largest, one on what was found, one on what has happened since: together their sum.
                Some(before) if of_singular_values => (
                    format!("unchanged, {}", before.how),
                    moved.map(|moved| moved + before.error.unwrap_or(0.0)),
                ),
                // A standard error of alpha, which no distance can be added to.
                Some(before) => (format!("unchanged, {}", before.how), before.error),
                None => ("unchanged".to_owned(), moved),
            };
            row.estimate = Some(Estimated { how, error });
            row
        };
        self.rows.iter().map(since).collect()
    }

    /// Takes what the plan says of a tensor that is not, or not yet, analysed.
    pub fn planned(&mut self, plan: &LayerPlan, row: Row, stamp: Stamp) {
        if plan.skip.is_some() {
            (self.rows, self.computed, self.fresh) = (vec![row], Some(stamp), true);
        } else if self.computed.is_none() {
            let reason = "waits for its turn: the budget went to other layers".to_owned();
            self.rows = vec![Row { status: Status::Skipped, reason, ..row }];
        }
    }

    fn report(&self) -> LayerReport {
        LayerReport {
            name: self.name.clone(),
            role: self.role,
            computed: self.computed,
            fresh: self.fresh,
            segment: self.segment,
            rows: self.latest_rows(),
        }
    }
}

/// All tensors, in the order first submitted.
#[derive(Default)]
pub(super) struct Tracks {
    list: Vec<Track>,
    places: HashMap<(String, TensorRole), usize>,
    next_id: u64,
}

/// What a commit changed among the tensors.
pub(super) struct Arrivals {
    /// The place in the list of each entry of the commit.
    pub places: Vec<usize>,
    /// Ids of those that became other tensors, or are forgotten.
    pub changed: Vec<u64>,
    /// In words.
    pub notes: Vec<String>,
}

impl Tracks {
    pub fn list(&self) -> &[Track] {
        &self.list
    }

    pub fn at(&mut self, place: usize) -> &mut Track {
        &mut self.list[place]
    }

    /// Takes note of the tensors of a commit.
    pub fn arrive(&mut self, entries: &[Entry], ordinal: u64) -> Arrivals {
        let (mut changed, mut notes) = (Vec::new(), Vec::new());
        let gone = |t: &Track| ordinal.saturating_sub(t.seen) > FORGET_AFTER;
        if self.list.iter().any(gone) {
            let forgotten = self.list.iter().filter(|t| gone(t));
            changed.extend(forgotten.clone().map(|t| t.id));
            notes.extend(
                forgotten.map(|t| format!("{}: not submitted for {FORGET_AFTER} commits, forgotten", t.name)),
            );
            self.list.retain(|t| !gone(t));
            let places = self.list.iter().enumerate().map(|(i, t)| ((t.name.clone(), t.role), i));
            self.places = places.collect();
        }
        for track in &mut self.list {
            (track.submitted, track.fresh) = (false, false);
        }
        let mut places = Vec::with_capacity(entries.len());
        for entry in entries {
            let list = &mut self.list;
            let place = *self.places.entry((entry.name.clone(), entry.role)).or_insert_with(|| {
                self.next_id += 1;
                list.push(Track::new(self.next_id, entry));
                list.len() - 1
            });
            let track = &mut self.list[place];
            if !track.same_tensor(entry) {
                let (was, is) = (describe(track.dtype, &track.shape), entry);
                let is = describe(is.tensor.dtype(), is.tensor.shape());
                notes.push(format!("{}: was {was}, is {is}; its series starts a new segment", track.name));
                changed.push(track.id);
                self.next_id += 1;
                track.restart(self.next_id, entry);
            }
            track.submitted = true;
            track.seen = ordinal;
            places.push(place);
        }
        Arrivals { places, changed, notes }
    }

    pub fn reports(&self) -> Vec<LayerReport> {
        self.list.iter().map(Track::report).collect()
    }

    pub fn series(&self) -> Vec<LayerSeries> {
        let layers = self.list.iter().filter(|t| !t.points.is_empty());
        let series = |t: &Track| LayerSeries {
            name: t.name.clone(),
            role: t.role,
            points: t.points.iter().copied().collect(),
        };
        layers.map(series).collect()
    }

    /// Means over weights, each by its latest analysis.
    pub fn means(&self) -> MetricValues {
        let weights = self.list.iter().filter(|t| t.role == TensorRole::Weight);
        MetricValues::means(weights.filter_map(|t| Some(&t.latest_point()?.values)))
    }
}

fn describe(dtype: Dtype, shape: &[usize]) -> String {
    format!("{dtype} {shape:?}")
}
