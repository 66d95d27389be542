//! Options on the matrices behind a row, and the columns of older versions.
#![allow(missing_docs)]

mod common;

use common::{run, small};
use serde_json::{Value, json};

#[test]
fn options_on_matrices_reach_the_engine_and_clashes_are_refused() {
    let folder = small();
    for (args, expected) in [
        (&["--conv2d-fft", "--fft-size", "4"][..], json!({"conv_mode": "fft", "fft_size": 4})),
        (&["--conv-mode", "fft"], json!({"conv_mode": "fft", "fft_size": 32})),
        (&["--intra", "--sparsify"], json!({"intra": true, "sparsify": true})),
        (&["--stacked"], json!({"stacked": true})),
        (&["--glorot-fix", "--add-biases"], json!({"glorot_fix": true, "add_biases": true})),
    ] {
        let describe = [&["analyze", "model.safetensors", "--format", "json"][..], args].concat();
        let ran = run(folder.path(), &describe);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&report["options"][name], value, "{args:?}");
        }
    }
    for (args, says) in [
        (&["--conv2d-fft", "--no-pool"][..], "error: conv_mode = fft does not go with pool = false\n"),
        (&["--intra", "--vectors"], "error: intra does not go with vectors\n"),
        (&["--stacked", "--add-biases"], "error: add_biases does not go with intra or stacked\n"),
        (&["--conv2d-fft", "--fft-size", "0"], "error: fft_size must be at least 1\n"),
        (
            &["--conventions", "weightwatcher-0.4", "--mp-fit"],
            "error: mp_fit does not go with conventions of WeightWatcher 0.4\n",
        ),
        // Options of the reference that crash there.
        (&["--channels", "first"], "error: unexpected argument '--channels'"),
        (&["--fft"], "error: unexpected argument '--fft'"),
    ] {
        let ran = run(folder.path(), &[&["analyze", "model.safetensors"][..], args].concat());
        assert!(ran.stderr.starts_with(says), "{}", ran.stderr);
        assert_eq!(ran.status, 2);
    }
}

#[test]
fn older_versions_have_their_columns_and_0_1_2_its_nested_results() {
    let folder = small();
    let header = |preset: &str| {
        let args = ["analyze", "model.safetensors", "--format", "csv", "--conventions", preset];
        run(folder.path(), &args).stdout.lines().next().unwrap().to_owned()
    };
    assert!(
        header("weightwatcher-0.4").starts_with("layer_id,name,D,M,N,alpha,alpha_weighted,entropy,has_esd,")
    );
    assert_eq!(
        header("weightwatcher-0.1.2"),
        "layer_id,layer_type,N,M,slice_id,D,alpha,alpha_weighted,lambda_min,lambda_max,lognorm,norm,rank_loss,\
         softrank,softranklog,softranklogratio,spectralnorm,status,reason,longname,shape"
    );
    let args = ["analyze", "model.safetensors", "--format", "json", "--min-evals", "9"];
    let with = [&args[..], &["--conventions", "weightwatcher-0.1.2"]].concat();
    let nested: Value = serde_json::from_str(&run(folder.path(), &with).stdout).unwrap();
    let results = nested["nested"]["results"].as_object().unwrap();
    assert_eq!(results.len(), 6);
    let slice = results.values().find_map(|layer| layer.get("0")).unwrap();
    let lognorm = slice["lognorm"].as_f64().unwrap();
    assert!((slice["norm"].as_f64().unwrap().log10() - lognorm).abs() < 1e-12);
    assert!(nested["nested"]["aggregates"]["lognorm_compound"]["avg"].is_number());
    let today: Value = serde_json::from_str(&run(folder.path(), &args).stdout).unwrap();
    assert!(today.get("nested").is_none());
}
