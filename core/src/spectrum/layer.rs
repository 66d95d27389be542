//! A layer: the spectra of its matrices, apart or pooled.

use super::{Method, Precision, Solver, SpectrumError, eigenvalues};
use crate::matrix::MatrixView;

/// The spectrum of one matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSpectrum {
    /// N, the larger side.
    pub n: usize,
    /// M, the smaller side.
    pub m: usize,
    /// λ = σ², ascending, after scaling.
    pub eigenvalues: Vec<f64>,
    /// How they were found.
    pub method: Method,
}

impl MatrixSpectrum {
    /// Leaves out all but so many of the largest.
    pub(crate) fn keep_largest(&mut self, count: Option<usize>) {
        let surplus = self.eigenvalues.len().saturating_sub(count.unwrap_or(usize::MAX));
        self.eigenvalues.drain(..surplus);
    }
}

/// The pooled spectrum of a layer's matrices.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSpectrum {
    /// All λ, ascending; 1/λ in an analysis of inverses.
    pub eigenvalues: Vec<f64>,
    /// One for each matrix, in order.
    pub parts: Vec<MatrixSpectrum>,
}

impl LayerSpectrum {
    /// The largest eigenvalue; 0 when there is none.
    pub fn lambda_max(&self) -> f64 {
        self.eigenvalues.last().copied().unwrap_or(0.0)
    }

    /// SVD when any matrix needed it.
    pub fn method(&self) -> Method {
        let svd = self.parts.iter().any(|p| p.method == Method::Svd);
        if svd { Method::Svd } else { Method::Gram }
    }

    /// Pools spectra.
    pub fn pooled(parts: Vec<MatrixSpectrum>) -> Self {
        let mut eigenvalues: Vec<f64> = parts.iter().flat_map(|p| p.eigenvalues.iter().copied()).collect();
        eigenvalues.sort_by(f64::total_cmp);
        LayerSpectrum { eigenvalues, parts }
    }
}

/// The spectra of all `views`, each eigenvalue multiplied by `scale` (the square of what multiplies the weights).
pub fn layer_spectrum(
    views: &[MatrixView],
    scale: f64,
    precision: Precision,
    solver: Solver,
    threads: usize,
) -> Result<Vec<MatrixSpectrum>, SpectrumError> {
    let spectrum = |view: &MatrixView| {
        let (mut values, method) = eigenvalues(view, precision, solver, threads)?;
        values.iter_mut().for_each(|v| *v *= scale);
        Ok(MatrixSpectrum { n: view.rows(), m: view.cols(), eigenvalues: values, method })
    };
    views.iter().map(spectrum).collect()
}
