//! The eigenvalues of one layer, as analysis finds them, and the matrices they are of.

use super::matrices::{Matrices, matrices, parts, pooled_spectrum};
use super::schedule::WORTH_SHARING;
use super::{Engine, LayerPlan, Options};
use crate::matrix::{MatrixView, unfold};
use crate::source::{OpenModel, SourceError};
use crate::spectrum::LayerSpectrum;
use crate::tensor::Tensor;

/// The spectra of a layer.
#[derive(Clone, Debug)]
pub struct Esd {
    /// What the squared singular values of the stored weights were multiplied by.
    pub scale: f64,
    /// One for the whole layer, or one for each of its matrices where they are not pooled.
    pub spectra: Vec<LayerSpectrum>,
}

/// Why a layer has no spectrum.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EsdError {
    /// It is no layer, or options leave it out.
    #[error("'{0}' has no spectrum: {1}")]
    Skipped(String, String),
    /// It could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Its numbers have none.
    #[error("'{0}' has no spectrum: {1}")]
    Spectrum(String, String),
}

impl Engine {
    /// The eigenvalues behind the rows of one layer of a plan made with the same options: the numbers that analysis fits, to the bit
    /// where one thread solves the layer there and here.
    pub fn esd(&self, model: &OpenModel, layer: &LayerPlan, options: &Options) -> Result<Esd, EsdError> {
        let none = |why: String| EsdError::Spectrum(layer.longname.clone(), why);
        not_skipped(layer)?;
        let parts = parts(model.file.as_ref(), layer, options).map_err(none)?;
        let info = &model.file.tensors()[layer.index];
        let found = self.install(|threads| {
            let threads = if layer.cost > WORTH_SHARING { threads } else { 1 };
            matrices(layer, &parts, options, threads)
        });
        let Matrices { spectra, scale, pooled, .. } = found.map_err(none)?;
        let of = |spectra| pooled_spectrum(spectra, options, info);
        let spectra =
            if pooled { vec![of(spectra)] } else { spectra.into_iter().map(|part| of(vec![part])).collect() };
        Ok(Esd { scale, spectra })
    }

    /// The matrices of one layer, N x M, whose spectra [`esd`](Self::esd) gives. Nothing is multiplied by a scale here.
    pub fn matrices(
        &self,
        model: &OpenModel,
        layer: &LayerPlan,
        options: &Options,
    ) -> Result<Vec<MatrixView>, EsdError> {
        let views = unfold(&read(model, layer)?, &layer.unfolding).into_iter();
        Ok(views.map(|v| v.rounded_to_single(options.conventions.round_to_single)).collect())
    }
}

fn not_skipped(layer: &LayerPlan) -> Result<(), EsdError> {
    match &layer.skip {
        Some(why) => Err(EsdError::Skipped(layer.longname.clone(), why.clone())),
        None => Ok(()),
    }
}

fn read(model: &OpenModel, layer: &LayerPlan) -> Result<Tensor, EsdError> {
    not_skipped(layer)?;
    let tensor = model.file.read(layer.index)?;
    let listed = &model.file.tensors()[layer.index].shape;
    if tensor.shape() != listed {
        let found = tensor.shape();
        let why = format!("the loader read shape {found:?} where it had listed {listed:?}");
        return Err(EsdError::Spectrum(layer.longname.clone(), why));
    }
    Ok(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{EngineOptions, Plan, Quiet};
    use crate::source::MemoryModel;
    use crate::spectrum::Rng;

    fn model() -> OpenModel {
        let mut rng = Rng::new(3);
        let conv: Vec<f64> = (0..12 * 9 * 4).map(|_| rng.normal()).collect();
        MemoryModel::new()
            .with("conv.weight", Tensor::from_f64(vec![12, 9, 2, 2], &conv).unwrap())
            .with("norm.weight", Tensor::from_f64(vec![9], &[1.0; 9]).unwrap())
            .with("bad.weight", Tensor::from_f64(vec![9, 9], &[f64::NAN; 81]).unwrap())
            .open("memory")
    }

    #[test]
    fn the_eigenvalues_are_those_that_the_rows_are_made_of() {
        let (model, engine) = (model(), Engine::new(EngineOptions::threads(1)).unwrap());
        for pool in [true, false] {
            let options = Options { pool, ..Options::default() };
            let plan = Plan::new(model.file.as_ref(), &options).unwrap();
            let esd = engine.esd(&model, &plan.layers[0], &options).unwrap();
            let report = engine.analyze(&model, &options, &Quiet).unwrap();
            let rows: Vec<_> = report.layers.iter().filter(|r| r.name == "conv").collect();
            let matrices = engine.matrices(&model, &plan.layers[0], &options).unwrap();
            assert_eq!((esd.spectra.len(), matrices.len()), (if pool { 1 } else { 4 }, 4));
            for (spectrum, row) in esd.spectra.iter().zip(&rows) {
                assert_eq!(Some(spectrum.eigenvalues.len()), row.num_evals);
                assert_eq!(Some(spectrum.lambda_max()), row.lambda_max);
                assert_eq!(Some(spectrum.eigenvalues.iter().sum::<f64>()), row.norm);
            }
            assert_eq!(rows.len(), esd.spectra.len());
            let squares: f64 = matrices.iter().flat_map(|v| v.to_array().into_iter()).map(|w| w * w).sum();
            let total: f64 = rows.iter().filter_map(|r| r.norm).sum();
            assert!((esd.scale * squares / total - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_layer_without_a_spectrum_says_why() {
        let (model, engine) = (model(), Engine::new(EngineOptions::threads(1)).unwrap());
        let options = Options::default();
        let plan = Plan::new(model.file.as_ref(), &options).unwrap();
        let why = |layer: usize| engine.esd(&model, &plan.layers[layer], &options).unwrap_err().to_string();
        assert_eq!(why(1), "'norm.weight' has no spectrum: norm layer");
        assert_eq!(why(2), "'bad.weight' has no spectrum: contains 81 NaN, first at [0,0]");
        assert!(engine.matrices(&model, &plan.layers[1], &options).is_err());
    }
}
