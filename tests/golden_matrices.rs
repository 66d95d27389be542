//! Seven small deterministic matrices with WeightWatcher 0.7.7's full output.
#![allow(missing_docs)]

use eigenscope::analysis::{ConvScale, Engine, EngineOptions, Options, Plan, Quiet};
use eigenscope::matrix::{ConvMode, Unfolding, unfold};
use eigenscope::metrics::{VectorColumns, localization, participation, vector_entropy, vector_measures};
use eigenscope::rmt::vector_distance;
use eigenscope::source::{MemoryModel, OpenModel};
use eigenscope::tensor::{LayerKind, Layout};
use eigenscope_tests::generator::{IDS, golden_row as row, golden_rows as rows, matrix};
use eigenscope_tests::golden::{Deviations, load, number};
use serde_json::Value as Json;

const DENSE: Unfolding = Unfolding {
    kind: LayerKind::Dense,
    layout: Layout::OutInSpatial,
    conv_mode: ConvMode::Slices,
    split: None,
};

fn reference() -> Options {
    Options::weightwatcher_0_7_7()
}

#[test]
fn the_generator_makes_the_matrices_of_the_recipe() {
    let golden = load("matrices.json");
    for id in IDS {
        let first: Vec<f64> =
            golden["matrices"][id]["first5"].as_array().unwrap().iter().filter_map(number).collect();
        for (found, expected) in matrix(id).to_vec().iter().zip(first) {
            assert!((found - expected).abs() <= 1e-9, "{id}: {found} {expected}");
        }
    }
}

fn close(found: f64, expected: &Json, tolerance: f64) -> bool {
    let expected = number(expected).unwrap();
    (found - expected).abs() <= tolerance * expected.abs()
}

fn open(id: &str) -> OpenModel {
    MemoryModel::new().with("0.weight", matrix(id)).open("golden")
}

#[test]
fn every_standing_column_equals_the_reference_under_its_conventions() {
    let golden = load("matrices.json");
    let mut d = Deviations::default();
    for id in IDS {
        d.compare_all(id, &row(id, &reference()), &golden["matrices"][id]["default"], |name| match name {
            // Our names are the file's.
            "longname" => None,
            // The smallest singular values of G are rounding.
            "sv_min" if id == "G" => None,
            _ => Some(1e-8),
        });
    }
    d.finish("golden matrices");
}

#[test]
fn means_over_a_model_equal_the_reference_under_its_conventions() {
    let golden = load("matrices.json");
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    for id in IDS {
        let report = engine.analyze(&open(id), &Options { mp_fit: true, ..reference() }, &Quiet).unwrap();
        let summary = golden["matrices"][id]["summary"].as_object().unwrap();
        assert_eq!(summary.len(), 7);
        for (name, expected) in summary {
            let found = report.summary.mean(name).unwrap();
            let tolerance = if name == "mp_softrank" { 1e-6 } else { 1e-8 };
            assert!(close(found, expected, tolerance), "{id} {name}: {found} {expected}");
        }
    }
}

#[test]
fn eigenvalues_of_the_stored_weights_equal_the_reference_s() {
    let golden = load("matrices.json");
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    for id in IDS {
        let (model, golden) = (open(id), &golden["matrices"][id]);
        let plan = Plan::new(model.file.as_ref(), &reference()).unwrap();
        let esd = engine.esd(&model, &plan.layers[0], &reference()).unwrap();
        let values: Vec<f64> = esd.spectra[0].eigenvalues.iter().map(|v| v / esd.scale).collect();
        assert_eq!(values.len() as u64, golden["esd_len"].as_u64().unwrap());
        // Those of G that come first are zero but for rounding.
        for k in if id == "G" { 3..6 } else { 0..6 } {
            let (found, expected) =
                (values[if k < 3 { k } else { values.len() - 6 + k }], &golden["esd_first3_last3"][k]);
            assert!(close(found, expected, 1e-8), "{id} {k}: {found} {expected}");
        }
    }
}

#[test]
fn measures_of_vectors_and_spectra_equal_the_reference_s_examples() {
    let golden = load("matrices.json");
    let (v, measures) = ([0.0, 1.0, 2.0, 3.0, 4.0], &golden["vector [0,1,2,3,4]"]);
    assert!(close(vector_entropy(&v), &measures["discrete_entropy"], 1e-12), "{}", vector_entropy(&v));
    assert!(close(localization(&v), &measures["localization_ratio"], 1e-12));
    assert!(close(participation(&v), &measures["participation_ratio"], 1e-12));
    let distance = vector_distance(&[1.0, 2.0, 3.0, 4.0], &[1.0, 1.0, 1.0, 5.0]);
    assert!(close(distance, &golden["js_distance p=[1,2,3,4] q=[1,1,1,5]"], 1e-12), "{distance}");
}

#[test]
fn convolutions_without_the_factor_equal_the_reference_s() {
    let golden = load("matrices.json");
    let mut options = reference();
    options.conventions.conv_scale = ConvScale::One;
    let row = row("E", &options);
    let mut d = Deviations::default();
    d.compare_all("E", &row, &golden["matrices"]["E"]["conv2d_norm_false"], |_| Some(1e-8));
    d.finish("golden convolution without factor");
}

#[test]
fn unpooled_slices_equal_the_reference_under_its_conventions() {
    let golden = load("matrices.json");
    let rows = rows("E", &Options { pool: false, ..reference() });
    let expected = golden["matrices"]["E"]["pool_false_slices"].as_array().unwrap();
    assert_eq!(rows.len(), expected.len());
    let mut d = Deviations::default();
    for (row, expected) in rows.iter().zip(expected) {
        d.compare_all(&format!("E slice {:?}", row.slice_id), row, expected, |_| Some(1e-8));
    }
    d.finish("golden slices");
}

#[test]
fn marchenko_pastur_and_detx_equal_the_reference_under_its_conventions() {
    let golden = load("matrices.json");
    let options = Options { mp_fit: true, detx: true, ..reference() };
    let mut d = Deviations::default();
    for id in IDS {
        let (row, expected) = (row(id, &options), &golden["matrices"][id]["mp_fit_detX"]);
        d.compare_all(id, &row, expected, |name| match name {
            "sigma_mp" | "mp_softrank" | "bulk_max" | "bulk_min" => Some(1e-6),
            _ => Some(1e-8),
        });
    }
    d.finish("golden Marchenko-Pastur fits");
}

#[test]
fn inverse_spectra_equal_the_reference_under_its_conventions_and_are_all_inverted_by_default() {
    let golden = load("matrices.json");
    let mut d = Deviations::default();
    // The 45 smallest of G are rounding.
    for id in IDS.into_iter().filter(|id| *id != "G") {
        let row = row(id, &Options { inverse: true, ..reference() });
        d.compare_all(id, &row, &golden["matrices"][id]["inverse"], |_| Some(1e-8));
    }
    d.finish("golden inverses");
    let (plain, inverse) =
        (row("E", &Options::default()), row("E", &Options { inverse: true, ..Options::default() }));
    assert_eq!((inverse.sv_max, inverse.sv_min, inverse.num_evals), (plain.sv_max, plain.sv_min, Some(144)));
    assert!((inverse.lambda_max.unwrap() * plain.sv_min.unwrap().powi(2) - 1.0).abs() < 1e-9);
    let low_rank = row("G", &Options { inverse: true, ..Options::default() });
    assert_eq!(low_rank.num_evals, Some(5));
}

/// The reference takes xmin from one solver and the eigenvalues it compares with it from another: in A, B, C and G rounding puts the
/// eigenvector of xmin itself into the bulk.
#[test]
fn vector_metrics_equal_the_reference() {
    let golden = load("matrices.json");
    let mut d = Deviations::default();
    for id in IDS {
        let expected = &golden["matrices"][id]["vectors"];
        let mut row = row(id, &Options { vectors: true, ..reference() });
        if ["A", "B", "C", "G"].contains(&id) {
            let views = unfold(&matrix(id), &DENSE);
            let measures = vector_measures(&views, 1.0, 1).unwrap();
            let found = VectorColumns::of(&measures, row.xmin.unwrap() * (1.0 + 1e-9));
            row.vectors = Some(Box::new(found));
        }
        // G has 45 eigenvalues that are zero but for rounding, and so no eigenvectors of its own in the bulk.
        d.compare_all(id, &row, expected, |name| (id != "G" || !name.starts_with("bulk")).then_some(1e-8));
    }
    d.finish("golden vectors");
}

#[test]
fn a_single_precision_low_rank_matrix_has_its_true_rank_by_default() {
    let row = row("G", &Options::default());
    assert_eq!((row.matrix_rank, row.rank_loss, row.weak_rank_loss), (Some(5), Some(45), Some(45)));
    assert!(row.sigma.unwrap() > 0.0);
}

#[test]
fn default_fits_equal_the_reference_where_its_definition_is_sound() {
    let golden = load("matrices.json");
    let mut d = Deviations::default();
    for id in IDS {
        let columns =
            ["alpha", "xmin", "D", "norm", "log_alpha_norm", "stable_rank", "num_pl_spikes", "N", "M"];
        d.compare(id, &row(id, &Options::default()), &golden["matrices"][id]["default"], &columns, 1e-8);
    }
    d.finish("golden matrices by default");
}
