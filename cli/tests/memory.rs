//! The limit of memory, under the system's own.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{noise, run, write_model};
use serde_json::Value;
use tempfile::TempDir;

/// The command where data, heap and stacks may have so many MiB (`RLIMIT_DATA`): an allocation beyond it fails, which ends the process.
fn confined(folder: &Path, mib: usize, args: &[&str]) -> Output {
    let shell = format!("ulimit -d {}; exec \"$0\" \"$@\"", mib << 10);
    let mut command = Command::new("sh");
    command.args(["-c", &shell, env!("CARGO_BIN_EXE_eigenscope")]).args(args).current_dir(folder);
    command.output().unwrap()
}

#[test]
fn a_model_fits_into_the_memory_it_is_given_and_does_not_otherwise() {
    let folder = TempDir::new().unwrap();
    let layers: Vec<_> = (0..8).map(|k| noise(&format!("{k}.weight"), &[1200, 1200], k + 1)).collect();
    write_model(&folder.path().join("model.safetensors"), &layers);
    let analyze = ["analyze", "model.safetensors", "--threads", "8", "--format", "csv"];
    let free = run(folder.path(), &analyze);
    assert_eq!(free.status, 0, "{}", free.stderr);
    assert!(!confined(folder.path(), 110, &analyze).status.success(), "the test needs a lower limit");
    let limited = confined(folder.path(), 110, &[&analyze[..], &["--max-memory", "110MiB"]].concat());
    assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stderr));
    assert_eq!(String::from_utf8(limited.stdout).unwrap(), free.stdout);
}

#[test]
fn a_layer_that_would_not_fit_alone_says_so() {
    let folder = TempDir::new().unwrap();
    let layers = [noise("small.weight", &[60, 40], 1), noise("large.weight", &[900, 900], 2)];
    write_model(&folder.path().join("model.safetensors"), &layers);
    let ran = run(
        folder.path(),
        &["analyze", "model.safetensors", "--max-memory", "40MiB", "--format", "json", "--all"],
    );
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    let rows = report["layers"].as_array().unwrap();
    assert_eq!((&rows[0]["status"], &rows[1]["status"]), (&"success".into(), &"skipped".into()));
    let reason = rows[1]["reason"].as_str().unwrap();
    assert!(reason.ends_with("MiB: max_memory leaves 8 MiB to layers"), "{reason}");
    let ran = run(folder.path(), &["analyze", "model.safetensors", "--max-memory", "much"]);
    assert!(ran.status == 2 && ran.stderr.contains("--max-memory"), "{}", ran.stderr);
}
