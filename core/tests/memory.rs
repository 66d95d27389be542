//! What layers take of memory, beside what their plan says and a limit allows.
#![allow(missing_docs, clippy::print_stdout)]

use eigenscope::analysis::{Engine, EngineOptions, Fit, Options, Plan, Quiet, Report, Status};
use eigenscope::matrix::ConvMode;
use eigenscope::source::{MemoryModel, OpenModel};
use eigenscope::spectrum::{Estimate, Precision, Solver};
use eigenscope::tensor::Tensor;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn noise(shape: &[usize], rank: usize) -> Tensor {
    let mut state = 7u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let last = shape[shape.len() - 1];
    let values: Vec<f32> =
        (0..shape.iter().product()).map(|k| if k % last < rank { random() } else { 0.0 }).collect();
    Tensor::from_f32(shape.to_vec(), &values).unwrap()
}

fn made_of(layers: &[(&str, &[usize], usize)]) -> OpenModel {
    let with = |model: MemoryModel, (name, shape, rank): &(&str, &[usize], usize)| {
        model.with(*name, noise(shape, *rank))
    };
    layers.iter().fold(MemoryModel::new(), with).open("test")
}

/// The report, and what was allocated at most while it was made.
fn analyzed(model: &OpenModel, options: &Options, threads: usize, limit: Option<u64>) -> (Report, u64) {
    let engine = Engine::new(EngineOptions::threads(threads).max_memory(limit)).unwrap();
    // `faer` keeps room for its products on every thread, as large as two caches of the third level and mostly untouched.
    let small: Vec<String> = (0..8 * threads).map(|k| format!("{k}.weight")).collect();
    let small: Vec<(&str, &[usize], usize)> =
        small.iter().map(|name| (&**name, &[100, 100][..], 50)).collect();
    engine.analyze(&made_of(&small), &Options { vectors: true, ..Options::default() }, &Quiet).unwrap();
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let report = engine.analyze(model, options, &Quiet).unwrap();
    (report, (ALLOCATOR.peak_usage() - before) as u64)
}

const MIB: u64 = 1 << 20;

fn within_its_plan(what: &str, shape: &[usize], rank: usize, options: &Options) {
    let model = made_of(&[("layer.weight", shape, rank)]);
    let plan = Plan::new(model.file.as_ref(), options).unwrap();
    let stored = 4 * shape.iter().product::<usize>() as u64;
    // The tensor is in memory already.
    let planned = plan.layers[0].memory - stored;
    // With a limit, nothing is kept from one matrix to the next.
    let (report, peak) = analyzed(&model, options, 1, Some(1 << 40));
    println!(
        "{what} {shape:?}: {:.1} MiB of {:.1} planned, {:.0} %",
        peak as f64 / MIB as f64,
        planned as f64 / MIB as f64,
        100.0 * peak as f64 / planned as f64
    );
    assert_eq!(report.layers[0].status, Status::Success, "{what} {}", report.layers[0].reason);
    assert!(peak <= planned + MIB, "{what} {shape:?}: {peak} bytes of {planned}");
}

// One test, so that nothing else allocates meanwhile.
#[test]
fn layers_take_no_more_than_their_plan_says_and_models_no_more_than_their_limit() {
    let d = Options::default;
    let cases: Vec<(&str, Options)> = vec![
        ("default", d()),
        ("f32", Options { precision: Precision::F32, ..d() }),
        ("faer", Options { solver: Solver::Faer, ..d() }),
        ("randomize", Options { randomize: true, mp_fit: true, ..d() }),
        ("traps", Options { traps: true, ..d() }),
        ("vectors", Options { vectors: true, ..d() }),
        ("TPL", Options { fit: Fit::Truncated, compare: true, ..d() }),
        ("bootstrap", Options { bootstrap: 50, ..d() }),
        ("reference", Options { randomize: true, mp_fit: true, ..Options::weightwatcher_0_7_7() }),
    ];
    for (what, options) in &cases {
        for shape in [[600, 600], [3000, 300], [100, 9000]] {
            within_its_plan(what, &shape, usize::MAX, options);
        }
    }
    within_its_plan("default, of low rank", &[600, 600], 400, &d());
    within_its_plan("default, of low rank", &[1800, 1800], 400, &d());
    within_its_plan("f32", &[1800, 1800], 1800, &Options { precision: Precision::F32, ..d() });
    within_its_plan("f32", &[100, 100], 1800, &Options { precision: Precision::F32, ..d() });
    within_its_plan("default, of low rank", &[4000, 500], 100, &d());
    within_its_plan("f32, of low rank", &[600, 600], 400, &Options { precision: Precision::F32, ..d() });
    within_its_plan("convolution", &[256, 128, 3, 3], usize::MAX, &d());
    let operator = Options { conv_mode: ConvMode::Fft, fft_size: 16, ..d() };
    within_its_plan("operator", &[128, 64, 3, 3], usize::MAX, &operator);

    // All windows together would be twelve times the square of the smaller side.
    within_its_plan(
        "windows 300",
        &[3600, 300],
        usize::MAX,
        &Options { estimate: Estimate::Windows(300), ..d() },
    );
    for kind in [Estimate::Top(8), Estimate::Top(100), Estimate::Windows(64), Estimate::Density(40)] {
        for shape in [[900, 900], [9000, 200]] {
            within_its_plan(&kind.to_string(), &shape, usize::MAX, &Options { estimate: kind, ..d() });
        }
    }

    let names: Vec<String> = (0..12).map(|k| format!("{k}.weight")).collect();
    let sides = [700usize, 300, 500];
    let shapes: Vec<[usize; 2]> = (0..12).map(|k| [700, sides[k % 3]]).collect();
    let layers: Vec<(&str, &[usize], usize)> =
        names.iter().zip(&shapes).map(|(name, shape)| (&**name, &shape[..], usize::MAX)).collect();
    let many = made_of(&layers);
    let (free, unlimited) = analyzed(&many, &d(), 4, None);
    let largest = Plan::new(many.file.as_ref(), &d()).unwrap().layers.iter().map(|l| l.memory).max().unwrap();
    for room in [largest, largest * 3 / 2, largest * 3] {
        let limit = 32 * MIB + room;
        let (report, peak) = analyzed(&many, &d(), 4, Some(limit));
        println!(
            "four threads: {} MiB without a limit, {} of {} with one",
            unlimited / MIB,
            peak / MIB,
            limit / MIB
        );
        assert!(peak <= limit, "{peak} bytes of {limit}");
        assert!(report.layers.iter().zip(&free.layers).all(|(a, b)| a.alpha == b.alpha && a.alpha.is_some()));
    }
    let (report, _) = analyzed(&many, &d(), 4, Some(32 * MIB + largest - 1));
    let (skipped, done): (Vec<_>, Vec<_>) = report.layers.iter().partition(|r| r.status == Status::Skipped);
    assert_eq!((skipped.len(), done.len()), (4, 8));
    assert!(skipped.iter().all(|r| r.reason.contains("max_memory")), "{}", skipped[0].reason);
}
