//! Distances, deltas and adapters beside WeightWatcher 0.7.7's own numbers; `golden/two_models.py` made them.
#![allow(missing_docs)]

use eigenscope::adapter::{AdapterConfig, Lora, merge};
use eigenscope::analysis::{Engine, EngineOptions, Options, Quiet, Row, Status};
use eigenscope::pair::{Method, PairOptions, PairRow, delta};
use eigenscope::source::MemoryModel;
use eigenscope::tensor::Tensor;
use eigenscope_tests::generator::Generator;
use eigenscope_tests::golden::{Deviations, load, number};
use serde_json::Value as Json;

/// A model of the golden file: every tensor is a sum of terms of a seed and a standard deviation.
fn model(golden: &Json, name: &str) -> MemoryModel {
    let mut model = MemoryModel::new();
    for tensor in golden["models"][name].as_array().unwrap() {
        let shape: Vec<usize> =
            tensor[1].as_array().unwrap().iter().map(|d| d.as_u64().unwrap() as usize).collect();
        let mut values = vec![0f32; shape.iter().product()];
        for term in tensor[2].as_array().unwrap() {
            let (seed, std) = (term[0].as_u64().unwrap(), term[1].as_f64().unwrap());
            let normals = Generator::new(seed).normals(values.len(), std);
            values.iter_mut().zip(normals).for_each(|(v, x)| *v += x as f32);
        }
        model = model.with(tensor[0].as_str().unwrap(), Tensor::from_f32(shape, &values).unwrap());
    }
    model
}

fn engine() -> Engine {
    Engine::new(EngineOptions::threads(2)).unwrap()
}

fn near(found: Option<f64>, expected: &Json, tolerance: f64, what: &str) {
    let expected = number(expected).unwrap_or_else(|| panic!("{what}: no golden number"));
    let found = found.unwrap_or_else(|| panic!("{what}: absent, expected {expected}"));
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {found} {expected}");
}

#[test]
fn distances_by_every_method_are_the_reference_s() {
    let golden = load("two_models.json");
    for (key, expected) in golden["distances"].as_object().unwrap() {
        let (pair, method) = key.split_once(':').unwrap();
        let (a, b) = pair.split_once('-').unwrap();
        let options = PairOptions {
            method: Method::named(method).unwrap(),
            ..PairOptions::of(Options::weightwatcher_0_7_7())
        };
        let (a, b) = (model(&golden, a).open("a"), model(&golden, b).open("b"));
        let report = engine().distances(&a, &b, &options, &Quiet).unwrap();
        let rows: Vec<&PairRow> = report.layers.iter().filter(|r| r.delta_W.is_some()).collect();
        let layers = expected["layers"].as_array().unwrap();
        assert_eq!(rows.len(), layers.len(), "{key}");
        for (row, layer) in rows.iter().zip(layers) {
            let what = format!("{key} {}", row.name);
            assert_eq!(row.name, layer["name"].as_str().unwrap(), "{what}");
            assert_eq!(row.layer_id as u64, layer["layer_id"].as_u64().unwrap(), "{what}");
            near(row.delta_W, &layer["delta_W"], 1e-6, &what);
            near(row.delta_b, &layer["delta_b"], 1e-6, &what);
            near(row.N.map(|n| n as f64), &layer["N"], 0.0, &what);
            near(row.M.map(|m| m as f64), &layer["M"], 0.0, &what);
            if method == "raw" {
                assert_eq!(row.b_shape.map(|n| n as u64), layer["b_shape"].as_u64(), "{what}");
            }
        }
        near(report.summary.mean("delta_W"), &expected["mean_delta_W"], 1e-6, key);
        near(report.summary.mean("delta_b"), &expected["mean_delta_b"], 1e-6, key);
    }
}

const COLUMNS: &[&str] = &[
    "layer_id",
    "longname",
    "status",
    "N",
    "M",
    "num_evals",
    "alpha",
    "xmin",
    "D",
    "sigma",
    "num_pl_spikes",
    "norm",
    "lambda_max",
    "log_spectral_norm",
    "alpha_weighted",
    "log_alpha_norm",
    "stable_rank",
    "rank_loss",
    "matrix_rank",
    "warning",
];

/// Rows that were analysed, beside the reference's.
fn compare(found: &[Row], expected: &Json, place: &str, deviations: &mut Deviations) {
    let found: Vec<&Row> = found.iter().filter(|r| r.status != Status::Skipped).collect();
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{place}: rows");
    for (row, golden) in found.iter().zip(expected) {
        let mut golden = golden.clone();
        // Logarithms and ratios of a matrix of zeros: infinite or no number there, absent here.
        let known = golden.as_object_mut().unwrap();
        known.retain(|_, v| number(v).is_none_or(f64::is_finite) && *v != "nan");
        deviations.compare(&format!("{place} {}", row.longname), row, &golden, COLUMNS, 1e-5);
    }
}

#[test]
fn deltas_are_those_the_reference_s_walk_makes_zeros_and_undifferenced_layers_included() {
    let golden = load("two_models.json");
    let options = Options::weightwatcher_0_7_7();
    let mut deviations = Deviations::default();
    for (key, expected) in golden["deltas"].as_object().unwrap() {
        let (a, b) = key.split_once('-').unwrap();
        let model = delta(model(&golden, a).open(a), model(&golden, b).open(b), &options).unwrap();
        let report = engine().analyze(&model, &options, &Quiet).unwrap();
        compare(&report.layers, expected, key, &mut deviations);
    }
    deviations.finish("deltas");
}

#[test]
fn a_missing_layer_leaves_the_others_their_deltas_under_the_default_conventions() {
    let golden = load("two_models.json");
    let options = Options::default();
    let (a, b) = (model(&golden, "without").open("a"), model(&golden, "base").open("b"));
    let report = engine().analyze(&delta(a, b, &options).unwrap(), &options, &Quiet).unwrap();
    let row = |name: &str| report.layers.iter().find(|r| r.name == name).unwrap();
    // The reference lost its place at fc1, and analysed the weights themselves: a norm of 29.3.
    assert!((row("conv").norm.unwrap() - 5.768291830151615).abs() < 1e-6);
    assert_eq!(row("fc1").reason, "only in the base model");
    assert_eq!(row("fc2").reason, "identical to the base model");
}

#[test]
fn adapters_are_merged_as_the_reference_merges_them() {
    let golden = load("two_models.json");
    let options = Options::weightwatcher_0_7_7();
    let mut deviations = Deviations::default();
    for (key, expected) in golden["peft"].as_object().unwrap() {
        let (name, how) = key.split_once(':').unwrap();
        let how = if how == "True" { Lora::Product } else { Lora::WithBase };
        let model = merge(model(&golden, name).open(name), None, None, how, &options).unwrap();
        let report = engine().analyze(&model, &options, &Quiet).unwrap();
        // The reference lists a sum before its product, here rows are in the order of ids.
        let mut expected = expected.as_array().unwrap().clone();
        expected.sort_by_key(|r| r["layer_id"].as_u64());
        compare(&report.layers, &Json::Array(expected), key, &mut deviations);
    }
    deviations.finish("peft");
}

#[test]
fn by_default_an_update_is_scaled_and_its_sum_has_all_its_eigenvalues() {
    let golden = load("two_models.json");
    let config = AdapterConfig::parse("c", br#"{"r": 8, "lora_alpha": 32}"#).unwrap();
    let options = Options::default();
    let model = model(&golden, "lora").open("lora");
    let model = merge(model, None, Some(&config), Lora::WithBase, &options).unwrap();
    let report = engine().analyze(&model, &options, &Quiet).unwrap();
    let row = |name: &str| report.layers.iter().find(|r| r.name == name).unwrap();
    let unscaled = &golden["peft"]["lora:True"][0];
    let update = row("q.lora_BA.default");
    near(update.norm.map(|n| n / 16.0), &unscaled["norm"], 1e-6, "norm");
    near(update.alpha, &unscaled["alpha"], 1e-6, "alpha");
    // The reference keeps as many eigenvalues of W + BA as the rank is.
    assert_eq!(golden["peft"]["lora:with_base"][1]["num_evals"], 8);
    assert_eq!(row("q.lora_W_plus_AB.default").num_evals, Some(48));
}

#[test]
fn a_shape_that_differs_is_no_distance_under_the_default_conventions() {
    let golden = load("two_models.json");
    let (a, b) = (model(&golden, "base").open("a"), model(&golden, "shorter").open("b"));
    let report = engine().distances(&a, &b, &PairOptions::default(), &Quiet).unwrap();
    let fc2 = report.layers.iter().find(|r| r.name == "fc2").unwrap();
    assert_eq!((fc2.delta_W, fc2.reason.as_str()), (None, "shapes differ: 64x64 and 64x32"));
    let fc1 = report.layers.iter().find(|r| r.name == "fc1").unwrap();
    // Only one of them has a bias.
    assert_eq!((fc1.delta_b, report.summary.mean("delta_b")), (None, None));
    // The reference's mean of the same three layers has a distance of -1 in it: 1.308.
    let compared = [1.528664469718933, 3.396554470062256];
    let mean = report.summary.mean("delta_W").unwrap();
    assert!((mean - compared.iter().sum::<f64>() / 2.0).abs() < 1e-6, "{mean}");
}
