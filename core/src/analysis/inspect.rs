//! What a row was made of, for whoever draws it.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

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

/// Keeps them all.
impl Inspector for Mutex<Vec<Inspection>> {
    fn inspect(&self, inspection: Inspection) {
        self.lock().unwrap_or_else(PoisonError::into_inner).push(inspection);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Engine, EngineOptions, Quiet};
    use crate::source::{MemoryModel, OpenModel};
    use crate::spectrum::Rng;
    use crate::tensor::Tensor;

    fn model() -> OpenModel {
        let mut rng = Rng::new(9);
        let mut noise = |count: usize| -> Vec<f64> { (0..count).map(|_| rng.normal()).collect() };
        MemoryModel::new()
            .with("conv.weight", Tensor::from_f64(vec![24, 20, 2, 2], &noise(24 * 20 * 4)).unwrap())
            .with("norm.weight", Tensor::from_f64(vec![9], &[1.0; 9]).unwrap())
            .with("bad.weight", Tensor::from_f64(vec![9, 9], &[f64::NAN; 81]).unwrap())
            .open("memory")
    }

    #[test]
    fn every_row_with_a_spectrum_is_shown_with_what_it_was_made_of() {
        let engine = Engine::new(EngineOptions::threads(2)).unwrap();
        for pool in [true, false] {
            let options =
                Options { pool, randomize: true, vectors: true, mp_fit: true, ..Options::default() };
            let kept = Mutex::<Vec<Inspection>>::default();
            let report = engine.inspect(&model(), &options, &Quiet, &kept).unwrap();
            assert_eq!(report.layers, engine.analyze(&model(), &options, &Quiet).unwrap().layers);
            let mut all = kept.into_inner().unwrap();
            all.sort_by_key(|i| i.row.slice_id);
            let rows: Vec<&Row> = report.layers.iter().filter(|r| r.name == "conv").collect();
            assert_eq!(all.iter().map(|i| &i.row).collect::<Vec<_>>(), rows);
            for i in &all {
                let random = i.row.random.as_ref().unwrap();
                assert_eq!((i.random.len(), Some(i.vectors.len())), (random.replicas, i.row.num_evals));
                let largest: f64 = i.random.iter().map(LayerSpectrum::lambda_max).sum();
                assert!((largest / i.random.len() as f64 / random.max_rand_eval.mean - 1.0).abs() < 1e-12);
                assert_eq!((Some(i.spectrum.lambda_max()), i.bulk(&options)), (i.row.lambda_max, i.row.mp));
                // Every candidate: the best of them is the fit.
                let best =
                    i.candidates(&options, 1000).into_iter().min_by(|a, b| a.d.total_cmp(&b.d)).unwrap();
                assert_eq!((Some(best.xmin), Some(best.d)), (i.row.xmin, i.row.D));
                assert_eq!(i.sides(), Some((24, 20)));
            }
        }
    }

    #[test]
    fn a_law_that_was_not_asked_for_is_fitted_when_it_is_looked_at() {
        let engine = Engine::new(EngineOptions::threads(1)).unwrap();
        let of = |options: &Options| {
            let kept = Mutex::<Vec<Inspection>>::default();
            engine.inspect(&model(), options, &Quiet, &kept).unwrap();
            kept.into_inner().unwrap().remove(0)
        };
        let plain = of(&Options::default());
        assert_eq!(plain.row.mp, None);
        let asked = of(&Options { mp_fit: true, ..Options::default() });
        assert_eq!(plain.bulk(&Options::default()), asked.row.mp);
        let hill = Options { xmin: XminRule::Median, ..Options::default() };
        assert!(of(&hill).candidates(&hill, 100).is_empty());
    }
}
