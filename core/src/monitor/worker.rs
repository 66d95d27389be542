//! The monitor's own thread: one commit after the other, from tensors to verdict.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::exchange::Exchange;
use super::history::{CommitPoint, History};
use super::kept::Kept;
use super::rules::Judge;
use super::scan::{Pulse, scan};
use super::submission::Snapshot;
use super::tracks::{Memory, Tracks};
use super::workers::{self, Done};
use super::{Callback, Cost, Delivery, EpochReport, MonitorOptions, Stamp};
use crate::analysis::{LayerPlan, Made, Options, Plan, Row, Status, planned_rows};
use crate::source::{MemoryModel, TensorInfo, WeightFile};
use crate::tensor::Tensor;

/// What lasts from commit to commit. Readers hold its lock while they copy, the monitor's thread while it writes: neither
/// during an analysis.
pub(super) struct Record {
    tracks: Tracks,
    judge: Judge,
    commits: VecDeque<CommitPoint>,
    ordinal: u64,
    /// To be said in the next report.
    notes: Vec<String>,
}

/// What the monitor's thread and its handle share.
pub(super) struct Shared {
    pub exchange: Exchange,
    pub record: Mutex<Record>,
    pub callbacks: Callbacks,
    analysis: Options,
    threads: usize,
    history: usize,
    unchanged_below: f64,
}

pub(super) struct Callbacks {
    pub delivery: Delivery,
    on_epoch: Option<Callback>,
    on_alarm: Option<Callback>,
}

impl Shared {
    /// The shared part, and the budget, which is the thread's alone.
    pub fn new(options: MonitorOptions) -> (Self, Budget) {
        let record = Record {
            tracks: Tracks::default(),
            judge: Judge::new(options.rules),
            commits: VecDeque::new(),
            ordinal: 0,
            notes: Vec::new(),
        };
        let callbacks =
            Callbacks { delivery: options.delivery, on_epoch: options.on_epoch, on_alarm: options.on_alarm };
        let shared = Shared {
            exchange: Exchange::new(),
            record: Mutex::new(record),
            callbacks,
            analysis: options.analysis,
            threads: options.threads,
            history: options.history,
            unchanged_below: options.unchanged_below,
        };
        (shared, Budget::new(Duration::from_millis(options.budget_ms)))
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn history(&self) -> History {
        let record = self.record();
        History { commits: record.commits.iter().cloned().collect(), layers: record.tracks.series() }
    }

    /// Says something in the next report.
    pub fn note(&self, note: String) {
        self.record().notes.push(note);
    }

    /// Runs the callbacks of a report; a panic in one is counted.
    pub fn tell(&self, report: &EpochReport) {
        let alarm = !report.verdict.new_flags.is_empty() || report.verdict.snapshot.is_some();
        let both = [self.callbacks.on_epoch.as_ref(), self.callbacks.on_alarm.as_ref().filter(|_| alarm)];
        for callback in both.into_iter().flatten() {
            if catch_unwind(AssertUnwindSafe(|| callback(report))).is_err() {
                self.exchange.count(|c| c.callback_panics += 1);
            }
        }
    }

    /// The thread's life.
    pub fn work(&self, mut budget: Budget) {
        while let Some(snapshot) = self.exchange.take() {
            let outcome = catch_unwind(AssertUnwindSafe(|| self.commit(snapshot, &mut budget)));
            if let Err(panic) = outcome {
                let message = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("unknown");
                self.exchange.count(|c| c.failed += 1);
                self.note(format!("the commit before failed: internal error: {message}"));
            }
        }
    }

    fn commit(&self, snapshot: Snapshot, budget: &mut Budget) {
        let begun = Instant::now();
        let mut arrived = self.arrive(&snapshot);
        let model = snapshot.model();
        let Some(measured) = self.measure(&snapshot, &model, &mut arrived, budget) else { return };
        let Snapshot { stamp, metrics, entries } = snapshot;
        // The tensors go before anybody is told, so that a trainer that lent them can count on it.
        let infos = model.tensors().to_vec();
        drop((model, entries));
        let report = Arc::new(self.conclude(arrived, measured, &infos, stamp, metrics, begun));
        self.exchange.publish(Arc::clone(&report));
        if self.callbacks.delivery == Delivery::Thread {
            self.tell(&report);
        }
    }

    /// Takes note of who came.
    fn arrive(&self, snapshot: &Snapshot) -> Arrived {
        let mut record = self.record();
        record.ordinal += 1;
        let ordinal = record.ordinal;
        let mut notes = std::mem::take(&mut record.notes);
        let arrivals = record.tracks.arrive(&snapshot.entries, ordinal);
        for id in &arrivals.changed {
            record.judge.forget(*id);
        }
        notes.extend(arrivals.notes);
        if snapshot.entries.is_empty() {
            notes.push("no tensors were submitted".to_owned());
        }
        let turns = arrivals.places.iter().map(|&place| record.tracks.at(place).turn).collect();
        let memory = |&place: &usize| Mutex::new(std::mem::take(&mut record.tracks.at(place).memory));
        let memories = arrivals.places.iter().map(memory).collect();
        Arrived { ordinal, places: arrivals.places, turns, memories, notes }
    }

    /// Scans everything and analyses what the budget allows, without a lock; `None` when the monitor was closed
    /// meanwhile.
    fn measure(
        &self,
        snapshot: &Snapshot,
        model: &MemoryModel,
        arrived: &mut Arrived,
        budget: &mut Budget,
    ) -> Option<Measured> {
        let open = || !self.exchange.closed();
        let entries = &snapshot.entries;
        let pulses = workers::run(self.threads, entries.len(), |_| open(), |i| scan(&entries[i].tensor));
        let plan = Plan::new(model, &self.analysis).unwrap_or_else(|error| {
            arrived.notes.push(error.to_string());
            Plan { layers: Vec::new(), unmatched: Vec::new() }
        });
        let unmatched = plan.unmatched.iter();
        arrived.notes.extend(unmatched.map(|term| format!("layer filter: nothing matches '{term}'")));
        let order = turn_order(&plan, &arrived.turns);
        let funds = budget.begin();
        let go_on = |spent| open() && funds.is_none_or(|funds| spent < funds);
        let analyses = workers::run(self.threads, order.len(), go_on, |turn| {
            let layer = &plan.layers[order[turn]];
            let mut memory = arrived.memories[layer.index].lock().unwrap_or_else(PoisonError::into_inner);
            (layer.index, self.analysis(model, layer, &entries[layer.index].tensor, &mut memory))
        });
        budget.spend(funds, analyses.cpu);
        open().then_some(Measured { pulses, analyses, layers: order.len(), plan })
    }

    /// One layer's turn.
    fn analysis(
        &self,
        model: &MemoryModel,
        layer: &LayerPlan,
        tensor: &Tensor,
        memory: &mut Memory,
    ) -> Outcome {
        let watched = self.unchanged_below > 0.0 && layer.made == Made::Alone;
        if watched
            && let Some(kept) = &memory.kept
            && let Some(distance) = kept.moved_at_most(tensor, self.unchanged_below)
        {
            return Outcome::Unchanged(distance);
        }
        let rows = planned_rows(model, layer, &self.analysis, 1, &mut memory.start);
        let analyzed = rows.iter().all(|row| row.status == Status::Success);
        memory.kept = (watched && analyzed).then(|| Kept::of(tensor));
        Outcome::Rows(rows)
    }

    /// Writes everything down, judges, and reports.
    fn conclude(
        &self,
        arrived: Arrived,
        measured: Measured,
        infos: &[TensorInfo],
        stamp: Stamp,
        metrics: Vec<(String, f64)>,
        begun: Instant,
    ) -> EpochReport {
        let Arrived { ordinal, places, memories, notes, .. } = arrived;
        let Measured { pulses, analyses, layers, plan } = measured;
        let turns = analyses.results.len();
        let (scan_ms, analysis_ms) = (pulses.cpu.as_secs_f64() * 1e3, analyses.cpu.as_secs_f64() * 1e3);
        let mut record = self.record();
        let Record { tracks, judge, commits, .. } = &mut *record;
        for (entry, pulse) in pulses.results {
            let matrices = plan.layers.get(entry).is_some_and(|l| l.matrices.is_some());
            tracks.at(places[entry]).scanned(pulse, matrices);
        }
        for (place, memory) in places.iter().zip(memories) {
            tracks.at(*place).memory = memory.into_inner().unwrap_or_else(PoisonError::into_inner);
        }
        let mut analyzed = 0;
        for (_, (entry, outcome)) in analyses.results {
            let track = tracks.at(places[entry]);
            match outcome {
                Outcome::Rows(rows) => {
                    analyzed += 1;
                    track.analyzed(rows, stamp, ordinal, self.history);
                }
                Outcome::Unchanged(distance) => track.unchanged(distance, ordinal),
            }
        }
        for (layer, info) in plan.layers.iter().zip(infos) {
            let track = tracks.at(places[layer.index]);
            if !track.fresh {
                track.planned(layer, layer.row(info), stamp);
            }
        }
        let verdict = judge.verdict(stamp.step, tracks.list());
        let means = tracks.means();
        if commits.len() >= self.history {
            commits.pop_front();
        }
        let (level, flags) = (verdict.level, verdict.flags);
        commits.push_back(CommitPoint { stamp, level, flags, means, metrics: metrics.clone() });
        let reports = tracks.reports();
        drop(record);
        let counters = self.exchange.count(|c| c.analyzed += 1);
        let wall_ms = begun.elapsed().as_secs_f64() * 1e3;
        let cost = Cost {
            scan_ms,
            analysis_ms,
            wall_ms,
            analyzed,
            unchanged: turns - analyzed,
            left: layers - turns,
        };
        EpochReport { stamp, ordinal, verdict, metrics, means, layers: reports, notes, cost, counters }
    }
}

/// A commit whose tensors are known to the record.
struct Arrived {
    ordinal: u64,
    /// Of each tensor of the commit, among the tracks.
    places: Vec<usize>,
    /// The commit each was last analysed at.
    turns: Vec<u64>,
    /// Of each, taken out of its track meanwhile.
    memories: Vec<Mutex<Memory>>,
    notes: Vec<String>,
}

/// What a layer's turn gave.
enum Outcome {
    Rows(Vec<Row>),
    /// The weights have moved by so much only.
    Unchanged(f64),
}

/// What a commit's tensors gave.
struct Measured {
    pulses: Done<Option<Pulse>>,
    /// Rows or none, and the place in the commit of the tensor they are about.
    analyses: Done<(usize, Outcome)>,
    /// Layers there were to analyse.
    layers: usize,
    plan: Plan,
}

/// The layers to analyse: those longest without a turn first, the largest first among equals, so that several threads
/// finish together.
fn turn_order(plan: &Plan, turns: &[u64]) -> Vec<usize> {
    let mut order: Vec<&LayerPlan> = plan.layers.iter().filter(|l| l.skip.is_none()).collect();
    order.sort_by(|a, b| turns[a.index].cmp(&turns[b.index]).then(b.cost.total_cmp(&a.cost)));
    order.into_iter().map(|l| l.index).collect()
}
