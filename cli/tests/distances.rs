//! `eigenscope distances`.
#![allow(missing_docs)]

mod common;

use common::{Tensor, diagonal, noise, run, write_model};
use serde_json::Value;
use tempfile::TempDir;
use unicode_width::UnicodeWidthStr;

/// Two models: one layer alike, one scaled by 2, one of another shape, one on either side only.
fn pair() -> TempDir {
    let folder = TempDir::new().unwrap();
    let scaled = |factor: f32| -> Tensor {
        let mut tensor = noise("scaled.weight", &[24, 16], 2);
        tensor.2.iter_mut().for_each(|v| *v *= factor);
        tensor
    };
    let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    write_model(
        &folder.path().join("a.safetensors"),
        &[
            diagonal("same.weight", &values),
            noise("same.bias", &[8], 1),
            scaled(1.0),
            noise("head.weight", &[10, 12], 3),
            noise("old.weight", &[10, 12], 4),
        ],
    );
    write_model(
        &folder.path().join("b.safetensors"),
        &[
            noise("new.weight", &[10, 12], 5),
            noise("head.weight", &[11, 12], 3),
            scaled(2.0),
            diagonal("same.weight", &values),
            noise("same.bias", &[8], 1),
        ],
    );
    folder
}

fn line<'a>(table: &'a str, name: &str) -> &'a str {
    table
        .lines()
        .find(|l| l.split_whitespace().any(|w| w == name))
        .unwrap_or_else(|| panic!("{name}: {table}"))
}

#[test]
fn the_table_shows_what_changed_and_what_has_no_partner() {
    let folder = pair();
    let ran = run(folder.path(), &["distances", "a.safetensors", "b.safetensors"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let table = &ran.stdout;
    assert!(line(table, "same").starts_with('='), "{table}");
    // ‖A - 2A‖ / ‖A‖ = 1, and no angle between them.
    let scaled = line(table, "scaled");
    assert_eq!(scaled.split_whitespace().filter(|w| *w == "1.000").count(), 6, "{scaled}");
    assert!(line(table, "head").ends_with("shapes differ: 10x12 and 11x12"), "{table}");
    assert!(line(table, "old").starts_with('-') && line(table, "old").ends_with("only in the first model"));
    assert!(line(table, "new").starts_with('+') && line(table, "new").ends_with("only in the second model"));
    assert!(
        table.contains("2 layers compared, 1 other tensor compared, 2 of all these identical"),
        "{table}"
    );
    assert!(table.lines().all(|l| l.width() <= 100), "{table}");
}

#[test]
fn json_and_csv_have_every_column_and_tensor() {
    let folder = pair();
    let ran = run(folder.path(), &["distances", "a.safetensors", "b.safetensors", "--format", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["layers"].as_array().unwrap().len(), 6);
    assert_eq!(report["summary"]["identical"], 2);
    assert_eq!(report["summary"]["only_second"], 1);
    let relative = report["summary"]["relative"].as_f64().unwrap();
    assert!((relative - 0.5).abs() < 1e-12, "{relative}");
    assert_eq!(report["options"]["method"], "raw");
    let out = folder.path().join("out.csv");
    let ran = run(folder.path(), &["distances", "a.safetensors", "b.safetensors", "-o", "out.csv"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""));
    let mut reader = csv::Reader::from_path(out).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    for name in ["delta_W", "delta_b", "cka_out_centred", "overlap_in", "wasserstein", "shape_b"] {
        assert!(names.iter().any(|n| n == name), "{name}: {names:?}");
    }
    assert!(!names.iter().any(|n| n == "slice_id" || n == "dtype_b"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    let at =
        |row: &csv::StringRecord, name: &str| row[names.iter().position(|n| n == name).unwrap()].to_owned();
    assert_eq!(at(&rows[0], "raw"), "0.0");
    assert_eq!((at(&rows[3], "status"), at(&rows[3], "shape_b")), ("skipped".into(), "11x12".into()));
}

#[test]
fn a_method_a_filter_and_the_reference_s_conventions_are_options() {
    let folder = pair();
    let json = |args: &[&str]| -> Value {
        let all = [&["distances", "a.safetensors", "b.safetensors", "--format", "json"][..], args].concat();
        let ran = run(folder.path(), &all);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stderr))
    };
    let cka = json(&["--method", "cka", "--layers", "scaled", "--top", "0"]);
    let compared: Vec<&Value> =
        cka["layers"].as_array().unwrap().iter().filter(|r| r["status"] == "success").collect();
    assert_eq!(compared.len(), 1);
    assert!((compared[0]["delta_W"].as_f64().unwrap() - 1.0).abs() < 1e-12);
    assert!(compared[0]["overlap_in"].is_null());
    // By place no shape meets its own (same 8x8 against new 10x12, ...), and each counts as -1.
    let reference = json(&["--conventions", "weightwatcher-0.7.7"]);
    let deltas: Vec<Option<f64>> =
        reference["layers"].as_array().unwrap().iter().map(|r| r["delta_W"].as_f64()).collect();
    assert_eq!(deltas.iter().flatten().filter(|d| **d == -1.0).count(), 4, "{deltas:?}");
}

#[test]
fn models_that_share_no_layer_end_with_status_3_and_a_wrong_name_with_2_or_1() {
    let folder = pair();
    write_model(&folder.path().join("c.safetensors"), &[noise("other.weight", &[12, 12], 1)]);
    let status = |args: &[&str]| {
        let ran = run(folder.path(), &[&["distances"][..], args].concat());
        (ran.status, ran.stderr)
    };
    let (code, err) = status(&["a.safetensors", "c.safetensors"]);
    assert!(code == 3 && err.contains("no layer of"), "{code} {err}");
    let (code, err) = status(&["a.safetensors", "b.safetensors", "--layers", "nope*"]);
    assert!(code == 2 && err.contains("nothing matches 'nope*'"), "{code} {err}");
    let (code, _) = status(&["a.safetensors", "b.safetensors", "--method", "angle"]);
    assert_eq!(code, 2);
    let (code, err) = status(&["a.safetensors", "missing.safetensors"]);
    assert!(code == 1 && err.contains("missing.safetensors"), "{code} {err}");
}

#[test]
fn a_prefix_that_one_model_s_names_carry_does_not_keep_them_apart() {
    let folder = TempDir::new().unwrap();
    let model = |prefix: &str| -> Vec<Tensor> {
        (1..4).map(|i| noise(&format!("{prefix}layer.{i}.weight"), &[12, 10], i)).collect()
    };
    write_model(&folder.path().join("a.safetensors"), &model(""));
    write_model(&folder.path().join("b.safetensors"), &model("module."));
    let ran = run(folder.path(), &["distances", "a.safetensors", "b.safetensors"]);
    assert!(ran.stdout.contains("3 layers compared, 3 of all these identical"), "{}", ran.stdout);
    assert!(ran.stdout.contains("names are paired without 'module.'"), "{}", ran.stdout);
}

#[test]
fn explain_knows_the_columns_of_comparisons() {
    let folder = TempDir::new().unwrap();
    let ran = run(folder.path(), &["explain", "cka_out_centred", "alpha"]);
    assert!(ran.status == 0 && ran.stdout.contains("Kornblith"), "{}", ran.stdout);
}
