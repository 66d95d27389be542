//! The README's tour on real families of models: analyse, store, compare, show.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::run;
use eigenscope_tests::models::{fetched, resnet};
use serde_json::Value;

/// What `compare` finds for each metric of a family.
fn tour(folder: &Path, paths: &[PathBuf], quality: &str) -> Vec<Value> {
    let paths: Vec<&str> = paths.iter().map(|p| p.to_str().unwrap()).collect();
    let ran = run(folder, &[&["analyze", "--store", "zoo"], &paths[..]].concat());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let ran = run(folder, &["store", "quality", "zoo", quality]);
    assert_eq!(ran.stdout, format!("zoo: {} numbers of quality attached\n", paths.len()), "{}", ran.stderr);
    let ran = run(folder, &["compare", "zoo", "--format", "json"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let ran = run(folder, &["dashboard", "zoo", "-o", "zoo.html"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let html = fs::read_to_string(folder.join("zoo.html")).unwrap();
    assert_eq!(html.matches("\"variant\":").count(), paths.len());
    found["findings"].as_array().unwrap().clone()
}

fn find<'a>(findings: &'a [Value], metric: &str) -> &'a Value {
    findings.iter().find(|f| f["metric"] == metric).unwrap()
}

#[test]
fn weighted_alpha_ranks_four_resnets_perfectly_and_alpha_does_not() {
    let files = [
        ("resnet20-12fca82f", 91.73),
        ("resnet32-d509ac18", 92.63),
        ("resnet44-014dd654", 93.10),
        ("resnet56-4bfd9763", 93.39),
    ];
    let paths: Option<Vec<PathBuf>> = files.iter().map(|(name, _)| resnet(&format!("{name}.th"))).collect();
    let Some(paths) = paths else { return };
    let folder = tempfile::tempdir().unwrap();
    let architecture = paths[0].canonicalize().unwrap();
    let architecture = architecture.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let lines = files.iter().map(|(name, top1)| format!("{architecture},{name},{top1}\n"));
    let table = format!("architecture,variant,top1\n{}", lines.collect::<String>());
    fs::write(folder.path().join("top1.csv"), table).unwrap();
    let found = tour(folder.path(), &paths, "top1.csv");
    for metric in ["alpha_weighted", "log_alpha_norm", "log_norm", "log_spectral_norm"] {
        let says = format!(
            "{metric} ranks the 4 models of {architecture} perfectly by top1; n = 4, so chance gives that in 1 of 24"
        );
        let sentence = find(&found, metric)["sentence"].as_str().unwrap();
        assert!(sentence.starts_with(&says), "{sentence}");
    }
    assert_ne!(find(&found, "alpha")["kendall"]["value"], -1.0);
}

#[test]
fn three_efficientnets_take_the_same_four_commands() {
    let names = ["lite0-57934424", "lite1-77cc7160", "lite2-9656183e"];
    let paths: Option<Vec<PathBuf>> =
        names.iter().map(|n| fetched(&format!("efficientnet/efficientnet-{n}.pth"))).collect();
    let Some(paths) = paths else { return };
    let folder = tempfile::tempdir().unwrap();
    let quality = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/models/efficientnet-lite.csv");
    let found = tour(folder.path(), &paths, quality.to_str().unwrap());
    for finding in &found {
        assert_eq!((&finding["group"], &finding["n"]), (&"efficientnet".into(), &3.into()));
        assert!(finding["sentence"].as_str().unwrap().contains(" 1 of "), "{finding}");
    }
    assert_eq!(found.len(), 6);
}
