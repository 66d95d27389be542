//! Smoothing and sharpening beside WeightWatcher 0.7.7's SVDSmoothing and SVDSharpness.
#![allow(missing_docs)]

use eigenscope::analysis::{Engine, EngineOptions, Options, Plan, Quiet};
use eigenscope::source::MemoryModel;
use eigenscope::tensor::Tensor;
use eigenscope::transform::{Done, SharpenMethod, Sharpening, SmoothMethod, Smoothing, Transform};
use eigenscope_tests::generator::matrix;
use eigenscope_tests::golden::load;

fn tensor(id: &str) -> Tensor {
    if id != "T" {
        return matrix(id);
    }
    let mut values: Vec<f32> = matrix("A").to_vec().iter().map(|v| *v as f32).collect();
    values[17 * 100 + 42] = 6.0;
    Tensor::from_f32(vec![60, 100], &values).unwrap()
}

fn transform(words: &[&str]) -> Transform {
    let smooth = |method| Transform::Smooth(Smoothing { method });
    match words {
        ["svd", share] => smooth(SmoothMethod::Share(share.parse().unwrap())),
        ["detX"] => smooth(SmoothMethod::DetX),
        ["alpha_min"] => smooth(SmoothMethod::AlphaMin),
        ["rmt"] => smooth(SmoothMethod::Rmt),
        ["sharpness"] => Transform::Sharpen(Sharpening { method: SharpenMethod::Svd }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_presets_give_the_reference_s_matrices() {
    let golden = load("transforms.json");
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    let cases = golden["transforms"].as_object().unwrap();
    assert_eq!(cases.len(), 20);
    for (name, expected) in cases {
        let words: Vec<&str> = name.split(' ').collect();
        let old = tensor(words[0]);
        for options in [Options::default(), Options::weightwatcher_0_7_7()] {
            let model = MemoryModel::new().with("0.weight", old.clone()).open("memory");
            let done = engine.transform(&model, &transform(&words[1..]), &options, &Quiet).unwrap().remove(0);
            let real = |key: &str| expected[key].as_f64().unwrap();
            let Done::Changed(change) = done.done else {
                // Nothing beyond the bulk, no trap: the reference leaves the matrix too.
                assert_eq!(real("distance"), 0.0, "{name}: {:?}", done.done);
                continue;
            };
            let new = done.tensor.unwrap();
            assert_eq!(change.kept.unwrap().0 as u64, expected["kept"].as_u64().unwrap(), "{name}");
            assert!((change.distance / real("distance") - 1.0).abs() < 2e-4, "{name}: {}", change.distance);
            let values = new.to_vec();
            let size = old.to_vec().iter().map(|w| w.abs()).sum::<f64>() / values.len() as f64;
            for (key, tolerance) in [("exact", 1e-6), ("entries", 0.05)] {
                for (found, wanted) in values.iter().zip(expected[key].as_array().unwrap()) {
                    let wanted = wanted.as_f64().unwrap();
                    assert!((found - wanted).abs() < tolerance * size, "{name} {key}: {found} {wanted}");
                }
            }
            let after = MemoryModel::new().with("0.weight", new).open("memory");
            let plan = Plan::new(after.file.as_ref(), &options).unwrap();
            let spectrum = engine.esd(&after, &plan.layers[0], &options).unwrap().spectra.remove(0);
            for (value, wanted) in
                spectrum.eigenvalues.iter().rev().zip(expected["singular_values"].as_array().unwrap())
            {
                let wanted = wanted.as_f64().unwrap();
                assert!((value.sqrt() / wanted - 1.0).abs() < 1e-5, "{name}: {} {wanted}", value.sqrt());
            }
        }
    }
}
