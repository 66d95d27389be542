//! `eigenscope fit`.
#![allow(missing_docs)]

use std::process::Command;

use serde_json::Value;

fn fit(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_eigenscope")).arg("fit").args(args).output().unwrap()
}

fn quantiles(n: u32) -> Vec<f64> {
    (1..=n).map(|i| (1.0 - (f64::from(i) - 0.5) / f64::from(n)).powf(-1.0 / 1.5)).collect()
}

fn file(folder: &tempfile::TempDir, values: &[f64]) -> String {
    let path = folder.path().join("values.txt");
    let lines: Vec<String> = values.iter().rev().map(|v| format!("{v:e}")).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_published_fit_of_a_hundred_quantiles_is_found_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &quantiles(100));
    let out = fit(&[&path, "--format", "json", "--bootstrap", "40"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    let close = |at: &str, expected: f64| {
        let value = found.pointer(at).unwrap().as_f64().unwrap();
        assert!((value / expected - 1.0).abs() < 1e-4, "{at}: {value} {expected}");
    };
    close("/alpha", 2.5128198030611886);
    close("/D", 0.006732818422068965);
    close("/sigma", 0.15128198030611886);
    close("/comparisons/1/R", 2.0896179076800423);
    assert_eq!(found["best_fit"], "PL");
    assert_eq!(found["power_law"], true);
    assert!(found["bootstrap"]["alpha_lo"].as_f64().unwrap() < 2.5);
    let given: Value =
        serde_json::from_slice(&fit(&[&path, "--format", "json", "--xmin", "2"]).stdout).unwrap();
    let tail: Vec<f64> = quantiles(100).into_iter().filter(|x| *x >= 2.0).collect();
    let expected = 1.0 + tail.len() as f64 / tail.iter().map(|x| (x / tail[0]).ln()).sum::<f64>();
    assert!((given["alpha"].as_f64().unwrap() - expected).abs() < 1e-9);
}

#[test]
fn the_table_says_what_the_tail_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let out = fit(&[&file(&folder, &quantiles(100))]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("2.513") && text.contains("may be a power law"), "{text}");
}

#[test]
fn what_is_not_positive_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let out = fit(&[&file(&folder, &[1.0, -3.0, 2.0])]);
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1));
    assert!(err.contains("value 2 is -3, not a positive number"), "{err}");
}
