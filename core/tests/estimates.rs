//! Spectra that cost less, beside whole ones.
#![allow(missing_docs)]

mod monitor_common;

use eigenscope::analysis::{Engine, EngineOptions, Options, OptionsError, Row, Status, column};
use eigenscope::fit::XminRule;
use eigenscope::monitor::{Level, Monitor, MonitorError, MonitorOptions};
use eigenscope::source::{MemoryModel, OpenModel};
use eigenscope::spectrum::Estimate;
use eigenscope::tensor::Tensor;
use monitor_common::{Random, gaussian, heavy, heavy_of, options, report, submit};
use proptest::prelude::*;

/// Noise, and so many columns above it whose population spectrum is i^-1.
fn spiked(rows: usize, cols: usize, spikes: usize, seed: u64) -> Tensor {
    let mut random = Random(seed);
    let scale = |j: usize| if j < spikes { 6.0 * (spikes as f64 / (j + 1) as f64).sqrt() } else { 1.0 };
    let values: Vec<f64> = (0..rows * cols).map(|k| random.normal() * scale(k % cols)).collect();
    Tensor::from_f64(vec![rows, cols], &values).unwrap()
}

fn model(tensor: Tensor) -> OpenModel {
    MemoryModel::new().with("fc.weight", tensor).open("test")
}

fn row(tensor: &Tensor, options: &Options) -> Row {
    let engine = Engine::new(EngineOptions::threads(2)).unwrap();
    let report = engine.analyze(&model(tensor.clone()), options, &eigenscope::analysis::Quiet).unwrap();
    report.layers[0].clone()
}

fn estimate(estimate: Estimate) -> Options {
    Options { estimate, ..Options::default() }
}

#[test]
fn the_largest_eigenvalues_give_the_alpha_of_all_where_the_tail_lies_within_them() {
    // Few enough that they are found by products: the whole spectrum would be compared with itself.
    let count = 28;
    let w = spiked(900, 700, 20, 1);
    let all = row(&w, &Options::default());
    assert!((all.num_pl_spikes.unwrap() as usize) < count, "{:?}", all.num_pl_spikes);
    let top = row(&w, &estimate(Estimate::Top(count)));
    assert_eq!(top.status, Status::Success, "{}", top.reason);
    for (name, tolerance) in [
        ("alpha", 1e-9),
        ("xmin", 1e-9),
        ("xmax", 1e-9),
        ("D", 1e-9),
        ("norm", 1e-12),
        ("lambda_max", 1e-9),
        ("stable_rank", 1e-9),
        ("alpha_weighted", 1e-9),
        ("num_pl_spikes", 0.0),
    ] {
        let [a, b] = [&top, &all].map(|r| column(name).unwrap().value(r).as_f64().unwrap());
        assert!((a / b - 1.0).abs() <= tolerance, "{name}: {a} {b}");
    }
    let absent = ["entropy", "matrix_rank", "log_alpha_norm", "sv_min", "rank_loss", "weak_rank_loss"];
    assert!(absent.iter().all(|name| column(name).unwrap().value(&top).is_null()));
    let made = top.estimate.unwrap();
    assert!(made.how == "top 28" && made.error.unwrap() < 1.1e-4, "{made:?}");
    assert_eq!(all.estimate, None);
}

#[test]
fn slices_of_a_convolution_give_the_largest_of_all() {
    let w = Tensor::from_f64(vec![96, 80, 3, 1], &Random(4).matrix(96 * 80, 3)).unwrap();
    let all = row(&w, &Options::default());
    for count in [2, 60] {
        let top = row(&w, &estimate(Estimate::Top(count)));
        assert_eq!(top.num_evals, Some(count));
        assert!((top.lambda_max.unwrap() / all.lambda_max.unwrap() - 1.0).abs() < 1e-9);
        assert!((top.norm.unwrap() / all.norm.unwrap() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn windows_see_the_same_alpha_whatever_the_shape_of_noise() {
    // Whole Gaussian matrices differ by their shape, windows of one shape do not.
    let median = Options { xmin: XminRule::Median, ..Options::default() };
    let [wide, square] = [(1600, 200), (566, 566)].map(|(n, m)| gaussian(5, n, m));
    let [a, b] = [&wide, &square].map(|w| row(w, &median).alpha.unwrap());
    assert!((a - b).abs() > 1.0, "{a} {b}");
    let windows = Options { estimate: Estimate::Windows(100), ..median };
    let [a, b] = [&wide, &square].map(|w| row(w, &windows));
    let (error, between) = (a.estimate.as_ref().unwrap().error.unwrap(), a.alpha.unwrap() - b.alpha.unwrap());
    assert!(error > 0.0 && between.abs() < 6.0 * error, "{between} {error}");
    assert_eq!((a.num_evals, b.num_evals), (Some(9 * 2 * 100), Some(36 * 100)));
    assert!(a.lambda_max.is_none() && a.stable_rank.is_none() && a.norm.is_some());
}

#[test]
fn a_density_has_the_hill_exponent_of_the_upper_half_within_its_error() {
    let w = heavy_of(2000, 400, 0.8, 6);
    let exact = row(&w, &Options { xmin: XminRule::Median, ..Options::default() });
    let found = row(&w, &estimate(Estimate::Density(50)));
    let error = found.estimate.as_ref().unwrap().error.unwrap();
    let off = (found.alpha.unwrap() - exact.alpha.unwrap()).abs();
    assert!(off < 4.0 * error + 0.02 && error < 0.1, "{off} {error}");
    assert!((found.lambda_max.unwrap() / exact.lambda_max.unwrap() - 1.0).abs() < 1e-9);
    assert!((found.xmin.unwrap() / exact.xmin.unwrap() - 1.0).abs() < 0.1);
    assert!(found.D.is_none() && found.sigma.is_none() && found.num_evals.is_none());
}

#[test]
fn what_an_estimate_cannot_give_is_refused() {
    let top = estimate(Estimate::Top(8));
    for (options, with) in [
        (Options { randomize: true, ..top.clone() }, "randomize"),
        (Options { bootstrap: 10, ..top.clone() }, "bootstrap"),
        (
            Options { estimate: Estimate::Density(8), ..Options::weightwatcher_0_7_7() },
            "conventions other than the default",
        ),
    ] {
        match options.validate() {
            Err(OptionsError::Together(_, found)) => assert_eq!(found, with),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(estimate(Estimate::Windows(0)).validate(), Err(OptionsError::Estimate));
    let bad = Tensor::from_f64(vec![40, 30], &[f64::NAN; 1200]).unwrap();
    for one in [Estimate::Top(1), Estimate::Windows(10), Estimate::Density(8)] {
        let failed = row(&bad, &estimate(one));
        assert_eq!(failed.status, Status::Failed);
        assert!(failed.reason.contains("NaN"), "{}", failed.reason);
    }
}

#[test]
fn a_monitor_starts_from_the_vectors_of_the_commit_before() {
    let count = 8;
    let analysis = estimate(Estimate::Top(count));
    let monitor = Monitor::open(MonitorOptions { analysis: analysis.clone(), ..options() }).unwrap();
    let mut random = Random(2);
    let mut values = heavy_of(700, 500, 0.5, 1).to_vec();
    for step in 0..3 {
        values.iter_mut().for_each(|v| *v += 1e-4 * random.normal());
        let w = Tensor::from_f64(vec![700, 500], &values).unwrap();
        submit(&monitor, "fc.weight", w.clone());
        let found = report(&monitor, step).layers[0].rows[0].clone();
        let whole = row(&w, &Options::default());
        assert!((found.lambda_max.unwrap() / whole.lambda_max.unwrap() - 1.0).abs() < 1e-7, "step {step}");
        assert_eq!(found.num_evals, Some(count));
    }
}

#[test]
fn weights_that_hardly_moved_are_not_analysed_again_and_the_rows_say_so() {
    let monitor = Monitor::open(MonitorOptions { unchanged_below: 1e-3, ..options() }).unwrap();
    let mut values = heavy(1, 1.0).to_vec();
    let tensor = |values: &[f64]| Tensor::from_f64(vec![256, 64], values).unwrap();
    submit(&monitor, "fc.weight", tensor(&values));
    let first = report(&monitor, 0);
    assert_eq!((first.cost.analyzed, first.cost.unchanged), (1, 0));
    let mut random = Random(3);
    let before = values.clone();
    let mut analyzed = 1;
    for step in 1..40 {
        // Each step is far below the limit; together they cross it.
        values.iter_mut().for_each(|v| *v *= 1.0 + 3e-4 * random.normal());
        submit(&monitor, "fc.weight", tensor(&values));
        let report = report(&monitor, step);
        analyzed += report.cost.analyzed;
        assert_eq!((report.cost.analyzed + report.cost.unchanged, report.cost.left), (1, 0));
        let layer = &report.layers[0];
        if report.cost.unchanged == 1 && analyzed == 1 {
            assert!(!layer.fresh && layer.computed.unwrap().step == 0);
            let made = layer.rows[0].estimate.clone().unwrap();
            let moved: f64 = values.iter().zip(&before).map(|(a, b)| (a - b).powi(2)).sum();
            let bound = moved.sqrt() / layer.rows[0].sv_max.unwrap();
            assert!(made.how == "unchanged" && (made.error.unwrap() / bound - 1.0).abs() < 1e-9, "{made:?}");
        }
    }
    assert!((3..10).contains(&analyzed), "{analyzed} analyses");
    let error = Monitor::open(MonitorOptions { unchanged_below: f64::NAN, ..options() }).err();
    assert!(matches!(error, Some(MonitorError::Invalid { what: "unchanged_below", .. })));
}

#[test]
fn alarms_count_the_eigenvalues_there_are_not_those_that_were_found() {
    for kind in [Estimate::Exact, Estimate::Top(12), Estimate::Windows(32), Estimate::Density(40)] {
        let monitor = Monitor::open(MonitorOptions { analysis: estimate(kind), ..options() }).unwrap();
        let levels = (0..4).map(|step| {
            submit(&monitor, "fc.weight", heavy(step + 1, 4.0));
            report(&monitor, step).verdict.level
        });
        assert_eq!(levels.last(), Some(Level::Warn), "{kind}");
    }
}

#[test]
fn what_has_moved_since_an_estimate_is_added_to_its_own_error() {
    for (kind, added) in
        [(Estimate::Top(8), true), (Estimate::Windows(60), false), (Estimate::Density(20), false)]
    {
        let analysis = estimate(kind);
        let monitor = Monitor::open(MonitorOptions { analysis, unchanged_below: 0.1, ..options() }).unwrap();
        let w = heavy_of(300, 200, 1.0, 1);
        submit(&monitor, "fc.weight", w.clone());
        let first = report(&monitor, 0).layers[0].rows[0].clone();
        let own = first.estimate.clone().unwrap().error.unwrap();
        let values: Vec<f64> = w.to_vec().iter().map(|v| v * 1.01).collect();
        submit(&monitor, "fc.weight", Tensor::from_f64(vec![300, 200], &values).unwrap());
        let report = report(&monitor, 1);
        assert_eq!((report.cost.analyzed, report.cost.unchanged), (0, 1));
        let row = &report.layers[0].rows[0];
        let made = row.estimate.clone().unwrap();
        assert_eq!(made.how, format!("unchanged, {kind}"));
        // All weights are 1.01 times what they were: the distance is a hundredth of the norm.
        let moved = if added { 0.01 * (first.norm.unwrap() / first.lambda_max.unwrap()).sqrt() } else { 0.0 };
        assert!((made.error.unwrap() / (own + moved) - 1.0).abs() < 1e-9, "{made:?} {own:e} {moved:e}");
        assert_eq!((row.alpha, row.lambda_max), (first.alpha, first.lambda_max));
    }
}

#[test]
fn matrices_of_few_directions_have_a_finite_error() {
    let (n, m) = (300, 200);
    for rank in [1, 3] {
        let mut random = Random(7);
        let (left, right) = (random.matrix(n, rank), random.matrix(m, rank));
        let element =
            |i: usize, j: usize| (0..rank).map(|k| left[i * rank + k] * right[j * rank + k]).sum::<f64>();
        let values: Vec<f64> = (0..n * m).map(|k| element(k / m, k % m)).collect();
        let top = row(&Tensor::from_f64(vec![n, m], &values).unwrap(), &estimate(Estimate::Top(6)));
        let made = top.estimate.clone().unwrap();
        assert!(made.error.unwrap() < 1e-3, "rank {rank}: {made:?}");
        let whole = row(&Tensor::from_f64(vec![n, m], &values).unwrap(), &Options::default());
        assert!((top.lambda_max.unwrap() / whole.lambda_max.unwrap() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn where_all_eigenvalues_cost_less_the_row_says_that_they_were_found() {
    let w = heavy_of(60, 40, 1.0, 2);
    let (top, all) = (row(&w, &estimate(Estimate::Top(20))), row(&w, &Options::default()));
    let made = top.estimate.clone().unwrap();
    assert_eq!((&*made.how, made.error), ("top 20 of all", Some(0.0)));
    assert_eq!((top.num_evals, top.lambda_max), (Some(20), all.lambda_max));
    let method = column("method").unwrap();
    assert_eq!(method.value(&top), method.value(&all));
    // Found by products, it is said otherwise.
    let made = row(&heavy_of(300, 200, 1.0, 2), &estimate(Estimate::Top(5))).estimate.unwrap();
    assert_eq!(made.how, "top 5");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn singular_values_move_by_no_more_than_the_bound_says(seed in 0u64..1000, size in -6.0..0.0f64) {
        let before = heavy(seed, 1.0);
        let mut random = Random(seed + 7);
        let moved: Vec<f64> = before.to_vec().iter().map(|v| v + 10f64.powf(size) * random.normal()).collect();
        let distance: f64 = before.to_vec().iter().zip(&moved).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let moved = Tensor::from_f64(vec![256, 64], &moved).unwrap();
        let spectra = [&before, &moved].map(|w| {
            let view = eigenscope::matrix::unfold(w, &eigenscope::matrix::Unfolding {
                kind: eigenscope::tensor::LayerKind::Dense,
                layout: eigenscope::tensor::Layout::OutInSpatial,
                conv_mode: eigenscope::matrix::ConvMode::Slices,
                split: None,
            }).remove(0);
            eigenscope::spectrum::eigenvalues(&view, Default::default(), Default::default(), 1).unwrap().0
        });
        let apart: f64 = spectra[0].iter().zip(&spectra[1]).map(|(a, b)| (a.sqrt() - b.sqrt()).powi(2)).sum();
        prop_assert!(apart.sqrt() <= distance * (1.0 + 1e-9) + 1e-12, "{} {distance}", apart.sqrt());
    }
}
