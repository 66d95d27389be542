//! Compares two models pair by pair, on the threads of an engine.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::compare::{Job, Side, compare, failed, start};
use super::jobs::{Work, by_name, by_place};
use super::{PairOptions, PairReport, PairRow, PairSummary};
use crate::analysis::{
    AnalysisError, Engine, LayerPlan, ModelInfo, Observer, Pairing, Plan, Progress, Turnstile, together,
};
use crate::source::OpenModel;

impl Engine {
    /// How far two models are apart, layer by layer, and which tensors only one of them has.
    ///
    /// Of each pair of matrices it takes three squares of their smaller side, two at a time with their eigenvectors, and
    /// a few blocks of rows; the weights themselves stay where the loader has them.
    pub fn distances(
        &self,
        a: &OpenModel,
        b: &OpenModel,
        options: &PairOptions,
        observer: &dyn Observer,
    ) -> Result<PairReport, AnalysisError> {
        let analysis = &options.analysis;
        analysis.of_single_tensors()?;
        let plans = [Plan::new(a.file.as_ref(), analysis)?, Plan::new(b.file.as_ref(), analysis)?];
        let unmatched: Vec<String> =
            plans[0].unmatched.iter().filter(|term| plans[1].unmatched.contains(term)).cloned().collect();
        if !unmatched.is_empty() {
            return Err(AnalysisError::NothingMatches(unmatched));
        }
        let sides = [(a, &plans[0]), (b, &plans[1])]
            .map(|(model, plan)| Side { file: model.file.as_ref(), plans: &plan.layers });
        let (work, prefix) = match analysis.conventions.pairing {
            Pairing::Name => by_name(sides, options),
            Pairing::Reference => (by_place(sides, options), None),
        };
        let layers = self.install(|_| run(sides, &work, options, observer))?;
        Ok(PairReport {
            eigenscope: env!("CARGO_PKG_VERSION"),
            a: ModelInfo::of(a),
            b: ModelInfo::of(b),
            conventions: analysis.conventions.name.clone(),
            prefix,
            options: options.clone(),
            summary: PairSummary::of(&layers),
            layers,
        })
    }
}

/// Does the work, the costliest first.
fn run(
    sides: [Side<'_>; 2],
    work: &[Work],
    options: &PairOptions,
    observer: &dyn Observer,
) -> Result<Vec<PairRow>, AnalysisError> {
    let plan = |job: &Job| -> &LayerPlan { &sides[0].plans[job.a] };
    // Three products in place of one, and both spectra.
    let cost = |job: &Job| {
        if job.layer { 3.0 * plan(job).cost } else { sides[0].file.tensors()[job.a].numel() as f64 }
    };
    let mut jobs: Vec<(usize, &Job, f64)> = Vec::new();
    for (at, work) in work.iter().enumerate() {
        if let Work::Compare(job) = work {
            jobs.push((at, job, cost(job)));
        }
    }
    jobs.sort_by(|a, b| b.2.total_cmp(&a.2));
    let total: f64 = jobs.iter().map(|j| j.2).sum();
    let (next, cancelled) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (finished, done) = (Turnstile::new(), Mutex::new((0.0, Vec::new())));
    let one = |(at, job, cost): &(usize, &Job, f64), threads| {
        if cancelled.load(Ordering::Relaxed) {
            return;
        }
        let rows = contained(sides, job, options, threads);
        let row = plan(job).row(&sides[0].file.tensors()[job.a]);
        finished.pass((*at, *cost, row, rows), |(at, cost, row, rows)| {
            let (count, spent) = {
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.0 += cost;
                done.1.push((at, rows));
                (done.1.len(), done.0)
            };
            let share = if total > 0.0 { spent / total } else { 1.0 };
            let progress = Progress { done: count, total: jobs.len(), work: share, rows: &[row] };
            if observer.progress(&progress).is_break() {
                cancelled.store(true, Ordering::Relaxed);
            }
        });
    };
    // Pairs that would keep the others waiting are solved by all threads together, one after the other.
    let threads = rayon::current_num_threads();
    let together = together(&jobs.iter().map(|job| job.2).collect::<Vec<_>>(), threads);
    jobs[..together].iter().for_each(|job| one(job, threads));
    rayon::broadcast(|_| {
        while let Some(job) = jobs.get(together + next.fetch_add(1, Ordering::Relaxed)) {
            one(job, 1);
        }
    });
    if cancelled.into_inner() {
        return Err(AnalysisError::Cancelled);
    }
    let mut rows = done.into_inner().unwrap_or_else(PoisonError::into_inner).1;
    rows.extend(work.iter().enumerate().filter_map(|(at, work)| match work {
        Work::Ready(row) => Some((at, vec![(**row).clone()])),
        Work::Compare(_) => None,
    }));
    rows.sort_by_key(|(at, _)| *at);
    Ok(rows.into_iter().flat_map(|(_, rows)| rows).collect())
}

/// The rows of a job; a defect in the arithmetic of one pair must not cost the others theirs.
fn contained(sides: [Side<'_>; 2], job: &Job, options: &PairOptions, threads: usize) -> Vec<PairRow> {
    let [a, b] = sides;
    catch_unwind(AssertUnwindSafe(|| compare(a, b, job, options, threads))).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("unknown");
        vec![failed(start(a, b, job, options), format!("internal error: {message}"))]
    })
}
