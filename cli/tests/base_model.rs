//! `--base-model`.
#![allow(missing_docs)]

mod common;

use common::{noise, run, write_model};
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn a_base_model_is_subtracted_and_named_in_the_report() {
    let folder = TempDir::new().unwrap();
    let base = noise("tuned.weight", &[40, 24], 1);
    let update = noise("", &[40, 24], 2);
    let mut tuned = base.clone();
    tuned.2.iter_mut().zip(&update.2).for_each(|(v, d)| *v += 0.5 * d);
    let expected: f64 = tuned.2.iter().zip(&base.2).map(|(t, b)| f64::from(t - b).powi(2)).sum::<f64>();
    let frozen = noise("frozen.weight", &[24, 20], 3);
    write_model(&folder.path().join("base.safetensors"), &[base, frozen.clone()]);
    write_model(
        &folder.path().join("tuned.safetensors"),
        &[tuned, frozen, noise("new.weight", &[12, 12], 4)],
    );
    let args = ["analyze", "tuned.safetensors", "--base-model", "base.safetensors"];
    let ran = run(folder.path(), &[&args[..], &["--format", "json"]].concat());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let norm = report["layers"][0]["norm"].as_f64().unwrap();
    assert!((norm / expected - 1.0).abs() < 1e-9, "{norm} {expected}");
    assert_eq!(report["layers"][1]["reason"], "identical to the base model");
    assert_eq!(report["layers"][2]["reason"], "not in the base model");
    assert_eq!(report["model"]["metadata"]["base_model"], "base.safetensors");
    let ran = run(folder.path(), &[&args[..], &["--all"]].concat());
    assert!(
        ran.stdout.starts_with("tuned.safetensors minus base.safetensors: safetensors"),
        "{}",
        ran.stdout
    );
    let ran = run(folder.path(), &["describe", "tuned.safetensors", "--base-model", "base.safetensors"]);
    assert!(ran.stdout.contains("not in the base model"), "{}", ran.stdout);
    let ran = run(folder.path(), &["analyze", "tuned.safetensors", "--base-model", "nowhere.safetensors"]);
    assert!(ran.status == 1 && ran.stderr.contains("nowhere.safetensors"), "{}", ran.stderr);
}
