//! Runs a transform over the layers of a model.

use eigenscope_linalg::SolveError;
use ndarray::Array2;

use super::rebuild::rebuild;
use super::{Transform, sharpen, smooth};
use crate::analysis::{
    AnalysisError, Engine, LayerPlan, Observer, Options, Plan, Progress, Row, planned_rows,
};
use crate::matrix::{MatrixView, unfold};
use crate::source::{OpenModel, SourceError};
use crate::tensor::Tensor;

/// What became of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// It is as it was, to the bit; why.
    Unchanged(String),
    /// Its numbers have changed.
    Changed(Change),
}

/// How a tensor was changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Singular values kept, and how many there were, where some were removed.
    pub kept: Option<(usize, usize)>,
    /// Traps that were found.
    pub traps: usize,
    /// Traps found after the change.
    pub traps_left: usize,
    /// Weights that carried traps and are 0 now.
    pub weights: usize,
    /// ‖new - old‖ / ‖old‖.
    pub distance: f64,
}

/// A tensor after a transform.
#[derive(Clone, Debug)]
pub struct Transformed {
    /// How it was planned: ids, names, kind.
    pub layer: LayerPlan,
    /// What was done to it.
    pub done: Done,
    /// Its new contents; `None` where it is as it was, to be read from the model.
    pub tensor: Option<Tensor>,
}

/// Why there is no transformed model at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransformError {
    /// As in an analysis.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    /// A tensor could not be read, so that a copy of the model would lack it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A share is from -1 to 1, and not 0.
    #[error("a share of singular values is from -1 to 1 and not 0, found {0}")]
    Share(f64),
}

/// Matrices of one row under work.
pub(super) struct Layer<'a> {
    pub longname: &'a str,
    pub views: &'a [MatrixView],
    /// Which slice of the tensor the first view is.
    pub slice: usize,
    pub options: &'a Options,
    pub threads: usize,
}

/// What has been made of them.
#[derive(Default)]
pub(super) struct Work {
    /// In the place of each view; `None` where it stays.
    pub matrices: Vec<Option<Array2<f64>>>,
    pub kept: Option<(usize, usize)>,
    pub traps: usize,
    pub traps_left: usize,
    pub weights: usize,
}

/// Why nothing was made.
pub(super) enum LayerError {
    Unchanged(String),
    Solve(SolveError),
}

impl From<SolveError> for LayerError {
    fn from(error: SolveError) -> Self {
        LayerError::Solve(error)
    }
}

impl Engine {
    /// Transforms the layers that an analysis with these options would analyse. The result has an entry for every tensor, in the order of
    /// the file; the model itself is only read.
    pub fn transform(
        &self,
        model: &OpenModel,
        transform: &Transform,
        options: &Options,
        observer: &dyn Observer,
    ) -> Result<Vec<Transformed>, TransformError> {
        if let Transform::Smooth(smoothing) = transform
            && let smooth::SmoothMethod::Share(share) = smoothing.method
            && !(share.abs() <= 1.0 && share != 0.0)
        {
            return Err(TransformError::Share(share));
        }
        options.of_single_tensors().map_err(AnalysisError::from)?;
        let plan = Plan::new(model.file.as_ref(), options).map_err(AnalysisError::from)?;
        if !plan.unmatched.is_empty() {
            return Err(AnalysisError::NothingMatches(plan.unmatched).into());
        }
        let todo = |l: &&LayerPlan| l.skip.is_none();
        let total = plan.layers.iter().filter(todo).count();
        let all: f64 = plan.layers.iter().filter(todo).map(|l| l.cost).sum();
        let (mut done, mut cost, mut out) = (0, 0.0, Vec::with_capacity(plan.layers.len()));
        for layer in plan.layers {
            let (result, tensor) = match &layer.skip {
                Some(why) => (Done::Unchanged(why.clone()), None),
                None => {
                    let made = self.install(|threads| one(model, &layer, transform, options, threads))?;
                    (done, cost) = (done + 1, cost + layer.cost);
                    let rows = [layer.row(&model.file.tensors()[layer.index])];
                    let work = if all > 0.0 { cost / all } else { 1.0 };
                    if observer.progress(&Progress { done, total, work, rows: &rows }).is_break() {
                        return Err(AnalysisError::Cancelled.into());
                    }
                    made
                }
            };
            out.push(Transformed { layer, done: result, tensor });
        }
        Ok(out)
    }
}

fn one(
    model: &OpenModel,
    layer: &LayerPlan,
    transform: &Transform,
    options: &Options,
    threads: usize,
) -> Result<(Done, Option<Tensor>), SourceError> {
    let tensor = model.file.read(layer.index)?;
    let unchanged = |why: String| Ok((Done::Unchanged(why), None));
    if tensor.quantization().is_some() || !tensor.dtype().is_float() {
        return unchanged(format!("{} weights are not rewritten", tensor.dtype()));
    }
    if tensor.shape() != model.file.tensors()[layer.index].shape {
        return unchanged(format!("the loader read another shape: {:?}", tensor.shape()));
    }
    if tensor.non_finite().is_some() {
        return unchanged("contains NaN or infinities".to_owned());
    }
    let analysis = match transform {
        Transform::Smooth(s) => smooth::options(options, s.method),
        Transform::Sharpen(_) => sharpen::options(options),
    };
    let rows = analysis
        .map_or_else(Vec::new, |o| planned_rows(model.file.as_ref(), layer, &o, threads, &mut Vec::new()));
    let views = unfold(&tensor, &layer.unfolding);
    let pooled = options.pool || views.len() <= 1;
    let step = if pooled { views.len() } else { 1 };
    let mut all = Work::default();
    let mut reasons = Vec::new();
    for (k, views) in views.chunks(step.max(1)).enumerate() {
        let part = Layer { longname: &layer.longname, views, slice: k * step, options, threads };
        let row: Option<&Row> = rows.get(k).or(rows.first());
        let made = match (transform, row) {
            (Transform::Smooth(s), row) => smooth::smooth(&part, row, s.method),
            (Transform::Sharpen(s), row) => sharpen::sharpen(&part, row, s.method),
        };
        match made {
            Ok(work) => all.add(work),
            Err(error) => {
                reasons.push(match error {
                    LayerError::Unchanged(why) => why,
                    LayerError::Solve(error) => error.to_string(),
                });
                all.matrices.extend(views.iter().map(|_| None));
            }
        }
    }
    if all.matrices.iter().all(Option::is_none) {
        return unchanged(
            reasons
                .into_iter()
                .next()
                .unwrap_or_else(|| format!("{} that no single weights carry", traps(all.traps_left))),
        );
    }
    let Some((new, distance)) = rebuild(&tensor, &layer.unfolding, &all.matrices) else {
        return unchanged(format!("{} weights are not rewritten", tensor.dtype()));
    };
    let Work { kept, traps, traps_left, weights, .. } = all;
    Ok((Done::Changed(Change { kept, traps, traps_left, weights, distance }), Some(new)))
}

fn traps(count: usize) -> String {
    if count == 1 { "1 trap".to_owned() } else { format!("{count} traps") }
}

impl Work {
    /// Counts singular values: kept, and how many there were.
    pub fn keep(&mut self, kept: usize, of: usize) {
        let (before, all) = self.kept.unwrap_or_default();
        self.kept = Some((before + kept, all + of));
    }

    fn add(&mut self, other: Work) {
        self.matrices.extend(other.matrices);
        if let Some((kept, of)) = other.kept {
            self.keep(kept, of);
        }
        self.traps += other.traps;
        self.traps_left += other.traps_left;
        self.weights += other.weights;
    }
}
