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

/// A diagonal matrix with that sum and that largest value of squares, the others rising in a straight line.
fn with_summaries(norm: f64, largest: f64) -> Tensor {
    // Twice as many as the sum holds of the largest, so that the others are below it, by half of their mean on either side.
    let size = 2 * (norm / largest).ceil() as usize + 10;
    let mean = (norm - largest).max(0.0) / (size - 1) as f64;
    let rise = |k: usize| 0.5 + (k - 1) as f64 / (size - 2) as f64;
    let square = |k: usize| if k == 0 { largest } else { mean * rise(k) };
    let mut values = vec![0.0; size * size];
    values.iter_mut().step_by(size + 1).enumerate().for_each(|(k, value)| *value = square(k).sqrt());
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
    let (mut count, mut fitted) = (0, HashMap::new());
    let mut largest = HashMap::<&str, f64>::new();
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
            // What follows from alpha: by our own in our row, and by theirs, whose definitions these are, in theirs.
            let ours = |name: &str| column(name).unwrap().value(row).as_f64();
            let theirs = |name: &str| Some(cell(layer, name));
            for (whose, of) in [("ours", &ours as &dyn Fn(&str) -> Option<f64>), ("theirs", &theirs)] {
                let Some(alpha) = of("alpha").filter(|a| a.is_finite() && *a > 0.0) else { continue };
                *fitted.entry(whose).or_insert(0) += 1;
                let weighted = alpha * of("lambda_max").unwrap().log10();
                let sigma = (alpha - 1.0) / of("num_pl_spikes").unwrap().sqrt();
                for (name, expected) in [("alpha_weighted", weighted), ("sigma", sigma)] {
                    let worst = largest.entry(name).or_default();
                    *worst = worst.max(deviation(of(name).unwrap(), expected));
                }
            }
        }
    }
    println!("{count} layers, with a fit {fitted:?}; largest deviations {largest:?}");
    assert_eq!((files.len(), count, fitted["theirs"]), (50, 5903, 5903 - 546));
    assert!(fitted["ours"] > 5700, "{fitted:?}");
    for (name, off) in largest {
        let limit = if ["alpha_weighted", "sigma"].contains(&name) { 4e-15 } else { 2e-14 };
        assert!(off < limit, "{name}: {off}");
    }
}
