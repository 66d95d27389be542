//! Builds plugins the way their authors do, and installs them in temporary folders.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Where the plugins are built: apart from the workspace, whose lock the running `cargo test` may hold.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("plugin-builds")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Builds the crate in `folder` (below the repository's root) and returns its library.
pub fn build(folder: &str, library: &str, arguments: &[&str]) -> PathBuf {
    let manifest = root().join(folder).join("Cargo.toml");
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--manifest-path"]).arg(manifest);
    command.arg("--target-dir").arg(target()).args(arguments);
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}");
    let profile = if arguments.contains(&"--release") { "release" } else { "debug" };
    target().join(profile).join(format!("lib{library}.so"))
}

pub fn npy() -> PathBuf {
    build("examples/plugin-npy", "eigenscope_npy", &[])
}

pub fn naughty(arguments: &[&str]) -> PathBuf {
    build("plugins/host/tests/fixtures/naughty", "naughty", arguments)
}

/// A folder with the library, as `plugin.so`, and a manifest `plugin.toml` with some lines replaced.
pub fn install(library: &Path, name: &str, extra: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    place(library, &folder.path().join("plugin.so"));
    fs::write(folder.path().join("plugin.toml"), manifest(name, "plugin.so", extra)).unwrap();
    folder
}

/// Linked where possible: unoptimised libraries are large.
pub fn place(library: &Path, at: &Path) {
    if fs::hard_link(library, at).is_err() {
        fs::copy(library, at).unwrap();
    }
}

pub fn manifest(name: &str, library: &str, extra: &str) -> String {
    format!(
        "name = \"{name}\"\nversion = \"1.2.3\"\nabi = \"rust-v1\"\nlibrary = \"{library}\"\n{extra}\n\
         [[formats]]\nname = \"Test files\"\nextensions = [\"{name}\"]\n"
    )
}
