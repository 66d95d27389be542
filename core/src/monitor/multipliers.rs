//! From a metric of every layer to a factor on its learning rate or weight decay: the published assignment functions.
//!
//! s is the metric of a layer (alpha, unless another column is named), over the L layers that have one. Larger s, larger factor, unless
//! inverted. The names are those of TempBalance, FARMS, AlphaDecay, ModelBalancing and LLR.

use super::{MonitorError, TensorRole};
use crate::analysis::{Value, column};

/// How factors follow from the metric. Names and defaults are the papers'.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Assignment {
    /// `tb_linear_map`: from `min` for the smallest s to `max` for the largest, linearly. TempBalance 0.5 to 1.5, FARMS 0.1 to 1.9,
    /// LLR 1 to 5, AlphaDecay (weight decay) 0.6666 to 5.
    LinearMap {
        /// Factor of the smallest s.
        min: f64,
        /// Factor of the largest s.
        max: f64,
    },
    /// `tb_sqrt`: √s L / Σ√s.
    Sqrt,
    /// `tb_log2`: log2 s L / Σ log2 s.
    Log2,
    /// `tb_step`: `min + (max - min) rank / L`, rank 0 for the smallest s; equal s in submit order.
    Step {
        /// Factor of the smallest s.
        min: f64,
        /// What the factors stay below.
        max: f64,
    },
    /// `tb_std_sigmoid` of ModelBalancing: 10^(c (1 / (1 + exp(-t (s - mean))) - 1/2)); c is `above` for s above the mean, `below`
    /// else.
    StdSigmoid {
        /// c above the mean; 0.25 in the paper.
        above: f64,
        /// c below it; 0.25 in the paper.
        below: f64,
        /// The steepness t.
        steepness: f64,
    },
    /// `sigmoid` of AlphaDecay and LLR: 2 / (1 + exp(-a z)), z = (s - mean) / (sd + 1e-8), sd the population's; a is 4 in the papers.
    Sigmoid {
        /// The steepness a.
        steepness: f64,
    },
}

impl Assignment {
    /// TempBalance's own range of [`Assignment::LinearMap`].
    pub const TEMP_BALANCE: Assignment = Assignment::LinearMap { min: 0.5, max: 1.5 };
    /// LLR's range.
    pub const LLR: Assignment = Assignment::LinearMap { min: 1.0, max: 5.0 };
    /// AlphaDecay's range, for weight decay.
    pub const ALPHA_DECAY: Assignment = Assignment::LinearMap { min: 0.6666, max: 5.0 };

    /// A factor for each s. One layer, or all s equal, gives 1 where the formula is 0/0; what is negative or not finite
    /// comes out as 1.
    pub fn apply(self, s: &[f64]) -> Vec<f64> {
        let count = s.len() as f64;
        let average = s.iter().sum::<f64>() / count;
        let share = |f: fn(f64) -> f64| -> Vec<f64> {
            let total: f64 = s.iter().map(|v| f(*v)).sum();
            s.iter().map(|v| f(*v) / total * count).collect()
        };
        let factors: Vec<f64> = match self {
            Assignment::LinearMap { min, max } => {
                let low = s.iter().copied().fold(f64::INFINITY, f64::min);
                let high = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                s.iter().map(|v| min + (max - min) * (v - low) / (high - low)).collect()
            }
            Assignment::Sqrt => share(f64::sqrt),
            Assignment::Log2 => share(f64::log2),
            Assignment::Step { min, max } => {
                let mut order: Vec<usize> = (0..s.len()).collect();
                order.sort_by(|&a, &b| s[a].total_cmp(&s[b]));
                let mut out = vec![1.0; s.len()];
                for (rank, &place) in order.iter().enumerate() {
                    out[place] = min + (max - min) * rank as f64 / count;
                }
                out
            }
            Assignment::StdSigmoid { above, below, steepness } => s
                .iter()
                .map(|v| {
                    let c = if *v > average { above } else { below };
                    10f64.powf(c * (logistic(steepness * (v - average)) - 0.5))
                })
                .collect(),
            Assignment::Sigmoid { steepness } => {
                let sd = (s.iter().map(|v| (v - average).powi(2)).sum::<f64>() / count).sqrt();
                s.iter().map(|v| 2.0 * logistic(steepness * (v - average) / (sd + 1e-8))).collect()
            }
        };
        factors.into_iter().map(|f| if f.is_finite() && f >= 0.0 { f } else { 1.0 }).collect()
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Which metric the factors follow, and for which layers.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiplierOptions {
    /// The function.
    pub assignment: Assignment,
    /// The column s is read from; `alpha` by default.
    pub metric: String,
    /// Whose metric: the weights', the gradients' or the momenta's.
    pub role: TensorRole,
    /// Smaller s, larger factor: the function sees -s mirrored about the middle of its range, so that its formula still applies.
    pub inverted: bool,
    /// Layers with fewer eigenvalues get 1; 50 in the published code.
    pub min_evals: usize,
    /// The first layer gets 1.
    pub skip_first: bool,
    /// The last layer gets 1.
    pub skip_last: bool,
}

impl Default for MultiplierOptions {
    fn default() -> Self {
        MultiplierOptions {
            assignment: Assignment::TEMP_BALANCE,
            metric: "alpha".to_owned(),
            role: TensorRole::Weight,
            inverted: false,
            min_evals: 50,
            skip_first: false,
            skip_last: false,
        }
    }
}

/// One factor for each of `names`, by the layers' latest rows; 1 for those without the metric.
pub(super) fn multipliers(
    names: &[String],
    report: Option<&super::EpochReport>,
    options: &MultiplierOptions,
) -> Result<Vec<f64>, MonitorError> {
    let unknown = || MonitorError::NoColumn(options.metric.clone());
    let column = column(&options.metric).ok_or_else(unknown)?;
    let mut factors = vec![1.0; names.len()];
    let Some(report) = report else { return Ok(factors) };
    let mut known = std::collections::HashMap::new();
    for layer in report.layers.iter().filter(|l| l.role == options.role) {
        let mut values = Vec::new();
        for row in &layer.rows {
            match column.value(row) {
                Value::Text(_) | Value::Bool(_) => return Err(unknown()),
                value => values.extend(value.as_f64()),
            }
        }
        let evals: usize = layer.rows.iter().filter_map(crate::analysis::Row::all_evals).sum();
        if let Some(s) = super::history::mean(values.into_iter()).filter(|_| evals >= options.min_evals) {
            known.insert(layer.name.as_str(), s);
        }
    }
    let mut places: Vec<(usize, f64)> =
        names.iter().enumerate().filter_map(|(i, name)| Some((i, *known.get(name.as_str())?))).collect();
    if options.skip_last {
        places.pop();
    }
    if options.skip_first && !places.is_empty() {
        places.remove(0);
    }
    let mut s: Vec<f64> = places.iter().map(|(_, s)| *s).collect();
    if options.inverted {
        let low = s.iter().copied().fold(f64::INFINITY, f64::min);
        let high = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        s.iter_mut().for_each(|v| *v = low + high - *v);
    }
    for ((place, _), factor) in places.iter().zip(options.assignment.apply(&s)) {
        factors[*place] = factor;
    }
    Ok(factors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_those_of_the_papers_code() {
        // By numpy, from the formulas of the published code.
        let s = [2.5, 4.0, 3.1, 6.2];
        let check = |assignment: Assignment, expected: [f64; 4]| {
            let found = assignment.apply(&s);
            let close = found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-14);
            assert!(close, "{assignment:?}: {found:?}");
        };
        check(Assignment::TEMP_BALANCE, [0.5, 0.9054054054054054, 0.6621621621621622, 1.5]);
        check(
            Assignment::Sqrt,
            [0.8075480692010367, 1.0214764874986186, 0.899247472193945, 1.2717279711063996],
        );
        check(
            Assignment::Log2,
            [0.6969929618080754, 1.0545096431549312, 0.8606212867297639, 1.3878761083072295],
        );
        check(Assignment::Step { min: 0.5, max: 1.5 }, [0.5, 1.0, 0.75, 1.25]);
        check(
            Assignment::StdSigmoid { above: 0.25, below: 0.4, steepness: 2.0 },
            [0.6620052372368875, 1.0144830538293417, 0.7274214546427024, 1.325114067013082],
        );
        check(
            Assignment::Sigmoid { steepness: 4.0 },
            [0.03166568529586978, 1.0710818041826242, 0.16319095861870642, 1.9967093466460901],
        );
    }

    #[test]
    fn where_a_formula_has_no_answer_the_factor_is_one() {
        assert_eq!(Assignment::TEMP_BALANCE.apply(&[3.0, 3.0]), [1.0, 1.0]);
        assert_eq!(Assignment::TEMP_BALANCE.apply(&[3.0]), [1.0]);
        assert_eq!(Assignment::Log2.apply(&[1.0, 1.0]), [1.0, 1.0]);
        assert_eq!(Assignment::Sqrt.apply(&[-1.0, 4.0]), [1.0, 1.0]);
        assert_eq!(Assignment::Sigmoid { steepness: 4.0 }.apply(&[3.0]), [1.0]);
        assert_eq!(Assignment::LLR.apply(&[]), [0.0; 0]);
    }
}
