//! The rows of a layer whose spectrum is estimated. Columns that would need all eigenvalues are left empty.

use std::ops::Range;

use super::combined::Made;
use super::layer::{Fitted, failed, fit, write_fit};
use super::matrices::{Part, Views, reason, views};
use super::options::Options;
use super::plan::LayerPlan;
use super::report::{Provenance, Row};
use super::{Fit, FixFingers, OptionsError, Status, TailColumns, Xmax};
use crate::fit::{Estimator, FitError, PowerLaw, Shape, XminRule};
use crate::matrix::{ConvMode, MatrixView};
use crate::source::TensorInfo;
use crate::spectrum::{
    Density, Estimate, Method, Precision, SpectrumError, density, eigenvalues, jackknife, stream,
    sub_matrices, sum_of_squares, top_eigenvalues,
};

/// What of a row is an estimate, and how far off it may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimated {
    /// How it was made: "top 64", "windows 100", "density 64", "unchanged".
    pub how: String,
    /// Largest relative bound on an eigenvalue (top), bound on any singular value over the largest (unchanged), jackknife error of alpha (windows), with that of the quadrature (density).
    pub error: Option<f64>,
}

/// Vectors from which the next analysis of a layer can start: of each of its matrices, one after the other.
pub(crate) type Start = Vec<Vec<f64>>;

/// Refuses what an estimated spectrum cannot give.
pub(super) fn of_whole_spectra(o: &Options) -> Result<(), OptionsError> {
    let of_all = [
        ("randomize", o.randomize),
        ("mp_fit", o.mp_fit),
        ("traps", o.traps),
        ("detx", o.detx),
        ("deltas", o.deltas),
        ("vectors", o.vectors),
        ("inverse", o.inverse),
        ("bootstrap", o.bootstrap > 0),
        ("null_reference", o.null_reference),
        ("intra", o.intra),
        ("stacked", o.stacked),
        ("add_biases", o.add_biases),
        ("conv_mode = fft", o.conv_mode == ConvMode::Fft),
        ("a fit other than PL", o.fit != Fit::PowerLaw),
        ("fix_fingers", o.fix_fingers != FixFingers::Off),
        ("xmax", o.xmax != Xmax::Unbounded),
        ("a rule for xmin", o.xmin != XminRule::Scan && !matches!(o.estimate, Estimate::Windows(_))),
        ("precision = f32", o.precision == Precision::F32),
        ("conventions other than the default", o.conventions.name != "default"),
    ];
    let what = match o.estimate {
        Estimate::Exact => return Ok(()),
        Estimate::Top(0) | Estimate::Windows(0) | Estimate::Density(0) => return Err(OptionsError::Estimate),
        Estimate::Top(_) => "estimate = top",
        Estimate::Windows(_) => "estimate = windows",
        Estimate::Density(_) => "estimate = density",
    };
    match of_all.into_iter().find(|(_, on)| *on) {
        Some((name, _)) => Err(OptionsError::Together(what, name)),
        None => Ok(()),
    }
}

/// The rows of a layer, and where its next analysis can start. `start` is what the last one left; `None` where none is to follow.
pub(super) fn estimate_layer(
    plan: &LayerPlan,
    info: &TensorInfo,
    parts: &[Part<'_>],
    options: &Options,
    threads: usize,
    start: Option<&[Vec<f64>]>,
) -> (Vec<Row>, Start) {
    let Views { views, scale, pooled, .. } = match views(plan, parts, options) {
        Ok(found) => found,
        Err(why) => return (vec![failed(plan.row(info), &why)], Start::new()),
    };
    let (rows, size) = if pooled { (1, views.len()) } else { (views.len(), 1) };
    let mut next = Start::new();
    let mut row = |range: Range<usize>| {
        let mut row = plan.row(info);
        row.slice_id = (!pooled).then_some(range.start);
        row.provenance = Some(Provenance {
            precision: options.precision,
            method: match options.estimate {
                Estimate::Windows(_) | Estimate::Exact => Method::Gram,
                Estimate::Top(_) => Method::Krylov,
                Estimate::Density(_) => Method::Lanczos,
            },
            conv_mode: (plan.kind.is_conv() && plan.made == Made::Alone).then_some(plan.unfolding.conv_mode),
            fft_size: None,
            scale,
            estimator: None,
        });
        let seed = stream(options.seed, &plan.longname, range.start, 0);
        let group = Group {
            views: &views[range.clone()],
            start: start.and_then(|start| start.get(range)).unwrap_or(&[]),
            again: start.is_some(),
            scale,
            seed,
            threads,
            options,
        };
        match group.fill(&mut row, &mut next) {
            Ok(Ok(())) => row,
            Ok(Err(why)) => failed(row, &why),
            Err(error) => failed(plan.row(info), &reason(&error, parts)),
        }
    };
    let rows = (0..rows).map(|k| row(k * size..(k + 1) * size)).collect();
    // All or none, so that places mean matrices.
    (rows, if next.len() == views.len() { next } else { Start::new() })
}

/// Each group of windows costs a fit.
const MOST_GROUPS: usize = 9;
/// Of fewer, the spread says little.
const LEAST_GROUPS: usize = 3;

/// Why a row has no fit.
type Unfitted = Result<(), String>;

/// The matrices of one row.
struct Group<'a> {
    views: &'a [MatrixView],
    /// Of each, or none.
    start: &'a [Vec<f64>],
    /// Whether there will be a next time, which starts from this one.
    again: bool,
    scale: f64,
    seed: u64,
    threads: usize,
    options: &'a Options,
}

impl Group<'_> {
    fn fill(&self, row: &mut Row, next: &mut Start) -> Result<Unfitted, SpectrumError> {
        let mut total = 0.0;
        for view in self.views {
            total += self.scale * sum_of_squares(view, self.threads)?;
        }
        row.norm = Some(total);
        row.log_norm = Some(total.log10()).filter(|v| v.is_finite());
        if total == 0.0 {
            self.estimated(row, None);
            largest(row, 0.0);
            return Ok(Err("all-zero matrix".to_owned()));
        }
        match self.options.estimate {
            Estimate::Exact => Ok(Err("no estimate was asked for".to_owned())),
            Estimate::Top(count) => self.top(row, count, next),
            Estimate::Windows(side) => self.windows(row, side),
            Estimate::Density(steps) => self.density(row, steps),
        }
    }

    fn top(&self, row: &mut Row, count: usize, next: &mut Start) -> Result<Unfitted, SpectrumError> {
        let (mut values, mut error, mut exact) = (Vec::new(), 0.0f64, None);
        for (k, view) in self.views.iter().enumerate() {
            let (n, m) = (view.rows() as f64, view.cols() as f64);
            if self.again && again_worth_it(n, m, count) || worth_it(n, m, count) {
                let start = self.start.get(k).map(Vec::as_slice);
                let top =
                    top_eigenvalues(view, count, start, self.seed.wrapping_add(k as u64), self.threads)?;
                error = error.max(top.error());
                values.extend(top.values);
                next.push(top.vectors);
            } else {
                let (all, method) = self.all(view)?;
                exact = Some(method);
                values.extend(all.into_iter().rev().take(count));
            }
        }
        self.estimated(row, Some(error));
        // Matrices of a layer have the same sides, and so the same way.
        if let (Some(method), Some(made), Some(estimate)) = (exact, &mut row.provenance, &mut row.estimate) {
            made.method = method;
            estimate.how.push_str(" of all");
        }
        // The largest of all are among the largest of each.
        let mut values = self.ascending(values);
        let values = values.split_off(values.len().saturating_sub(count));
        largest(row, values.last().copied().unwrap_or(0.0));
        Ok(self.fitted(row, &values))
    }

    fn windows(&self, row: &mut Row, side: usize) -> Result<Unfitted, SpectrumError> {
        let (mut all, mut places) = (Vec::new(), Vec::new());
        for (slice, view) in self.views.iter().enumerate() {
            for window in sub_matrices(view, side) {
                let values = self.ascending(self.all(&window.matrix)?.0);
                all.extend(values.into_iter().map(|v| (v, places.len())));
                places.push((slice, window.place));
            }
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (groups, of) = groups(&places);
        // Of the pooled fit, whose alpha is not the mean of the windows' alphas.
        let without = |group: usize| {
            let kept: Vec<f64> = all.iter().filter(|(_, k)| of[*k] != group).map(|(v, _)| *v).collect();
            self.fit(&kept).ok().map(|tail| tail.fit.alpha)
        };
        let alphas: Option<Vec<f64>> = if groups > 1 { (0..groups).map(without).collect() } else { None };
        self.estimated(row, alphas.map(|alphas| jackknife(&alphas)));
        let all: Vec<f64> = all.into_iter().map(|(v, _)| v).collect();
        Ok(self.fitted(row, &all))
    }

    fn density(&self, row: &mut Row, steps: usize) -> Result<Unfitted, SpectrumError> {
        let mut each = Vec::new();
        for (k, view) in self.views.iter().enumerate() {
            each.push(density(view, steps, self.seed.wrapping_add(k as u64), self.threads)?);
        }
        let pooled = Density::pooled(&each);
        let lambda_max = self.scale * pooled.largest.0;
        largest(row, lambda_max);
        let half = pooled.upper_half();
        self.estimated(row, half.map(|(_, error)| error));
        let Some((half, _)) = half else {
            return Ok(Err("the upper half of the eigenvalues are equal".to_owned()));
        };
        let spikes = (self.views[0].cols() * self.views.len()).div_ceil(2);
        let law = PowerLaw {
            alpha: half.alpha,
            xmin: self.scale * half.median,
            xmax: lambda_max,
            d: f64::NAN,
            sigma: f64::NAN,
            n_tail: spikes,
            estimator: Estimator::Hill,
        };
        write(row, &Fitted { fit: law, spikes, fingers: None, columns: TailColumns::default() });
        Ok(Ok(()))
    }

    /// All eigenvalues of a matrix, in its own units.
    fn all(&self, view: &MatrixView) -> Result<(Vec<f64>, Method), SpectrumError> {
        eigenvalues(view, self.options.precision, self.options.solver, self.threads)
    }

    fn ascending(&self, values: Vec<f64>) -> Vec<f64> {
        let mut values: Vec<f64> = values.into_iter().map(|v| v * self.scale).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    fn estimated(&self, row: &mut Row, error: Option<f64>) {
        row.estimate = Some(Estimated { how: self.options.estimate.to_string(), error });
    }

    fn fit(&self, values: &[f64]) -> Result<Fitted, FitError> {
        let shape = Shape { n: self.views[0].rows(), m: self.views[0].cols(), slices: self.views.len() };
        fit(values, values.last().copied().unwrap_or(0.0), shape, self.options)
    }

    /// The power law of these values, ascending, which are all there is or the largest of them.
    fn fitted(&self, row: &mut Row, values: &[f64]) -> Unfitted {
        row.num_evals = Some(values.len());
        write(row, &self.fit(values).map_err(|error| format!("power-law fit: {error}"))?);
        Ok(())
    }
}

/// Whether so many of the largest cost less than all eigenvalues: they take some four times as many products with W and its transpose, which run at
/// half the solver's rate or less.
pub(super) fn worth_it(n: f64, m: f64, count: usize) -> bool {
    40.0 * count as f64 * n * m < n * m * m + 4.0 / 3.0 * m * m * m
}

/// The same where the vectors of the last time are at hand, or this is the first of many times.
fn again_worth_it(n: f64, m: f64, count: usize) -> bool {
    worth_it(n, m, count / 2)
}

fn largest(row: &mut Row, lambda: f64) {
    row.lambda_max = Some(lambda);
    row.spectral_norm = Some(lambda);
    row.log_spectral_norm = Some(lambda.log10()).filter(|v| v.is_finite());
    row.sv_max = Some(lambda.sqrt());
    row.stable_rank = row.norm.filter(|_| lambda > 0.0).map(|total| total / lambda);
}

fn write(row: &mut Row, tail: &Fitted) {
    if let Some(made) = &mut row.provenance {
        made.estimator = Some(tail.fit.estimator);
    }
    write_fit(row, tail, &[]);
    row.D = row.D.filter(|d| !d.is_nan());
    // A sum over all eigenvalues.
    row.log_alpha_norm = None;
    row.status = Status::Success;
}

/// Groups of windows that are left out in turn: how many, and which each window is in. Windows of a group lie in different rows and columns of the grid
/// and in different slices as far as they can, so that every group has seen the whole matrix, and what differs from part to part is not taken
/// for chance. Where that would make fewer than three groups, every window is one.
fn groups(places: &[(usize, (usize, usize))]) -> (usize, Vec<usize>) {
    let rows = places.iter().map(|p| p.1.0 + 1).max().unwrap_or(0);
    let slices = places.iter().map(|p| p.0 + 1).max().unwrap_or(0);
    let count = rows.max(slices).min(MOST_GROUPS);
    if count < LEAST_GROUPS {
        return (places.len(), (0..places.len()).collect());
    }
    (count, places.iter().map(|(slice, (i, j))| (slice + i + j) % count).collect())
}
