//! What must hold for every matrix: invariances and scaling laws of spectrum, fit and metrics.
#![allow(missing_docs)]

use eigenscope::analysis::{Engine, EngineOptions, Options, Row};
use eigenscope::matrix::ConvMode;
use eigenscope::source::TensorInfo;
use eigenscope::spectrum::Precision;
use eigenscope::tensor::{LayerKind, Layout, Tensor};
use proptest::prelude::*;

fn row_of(info: TensorInfo, tensor: Tensor, options: &Options) -> Row {
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    engine.analyze_tensor(info, tensor, options).unwrap().remove(0)
}

fn dense(rows: usize, cols: usize, values: &[f64]) -> Row {
    let tensor = Tensor::from_f64(vec![rows, cols], values).unwrap();
    row_of(TensorInfo::new("w.weight", tensor.dtype(), vec![rows, cols]), tensor, &Options::default())
}

/// A matrix with a heavy tail, so that fits are not degenerate.
fn heavy() -> impl Strategy<Value = (usize, usize, Vec<f64>)> {
    (22usize..40, 22usize..60).prop_flat_map(|(m, n)| {
        let entry = (-1.0f64..1.0, 0.05f64..1.0).prop_map(|(a, u)| a / u);
        (Just(m), Just(n), proptest::collection::vec(entry, m * n))
    })
}

fn near(a: Option<f64>, b: Option<f64>, tolerance: f64) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1e-300),
        (a, b) => a == b,
    }
}

fn same(a: &Row, b: &Row, tolerance: f64) -> Result<(), TestCaseError> {
    for (what, x, y) in [
        ("alpha", a.alpha, b.alpha),
        ("xmin", a.xmin, b.xmin),
        ("D", a.D, b.D),
        ("norm", a.norm, b.norm),
        ("lambda_max", a.lambda_max, b.lambda_max),
        ("entropy", a.entropy, b.entropy),
        ("stable_rank", a.stable_rank, b.stable_rank),
        ("log_alpha_norm", a.log_alpha_norm, b.log_alpha_norm),
    ] {
        prop_assert!(near(x, y, tolerance), "{what}: {x:?} {y:?}");
    }
    prop_assert_eq!((a.N, a.M, a.matrix_rank, a.num_pl_spikes), (b.N, b.M, b.matrix_rank, b.num_pl_spikes));
    Ok(())
}

fn transpose(m: usize, n: usize, w: &[f64]) -> Vec<f64> {
    (0..n * m).map(|k| w[(k % m) * n + k / m]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn transposing_changes_nothing((m, n, w) in heavy()) {
        same(&dense(m, n, &w), &dense(n, m, &transpose(m, n, &w)), 1e-9)?;
    }

    #[test]
    fn permuting_rows_changes_nothing((m, n, w) in heavy(), turn in 1usize..20) {
        let mut rotated = w.clone();
        rotated.rotate_left(turn * n % w.len());
        same(&dense(m, n, &w), &dense(m, n, &rotated), 1e-9)?;
    }

    #[test]
    fn rotating_the_rows_by_an_orthogonal_matrix_changes_nothing((m, n, w) in heavy(), v in proptest::collection::vec(-1.0f64..1.0, 40)) {
        // A Householder reflection of the rows.
        let v = &v[..m];
        let square: f64 = v.iter().map(|x| x * x).sum();
        prop_assume!(square > 1e-3);
        let mut turned = w.clone();
        for j in 0..n {
            let dot: f64 = (0..m).map(|i| v[i] * w[i * n + j]).sum();
            for i in 0..m {
                turned[i * n + j] -= 2.0 * dot * v[i] / square;
            }
        }
        same(&dense(m, n, &w), &dense(m, n, &turned), 1e-7)?;
    }

    #[test]
    fn scaling_by_c_scales_eigenvalues_by_c_squared_and_leaves_shapes_alone((m, n, w) in heavy(), log_c in -4.0f64..4.0) {
        let c = 10f64.powf(log_c);
        let (a, b) = (dense(m, n, &w), dense(m, n, &w.iter().map(|x| c * x).collect::<Vec<_>>()));
        for (what, x, y) in [("alpha", a.alpha, b.alpha), ("D", a.D, b.D), ("entropy", a.entropy, b.entropy), ("stable_rank", a.stable_rank, b.stable_rank)] {
            prop_assert!(near(x, y, 1e-9), "{what}: {x:?} {y:?}");
        }
        for (what, x, y) in [("xmin", a.xmin, b.xmin), ("norm", a.norm, b.norm), ("spectral_norm", a.spectral_norm, b.spectral_norm)] {
            prop_assert!(near(x.map(|x| x * c * c), y, 1e-9), "{what}: {x:?} {y:?}");
        }
        prop_assert_eq!(a.weak_rank_loss, b.weak_rank_loss);
    }

    #[test]
    fn metrics_satisfy_their_definitions_and_bounds((m, n, w) in heavy()) {
        let r = dense(m, n, &w);
        let frobenius: f64 = w.iter().map(|x| x * x).sum();
        let (norm, top) = (r.norm.unwrap(), r.lambda_max.unwrap());
        prop_assert!(near(Some(frobenius), r.norm, 1e-12));
        prop_assert!(near(r.sv_max.map(|s| s * s), r.lambda_max, 1e-12));
        prop_assert!(near(r.stable_rank, Some(norm / top), 1e-12));
        prop_assert!((1.0..=r.num_evals.unwrap() as f64).contains(&r.stable_rank.unwrap()));
        prop_assert!((0.0..=1.0 + 1e-12).contains(&r.entropy.unwrap()));
        prop_assert!((0.0..=1.0).contains(&r.D.unwrap()));
        prop_assert_eq!(r.matrix_rank.unwrap() + r.rank_loss.unwrap(), r.num_evals.unwrap());
        prop_assert!(near(r.alpha_weighted, Some(r.alpha.unwrap() * top.log10()), 1e-12));
    }

    #[test]
    fn single_precision_agrees_to_single_precision((m, n, w) in heavy()) {
        let tensor = Tensor::from_f64(vec![m, n], &w).unwrap();
        let info = TensorInfo::new("w.weight", tensor.dtype(), vec![m, n]);
        let f32_options = Options { precision: Precision::F32, ..Options::default() };
        let (a, b) = (dense(m, n, &w), row_of(info, tensor, &f32_options));
        prop_assert!(near(a.norm, b.norm, 1e-5) && near(a.lambda_max, b.lambda_max, 1e-5));
        prop_assert_eq!(b.provenance.unwrap().precision, Precision::F32);
    }

    #[test]
    fn a_convolution_has_one_spectrum_in_either_layout(w in proptest::collection::vec(-1.0f64..1.0, 6 * 5 * 2 * 3)) {
        let torch = Tensor::from_f64(vec![6, 5, 2, 3], &w).unwrap();
        // The same numbers as (kh, kw, in, out).
        let mut keras_values = vec![0.0; w.len()];
        for (k, v) in w.iter().enumerate() {
            let (o, i, y, x) = (k / 30, k / 6 % 5, k / 3 % 2, k % 3);
            keras_values[((y * 3 + x) * 5 + i) * 6 + o] = *v;
        }
        let keras = Tensor::from_f64(vec![2, 3, 5, 6], &keras_values).unwrap();
        for conv_mode in [ConvMode::Slices, ConvMode::Flatten] {
            let options = Options { conv_mode, min_evals: 1, ..Options::default() };
            let row = |tensor: &Tensor, layout| {
                let mut info = TensorInfo::new("conv", tensor.dtype(), tensor.shape().to_vec());
                info.kind = Some(LayerKind::Conv2d);
                info.layout = layout;
                row_of(info, tensor.clone(), &options)
            };
            same(&row(&torch, Layout::OutInSpatial), &row(&keras, Layout::SpatialInOut), 1e-9)?;
        }
    }
}
