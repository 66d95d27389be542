//! Which tensors become layers, under what ids and names, and what each will cost: `describe`, before any number is
//! read.

use super::combined::{Made, combine};
use super::conventions::{Naming, OperatorRule, Sides};
use super::estimated::worth_it;
use super::filter::Candidate;
use super::memory::needs;
use super::report::Row;
use super::{Options, OptionsError, Status};
use crate::matrix::{ConvMode, MatrixShape, Unfolding, kernel_sides, matrix_shape};
use crate::source::{TensorInfo, WeightFile};
use crate::spectrum::{Estimate, REFERENCE_SIDE};
use crate::tensor::{LayerKind, Layout, Role, Stacked, classify};

/// What will be done with one tensor.
#[derive(Clone, Debug)]
pub struct LayerPlan {
    /// Index in the file's list of tensors.
    pub index: usize,
    /// `layer_id` of its rows.
    pub layer_id: usize,
    /// `name` of its rows.
    pub name: String,
    /// The full name of the tensor.
    pub longname: String,
    /// The kind of layer.
    pub kind: LayerKind,
    /// The matrices it unfolds into; `None` for kinds without.
    pub matrices: Option<MatrixShape>,
    /// N and M as they are reported.
    pub sides: Option<(usize, usize)>,
    /// Whose weights its rows are about.
    pub made: Made,
    /// Full names of the layers they are about, where those are several.
    pub combines: String,
    /// So many of the largest eigenvalues of each matrix are taken; `None`: all.
    pub keep: Option<usize>,
    /// How it unfolds.
    pub unfolding: Unfolding,
    /// How many of the largest singular values of each matrix count, where not all do.
    pub components: Option<usize>,
    /// Why it will not be analysed; `None` if it will be.
    pub skip: Option<String>,
    /// Floating-point operations its spectrum will take, roughly.
    pub cost: f64,
    /// Bytes it will take at most, where it is not skipped.
    pub memory: u64,
}

impl LayerPlan {
    /// Whether the spectrum is that of the operator on images.
    pub(super) fn is_operator(&self) -> bool {
        self.kind.is_conv() && self.made == Made::Alone && self.unfolding.conv_mode == ConvMode::Fft
    }

    /// Eigenvalues the layer will have, pooled.
    pub fn num_evals(&self) -> usize {
        let all =
            self.matrices.map_or(0, |s| s.m.min(self.components.unwrap_or(s.m)).saturating_mul(s.count));
        self.keep.unwrap_or(all)
    }
}

/// Every tensor of a model, in the order of the file.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One for each tensor.
    pub layers: Vec<LayerPlan>,
    /// Terms of the layer filter that matched nothing.
    pub unmatched: Vec<String>,
}

impl Plan {
    /// Plans the analysis of every tensor.
    pub fn new(file: &dyn WeightFile, options: &Options) -> Result<Self, OptionsError> {
        options.validate()?;
        let infos = file.tensors();
        let mut ids = Ids { naming: options.conventions.naming, weights: 0 };
        let mut layers: Vec<LayerPlan> =
            infos.iter().enumerate().map(|(index, info)| layer(index, info, options, &mut ids)).collect();
        let candidates = layers.iter().map(|l| Candidate {
            id: l.layer_id,
            name: &l.name,
            longname: &l.longname,
            kind: l.kind,
        });
        let (taken, unmatched) = options.layers.apply(candidates)?;
        for (layer, taken) in layers.iter_mut().zip(taken) {
            if !taken && layer.skip.is_none() {
                layer.skip = Some("not selected by the layer filter".to_owned());
            }
        }
        combine(&mut layers, infos, options);
        for layer in layers.iter_mut().filter(|l| l.skip.is_none()) {
            layer.memory = needs(layer, infos, options);
        }
        Ok(Plan { layers, unmatched })
    }

    /// The rows of `describe`: what is known without reading weights. A layer to be analysed has status success and
    /// its number of eigenvalues.
    pub fn rows(&self, file: &dyn WeightFile) -> Vec<Row> {
        let rows = self.layers.iter().zip(file.tensors()).map(|(plan, info)| {
            let mut row = plan.row(info);
            if plan.skip.is_none() {
                row.status = Status::Success;
                row.num_evals = Some(plan.num_evals());
            }
            row
        });
        rows.collect()
    }
}

impl LayerPlan {
    /// The row of this layer before it has numbers.
    pub(crate) fn row(&self, info: &TensorInfo) -> Row {
        let mut row = Row::empty(self.layer_id, &self.name, &self.longname, self.kind);
        row.dtype = info.dtype;
        row.shape.clone_from(&info.shape);
        row.combines.clone_from(&self.combines);
        row.product = matches!(self.made, Made::Product(_));
        if let (Some((n, m)), Some(matrices)) = (self.sides, self.matrices) {
            row.N = Some(n);
            row.M = Some(m);
            row.Q = (m > 0).then(|| n as f64 / m as f64);
            row.rf = Some(matrices.count);
        }
        if let Some(reason) = &self.skip {
            row.status = Status::Skipped;
            row.reason.clone_from(reason);
        }
        row
    }
}

struct Ids {
    naming: Naming,
    weights: usize,
}

const WEIGHT_SUFFIX: &str = ".weight";

/// What kind of layer a tensor is, and how it unfolds.
pub(super) fn unfolding_of(info: &TensorInfo, options: &Options) -> Unfolding {
    let state_dict = options.conventions.naming == Naming::StateDict && info.kind.is_none();
    let mut kind = info.kind.unwrap_or_else(|| classify(&info.name, info.shape.len()).kind);
    if state_dict && info.shape.len() == 2 {
        kind = LayerKind::Dense;
    }
    Unfolding {
        kind,
        layout: info.layout,
        conv_mode: if options.conv_mode == ConvMode::Fft && kind != LayerKind::Conv2d {
            ConvMode::Slices
        } else {
            options.conv_mode
        },
        split: options.split.then(|| info.stacked.or_else(|| stacked(info, kind))).flatten(),
    }
}

fn layer(index: usize, info: &TensorInfo, options: &Options, ids: &mut Ids) -> LayerPlan {
    let stem = info.name.strip_suffix(WEIGHT_SUFFIX).filter(|s| !s.is_empty());
    let state_dict = ids.naming == Naming::StateDict && info.kind.is_none();
    ids.weights += usize::from(stem.is_some());
    let guess = classify(&info.name, info.shape.len());
    let unfolding = unfolding_of(info, options);
    let kind = unfolding.kind;
    let matrices = matrix_shape(&info.shape, &unfolding);
    let keep = matrices.and_then(|shape| operator_evals(info, &unfolding, shape, options));
    let sides = matrices.map(|shape| match options.conventions.sides {
        Sides::Reference if kind.is_conv() && unfolding.conv_mode == ConvMode::Slices => {
            reference_sides(info, shape)
        }
        _ => (shape.n, shape.m),
    });
    let skip = not_a_layer(info, kind, guess.why_not, options)
        .or_else(|| {
            (state_dict && stem.is_none())
                .then(|| format!("name does not end in '{WEIGHT_SUFFIX}' ({})", options.conventions.name))
        })
        .or_else(|| {
            let rank = info.shape.len();
            (state_dict && rank != 2 && rank != 4)
                .then(|| format!("{kind} of rank {rank}, not 2 or 4 ({})", options.conventions.name))
        })
        .or_else(|| match matrices {
            None => Some(format!("{kind} of shape {:?}: the rank does not fit the kind", info.shape)),
            Some(shape) => size_limits(shape, sides, keep, options),
        });
    LayerPlan {
        index,
        layer_id: if state_dict { ids.weights } else { index },
        name: stem.unwrap_or(&info.name).to_owned(),
        longname: if state_dict { stem.unwrap_or(&info.name) } else { &info.name }.to_owned(),
        kind,
        matrices,
        sides,
        made: Made::Alone,
        combines: String::new(),
        keep,
        unfolding,
        components: info.components,
        skip,
        cost: matrices.map_or(0.0, |shape| match keep {
            // The real matrix of a pair of frequencies costs eight times one of them.
            Some(evals) => 4.0 * (evals / shape.m.max(1)) as f64 * cost(shape),
            None => estimated_cost(shape, options.estimate)
                .unwrap_or_else(|| cost(shape) * solves(shape, options)),
        }),
        memory: 0,
    }
}

/// Gates by name where the format does not say: LSTM 4, GRU 3, fused attention projections 3, on whichever axis is the
/// larger multiple.
fn stacked(info: &TensorInfo, kind: LayerKind) -> Option<Stacked> {
    let lower = info.name.to_ascii_lowercase();
    let count = match kind {
        LayerKind::Recurrent if lower.contains("gru") => 3,
        LayerKind::Recurrent if lower.contains("lstm") => 4,
        // PyTorch names both kinds `weight_ih_l0`; only W_hh of shape [gates * hidden, hidden] tells them apart.
        LayerKind::Recurrent if info.shape[0] == 4 * info.shape[1] => 4,
        LayerKind::Recurrent if info.shape[0] == 3 * info.shape[1] => 3,
        LayerKind::Attention => 3,
        _ => return None,
    };
    let axis = usize::from(info.shape[1] > info.shape[0]);
    Some(Stacked { count, axis })
}

fn not_a_layer(
    info: &TensorInfo,
    kind: LayerKind,
    guess: Option<&'static str>,
    options: &Options,
) -> Option<String> {
    if let Some(note) = &info.note {
        return Some(note.clone());
    }
    match info.role {
        Role::Optimizer => return Some("optimizer state".to_owned()),
        Role::Constant => return Some("constant of the graph".to_owned()),
        _ if kind == LayerKind::Embedding && !options.conventions.embeddings => {
            return Some(format!("embedding ({})", options.conventions.name));
        }
        Role::Buffer if !kind.has_matrices() => return Some(guess.unwrap_or("buffer").to_owned()),
        _ => {}
    }
    if !kind.has_matrices() {
        return Some(match (info.kind, guess) {
            (None, Some(why)) => why.to_owned(),
            (_, _) => match kind {
                LayerKind::Norm => "norm layer".to_owned(),
                LayerKind::Bias => "bias".to_owned(),
                _ => "not a layer".to_owned(),
            },
        });
    }
    if !info.dtype.is_float() && !info.quantized {
        return Some(format!("{} values without a quantisation scale", info.dtype));
    }
    None
}

/// Eigenvalues of a convolution as an operator; `None` for other layers.
fn operator_evals(
    info: &TensorInfo,
    how: &Unfolding,
    shape: MatrixShape,
    options: &Options,
) -> Option<usize> {
    if !(how.kind.is_conv() && how.conv_mode == ConvMode::Fft) {
        return None;
    }
    Some(match options.conventions.operator {
        OperatorRule::Frequencies => {
            options.fft_size.saturating_mul(options.fft_size).saturating_mul(shape.m)
        }
        OperatorRule::Reference => {
            let kernel = kernel_sides(&info.shape, how).iter().min().copied().unwrap_or(0);
            kernel.min(REFERENCE_SIDE).saturating_mul(shape.n).saturating_mul(shape.m)
        }
    })
}

fn size_limits(
    shape: MatrixShape,
    sides: Option<(usize, usize)>,
    operator: Option<usize>,
    options: &Options,
) -> Option<String> {
    let (n, m) = sides.unwrap_or((shape.n, shape.m));
    let pooled = options.pooled() && shape.count > 1;
    let evals = if pooled { m.saturating_mul(shape.count) } else { m };
    let what =
        if pooled { format!("{evals} eigenvalues (M={m} x rf={})", shape.count) } else { format!("M={m}") };
    if m == 0 {
        return Some("no elements".to_owned());
    }
    let (evals, what) = operator.map_or((evals, what), |evals| (evals, format!("{evals} eigenvalues")));
    // The reference has no limits on these.
    let limited = operator.is_none() || options.conventions.operator != OperatorRule::Reference;
    let least = options.effective_min_evals();
    if limited && evals < least {
        return Some(format!("{what} below min_evals {least}"));
    }
    let by_rows = options.conventions.limits.most_by_rows && operator.is_none();
    let most = if by_rows { evals / m * n } else { evals };
    if let Some(max) = options.effective_max_evals()
        && limited
        && most > max
    {
        return Some(format!("{what} above max_evals {max}"));
    }
    match options.effective_max_n() {
        Some(max) if n > max => Some(format!("N={n} above max_N {max}")),
        _ => None,
    }
}

/// N and M of a convolution as WeightWatcher 0.7.7 reports them: `(out, in)`, swapped once for every slice it
/// transposes, unless the shape looks like the other layout to it.
fn reference_sides(info: &TensorInfo, shape: MatrixShape) -> (usize, usize) {
    let (rank, s) = (info.shape.len(), &info.shape);
    let (out, input, spatial) = match info.layout {
        Layout::OutInSpatial => (s[0], s[1], &s[2..]),
        Layout::InOutSpatial => (s[1], s[0], &s[2..]),
        Layout::SpatialInOut => (s[rank - 1], s[rank - 2], &s[..rank - 2]),
        Layout::SpatialOutIn => (s[rank - 2], s[rank - 1], &s[..rank - 2]),
    };
    let kernel = spatial.iter().fold(usize::from(spatial.len() == 1), |sum, d| sum.saturating_add(*d));
    let misread = out.saturating_add(input) < kernel;
    let transposed = if out < input && !misread { shape.count } else { 0 };
    if transposed % 2 == 1 { (input, out) } else { (out, input) }
}

/// Where less than all eigenvalues are looked for.
fn estimated_cost(shape: MatrixShape, estimate: Estimate) -> Option<f64> {
    let (n, m) = (shape.n as f64, shape.m as f64);
    let each = match estimate {
        Estimate::Top(count) if worth_it(n, m, count) => 16.0 * count as f64,
        Estimate::Windows(side) => 7.0 / 3.0 * m.min(side as f64),
        Estimate::Density(steps) => 32.0 * m.min(steps as f64),
        Estimate::Top(_) | Estimate::Exact => return None,
    };
    Some(shape.count as f64 * n * m * (each + 64.0))
}

/// How many spectra's work the options ask for.
fn solves(shape: MatrixShape, options: &Options) -> f64 {
    let evals = if options.pooled() { shape.m.saturating_mul(shape.count) } else { shape.m };
    let replicas = if options.randomize { options.effective_replicas(evals) } else { 0 };
    1.0 + replicas as f64 + if options.vectors { 4.0 } else { 0.0 }
}

/// Gram matrix, tridiagonal reduction, and the rest of the solve.
fn cost(shape: MatrixShape) -> f64 {
    let (n, m, count) = (shape.n as f64, shape.m as f64, shape.count as f64);
    count * (n * m * m + 4.0 / 3.0 * m * m * m + 64.0 * n * m)
}
