//! Low-rank adapters: products, sums, and the rows of the factors.
#![allow(missing_docs)]
#![cfg(feature = "engine")]

use eigenscope::adapter::{AdapterConfig, Lora, has_factors, merge};
use eigenscope::analysis::{Engine, EngineOptions, LayerFilter, Options, Quiet, Report, Row, Status};
use eigenscope::source::MemoryModel;
use eigenscope::spectrum::Rng;
use eigenscope::tensor::Tensor;

fn values(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = Rng::new(seed);
    (0..n).map(|_| rng.normal()).collect()
}

fn tensor(shape: &[usize], seed: u64) -> Tensor {
    Tensor::from_f64(shape.to_vec(), &values(shape.iter().product(), seed)).unwrap()
}

/// `factor * B A`, written out.
fn product(b: &Tensor, a: &Tensor, factor: f64) -> Vec<f64> {
    let (out, rank, inner) = (b.shape()[0], a.shape()[0], a.len() / a.shape()[0]);
    let (b, a) = (b.to_vec(), a.to_vec());
    let cell = |k: usize| (0..rank).map(|r| b[k / inner * rank + r] * a[r * inner + k % inner]).sum::<f64>();
    (0..out * inner).map(|k| factor * cell(k)).collect()
}

fn config(text: &str) -> AdapterConfig {
    AdapterConfig::parse("adapter_config.json", text.as_bytes()).unwrap()
}

fn analyze(
    adapter: MemoryModel,
    base: Option<MemoryModel>,
    config: Option<&AdapterConfig>,
    how: Lora,
    options: &Options,
) -> Report {
    let (adapter, base) = (adapter.open("adapter"), base.map(|b| b.open("base")));
    assert!(has_factors(&adapter));
    let merged = merge(adapter, base, config, how, options).unwrap();
    Engine::new(EngineOptions::threads(2)).unwrap().analyze(&merged, options, &Quiet).unwrap()
}

fn row<'a>(report: &'a Report, longname: &str) -> &'a Row {
    let names = || report.layers.iter().map(|r| r.longname.as_str()).collect::<Vec<_>>();
    report
        .layers
        .iter()
        .find(|r| r.longname == longname)
        .unwrap_or_else(|| panic!("{longname}: {:?}", names()))
}

/// The numbers of a plain matrix.
fn plain(shape: &[usize], values: &[f64]) -> Row {
    let model = MemoryModel::new().with("w.weight", Tensor::from_f64(shape.to_vec(), values).unwrap());
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    engine.analyze(&model.open("plain"), &Options::default(), &Quiet).unwrap().layers.remove(0)
}

fn close(found: Option<f64>, expected: Option<f64>, what: &str) {
    let (found, expected) = (found.unwrap(), expected.unwrap());
    assert!((found / expected - 1.0).abs() < 1e-9, "{what}: {found} {expected}");
}

const Q: &str = "base_model.model.layers.0.q_proj";

fn adapter(rank: usize) -> (MemoryModel, Tensor, Tensor) {
    let (a, b) = (tensor(&[rank, 50], 1), tensor(&[70, rank], 2));
    let model = MemoryModel::new()
        .with(format!("{Q}.lora_A.weight"), a.clone())
        .with(format!("{Q}.lora_B.weight"), b.clone());
    (model, a, b)
}

#[test]
fn an_update_has_the_spectrum_of_its_scaled_product_without_the_zeros() {
    let (model, a, b) = adapter(16);
    let config = config(r#"{"peft_type": "LORA", "r": 16, "lora_alpha": 8}"#);
    let report = analyze(model, None, Some(&config), Lora::Product, &Options::default());
    let update = row(&report, &format!("{Q}.lora_BA.weight"));
    let expected = plain(&[70, 50], &product(&b, &a, 0.5));
    assert_eq!(
        (update.N, update.M, update.num_evals, update.matrix_rank),
        (Some(70), Some(50), Some(16), Some(16))
    );
    assert_eq!(update.rank_loss, Some(0));
    for (found, expected, what) in [
        (update.norm, expected.norm, "norm"),
        (update.lambda_max, expected.lambda_max, "lambda_max"),
        (update.alpha, expected.alpha, "alpha"),
        (update.D, expected.D, "D"),
        (update.entropy, expected.entropy, "entropy"),
        (update.stable_rank, expected.stable_rank, "stable_rank"),
    ] {
        close(found, expected, what);
    }
    for factor in ["lora_A", "lora_B"] {
        let factor = row(&report, &format!("{Q}.{factor}.weight"));
        let reason = format!("factor of '{Q}.lora_BA.weight' (rank 16, times 0.5)");
        assert_eq!((factor.status, factor.reason.as_str()), (Status::Skipped, reason.as_str()));
    }
}

#[test]
fn a_rank_below_min_evals_and_filters_apply_to_the_product_and_not_to_its_factors() {
    let (model, ..) = adapter(4);
    let report = analyze(model.clone(), None, None, Lora::Product, &Options::default());
    assert_eq!(row(&report, &format!("{Q}.lora_BA.weight")).num_evals, Some(4));
    let options = Options { layers: LayerFilter::new(["*lora_BA*"]), ..Options::default() };
    let report = analyze(model.clone(), None, None, Lora::Product, &options);
    assert_eq!(report.summary.analyzed + report.summary.failed, 1);
    let options = Options { layers: LayerFilter::new(["!*lora_BA*"]), ..Options::default() };
    let report = analyze(model, None, None, Lora::Product, &options);
    let said = &row(&report, &format!("{Q}.lora_BA.weight")).reason;
    assert_eq!(said, "not selected by the layer filter");
}

#[test]
fn a_sum_is_the_base_s_weights_and_the_scaled_update_in_full_rank() {
    let (model, a, b) = adapter(8);
    let config = config(r#"{"r": 8, "lora_alpha": 16}"#);
    let weights = tensor(&[70, 50], 3);
    let sum: Vec<f64> = weights.to_vec().iter().zip(product(&b, &a, 2.0)).map(|(w, d)| w + d).collect();
    let base =
        MemoryModel::new().with("layers.0.q_proj.weight", weights).with("other.weight", tensor(&[20, 20], 4));
    let report = analyze(model, Some(base), Some(&config), Lora::WithBase, &Options::default());
    let found = row(&report, &format!("{Q}.lora_W_plus_AB.weight"));
    let expected = plain(&[70, 50], &sum);
    assert_eq!(found.num_evals, Some(50));
    close(found.alpha, expected.alpha, "alpha");
    close(found.norm, expected.norm, "norm");
    assert_eq!(row(&report, &format!("{Q}.lora_BA.weight")).status, Status::Success);
    assert_eq!(report.model.metadata["base_model"], "base");
}

#[test]
fn transposed_weights_embeddings_and_convolutions_take_their_updates_too() {
    let (a, b) = (tensor(&[4, 30], 1), tensor(&[30, 4], 2));
    let (ea, eb) = (tensor(&[4, 90], 3), tensor(&[20, 4], 4));
    let (ca, cb) = (tensor(&[4, 12, 3, 3], 5), tensor(&[16, 4, 1, 1], 6));
    let model = MemoryModel::new()
        .with("attn.lora_A.weight", a.clone())
        .with("attn.lora_B.weight", b.clone())
        .with("wte.lora_embedding_A", ea.clone())
        .with("wte.lora_embedding_B", eb.clone())
        .with("conv.lora_A.weight", ca.clone())
        .with("conv.lora_B.weight", cb.clone());
    let weights = [tensor(&[30, 30], 7), tensor(&[90, 20], 8), tensor(&[16, 12, 3, 3], 9)];
    let base = MemoryModel::new()
        .with("attn.weight", weights[0].clone())
        .with("wte.weight", weights[1].clone())
        .with("conv.weight", weights[2].clone());
    let config = config(r#"{"lora_alpha": 4, "fan_in_fan_out": true}"#);
    let report = analyze(model, Some(base), Some(&config), Lora::WithBase, &Options::default());
    let turned = |v: &[f64], rows: usize| -> Vec<f64> {
        let cols = v.len() / rows;
        (0..v.len()).map(|k| v[k % rows * cols + k / rows]).collect()
    };
    let updates =
        [turned(&product(&b, &a, 1.0), 30), turned(&product(&eb, &ea, 1.0), 20), product(&cb, &ca, 1.0)];
    let names = ["attn.lora_W_plus_AB.weight", "wte.lora_W_plus_AB", "conv.lora_W_plus_AB.weight"];
    for ((weights, update), name) in weights.iter().zip(&updates).zip(names) {
        let sum: Vec<f64> = weights.to_vec().iter().zip(update).map(|(w, d)| w + d).collect();
        let expected = plain(weights.shape(), &sum);
        let found = row(&report, name);
        close(found.norm, expected.norm, name);
        close(found.lambda_max, expected.lambda_max, name);
    }
    // Of a convolution every slice has at most the rank.
    let conv = row(&report, "conv.lora_BA.weight");
    assert_eq!((conv.rf, conv.num_evals), (Some(9), Some(36)));
    close(conv.norm, plain(&[16, 12, 3, 3], &updates[2]).norm, "conv");
}

#[test]
fn what_cannot_be_merged_says_why() {
    let (model, ..) = adapter(8);
    let model =
        model.with("k.lora_A.weight", tensor(&[8, 30], 5)).with("k.lora_B.weight", tensor(&[20, 4], 6));
    let report = analyze(model.clone(), None, None, Lora::WithBase, &Options::default());
    assert_eq!(row(&report, "k.lora_A.weight").reason, "factors that do not fit: A 8x30, B 20x4");
    let sum = format!("{Q}.lora_W_plus_AB.weight");
    assert_eq!(row(&report, &sum).reason, format!("no weights of '{Q}' beside the factors"));
    let base = MemoryModel::new().with("layers.0.q_proj.weight", tensor(&[70, 51], 3));
    let report = analyze(model.clone(), Some(base.clone()), None, Lora::WithBase, &Options::default());
    assert_eq!(row(&report, &sum).reason, "shapes differ: BA 70x50, W 70x51");
    let dora = config(r#"{"use_dora": true}"#);
    let report = analyze(model, Some(base), Some(&dora), Lora::WithBase, &Options::default());
    assert!(row(&report, &sum).reason.starts_with("DoRA"));
    let mut broken = values(70 * 8, 2);
    broken[5] = f64::NAN;
    let broken = MemoryModel::new()
        .with("q.lora_A.weight", tensor(&[8, 50], 1))
        .with("q.lora_B.weight", Tensor::from_f64(vec![70, 8], &broken).unwrap());
    let report = analyze(broken, None, None, Lora::Product, &Options::default());
    let said = row(&report, "q.lora_BA.weight");
    assert_eq!(
        (said.status, said.reason.as_str()),
        (Status::Failed, "factor B contains 1 NaN, first at [0,5]")
    );
}

#[test]
fn a_fresh_adapter_is_skipped_and_no_failure() {
    let zero = Tensor::from_f64(vec![70, 8], &[0.0; 560]).unwrap();
    let model = MemoryModel::new().with("q.lora_A.weight", tensor(&[8, 50], 1)).with("q.lora_B.weight", zero);
    let report = analyze(model, None, None, Lora::Product, &Options::default());
    let update = row(&report, "q.lora_BA.weight");
    assert_eq!(
        (update.status, update.reason.as_str()),
        (Status::Skipped, "an update of zeros: a fresh adapter?")
    );
}
