//! Smoothing and sharpening: what is kept is what the columns say, planted traps are gone, and the rest of the spectrum stays.
#![allow(missing_docs)]

use eigenscope::analysis::{Engine, EngineOptions, Options, Plan, Quiet, Row};
use eigenscope::source::{MemoryModel, OpenModel};
use eigenscope::spectrum::Rng;
use eigenscope::tensor::{Dtype, Tensor};
use eigenscope::transform::{
    Change, Done, SharpenMethod, Sharpening, SmoothMethod, Smoothing, Transform, TransformError, Transformed,
};

const SD: f64 = 0.05;

fn gaussian(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| SD * rng.normal()).collect()
}

/// In the order of file and plan; every test's model has one layer that matters.
fn model(shape: &[usize], values: &[f64]) -> OpenModel {
    let singles: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    let weight = Tensor::from_f32(shape.to_vec(), &singles).unwrap();
    let bias = Tensor::from_f32(vec![3], &[1.0, f32::NAN, -0.0]).unwrap();
    MemoryModel::new().with("w.weight", weight).with("w.bias", bias).open("memory")
}

fn engine() -> Engine {
    Engine::new(EngineOptions::threads(1)).unwrap()
}

fn transformed(model: &OpenModel, transform: Transform, options: &Options) -> Vec<Transformed> {
    engine().transform(model, &transform, options, &Quiet).unwrap()
}

fn smooth(model: &OpenModel, method: SmoothMethod, options: &Options) -> Transformed {
    transformed(model, Transform::Smooth(Smoothing { method }), options).remove(0)
}

fn sharpen(model: &OpenModel, method: SharpenMethod) -> Transformed {
    transformed(model, Transform::Sharpen(Sharpening { method }), &Options::default()).remove(0)
}

fn change(t: &Transformed) -> Change {
    let Done::Changed(change) = t.done else { panic!("{:?}", t.done) };
    change
}

fn eigenvalues(model: &OpenModel, options: &Options) -> Vec<f64> {
    let plan = Plan::new(model.file.as_ref(), options).unwrap();
    engine().esd(model, &plan.layers[0], options).unwrap().spectra.remove(0).eigenvalues
}

fn row(model: &OpenModel, options: &Options) -> Row {
    engine().analyze(model, options, &Quiet).unwrap().layers.remove(0)
}

fn after(shape: &[usize], t: &Transformed) -> OpenModel {
    model(shape, &t.tensor.as_ref().unwrap().to_vec())
}

/// A single weight stands out of the noise once it is larger than σ (N M)^¼.
fn threshold(rows: usize, cols: usize) -> f64 {
    SD * ((rows * cols) as f64).powf(0.25)
}

#[test]
fn a_share_keeps_exactly_the_largest_singular_values_or_leaves_exactly_the_others() {
    for shape in [[40, 90], [90, 40], [64, 64]] {
        let m = model(&shape, &gaussian(shape[0] * shape[1], 1));
        let before = eigenvalues(&m, &Options::default());
        let n = before.len();
        for share in [0.05, 0.2, 0.5, 0.975, -0.1, -0.5] {
            let t = smooth(&m, SmoothMethod::Share(share), &Options::default());
            let number = ((share.abs() * n as f64) + 1e-9) as usize;
            let found = eigenvalues(&after(&shape, &t), &Options::default());
            let expected = if share > 0.0 { &before[n - number..] } else { &before[..n - number] };
            assert_eq!(change(&t).kept, Some((expected.len(), n)));
            let zeros = n - expected.len();
            for (a, b) in found[zeros..].iter().zip(expected) {
                assert!((a.sqrt() - b.sqrt()).abs() < 1e-6, "{shape:?} {share}: {a} {b}");
            }
            assert!(
                found[..zeros].iter().all(|v| v.sqrt() < 1e-6),
                "{shape:?} {share}: {:?}",
                &found[..zeros]
            );
            let total: f64 = before.iter().sum();
            let gone = total - expected.iter().sum::<f64>();
            assert!((change(&t).distance / (gone / total).sqrt() - 1.0).abs() < 1e-4);
        }
    }
}

#[test]
fn what_is_kept_and_what_is_removed_add_up_to_the_weights() {
    let (shape, values) = ([50, 30], gaussian(1500, 2));
    let m = model(&shape, &values);
    let half = |share| smooth(&m, SmoothMethod::Share(share), &Options::default()).tensor.unwrap().to_vec();
    for ((a, b), w) in half(0.4).iter().zip(half(-0.4)).zip(&values) {
        assert!((a + b - w).abs() < 1e-6 * SD.max(w.abs()), "{a} {b} {w}");
    }
}

#[test]
fn each_method_keeps_as_many_as_its_column_counts() {
    let shape = [80, 120];
    let mut rng = Rng::new(3);
    let heavy: Vec<f64> = (0..9600).map(|_| SD * rng.normal() / (1.0 - rng.uniform()).sqrt()).collect();
    let m = model(&shape, &heavy);
    let row = row(&m, &Options { detx: true, mp_fit: true, ..Options::default() });
    assert!(row.alpha.unwrap() < 6.0);
    for (method, count) in [
        (SmoothMethod::DetX, row.detx.unwrap().num),
        (SmoothMethod::AlphaMin, row.num_pl_spikes.unwrap()),
        (SmoothMethod::Rmt, row.mp.unwrap().num_spikes),
        (SmoothMethod::Auto, row.detx.unwrap().num),
    ] {
        let kept = change(&smooth(&m, method, &Options::default())).kept;
        assert_eq!(kept, Some((usize::try_from(count).unwrap(), 80)), "{method:?}");
    }
}

#[test]
fn automatic_smoothing_of_a_layer_without_a_tail_goes_by_the_bulk() {
    // A Gaussian square matrix whose alpha is above 6, with one spike for the bulk's law to leave out.
    let (rows, cols) = (64, 64);
    let mut values = gaussian(rows * cols, 5);
    let mut rng = Rng::new(6);
    let (u, v): (Vec<f64>, Vec<f64>) =
        ((0..64).map(|_| rng.normal()).collect(), (0..64).map(|_| rng.normal()).collect());
    values.iter_mut().enumerate().for_each(|(k, w)| *w += 0.03 * u[k / 64] * v[k % 64]);
    let m = model(&[rows, cols], &values);
    let row = row(&m, &Options { mp_fit: true, detx: true, ..Options::default() });
    let (alpha, spikes) = (row.alpha.unwrap(), row.mp.unwrap().num_spikes);
    let kept = change(&smooth(&m, SmoothMethod::Auto, &Options::default())).kept.unwrap().0 as i64;
    assert_eq!(kept, if alpha > 6.0 { spikes } else { row.detx.unwrap().num }, "alpha {alpha}");
    assert!(spikes >= 1);
}

#[test]
fn slices_of_a_convolution_share_the_largest_of_all() {
    let shape = [20, 12, 2, 2];
    // Slices of different size: the first kernel position has the largest weights.
    let values: Vec<f64> = gaussian(960, 7).iter().enumerate().map(|(k, w)| w / (1 + k % 4) as f64).collect();
    let m = model(&shape, &values);
    let before = eigenvalues(&m, &Options::default());
    let t = smooth(&m, SmoothMethod::Share(0.25), &Options::default());
    let found = eigenvalues(&after(&shape, &t), &Options::default());
    assert_eq!((change(&t).kept, found.len()), (Some((12, 48)), 48));
    for (a, b) in found[36..].iter().zip(&before[36..]) {
        assert!((a.sqrt() - b.sqrt()).abs() < 1e-6);
    }
    assert!(found[35].sqrt() < 1e-6);
    // Each its own quarter where slices are apart, and rounded up from the whole as the reference does it.
    for (options, kept) in [
        (Options { pool: false, min_evals: 0, ..Options::default() }, 3),
        (Options { min_evals: 0, ..Options::weightwatcher_0_7_7() }, 3),
    ] {
        let t = smooth(&m, SmoothMethod::Share(0.25), &options);
        let apart = Options { pool: false, ..Options::default() };
        let plan = Plan::new(m.file.as_ref(), &apart).unwrap();
        let found = engine().esd(&after(&shape, &t), &plan.layers[0], &apart).unwrap();
        for spectrum in found.spectra {
            assert_eq!(spectrum.eigenvalues.iter().filter(|v| **v > 1e-10).count(), kept);
        }
    }
}

#[test]
fn what_cannot_be_smoothed_stays_to_the_bit_and_says_why() {
    let m = model(&[10, 12], &[0.5; 120]);
    let reason = |t: &Transformed| match &t.done {
        Done::Unchanged(why) => why.clone(),
        Done::Changed(change) => panic!("{change:?}"),
    };
    let options = Options::default();
    assert_eq!(reason(&smooth(&m, SmoothMethod::Share(0.05), &options)), "nothing would be kept");
    assert_eq!(reason(&smooth(&m, SmoothMethod::Share(1.0), &options)), "all singular values are kept");
    assert_eq!(reason(&smooth(&m, SmoothMethod::Share(-1.0), &options)), "nothing would be left");
    let all = transformed(&m, Transform::Smooth(Smoothing::default()), &options);
    assert_eq!((all.len(), reason(&all[1])), (2, "1-D bias".to_owned()));
    assert!(all[1].tensor.is_none());
    let mut values = gaussian(120, 1);
    values[7] = f64::NAN;
    let t = smooth(&model(&[10, 12], &values), SmoothMethod::Share(0.5), &options);
    assert_eq!(reason(&t), "contains NaN or infinities");
    for share in [0.0, 1.5, -1.01, f64::NAN] {
        let transform = Transform::Smooth(Smoothing { method: SmoothMethod::Share(share) });
        assert!(matches!(
            engine().transform(&m, &transform, &options, &Quiet),
            Err(TransformError::Share(_))
        ));
    }
}

#[test]
fn stored_types_stay_and_a_type_s_own_rounding_is_all_the_error_there_is() {
    let values = gaussian(40 * 24, 8);
    for (dtype, bits) in [(Dtype::F64, 40), (Dtype::F32, 24), (Dtype::F16, 11), (Dtype::BF16, 8)] {
        let bytes: Vec<u8> = match dtype {
            Dtype::F64 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Dtype::F32 => values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect(),
            Dtype::F16 => values.iter().flat_map(|v| half::f16::from_f64(*v).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|v| half::bf16::from_f64(*v).to_le_bytes()).collect(),
        };
        let tensor = Tensor::new(dtype, vec![40, 24], bytes.into()).unwrap();
        let exact =
            MemoryModel::new().with("w.weight", Tensor::from_f64(vec![40, 24], &tensor.to_vec()).unwrap());
        let m = MemoryModel::new().with("w.weight", tensor).open("memory");
        let t = smooth(&m, SmoothMethod::Share(0.5), &Options::default()).tensor.unwrap();
        assert_eq!((t.dtype(), t.shape()), (dtype, &[40, 24][..]));
        let exact =
            smooth(&exact.open("memory"), SmoothMethod::Share(0.5), &Options::default()).tensor.unwrap();
        for (a, b) in t.to_vec().iter().zip(exact.to_vec()) {
            assert!((a - b).abs() <= b.abs() * 2f64.powi(-bits) + 1e-7, "{dtype}: {a} {b}");
        }
    }
}

/// Noise with a trap planted in it: a single huge weight, or a block of six.
fn planted(rows: usize, cols: usize, seed: u64, size: f64, block: bool) -> Vec<f64> {
    let mut values = gaussian(rows * cols, seed);
    let places: &[(usize, usize)] =
        if block { &[(3, 5), (3, 90), (77, 5), (77, 90), (30, 5), (30, 90)] } else { &[(37, 41)] };
    for (i, j) in places {
        values[i * cols + j] += size * threshold(rows, cols);
    }
    values
}

#[test]
fn a_planted_trap_of_any_size_is_gone_and_the_rest_of_the_spectrum_stays() {
    let traps = Options { traps: true, ..Options::default() };
    for (rows, cols) in [(120, 200), (200, 120)] {
        for (k, (size, block)) in
            [1.8, 2.5, 4.0, 10.0, 40.0].into_iter().flat_map(|s| [(s, false), (s + 0.5, true)]).enumerate()
        {
            let (clean, m) =
                (gaussian(rows * cols, 50 + k as u64), planted(rows, cols, 50 + k as u64, size, block));
            let (clean, m) = (model(&[rows, cols], &clean), model(&[rows, cols], &m));
            assert!(row(&m, &traps).num_traps.unwrap() > 0, "{size} {block}");
            let (clean, planted) = (eigenvalues(&clean, &traps), eigenvalues(&m, &traps));
            for method in [SharpenMethod::Localized, SharpenMethod::Svd] {
                let t = sharpen(&m, method);
                let (done, sharp) = (change(&t), after(&[rows, cols], &t));
                assert_eq!((done.traps > 0, done.traps_left), (true, 0), "{size} {block} {method:?}");
                for seed in 0..3 {
                    let again = row(&sharp, &Options { seed, ..traps.clone() });
                    assert_eq!(again.num_traps, Some(0), "{size} {block} {method:?} seed {seed}");
                }
                let found = eigenvalues(&sharp, &traps);
                match method {
                    SharpenMethod::Localized => {
                        assert!((1..=6).contains(&done.weights) && done.kept.is_none());
                        // What the weights were before they were huge is not to be known, so six of them leave a little more.
                        let off: Vec<f64> =
                            found.iter().zip(&clean).map(|(a, b)| ((a / b).sqrt() - 1.0).abs()).collect();
                        let (worst, mean) =
                            (off.iter().fold(0.0, |m: f64, x| m.max(*x)), off.iter().sum::<f64>() / 120.0);
                        assert!(
                            mean < 0.005 && worst < if block { 0.03 } else { 0.01 },
                            "{size} {block}: {worst} {mean}"
                        );
                    }
                    SharpenMethod::Svd => {
                        let (kept, of) = done.kept.unwrap();
                        assert_eq!((of, found.len()), (120, 120));
                        for (a, b) in found[of - kept..].iter().zip(&planted[..kept]) {
                            assert!((a / b - 1.0).abs() < 1e-4, "{size} {block}: {a} {b}");
                        }
                        assert!(found[of - kept - 1].sqrt() < 1e-6);
                    }
                }
            }
        }
    }
}

#[test]
fn a_correlation_larger_than_the_trap_survives_where_the_trap_is_cut_and_is_lost_where_the_largest_goes() {
    let (rows, cols) = (150, 100);
    let mut rng = Rng::new(10);
    let (u, v): (Vec<f64>, Vec<f64>) =
        ((0..rows).map(|_| rng.normal()).collect(), (0..cols).map(|_| rng.normal()).collect());
    let mut values = gaussian(rows * cols, 9);
    values.iter_mut().enumerate().for_each(|(k, w)| *w += 0.03 * u[k / cols] * v[k % cols]);
    let clean = eigenvalues(&model(&[rows, cols], &values), &Options::default());
    values[42] = 2.5 * threshold(rows, cols);
    let m = model(&[rows, cols], &values);
    let top = |t: &Transformed| *eigenvalues(&after(&[rows, cols], t), &Options::default()).last().unwrap();
    let cut = sharpen(&m, SharpenMethod::Localized);
    assert!((top(&cut) / clean.last().unwrap() - 1.0).abs() < 0.01, "{} {:?}", top(&cut), clean.last());
    assert_eq!(change(&cut).weights, 1);
    assert!(top(&sharpen(&m, SharpenMethod::Svd)) < 0.7 * clean.last().unwrap());
}

#[test]
fn only_the_carrier_of_a_trap_changes_and_a_layer_without_one_not_at_all() {
    let (rows, cols) = (90, 140);
    let values = planted(rows, cols, 77, 5.0, false);
    let m = model(&[rows, cols], &values);
    let t = sharpen(&m, SharpenMethod::Localized);
    let old = m.file.read(0).unwrap().to_vec();
    let new = t.tensor.unwrap().to_vec();
    let changed: Vec<usize> = (0..old.len()).filter(|k| old[*k].to_bits() != new[*k].to_bits()).collect();
    assert_eq!(changed, [37 * cols + 41]);
    assert_eq!(new[changed[0]].to_bits(), 0);
    for method in [SharpenMethod::Localized, SharpenMethod::Svd] {
        let clean = sharpen(&model(&[rows, cols], &gaussian(rows * cols, 77)), method);
        assert_eq!(clean.done, Done::Unchanged("no traps".to_owned()));
    }
}

#[test]
fn a_trap_in_one_slice_of_a_convolution_changes_that_slice_only() {
    let shape = [64, 48, 3, 3];
    let mut values = gaussian(64 * 48 * 9, 21);
    let place = (17 * 48 + 5) * 9 + 4;
    values[place] = 4.0 * threshold(64, 48);
    let m = model(&shape, &values);
    let old = m.file.read(0).unwrap().to_vec();
    for method in [SharpenMethod::Localized, SharpenMethod::Svd] {
        let t = sharpen(&m, method);
        assert_eq!((change(&t).traps, change(&t).traps_left), (1, 0));
        let new = t.tensor.unwrap().to_vec();
        let slices: Vec<usize> = (0..old.len()).filter(|k| old[*k] != new[*k]).map(|k| k % 9).collect();
        assert!(!slices.is_empty() && slices.iter().all(|s| *s == 4), "{method:?}");
        assert!(new[place] < old[place] / 2.0);
    }
}
