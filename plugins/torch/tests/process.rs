//! What else is in the process. Each case is this very test program, started again with another library in it.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::print_stdout)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{fixture, installed, plugin, root};
use eigenscope_plugin::source::{Input, Loader};

const CHILD: &str = "EIGENSCOPE_TORCH_TEST_CHILD";
const SILENT: &str = "neither libtorch nor the plugin writes anything";

/// Does nothing unless it is started by another test of this file.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    match plugin().open(&Input::path(fixture("script.pt"))) {
        Err(error) => println!("\n= {error}"),
        Ok(file) => {
            let sums: Vec<f64> = (0..file.tensors().len())
                .map(|index| file.read(index).unwrap().to_vec().iter().sum())
                .collect();
            println!("\n= {sums:?}");
        }
    }
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let held = |name: &str| maps.lines().any(|line| line.contains(name));
    println!("openblas {} libtorch {}", held("/libopenblas"), held("/libtorch_cpu.so"));
}

fn child_command() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    command
}

/// What the child says of the file, and of the libraries it holds.
fn with_preloaded(library: Option<&Path>) -> (String, String) {
    let mut command = child_command();
    if let Some(library) = library {
        command.env("LD_PRELOAD", library);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{SILENT}");
    let line = |start: &str| said.lines().find_map(|l| l.strip_prefix(start)).unwrap_or_default().to_owned();
    (line("= "), line("openblas "))
}

fn libtorch() -> PathBuf {
    std::env::var_os("EIGENSCOPE_TORCH_LIB").expect("these tests are run by plugins/torch/test.sh").into()
}

#[test]
fn beside_another_libtorch_the_file_is_refused_and_both_are_named() {
    let (alone, _) = with_preloaded(None);
    assert!(alone.starts_with('['), "{alone}");
    let folder = tempfile::tempdir_in(installed()).unwrap();
    for entry in fs::read_dir(libtorch()).unwrap() {
        let entry = entry.unwrap();
        let copy = folder.path().join(entry.file_name());
        if entry.path().is_file() && fs::hard_link(entry.path(), &copy).is_err() {
            fs::copy(entry.path(), &copy).unwrap();
        }
    }
    let other = folder.path().join("libtorch_cpu.so");
    let (said, held) = with_preloaded(Some(&other));
    assert!(held.contains("libtorch true"), "{held}");
    let expected = format!(
        "{}: not supported: a second libtorch in this process, which holds {} while the plugin was built with {}; ",
        fixture("script.pt").display(),
        other.canonicalize().unwrap().display(),
        libtorch().join("libtorch_cpu.so").display()
    );
    assert!(said.starts_with(&expected), "{said}\n{expected}");
}

fn openblas() -> Option<PathBuf> {
    let list = Command::new("sh").args(["-c", "/sbin/ldconfig -p"]).output().unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let path = list.lines().find(|l| l.contains("libopenblas.so")).and_then(|l| l.split(" => ").nth(1));
    let Some(path) = path else {
        let required = std::env::var("EIGENSCOPE_REQUIRE_MODELS").as_deref() == Ok("1");
        assert!(!required, "libopenblas is required");
        println!("left out: there is no libopenblas");
        return None;
    };
    Some(PathBuf::from(path.trim()))
}

#[test]
fn beside_openblas_the_numbers_are_the_same() {
    let Some(openblas) = openblas() else { return };
    let (alone, held) = with_preloaded(None);
    assert!(held.starts_with("false"), "{held}");
    let (beside, held) = with_preloaded(Some(&openblas));
    assert!(held.starts_with("true libtorch true"), "{held}");
    assert_eq!(alone, beside);
}

/// The dynamic linker says which library each symbol is taken from.
#[test]
fn beside_openblas_libtorch_computes_with_its_own_blas() {
    let Some(openblas) = openblas() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = child_command();
    command.env("LD_PRELOAD", openblas).env("LD_DEBUG", "bindings");
    let output = command.env("LD_DEBUG_OUTPUT", folder.path().join("bindings")).output().unwrap();
    assert!(output.status.success());
    let bindings = fs::read_dir(folder.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let bindings = String::from_utf8_lossy(&bindings.collect::<Vec<_>>().concat()).into_owned();
    let to = |library: &str| {
        let from = |line: &&str| line.contains("/libtorch_cpu.so [0] to ") && line.contains(library);
        bindings.lines().filter(from).count()
    };
    assert!(to("/libc10.so") > 100, "{}", to("/libc10.so"));
    assert_eq!(to("/libopenblas"), 0);
}

#[test]
fn the_library_finds_libtorch_wherever_it_is_installed() {
    assert!(root().join("plugins/torch/eigenscope-torch.toml").exists());
    let elsewhere = tempfile::tempdir_in(installed()).unwrap();
    for file in ["libeigenscope_torch.so", "eigenscope-torch.toml"] {
        fs::copy(installed().join(file), elsewhere.path().join(file)).unwrap();
    }
    let search = eigenscope_host::Search { folders: vec![elsewhere.path().to_owned()], ..Default::default() };
    let mut found = search.discover();
    found.verify();
    assert_eq!(found.candidates[0].state, eigenscope_host::State::Loaded, "{found}");
}
