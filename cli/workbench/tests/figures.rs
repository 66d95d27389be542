//! Figures of layers, read back as drawings and as pictures.
#![allow(missing_docs)]

use std::sync::Mutex;

use eigenscope::analysis::{Engine, EngineOptions, Inspection, Options, Quiet, Status, Xmax};
use eigenscope::source::{MemoryModel, OpenModel};
use eigenscope::spectrum::Rng;
use eigenscope::tensor::Tensor;
use eigenscope_workbench::figures::{Kind, LayerFit, Theme, figures, sample_figure, stem};
use resvg::tiny_skia::Pixmap;
use roxmltree::Document;

const EVIL: &str = "a</text><script>alert(1)</script>&\"'\u{1b}[31m\nb";

/// Heavy-tailed and square, Gaussian with a spike, and one whose name is hostile.
fn model() -> OpenModel {
    let mut rng = Rng::new(5);
    let heavy: Vec<f64> =
        (0..120 * 120).map(|_| rng.normal().signum() * (1.0 - rng.uniform()).powf(-1.0 / 2.5)).collect();
    let mut spiked: Vec<f64> = (0..160 * 80).map(|_| rng.normal()).collect();
    spiked.iter_mut().enumerate().for_each(|(k, w)| *w += if k % 80 < 40 { 0.9 } else { -0.9 });
    MemoryModel::new()
        .with("heavy.weight", Tensor::from_f64(vec![120, 120], &heavy).unwrap())
        .with("spiked.weight", Tensor::from_f64(vec![160, 80], &spiked).unwrap())
        .with(format!("{EVIL}.weight"), Tensor::from_f64(vec![20, 20], &heavy[..400]).unwrap())
        .open("memory")
}

fn inspected(options: &Options) -> Vec<Inspection> {
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    let kept = Mutex::<Vec<Inspection>>::default();
    let report = engine.inspect(&model(), options, &Quiet, &kept).unwrap();
    let mut all = kept.into_inner().unwrap();
    all.sort_by_key(|i| i.row.layer_id);
    for (row, inspection) in report.layers.iter().zip(&all) {
        assert_eq!(*row, inspection.row);
    }
    all
}

fn everything() -> Options {
    Options { mp_fit: true, randomize: true, deltas: true, vectors: true, detx: true, ..Options::default() }
}

/// Numbers after `name="` of an element.
fn number(node: &roxmltree::Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

/// Where a value lies on the x axis, by the labels of two ticks.
fn place(document: &Document<'_>, value: f64) -> f64 {
    let bottom = document.descendants().filter(|n| n.has_tag_name("text"));
    let ticks: Vec<(f64, f64, f64)> = bottom
        .filter_map(|n| {
            let label: f64 = n.text()?.trim().parse().ok()?;
            Some((label, number(&n, "x"), number(&n, "y")))
        })
        .collect();
    let lowest = ticks.iter().map(|t| t.2).fold(0.0, f64::max);
    let on_x: Vec<_> = ticks.iter().filter(|t| t.2 == lowest).collect();
    let (a, b) = (on_x[0], on_x[on_x.len() - 1]);
    assert!(a.0 < b.0, "{ticks:?}");
    a.1 + (value / a.0).ln() / (b.0 / a.0).ln() * (b.1 - a.1)
}

#[test]
fn the_esd_has_its_fit_xmin_edge_and_spikes_where_the_axes_put_them() {
    let options = Options { mp_fit: true, ..Options::default() };
    let all = inspected(&options);
    let spiked = &all[1];
    let figure = Kind::Esd.of(spiked, &options).unwrap();
    let svg = figure.svg(Theme::Light).unwrap();
    let document = Document::parse(&svg).unwrap();
    let texts: Vec<&str> = document
        .descendants()
        .filter(|n| n.has_tag_name("text"))
        .filter_map(|n| n.text())
        .map(str::trim)
        .collect();
    let row = &spiked.row;
    let numbers = format!("α = {:.3} · D = {:.3} · xmin = ", row.alpha.unwrap(), row.D.unwrap());
    let subtitle = texts.iter().find(|t| t.starts_with(&numbers)).unwrap_or_else(|| panic!("{texts:?}"));
    assert!(subtitle.contains(&format!("σ = {:.3}", row.sigma.unwrap())), "{subtitle}");
    assert!(texts.contains(&"Log-Log ESD, Layer 1 (spiked.weight)"), "{texts:?}");
    assert!(texts.contains(&"eigenvalue λ") && texts.contains(&"probability density"));
    // The planted spike, and no other.
    assert_eq!(row.mp.unwrap().num_spikes_tw, Some(1));
    assert!(texts.contains(&"1 spike above the bulk"), "{texts:?}");
    let lambda = spiked.spectrum.lambda_max();
    let rug = document.descendants().rfind(|n| n.has_tag_name("polygon")).unwrap();
    let tip: f64 = rug.attribute("points").unwrap().split([',', ' ']).next().unwrap().parse().unwrap();
    assert!((tip - place(&document, lambda)).abs() < 3.0, "{tip} {}", place(&document, lambda));
    // The edge of the bulk: the green line from top to bottom.
    let edge = place(&document, row.mp.unwrap().bulk_max);
    let green = document.descendants().rfind(|n| n.attribute("stroke") == Some("#007A5A")).unwrap();
    let at: f64 = green.attribute("points").unwrap().split([',', ' ']).next().unwrap().parse().unwrap();
    assert!((at - edge).abs() < 3.0, "{at} {edge}");
    // A bar for each bin that holds something, and the three of the legend and the ground.
    let bars = document.descendants().filter(|n| n.attribute("fill") == Some("#7FC0EA")).count();
    let view = eigenscope_workbench::figures::EsdView::new(
        &spiked.spectrum.eigenvalues,
        LayerFit::of(spiked, &options).as_ref(),
    );
    assert_eq!(bars, 1 + view.unwrap().histogram.counts.iter().filter(|c| **c > 0).count());
}

#[test]
fn the_fitted_line_has_the_slope_of_alpha_and_the_mass_of_the_tail() {
    let options = Options::default();
    let all = inspected(&options);
    for inspection in &all[..2] {
        let fit = LayerFit::of(inspection, &options).unwrap();
        let view = eigenscope_workbench::figures::EsdView::new(&inspection.spectrum.eigenvalues, Some(&fit))
            .unwrap();
        let (a, b) = (view.curve[0], view.curve[view.curve.len() - 1]);
        let slope = (b.1 / a.1).ln() / (b.0 / a.0).ln();
        assert!((slope + fit.alpha).abs() < 1e-9);
        let mass: f64 = view.curve.windows(2).map(|w| 0.5 * (w[0].1 + w[1].1) * (w[1].0 - w[0].0)).sum();
        let share = inspection.row.num_pl_spikes.unwrap() as f64 / view.shown as f64;
        let within = 1.0 - (fit.xmax / fit.xmin).powf(1.0 - fit.alpha);
        assert!((mass / (share * within) - 1.0).abs() < 0.01, "{mass} {share}");
    }
}

#[test]
fn every_figure_of_the_options_is_drawn_once_and_has_marks() {
    let options = everything();
    let mut seen = std::collections::HashSet::new();
    for inspection in inspected(&options) {
        let square = inspection.row.N == inspection.row.M;
        let drawn = figures(&inspection, &options);
        let names: Vec<&str> = drawn.iter().map(|f| f.name).collect();
        for kind in Kind::ALL {
            let first = matches!(kind, Kind::MpFit1 | Kind::RandMpFit1);
            assert_eq!(names.contains(&kind.name()), !first || square, "{} {names:?}", kind.name());
        }
        for figure in &drawn {
            assert!(seen.insert(stem(&inspection.row, figure.name)), "{} twice", figure.name);
            for theme in [Theme::Light, Theme::Dark] {
                let svg = figure.svg(theme).unwrap();
                let document = Document::parse(&svg).unwrap();
                let marks = document
                    .descendants()
                    .filter(|n| matches!(n.tag_name().name(), "rect" | "circle" | "polyline" | "polygon"));
                assert!(marks.count() > 20, "{}", figure.name);
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", figure.name);
            }
        }
    }
    assert!(seen.contains("ww.layer0.mpfit2") && seen.contains("ww.layer0.rand_mpfit2"));
}

#[test]
fn candidates_hold_the_chosen_fit() {
    let options = Options::default();
    for inspection in &inspected(&options)[..2] {
        let best =
            inspection.candidates(&options, 100_000).into_iter().min_by(|a, b| a.d.total_cmp(&b.d)).unwrap();
        let row = &inspection.row;
        assert_eq!((Some(best.xmin), Some(best.alpha), Some(best.d)), (row.xmin, row.alpha, row.D));
    }
}

#[test]
fn a_picture_has_the_marks_on_its_own_ground() {
    let options = Options { mp_fit: true, ..Options::default() };
    let spiked = &inspected(&options)[1];
    let figure = Kind::Esd.of(spiked, &options).unwrap();
    for (theme, ground, edge) in
        [(Theme::Light, (255, 255, 255), (0, 122, 90)), (Theme::Dark, (20, 23, 27), (47, 196, 154))]
    {
        let svg = figure.svg(theme).unwrap();
        let picture = Pixmap::decode_png(&figure.png(theme).unwrap()).unwrap();
        let pixel = |x: u32, y: u32| picture.pixel(x, y).map(|p| (p.red(), p.green(), p.blue())).unwrap();
        assert_eq!(pixel(2, 2), ground);
        // Coordinates are quarters of the SVG's pixels, the picture's are halves.
        let x = place(&Document::parse(&svg).unwrap(), spiked.row.mp.unwrap().bulk_max) / 2.0;
        let column: Vec<_> = (0..picture.height()).map(|y| pixel(x.round() as u32, y)).collect();
        let green = column.iter().filter(|p| **p == edge).count();
        assert!(green > column.len() / 3, "{green} of {}", column.len());
        // Letters, drawn with no font of the system: the title's line is not empty.
        let title =
            (30..600).flat_map(|x| (28..56).map(move |y| (x, y))).filter(|(x, y)| pixel(*x, *y) != ground);
        assert!(title.count() > 500);
    }
}

#[test]
fn a_hostile_name_is_text_and_is_in_no_file_name() {
    let options = Options::default();
    let evil = &inspected(&options)[2];
    let figure = Kind::Esd.of(evil, &options).unwrap();
    let svg = figure.svg(Theme::Light).unwrap();
    let document = Document::parse(&svg).unwrap();
    assert!(!document.descendants().any(|n| n.has_tag_name("script")));
    let shown =
        document.descendants().filter_map(|n| n.text()).any(|t| t.contains("a</text><script>alert(1)"));
    assert!(shown && !svg.contains('\u{1b}'), "{svg}");
    assert_eq!(stem(&evil.row, figure.name), "ww.layer2.esd");
    assert!(figure.png(Theme::Light).is_ok());
}

#[test]
fn a_long_name_keeps_both_ends_and_stays_within_the_figure() {
    let fit =
        LayerFit { alpha: 2.5, xmin: 1.0, xmax: 9.0, d: None, sigma: None, lambda: None, bounded: false };
    let values: Vec<f64> = (0..90).map(|k| 0.5 + f64::from(k) * 0.1).collect();
    let name = format!("begin{}end", "x".repeat(400));
    let svg = sample_figure(&name, &values, &fit, None).unwrap().svg(Theme::Light).unwrap();
    let title = Document::parse(&svg)
        .unwrap()
        .descendants()
        .filter(|n| n.has_tag_name("text"))
        .find_map(|n| Some(n.text()?.trim().to_owned()).filter(|t| t.starts_with("begin")))
        .unwrap();
    assert!(title.ends_with("end") && title.contains('…') && title.len() < 200, "{title}");
}

#[test]
fn a_failed_fit_leaves_the_spectrum_to_be_drawn() {
    // More values to leave out than half of them.
    let options = Options { xmax: Xmax::Drop(70), deltas: true, ..Options::default() };
    let all = inspected(&options);
    let drawn = figures(&all[0], &options);
    assert_eq!(all[0].row.status, Status::Failed);
    let names: Vec<&str> = drawn.iter().map(|f| f.name).collect();
    assert_eq!(names, ["esd", "esd2", "esd3", "deltaEs", "level-stats"]);
    assert!(drawn[0].subtitle.starts_with("no power law: power-law fit: xmax removes 70 of 120"));
    assert!(drawn.iter().all(|f| f.svg(Theme::Light).is_ok()));
}

#[test]
fn equal_eigenvalues_have_no_gap_to_draw_and_stop_nothing() {
    let cells = |i: usize| if i.is_multiple_of(31) { if i / 31 < 20 { 1.0 } else { 2.0 } } else { 0.0 };
    let weights: Vec<f64> = (0..900).map(cells).collect();
    let model =
        MemoryModel::new().with("a.weight", Tensor::from_f64(vec![30, 30], &weights).unwrap()).open("x");
    let options = everything();
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    let kept = Mutex::<Vec<Inspection>>::default();
    engine.inspect(&model, &options, &Quiet, &kept).unwrap();
    for inspection in kept.into_inner().unwrap() {
        for figure in figures(&inspection, &options) {
            let svg = figure.svg(Theme::Light).unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", figure.name);
        }
    }
}

#[test]
fn what_cannot_be_drawn_is_none() {
    let fit =
        LayerFit { alpha: 2.5, xmin: 1.0, xmax: 1.0, d: None, sigma: None, lambda: None, bounded: false };
    assert!(sample_figure("x", &[1.0; 20], &fit, None).is_none());
    assert!(sample_figure("x", &[], &fit, None).is_none());
}
