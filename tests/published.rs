//! The results of 50 Keras models that WeightWatcher 0.6.1 gave, 5903 layers: our columns of matrices that have their eigenvalues' sum and
//! largest are theirs.
#![allow(missing_docs, clippy::print_stdout)]

use std::collections::HashMap;
use std::path::Path;

use eigenscope::analysis::{Engine, EngineOptions, Options, Quiet, Row, column};
use eigenscope::source::MemoryModel;
use eigenscope::tensor::Tensor;
use eigenscope_tests::models::tables;

type Published = HashMap<String, String>;

/// The layers of a model.
fn layers(details: &Path) -> Vec<Published> {
    csv::Reader::from_path(details).unwrap().deserialize().map(Result::unwrap).collect()
}

fn cell(layer: &Published, name: &str) -> f64 {
    layer[name].parse().unwrap()
}

/// A diagonal matrix with that sum and that largest value of squares, the rest of it spread evenly.
fn with_summaries(norm: f64, largest: f64) -> Tensor {
    let size = ((norm / largest).ceil() as usize).max(2) + 10;
    let rest = ((norm - largest).max(0.0) / (size - 1) as f64).sqrt();
    let mut values = vec![0.0; size * size];
    for (place, value) in values.iter_mut().step_by(size + 1).enumerate() {
        *value = if place == 0 { largest.sqrt() } else { rest };
    }
    Tensor::from_f64(vec![size, size], &values).unwrap()
}

fn of_summaries(rows: &[Published]) -> Vec<Row> {
    let model = rows.iter().enumerate().fold(MemoryModel::new(), |model, (place, layer)| {
        model.with(format!("{place}.weight"), with_summaries(cell(layer, "norm"), cell(layer, "lambda_max")))
    });
    let engine = Engine::new(EngineOptions::default()).unwrap();
    engine.analyze(&model.open("published"), &Options::default(), &Quiet).unwrap().layers
}

fn deviation(ours: f64, theirs: f64) -> f64 {
    (ours - theirs).abs() / theirs.abs().max(f64::MIN_POSITIVE)
}

#[test]
fn derived_columns_of_published_layers_follow_from_their_eigenvalues() {
    let Some(folder) = tables() else { return };
    let (mut count, mut fitted, mut largest) = (0, 0, HashMap::<&str, f64>::new());
    let mut files: Vec<_> = glob::glob(folder.join("seed-keras/results/*/*/details.csv").to_str().unwrap())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    files.sort();
    for file in &files {
        let published = layers(file);
        let rows = of_summaries(&published);
        assert_eq!(rows.len(), published.len());
        for (row, layer) in rows.iter().zip(&published) {
            for name in [
                "norm",
                "lambda_max",
                "spectral_norm",
                "log_norm",
                "log_spectral_norm",
                "stable_rank",
                "sv_max",
            ] {
                let ours = column(name).unwrap().value(row).as_f64().unwrap();
                let worst = largest.entry(name).or_default();
                // Logarithms near 0 are compared as what they are the logarithm of.
                let theirs = cell(layer, name);
                let off =
                    if name.starts_with("log") { (ours - theirs).abs() } else { deviation(ours, theirs) };
                *worst = worst.max(off);
            }
            count += 1;
            let (alpha, spikes) = (cell(layer, "alpha"), cell(layer, "num_pl_spikes"));
            let weighted =
                deviation(alpha * cell(layer, "lambda_max").log10(), cell(layer, "alpha_weighted"));
            largest.entry("alpha_weighted").and_modify(|w| *w = w.max(weighted)).or_insert(weighted);
            if alpha > 0.0 {
                fitted += 1;
                let sigma = deviation((alpha - 1.0) / spikes.sqrt(), cell(layer, "sigma"));
                largest.entry("sigma").and_modify(|w| *w = w.max(sigma)).or_insert(sigma);
            }
        }
    }
    println!("{count} layers, {fitted} with a fit; largest deviations {largest:?}");
    assert_eq!((files.len(), count, fitted), (50, 5903, 5903 - 546));
    for (name, off) in largest {
        let limit = if ["alpha_weighted", "sigma"].contains(&name) { 4e-15 } else { 2e-14 };
        assert!(off < limit, "{name}: {off}");
    }
}
