//! The largest eigenvalues of `AᵀA` without the others: Lanczos with full reorthogonalisation, one pass over A a step.

use eigenscope_linalg::{Square, eigenpairs};

use crate::spectrum::Rng;

const LANES: usize = 8;

/// A dense matrix, row-major. Single precision halves the memory that every step streams.
#[derive(Clone, Copy, Debug)]
pub struct Dense<'a> {
    /// Columns.
    pub cols: usize,
    /// Rows one after the other.
    pub data: &'a [f32],
}

fn dot(a: &[f32], v: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (mut a8, mut v8) = (a.chunks_exact(LANES), v.chunks_exact(LANES));
    for (x, y) in (&mut a8).zip(&mut v8) {
        for k in 0..LANES {
            sums[k] += f64::from(x[k]) * y[k];
        }
    }
    let rest: f64 = a8.remainder().iter().zip(v8.remainder()).map(|(x, y)| f64::from(*x) * y).sum();
    sums.iter().sum::<f64>() + rest
}

fn dot64(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn subtract(w: &mut [f64], factor: f64, v: &[f64]) {
    w.iter_mut().zip(v).for_each(|(w, v)| *w -= factor * v);
}

impl Dense<'_> {
    /// `A v`.
    pub fn times(&self, v: &[f64]) -> Vec<f64> {
        self.data.chunks_exact(self.cols).map(|row| dot(row, v)).collect()
    }

    fn gram_times(&self, v: &[f64]) -> Vec<f64> {
        let mut w = vec![0.0; self.cols];
        for row in self.data.chunks_exact(self.cols) {
            let t = dot(row, v);
            w.iter_mut().zip(row).for_each(|(w, a)| *w += t * f64::from(*a));
        }
        w
    }
}

/// An approximate eigenpair of `AᵀA`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ritz {
    /// The eigenvalue, from below.
    pub value: f64,
    /// `‖AᵀA v - value v‖`: an eigenvalue is at most so far away.
    pub residual: f64,
}

/// The largest eigenpairs as far as they have been found.
#[derive(Debug)]
pub struct Lanczos<'a> {
    matrix: Dense<'a>,
    basis: Vec<Vec<f64>>,
    diagonal: Vec<f64>,
    below: Vec<f64>,
}

impl<'a> Lanczos<'a> {
    /// Starts from a random vector of that seed.
    pub fn new(matrix: Dense<'a>, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut v: Vec<f64> = (0..matrix.cols).map(|_| rng.normal()).collect();
        let length = dot64(&v, &v).sqrt();
        v.iter_mut().for_each(|x| *x /= length);
        Lanczos { matrix, basis: vec![v], diagonal: Vec::new(), below: Vec::new() }
    }

    /// Dimension of the space searched so far.
    pub fn steps(&self) -> usize {
        self.diagonal.len()
    }

    /// One more dimension; false where the space is exhausted.
    pub fn step(&mut self) -> bool {
        let k = self.steps();
        if k >= self.matrix.cols || self.basis.len() <= k {
            return false;
        }
        let v = &self.basis[k];
        let mut w = self.matrix.gram_times(v);
        self.diagonal.push(dot64(v, &w));
        let before = dot64(&w, &w).sqrt();
        // Twice is enough.
        for _ in 0..2 {
            for u in &self.basis {
                let along = dot64(u, &w);
                subtract(&mut w, along, u);
            }
        }
        let length = dot64(&w, &w).sqrt();
        if length > 1e-13 * before {
            w.iter_mut().for_each(|x| *x /= length);
            self.below.push(length);
            self.basis.push(w);
        } else {
            self.below.push(0.0);
        }
        true
    }

    fn small(&self) -> Option<(Vec<f64>, Square<f64>)> {
        let k = self.steps();
        let mut t = Square::zeros(k);
        for i in 0..k {
            t.data_mut()[i * k + i] = self.diagonal[i];
            if i + 1 < k {
                t.data_mut()[i * k + i + 1] = self.below[i];
            }
        }
        eigenpairs(&t, 1).ok()
    }

    /// The eigenvalues, largest first.
    pub fn ritz(&self) -> Vec<Ritz> {
        let Some((values, vectors)) = self.small() else { return Vec::new() };
        let (k, last) = (values.len(), self.below.last().copied().unwrap_or(0.0));
        let of = |i: usize| Ritz { value: values[i], residual: (last * vectors.data()[i * k + k - 1]).abs() };
        (0..k).rev().map(of).collect()
    }

    /// Unit eigenvectors of the `count` largest, in the order of [`ritz`](Self::ritz).
    pub fn vectors(&self, count: usize) -> Vec<Vec<f64>> {
        let Some((values, vectors)) = self.small() else { return Vec::new() };
        let k = values.len();
        let of = |i: usize| {
            let mut v = vec![0.0; self.matrix.cols];
            for (weight, u) in vectors.data()[i * k..(i + 1) * k].iter().zip(&self.basis) {
                subtract(&mut v, -weight, u);
            }
            v
        };
        (0..k).rev().take(count).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_eigenvalues_and_vectors_are_found() {
        // A diagonal matrix over zeros: eigenvalues 1, 4, 9, ... 400.
        let (rows, cols) = (30, 20);
        let mut data = vec![0.0f32; rows * cols];
        (0..cols).for_each(|j| data[j * cols + j] = (j + 1) as f32);
        let mut lanczos = Lanczos::new(Dense { cols, data: &data }, 1);
        while lanczos.step() {}
        assert_eq!(lanczos.steps(), cols);
        for (k, ritz) in lanczos.ritz().iter().enumerate() {
            assert!((ritz.value - ((cols - k) as f64).powi(2)).abs() < 1e-9, "{ritz:?}");
        }
        let vector = lanczos.vectors(2).remove(1);
        assert!((vector[cols - 2].abs() - 1.0).abs() < 1e-9 && vector[0].abs() < 1e-9);
    }
}
