//! CSV, JSON and JSON lines.
#![allow(missing_docs)]

mod common;

use common::{diagonal, noise, run, small, with_failure, without_layers, write_model};
use serde_json::Value;

const HEADER: &str = "layer_id,name,D,M,N,Q,alpha,alpha_weighted,entropy,has_esd,lambda_max,layer_type,log_alpha_norm,\
    log_norm,log_spectral_norm,longname,matrix_rank,norm,num_evals,num_pl_spikes,rank_loss,rf,sigma,spectral_norm,\
    stable_rank,status,sv_max,sv_min,warning,weak_rank_loss,xmax,xmin,\
    reason,dtype,shape,estimator,method,precision,conv_mode,scale";

/// The rows of a CSV text, by column.
fn rows(text: &str) -> Vec<std::collections::HashMap<String, String>> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
}

#[test]
fn csv_columns_are_weightwatchers_in_its_order_then_ours() {
    let ran = run(small().path(), &["analyze", "model.safetensors", "--format", "csv"]);
    assert_eq!(ran.stdout.lines().next().unwrap(), HEADER);
    let ran = run(without_layers().path(), &["analyze", "model.safetensors", "--format", "csv"]);
    assert_eq!(ran.stdout.lines().next().unwrap(), HEADER, "whatever is in the model");
    let args = ["analyze", "model.safetensors", "--format", "csv", "--no-pool", "--fix-fingers", "clip_xmax"];
    let more = run(small().path(), &args).stdout;
    let more: Vec<&str> = more.lines().next().unwrap().split(',').collect();
    let optional = |c: &&str| !HEADER.split(',').any(|h| h == *c);
    assert_eq!(
        more.iter().copied().filter(optional).collect::<Vec<_>>(),
        ["num_fingers", "raw_alpha", "slice_id"]
    );
    let reference = &more[2..more.iter().position(|c| *c == "reason").unwrap()];
    assert!(reference.is_sorted(), "{reference:?}");
}

#[test]
fn csv_holds_every_tensor_with_full_digits_and_the_words_of_pandas() {
    let ran = run(small().path(), &["analyze", "model.safetensors", "--format", "csv"]);
    let rows = rows(&ran.stdout);
    assert_eq!(rows.len(), 6);
    let first = &rows[0];
    for (column, cell) in [
        ("layer_id", "0"),
        ("name", "first"),
        ("longname", "first.weight"),
        ("N", "8"),
        ("Q", "1.0"),
        ("norm", "204.0"),
        ("spectral_norm", "64.0"),
        ("stable_rank", "3.1875"),
        ("has_esd", "True"),
        ("status", "success"),
        ("reason", ""),
        ("shape", "8x8"),
        ("conv_mode", ""),
        ("scale", "1.0"),
    ] {
        assert_eq!(first[column], cell, "{column}");
    }
    let log_norm: f64 = first["log_norm"].parse().unwrap();
    assert!((log_norm - 204f64.log10()).abs() < 1e-15);
    let bias = &rows[1];
    assert_eq!([&bias["status"], &bias["reason"], &bias["alpha"]], ["skipped", "1-D bias", ""]);
    assert_eq!([&bias["has_esd"], &bias["method"]], ["False", ""]);
    assert_eq!([&rows[2]["rf"], &rows[2]["conv_mode"], &rows[2]["scale"]], ["9", "slices-pooled", "0.5"]);
}

#[test]
fn names_with_commas_and_quotes_survive_csv() {
    let folder = tempfile::TempDir::new().unwrap();
    let name = "odd, \"name\"\nof two lines";
    write_model(&folder.path().join("m.safetensors"), &[noise(name, &[20, 10], 1)]);
    let ran = run(folder.path(), &["analyze", "m.safetensors", "--format", "csv"]);
    assert_eq!(rows(&ran.stdout)[0]["longname"], name);
}

#[test]
fn infinities_are_inf_in_csv_and_null_in_json() {
    let folder = tempfile::TempDir::new().unwrap();
    // All eigenvalues equal: weightwatcher-0.7.7 counts an infinite alpha as a fit.
    write_model(&folder.path().join("m.safetensors"), &[diagonal("same.weight", &[2.0; 10])]);
    let args = ["analyze", "m.safetensors", "--conventions", "weightwatcher-0.7.7", "--format"];
    let table = run(folder.path(), &[&args[..], &["csv"]].concat());
    let json = run(folder.path(), &[&args[..], &["json"]].concat());
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(rows(&table.stdout)[0]["alpha"], "inf", "{}", table.stdout);
    assert_eq!(json["layers"][0]["alpha"], Value::Null);
}

#[test]
fn json_is_the_report_with_its_fields_in_order() {
    let ran = run(small().path(), &["analyze", "model.safetensors", "--format", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["eigenscope", "model", "conventions", "options", "layers", "summary"]);
    assert_eq!(report["model"]["parameters"], 2791);
    assert_eq!(report["options"]["min_evals"], 8);
    assert_eq!(report["summary"]["analyzed"], 3);
    let first: Vec<&String> = report["layers"][0].as_object().unwrap().keys().collect();
    assert_eq!(first[..6], ["layer_id", "name", "layer_type", "status", "reason", "N"]);
    let bias = &report["layers"][1];
    assert!(bias.as_object().unwrap().contains_key("alpha") && bias["alpha"].is_null(), "{bias}");
    assert_eq!(bias["layer_type"], "bias");
}

#[test]
fn every_format_holds_the_same_numbers() {
    let folder = small();
    let output = |format| run(folder.path(), &["analyze", "model.safetensors", "--format", format]).stdout;
    let report: Value = serde_json::from_str(&output("json")).unwrap();
    let text = output("jsonl");
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(report["layers"].as_array().unwrap(), &lines);
    for (json, csv) in text.lines().zip(rows(&output("csv"))) {
        for column in ["alpha", "D", "lambda_max", "entropy", "log_alpha_norm"] {
            // As text: the digits themselves are the same.
            let digits = if csv[column].is_empty() { "null" } else { &csv[column] };
            let held = [',', '}'].iter().any(|end| json.contains(&format!("\"{column}\":{digits}{end}")));
            assert!(held, "{column}: {digits}: {json}");
        }
    }
}

#[test]
fn several_models_are_an_array_a_column_or_headed_tables() {
    let (folder, other) = (small(), with_failure());
    let other = other.path().join("model.safetensors");
    let other = other.to_str().unwrap();
    let output =
        |format| run(folder.path(), &["analyze", "model.safetensors", other, "--format", format]).stdout;
    let reports: Value = serde_json::from_str(&output("json")).unwrap();
    let names: Vec<&Value> = reports.as_array().unwrap().iter().map(|r| &r["model"]["name"]).collect();
    assert_eq!(names, ["model.safetensors", other]);
    let csv = output("csv");
    assert_eq!(csv.lines().next().unwrap(), format!("model,{HEADER}"));
    assert_eq!(rows(&csv).iter().filter(|r| r["model"] == other).count(), 2);
    let line: Value = serde_json::from_str(output("jsonl").lines().next().unwrap()).unwrap();
    assert_eq!(line.as_object().unwrap().keys().next().unwrap(), "model");
    let table = output("table");
    assert!(table.contains(&format!("\n\n{other}: safetensors")) || table.contains("…"), "{table}");
    assert_eq!(table.matches(": safetensors, ").count(), 2);
}

#[test]
fn describe_has_the_same_formats() {
    let folder = small();
    let json = run(folder.path(), &["describe", "model.safetensors", "--format", "json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["to_analyze"], 3);
    assert_eq!(json["skipped"], 3);
    assert_eq!(json["layers"][2]["num_evals"], 108);
    let csv = run(folder.path(), &["describe", "model.safetensors", "--format", "csv"]);
    assert_eq!(csv.stdout.lines().next().unwrap(), HEADER);
}
