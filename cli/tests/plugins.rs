//! Plugins at the command line: found, listed, used, and passed over with a reason.
#![allow(missing_docs)]
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Ran, beside, command, ran, run, small};
use serde_json::Value;
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds a plugin that is no member of the workspace, apart from its target folder, as its author would.
fn build(folder: &str, library: &str, arguments: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("plugin-builds");
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--manifest-path"]).arg(root().join(folder).join("Cargo.toml"));
    assert!(command.arg("--target-dir").arg(&target).args(arguments).status().unwrap().success());
    target.join("debug").join(format!("lib{library}.so"))
}

/// A folder with the example plugin, as its README installs it.
fn npy() -> TempDir {
    let folder = TempDir::new().unwrap();
    let library = build("examples/plugin-npy", "eigenscope_npy", &[]);
    fs::copy(library, folder.path().join("libeigenscope_npy.so")).unwrap();
    let manifest = root().join("examples/plugin-npy/eigenscope-npy.toml");
    fs::copy(manifest, folder.path().join("eigenscope-npy.toml")).unwrap();
    folder
}

fn manifest(folder: &TempDir, name: &str, library: &str) {
    let text = format!(
        "name = \"{name}\"\nversion = \"1.2.3\"\nabi = \"rust-v1\"\nlibrary = \"{library}\"\n\n\
         [[formats]]\nname = \"Test files\"\nextensions = [\"{name}\"]\n"
    );
    fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn json(ran: &Ran) -> Value {
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A matrix of 12 x 10 that NumPy wrote: no layer of the fixture is large enough, so the file is written here.
fn array(folder: &TempDir) -> PathBuf {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (12, 10), }";
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    let values = common::noise("w", &[12, 10], 3).2;
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    let path = folder.path().join("weight.npy");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_plugin_in_a_folder_is_listed_with_version_abi_and_formats() {
    let (folder, here) = (npy(), small());
    let args = ["plugins", "--plugin-dir", text(folder.path()), "--format", "json"];
    let list = json(&run(here.path(), &args));
    let built_in: Vec<&str> =
        list["built_in"].as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap()).collect();
    assert_eq!(built_in, ["safetensors", "pytorch", "onnx", "keras"]);
    let plugin = &list["plugins"][0];
    assert_eq!(plugin["name"], "npy");
    assert_eq!([&plugin["version"], &plugin["abi"], &plugin["state"]], ["0.1.0", "rust-v1", "loaded"]);
    assert_eq!(plugin["origin"], "folder");
    assert_eq!(plugin["formats"][1]["extensions"], serde_json::json!(["npz"]));
    assert_eq!(list["places"][0]["path"], text(folder.path()));
    let list = json(&run(here.path(), &[&args[..], &["--no-load"]].concat()));
    assert_eq!(list["plugins"][0]["state"], "found");

    let table = run(here.path(), &args[..3]).stdout;
    assert!(
        table.contains("  npy 0.1.0, rust-v1, loaded: NumPy array (.npy), NumPy archive (.npz)\n"),
        "{table}"
    );
    assert!(table.contains("eigenscope-npy.toml (--plugin-dir)\n"), "{table}");
    assert!(table.lines().all(|l| l.chars().count() <= 100), "{table}");
}

#[test]
fn models_are_read_through_a_plugin_wherever_it_is_named() {
    let (folder, here) = (npy(), TempDir::new().unwrap());
    array(&here);
    let same = |ran: Ran, how: &str| {
        let report = json(&ran);
        assert_eq!(report["model"]["loader"], "npy", "{how}");
        let row = &report["layers"][0];
        assert_eq!((row["status"].as_str(), row["num_evals"].as_u64()), (Some("success"), Some(10)), "{how}");
        row["alpha"].as_f64().unwrap()
    };
    let analyze = ["analyze", "weight.npy", "--format", "json", "--min-evals", "5"];
    let with = |extra: &[&str]| run(here.path(), &[&analyze[..], extra].concat());
    let alpha = same(with(&["--plugin-dir", text(folder.path())]), "--plugin-dir");
    let manifest = folder.path().join("eigenscope-npy.toml");
    assert_eq!(same(with(&["--plugin", text(&manifest)]), "--plugin manifest"), alpha);
    let library = folder.path().join("libeigenscope_npy.so");
    assert_eq!(same(with(&["--plugin", text(&library), "--loader", "npy"]), "--plugin library"), alpha);
    let mut by_environment = command(here.path(), &analyze);
    by_environment.env("EIGENSCOPE_PLUGIN_PATH", folder.path());
    assert_eq!(same(ran(by_environment.output().unwrap()), "environment"), alpha);
    let mut users = command(here.path(), &analyze);
    let data = TempDir::new().unwrap();
    fs::create_dir_all(data.path().join("eigenscope")).unwrap();
    std::os::unix::fs::symlink(folder.path(), data.path().join("eigenscope/plugins")).unwrap();
    users.env("XDG_DATA_HOME", data.path());
    assert_eq!(same(ran(users.output().unwrap()), "the user's folder"), alpha);

    // An archive: every array is a tensor.
    let archive = root().join("examples/plugin-npy/tests/fixtures/packed.npz");
    let list = run(
        here.path(),
        &["describe", text(&archive), "--plugin-dir", text(folder.path()), "--format", "json"],
    );
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list["model"]["loader"], "npy");
    assert!(list["layers"].as_array().unwrap().iter().any(|r| r["longname"] == "i1"));
}

#[test]
fn a_refused_plugin_is_listed_with_its_reason_and_does_not_stop_the_rest() {
    let (folder, here) = (npy(), small());
    manifest(&folder, "writable", "writable.so");
    fs::write(folder.path().join("writable.so"), "").unwrap();
    chmod(&folder.path().join("writable.so"), 0o666);
    manifest(&folder, "text", "text.so");
    fs::write(folder.path().join("text.so"), "no library\n").unwrap();
    let misfit = build("plugins/host/tests/fixtures/misfit", "misfit", &["--features=layout"]);
    fs::copy(misfit, folder.path().join("layout.so")).unwrap();
    manifest(&folder, "layout", "layout.so");
    let folder = text(folder.path());
    let list = json(&run(here.path(), &["plugins", "--plugin-dir", folder, "--format", "json"]));
    let reasons: Vec<(&str, &str)> = list["passed_over"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["name"].as_str().unwrap(), c["state"]["refused"]["code"].as_str().unwrap()))
        .collect();
    let expected = [("layout", "wrong-interface"), ("text", "not-loadable"), ("writable", "world-writable")];
    assert_eq!(reasons, expected);
    assert_eq!(list["plugins"][0]["name"], "npy");
    let table = run(here.path(), &["plugins", "--plugin-dir", folder]).stdout;
    assert!(table.contains("passed over\n") && table.contains("chmod o-w"), "{table}");

    let analyzed = run(here.path(), &["analyze", "model.safetensors", "--plugin-dir", folder]);
    assert_eq!(analyzed.status, 0);
    assert!(
        analyzed.stderr.contains("warning: plugin") && analyzed.stderr.contains("writable.toml is not used")
    );
    let unknown =
        run(here.path(), &["analyze", "model.safetensors", "--loader", "writable", "--plugin-dir", folder]);
    assert_eq!(unknown.status, 2);
    assert!(unknown.stderr.contains("hint: plugin") && unknown.stderr.contains("was passed over"));
    let broken = format!("{folder}/text.toml");
    let explicit = ["analyze", "model.safetensors", "--loader", "text", "--plugin", &broken];
    let refused = run(here.path(), &explicit);
    assert_eq!(refused.status, 1, "its manifest is in order, its library is not");
    assert!(refused.stderr.contains("not a library this machine can load"), "{}", refused.stderr);
    let writable = format!("{folder}/writable.toml");
    let refused = run(here.path(), &["analyze", "model.safetensors", "--plugin", &writable]);
    assert_eq!((refused.status, refused.stdout.as_str()), (2, ""));
    assert!(refused.stderr.starts_with("error: plugin"), "{}", refused.stderr);
    let missing = run(here.path(), &["analyze", "model.safetensors", "--plugin-dir", "nowhere"]);
    assert!(missing.status == 2 && missing.stderr.starts_with("error: --plugin-dir nowhere: No such file"));
}

/// The command line is meant; what merely lies in a usual place does not displace a loader that is built in.
#[test]
fn a_plugin_takes_a_built_in_name_only_where_the_command_line_names_it() {
    let (folder, here) = (TempDir::new().unwrap(), small());
    manifest(&folder, "safetensors", "none.so");
    fs::write(folder.path().join("none.so"), "no library\n").unwrap();
    let analyze = ["analyze", "model.safetensors", "--format", "json"];
    let named = run(here.path(), &[&analyze[..], &["--plugin-dir", text(folder.path())]].concat());
    assert_eq!(named.status, 1);
    assert!(named.stderr.contains("plugin 'safetensors'"), "{}", named.stderr);
    let mut found = command(here.path(), &analyze);
    found.env("EIGENSCOPE_PLUGIN_PATH", folder.path());
    assert_eq!(json(&ran(found.output().unwrap()))["model"]["loader"], "safetensors");
    let mut list = command(here.path(), &["plugins"]);
    list.env("EIGENSCOPE_PLUGIN_PATH", folder.path());
    let list = ran(list.output().unwrap()).stdout.replace("\n      ", " ");
    assert!(list.contains("a loader named 'safetensors' came first, from this host itself"), "{list}");
    let args = ["plugins", "--no-load", "--plugin-dir", text(folder.path()), "--format", "json"];
    let list = json(&run(here.path(), &args));
    let replaced = list["built_in"][0]["replaced_by"].as_str().unwrap();
    assert_eq!(Path::new(replaced), folder.path().join("safetensors.toml"));
}

#[test]
fn what_nothing_reads_is_answered_with_what_might() {
    let here = small();
    array(&here);
    fs::write(beside(&here, "notes.onx"), "these are notes").unwrap();
    fs::write(beside(&here, "module.jit"), b"PK\x03\x04 and then nothing of use").unwrap();
    fs::create_dir_all(beside(&here, "runs/step-1")).unwrap();
    fs::copy(beside(&here, "model.safetensors"), beside(&here, "runs/step-1/model.safetensors")).unwrap();
    for name in ["a", "b"] {
        fs::create_dir_all(beside(&here, "several")).unwrap();
        fs::write(beside(&here, &format!("several/{name}.pt")), "").unwrap();
    }
    for (args, status, hint) in [
        (&["model.safetensors", "--loader", "safetensor"][..], 2, "hint: did you mean 'safetensors'?"),
        (&["model.safetensors", "--loader", "xyz"], 2, "hint: there are: safetensors, pytorch, onnx, keras"),
        (&["model.safetensors", "--loader", "torch"], 2, "`plugins/torch/build.sh DIR` builds it"),
        (
            &["weight.npy"],
            1,
            "hint: the plugin 'npy' is not here: `cargo build --release` in examples/plugin-npy",
        ),
        (&["notes.onx"], 1, "hint: the closest is onnx (.onnx)"),
        (&["module.jit"], 1, "libtorch may open it: `plugins/torch/build.sh DIR` builds its plugin"),
        (&["runs"], 1, "hint: name folders in it; each gets a report: runs/step-1"),
        (&["several"], 1, "name one of a.pt, b.pt"),
    ] {
        let ran = run(here.path(), &[&["analyze"][..], args].concat());
        assert_eq!(ran.status, status, "{args:?} {}", ran.stderr);
        assert!(ran.stderr.contains(hint), "{args:?}\n{}", ran.stderr);
    }
}
