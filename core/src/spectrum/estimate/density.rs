//! The density of the eigenvalues of `WᵀW` by stochastic Lanczos quadrature: Ubaru, Chen, Saad, "Fast estimation of tr(f(A)) via stochastic Lanczos
//! quadrature" (2017). Chen, Trogdon and Ubaru (arXiv 2105.06595) say how fast it converges to the distribution of the eigenvalues.

use eigenscope_linalg::{Square, eigenpairs};

use super::krylov::normal_product;
use super::{dot, jackknife};
use crate::matrix::MatrixView;
use crate::spectrum::{Rng, SpectrumError};

/// Random vectors, each of which gives a quadrature of its own.
const PROBES: usize = 8;

/// Nodes, ascending, and their weights.
type Nodes = Vec<(f64, f64)>;

/// A density as weights on nodes.
#[derive(Clone, Debug)]
pub struct Density {
    /// Of each probe: the quadrature of each matrix, nodes ascending with weights that sum up to 1.
    probes: Vec<Vec<Nodes>>,
    /// The largest eigenvalue as far as it was found, and the residual of its vector: an eigenvalue is at most so far away.
    pub largest: (f64, f64),
}

/// A Hill fit of the upper half of a density.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpperHalf {
    /// `1 + 1 / mean of ln(λ / median)` over the eigenvalues from the median on.
    pub alpha: f64,
    /// The median.
    pub median: f64,
}

/// Lanczos of `steps` steps with each of eight random vectors at once, so that W is read once for a step.
pub fn density(view: &MatrixView, steps: usize, seed: u64, threads: usize) -> Result<Density, SpectrumError> {
    let m = view.cols();
    let steps = steps.clamp(1, m.max(1));
    let mut rng = Rng::new(seed);
    let entry = (m as f64).powf(-0.5);
    let mut probe = || Probe::new((0..m).map(|_| if rng.below(2) == 0 { entry } else { -entry }).collect());
    let mut probes: Vec<Probe> = (0..PROBES).map(|_| probe()).collect();
    for _ in 0..steps {
        let open: Vec<usize> = (0..PROBES).filter(|k| !probes[*k].complete()).collect();
        if open.is_empty() {
            break;
        }
        let columns: Vec<f64> = open.iter().flat_map(|k| probes[*k].latest().iter().copied()).collect();
        let images = normal_product(view, &columns, threads);
        for (k, image) in open.into_iter().zip(images.chunks_exact(m)) {
            if image.iter().any(|v| !v.is_finite()) {
                return Err(SpectrumError::NonFinite);
            }
            probes[k].step(image.to_vec());
        }
    }
    let mut largest = (0.0, 0.0);
    let mut nodes = Vec::with_capacity(PROBES);
    for probe in &probes {
        let (of_probe, top, residual) = probe.nodes()?;
        if top > largest.0 {
            largest = (top, residual);
        }
        nodes.push(of_probe);
    }
    Ok(Density { probes: nodes.into_iter().map(|n| vec![n]).collect(), largest })
}

impl Density {
    /// Of several matrices with as many columns each.
    pub fn pooled(all: &[Density]) -> Density {
        let probe = |k: usize| all.iter().flat_map(|d| d.probes[k].iter().cloned()).collect();
        let largest = all.iter().map(|d| d.largest).fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
        Density { probes: (0..PROBES).map(probe).collect(), largest }
    }

    /// All nodes, ascending, the probes with equal weights.
    pub fn nodes(&self) -> Nodes {
        let share = 1.0 / self.probes.iter().map(Vec::len).sum::<usize>() as f64;
        let mut all: Nodes = self.probes.iter().flatten().flatten().map(|(x, w)| (*x, w * share)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all
    }

    /// The share of the eigenvalues up to `x`, and its standard error over the probes.
    pub fn share_up_to(&self, x: f64) -> (f64, f64) {
        let each: Vec<f64> = self.curves(&[x.ln()], 0.5).iter().map(|curve| curve[0]).collect();
        let n = each.len() as f64;
        let mean = each.iter().sum::<f64>() / n;
        let square: f64 = each.iter().map(|v| (v - mean).powi(2)).sum();
        (mean, (square / (n * (n - 1.0))).sqrt())
    }

    /// The fit, and how far off its alpha may be: the standard error over the probes (jackknife), and what the quadrature leaves open, taken together as
    /// independent errors are. The latter is the difference between the alphas of the largest and of the smallest distribution function
    /// that the nodes allow, which is no strict bound on that of alpha, and falls as steps are added. `None` where the upper half is a single value.
    pub fn upper_half(&self) -> Option<(UpperHalf, f64)> {
        let floor = self.floor();
        let nodes = self.probes.iter().flatten().flatten();
        let mut at: Vec<f64> = nodes.filter(|n| n.0 > floor).map(|n| n.0.ln()).collect();
        at.sort_by(f64::total_cmp);
        at.dedup();
        let mean = |curves: &[Vec<f64>], without: Option<usize>| -> Vec<f64> {
            let kept = || curves.iter().enumerate().filter(|(k, _)| Some(*k) != without);
            let share = 1.0 / kept().count() as f64;
            (0..at.len()).map(|i| kept().map(|(_, c)| c[i]).sum::<f64>() * share).collect()
        };
        let curves = self.curves(&at, 0.5);
        let fit = upper_half(&at, &mean(&curves, None))?;
        let without = |k| Some(upper_half(&at, &mean(&curves, Some(k)))?.alpha);
        let spread = jackknife(&(0..curves.len()).map(without).collect::<Option<Vec<f64>>>()?);
        let limit = |side| Some(upper_half(&at, &mean(&self.curves(&at, side), None))?.alpha);
        let open = limit(1.0)? - limit(0.0)?;
        Some((fit, spread.hypot(open)))
    }

    /// Eigenvalues up to here are rounding errors of zeros.
    fn floor(&self) -> f64 {
        1e-14 * self.largest.0
    }

    /// Of each probe the distribution function at these ln λ, ascending. At a node it lies between the sum of the weights before and that sum with
    /// its own weight (Chebyshev, Markov and Stieltjes; Szego, "Orthogonal Polynomials", section 3.41): `side` is where, from 0 to 1. Between nodes
    /// it is taken to be linear in ln λ, as a power law nearly is, which without steps at the nodes needs far fewer of them.
    fn curves(&self, at: &[f64], side: f64) -> Vec<Vec<f64>> {
        let of_probe = |probe: &Vec<Nodes>| {
            let mut sum = vec![0.0; at.len()];
            for nodes in probe {
                add_curve(nodes, self.floor(), side, at, &mut sum);
            }
            sum.iter_mut().for_each(|s| *s /= probe.len() as f64);
            sum
        };
        self.probes.iter().map(of_probe).collect()
    }
}

fn add_curve(nodes: &Nodes, floor: f64, side: f64, at: &[f64], sum: &mut [f64]) {
    let total: f64 = nodes.iter().map(|n| n.1).sum();
    let mut below = 0.0;
    let mut curve = Vec::with_capacity(nodes.len() + 1);
    let mut zeros = 0.0;
    for (x, weight) in nodes {
        if *x > floor {
            curve.push((x.ln(), (below + side * weight) / total));
        } else {
            zeros = (below + weight) / total;
        }
        below += weight;
    }
    let mut next = 0;
    for (x, sum) in at.iter().zip(sum) {
        while next < curve.len() && curve[next].0 <= *x {
            next += 1;
        }
        *sum += match (next.checked_sub(1).map(|k| curve[k]), curve.get(next)) {
            (None, _) => zeros,
            (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0),
            // The largest node itself, or beyond it.
            (Some(a), None) => {
                if a.0 == *x {
                    a.1
                } else {
                    1.0
                }
            }
        };
    }
}

/// From the distribution function at these ln λ: the mean of `ln(λ / median)` above the median is its complement's integral over ln λ.
fn upper_half(at: &[f64], curve: &[f64]) -> Option<UpperHalf> {
    let first = curve.iter().position(|f| *f >= 0.5).filter(|k| *k > 0)?;
    let part = (0.5 - curve[first - 1]) / (curve[first] - curve[first - 1]);
    let median = at[first - 1] + part * (at[first] - at[first - 1]);
    let (mut x, mut above, mut integral) = (median, 0.5, 0.0);
    for (next, f) in at[first..].iter().zip(&curve[first..]) {
        integral += 0.5 * (above + 1.0 - f) * (next - x);
        (x, above) = (*next, 1.0 - f);
    }
    let alpha = 1.0 + 0.5 / integral;
    alpha.is_finite().then_some(UpperHalf { alpha, median: median.exp() })
}

/// One Lanczos recurrence, with full reorthogonalisation.
struct Probe {
    m: usize,
    basis: Vec<f64>,
    diagonal: Vec<f64>,
    below: Vec<f64>,
}

impl Probe {
    fn new(start: Vec<f64>) -> Self {
        Probe { m: start.len(), basis: start, diagonal: Vec::new(), below: Vec::new() }
    }

    fn latest(&self) -> &[f64] {
        &self.basis[self.basis.len() - self.m..]
    }

    /// Whether the space holds all eigenvectors that the start has parts of.
    fn complete(&self) -> bool {
        self.below.last() == Some(&0.0)
    }

    fn step(&mut self, mut image: Vec<f64>) {
        let before = dot(&image, &image).sqrt();
        self.diagonal.push(dot(self.latest(), &image));
        for _ in 0..2 {
            for u in self.basis.chunks_exact(self.m) {
                let along = dot(u, &image);
                image.iter_mut().zip(u).for_each(|(w, u)| *w -= along * u);
            }
        }
        let length = dot(&image, &image).sqrt();
        if length <= 1e-13 * before || self.diagonal.len() == self.m {
            self.below.push(0.0);
        } else {
            self.below.push(length);
            self.basis.extend(image.iter().map(|x| x / length));
        }
    }

    /// Nodes and weights, the largest node and its residual.
    fn nodes(&self) -> Result<(Nodes, f64, f64), SpectrumError> {
        let k = self.diagonal.len();
        let mut small = Square::zeros(k);
        for i in 0..k {
            small.data_mut()[i * k + i] = self.diagonal[i];
            if i + 1 < k {
                small.data_mut()[i * k + i + 1] = self.below[i];
            }
        }
        let (values, vectors) = eigenpairs(&small, 1)?;
        let nodes = values.iter().zip(vectors.data().chunks_exact(k)).map(|(x, v)| (x.max(0.0), v[0] * v[0]));
        let residual = self.below[k - 1] * vectors.data()[k * k - 1].abs();
        Ok((nodes.collect(), values[k - 1], residual))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{XminRule, fit_hill};
    use crate::spectrum::{Precision, Solver, eigenvalues};
    use crate::tensor::Tensor;

    fn heavy(n: usize, m: usize) -> MatrixView {
        let mut rng = Rng::new(4);
        let scale: Vec<f64> = (0..m).map(|j| ((j + 1) as f64).powf(-0.6)).collect();
        let data: Vec<f64> = (0..n * m).map(|k| rng.normal() * scale[k % m]).collect();
        MatrixView::new(Tensor::from_f64(vec![n, m], &data).unwrap(), 1)
    }

    #[test]
    fn the_distribution_lies_within_a_few_standard_errors_of_the_whole_spectrum() {
        let w = heavy(800, 500);
        let exact = eigenvalues(&w, Precision::F64, Solver::Native, 1).unwrap().0;
        let found = density(&w, 60, 1, 1).unwrap();
        assert!((found.nodes().iter().map(|n| n.1).sum::<f64>() - 1.0).abs() < 1e-12);
        for k in (10..500).step_by(35) {
            // Between two eigenvalues.
            let x = 0.5 * (exact[k - 1] + exact[k]);
            let (share, error) = found.share_up_to(x);
            let truth = k as f64 / 500.0;
            assert!((share - truth).abs() < 5.0 * error + 0.01, "{k}: {share} {truth} {error}");
        }
        let largest = exact[499];
        assert!((found.largest.0 / largest - 1.0).abs() < 1e-9 && found.largest.1 < 1e-4 * largest);
        let hill = fit_hill(&exact, XminRule::Median).unwrap().alpha;
        let (fit, error) = found.upper_half().unwrap();
        assert!((fit.alpha - hill).abs() < error && error < 0.1, "{} {hill} {error}", fit.alpha);
    }

    #[test]
    fn as_many_steps_as_columns_give_every_eigenvalue() {
        let w = heavy(40, 12);
        let exact = eigenvalues(&w, Precision::F64, Solver::Native, 1).unwrap().0;
        let nodes = density(&w, 100, 1, 1).unwrap().nodes();
        for x in exact {
            let weight: f64 = nodes.iter().filter(|n| (n.0 / x - 1.0).abs() < 1e-6).map(|n| n.1).sum();
            assert!(weight > 0.001, "{x}");
        }
    }

    #[test]
    fn zeros_have_no_tail_and_numbers_that_are_none_no_density() {
        let zero = MatrixView::new(Tensor::from_f64(vec![20, 10], &[0.0; 200]).unwrap(), 1);
        assert!(density(&zero, 8, 1, 1).unwrap().upper_half().is_none());
        let mut bad = vec![1.0; 200];
        bad[77] = f64::NAN;
        let bad = MatrixView::new(Tensor::from_f64(vec![20, 10], &bad).unwrap(), 1);
        assert_eq!(density(&bad, 8, 1, 1).unwrap_err(), SpectrumError::NonFinite);
    }
}
