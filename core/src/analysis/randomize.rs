//! A layer beside its own weights in random order.

use super::Options;
use super::report::Row;
use super::requested::{Layer, MpColumns, ensemble, mp_columns, reference_traps};
use crate::matrix::MatrixView;
use crate::rmt::{Ensemble, Trap, count_above, count_traps, find_traps, vector_distance, wasserstein};
use crate::spectrum::{LayerSpectrum, SpectrumError, layer_spectrum, permuted, stream};

/// Mean over replicas and, of two or more, their standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Mean.
    pub mean: f64,
    /// Standard deviation of a single replica.
    pub sd: Option<f64>,
}

impl Moments {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        Moments { mean, sd: (values.len() > 1).then(|| (square / (n - 1.0)).sqrt()) }
    }
}

/// What shuffling the weights leaves of a spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // COLUMNS says what each is.
pub struct RandomColumns {
    pub replicas: usize,
    pub max_rand_eval: Moments,
    pub rand_distance: Moments,
    pub ww_softrank: Moments,
    pub ww_maxdist: Moments,
    pub rand_wasserstein: Moments,
    pub mp: Option<MpColumns>,
    pub num_traps: i64,
}

/// The first replica of comparisons under the reference's rule, which draws them apart.
const APART: usize = 1 << 32;

fn replica(
    name: &str,
    layer: &Layer<'_>,
    options: &Options,
    replica: usize,
) -> Result<LayerSpectrum, SpectrumError> {
    let mut parts = Vec::with_capacity(layer.views.len());
    for (k, view) in layer.views.iter().enumerate() {
        let shuffled = permuted(view, stream(options.seed, name, layer.slice + k, replica));
        parts.extend(layer_spectrum(
            &[shuffled],
            layer.scale,
            options.precision,
            options.solver,
            layer.threads,
        )?);
    }
    parts.iter_mut().for_each(|p| p.keep_largest(layer.keep));
    Ok(LayerSpectrum::pooled(parts))
}

/// The columns, and the spectra of the replicas.
pub(super) fn randomize(
    name: &str,
    row: &Row,
    layer: &Layer<'_>,
    options: &Options,
) -> Result<(RandomColumns, Vec<LayerSpectrum>), SpectrumError> {
    let replicas = options.effective_replicas(layer.spectrum.eigenvalues.len());
    let drawn = (0..replicas).map(|r| replica(name, layer, options, r)).collect::<Result<Vec<_>, _>>()?;
    let mut pooled: Vec<f64> = drawn.iter().flat_map(|d| d.eigenvalues.iter().copied()).collect();
    pooled.sort_by(f64::total_cmp);
    let mut mp = mp_columns(&pooled, ensemble(row, layer), options);
    let reference = reference_traps(options);
    let apart;
    let compared = if reference {
        apart = [replica(name, layer, options, APART)?];
        &apart[..]
    } else {
        &drawn[..]
    };
    let real = &layer.spectrum.eigenvalues;
    let largest = layer.spectrum.lambda_max();
    let over = |of: &dyn Fn(&LayerSpectrum) -> f64| Moments::of(&compared.iter().map(of).collect::<Vec<_>>());
    let max_rand_eval = if reference {
        Moments { mean: pooled.last().copied().unwrap_or(0.0), sd: None }
    } else {
        over(&|q| q.lambda_max())
    };
    let num_traps = if reference {
        mp.map_or(-1, |m| m.num_spikes)
    } else {
        if let Some(m) = &mut mp {
            // Counted in one replica, not in all of them together.
            let edge = m.tw_edge.unwrap_or(f64::INFINITY);
            let margin = margin(&pooled, m.num_spikes);
            m.num_spikes = middle(drawn.iter().map(|d| count_above(&d.eigenvalues, margin)));
            m.num_spikes_tw = Some(middle(drawn.iter().map(|d| count_above(&d.eigenvalues, edge))));
        }
        middle(drawn.iter().map(|d| traps_of(d, options.tw_quantile)))
    };
    let columns = RandomColumns {
        replicas,
        max_rand_eval,
        rand_distance: over(&|q| vector_distance(real, &q.eigenvalues)),
        ww_softrank: over(&|q| q.lambda_max() / largest),
        ww_maxdist: over(&|q| largest - q.lambda_max()),
        rand_wasserstein: over(&|q| wasserstein(real, &q.eigenvalues)),
        mp,
        num_traps,
    };
    Ok((columns, drawn))
}

/// A value that has so many of `ascending` above it.
fn margin(ascending: &[f64], spikes: i64) -> f64 {
    let below = ascending.len().saturating_sub(usize::try_from(spikes).unwrap_or(0));
    if below == 0 { f64::NEG_INFINITY } else { ascending[below - 1] }
}

/// The lower median of counts.
fn middle(counts: impl Iterator<Item = usize>) -> i64 {
    let mut counts: Vec<usize> = counts.collect();
    counts.sort_unstable();
    counts.get((counts.len().max(1) - 1) / 2).map_or(0, |c| *c as i64)
}

/// Traps of one replica: of each matrix beside its own Frobenius norm.
fn traps_of(replica: &LayerSpectrum, quantile: f64) -> usize {
    let count = replica.parts.len();
    let each = replica.parts.iter().map(|part| {
        let descending: Vec<f64> = part.eigenvalues.iter().rev().copied().collect();
        let total = descending.iter().sum();
        count_traps(&descending, total, Ensemble { n: part.n, m: part.m, count }, quantile).0
    });
    each.sum()
}

/// The traps of every matrix of the layer in its first replica, by its largest eigenvalues only.
pub(super) fn traps(name: &str, layer: &Layer<'_>, options: &Options) -> Vec<Trap> {
    let one = |(k, view): (usize, &MatrixView)| {
        let ensemble = Ensemble { n: view.rows(), m: view.cols(), count: layer.views.len() };
        let slice = layer.slice + k;
        find_traps(
            view,
            slice,
            ensemble,
            layer.scale,
            options.tw_quantile,
            stream(options.seed, name, slice, 0),
        )
    };
    let mut traps: Vec<Trap> = layer.views.iter().enumerate().flat_map(one).collect();
    traps.sort_by(|a, b| b.excess.total_cmp(&a.excess));
    traps
}
