//! Weights that cannot be analysed: each gives a row that says so, and never costs another layer its own.
#![allow(missing_docs)]

use std::ops::ControlFlow;

use eigenscope::analysis::{
    AnalysisError, Engine, EngineOptions, LayerFilter, Observer, Options, Progress, Quiet, Report, Status,
};
use eigenscope::source::{MemoryModel, OpenModel, Refusal, SourceError, TensorInfo, WeightFile};
use eigenscope::tensor::{Dtype, Quantization, Tensor};

fn ramp(rows: usize, cols: usize) -> Tensor {
    let values: Vec<f64> =
        (0..rows * cols).map(|k| ((k * 7919 + 13) % 104_729) as f64 / 52_364.5 - 1.0).collect();
    Tensor::from_f64(vec![rows, cols], &values).unwrap()
}

fn with(rows: usize, cols: usize, changes: &[(usize, f64)]) -> Tensor {
    let mut values = ramp(rows, cols).to_vec();
    for &(k, v) in changes {
        values[k] = v;
    }
    Tensor::from_f64(vec![rows, cols], &values).unwrap()
}

fn analyze(model: &OpenModel, options: &Options) -> Report {
    Engine::new(EngineOptions::threads(2)).unwrap().analyze(model, options, &Quiet).unwrap()
}

#[test]
fn each_bad_layer_says_why_and_the_good_one_is_analysed() {
    let constant = Tensor::from_f64(vec![30, 40], &[0.25; 1200]).unwrap();
    let zero = Tensor::from_f64(vec![30, 40], &[0.0; 1200]).unwrap();
    let indices = Tensor::new(Dtype::I64, vec![20, 20], vec![1u8; 3200].into()).unwrap();
    let model = MemoryModel::new()
        .with("good.weight", ramp(30, 40))
        .with("nan.weight", with(30, 40, &[(137, f64::NAN), (1000, f64::NAN)]))
        .with("inf.weight", with(30, 40, &[(0, f64::INFINITY), (41, f64::NAN)]))
        .with("huge.weight", with(30, 40, &[(5, 1e200)]))
        .with("zero.weight", zero)
        .with("constant.weight", constant)
        .with("one.weight", Tensor::from_f64(vec![1, 1], &[3.0]).unwrap())
        .with("narrow.weight", ramp(100, 3))
        .with("nothing.weight", Tensor::from_f64(vec![0, 40], &[]).unwrap())
        .with("bn.weight", Tensor::from_f64(vec![8], &[1.0; 8]).unwrap())
        .with("fc.bias", Tensor::from_f64(vec![8], &[1.0; 8]).unwrap())
        .with("step", Tensor::from_f64(vec![], &[1.0]).unwrap())
        .with("index.weight", indices)
        .open("bad");
    let report = analyze(&model, &Options::default());
    let said: Vec<(&str, Status, &str)> =
        report.layers.iter().map(|r| (r.name.as_str(), r.status, r.reason.as_str())).collect();
    let expected = [
        ("good", Status::Success, ""),
        ("nan", Status::Failed, "contains 2 NaN, first at [3,17]"),
        ("inf", Status::Failed, "contains 1 NaN and 1 infinite, first at [0,0]"),
        (
            "huge",
            Status::Failed,
            "the Gram matrix is not finite: entries are NaN, infinite, or too large to square",
        ),
        ("zero", Status::Failed, "all-zero matrix"),
        ("constant", Status::Failed, "power-law fit: 1 eigenvalues above the threshold, a fit needs 2"),
        ("one", Status::Skipped, "M=1 below min_evals 8"),
        ("narrow", Status::Skipped, "M=3 below min_evals 8"),
        ("nothing", Status::Skipped, "no elements"),
        ("bn", Status::Skipped, "norm layer"),
        ("fc.bias", Status::Skipped, "1-D bias"),
        ("step", Status::Skipped, "scalar"),
        ("index", Status::Skipped, "i64 values without a quantisation scale"),
    ];
    assert_eq!(said, expected);
    let constant = &report.layers[5];
    assert_eq!((constant.alpha, constant.warning, constant.matrix_rank), (None, "", Some(1)));
    assert!((constant.stable_rank.unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(report.layers[4].log_norm, None);
    let s = &report.summary;
    assert_eq!((s.analyzed, s.failed, s.skipped), (1, 5, 7));
    // Only a fit can call a layer over-trained.
    assert_eq!(s.over_trained, usize::from(report.layers[0].alpha.unwrap() < 2.0));
    assert_eq!(s.mean("alpha"), report.layers[0].alpha);
    assert_eq!(s.layers_in_mean["alpha"], 1);
}

#[test]
fn under_the_reference_s_conventions_a_failed_fit_leaves_its_sentinels() {
    let zero = Tensor::from_f32(vec![30, 40], &[0.0; 1200]).unwrap();
    let model = MemoryModel::new().with("zero.weight", zero).open("bad");
    let report = analyze(&model, &Options::weightwatcher_0_7_7());
    let row = &report.layers[0];
    assert_eq!((row.alpha, row.D, row.num_pl_spikes, row.xmax), (Some(-1.0), Some(-1.0), Some(-1), None));
    assert_eq!((row.warning, row.status), ("over-trained", Status::Failed));
}

#[test]
fn quantised_integers_are_weights() {
    let bytes: Vec<u8> = (0..400u32).map(|k| (k * 37 % 251) as u8).collect();
    let q = Quantization {
        axis: Some(0),
        scales: (1..=20).map(f64::from).collect(),
        zero_points: vec![128.0; 20],
    };
    let values: Vec<f64> =
        bytes.iter().enumerate().map(|(k, b)| (k / 20 + 1) as f64 * (f64::from(*b) - 128.0)).collect();
    let quantised = Tensor::new(Dtype::U8, vec![20, 20], bytes.into()).unwrap().quantized(q).unwrap();
    let model = MemoryModel::new()
        .with("q.weight", quantised)
        .with("f.weight", Tensor::from_f64(vec![20, 20], &values).unwrap())
        .open("quantised");
    let report = analyze(&model, &Options::default());
    assert_eq!(report.layers[0].alpha, report.layers[1].alpha);
    assert_eq!(report.layers[0].status, Status::Success);
}

struct Liar;

impl WeightFile for Liar {
    fn tensors(&self) -> &[TensorInfo] {
        static INFOS: std::sync::LazyLock<Vec<TensorInfo>> = std::sync::LazyLock::new(|| {
            ["panics", "errs", "lies", "works"].map(|n| TensorInfo::new(n, Dtype::F64, vec![30, 40])).to_vec()
        });
        &INFOS
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        match index {
            0 => panic!("a defect of the loader"),
            1 => {
                Err(SourceError::new("file", Refusal::Malformed("bad bytes".to_owned())).tensor("errs").at(9))
            }
            2 => Ok(ramp(3, 3)),
            _ => Ok(ramp(30, 40)),
        }
    }
}

#[test]
fn a_loader_that_panics_errs_or_lies_costs_only_its_own_layer() {
    let model = OpenModel { loader: "liar".to_owned(), name: "liar".to_owned(), file: Box::new(Liar) };
    let report = analyze(&model, &Options::default());
    let reasons: Vec<&str> = report.layers.iter().map(|r| r.reason.as_str()).collect();
    let expected = [
        "internal error: a defect of the loader",
        "file, tensor 'errs', byte 9: malformed: bad bytes",
        "the loader read shape [3, 3] where it had listed [30, 40]",
        "",
    ];
    assert_eq!(reasons, expected);
    assert_eq!(report.layers[3].status, Status::Success);
}

#[test]
fn a_shape_of_absurd_extent_is_refused_without_memory() {
    let info = TensorInfo::new("w.weight", Dtype::F32, vec![1 << 40, 1 << 40]);
    assert_eq!(info.numel(), u64::MAX);
    assert!(Tensor::new(Dtype::F32, info.shape.clone(), vec![0u8; 64].into()).is_err());
}

struct StopAtFirst;

impl Observer for StopAtFirst {
    fn progress(&self, progress: &Progress<'_>) -> ControlFlow<()> {
        assert!(progress.done == 1 && progress.total == 8, "nothing starts after a break on one thread");
        ControlFlow::Break(())
    }
}

#[test]
fn an_observer_can_cancel() {
    let model =
        (0..8).fold(MemoryModel::new(), |m, i| m.with(format!("{i}.weight"), ramp(30, 40))).open("eight");
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    assert!(matches!(
        engine.analyze(&model, &Options::default(), &StopAtFirst),
        Err(AnalysisError::Cancelled)
    ));
}

#[test]
fn a_filter_term_that_matches_nothing_is_an_error_that_names_it() {
    let model = MemoryModel::new().with("a.weight", ramp(30, 40)).open("one");
    let options = Options { layers: LayerFilter::new(["a", "nope"]), ..Options::default() };
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    let error = engine.analyze(&model, &options, &Quiet).unwrap_err();
    assert_eq!(error.to_string(), "layer filter: nothing matches 'nope'");
}

#[test]
fn an_empty_model_gives_an_empty_report() {
    let report = analyze(&MemoryModel::new().open("empty"), &Options::default());
    assert!(report.layers.is_empty());
    assert_eq!(report.summary.mean("alpha"), None);
}
