//! Runs the layers of a model on a pool of its own threads.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use eigenscope_linalg::Reuse;
use rayon::Scope;

use super::conventions::Failed;
use super::estimated::{Start, estimate_layer};
use super::inspect::{Inspection, Inspector};
use super::layer::{analyze_layer, failed};
use super::matrices::parts;
use super::memory::{self, Turns};
use super::plan::{LayerPlan, Plan};
use super::pool::Pool;
use super::product::analyze_product;
use super::schedule::{self, WORTH_SHARING};
use super::turnstile::Turnstile;
use super::{ColumnSet, ModelInfo, Nested, Options, OptionsError, Report, Row, Status, Summary};
use crate::source::{MemoryModel, OpenModel, TensorInfo, WeightFile};
use crate::spectrum::Estimate;
use crate::tensor::Tensor;

/// Options of an engine, apart from any analysis.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Threads of the engine's own pool; 0: as many as the machine has.
    pub threads: usize,
    /// Bytes that an analysis of this engine may take, 32 MiB of them for what is not a layer's; `None`: no limit. Layers wait for their turn, and one that would
    /// not fit alone is skipped with a reason. Pages of files that are mapped do not count: the system takes them back when it needs to. Two analyses at
    /// once take twice as much.
    pub max_memory: Option<u64>,
}

impl EngineOptions {
    /// So many threads; 0: as many as the machine has.
    pub fn threads(threads: usize) -> Self {
        EngineOptions { threads, max_memory: None }
    }

    /// With a limit of memory, in bytes.
    #[must_use]
    pub fn max_memory(self, bytes: Option<u64>) -> Self {
        EngineOptions { max_memory: bytes, ..self }
    }
}

/// Why there is no report at all. What concerns one layer is in its row instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// Options that contradict each other.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A filter that names what is not there.
    #[error("layer filter: nothing matches {}", .0.iter().map(|t| format!("'{t}'")).collect::<Vec<_>>().join(", "))]
    NothingMatches(Vec<String>),
    /// The observer said stop.
    #[error("cancelled")]
    Cancelled,
    /// The operating system gave no threads.
    #[error("cannot start {0} threads: {1}")]
    Threads(usize, String),
}

/// How far an analysis is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Layers done.
    pub done: usize,
    /// Layers to do.
    pub total: usize,
    /// Share of the estimated work done, 0 to 1.
    pub work: f64,
    /// Rows of the layer just done.
    pub rows: &'a [Row],
}

/// Told of every layer as it is done, on the engine's threads, one at a time.
pub trait Observer: Sync {
    /// Return [`ControlFlow::Break`] to cancel: layers under way finish, no other starts.
    fn progress(&self, progress: &Progress<'_>) -> ControlFlow<()>;
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Observer for Quiet {
    fn progress(&self, _: &Progress<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Owns the threads that analyses run on; dropping it waits for their end.
#[derive(Debug)]
pub struct Engine {
    pool: Pool,
    max_memory: Option<u64>,
}

impl Engine {
    /// Starts the threads.
    pub fn new(options: EngineOptions) -> Result<Self, AnalysisError> {
        let pool =
            Pool::new(options.threads).map_err(|e| AnalysisError::Threads(options.threads, e.to_string()))?;
        Ok(Engine { pool, max_memory: options.max_memory })
    }

    /// Runs `work` on the engine's threads, and tells it how many there are.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce(usize) -> T + Send) -> T {
        self.pool.install(|| work(rayon::current_num_threads()))
    }

    /// What [`analyze`](Self::analyze) would do, without reading a weight.
    pub fn describe(&self, model: &OpenModel, options: &Options) -> Result<Vec<Row>, AnalysisError> {
        Ok(plan(model.file.as_ref(), options)?.rows(model.file.as_ref()))
    }

    /// Analyses every layer of a model. Results do not depend on the number of threads where one thread solves a
    /// layer, and agree within 1e-12 of λ_max where several do.
    pub fn analyze(
        &self,
        model: &OpenModel,
        options: &Options,
        observer: &dyn Observer,
    ) -> Result<Report, AnalysisError> {
        self.run(model, options, observer, None)
    }

    /// The same, and shows what every row was made of: for figures, and whatever else needs more of a layer than numbers.
    pub fn inspect(
        &self,
        model: &OpenModel,
        options: &Options,
        observer: &dyn Observer,
        inspector: &dyn Inspector,
    ) -> Result<Report, AnalysisError> {
        self.run(model, options, observer, Some(inspector))
    }

    /// The rows of one layer of a plan made with the same options, and what they were made of. A layer that the plan skips has a row
    /// that says so.
    pub fn inspect_layer(
        &self,
        model: &OpenModel,
        layer: &LayerPlan,
        options: &Options,
        inspector: &dyn Inspector,
    ) -> Vec<Row> {
        let file = model.file.as_ref();
        if layer.skip.is_some() {
            return vec![layer.row(&file.tensors()[layer.index])];
        }
        self.install(|threads| {
            let threads = if layer.cost > WORTH_SHARING { threads } else { 1 };
            inspected_rows(file, layer, options, threads, Some(inspector), None)
        })
    }

    fn run(
        &self,
        model: &OpenModel,
        options: &Options,
        observer: &dyn Observer,
        inspector: Option<&dyn Inspector>,
    ) -> Result<Report, AnalysisError> {
        let file = model.file.as_ref();
        let mut plan = plan(file, options)?;
        let limit = memory::for_layers(self.max_memory);
        for layer in plan.layers.iter_mut().filter(|l| l.skip.is_none()) {
            layer.skip = (layer.memory > limit).then(|| memory::too_large(layer.memory, limit));
        }
        let layers = self.pool.install(|| Run::new(file, &plan, options, observer, inspector).rows(limit))?;
        Ok(Report {
            eigenscope: env!("CARGO_PKG_VERSION"),
            model: ModelInfo::of(model),
            conventions: options.conventions.name.clone(),
            options: options.clone(),
            summary: Summary::of(&layers, &options.conventions),
            nested: (options.conventions.columns == ColumnSet::V0_1_2).then(|| Nested::of(&layers)),
            layers,
        })
    }

    /// Analyses one tensor.
    pub fn analyze_tensor(
        &self,
        info: TensorInfo,
        tensor: Tensor,
        options: &Options,
    ) -> Result<Vec<Row>, AnalysisError> {
        let model = MemoryModel::new().with_info(info, tensor).open("tensor");
        Ok(self.analyze(&model, options, &Quiet)?.layers)
    }
}

fn plan(file: &dyn WeightFile, options: &Options) -> Result<Plan, AnalysisError> {
    let plan = Plan::new(file, options)?;
    if plan.unmatched.is_empty() { Ok(plan) } else { Err(AnalysisError::NothingMatches(plan.unmatched)) }
}

/// One analysis under way.
struct Run<'a> {
    file: &'a dyn WeightFile,
    plan: &'a Plan,
    options: &'a Options,
    observer: &'a dyn Observer,
    inspector: Option<&'a dyn Inspector>,
    total: usize,
    total_cost: f64,
    cancelled: AtomicBool,
    /// Layers that the observer is told of next.
    finished: Turnstile<(&'a LayerPlan, Vec<Row>)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: usize,
    cost: f64,
    rows: Vec<(usize, Vec<Row>)>,
}

impl<'a> Run<'a> {
    fn new(
        file: &'a dyn WeightFile,
        plan: &'a Plan,
        options: &'a Options,
        observer: &'a dyn Observer,
        inspector: Option<&'a dyn Inspector>,
    ) -> Self {
        let todo = plan.layers.iter().filter(|l| l.skip.is_none());
        let (total, total_cost) = todo.fold((0, 0.0), |(n, c), l| (n + 1, c + l.cost));
        let (cancelled, finished, state) = (AtomicBool::new(false), Turnstile::new(), Mutex::default());
        Run { file, plan, options, observer, inspector, total, total_cost, cancelled, finished, state }
    }

    /// Heavy layers first, one after the other on all threads; then the others, largest first, one on each thread, as long as the
    /// memory of those under way stays below the limit. Which are heavy depends on the model, the number of threads and the limit only, so a
    /// run can be repeated to the bit.
    fn rows(self, limit: u64) -> Result<Vec<Row>, AnalysisError> {
        let threads = rayon::current_num_threads();
        let mut todo: Vec<&LayerPlan> = self.plan.layers.iter().filter(|l| l.skip.is_none()).collect();
        todo.sort_by(|a, b| b.cost.total_cmp(&a.cost));
        // Layers of which two do not fit into the memory leave other threads nothing to do.
        let crowded =
            |l: &LayerPlan| threads > 1 && l.cost > WORTH_SHARING && l.memory.saturating_mul(2) > limit;
        let (mut together, mut apart): (Vec<_>, Vec<_>) = todo.into_iter().partition(|l| crowded(l));
        let costs: Vec<f64> = apart.iter().map(|l| l.cost).collect();
        together.extend(apart.drain(..schedule::together(&costs, threads)));
        {
            let _reuse = (limit == u64::MAX).then(Reuse::begin);
            together.into_iter().for_each(|layer| self.one(layer, threads));
        }
        let turns = Turns::new(apart.into_iter().map(|l| (l.memory, l)).collect(), limit, threads);
        rayon::scope(|scope| (0..threads).for_each(|_| scope.spawn(|scope| self.work(scope, &turns))));
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(AnalysisError::Cancelled);
        }
        let skipped = self.plan.layers.iter().zip(self.file.tensors()).filter(|(l, _)| l.skip.is_some());
        let mut rows = self.state.into_inner().unwrap_or_else(PoisonError::into_inner).rows;
        rows.extend(skipped.map(|(layer, info)| (layer.index, vec![layer.row(info)])));
        rows.sort_by_key(|(index, _)| *index);
        Ok(rows.into_iter().flat_map(|(_, rows)| rows).collect())
    }

    /// One worker's life.
    fn work<'s>(&'s self, scope: &Scope<'s>, turns: &'s Turns<&'a LayerPlan>) {
        let _reuse = turns.unlimited().then(Reuse::begin);
        while let Some((memory, layer)) = turns.next() {
            self.one(layer, 1);
            turns.done(memory);
            if turns.another() {
                scope.spawn(|scope| self.work(scope, turns));
            }
        }
    }

    fn one(&self, layer: &'a LayerPlan, threads: usize) {
        if self.cancelled.load(Ordering::Relaxed) {
            return;
        }
        let rows = inspected_rows(self.file, layer, self.options, threads, self.inspector, None);
        self.finished.pass((layer, rows), |(layer, rows)| {
            let (done, cost) = {
                let mut state = self.state();
                state.done += 1;
                state.cost += layer.cost;
                (state.done, state.cost)
            };
            let work = if self.total_cost > 0.0 { cost / self.total_cost } else { 1.0 };
            if self.observer.progress(&Progress { done, total: self.total, work, rows: &rows }).is_break() {
                self.cancelled.store(true, Ordering::Relaxed);
            }
            self.state().rows.push((layer.index, rows));
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rows of one layer of a plan that is not skipped. What goes wrong is in the rows. `start` is what an earlier analysis left there, and
/// comes back as what the next one can start from.
pub(crate) fn planned_rows(
    file: &dyn WeightFile,
    layer: &LayerPlan,
    options: &Options,
    threads: usize,
    start: &mut Start,
) -> Vec<Row> {
    inspected_rows(file, layer, options, threads, None, Some(start))
}

fn inspected_rows(
    file: &dyn WeightFile,
    layer: &LayerPlan,
    options: &Options,
    threads: usize,
    inspector: Option<&dyn Inspector>,
    start: Option<&mut Start>,
) -> Vec<Row> {
    let mut inspections = inspector.map(|_| Vec::new());
    // A defect in one layer's arithmetic must not cost the others their rows.
    let work = AssertUnwindSafe(|| rows_of(file, layer, options, threads, inspections.as_mut(), start));
    let mut rows = catch_unwind(work).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("unknown");
        let row = layer.row(&file.tensors()[layer.index]);
        vec![failed(row, &format!("internal error: {message}"))]
    });
    if let Some(why) = file.zeros(layer.index)
        && options.conventions.failed == Failed::Null
    {
        for row in rows.iter_mut().filter(|r| r.lambda_max == Some(0.0)) {
            row.status = Status::Skipped;
            why.clone_into(&mut row.reason);
        }
    }
    if let Some(inspector) = inspector {
        for (row, mut inspection) in rows.iter().zip(inspections.unwrap_or_default()) {
            inspection.row = row.clone();
            inspector.inspect(inspection);
        }
    }
    rows
}

fn rows_of(
    file: &dyn WeightFile,
    layer: &LayerPlan,
    options: &Options,
    threads: usize,
    mut inspections: Option<&mut Vec<Inspection>>,
    start: Option<&mut Start>,
) -> Vec<Row> {
    let info = &file.tensors()[layer.index];
    match file.product(layer.index) {
        Err(error) => return vec![failed(layer.row(info), &error.to_string())],
        Ok(None) => {}
        Ok(Some(product)) => {
            let read = || file.read(layer.index);
            let inspections = inspections.as_deref_mut();
            if let Some(row) = analyze_product(layer, info, &product, &read, options, threads, inspections) {
                return vec![row];
            }
        }
    }
    match parts(file, layer, options) {
        Err(reason) => vec![failed(layer.row(info), &reason)],
        Ok(parts) if options.estimate != Estimate::Exact => {
            let (rows, next) =
                estimate_layer(layer, info, &parts, options, threads, start.as_deref().map(Vec::as_slice));
            if let Some(start) = start {
                *start = next;
            }
            rows
        }
        Ok(parts) => analyze_layer(layer, info, &parts, options, threads, inspections),
    }
}
