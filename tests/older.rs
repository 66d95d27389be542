//! The conventions of WeightWatcher 0.1.2 and 0.4, and published numbers of versions between.
#![allow(missing_docs)]

use eigenscope::analysis::{
    ColumnSet, Conventions, Engine, EngineOptions, Options, OptionsError, Quiet, Report, Row, Status, column,
};
use eigenscope::source::MemoryModel;
use eigenscope::tensor::Tensor;
use eigenscope_tests::generator::{Generator, matrix};
use eigenscope_tests::golden::{Deviations, load, number};
use serde_json::Value as Json;

fn under(preset: &str) -> Options {
    Options { conventions: Conventions::named(preset).unwrap(), ..Options::default() }
}

fn analyze(layers: &[(&str, Tensor)], options: &Options) -> Report {
    let model = layers.iter().fold(MemoryModel::new(), |m, (name, t)| m.with(*name, t.clone())).open("m");
    Engine::new(EngineOptions::threads(1)).unwrap().analyze(&model, options, &Quiet).unwrap()
}

fn cell(row: &Row, name: &str) -> f64 {
    column(name).unwrap().value(row).as_f64().unwrap()
}

/// 50 x 60 normals scaled to that Frobenius norm.
fn with_norm(seed: u64, norm: f64) -> Vec<f64> {
    let values = Generator::new(seed).normals(3000, 1.0);
    let own = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    values.iter().map(|v| v / own * norm).collect()
}

/// The norms of VGG16's second convolution and of its dense layers in the example notebook of WeightWatcher 0.1.2, and the aggregates
/// printed there: the convolution is the compound minimum, and the dense layers have averages of their own.
#[test]
fn the_published_norms_of_vgg16_have_their_published_aggregates() {
    const SLICES: [f64; 9] =
        [0.3978935, 0.4535870, 0.4057815, 0.4542867, 0.4969515, 0.4573762, 0.4044672, 0.4511154, 0.3889708];
    let slices: Vec<Vec<f64>> =
        SLICES.iter().zip(1..).map(|(log, seed)| with_norm(seed, 10f64.powf(*log))).collect();
    let conv = (0..3000).flat_map(|k| slices.iter().map(move |s| s[k])).collect::<Vec<_>>();
    let conv = Tensor::from_f64(vec![50, 60, 3, 3], &conv).unwrap();
    let close = |found: &Json, expected: f64| {
        let found = found.as_f64().unwrap();
        assert!((found / expected - 1.0).abs() < 3e-7, "{found} {expected}");
    };
    let nested = analyze(&[("block1_conv2.weight", conv)], &under("weightwatcher-0.1.2")).nested.unwrap();
    let a = &nested.aggregates;
    close(&a["norm"]["min"], 2.4488986);
    close(&a["lognorm"]["min"], 0.3889708);
    close(&a["norm_compound"]["avg"], 2.7280648);
    close(&a["lognorm_compound"]["min"], 0.4344922);
    assert_eq!(a["norm_compound"]["min"], a["norm_compound"]["max"]);
    // The third dense norm is what the other two leave of the average.
    let norms = [16.7573166, 23.3962765, 3.0 * 19.3911972 - 16.7573166 - 23.3962765];
    let dense: Vec<(&str, Tensor)> = ["fc1.weight", "fc2.weight", "fc3.weight"]
        .into_iter()
        .zip(norms)
        .map(|(name, norm)| (name, Tensor::from_f64(vec![50, 60], &with_norm(4, norm)).unwrap()))
        .collect();
    let nested = analyze(&dense, &under("weightwatcher-0.1.2")).nested.unwrap();
    let a = &nested.aggregates;
    close(&a["norm"]["avg"], 19.3911972);
    close(&a["norm"]["min"], 16.7573166);
    close(&a["lognorm"]["avg"], 1.2830353);
    close(&a["lognorm"]["min"], 1.2242044);
    close(&a["lognorm"]["max"], 1.3691467);
    assert_eq!(a["norm"], a["norm_compound"]);
}

#[test]
fn a_slice_of_0_1_2_has_norms_that_are_not_squared_and_lacks_its_smallest_eigenvalue() {
    let layers = [
        ("fc.weight", Tensor::from_f64(vec![50, 60], &with_norm(2, 3.0)).unwrap()),
        ("small.weight", matrix("D")),
        ("norm.weight", Tensor::from_f64(vec![8], &[1.0; 8]).unwrap()),
    ];
    let report = analyze(&layers, &under("weightwatcher-0.1.2"));
    let (row, today) = (&report.layers[0], &analyze(&layers[..1], &under("weightwatcher-0.7.7")).layers[0]);
    let top = today.lambda_max.unwrap();
    assert_eq!((row.num_evals, row.log_norm, row.stable_rank), (Some(49), None, None));
    for (name, expected) in [
        ("norm", 3.0),
        ("lognorm", today.log_norm.unwrap() / 2.0),
        ("spectralnorm", top),
        ("softrank", 3.0 / top),
        ("softranklog", (3.0 / top).log10()),
        ("softranklogratio", 3.0f64.log10() / top.log10()),
        ("alpha_weighted", row.alpha.unwrap() * top.log10()),
        ("rank_loss", 49.0),
    ] {
        assert!((cell(row, name) / expected - 1.0).abs() < 1e-6, "{name}: {} {expected}", cell(row, name));
    }
    assert!(cell(row, "lambda_min") > today.sv_min.unwrap().powi(2) * 1.01);
    let results = report.nested.unwrap().results;
    assert_eq!(results["0"]["type"], "DENSE");
    assert_eq!(results["0"]["0"]["alpha"].as_f64(), row.alpha);
    assert!(results["0"]["0"]["summary"].as_str().unwrap().starts_with("Weight matrix 1/1 (50,60): alpha "));
    assert_eq!(results["1"]["message"], "Skipping (M=16 below min_evals 50)");
    assert_eq!(results["2"]["message"], "Skipping (Layer not supported)");
}

#[test]
fn fits_of_0_4_are_bounded_at_the_largest_eigenvalue() {
    let golden = load("matrices.json");
    let mut d = Deviations::default();
    let names = ColumnSet::V0_4.names().unwrap();
    let counts = [
        "layer_id",
        "name",
        "layer_type",
        "has_esd",
        "M",
        "N",
        "num_evals",
        "num_pl_spikes",
        "rank_loss",
        "rf",
        "matrix_rank",
    ];
    for id in ["A", "B", "C", "D", "E", "F"] {
        let row = &analyze(&[("0.weight", matrix(id))], &under("weightwatcher-0.4")).layers[0];
        let expected = &golden["matrices"][id]["PL_powerlaw1.5_xmax_force"];
        let real: Vec<&str> =
            names.iter().copied().filter(|c| !counts.contains(c) && *c != "entropy").collect();
        d.compare(id, row, expected, &real, 1e-6);
        d.compare(id, row, expected, &counts[3..], 0.0);
    }
    d.finish("golden forced fits");
    // A spectrum that later versions cut off at 1e-5.
    let small: Vec<f64> = matrix("A").to_vec().iter().map(|v| v * 1e-4).collect();
    let small = Tensor::from_f64(vec![60, 100], &small).unwrap();
    let row = analyze(&[("0.weight", small)], &under("weightwatcher-0.4")).layers.remove(0);
    let expected = number(&golden["matrices"]["A"]["PL_powerlaw1.5_xmax_force"]["alpha"]).unwrap();
    assert!((row.alpha.unwrap() / expected - 1.0).abs() < 1e-5);
}

#[test]
fn limits_and_kinds_are_those_of_0_4() {
    let wide = Tensor::from_f64(vec![4, 100], &Generator::new(1).normals(400, 0.1)).unwrap();
    let layers = [("fc.weight", wide.clone()), ("embedding.weight", wide)];
    let report = analyze(&layers, &under("weightwatcher-0.4"));
    assert_eq!(report.layers[0].status, Status::Success);
    assert_eq!(report.layers[1].reason, "embedding (weightwatcher-0.4)");
    let most = |n| Options { max_evals: Some(n), ..under("weightwatcher-0.4") };
    assert_eq!(analyze(&layers, &most(99)).layers[0].reason, "M=4 above max_evals 99");
    assert_eq!(analyze(&layers, &most(100)).layers[0].status, Status::Success);
    let refused = Options { mp_fit: true, ..under("weightwatcher-0.4") };
    assert_eq!(refused.validate(), Err(OptionsError::Together("mp_fit", "conventions of WeightWatcher 0.4")));
}

/// A diagonal matrix with a published layer's λ_max and norm has its published derived columns; alpha and its tail give the others.
#[test]
fn derived_columns_of_published_layers_follow_from_their_eigenvalues() {
    let golden = load("keras-applications.json");
    let layers = golden["layers"].as_array().unwrap();
    let mut worst = 0.0f64;
    for layer in layers {
        let of = |name: &str| number(&layer[name]).unwrap();
        let (m, top, total) = (of("num_evals") as usize, of("lambda_max"), of("norm"));
        let mut values = vec![0.0; m * m];
        for k in 0..m {
            values[k * (m + 1)] = if k == 0 { top } else { (total - top) / (m - 1) as f64 }.sqrt();
        }
        let row =
            analyze(&[("d.weight", Tensor::from_f64(vec![m, m], &values).unwrap())], &Options::default());
        let mut found: Vec<(&str, f64)> = ["log_norm", "log_spectral_norm", "stable_rank", "sv_max"]
            .map(|c| (c, cell(&row.layers[0], c)))
            .to_vec();
        found.push(("alpha_weighted", of("alpha") * cell(&row.layers[0], "log_spectral_norm")));
        found.push(("sigma", (of("alpha") - 1.0) / of("num_pl_spikes").sqrt()));
        for (name, value) in found {
            let away = (value / of(name) - 1.0).abs();
            assert!(
                away < 4e-15 * (1.0 + (m as f64).sqrt()),
                "{} {name}: {value} {}",
                layer["name"],
                of(name)
            );
            worst = worst.max(away);
        }
    }
    assert!(layers.len() == 9 && worst > 0.0);
}
