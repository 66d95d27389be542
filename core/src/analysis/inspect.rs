//! What a row was made of, for whoever draws it.

use std::ops::Range;

use super::layer::fitted;
use super::options::{Fit, FixFingers, Options, Xmax};
use super::report::Row;
use super::requested::{MpColumns, mp_columns};
use crate::fit::{Candidate, XminRule, power_law_candidates, truncated_candidates};
use crate::metrics::VectorMeasures;
use crate::rmt::Ensemble;
use crate::spectrum::LayerSpectrum;

/// The spectrum behind a row, and what else its columns were computed from.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The row. Not every layer with a spectrum has a fit.
    pub row: Row,
    /// Its eigenvalues, and those of each of its matrices.
    pub spectrum: LayerSpectrum,
    /// Which of the eigenvalues the fit was given; empty where it refused them.
    pub fitted: Range<usize>,
    /// The spectra of the weights in random order, where they were asked for.
    pub random: Vec<LayerSpectrum>,
    /// The eigenvectors, where they were asked for: a matrix's in ascending order of their eigenvalues, one matrix after the other.
    pub vectors: Vec<VectorMeasures>,
}

/// Shown every spectrum of an analysis, on the engine's threads, several at a time, in no order.
pub trait Inspector: Sync {
    /// Called once for every row that has a spectrum.
    fn inspect(&self, inspection: Inspection);
}

/// What columns on request were computed from.
#[derive(Default)]
pub(super) struct Made {
    pub random: Vec<LayerSpectrum>,
    pub vectors: Vec<VectorMeasures>,
}

impl Inspection {
    pub(super) fn new(row: &Row, spectrum: LayerSpectrum, made: Made, options: &Options) -> Self {
        let fitted = fitted(&spectrum.eigenvalues, spectrum.lambda_max(), options).unwrap_or(0..0);
        Inspection { row: row.clone(), spectrum, fitted, random: made.random, vectors: made.vectors }
    }

    /// The fits that xmin was chosen from by its least D, at most about `most` of them: alpha and D of the tail that begins at each.
    /// None where xmin was not scanned.
    pub fn candidates(&self, options: &Options, most: usize) -> Vec<Candidate> {
        let data = &self.spectrum.eigenvalues[self.fitted.clone()];
        let data = match self.row.xmax {
            // What fingers left.
            Some(xmax) => &data[..data.partition_point(|v| *v <= xmax)],
            None => data,
        };
        if options.xmin != XminRule::Scan {
            return Vec::new();
        }
        let bounded = options.effective_xmax() == Xmax::Force;
        if options.fit != Fit::PowerLaw && options.fix_fingers != FixFingers::ClipXmax {
            return truncated_candidates(data, bounded, most);
        }
        power_law_candidates(data, bounded || options.fix_fingers == FixFingers::XminPeak, bounded, most)
    }

    /// The Marchenko-Pastur law of the spectrum: the row's own, or fitted now. `None` where there is nothing to fit.
    pub fn bulk(&self, options: &Options) -> Option<MpColumns> {
        let ensemble = Ensemble {
            n: self.row.N.unwrap_or(0),
            m: self.row.M.unwrap_or(0),
            count: self.spectrum.parts.len(),
        };
        self.row.mp.or_else(|| mp_columns(&self.spectrum.eigenvalues, ensemble, options))
    }

    /// N and M of the row's matrices as random-matrix theory has them: the larger side first, whatever the conventions report.
    pub fn sides(&self) -> Option<(usize, usize)> {
        let (n, m) = (self.row.N?, self.row.M?);
        Some((n.max(m), n.min(m)))
    }
}
