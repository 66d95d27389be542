//! `compare`: tables, files and sentences; and models layer by layer.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use common::run;
use serde_json::Value;
use tempfile::TempDir;

/// Results as other tools write them: three nets whose alpha falls as they get better, and two of another kind.
fn results() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, alphas) in [
        ("Net/S", [4.0, 5.0, 6.0]),
        ("Net/M", [3.0, 4.5, 5.0]),
        ("Net/L", [2.5, 3.0, 4.0]),
        ("Net/XL", [2.0, 2.5, 3.0]),
        ("Other/A", [7.0, 8.0, 9.0]),
        ("Other/B", [6.5, 8.0, 9.5]),
    ] {
        let place = folder.path().join("results").join(name);
        fs::create_dir_all(&place).unwrap();
        let lines = alphas.iter().enumerate().map(|(i, a)| format!("{i},layer{i},{a},{}\n", 10 - i));
        fs::write(place.join("details.csv"), format!("layer_id,name,alpha,D\n{}", lines.collect::<String>()))
            .unwrap();
    }
    let quality =
        "architecture,variant,top1\nNet,S,70\nNet,M,72\nNet,L,75\nNet,XL,76\nOther,A,60\nOther,B,61\n";
    fs::write(folder.path().join("top1.csv"), quality).unwrap();
    let ran = run(folder.path(), &["store", "import", "zoo", "results", "--quality", "top1.csv"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    folder
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let ran = run(folder, &[&["compare", "zoo", "--format", "json"], args].concat());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn every_group_is_told_in_numbers_and_in_a_sentence() {
    let folder = results();
    let found = json(folder.path(), &[]);
    let findings = found["findings"].as_array().unwrap();
    let groups: Vec<&str> = findings.iter().map(|f| f["group"].as_str().unwrap()).collect();
    assert_eq!(groups, ["all", "Net"]);
    let net = &findings[1];
    assert_eq!(
        (&net["n"], &net["kendall"]["value"], &net["kendall"]["low"]),
        (&4.into(), &(-1.0).into(), &Value::Null)
    );
    assert!((net["chance"].as_f64().unwrap() - 1.0 / 24.0).abs() < 1e-12);
    let sentence = net["sentence"].as_str().unwrap();
    assert!(
        sentence.starts_with("alpha ranks the 4 models of Net perfectly by top1; n = 4, so chance gives that in 1 of 24; a line predicts"),
        "{sentence}"
    );
    assert_eq!(found["too_small"][0]["group"], "Other");
    assert_eq!(found["too_small"][0]["n"], 2);

    let table = run(folder.path(), &["compare", "zoo"]);
    assert!(table.stdout.contains("Net by top1"), "{}", table.stdout);
    assert!(table.stdout.contains("1 of 24"), "{}", table.stdout);
    assert!(table.stdout.contains("too small to compare: Other (n = 2, top1)"), "{}", table.stdout);
    assert!(table.stdout.lines().all(|l| l.chars().count() <= 100), "{}", table.stdout);
    let csv = run(folder.path(), &["compare", "zoo", "--format", "csv"]).stdout;
    assert!(csv.starts_with("quality,better,group_kind,group,metric,n,pearson,"));
    assert_eq!(csv.lines().count(), 3);
    let lines =
        run(folder.path(), &["compare", "zoo", "--format", "jsonl", "--group", "architecture"]).stdout;
    assert_eq!(lines.lines().count(), 1);
}

#[test]
fn any_column_of_the_layers_can_be_the_metric() {
    let folder = results();
    let found = json(folder.path(), &["--metric", "D", "--group", "all"]);
    let finding = &found["findings"][0];
    assert_eq!((&finding["metric"], &finding["kendall"]), (&"D".into(), &Value::Null));
    assert_eq!(finding["sentence"], "D or top1 is the same in all 6 models: nothing to compare");
    for (args, says) in [
        (
            &["--metric", "alhpa"][..],
            "error: no model of the store has a metric 'alhpa'\n  hint: did you mean 'alpha'?",
        ),
        (
            &["--quality", "top5"],
            "error: no model of the store has a quality 'top5'\n  hint: there are: top1",
        ),
    ] {
        let ran = run(folder.path(), &[&["compare", "zoo"], args].concat());
        assert_eq!(ran.status, 2);
        assert!(ran.stderr.starts_with(says), "{}", ran.stderr);
    }
}

#[test]
fn damaged_entries_are_told_and_left_out() {
    let folder = results();
    fs::write(folder.path().join("zoo/entries/Net/S/entry.json"), "{").unwrap();
    let ran = run(folder.path(), &["compare", "zoo"]);
    assert_eq!(ran.status, 3);
    assert!(ran.stderr.contains("damaged, left out: entry.json: "), "{}", ran.stderr);
    assert!(ran.stdout.contains("Net by top1"), "{}", ran.stdout);
    fs::remove_file(folder.path().join("zoo/entries/Other/A/quality.json")).unwrap();
    for name in ["M", "L", "XL"] {
        fs::remove_file(folder.path().join(format!("zoo/entries/Net/{name}/quality.json"))).unwrap();
    }
    let ran = run(folder.path(), &["compare", "zoo"]);
    assert_eq!(ran.status, 3);
    assert!(ran.stderr.contains("no group has three models with the same quality"), "{}", ran.stderr);
}

#[test]
fn models_stand_beside_each_other_layer_by_layer_and_by_depth() {
    let folder = results();
    let args = ["compare", "zoo", "--layers", "Net/S", "Net/XL", "Other/A"];
    let view: Value =
        serde_json::from_str(&run(folder.path(), &[&args[..], &["--format", "json"]].concat()).stdout)
            .unwrap();
    assert_eq!(view["models"], serde_json::json!(["Net/S", "Net/XL", "Other/A"]));
    assert_eq!(view["matched"][2]["values"], serde_json::json!([6.0, 3.0, 9.0]));
    assert_eq!(view["matched"][0]["change"], 3.0);
    assert_eq!(view["depth"][5]["means"], serde_json::json!([5.0, 2.5, 8.0]));
    let text = run(folder.path(), &args).stdout;
    assert!(text.contains("A Net/S: 3 layers, 3 with a partner\n"), "{text}");
    assert!(text.contains("layer2"), "{text}");
    let csv = run(folder.path(), &[&args[..], &["--format", "csv"]].concat()).stdout;
    assert_eq!(csv.lines().next().unwrap(), "view,layer,layer_type,depth,metric,Net/S,Net/XL,Other/A");
    let ran = run(folder.path(), &["compare", "zoo", "--layers", "Net/S", "Net/XXL"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("the store has no entry Net/XXL"), "{}", ran.stderr);
    let ran = run(folder.path(), &["compare", "zoo", "--metric", "E", "--layers", "Net/S", "Net/M"]);
    assert!(ran.stderr.contains("its layers have no metric 'E'"), "{}", ran.stderr);
    let ran = run(folder.path(), &["compare", "zoo", "--metric", "alpha,D", "--layers", "Net/S", "Net/M"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("expected one metric with --layers, found alpha, D"), "{}", ran.stderr);
}
