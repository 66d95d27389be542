//! What estimates say of their own errors, beside what they are off by.
#![allow(missing_docs)]

mod monitor_common;
use eigenscope::analysis::{Engine, EngineOptions, Options, Row};
use eigenscope::fit::XminRule;
use eigenscope::source::MemoryModel;
use eigenscope::spectrum::Estimate;
use eigenscope::tensor::Tensor;
use monitor_common::heavy_of;

fn row(tensor: &Tensor, options: &Options) -> Row {
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    let model = MemoryModel::new().with("fc.weight", tensor.clone()).open("test");
    engine.analyze(&model, options, &eigenscope::analysis::Quiet).unwrap().layers[0].clone()
}

/// Mean and standard deviation.
fn stats(v: &[f64]) -> (f64, f64) {
    let n = v.len() as f64;
    let m = v.iter().sum::<f64>() / n;
    (m, (v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}

#[test]
fn a_density_is_off_by_no_more_than_it_says_however_few_steps_it_takes() {
    let median = Options { xmin: XminRule::Median, ..Options::default() };
    // Too few steps for spectra as steep as this are what standard errors over random vectors do not see.
    for c in [0.0, 1.0, 2.0, 3.0] {
        let w = heavy_of(300, 250, c, 3);
        let hill = row(&w, &median).alpha.unwrap();
        for steps in [16, 32, 64] {
            let found = (0..10).map(|seed| {
                let r = row(&w, &Options { seed, estimate: Estimate::Density(steps), ..Options::default() });
                (r.alpha.unwrap() - hill, r.estimate.unwrap().error.unwrap())
            });
            let (off, errors): (Vec<f64>, Vec<f64>) = found.unzip();
            let off = (off.iter().map(|v| v * v).sum::<f64>() / off.len() as f64).sqrt();
            let error = stats(&errors).0;
            assert!(off < error, "c = {c}, {steps} steps: off by {off}, said {error}");
            assert!(steps < 64 || error < 0.15, "c = {c}: {error}");
        }
    }
}

#[test]
fn windows_say_how_far_the_alphas_of_like_matrices_lie_apart() {
    // Columns of falling size, too: what differs from window to window for a reason is no error.
    for (rows, cols, side) in [(400, 200, 50), (200, 200, 75)] {
        for c in [0.0, 1.0, 2.0] {
            let found = (0..16).map(|seed| {
                let options = Options {
                    estimate: Estimate::Windows(side),
                    xmin: XminRule::Median,
                    ..Options::default()
                };
                let r = row(&heavy_of(rows, cols, c, 100 + seed), &options);
                (r.alpha.unwrap(), r.estimate.unwrap().error.unwrap())
            });
            let (alphas, errors): (Vec<f64>, Vec<f64>) = found.unzip();
            let ratio = stats(&alphas).1 / stats(&errors).0;
            assert!((0.3..2.0).contains(&ratio), "{rows} x {cols} in {side}, c = {c}: {ratio}");
        }
    }
}

#[test]
fn one_window_has_no_error_and_threads_change_no_bit() {
    let w = heavy_of(1500, 1500, 1.0, 8);
    let small = heavy_of(60, 40, 1.0, 8);
    let whole = row(&small, &Options { estimate: Estimate::Windows(60), ..Options::default() });
    // 60 x 40 has two windows of 40, a square has one.
    assert!(whole.estimate.unwrap().error.is_some());
    let square = heavy_of(40, 40, 1.0, 8);
    let one = row(&square, &Options { estimate: Estimate::Windows(60), ..Options::default() });
    assert!(one.estimate.unwrap().error.is_none() && one.alpha.is_some());
    let options = Options { estimate: Estimate::Density(20), ..Options::default() };
    let model = MemoryModel::new().with("fc.weight", w).open("test");
    let rows = [1, 4].map(|threads| {
        let engine = Engine::new(EngineOptions::threads(threads)).unwrap();
        let report = engine.analyze(&model, &options, &eigenscope::analysis::Quiet).unwrap();
        let r = &report.layers[0];
        [r.alpha, r.xmin, r.lambda_max, r.norm, r.estimate.as_ref().unwrap().error]
            .map(|v| v.unwrap().to_bits())
    });
    assert_eq!(rows[0], rows[1]);
}
