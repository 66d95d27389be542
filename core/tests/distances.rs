//! Two models compared: formulas against their definitions, written out, and what becomes of tensors without a partner.
#![allow(missing_docs)]
#![cfg(feature = "engine")]

use eigenscope::analysis::{Engine, EngineOptions, LayerFilter, Options, Quiet, Status};
use eigenscope::matrix::ConvMode;
use eigenscope::pair::{Measures, Method, Outcome, PairOptions, PairReport, PairRow};
use eigenscope::source::{MemoryModel, TensorInfo};
use eigenscope::spectrum::Rng;
use eigenscope::tensor::{Dtype, LayerKind, Layout, Tensor};
use eigenscope::transform::{Sharpening, Transform};

type Rows = Vec<Vec<f64>>;

fn noise(rows: usize, cols: usize, seed: u64) -> Rows {
    let mut rng = Rng::new(seed);
    (0..rows).map(|_| (0..cols).map(|_| rng.normal()).collect()).collect()
}

fn tensor(rows: &Rows) -> Tensor {
    Tensor::from_f64(vec![rows.len(), rows[0].len()], &rows.concat()).unwrap()
}

fn distances(a: MemoryModel, b: MemoryModel, options: &PairOptions) -> PairReport {
    let engine = Engine::new(EngineOptions::threads(2)).unwrap();
    engine.distances(&a.open("a"), &b.open("b"), options, &Quiet).unwrap()
}

fn of(a: Tensor, b: Tensor, top: usize) -> Measures {
    let options = PairOptions { top, ..PairOptions::default() };
    let model = |t| MemoryModel::new().with("w.weight", t);
    let row = distances(model(a), model(b), &options).layers.remove(0);
    assert_eq!((row.outcome, row.reason.as_str()), (Outcome::Compared, ""));
    row.measures
}

/// `W Wᵀ`, or of the transpose.
fn kernel(w: &Rows, transposed: bool) -> Rows {
    let (n, d) = (w.len(), w[0].len());
    let (n, d) = if transposed { (d, n) } else { (n, d) };
    let at = |i: usize, k: usize| if transposed { w[k][i] } else { w[i][k] };
    (0..n).map(|i| (0..n).map(|j| (0..d).map(|k| at(i, k) * at(j, k)).sum()).collect()).collect()
}

/// `H K H`, by its definition.
fn centred(k: &Rows) -> Rows {
    let n = k.len();
    let h = |i: usize, j: usize| f64::from(u8::from(i == j)) - 1.0 / n as f64;
    let product = |f: &dyn Fn(usize, usize) -> f64, g: &dyn Fn(usize, usize) -> f64| -> Rows {
        (0..n).map(|i| (0..n).map(|j| (0..n).map(|l| f(i, l) * g(l, j)).sum()).collect()).collect()
    };
    let left = product(&h, &|i, j| k[i][j]);
    product(&|i, j| left[i][j], &h)
}

fn alignment(k: &Rows, l: &Rows) -> f64 {
    let inner = |a: &Rows, b: &Rows| a.concat().iter().zip(b.concat()).map(|(x, y)| x * y).sum::<f64>();
    inner(k, l) / (inner(k, k) * inner(l, l)).sqrt()
}

fn close(found: Option<f64>, expected: f64, what: &str) {
    let found = found.unwrap_or_else(|| panic!("{what} is absent"));
    assert!((found - expected).abs() < 1e-10 * expected.abs().max(1.0), "{what}: {found} {expected}");
}

#[test]
fn rows_about_several_tensors_are_refused() {
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    let model = || MemoryModel::new().with("w.weight", tensor(&noise(20, 12, 1))).open("m");
    let plain = Options::default();
    for (name, analysis) in [
        ("intra", Options { intra: true, ..plain.clone() }),
        ("stacked", Options { stacked: true, ..plain.clone() }),
        ("add_biases", Options { add_biases: true, ..plain.clone() }),
        ("conv_mode = fft", Options { conv_mode: ConvMode::Fft, ..plain.clone() }),
    ] {
        let smoothing = Transform::Sharpen(Sharpening::default());
        let transformed = engine.transform(&model(), &smoothing, &analysis, &Quiet).unwrap_err().to_string();
        let options = PairOptions { analysis, ..PairOptions::default() };
        let compared = engine.distances(&model(), &model(), &options, &Quiet).unwrap_err().to_string();
        assert!(compared.starts_with(&format!("{name} goes with an analysis only")), "{compared}");
        assert_eq!(transformed, compared);
    }
}

#[test]
fn cka_of_either_side_is_what_its_kernels_say_whatever_the_shape() {
    for (rows, cols) in [(30, 12), (12, 30), (17, 17)] {
        // Means far from zero, so that centring matters.
        let shifted = |seed| -> Rows {
            noise(rows, cols, seed).iter().map(|r| r.iter().map(|v| v + 0.7).collect()).collect()
        };
        let (a, b) = (shifted(1), shifted(2));
        let m = of(tensor(&a), tensor(&b), 5);
        for (transposed, plain, middle) in
            [(false, m.cka_out, m.cka_out_centred), (true, m.cka_in, m.cka_in_centred)]
        {
            let (k, l) = (kernel(&a, transposed), kernel(&b, transposed));
            close(plain, alignment(&k, &l), "plain");
            close(middle, alignment(&centred(&k), &centred(&l)), "centred");
            assert!(middle.unwrap() < plain.unwrap());
        }
        close(m.CKA, m.cka_out.unwrap().sqrt(), "CKA");
    }
}

#[test]
fn a_rotation_of_the_inputs_leaves_the_outputs_alike_and_nothing_else() {
    let a = noise(40, 24, 3);
    // Rotations in the planes of neighbouring inputs.
    let mut b = a.clone();
    for j in 0..23 {
        let (c, s) = (f64::from(j as u32 + 1).cos(), f64::from(j as u32 + 1).sin());
        for row in &mut b {
            (row[j], row[j + 1]) = (c * row[j] - s * row[j + 1], s * row[j] + c * row[j + 1]);
        }
    }
    let m = of(tensor(&a), tensor(&b), 6);
    close(m.cka_out, 1.0, "cka_out");
    close(m.cka_out_centred, 1.0, "cka_out_centred");
    close(m.overlap_out, 1.0, "overlap_out");
    close(m.wasserstein.map(|w| w + 1.0), 1.0, "wasserstein");
    assert!(m.cka_in.unwrap() < 0.9 && m.overlap_in.unwrap() < 0.7, "{m:?}");
    assert!(m.relative.unwrap() > 0.5);
    // The same in memory order: transposed, sides change places.
    let turn = |r: &Rows| -> Rows { (0..24).map(|j| r.iter().map(|row| row[j]).collect()).collect() };
    let t = of(tensor(&turn(&a)), tensor(&turn(&b)), 6);
    close(t.cka_in, 1.0, "cka_in");
    close(t.overlap_in, 1.0, "overlap_in");
    close(t.cka_out, m.cka_in.unwrap(), "sides");
    close(t.overlap_out, m.overlap_in.unwrap(), "sides");
}

#[test]
fn a_factor_moves_the_spectrum_and_no_angle() {
    let a = noise(20, 30, 4);
    let b: Rows = a.iter().map(|r| r.iter().map(|v| 3.0 * v).collect()).collect();
    let m = of(tensor(&a), tensor(&b), 4);
    for (value, expected) in [
        (m.cosine, 1.0),
        (m.relative, 2.0),
        (m.cka_out_centred, 1.0),
        (m.cka_in, 1.0),
        (m.overlap_out, 1.0),
        (m.overlap_in, 1.0),
        // Every λ is nine times its partner: the mean moves by eight of itself.
        (m.wasserstein, 8.0),
    ] {
        close(value, expected, "measure");
    }
    close(m.raw, 2.0 * a.concat().iter().map(|v| v * v).sum::<f64>().sqrt(), "raw");
    assert_eq!(m.raw, m.euclidean);
}

#[test]
fn the_overlap_counts_the_directions_that_two_matrices_share() {
    let diagonal = |values: [f64; 8]| -> Rows {
        (0..8).map(|i| (0..8).map(|j| if i == j { values[i] } else { 0.0 }).collect()).collect()
    };
    let a = diagonal([9.0, 8.0, 7.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    let b = diagonal([1.0, 60.0, 1.0, 50.0, 40.0, 1.0, 1.0, 1.0]);
    let m = of(tensor(&a), tensor(&b), 3);
    close(m.overlap_out, 1.0 / 3.0, "overlap_out");
    close(m.overlap_in, 1.0 / 3.0, "overlap_in");
    // Rank 2: no more vectors than that.
    let low = diagonal([3.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let m = of(tensor(&low), tensor(&b), 5);
    assert_eq!(m.overlap_count, Some(2));
    close(m.overlap_in, 0.5, "overlap_in of rank 2");
    let m = of(tensor(&low), tensor(&b), 0);
    assert_eq!((m.overlap_in, m.overlap_count), (None, None));
    assert!(m.wasserstein.is_some());
}

#[test]
fn slices_of_a_convolution_are_averaged_or_listed_and_layouts_name_the_sides() {
    let values = |seed| noise(1, 12 * 10 * 4, seed).concat();
    let torch = |seed| Tensor::from_f64(vec![12, 10, 2, 2], &values(seed)).unwrap();
    // The same numbers as Keras would hold them: [kh, kw, in, out].
    let keras = |seed| {
        let v = values(seed);
        let turned: Vec<f64> = (0..480)
            .map(|k| {
                let (o, i, s) = (k % 12, k / 12 % 10, k / 120);
                v[(o * 10 + i) * 4 + s]
            })
            .collect();
        Tensor::from_f64(vec![2, 2, 10, 12], &turned).unwrap()
    };
    let in_keras = |seed| {
        let mut info = TensorInfo::new("w", Dtype::F64, vec![2, 2, 10, 12]);
        (info.kind, info.layout) = (Some(LayerKind::Conv2d), Layout::SpatialInOut);
        MemoryModel::new().with_info(info, keras(seed))
    };
    let pooled = of(torch(5), torch(6), 4);
    let other = distances(in_keras(5), in_keras(6), &PairOptions { top: 4, ..PairOptions::default() });
    let keras = other.layers[0].measures;
    for (a, b) in [
        (pooled.raw, keras.raw),
        (pooled.euclidean, keras.euclidean),
        (pooled.CKA, keras.CKA),
        (pooled.cka_out, keras.cka_out),
        (pooled.cka_in_centred, keras.cka_in_centred),
        (pooled.overlap_out, keras.overlap_out),
        (pooled.wasserstein, keras.wasserstein),
    ] {
        close(a, b.unwrap(), "either layout");
    }
    let unpooled = Options { pool: false, ..Options::default() };
    let options = PairOptions { top: 4, ..PairOptions::of(unpooled) };
    let model = |seed| MemoryModel::new().with("w.weight", torch(seed));
    let slices = distances(model(5), model(6), &options).layers;
    assert_eq!(slices.iter().map(|r| r.slice_id).collect::<Vec<_>>(), [0, 1, 2, 3].map(Some));
    let mean = |of: &dyn Fn(&PairRow) -> f64| slices.iter().map(of).sum::<f64>() / 4.0;
    close(pooled.euclidean, mean(&|r| r.measures.raw.unwrap()), "euclidean");
    close(pooled.cka_in, mean(&|r| r.measures.cka_in.unwrap()), "cka_in");
    let squares = slices.iter().map(|r| r.measures.raw.unwrap().powi(2)).sum::<f64>();
    close(pooled.raw, squares.sqrt(), "raw");
}

#[test]
fn every_tensor_of_both_models_is_accounted_for() {
    let at = |rows, cols, seed| tensor(&noise(rows, cols, seed));
    let vector = |n: usize, v: f64| Tensor::from_f64(vec![n], &vec![v; n]).unwrap();
    let mut broken = noise(12, 10, 9);
    broken[3][4] = f64::NAN;
    let a = MemoryModel::new()
        .with("same.weight", at(12, 10, 1))
        .with("same.bias", vector(12, 1.0))
        .with("moved.weight", at(12, 10, 2))
        .with("moved.bias", vector(12, 1.0))
        .with("norm.weight", vector(16, 1.0))
        .with("gone.weight", at(12, 10, 3))
        .with("wide.weight", at(12, 10, 4))
        .with("broken.weight", at(12, 10, 5))
        .with("tiny.weight", at(3, 5, 6));
    let b = MemoryModel::new()
        .with("new.weight", at(12, 10, 7))
        .with("norm.weight", vector(16, 3.0))
        .with("wide.weight", at(12, 11, 4))
        .with("moved.bias", vector(12, 1.5))
        .with("moved.weight", at(12, 10, 8))
        .with("same.weight", at(12, 10, 1))
        .with("same.bias", vector(12, 1.0))
        .with("broken.weight", tensor(&broken))
        .with("tiny.weight", at(3, 5, 6));
    let report = distances(a.clone(), b.clone(), &PairOptions::default());
    let row = |name: &str| report.layers.iter().find(|r| r.longname == name).unwrap();
    assert_eq!(report.layers.len(), 10);
    assert!(row("same.weight").is_identical() && row("same.bias").is_identical());
    assert_eq!(row("same.weight").delta_b, Some(0.0));
    close(row("moved.weight").delta_b, 0.5 * 12f64.sqrt(), "delta_b");
    close(row("norm.weight").measures.raw, 8.0, "a norm's distance");
    assert_eq!(row("norm.weight").measures.cka_out, None);
    let said = |name: &str| (row(name).outcome, row(name).reason.as_str());
    assert_eq!(said("gone.weight"), (Outcome::OnlyFirst, "only in the first model"));
    assert_eq!(said("new.weight"), (Outcome::OnlySecond, "only in the second model"));
    assert_eq!(said("wide.weight"), (Outcome::ShapesDiffer, "shapes differ: 12x10 and 12x11"));
    assert_eq!(said("broken.weight"), (Outcome::Failed, "second model: contains 1 NaN, first at [3,4]"));
    assert_eq!(said("tiny.weight"), (Outcome::Skipped, "M=3 below min_evals 8"));
    let s = &report.summary;
    assert_eq!((s.layers, s.others, s.identical, s.failed), (2, 3, 2, 1));
    assert_eq!((s.shapes_differ, s.only_first, s.only_second, s.skipped), (1, 1, 1, 1));
    // The mean is over the two layers that were compared, and no other row.
    close(s.mean("delta_W"), row("moved.weight").delta_W.unwrap() / 2.0, "mean");
    let only = PairOptions::of(Options { layers: LayerFilter::new(["moved"]), ..Options::default() });
    let report = distances(a, b, &only);
    let compared = report.layers.iter().filter(|r| r.outcome == Outcome::Compared);
    assert_eq!(compared.map(|r| r.longname.as_str()).collect::<Vec<_>>(), ["moved.weight"]);
}

#[test]
fn a_method_decides_delta_w_and_no_other_column() {
    let model = |seed| MemoryModel::new().with("w.weight", tensor(&noise(20, 16, seed)));
    let with = |method| {
        let options = PairOptions { method, ..PairOptions::default() };
        distances(model(1), model(2), &options).layers.remove(0)
    };
    let rows = [Method::Raw, Method::Euclidean, Method::Cka].map(with);
    assert_eq!(rows[0].measures, rows[2].measures);
    assert_eq!(rows[0].outcome.status(), Status::Success);
    let found = rows.each_ref().map(|r| r.delta_W);
    let m = &rows[0].measures;
    assert_eq!(found, [m.raw, m.euclidean, m.CKA]);
}

#[test]
fn doubles_and_halves_are_compared_by_value() {
    let values: Vec<f64> = noise(1, 200, 7).concat().iter().map(|v| f64::from(*v as f32)).collect();
    let single: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    let a = Tensor::from_f64(vec![20, 10], &values).unwrap();
    let b = Tensor::from_f32(vec![20, 10], &single).unwrap();
    let m = of(a, b, 3);
    assert_eq!(m.raw, Some(0.0));
}
