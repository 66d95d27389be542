//! Figures and pages that the command writes.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{beside, noise, run, small, with_failure, write_model};
use serde_json::Value;
use tempfile::TempDir;

fn names(folder: &Path) -> BTreeSet<String> {
    let all = std::fs::read_dir(folder).unwrap();
    all.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

/// Words of an SVG.
fn texts(svg: &str) -> Vec<String> {
    let after = svg.split("<text").skip(1).filter_map(|t| t.split_once('>')?.1.split_once('<'));
    after.map(|(words, _)| words.trim().to_owned()).collect()
}

#[test]
fn analyze_draws_the_figures_of_every_layer_that_has_a_spectrum() {
    let folder = small();
    let ran = run(
        folder.path(),
        &["analyze", "model.safetensors", "--plots", "a/b", "--mp-fit", "--randomize", "--format", "json"],
    );
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let found = names(&beside(&folder, "a/b"));
    let each = ["esd", "esd2", "esd3", "esd4", "esd5", "randesd1", "randesd2", "mpfit2", "rand_mpfit2"];
    for row in report["layers"].as_array().unwrap().iter().filter(|r| r["status"] == "success") {
        for figure in each {
            let name = format!("ww.layer{}.{figure}.svg", row["layer_id"]);
            assert!(found.contains(&name), "{name} {found:?}");
        }
        let svg =
            std::fs::read_to_string(beside(&folder, &format!("a/b/ww.layer{}.esd.svg", row["layer_id"])));
        let alpha =
            format!("α = {:.3} · D = {:.3}", row["alpha"].as_f64().unwrap(), row["D"].as_f64().unwrap());
        assert!(texts(&svg.unwrap()).iter().any(|t| t.starts_with(&alpha)), "{alpha}");
    }
    let square =
        report["layers"].as_array().unwrap().iter().filter(|r| r["status"] == "success" && r["N"] == r["M"]);
    assert_eq!(found.len(), 3 * each.len() + 2 * square.count());
    // What is printed is what would be printed without figures.
    let plain =
        run(folder.path(), &["analyze", "model.safetensors", "--mp-fit", "--randomize", "--format", "json"]);
    assert_eq!(plain.stdout, ran.stdout);
}

#[test]
fn slices_and_models_do_not_write_over_each_other() {
    let folder = small();
    std::fs::create_dir(beside(&folder, "other")).unwrap();
    std::fs::copy(beside(&folder, "model.safetensors"), beside(&folder, "other/model.safetensors")).unwrap();
    let ran = run(
        folder.path(),
        &[
            "analyze",
            "model.safetensors",
            "other/model.safetensors",
            "--layers",
            "block.conv",
            "--no-pool",
            "--plots",
            "p",
        ],
    );
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(
        names(&beside(&folder, "p")),
        ["model.safetensors", "model.safetensors-2"].map(str::to_owned).into()
    );
    let found = names(&beside(&folder, "p/model.safetensors-2"));
    assert_eq!(found.iter().filter(|n| n.ends_with(".esd.svg")).count(), 9, "{found:?}");
    assert!(found.contains("ww.layer2-8.esd.svg"), "{found:?}");
    assert_eq!(found, names(&beside(&folder, "p/model.safetensors")));
}

#[test]
fn plot_writes_svg_or_png_of_the_layer_and_figure_asked_for() {
    let folder = small();
    let ran = run(folder.path(), &["plot", "model.safetensors", "--layer", "second"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("<svg ")
            && texts(&ran.stdout).iter().any(|t| t == "Log-Log ESD, Layer 4 (second.weight)")
    );
    // What a figure needs is turned on.
    for (figure, title) in [
        ("mpfit2", "MP ESD"),
        ("detx", "DETX"),
        ("vector_metrics", "Vector metrics"),
        ("randesd1", "ESD &amp; Random ESD"),
    ] {
        let ran = run(folder.path(), &["plot", "model.safetensors", "--layer", "second", "--figure", figure]);
        assert!(texts(&ran.stdout).iter().any(|t| t.starts_with(title)), "{figure} {}", ran.stderr);
    }
    let ran =
        run(folder.path(), &["plot", "model.safetensors", "--layer", "4", "-o", "x.png", "--theme", "dark"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let png = std::fs::read(beside(&folder, "x.png")).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    // Width and height, in the first chunk.
    assert_eq!(u32::from_be_bytes(png[16..20].try_into().unwrap()), 1760);
}

#[test]
fn plot_says_what_is_not_there() {
    let folder = small();
    for (args, status, word) in [
        (&["--layer", "secondd"][..], 2, "second"),
        (&["--layer", "block.norm"], 1, "has no spectrum: norm layer"),
        (&["--layer", "second", "--figure", "mpfit1"], 1, "has no figure mpfit1"),
        (&["--layer", "second", "--figure", "esd9"], 2, "esd5"),
        (&["--layer", "block.conv", "--no-pool"], 2, "9 slices"),
        (&["--layer", "block.conv", "--no-pool", "--slice", "9"], 1, "has no slice 9"),
    ] {
        let ran = run(folder.path(), &[&["plot", "model.safetensors"], args].concat());
        assert_eq!((ran.status, ran.stdout.as_str()), (status, ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
    }
    let ran = run(
        folder.path(),
        &["plot", "model.safetensors", "--layer", "block.conv", "--no-pool", "--slice", "3"],
    );
    assert!(ran.stdout.contains("Layer 2:3 (block.conv.weight)"), "{}", ran.stderr);
}

#[test]
fn fit_draws_the_numbers_of_a_file() {
    let folder = TempDir::new().unwrap();
    let values: Vec<String> = (1..400).map(|k| (1.0 - f64::from(k) / 400.0).powf(-0.5).to_string()).collect();
    std::fs::write(beside(&folder, "values.txt"), values.join("\n")).unwrap();
    let ran = run(folder.path(), &["fit", "values.txt", "--plot", "f.svg", "--format", "json"]);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let svg = std::fs::read_to_string(beside(&folder, "f.svg")).unwrap();
    let alpha = format!("power law, α = {:.2}", found["alpha"].as_f64().unwrap());
    assert!(texts(&svg).contains(&alpha), "{:?}", texts(&svg));
    assert!(texts(&svg).contains(&"values.txt".to_owned()));
}

#[test]
fn a_report_is_one_page_and_a_failed_layer_is_told_by_the_status() {
    let folder = with_failure();
    let ran = run(folder.path(), &["report", "model.safetensors", "-o", "r.html"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (3, ""), "{}", ran.stderr);
    let html = std::fs::read_to_string(beside(&folder, "r.html")).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.contains("contains 1 NaN"));
    let model = TempDir::new().unwrap();
    write_model(&beside(&model, "m.safetensors"), &[noise("a</script><b>.weight", &[20, 20], 1)]);
    let ran = run(model.path(), &["report", "m.safetensors"]);
    assert_eq!(ran.status, 0);
    assert!(!ran.stdout.contains("a</script><b>"));
}

#[test]
fn a_history_becomes_a_page_and_a_broken_one_is_refused() {
    let folder = TempDir::new().unwrap();
    let csv =
        "step,epoch,name,role,segment,alpha,verdict,flags\n10,1,,,,3.5,warn,TRAPS\n10,1,fc1,weight,0,3.5,,\n";
    std::fs::write(beside(&folder, "h.csv"), csv).unwrap();
    std::fs::write(beside(&folder, "broken.csv"), &csv[..60]).unwrap();
    let ran = run(folder.path(), &["report", "h.csv", "-o", "h.html"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let html = std::fs::read_to_string(beside(&folder, "h.html")).unwrap();
    assert!(html.contains("\"flags\":[\"TRAPS\"]"));
    let ran = run(folder.path(), &["report", "broken.csv", "-o", "b.html"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("broken.csv: expected a monitor's history"), "{}", ran.stderr);
    assert!(!beside(&folder, "b.html").exists());
}
