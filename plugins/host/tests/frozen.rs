//! A plugin built when interface V1 was frozen is loaded by the host of today.
#![allow(missing_docs)]
#![allow(clippy::print_stderr, reason = "says that the test could not run")]
#![cfg(unix)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use eigenscope::source::{Input, Loader};
use eigenscope_host::{Search, State};

/// Status of the script where the history is too short.
const NO_HISTORY: i32 = 3;

#[test]
fn a_plugin_built_against_the_frozen_interface_loads_and_reads() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("frozen-v1");
    let mut script = Command::new(package.join("tests/build-frozen-v1.sh"));
    let output = script.arg(folder).stderr(Stdio::inherit()).output().unwrap();
    if output.status.code() == Some(NO_HISTORY) {
        eprintln!("not run: the history does not hold the plugin of then");
        return;
    }
    assert!(output.status.success());
    let library = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let installed = support::install(&library, "npy", "");
    let mut found = Search { folders: vec![installed.path().into()], ..Search::default() }.discover();
    found.verify();
    assert_eq!(found.candidates[0].state, State::Loaded, "{found}");
    let plugin = found.plugins().next().unwrap();
    let fixtures = package.join("../../examples/plugin-npy/tests/fixtures");
    let model = plugin.open(&Input::path(fixtures.join("packed.npz"))).unwrap();
    let index = model.tensors().iter().position(|t| t.name == "i1").unwrap();
    assert_eq!(model.read(index).unwrap().to_vec(), [-128.0, 0.0, 127.0]);
    let error = plugin.open(&Input::bytes("cut.npy", &b"\x93NUMPY\x01\x00\x76"[..])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cut.npy, tensor 'cut': truncated: the array header needs 10 bytes, 9 are left"
    );
}
