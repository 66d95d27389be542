//! `eigenscope explain`, and the page made by it.
#![allow(missing_docs)]

mod common;

use std::path::Path;

use common::run;
use eigenscope::analysis::COLUMNS;

fn explain(args: &[&str]) -> common::Ran {
    run(Path::new("."), &[&["explain"][..], args].concat())
}

#[test]
fn the_page_of_metrics_is_what_the_command_prints() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let same = std::fs::read_to_string(page).unwrap() == explain(&["--markdown"]).stdout;
    assert!(same, "docs/metrics.md is old: `eigenscope explain --markdown > docs/metrics.md` makes it anew");
}

#[test]
fn a_column_is_explained_in_full_and_all_of_them_in_a_line_each() {
    let alpha = explain(&["alpha"]).stdout;
    for part in
        ["formula  1 + n / Σ ln(λ_i / xmin)", "range ", "unit ", "read ", "0706.1062", "option ", "cost "]
    {
        assert!(alpha.contains(part), "{part}: {alpha}");
    }
    assert!(explain(&["num_traps"]).stdout.contains("option   --traps, --randomize"));
    assert_eq!(explain(&["alpha", "D"]).stdout.matches("  source ").count(), 2);
    let all = explain(&[]).stdout;
    let names: Vec<&str> = all.lines().map(|l| l.split(' ').next().unwrap()).collect();
    let of_layers: Vec<&str> = COLUMNS.iter().map(|c| c.name).collect();
    assert_eq!(names[..of_layers.len()], of_layers);
    // Then those that only comparisons of two models have.
    assert!(names[of_layers.len()..].contains(&"cosine"), "{names:?}");
    assert!((all + &alpha).lines().all(|l| l.chars().count() <= 100));
}

#[test]
fn a_wrong_name_gets_the_nearest() {
    let ran = explain(&["alhpa"]);
    assert!(ran.status == 2 && ran.stderr.contains("hint: did you mean 'alpha'"), "{}", ran.stderr);
}
