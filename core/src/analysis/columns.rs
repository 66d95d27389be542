//! The columns of a report: names, meanings and where each number comes from. JSON, CSV and the documentation are made
//! from this one table.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::{Moments, Row};
use crate::metrics::VectorStats;

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// No such number.
    Null,
    /// A count or id.
    Int(i64),
    /// A real number, possibly NaN or infinite.
    Float(f64),
    /// Words.
    Text(Cow<'a, str>),
    /// Yes or no.
    Bool(bool),
}

impl Value<'_> {
    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        *self == Value::Null
    }

    /// The number, of counts too.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(i) => Some(*i as f64),
            Value::Float(f) => Some(*f),
            _ => None,
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Int(i) => serializer.serialize_i64(*i),
            Value::Float(f) if f.is_finite() => serializer.serialize_f64(*f),
            Value::Text(t) => serializer.serialize_str(t),
            Value::Bool(b) => serializer.serialize_bool(*b),
            Value::Null | Value::Float(_) => serializer.serialize_unit(),
        }
    }
}

trait IntoValue {
    fn into_value(self) -> Value<'static>;
}

/// A number of a group that the row may lack; NaN is no number.
fn of<T>(group: Option<T>, number: impl Fn(T) -> f64) -> Value<'static> {
    group.map(number).filter(|v| !v.is_nan()).into_value()
}

fn spread<T>(group: Option<T>, moments: impl Fn(T) -> Moments) -> Value<'static> {
    group.and_then(|g| moments(g).sd).into_value()
}

fn vectors(r: &Row, tail: bool, number: impl Fn(&VectorStats) -> f64) -> Value<'static> {
    of(r.vectors.as_ref().and_then(|v| if tail { v.tail } else { v.bulk }), |s| number(&s))
}

fn carriers(r: &Row) -> Value<'static> {
    let Some(trap) = r.traps.first() else { return Value::Null };
    let slice = if r.rf == Some(1) { String::new() } else { format!("{}:", trap.slice) };
    let words = trap.carriers.iter().map(|c| format!("[{slice}{},{}]={:.6}", c.row, c.col, c.value));
    text(words.collect::<Vec<_>>().join(" "))
}

impl IntoValue for Option<f64> {
    fn into_value(self) -> Value<'static> {
        self.map_or(Value::Null, Value::Float)
    }
}

impl IntoValue for Option<usize> {
    fn into_value(self) -> Value<'static> {
        self.map_or(Value::Null, |v| Value::Int(i64::try_from(v).unwrap_or(i64::MAX)))
    }
}

impl IntoValue for Option<i64> {
    fn into_value(self) -> Value<'static> {
        self.map_or(Value::Null, Value::Int)
    }
}

fn text<'a>(words: impl Into<Cow<'a, str>>) -> Value<'a> {
    Value::Text(words.into())
}

/// One column.
#[derive(Clone, Copy)]
pub struct Column {
    /// WeightWatcher's name where the meaning is WeightWatcher's.
    pub name: &'static str,
    /// What it is, in a line. [`guide`](super::guide) says how to read it.
    pub doc: &'static str,
    /// One of the columns that WeightWatcher 0.7.7 has too.
    pub reference: bool,
    /// Left out of JSON rows that have no value for it.
    pub optional: bool,
    /// Computed only where an option asks for it: optional, and left out of tables without a value for it.
    pub requested: bool,
    get: fn(&Row) -> Value<'_>,
}

impl Column {
    /// The cell of a row.
    pub fn value<'a>(&self, row: &'a Row) -> Value<'a> {
        (self.get)(row)
    }
}

impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Column({})", self.name)
    }
}

macro_rules! columns {
    ($($name:literal $(, $flag:ident)* : $doc:literal => $get:expr;)*) => {
        &[$(Column { name: $name, doc: $doc, reference: flag!(reference $($flag)*), optional: flag!(optional $($flag)*) || flag!(requested $($flag)*), requested: flag!(requested $($flag)*), get: $get }),*]
    };
}

macro_rules! flag {
    ($want:ident) => { false };
    (reference reference $($rest:ident)*) => { true };
    (optional optional $($rest:ident)*) => { true };
    (requested requested $($rest:ident)*) => { true };
    ($want:ident $other:ident $($rest:ident)*) => { flag!($want $($rest)*) };
}

/// Every column, in the order of JSON rows.
pub static COLUMNS: &[Column] = columns! {
    "layer_id", reference: "Ordinal of the tensor in the file, from 0 (weightwatcher-0.7.7: of the `.weight` entry, from 1)." => |r| Some(r.layer_id).into_value();
    "name", reference: "Name of the layer: the tensor's name without `.weight`." => |r| text(&*r.name);
    "layer_type", reference: "dense, conv1d, conv2d, conv3d, embedding, recurrent, attention, norm, bias or other." => |r| text(r.layer_type.name());
    "status", reference: "success, failed (see reason) or skipped (see reason)." => |r| text(r.status.name());
    "reason": "Why the layer failed or was skipped; empty for success." => |r| text(&*r.reason);
    "N", reference: "Larger side of the layer's matrix (of one slice, for convolutions)." => |r| r.N.into_value();
    "M", reference: "Smaller side of the matrix." => |r| r.M.into_value();
    "Q", reference: "N / M, at least 1." => |r| r.Q.into_value();
    "rf", reference: "Receptive field: number of matrices the layer unfolds into (kernel positions, gates); 1 for a single matrix." => |r| r.rf.into_value();
    "slice_id", reference, optional: "Which of the rf matrices this row is about, where they are not pooled." => |r| r.slice_id.into_value();
    "longname", reference: "Full name of the tensor in the file." => |r| text(&*r.longname);
    "dtype": "Element type as stored." => |r| text(r.dtype.name());
    "shape": "Shape as stored, sides joined by x." => |r| text(r.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x"));
    "combines", requested: "Full names of the layers this row is about where those are several: the two multiplied (intra), or all stacked (stacked), weight and bias (add_biases)." => |r| if r.combines.is_empty() { Value::Null } else { text(&*r.combines) };
    "Xflag", reference, requested: "True where the row is about a product of two layers X = W0 W1 / (‖W0‖ ‖W1‖); its λ are the singular values of X, not their squares (intra)." => |r| if r.product { Value::Bool(true) } else { Value::Null };
    "has_esd", reference: "Whether the row has a spectrum." => |r| Value::Bool(r.num_evals.is_some());
    "num_evals", reference: "Number of eigenvalues λ = σ² in the (pooled) spectrum; of an estimate, of those it found." => |r| r.num_evals.into_value();
    "sv_max", reference: "Largest singular value." => |r| r.sv_max.into_value();
    "sv_min", reference: "Smallest singular value." => |r| r.sv_min.into_value();
    "rank_loss", reference: "Singular values not above σ_max N eps, summed over slices; eps is that of the stored type." => |r| r.rank_loss.into_value();
    "weak_rank_loss", reference: "Eigenvalues below 1e-6 λ_max (weightwatcher-0.7.7: below 1e-6)." => |r| r.weak_rank_loss.into_value();
    "lambda_max", reference: "Largest eigenvalue." => |r| r.lambda_max.into_value();
    "alpha", reference: "Exponent of the power law p(λ) ~ λ^-alpha fitted to the tail λ >= xmin by maximum likelihood, xmin by least D. 2 to 6 is usual for trained layers." => |r| r.alpha.into_value();
    "xmin", reference: "Smallest eigenvalue of the fitted tail." => |r| r.xmin.into_value();
    "xmax", reference: "Largest fitted eigenvalue." => |r| r.xmax.into_value();
    "D", reference: "Kolmogorov-Smirnov distance of tail and fit, 0 to 1." => |r| r.D.into_value();
    "sigma", reference: "(alpha - 1) / sqrt(tail length): the textbook standard error of alpha for a known xmin." => |r| r.sigma.into_value();
    "num_pl_spikes", reference: "Eigenvalues at or above xmin." => |r| r.num_pl_spikes.into_value();
    "warning", reference: "over-trained (alpha < 2), under-trained (alpha > 6) or empty." => |r| text(r.warning);
    "norm", reference: "Σλ: squared Frobenius norm." => |r| r.norm.into_value();
    "log_norm", reference: "log10 of norm." => |r| r.log_norm.into_value();
    "spectral_norm", reference: "λ_max: the squared largest singular value." => |r| r.spectral_norm.into_value();
    "log_spectral_norm", reference: "log10 of spectral_norm." => |r| r.log_spectral_norm.into_value();
    "alpha_weighted", reference: "alpha log10 λ_max (alpha-hat)." => |r| r.alpha_weighted.into_value();
    "log_alpha_norm", reference: "log10 Σ λ^alpha over all eigenvalues." => |r| r.log_alpha_norm.into_value();
    "stable_rank", reference: "norm / spectral_norm, between 1 and num_evals." => |r| r.stable_rank.into_value();
    "matrix_rank", reference: "Singular values above σ_max N eps over the pooled spectrum." => |r| r.matrix_rank.into_value();
    "entropy", reference: "-Σ p log p / log(matrix_rank) with p = λ / Σλ; 0 to 1." => |r| r.entropy.into_value();
    "lognorm", requested: "Under weightwatcher-0.1.2 log10 of norm, which is √Σλ there. Tables head log_norm with the same word." => |r| of(r.old, |o| o.lognorm);
    "spectralnorm", requested: "λ_max of the whole spectrum (weightwatcher-0.1.2)." => |r| of(r.old, |o| o.spectralnorm);
    "softrank", requested: "norm / spectralnorm, norm being √Σλ (weightwatcher-0.1.2)." => |r| of(r.old, |o| o.softrank);
    "softranklog", requested: "log10 of softrank (weightwatcher-0.1.2)." => |r| of(r.old, |o| o.softranklog);
    "softranklogratio", requested: "lognorm / log10 spectralnorm (weightwatcher-0.1.2)." => |r| of(r.old, |o| o.softranklogratio);
    "lambda_min", requested: "Smallest fitted eigenvalue, the smallest of all being left out (weightwatcher-0.1.2)." => |r| of(r.old, |o| o.lambda_min);
    "num_fingers", reference, optional: "Largest eigenvalues removed by fix_fingers = clip_xmax." => |r| r.num_fingers.into_value();
    "raw_alpha", reference, optional: "alpha before fingers were removed." => |r| r.raw_alpha.into_value();
    "Lambda", reference, requested: "Rate of the exponential cut-off of fit = TPL and E_TPL; 0 for a pure power law." => |r| r.tail.lambda.into_value();
    "best_fit", requested: "Family the likelihood-ratio cascade ends with: PL, TPL, EXP, S_EXP or LOG_N." => |r| r.tail.best_fit.map_or(Value::Null, |f| text(f.name()));
    "R_TPL", requested: "Log-likelihood ratio of a power law over a power law with a cut-off on the tail, divided by its standard deviation (Vuong 1989): below 0 where a power law with a cut-off is likelier." => |r| r.tail.ratios[0].map(|t| t.normalised).into_value();
    "p_TPL", requested: "How likely so large a |R_TPL| is if neither is likelier; chi-squared with one degree, since a power law is a special case." => |r| r.tail.ratios[0].map(|t| t.p).into_value();
    "R_EXP", requested: "Log-likelihood ratio of a power law over an exponential on the tail, divided by its standard deviation (Vuong 1989): below 0 where an exponential is likelier." => |r| r.tail.ratios[1].map(|t| t.normalised).into_value();
    "p_EXP", requested: "How likely so large a |R_EXP| is if neither is likelier." => |r| r.tail.ratios[1].map(|t| t.p).into_value();
    "R_S_EXP", requested: "Log-likelihood ratio of a power law over a stretched exponential on the tail, divided by its standard deviation (Vuong 1989): below 0 where a stretched exponential is likelier." => |r| r.tail.ratios[2].map(|t| t.normalised).into_value();
    "p_S_EXP", requested: "How likely so large a |R_S_EXP| is if neither is likelier." => |r| r.tail.ratios[2].map(|t| t.p).into_value();
    "R_LOG_N", requested: "Log-likelihood ratio of a power law over a lognormal on the tail, divided by its standard deviation (Vuong 1989): below 0 where a lognormal is likelier." => |r| r.tail.ratios[3].map(|t| t.normalised).into_value();
    "p_LOG_N", requested: "How likely so large a |R_LOG_N| is if neither is likelier." => |r| r.tail.ratios[3].map(|t| t.p).into_value();
    "alpha_se", requested: "Standard error of alpha with the choice of xmin in it, by bootstrap; for independent values, so too large for eigenvalues that repel each other." => |r| r.tail.bootstrap.map(|b| b.alpha_se).into_value();
    "alpha_lo", requested: "Lower end of the 95 % interval of alpha, by bootstrap." => |r| r.tail.bootstrap.map(|b| b.alpha_interval[0]).into_value();
    "alpha_hi", requested: "Upper end of it." => |r| r.tail.bootstrap.map(|b| b.alpha_interval[1]).into_value();
    "gof_p", requested: "Share of bootstrap samples of the fitted power law that are farther (D) from their own fit (Clauset, Shalizi, Newman 2009): below 0.1 a power law is implausible." => |r| r.tail.bootstrap.map(|b| b.gof_p).into_value();
    "power_law", requested: "Whether the tail may be a power law: false where gof_p is below 0.1, or best_fit is neither PL nor TPL." => |r| r.tail.power_law().map_or(Value::Null, Value::Bool);
    "alpha0", requested: "alpha of Gaussian matrices of the layer's shape, at the mean of 1 / (alpha - 1): what noise gives." => |r| r.tail.null.map(|n| n.alpha).into_value();
    "alpha0_sd", requested: "Standard deviation of 1 / (alpha - 1) between those matrices, times (alpha0 - 1)²." => |r| r.tail.null.map(|n| n.sd).into_value();
    "alpha_z", requested: "Distance of alpha from noise of the same shape in standard deviations, on the scale of 1 / (alpha - 1), where they are steady: about (alpha - alpha0) / alpha0_sd near alpha0; strongly negative for heavy tails." => |r| r.tail.null.zip(r.alpha).map(|(n, alpha)| n.score(alpha)).into_value();
    "num_spikes", reference, requested: "Eigenvalues beyond the bulk edge b of the fitted Marchenko-Pastur law by more than √(b^⅔ M^-⅔ / √Q), in units of the mean (mp_fit)." => |r| r.mp.map(|m| m.num_spikes).into_value();
    "sigma_mp", reference, requested: "σ of the Marchenko-Pastur law fitted to a kernel density of the spectrum of mean 1: 1 for a random matrix, less where spikes carry the norm." => |r| of(r.mp, |m| m.sigma_mp);
    "mp_softrank", reference, requested: "Bulk edge over λ_max; above 1 where the edge is beyond every eigenvalue." => |r| of(r.mp, |m| m.mp_softrank);
    "W_scale", reference, requested: "√(num_evals / Σλ): what the weights are multiplied by for a mean eigenvalue of 1." => |r| of(r.mp, |m| m.W_scale);
    "bulk_max", reference, requested: "Upper edge of the fitted bulk, σ²(1 + 1/√Q)², in units of λ." => |r| of(r.mp, |m| m.bulk_max);
    "bulk_min", reference, requested: "Lower edge of the fitted bulk, σ²(1 - 1/√Q)², in units of λ." => |r| of(r.mp, |m| m.bulk_min);
    "sigma_bulk", requested: "σ as sigma_mp, by the median of the spectrum over that of the law: spikes hardly move it." => |r| r.mp.and_then(|m| m.sigma_bulk).into_value();
    "tw_edge", requested: "Eigenvalue that a random matrix with the bulk's variance exceeds with probability 1 - tw_quantile (Tracy-Widom, centred and scaled by Johnstone and Ma)." => |r| r.mp.and_then(|m| m.tw_edge).into_value();
    "num_spikes_tw", requested: "Eigenvalues above tw_edge." => |r| r.mp.and_then(|m| m.num_spikes_tw).into_value();
    "max_rand_eval", reference, requested: "Largest eigenvalue of the weights in random order (randomize), mean over replicas (weightwatcher-0.7.7: largest of all replicas)." => |r| of(r.random.as_ref(), |x| x.max_rand_eval.mean);
    "max_rand_eval_sd", requested: "Its standard deviation over replicas." => |r| spread(r.random.as_ref(), |x| x.max_rand_eval);
    "rand_distance", reference, requested: "Jensen-Shannon distance of the sorted eigenvalues, as a vector of sum 1, from those of the weights in random order." => |r| of(r.random.as_ref(), |x| x.rand_distance.mean);
    "rand_distance_sd", requested: "Its standard deviation over replicas." => |r| spread(r.random.as_ref(), |x| x.rand_distance);
    "ww_softrank", reference, requested: "Largest eigenvalue of the weights in random order over λ_max." => |r| of(r.random.as_ref(), |x| x.ww_softrank.mean);
    "ww_softrank_sd", requested: "Its standard deviation over replicas." => |r| spread(r.random.as_ref(), |x| x.ww_softrank);
    "ww_maxdist", reference, requested: "λ_max less the largest eigenvalue of the weights in random order." => |r| of(r.random.as_ref(), |x| x.ww_maxdist.mean);
    "ww_maxdist_sd", requested: "Its standard deviation over replicas." => |r| spread(r.random.as_ref(), |x| x.ww_maxdist);
    "rand_wasserstein", requested: "Wasserstein distance of the spectral density from that of the weights in random order, ∫|F - G| dλ over the mean λ: 0 to 2." => |r| of(r.random.as_ref(), |x| x.rand_wasserstein.mean);
    "rand_wasserstein_sd", requested: "Its standard deviation over replicas." => |r| spread(r.random.as_ref(), |x| x.rand_wasserstein);
    "rand_replicas", requested: "How many shuffles the rand_ columns are over." => |r| r.random.as_ref().map(|x| x.replicas).into_value();
    "rand_num_spikes", reference, requested: "num_spikes of the weights in random order: median over replicas (weightwatcher-0.7.7: sum)." => |r| r.random.as_ref().and_then(|x| x.mp).map(|m| m.num_spikes).into_value();
    "rand_sigma_mp", reference, requested: "sigma_mp of the weights in random order, replicas pooled." => |r| of(r.random.as_ref().and_then(|x| x.mp), |m| m.sigma_mp);
    "rand_mp_softrank", reference, requested: "mp_softrank of the weights in random order, replicas pooled." => |r| of(r.random.as_ref().and_then(|x| x.mp), |m| m.mp_softrank);
    "rand_W_scale", reference, requested: "W_scale of the weights in random order: W_scale." => |r| of(r.random.as_ref().and_then(|x| x.mp), |m| m.W_scale);
    "rand_bulk_max", reference, requested: "bulk_max of the weights in random order, replicas pooled." => |r| of(r.random.as_ref().and_then(|x| x.mp), |m| m.bulk_max);
    "rand_bulk_min", reference, requested: "bulk_min of the weights in random order, replicas pooled." => |r| of(r.random.as_ref().and_then(|x| x.mp), |m| m.bulk_min);
    "num_traps", reference, requested: "Correlation traps (randomize or traps): eigenvalues of the weights in random order above the Tracy-Widom edge at tw_quantile, variance from the Frobenius norm without them (weightwatcher-0.7.7: rand_num_spikes). 0 for weights without outliers." => |r| r.num_traps.into_value();
    "trap_excess", requested: "Largest trap's eigenvalue over the edge (traps)." => |r| r.traps.first().map(|t| t.excess).into_value();
    "trap_ipr", requested: "Σ v⁴ of the more localised vector of the largest trap: 1 for a single row or column, about 3 / its length for none in particular." => |r| r.traps.first().map(|t| t.ipr_rows.max(t.ipr_cols)).into_value();
    "trap_weights", requested: "Weights that carry half of the largest trap, 8 at most, as [row,column]=value of the stored matrix ([slice:row,column] of convolutions)." => carriers;
    "detX_num", reference, requested: "How many of the largest eigenvalues have a product of about 1 where the mean is 1 (detx)." => |r| r.detx.map(|d| d.num).into_value();
    "detX_val", reference, requested: "The smallest of them, in units of λ." => |r| of(r.detx, |d| d.val);
    "detX_val_unrescaled", reference, requested: "Under weightwatcher-0.7.7 only: the smallest of them where the mean is 1, whatever the name says." => |r| of(r.detx.filter(|d| d.reference), |d| d.rescaled);
    "detX_val_rescaled", requested: "The smallest of them where the mean is 1." => |r| of(r.detx.filter(|d| !d.reference), |d| d.rescaled);
    "num_ERG_spikes", reference, requested: "detX_num." => |r| r.detx.map(|d| d.num).into_value();
    "ERG_gap", reference, requested: "detX_num - num_pl_spikes: near 0 where the power law's tail is the part that conserves volume." => |r| r.detx.and_then(|d| d.gap).into_value();
    "level_ratio", requested: "Mean ratio of neighbouring gaps between eigenvalues (deltas): 0.53 where they repel as in random matrices, 0.39 where they are independent." => |r| r.level_ratio.into_value();
    "bulk_mean_vec_entropy", reference, requested: "Mean of the entropy of the 100-bin histogram of component sizes over eigenvectors of eigenvalues below xmin (vectors)." => |r| vectors(r, false, |s| s.vec_entropy.0);
    "bulk_mean_loc_ratio", reference, requested: "Mean of ‖v‖₁ / ‖v‖_∞ over eigenvectors of eigenvalues below xmin (vectors)." => |r| vectors(r, false, |s| s.loc_ratio.0);
    "bulk_mean_part_ratio", reference, requested: "Mean of ‖v‖₂ / ‖v‖₄ over eigenvectors of eigenvalues below xmin (vectors)." => |r| vectors(r, false, |s| s.part_ratio.0);
    "bulk_var_vec_entropy", reference, requested: "Variance of the entropy of the 100-bin histogram of component sizes over eigenvectors of eigenvalues below xmin (vectors)." => |r| vectors(r, false, |s| s.vec_entropy.1);
    "bulk_var_loc_ratio", reference, requested: "Variance of ‖v‖₁ / ‖v‖_∞ over eigenvectors of eigenvalues below xmin (vectors)." => |r| vectors(r, false, |s| s.loc_ratio.1);
    "bulk_var_part_ratio", reference, requested: "Variance of ‖v‖₂ / ‖v‖₄ over eigenvectors of eigenvalues below xmin (vectors)." => |r| vectors(r, false, |s| s.part_ratio.1);
    "bulk_mean_ipr", requested: "Mean inverse participation ratio Σ v⁴ of the same: about 3 / M for random vectors." => |r| vectors(r, false, |s| s.ipr);
    "tail_mean_vec_entropy", reference, requested: "Mean of the entropy of the 100-bin histogram of component sizes over eigenvectors of eigenvalues at or above xmin (vectors)." => |r| vectors(r, true, |s| s.vec_entropy.0);
    "tail_mean_loc_ratio", reference, requested: "Mean of ‖v‖₁ / ‖v‖_∞ over eigenvectors of eigenvalues at or above xmin (vectors)." => |r| vectors(r, true, |s| s.loc_ratio.0);
    "tail_mean_part_ratio", reference, requested: "Mean of ‖v‖₂ / ‖v‖₄ over eigenvectors of eigenvalues at or above xmin (vectors)." => |r| vectors(r, true, |s| s.part_ratio.0);
    "tail_var_vec_entropy", reference, requested: "Variance of the entropy of the 100-bin histogram of component sizes over eigenvectors of eigenvalues at or above xmin (vectors)." => |r| vectors(r, true, |s| s.vec_entropy.1);
    "tail_var_loc_ratio", reference, requested: "Variance of ‖v‖₁ / ‖v‖_∞ over eigenvectors of eigenvalues at or above xmin (vectors)." => |r| vectors(r, true, |s| s.loc_ratio.1);
    "tail_var_part_ratio", reference, requested: "Variance of ‖v‖₂ / ‖v‖₄ over eigenvectors of eigenvalues at or above xmin (vectors)." => |r| vectors(r, true, |s| s.part_ratio.1);
    "tail_mean_ipr", requested: "Mean inverse participation ratio Σ v⁴ of the same: about 3 / M for random vectors." => |r| vectors(r, true, |s| s.ipr);
    "estimate", requested: "How the spectrum was estimated: top K, windows SIDE, density STEPS, or unchanged (the numbers are those of an earlier analysis of nearly the same weights)." => |r| r.estimate.as_ref().map_or(Value::Null, |e| text(&*e.how));
    "estimate_error", requested: "How far off that may be. top: the largest bound on an eigenvalue, relative to it; unchanged: the bound on every singular value, relative to sv_max; windows: standard error of alpha (jackknife over groups of windows); density: that over random vectors, with what the quadrature leaves open." => |r| r.estimate.as_ref().and_then(|e| e.error).into_value();
    "estimator", optional: "What gave alpha: mle, mle-small-n (fewer than 20 values), mle-small-n-all (fewer than 8), mle-bounded (xmax forced), mle-ranged (xmin near the peak), mle-truncated (TPL), hill (xmin at a fixed rank)." => |r| r.provenance.and_then(|p| p.estimator).map_or(Value::Null, |e| text(e.to_string()));
    "method", optional: "gram: eigenvalues of the Gram matrix; svd: squared singular values, because the smallest were below what a Gram matrix can hold; krylov: the largest only; lanczos: a density." => |r| r.provenance.map_or(Value::Null, |p| text(p.method.to_string()));
    "precision", optional: "Arithmetic of the spectrum: f64 or f32." => |r| r.provenance.map_or(Value::Null, |p| text(p.precision.name()));
    "conv_mode", optional: "How a convolution became matrices: slices-pooled, slices, flatten or fft (the operator on images)." => |r| r.provenance.and_then(|p| p.conv_mode.map(|m| (m, r.slice_id))).map_or(Value::Null, |(m, slice)| text(m.describe(slice.is_none())));
    "fft_size", requested: "Side of the square periodic image that the convolution is an operator on (conv_mode fft)." => |r| r.provenance.and_then(|p| p.fft_size).into_value();
    "scale", optional: "What the squared singular values of the stored weights were multiplied by: 0.5 for convolution slices, (N + M) rf / 2 with glorot_fix, else 1." => |r| r.provenance.map_or(Value::Null, |p| Value::Float(p.scale));
};

/// The column of that name.
pub fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|c| c.name == name)
}
