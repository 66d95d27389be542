//! Real weight files: those `fetch_models.py` gets, and the CIFAR ResNets where somebody has them.

use std::path::PathBuf;

/// A file under `target/models`; `None`, with a line that says so, when it has not been fetched.
///
/// # Panics
/// When `EIGENSCOPE_REQUIRE_MODELS=1` and it is absent.
#[allow(clippy::print_stdout)]
pub fn fetched(name: &str) -> Option<PathBuf> {
    let path = root().join("target/models").join(name);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var("EIGENSCOPE_REQUIRE_MODELS").is_ok_and(|v| v == "1");
    assert!(!required, "{} is absent: run python3 tests/fetch_models.py", path.display());
    println!("left out: target/models/{name} is absent (python3 tests/fetch_models.py fetches it)");
    None
}

/// A ResNet for CIFAR-10 from the folder that `EIGENSCOPE_RESNETS` names, or its usual place beside the checkout.
#[allow(clippy::print_stdout)]
pub fn resnet(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("EIGENSCOPE_RESNETS")
        .map_or_else(|| root().join("../shared/models/resnet-cifar10"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("left out: {name} is absent (EIGENSCOPE_RESNETS names the folder)");
    None
}

/// The folder of published tables: results of 50 Keras models by WeightWatcher 0.6.1, and the tables of its papers, where somebody has them:
/// what `EIGENSCOPE_TABLES` names, or the usual place beside the checkout.
#[allow(clippy::print_stdout)]
pub fn tables() -> Option<PathBuf> {
    let folder =
        std::env::var_os("EIGENSCOPE_TABLES").map_or_else(|| root().join("../shared/tables"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("left out: the published tables are absent (EIGENSCOPE_TABLES names their folder)");
    None
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
