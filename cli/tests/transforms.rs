//! `eigenscope smooth` and `eigenscope sharpen`.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Ran, beside, noise, run, small, write_model};
use serde_json::Value;
use tempfile::TempDir;

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", ran.stdout, ran.stderr))
}

/// Type, shape and bytes of every tensor, and the metadata, read by hand.
type Contents = (BTreeMap<String, (String, Value, Vec<u8>)>, Value);

fn contents(path: &Path) -> Contents {
    let bytes = fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Map<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let metadata = header.remove("__metadata__").unwrap_or_default();
    let data = &bytes[8 + length..];
    let tensors = header.into_iter().map(|(name, entry)| {
        let at = |k: usize| entry["data_offsets"][k].as_u64().unwrap() as usize;
        let dtype = entry["dtype"].as_str().unwrap().to_owned();
        (name, (dtype, entry["shape"].clone(), data[at(0)..at(1)].to_vec()))
    });
    (tensors.collect(), metadata)
}

/// A dense layer with one huge weight and a bias.
fn trapped() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut weight = noise("fc.weight", &[120, 80], 9);
    weight.2[4321] = 30.0;
    write_model(&beside(&folder, "model.safetensors"), &[weight, noise("fc.bias", &[120], 1)]);
    folder
}

#[test]
fn smoothing_changes_layers_and_copies_everything_else_to_the_bit() {
    let folder = small();
    let args =
        ["smooth", "model.safetensors", "-o", "out.safetensors", "--percent", "0.5", "--format", "json"];
    let ran = run(folder.path(), &args);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let list = json(&ran);
    let done: Vec<(&str, bool)> = list["tensors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| (t["longname"].as_str().unwrap(), t["changed"].as_bool().unwrap()))
        .collect();
    let expected = [
        ("first.weight", true),
        ("first.bias", false),
        ("block.conv.weight", true),
        ("block.norm.weight", false),
        ("second.weight", true),
        ("tiny.weight", false),
    ];
    assert_eq!(done, expected);
    assert_eq!((&list["tensors"][2]["kept"], &list["tensors"][2]["of"]), (&54.into(), &108.into()));
    assert_eq!(list["tensors"][5]["reason"], "M=3 below min_evals 8");
    let (old, new) =
        (contents(&beside(&folder, "model.safetensors")), contents(&beside(&folder, "out.safetensors")));
    assert_eq!(old.0.keys().collect::<Vec<_>>(), new.0.keys().collect::<Vec<_>>());
    for (name, changed) in expected {
        let ((old_type, old_shape, old_bytes), (new_type, new_shape, new_bytes)) =
            (&old.0[name], &new.0[name]);
        assert_eq!((old_type, old_shape, old_bytes.len()), (new_type, new_shape, new_bytes.len()));
        assert_eq!(old_bytes != new_bytes, changed, "{name}");
    }
    assert!(new.1["eigenscope"].as_str().unwrap().starts_with("smooth --method svd --percent 0.5 ("));
    // The diagonal matrix keeps its four largest entries.
    let diagonal: Vec<f32> =
        new.0["first.weight"].2.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    for k in 0..8 {
        let wanted = if k < 4 { 0.0 } else { (k + 1) as f32 };
        assert!((diagonal[k * 9] - wanted).abs() < 1e-6, "{diagonal:?}");
    }
}

#[test]
fn only_the_layers_asked_for_are_changed() {
    let folder = small();
    let args =
        ["smooth", "model.safetensors", "-o", "out.safetensors", "--layers", "second", "--percent=-0.25"];
    let ran = run(folder.path(), &args);
    assert!(
        ran.stdout.contains("second.weight") && ran.stdout.contains("kept 18 of 24 singular values"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.ends_with("out.safetensors: 1 tensor changed, 5 tensors as they were\n"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.lines().all(|l| l.chars().count() <= 100), "{}", ran.stdout);
    let ran =
        run(folder.path(), &["smooth", "model.safetensors", "-o", "x.safetensors", "--layers", "secnod"]);
    assert!(ran.status == 2 && ran.stderr.contains("did you mean 'second'"), "{}", ran.stderr);
    assert!(!beside(&folder, "x.safetensors").exists());
}

#[test]
fn methods_keep_what_the_columns_of_analyze_count() {
    let folder = small();
    let analyze = ["analyze", "model.safetensors", "--detx", "--mp-fit", "--format", "json"];
    let report = json(&run(folder.path(), &analyze));
    for (method, column) in [("detX", "detX_num"), ("alpha_min", "num_pl_spikes"), ("rmt", "num_spikes")] {
        let args = [
            "smooth",
            "model.safetensors",
            "-o",
            "o.safetensors",
            "--force",
            "--format",
            "json",
            "--method",
            method,
        ];
        let list = json(&run(folder.path(), &args));
        for layer in [0, 2, 4] {
            let (count, done) = (&report["layers"][layer][column], &list["tensors"][layer]);
            match done["changed"].as_bool().unwrap() {
                true => assert_eq!(&done["kept"], count, "{method} {layer}"),
                false => {
                    assert!(*count == 0 || done["reason"] == "all singular values are kept", "{done} {count}")
                }
            }
        }
    }
}

#[test]
fn sharpening_takes_the_trap_out_either_way() {
    let folder = trapped();
    let traps = |file: &str| {
        let report = json(&run(folder.path(), &["analyze", file, "--traps", "--format", "json"]));
        let rows = report["layers"].as_array().unwrap().clone();
        rows.iter().find(|r| r["longname"] == "fc.weight").unwrap()["num_traps"].clone()
    };
    assert_eq!(traps("model.safetensors"), 1);
    for (method, words) in
        [("localized", "1 weight set to 0, 1 trap"), ("svd", "kept 79 of 80 singular values, 1 trap")]
    {
        let out = format!("{method}.safetensors");
        let ran = run(folder.path(), &["sharpen", "model.safetensors", "-o", &out, "--method", method]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        assert!(ran.stdout.contains(words), "{}", ran.stdout);
        assert_eq!(traps(&out), 0, "{method}");
    }
    let (old, new) = (
        contents(&beside(&folder, "model.safetensors")),
        contents(&beside(&folder, "localized.safetensors")),
    );
    let (old, new) = (&old.0["fc.weight"].2, &new.0["fc.weight"].2);
    let changed: Vec<usize> = (0..9600).filter(|k| old[4 * k..4 * k + 4] != new[4 * k..4 * k + 4]).collect();
    assert_eq!(changed, [4321]);
}

#[test]
fn no_file_is_lost_and_the_model_itself_is_never_written() {
    let folder = small();
    let model = fs::read(beside(&folder, "model.safetensors")).unwrap();
    fs::write(beside(&folder, "there.safetensors"), "precious").unwrap();
    for (out, force, status, says) in [
        ("there.safetensors", false, 2, "there.safetensors is there already"),
        ("model.safetensors", false, 1, "it belongs to the model that is read"),
        ("./model.safetensors", true, 1, "it belongs to the model that is read"),
        ("no/where.safetensors", false, 1, "there is no such folder"),
        (".", true, 1, "it is a folder"),
    ] {
        let mut args = vec!["smooth", "model.safetensors", "-o", out];
        args.extend(force.then_some("--force"));
        let ran = run(folder.path(), &args);
        assert!(ran.status == status && ran.stderr.contains(says), "{out}: {} {}", ran.status, ran.stderr);
    }
    let shard =
        run(folder.path(), &["smooth", ".", "-o", "there.safetensors", "--force", "--loader", "safetensors"]);
    assert_ne!(shard.status, 0, "a file in the folder that is read: {}", shard.stdout);
    assert_eq!(fs::read(beside(&folder, "there.safetensors")).unwrap(), b"precious");
    assert_eq!(fs::read(beside(&folder, "model.safetensors")).unwrap(), model);
    let ran = run(folder.path(), &["smooth", "model.safetensors", "-o", "there.safetensors", "--force"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(contents(&beside(&folder, "there.safetensors")).0.len(), 6);
    let names = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, ["model.safetensors", "there.safetensors"], "nothing temporary is left");
}

#[cfg(unix)]
#[test]
fn a_copy_may_be_read_by_whoever_may_read_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = small();
    let mode = |name: &str| fs::metadata(beside(&folder, name)).unwrap().permissions().mode();
    fs::write(beside(&folder, "plain"), "").unwrap();
    run(folder.path(), &["smooth", "model.safetensors", "-o", "out.safetensors"]);
    assert_eq!(mode("out.safetensors"), mode("plain"));
    fs::set_permissions(beside(&folder, "out.safetensors"), fs::Permissions::from_mode(0o640)).unwrap();
    run(folder.path(), &["smooth", "model.safetensors", "-o", "out.safetensors", "--force"]);
    assert_eq!(mode("out.safetensors") & 0o777, 0o640);
}

#[test]
fn a_tensor_that_cannot_be_copied_is_named_and_nothing_is_written() {
    let folder = TempDir::new().unwrap();
    let header =
        serde_json::json!({"odd.weight": {"dtype": "F4", "shape": [8, 16], "data_offsets": [0, 64]}});
    let header = header.to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend([0; 64]);
    fs::write(beside(&folder, "model.safetensors"), file).unwrap();
    let ran = run(folder.path(), &["sharpen", "model.safetensors", "-o", "out.safetensors"]);
    let says = "error: cannot write tensor 'odd.weight': its contents cannot be copied to safetensors (element type F4";
    assert!(ran.status == 1 && ran.stderr.starts_with(says), "{}", ran.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn contradicting_options_are_refused() {
    let folder = small();
    for (options, says) in [
        (&["--method", "svd"][..], "--method svd needs --percent"),
        (&["--method", "rmt", "--percent", "0.5"], "--percent goes with --method svd only"),
        (&["--percent", "1.5"], "a share of singular values is from -1 to 1 and not 0, found 1.5"),
        (&["--percent", "0"], "found 0"),
        (&["--percent", "nan"], "found NaN"),
    ] {
        let args = [&["smooth", "model.safetensors", "-o", "out.safetensors"][..], options].concat();
        let ran = run(folder.path(), &args);
        assert!(ran.status == 2 && ran.stderr.contains(says), "{options:?}: {} {}", ran.status, ran.stderr);
        assert!(!beside(&folder, "out.safetensors").exists());
    }
}

#[test]
fn metadata_of_the_model_is_kept_and_what_made_the_copy_is_added() {
    let folder = TempDir::new().unwrap();
    let (name, shape, values) = noise("w.weight", &[12, 10], 3);
    let header = serde_json::json!({
        "__metadata__": {"format": "pt", "note": "ours"},
        name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 480]},
    });
    let header = header.to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    fs::write(beside(&folder, "model.safetensors"), file).unwrap();
    let ran = run(folder.path(), &["sharpen", "model.safetensors", "-o", "out.safetensors"]);
    assert!(ran.stdout.contains("unchanged: no traps"), "{} {}", ran.stdout, ran.stderr);
    let metadata = contents(&beside(&folder, "out.safetensors")).1;
    assert_eq!((&metadata["format"], &metadata["note"]), (&"pt".into(), &"ours".into()));
    assert!(metadata["eigenscope"].as_str().unwrap().starts_with("sharpen --method localized --seed 0"));
}
