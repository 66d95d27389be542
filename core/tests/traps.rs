//! Correlation traps: planted ones are found, and random matrices have none.
#![allow(missing_docs)]

use eigenscope::analysis::{Engine, EngineOptions, Options, Row};
use eigenscope::source::TensorInfo;
use eigenscope::spectrum::Rng;
use eigenscope::tensor::Tensor;

const QUANTILE: f64 = 0.9999;

fn gaussian(rows: usize, cols: usize, seed: u64) -> Vec<f64> {
    let mut rng = Rng::new(seed);
    (0..rows * cols).map(|_| 0.05 * rng.normal()).collect()
}

fn row(rows: usize, cols: usize, values: &[f64], options: &Options) -> Row {
    let tensor = Tensor::from_f64(vec![rows, cols], values).unwrap();
    let info = TensorInfo::new("w.weight", tensor.dtype(), vec![rows, cols]);
    Engine::new(EngineOptions::threads(1)).unwrap().analyze_tensor(info, tensor, options).unwrap().remove(0)
}

fn cheap() -> Options {
    Options { traps: true, tw_quantile: QUANTILE, ..Options::default() }
}

fn full() -> Options {
    Options { randomize: true, replicas: Some(1), tw_quantile: QUANTILE, ..Options::default() }
}

/// A single weight stands out of the noise once it is larger than σ (N M)^¼.
fn threshold(rows: usize, cols: usize) -> f64 {
    0.05 * ((rows * cols) as f64).powf(0.25)
}

#[test]
fn two_hundred_clean_gaussian_matrices_have_no_trap() {
    let shapes = [(60, 100), (128, 128), (40, 300), (200, 96)];
    for seed in 0..200 {
        let (rows, cols) = shapes[seed as usize % 4];
        let found = row(rows, cols, &gaussian(rows, cols, 1000 + seed), &cheap());
        assert_eq!(found.num_traps, Some(0), "seed {seed}: {:?}", found.traps);
        assert_eq!(found.traps, []);
    }
}

#[test]
fn a_huge_weight_of_each_of_ten_sizes_is_the_trap_that_is_named() {
    let (rows, cols) = (120, 200);
    for size in 0..10 {
        let mut values = gaussian(rows, cols, 50 + size);
        let weight = (1.8 + 0.9 * size as f64) * threshold(rows, cols);
        values[37 * cols + 141] = weight;
        let found = row(rows, cols, &values, &cheap());
        assert_eq!(found.num_traps, Some(1), "size {size}: {:?}", found.traps);
        let trap = &found.traps[0];
        assert_eq!((trap.carriers[0].row, trap.carriers[0].col), (37, 141), "size {size}");
        assert!((trap.carriers[0].value / weight - 1.0).abs() < 1e-6 && trap.excess > 1.0);
        assert!(trap.ipr_rows > 0.1 && trap.ipr_cols > 0.1, "size {size}: {trap:?}");
        assert_eq!(row(rows, cols, &values, &full()).num_traps, Some(1), "size {size}");
    }
}

#[test]
fn a_localised_rank_one_spike_of_each_of_ten_sizes_is_a_trap() {
    let (rows, cols) = (150, 100);
    for size in 0..10 {
        let mut values = gaussian(rows, cols, 80 + size);
        // Over three rows and two columns: six weights that are too large.
        let entry = (2.0 + size as f64) * threshold(rows, cols);
        for (i, j) in [(3, 5), (3, 90), (77, 5), (77, 90), (140, 5), (140, 90)] {
            values[i * cols + j] += entry;
        }
        let found = row(rows, cols, &values, &cheap());
        let traps = found.num_traps.unwrap();
        assert!((3..=6).contains(&traps), "size {size}: {traps}");
        let named = found.traps.iter().flat_map(|t| &t.carriers).filter(|c| c.value > 0.5 * entry);
        assert!(named.filter(|c| [3, 77, 140].contains(&c.row) && [5, 90].contains(&c.col)).count() >= 3);
        assert_eq!(row(rows, cols, &values, &full()).num_traps, Some(traps), "size {size}");
    }
}

#[test]
fn weights_of_every_tail_have_the_traps_of_the_full_spectrum() {
    let (rows, cols) = (160, 96);
    let (mut with, mut without) = (0, 0);
    for seed in 0..60 {
        // Normal numbers to a power: a kurtosis of 3 for 1.0, of 11.7 for 2.0, of 46 for 3.0.
        let power = 1.0 + seed as f64 / 24.0;
        let values: Vec<f64> = gaussian(rows, cols, 700 + seed)
            .into_iter()
            .map(|v| (v / 0.05).abs().powf(power).copysign(v))
            .collect();
        let found = row(rows, cols, &values, &cheap()).num_traps.unwrap();
        let all = row(rows, cols, &values, &full()).num_traps.unwrap();
        assert_eq!(found, all, "power {power}");
        if all > 0 { with += 1 } else { without += 1 }
    }
    assert!(with >= 10 && without >= 10, "{with} with, {without} without");
}

#[test]
fn a_spread_correlation_is_a_spike_of_the_spectrum_and_no_trap() {
    let (rows, cols) = (150, 100);
    let mut values = gaussian(rows, cols, 9);
    let mut rng = Rng::new(10);
    let (u, v): (Vec<f64>, Vec<f64>) =
        ((0..rows).map(|_| rng.normal()).collect(), (0..cols).map(|_| rng.normal()).collect());
    values.iter_mut().enumerate().for_each(|(k, w)| *w += 0.02 * u[k / cols] * v[k % cols]);
    let found = row(rows, cols, &values, &Options { mp_fit: true, ..cheap() });
    assert_eq!((found.num_traps, found.mp.unwrap().num_spikes_tw), (Some(0), Some(1)));
}

#[test]
fn random_columns_depend_on_the_seed_and_the_name_only() {
    let values = gaussian(60, 90, 4);
    let with = |seed| Options { randomize: true, mp_fit: true, seed, ..Options::default() };
    let (one, same) = (row(60, 90, &values, &with(1)), row(60, 90, &values, &with(1)));
    assert_eq!(one, same);
    assert_ne!(one.random, row(60, 90, &values, &with(2)).random);
    let random = one.random.unwrap();
    assert_eq!(random.replicas, 5);
    // Shuffling a Gaussian matrix leaves a Gaussian matrix.
    assert!((random.ww_softrank.mean - 1.0).abs() < 0.1 && random.rand_wasserstein.mean < 0.05);
    assert!((random.mp.unwrap().sigma_mp - 1.0).abs() < 0.03 && random.ww_softrank.sd.unwrap() > 0.0);
}
