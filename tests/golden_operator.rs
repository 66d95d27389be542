//! Other matrices than the slices of a convolution: the operator on images, Glorot's scale, biases.
#![allow(missing_docs)]

use eigenscope::analysis::{Engine, EngineOptions, Options, OptionsError, Quiet, Row, Status, column};
use eigenscope::matrix::ConvMode;
use eigenscope::source::{MemoryModel, TensorInfo};
use eigenscope::tensor::{LayerKind, Layout, Tensor};
use eigenscope_tests::generator::{Generator, matrix};
use eigenscope_tests::golden::{Deviations, load, number};

const REAL: [&str; 16] = [
    "alpha",
    "xmin",
    "xmax",
    "D",
    "sigma",
    "norm",
    "log_norm",
    "spectral_norm",
    "log_spectral_norm",
    "alpha_weighted",
    "log_alpha_norm",
    "stable_rank",
    "entropy",
    "sv_max",
    "sv_min",
    "Q",
];
const EXACT: [&str; 9] =
    ["N", "M", "rf", "num_evals", "num_pl_spikes", "rank_loss", "matrix_rank", "status", "layer_type"];

fn engine() -> Engine {
    Engine::new(EngineOptions::threads(1)).unwrap()
}

fn row(tensor: Tensor, options: &Options) -> Row {
    let info = TensorInfo::new("0.weight", tensor.dtype(), tensor.shape().to_vec());
    engine().analyze_tensor(info, tensor, options).unwrap().remove(0)
}

#[test]
fn conv2d_fft_equals_the_reference_under_its_conventions() {
    let golden = load("weightwatcher-0.7.7/conv2d_fft.json");
    let options = Options { conv_mode: ConvMode::Fft, ..Options::weightwatcher_0_7_7() };
    let mut d = Deviations::default();
    for (name, case) in golden["tensors"].as_object().unwrap() {
        let shape: Vec<usize> =
            case["shape"].as_array().unwrap().iter().map(|s| s.as_u64().unwrap() as usize).collect();
        let (seed, count) = (case["seed"].as_u64().unwrap(), shape.iter().product());
        let values = Generator::new(seed).normals(count, number(&case["std"]).unwrap());
        let singles: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        let row = row(Tensor::from_f32(shape, &singles).unwrap(), &options);
        // Theirs has the rounding of single-precision transforms.
        d.compare(name, &row, &case["row"], &REAL, 1e-6);
        d.compare(name, &row, &case["row"], &EXACT, 0.0);
        assert_eq!(column("fft_size").unwrap().value(&row).as_f64(), Some(32.0));
    }
    d.finish("conv2d_fft");
}

#[test]
fn by_default_a_convolution_is_an_operator_on_the_image_it_names() {
    let options = Options { conv_mode: ConvMode::Fft, fft_size: 7, ..Options::default() };
    let found = row(matrix("E"), &options);
    let kernel: f64 = matrix("E").to_vec().iter().map(|v| v * v).sum();
    assert_eq!((found.status, found.num_evals, found.rf), (Status::Success, Some(7 * 7 * 16), Some(1)));
    let provenance = found.provenance.unwrap();
    assert_eq!((provenance.fft_size, provenance.scale), (Some(7), 1.0));
    assert!((found.norm.unwrap() / (49.0 * kernel) - 1.0).abs() < 1e-12);
    let limit = Options { max_evals: Some(783), ..options.clone() };
    assert_eq!(row(matrix("E"), &limit).reason, "784 eigenvalues above max_evals 783");
    // A dense layer is what it is without.
    assert_eq!(row(matrix("A"), &options).norm, row(matrix("A"), &Options::default()).norm);
    let unpooled = Options { pool: false, ..options };
    assert_eq!(unpooled.validate(), Err(OptionsError::Together("conv_mode = fft", "pool = false")));
}

#[test]
fn glorot_scale_gives_a_fresh_initialisation_the_norm_of_unit_normals() {
    let (n, m, rf) = (32.0, 16.0, 9.0);
    let std = f64::sqrt(2.0 / ((n + m) * rf));
    let values = Generator::new(3).normals(32 * 16 * 9, std);
    let tensor = || Tensor::from_f64(vec![32, 16, 3, 3], &values).unwrap();
    let found = row(tensor(), &Options { glorot_fix: true, ..Options::default() });
    let square: f64 = values.iter().map(|v| v * v).sum();
    assert!((found.norm.unwrap() / (square / std.powi(2)) - 1.0).abs() < 1e-12);
    assert_eq!(found.provenance.unwrap().scale, (n + m) * rf / 2.0);
    assert!((found.norm.unwrap() / (n * m * rf) - 1.0).abs() < 0.05);
    let one = row(matrix("A"), &Options { glorot_fix: true, ..Options::default() });
    assert_eq!(one.provenance.unwrap().scale, 80.0);
}

/// `[out, in]` gets a column, `[in, out]` a row, whatever the sides.
#[test]
fn biases_are_one_more_input_of_their_layer() {
    let square = |t: &Tensor| t.to_vec().iter().map(|v| v * v).sum::<f64>();
    for (name, bias, layout, shape, sides) in [
        ("fc.weight", "fc.bias", Layout::OutInSpatial, [20, 30], (31, 20)),
        ("fc.weight", "fc.bias", Layout::OutInSpatial, [20, 20], (21, 20)),
        ("d/kernel:0", "d/bias:0", Layout::SpatialInOut, [30, 20], (31, 20)),
        ("d/kernel:0", "d/bias:0", Layout::SpatialInOut, [20, 20], (21, 20)),
    ] {
        let mut g = Generator::new(4);
        let weight = Tensor::from_f64(shape.to_vec(), &g.normals(shape[0] * shape[1], 0.2)).unwrap();
        let offsets = Tensor::from_f64(vec![20], &g.normals(20, 1.0)).unwrap();
        let mut info = TensorInfo::new(name, weight.dtype(), weight.shape().to_vec());
        (info.kind, info.layout) = (Some(LayerKind::Dense), layout);
        let model = MemoryModel::new().with_info(info, weight.clone()).with(bias, offsets.clone()).open("m");
        let options = Options { add_biases: true, ..Options::default() };
        let found = engine().analyze(&model, &options, &Quiet).unwrap().layers.remove(0);
        assert_eq!((found.N, found.M), (Some(sides.0), Some(sides.1)));
        assert_eq!(found.combines, format!("{name} + {bias}"));
        assert!((found.norm.unwrap() / (square(&weight) + square(&offsets)) - 1.0).abs() < 1e-12);
        // The same matrix written out, outputs down.
        let (w, b) = (weight.to_vec(), offsets.to_vec());
        let inputs = shape[0].max(shape[1]);
        let at = |o: usize, i: usize| {
            if layout == Layout::OutInSpatial { w[o * shape[1] + i] } else { w[i * shape[1] + o] }
        };
        let written: Vec<f64> = (0..20)
            .flat_map(|o| (0..=inputs).map(move |i| (o, i)))
            .map(|(o, i)| if i < inputs { at(o, i) } else { b[o] })
            .collect();
        let expected = row(Tensor::from_f64(vec![20, inputs + 1], &written).unwrap(), &Options::default());
        for name in ["lambda_max", "alpha", "entropy"] {
            let of = |row: &Row| column(name).unwrap().value(row).as_f64().unwrap();
            assert!((of(&found) / of(&expected) - 1.0).abs() < 1e-9, "{name}");
        }
    }
}
