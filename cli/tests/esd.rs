//! `eigenscope esd`.
#![allow(missing_docs)]

mod common;

use std::fs::File;

use common::{Ran, beside, command, noise, run, small, with_failure};
use ndarray::{Array1, Array2, Array3};
use ndarray_npy::ReadNpyExt;
use serde_json::Value;

fn esd(folder: &tempfile::TempDir, args: &[&str]) -> Ran {
    run(folder.path(), &[&["esd", "model.safetensors"][..], args].concat())
}

/// The comment, the heading, and the lines below.
fn parts(text: &str) -> (Value, &str, Vec<&str>) {
    let mut lines = text.lines();
    let comment = lines.next().unwrap().strip_prefix("# ").unwrap();
    (serde_json::from_str(comment).unwrap(), lines.next().unwrap(), lines.collect())
}

/// serde_json reads numbers to the last digit but one.
fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 2.0 * f64::EPSILON * b.abs())
}

#[test]
fn csv_holds_the_squared_singular_values_and_what_made_them() {
    let folder = small();
    let ran = esd(&folder, &["--layer", "first"]);
    let (made_by, heading, lines) = parts(&ran.stdout);
    assert_eq!(heading, "eigenvalue");
    let values: Vec<f64> = lines.iter().map(|l| l.parse().unwrap()).collect();
    assert_eq!(values.len(), 8);
    for (k, value) in values.iter().enumerate() {
        assert!((value / ((k + 1) * (k + 1)) as f64 - 1.0).abs() < 1e-14, "{values:?}");
    }
    for (field, expected) in [
        ("model", Value::from("model.safetensors")),
        ("longname", "first.weight".into()),
        ("layer_id", 0.into()),
        ("N", 8.into()),
        ("num_evals", 8.into()),
        ("scale", 1.0.into()),
        ("method", "gram".into()),
        ("conventions", "default".into()),
    ] {
        assert_eq!(made_by[field], expected, "{field}");
    }
    for same in ["first.weight", "0"] {
        assert_eq!(esd(&folder, &["--layer", same]).stdout, ran.stdout);
    }
}

#[test]
fn every_format_holds_the_numbers_that_analyze_fits() {
    let folder = small();
    let report = run(folder.path(), &["analyze", "model.safetensors", "--format", "json"]).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    let json: Value =
        serde_json::from_str(&esd(&folder, &["--layer", "block.conv", "--format", "json"]).stdout).unwrap();
    let values: Vec<f64> =
        json["eigenvalues"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let row = &report["layers"][2];
    assert_eq!(row["num_evals"], values.len());
    let sums = [row["lambda_max"].as_f64().unwrap(), row["norm"].as_f64().unwrap()];
    assert!((sums[1] / values.iter().sum::<f64>() - 1.0).abs() < 1e-14);
    assert!(same(&sums[..1], &values[107..]));
    assert_eq!((&json["scale"], &json["conv_mode"]), (&row["scale"], &row["conv_mode"]));
    let text = esd(&folder, &["--layer", "block.conv"]).stdout;
    let lines: Vec<f64> = parts(&text).2.iter().map(|l| l.parse().unwrap()).collect();
    assert!(same(&lines, &values), "{lines:?}\n{values:?}");
    esd(&folder, &["--layer", "block.conv", "-o", "conv.npy"]);
    let array = Array1::<f64>::read_npy(File::open(beside(&folder, "conv.npy")).unwrap()).unwrap();
    assert_eq!(array.to_vec(), lines);
}

#[test]
fn slices_are_kept_apart_on_request() {
    let folder = small();
    let args = ["--layer", "block.conv", "--no-pool"];
    let ran = esd(&folder, &args);
    let (made_by, heading, lines) = parts(&ran.stdout);
    assert_eq!((heading, lines.len()), ("slice_id,eigenvalue", 108));
    assert_eq!((&made_by["conv_mode"], &made_by["pooled"]), (&"slices".into(), &false.into()));
    esd(&folder, &[&args[..], &["-o", "conv.npy"]].concat());
    let array = Array2::<f64>::read_npy(File::open(beside(&folder, "conv.npy")).unwrap()).unwrap();
    let rows = run(
        folder.path(),
        &["analyze", "model.safetensors", "--no-pool", "--layers", "2", "--format", "jsonl"],
    );
    let rows: Vec<Value> = rows.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let largest: Vec<f64> = rows
        .iter()
        .filter(|r| r["name"] == "block.conv")
        .map(|r| r["lambda_max"].as_f64().unwrap())
        .collect();
    assert!(same(&array.column(11).to_vec(), &largest));
    assert_eq!(lines[107], format!("8,{:?}", array[(8, 11)]));
}

#[test]
fn weights_are_the_oriented_matrices_as_stored() {
    let folder = small();
    esd(&folder, &["--layer", "second", "--weights", "-o", "second.npy"]);
    let matrix = Array2::<f64>::read_npy(File::open(beside(&folder, "second.npy")).unwrap()).unwrap();
    let stored = noise("", &[40, 24], 4).2;
    assert_eq!(matrix.dim(), (40, 24));
    assert!(matrix.iter().zip(&stored).all(|(a, b)| *a == f64::from(*b)));
    esd(&folder, &["--layer", "block.conv", "--weights", "-o", "conv.npy"]);
    let slices = Array3::<f64>::read_npy(File::open(beside(&folder, "conv.npy")).unwrap()).unwrap();
    let stored = noise("", &[16, 12, 3, 3], 2).2;
    assert_eq!(slices.dim(), (9, 16, 12));
    assert_eq!(slices[(5, 7, 3)], f64::from(stored[(7 * 12 + 3) * 9 + 5]));
    esd(&folder, &["--layer", "tiny", "--weights", "-o", "tiny.npy"]);
    let tall = Array2::<f64>::read_npy(File::open(beside(&folder, "tiny.npy")).unwrap()).unwrap();
    assert_eq!((tall.dim(), tall[(4, 1)]), ((5, 3), f64::from(noise("", &[3, 5], 5).2[9])));
}

#[test]
fn fit_reads_what_esd_writes() {
    let folder = small();
    for file in ["second.csv", "second.npy"] {
        esd(&folder, &["--layer", "second", "-o", file]);
        let fit = run(folder.path(), &["fit", file, "--format", "json"]);
        let fit: Value = serde_json::from_str(&fit.stdout).unwrap_or_else(|_| panic!("{}", fit.stderr));
        let rows =
            run(folder.path(), &["analyze", "model.safetensors", "--layers", "second", "--format", "json"]);
        let rows: Value = serde_json::from_str(&rows.stdout).unwrap();
        assert_eq!((&fit["values"], &fit["alpha"]), (&24.into(), &rows["layers"][4]["alpha"]), "{file}");
    }
}

#[test]
fn a_layer_that_is_not_there_or_has_no_spectrum_is_refused_with_what_helps() {
    let folder = small();
    for (args, status, says) in [
        (&["--layer", "secnd"][..], 2, "hint: did you mean 'second'?"),
        (&["--layer", "secnd"], 2, "error: model.safetensors: no layer is called 'secnd'"),
        (&["--layer", "firs"], 2, "hint: did you mean 'first'?\n"),
        (&["--layer", "77"], 2, "hint: ids go from 0 to 5"),
        (&["--layer", "first.bias"], 1, "'first.bias' has no spectrum: 1-D bias"),
        (&["--layer", "first", "--weights", "--format", "csv"], 2, "--weights are written as npy only"),
        (&["--layer", "first", "-o", "no/where.csv"], 1, "cannot write no/where.csv"),
    ] {
        let ran = esd(&folder, args);
        assert!(ran.status == status && ran.stderr.contains(says), "{args:?}: {} {}", ran.status, ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    let ran = esd(&with_failure(), &["--layer", "broken", "-o", "b.csv"]);
    assert!(ran.status == 1 && ran.stderr.contains("contains 1 NaN, first at [1,7]"), "{}", ran.stderr);
}

#[test]
fn npy_on_standard_output_is_the_file_itself() {
    let folder = small();
    let args = ["esd", "model.safetensors", "--layer", "first", "--format", "npy"];
    let output = command(folder.path(), &args).output().unwrap();
    let array = Array1::<f64>::read_npy(&output.stdout[..]).unwrap();
    assert_eq!((output.stdout[..6].to_vec(), array.len()), (b"\x93NUMPY".to_vec(), 8));
}
