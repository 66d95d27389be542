//! A model less its base: which tensors are subtracted, and what becomes of the others.
#![allow(missing_docs)]
#![cfg(feature = "engine")]

use eigenscope::analysis::{Engine, EngineOptions, Options, Quiet, Report, Row, Status};
use eigenscope::pair::delta;
use eigenscope::source::MemoryModel;
use eigenscope::spectrum::Rng;
use eigenscope::tensor::Tensor;

fn values(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = Rng::new(seed);
    (0..n).map(|_| rng.normal()).collect()
}

fn matrix(rows: usize, cols: usize, seed: u64) -> Tensor {
    Tensor::from_f64(vec![rows, cols], &values(rows * cols, seed)).unwrap()
}

fn analyze(model: MemoryModel, base: MemoryModel) -> Report {
    let options = Options::default();
    let engine = Engine::new(EngineOptions::threads(2)).unwrap();
    let model = delta(model.open("tuned"), base.open("base"), &options).unwrap();
    engine.analyze(&model, &options, &Quiet).unwrap()
}

fn row<'a>(report: &'a Report, longname: &str) -> &'a Row {
    report.layers.iter().find(|r| r.longname == longname).unwrap_or_else(|| panic!("no row {longname}"))
}

#[test]
fn a_low_rank_update_is_found_whatever_it_was_added_to() {
    let (rows, cols) = (40, 30);
    let (u, v) = (values(rows * 3, 1), values(cols * 3, 2));
    let base = values(rows * cols, 3);
    let update: Vec<f64> = (0..rows * cols)
        .map(|k| (0..3).map(|r| u[k / cols * 3 + r] * v[k % cols * 3 + r]).sum::<f64>())
        .collect();
    let tuned: Vec<f64> = base.iter().zip(&update).map(|(b, d)| b + d).collect();
    let model =
        |v: &[f64]| MemoryModel::new().with("fc.weight", Tensor::from_f64(vec![rows, cols], v).unwrap());
    let report = analyze(model(&tuned), model(&base));
    let fc = row(&report, "fc.weight");
    assert_eq!(fc.matrix_rank, Some(3));
    let norm: f64 = update.iter().map(|v| v * v).sum();
    assert!((fc.norm.unwrap() / norm - 1.0).abs() < 1e-12, "{:?} {norm}", fc.norm);
    assert_eq!(report.model.name, "tuned minus base");
    assert_eq!(report.model.metadata["base_model"], "base");
}

#[test]
fn tensors_without_a_fitting_partner_are_listed_and_never_mixed_with_deltas() {
    let vector = |n| Tensor::from_f64(vec![n], &values(n, 9)).unwrap();
    let tuned = MemoryModel::new()
        .with("new.weight", matrix(20, 12, 1))
        .with("frozen.weight", matrix(20, 12, 2))
        .with("tuned.weight", matrix(20, 12, 3))
        .with("wider.weight", matrix(20, 14, 4))
        .with("turned.weight", matrix(20, 12, 5))
        .with("norm.weight", vector(16));
    let base = MemoryModel::new()
        .with("turned.weight", matrix(12, 20, 5))
        .with("wider.weight", matrix(20, 12, 4))
        .with("tuned.weight", matrix(20, 12, 6))
        .with("gone.weight", matrix(20, 12, 7))
        .with("frozen.weight", matrix(20, 12, 2))
        .with("norm.weight", vector(16));
    let report = analyze(tuned, base);
    let said = |name: &str| (row(&report, name).status, row(&report, name).reason.as_str());
    assert_eq!(said("tuned.weight"), (Status::Success, ""));
    assert_eq!(said("new.weight"), (Status::Skipped, "not in the base model"));
    assert_eq!(said("frozen.weight"), (Status::Skipped, "identical to the base model"));
    assert_eq!(said("wider.weight"), (Status::Skipped, "shapes differ: 20x14, in the base model 20x12"));
    assert_eq!(said("turned.weight"), (Status::Skipped, "shapes differ: 20x12, in the base model 12x20"));
    assert_eq!(said("gone.weight"), (Status::Skipped, "only in the base model"));
    assert_eq!(said("norm.weight"), (Status::Skipped, "norm layer"));
    assert_eq!((report.summary.analyzed, report.summary.failed, report.summary.skipped), (1, 0, 6));
    let difference: f64 = values(240, 3).iter().zip(values(240, 6)).map(|(a, b)| (a - b).powi(2)).sum();
    let norm = row(&report, "tuned.weight").norm.unwrap();
    assert!((norm / difference - 1.0).abs() < 1e-12, "{norm} {difference}");
}

#[test]
fn a_large_tensor_is_subtracted_in_pieces_to_the_same_numbers() {
    // Longer than what is held as doubles at a time.
    let (rows, cols) = (5000, 120);
    let single = |seed| -> Vec<f32> { values(rows * cols, seed).iter().map(|v| *v as f32).collect() };
    let (a, b) = (single(1), single(2));
    let model =
        |v: &[f32]| MemoryModel::new().with("w.weight", Tensor::from_f32(vec![rows, cols], v).unwrap());
    let options = Options::default();
    let found = delta(model(&a).open("a"), model(&b).open("b"), &options).unwrap().file.read(0).unwrap();
    let expected: Vec<f64> = a.iter().zip(&b).map(|(a, b)| f64::from(a - b)).collect();
    assert_eq!(found.to_vec(), expected);
}
