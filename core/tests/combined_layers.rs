//! Rows about several layers: products of neighbours and stacks.
#![allow(missing_docs)]

use eigenscope::analysis::{Engine, EngineOptions, Options, OptionsError, Quiet, Report, Status, column};
use eigenscope::source::MemoryModel;
use eigenscope::spectrum::Rng;
use eigenscope::tensor::{LayerKind, Tensor};

fn weights(seed: u64, rows: usize, cols: usize) -> Tensor {
    let mut rng = Rng::new(seed);
    Tensor::from_f64(vec![rows, cols], &(0..rows * cols).map(|_| rng.normal()).collect::<Vec<_>>()).unwrap()
}

fn analyze(layers: Vec<(&str, Tensor)>, options: &Options) -> Report {
    let model = layers.into_iter().fold(MemoryModel::new(), |m, (name, tensor)| m.with(name, tensor));
    Engine::new(EngineOptions::threads(1)).unwrap().analyze(&model.open("m"), options, &Quiet).unwrap()
}

#[test]
fn products_say_what_was_multiplied_and_layers_without_a_neighbour_why_not() {
    let layers = vec![
        ("a.weight", weights(1, 12, 30)),
        ("a.bias", Tensor::from_f64(vec![12], &[0.0; 12]).unwrap()),
        ("b.weight", weights(2, 20, 12)),
        ("c.weight", weights(3, 9, 40)),
    ];
    let (a, b) = (layers[0].1.clone(), layers[2].1.clone());
    let rows = analyze(layers, &Options { intra: true, ..Options::default() }).layers;
    let reasons: Vec<&str> = rows.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(reasons[0], "the first layer: none before it to multiply it with");
    assert_eq!(reasons[3], "40x9 shares no side with 20x12 of 'b'");
    let x = &rows[2];
    assert_eq!(
        (x.status, x.name.as_str(), x.combines.as_str()),
        (Status::Success, "0 X 2", "a.weight x b.weight")
    );
    assert_eq!((x.N, x.M, x.num_evals), (Some(30), Some(20), Some(20)));
    assert_eq!(column("Xflag").unwrap().value(x), eigenscope::analysis::Value::Bool(true));
    // Their singular values squared add up to ‖A'B'‖² / (‖A‖² ‖B‖²).
    let matrix = |t: &Tensor| t.to_array().into_dimensionality::<ndarray::Ix2>().unwrap();
    let square = |m: &ndarray::Array2<f64>| m.iter().map(|v| v * v).sum::<f64>();
    let (a, b) = (matrix(&a), matrix(&b));
    let product = a.t().dot(&b.t());
    let nuclear = x.norm.unwrap();
    let frobenius = square(&product) / square(&a) / square(&b);
    // Σσ² <= (Σσ)² <= rank Σσ².
    assert!(frobenius <= nuclear * nuclear && nuclear * nuclear <= 12.0 * frobenius, "{nuclear} {frobenius}");
    let trace = |k: f64| x.lambda_max.unwrap().powf(k);
    assert!(trace(2.0) <= frobenius && trace(2.0) * 12.0 >= frobenius);
    assert_eq!((x.matrix_rank, x.sv_max), (Some(12), x.lambda_max));
}

#[test]
fn a_stack_is_one_row_that_names_its_layers() {
    let layers = || {
        vec![("a.weight", weights(1, 12, 30)), ("n.weight", Tensor::from_f64(vec![4], &[1.0; 4]).unwrap())]
    };
    let mut all = layers();
    all.extend([
        ("b.weight", weights(2, 20, 12)),
        ("flat.weight", Tensor::from_f64(vec![9, 9], &[1.0; 81]).unwrap()),
    ]);
    let report = analyze(all, &Options { stacked: true, ..Options::default() });
    let row = &report.layers[0];
    assert_eq!((row.layer_type, row.N, row.M, row.rf), (LayerKind::Stacked, Some(41), Some(30), Some(1)));
    assert_eq!(row.combines, "a.weight / b.weight / flat.weight");
    assert_eq!(row.reason, "left out, without a spread to divide by: flat.weight");
    assert_eq!(row.num_evals, Some(30));
    assert_eq!(report.layers[2].reason, "stacked in the row of 'a'");
    assert_eq!(report.summary.analyzed, 1);
    // Scaling or shifting a layer changes nothing.
    let mut moved = layers();
    let b: Vec<f64> = weights(2, 20, 12).to_vec().iter().map(|v| 3.0 - 5.0 * v).collect();
    moved.push(("b.weight", Tensor::from_f64(vec![20, 12], &b).unwrap()));
    let other = analyze(moved, &Options { stacked: true, ..Options::default() });
    assert!((other.layers[0].norm.unwrap() / row.norm.unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn a_bad_number_in_either_layer_is_placed() {
    let mut bad = weights(2, 20, 12).to_vec();
    bad[5] = f64::NAN;
    let layers =
        vec![("a.weight", weights(1, 12, 30)), ("b.weight", Tensor::from_f64(vec![20, 12], &bad).unwrap())];
    for options in
        [Options { intra: true, ..Options::default() }, Options { stacked: true, ..Options::default() }]
    {
        let rows = analyze(layers.clone(), &options).layers;
        let row = rows.iter().find(|r| r.status == Status::Failed).unwrap();
        assert_eq!(row.reason, "'b.weight' contains 1 NaN, first at [0,5]");
    }
}

#[test]
fn the_mask_between_two_layers_depends_on_the_seed_alone() {
    let alpha = |seed| {
        let layers = vec![("a.weight", weights(1, 12, 30)), ("b.weight", weights(2, 20, 12))];
        let options = Options { intra: true, sparsify: true, seed, ..Options::default() };
        analyze(layers, &options).layers[1].norm.unwrap()
    };
    assert_eq!(alpha(1), alpha(1));
    assert_ne!(alpha(1), alpha(2));
}

#[test]
fn contradictions_are_refused() {
    let intra = |o: Options| Options { intra: true, ..o }.validate();
    assert_eq!(
        intra(Options { vectors: true, ..Options::default() }),
        Err(OptionsError::Together("intra", "vectors"))
    );
    assert_eq!(
        intra(Options { pool: false, ..Options::default() }),
        Err(OptionsError::Together("intra", "pool = false"))
    );
    let alone = Options { sparsify: true, ..Options::default() };
    assert_eq!(alone.validate(), Err(OptionsError::Sparsify));
}
