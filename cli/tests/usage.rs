//! Exit statuses, errors and their hints, layer filters, help.
#![allow(missing_docs)]

mod common;

use std::fs;

use common::{beside, run, small, with_failure, without_layers};

#[test]
fn the_exit_status_says_how_it_went() {
    for (folder, args, status) in [
        (small(), &["analyze", "model.safetensors"][..], 0),
        (small(), &["describe", "model.safetensors"], 0),
        (small(), &["analyze", "missing.safetensors"], 1),
        (small(), &["analyze", "model.safetensors", "missing.safetensors"], 1),
        (small(), &["analyze", "model.safetensors", "--format", "xml"], 2),
        (small(), &["analyze", "model.safetensors", "--layers", "nowhere"], 2),
        (small(), &["analyze", "model.safetensors", "--min-evals", "9", "--max-evals", "3"], 2),
        (small(), &["analyze"], 2),
        (small(), &["explain", "nosuch"], 2),
        (with_failure(), &["analyze", "model.safetensors"], 3),
        (with_failure(), &["describe", "model.safetensors"], 0),
        (without_layers(), &["analyze", "model.safetensors"], 3),
        (without_layers(), &["describe", "model.safetensors"], 3),
        (small(), &["analyze", "model.safetensors", "--min-evals", "1000"], 3),
    ] {
        let ran = run(folder.path(), args);
        assert_eq!(ran.status, status, "{args:?}\n{}", ran.stderr);
    }
}

#[test]
fn one_model_that_cannot_be_opened_does_not_cost_the_others_their_reports() {
    let folder = small();
    let ran = run(folder.path(), &["analyze", "missing.safetensors", "model.safetensors", "--format", "csv"]);
    assert_eq!(ran.stdout.lines().count(), 7);
    assert!(ran.stderr.starts_with("error: missing.safetensors: "));
}

#[test]
fn contradicting_options_are_refused_in_the_engines_words() {
    let folder = small();
    for (options, says) in [
        (&["--min-evals", "9", "--max-evals", "3"][..], "error: min_evals 9 is above max_evals 3\n"),
        (&["--max-n", "3"], "error: max_N 3 is below min_evals 8\n"),
        (&["--fix-fingers", "clip_xmax", "--xmax", "2"], "error: fix_fingers = clip_xmax chooses"),
        (&["--finger-thresh=-1"], "error: finger_thresh must be a number of at least 0, found -1\n"),
        (&["--finger-thresh", "nan"], "error: finger_thresh must be"),
        (&["--layers", "[z-"], "error: layer filter '[z-': "),
    ] {
        let ran = run(folder.path(), &[&["analyze", "model.safetensors"][..], options].concat());
        assert!(ran.stderr.starts_with(says), "{}", ran.stderr);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    }
}

#[test]
fn every_option_reaches_the_engine() {
    let folder = small();
    let args = [
        "analyze",
        "model.safetensors",
        "--format",
        "json",
        "--layers",
        "dense,conv2d",
        "--layers",
        "!second",
        "--min-evals",
        "5",
        "--max-evals",
        "500",
        "--max-n",
        "600",
        "--no-pool",
        "--conv-mode",
        "flatten",
        "--split",
        "--fix-fingers",
        "clip_xmax",
        "--max-fingers",
        "3",
        "--finger-thresh",
        "0.5",
        "--conventions",
        "weightwatcher-0.7.7",
        "--precision",
        "f32",
        "--solver",
        "faer",
        "--fit",
        "PL",
        "--threads",
        "2",
        "--loader",
        "safetensors",
    ];
    let report: serde_json::Value = serde_json::from_str(&run(folder.path(), &args).stdout).unwrap();
    let options = &report["options"];
    assert_eq!(options["layers"], serde_json::json!(["dense", "conv2d", "!second"]));
    for (name, value) in [
        ("min_evals", serde_json::json!(5)),
        ("max_evals", 500.into()),
        ("max_n", 600.into()),
        ("pool", false.into()),
        ("conv_mode", "flatten".into()),
        ("split", true.into()),
        ("fix_fingers", "clip_xmax".into()),
        ("max_fingers", 3.into()),
        ("finger_thresh", 0.5.into()),
        ("precision", "f32".into()),
    ] {
        assert_eq!(options[name], value, "{name}");
    }
    assert_eq!(report["conventions"], "weightwatcher-0.7.7");
    for (xmax, expected) in [("4", serde_json::json!({"drop": 4})), ("force", serde_json::json!("force"))] {
        let ran = run(folder.path(), &["analyze", "model.safetensors", "--format", "json", "--xmax", xmax]);
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["options"]["xmax"], expected);
    }
}

#[test]
fn estimates_are_options_that_exclude_each_other_and_pictures() {
    let folder = small();
    for (args, expected) in [
        (["--top", "7"], serde_json::json!({"top": 7})),
        (["--windows", "6"], serde_json::json!({"windows": 6})),
        (["--density", "9"], serde_json::json!({"density": 9})),
    ] {
        let analyze = [&["analyze", "model.safetensors", "--format", "json"][..], &args].concat();
        let ran = run(folder.path(), &analyze);
        let report: serde_json::Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
        assert_eq!(report["options"]["estimate"], expected);
        let row = report["layers"].as_array().unwrap().iter().find(|row| row["name"] == "first").unwrap();
        // Where all eigenvalues cost less than the largest, they are found.
        let made = row["estimate"].as_str().unwrap().trim_end_matches(" of all");
        assert_eq!(made, args.join(" ").trim_start_matches('-'));
        for command in
            [&["plot", "model.safetensors", "--layer", "first"][..], &["report", "model.safetensors"]]
        {
            let ran = run(folder.path(), &[command, &args].concat());
            assert!(
                ran.status == 2 && ran.stderr.contains("pictures need all eigenvalues"),
                "{}",
                ran.stderr
            );
        }
    }
    let ran = run(folder.path(), &["analyze", "model.safetensors", "--top", "7", "--density", "9"]);
    assert!(ran.status == 2 && ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
    let ran = run(folder.path(), &["analyze", "model.safetensors", "--top", "7", "--mp-fit"]);
    assert_eq!((ran.status, &*ran.stderr), (2, "error: estimate = top does not go with mp_fit\n"));
}

/// The names of the layers analysed under a filter.
fn analysed(terms: &[&str]) -> Vec<String> {
    let folder = small();
    let ran =
        run(folder.path(), &[&["analyze", "model.safetensors", "--format", "jsonl"][..], terms].concat());
    let rows = ran.stdout.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
    rows.filter(|r| r["status"] == "success").map(|r| r["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn layers_are_chosen_by_name_glob_id_and_kind_and_excluded() {
    assert_eq!(analysed(&[]), ["first", "block.conv", "second"]);
    assert_eq!(analysed(&["--layers", "dense"]), ["first", "second"]);
    assert_eq!(analysed(&["--layers", "0,block.*"]), ["first", "block.conv"]);
    assert_eq!(analysed(&["--layers", "0", "--layers", "second"]), ["first", "second"]);
    assert_eq!(analysed(&["--layers", "dense,!second"]), ["first"]);
    assert_eq!(analysed(&["--layers=-0,-4"]), ["block.conv"]);
    assert_eq!(analysed(&["--layers", "-4"]), ["first", "block.conv"]);
}

#[test]
fn a_filter_that_matches_nothing_is_named_with_what_would() {
    let folder = small();
    let ran = run(folder.path(), &["analyze", "model.safetensors", "--layers", "dense,conv,secnod,99"]);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr
            .starts_with("error: model.safetensors: layer filter: nothing matches 'conv', 'secnod', '99'\n")
    );
    assert!(ran.stderr.contains("hint: '*conv*' would match 1 tensor\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: 'secnod': did you mean 'second'?\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: '99': ids go from 0 to 5\n"), "{}", ran.stderr);
    let forgotten = run(folder.path(), &["analyze", "model.safetensors", "--layers", "--quiet"]);
    assert!(forgotten.status == 2 && forgotten.stderr.contains("begins with '-' only before an id"));
}

#[test]
fn a_file_that_is_no_model_is_refused_with_what_to_do() {
    let folder = small();
    let write = |name: &str, content: &[u8]| fs::write(beside(&folder, name), content).unwrap();
    write("page.safetensors", b"<!DOCTYPE html><html><body>404</body></html>");
    write("pointer.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
    write("empty.safetensors", b"");
    write("notes.txt", b"these are notes");
    let model = fs::read(beside(&folder, "model.safetensors")).unwrap();
    write("cut.safetensors", &model[..model.len() / 2]);
    fs::create_dir(beside(&folder, "folder")).unwrap();
    for (path, hint) in [
        ("page.safetensors", "hint: a server sent a web page"),
        ("pointer.safetensors", "hint: run `git lfs pull`"),
        ("empty.safetensors", "hint: a download that failed?"),
        ("cut.safetensors", "hint: a download that broke off?"),
        ("notes.txt", "loaders asked: safetensors (.safetensors)"),
        ("modle.safetensors", "hint: did you mean 'model.safetensors'"),
        ("nowhere/model.pt", "hint: there is no folder nowhere"),
        ("folder", "hint: the folder is empty"),
    ] {
        let ran = run(folder.path(), &["analyze", path]);
        let first = ran.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("error: {path}")), "{path}: {}", ran.stderr);
        assert!(ran.stderr.contains(hint), "{path}: {}", ran.stderr);
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{path}");
    }
}

#[test]
fn a_folder_and_an_index_are_models_too() {
    let folder = small();
    let ran = run(folder.path(), &["analyze", "."]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    fs::rename(beside(&folder, "model.safetensors"), beside(&folder, "model-00001-of-00001.safetensors"))
        .unwrap();
    let index = serde_json::json!({"weight_map": {"first.weight": "model-00001-of-00001.safetensors"}});
    fs::write(beside(&folder, "model.safetensors.index.json"), index.to_string()).unwrap();
    let ran = run(folder.path(), &["describe", "model.safetensors.index.json"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("first"), "{}", ran.stdout);
}

#[test]
fn help_teaches_by_example_and_lists_values_and_exit_statuses() {
    let folder = small();
    for (args, examples) in [
        (&["--help"][..], "eigenscope describe model.safetensors "),
        (&["describe", "--help"], "eigenscope describe checkpoint/ "),
        (&["analyze", "--help"], "eigenscope analyze model.pt --layers 'encoder.*,!*norm*'"),
        (&["analyze", "-h"], "eigenscope analyze model.pt --conventions weightwatcher-0.7.7"),
        (&["explain", "--help"], "eigenscope explain alpha D sigma"),
    ] {
        let ran = run(folder.path(), args);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        let tail = ran.stdout.split("\nExamples:\n").nth(1).unwrap_or_else(|| panic!("{args:?}"));
        assert!(tail.contains(examples) && tail.contains("Exit status:\n  0  done"), "{tail}");
        assert!(ran.stdout.lines().all(|l| l.chars().count() <= 100), "{args:?}");
    }
    let analyze = run(folder.path(), &["analyze", "--help"]).stdout;
    for values in [
        "slices, flatten",
        "default, weightwatcher-0.7.7",
        "f64, f32",
        "safetensors, pytorch, onnx, keras",
        "- jsonl:",
    ] {
        assert!(analyze.contains(values), "{values}");
    }
}

#[test]
fn explain_gives_a_columns_meaning_and_near_names() {
    let folder = small();
    let ran = run(folder.path(), &["explain", "stable_rank"]);
    assert!(ran.stdout.starts_with("stable_rank  norm / spectral_norm"), "{}", ran.stdout);
    let all = run(folder.path(), &["columns"]).stdout;
    assert!(all.contains("\nalpha ") && all.contains("\nscale "));
    assert!(all.lines().all(|l| l.chars().count() <= 100));
    let near = run(folder.path(), &["explain", "log_nrm"]);
    assert!(near.stderr.contains("hint: did you mean 'log_norm'"), "{}", near.stderr);
}
