//! Folders of low-rank adapters, as PEFT writes them.
#![allow(missing_docs)]

mod common;

use common::{Tensor, noise, run, write_model};
use serde_json::Value;
use tempfile::TempDir;

const Q: &str = "base_model.model.model.layers.0.self_attn.q_proj";

/// `adapter/` with its configuration and weights, and `base.safetensors`; the scaled update is returned.
fn folder() -> (TempDir, Vec<f64>) {
    let folder = TempDir::new().unwrap();
    let adapter = folder.path().join("adapter");
    std::fs::create_dir(&adapter).unwrap();
    let a = noise(&format!("{Q}.lora_A.weight"), &[8, 40], 1);
    let b = noise(&format!("{Q}.lora_B.weight"), &[60, 8], 2);
    let cell = |k: usize| {
        (0..8).map(|r| f64::from(b.2[k / 40 * 8 + r]) * f64::from(a.2[r * 40 + k % 40])).sum::<f64>() * 2.0
    };
    let update = (0..2400).map(cell).collect();
    write_model(&adapter.join("adapter_model.safetensors"), &[a, b]);
    let config =
        r#"{"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "bias": "none"}"#;
    std::fs::write(adapter.join("adapter_config.json"), config).unwrap();
    let base: Vec<Tensor> = vec![
        noise("model.layers.0.self_attn.q_proj.weight", &[60, 40], 3),
        noise("model.layers.0.self_attn.k_proj.weight", &[60, 40], 4),
    ];
    write_model(&folder.path().join("base.safetensors"), &base);
    (folder, update)
}

fn layers(folder: &TempDir, args: &[&str]) -> Vec<Value> {
    let ran = run(folder.path(), &[args, &["--format", "json"]].concat());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    report["layers"].as_array().unwrap().clone()
}

fn named<'a>(layers: &'a [Value], end: &str) -> &'a Value {
    layers
        .iter()
        .find(|l| l["name"].as_str().unwrap().ends_with(end))
        .unwrap_or_else(|| panic!("{end}: {layers:?}"))
}

#[test]
fn an_adapter_folder_is_analysed_as_the_scaled_product_of_its_factors() {
    let (folder, update) = folder();
    let found = layers(&folder, &["analyze", "adapter"]);
    let norm: f64 = update.iter().map(|v| v * v).sum();
    let product = named(&found, "lora_BA");
    assert!((product["norm"].as_f64().unwrap() / norm - 1.0).abs() < 1e-9);
    assert_eq!((&product["N"], &product["M"], &product["num_evals"]), (&60.into(), &40.into(), &8.into()));
    let factor = named(&found, "lora_B");
    assert!(factor["reason"].as_str().unwrap().contains("(rank 8, times 2)"), "{factor}");
    assert_eq!(found.len(), 3);
}

#[test]
fn with_a_base_model_the_sum_is_analysed_too() {
    let (folder, update) = folder();
    let found = layers(&folder, &["analyze", "adapter", "--base-model", "base.safetensors"]);
    let weights = noise("", &[60, 40], 3).2;
    let norm: f64 = weights.iter().zip(&update).map(|(w, d)| (f64::from(*w) + d).powi(2)).sum();
    let sum = named(&found, "lora_W_plus_AB");
    assert!((sum["norm"].as_f64().unwrap() / norm - 1.0).abs() < 1e-6, "{sum}");
    assert_eq!(sum["num_evals"], 40);
    assert_eq!(named(&found, "lora_BA")["status"], "success");
}

#[test]
fn factors_are_plain_matrices_when_asked_for_or_under_the_reference_s_conventions() {
    let (folder, _) = folder();
    for args in [&["--lora", "off"][..], &["--conventions", "weightwatcher-0.7.7"]] {
        let found = layers(&folder, &[&["analyze", "adapter"][..], args].concat());
        assert_eq!(found.len(), 2, "{args:?}");
        assert_eq!(named(&found, "lora_A")["num_evals"], 8);
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_an_error_and_a_missing_one_a_warning() {
    let (folder, _) = folder();
    let config = folder.path().join("adapter/adapter_config.json");
    std::fs::write(&config, "{\"peft_type\": \"LOHA\"}").unwrap();
    let ran = run(folder.path(), &["analyze", "adapter"]);
    assert!(ran.status == 1 && ran.stderr.contains("an adapter of type LOHA"), "{}", ran.stderr);
    std::fs::remove_file(config).unwrap();
    let ran = run(folder.path(), &["analyze", "adapter"]);
    assert!(ran.status == 0 && ran.stderr.contains("updates are not scaled"), "{}", ran.stderr);
}

#[test]
fn two_adapters_are_compared_by_their_products() {
    let (folder, _) = folder();
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    for name in ["adapter_model.safetensors", "adapter_config.json"] {
        std::fs::copy(folder.path().join("adapter").join(name), other.join(name)).unwrap();
    }
    let config = r#"{"peft_type": "LORA", "r": 8, "lora_alpha": 32}"#;
    std::fs::write(other.join("adapter_config.json"), config).unwrap();
    let found = layers(&folder, &["distances", "adapter", "other"]);
    // Twice the factor: as far apart as the first is from zero.
    let relative = named(&found, "lora_BA")["relative"].as_f64().unwrap();
    assert!((relative - 1.0).abs() < 1e-6, "{relative}");
}
