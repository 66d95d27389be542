//! What estimates cost, and how far off they are, beside whole spectra, on one thread.
//!
//! `cargo run --release -p eigenscope --example estimates [quick]` (minutes)
#![allow(clippy::print_stdout)]

use std::time::Instant;

use eigenscope::analysis::{Engine, EngineOptions, Options, Quiet, Row};
use eigenscope::fit::XminRule;
use eigenscope::matrix::{ConvMode, MatrixView, Unfolding, unfold};
use eigenscope::source::MemoryModel;
use eigenscope::spectrum::{Estimate, Rng, top_eigenvalues};
use eigenscope::tensor::{LayerKind, Layout, Tensor};

/// Columns of weights that fall off as a power law: alpha near 2.4, as in trained layers.
fn weights(rows: usize, cols: usize) -> Vec<f32> {
    let mut rng = Rng::new(1);
    let scale: Vec<f64> = (0..cols).map(|j| ((j + 1) as f64).powf(-0.35)).collect();
    (0..rows * cols).map(|k| (0.05 * rng.normal() * scale[k % cols]) as f32).collect()
}

fn tensor(rows: usize, cols: usize, values: &[f32]) -> Tensor {
    Tensor::from_f32(vec![rows, cols], values).expect("as many numbers as places")
}

fn analyzed(engine: &Engine, tensor: &Tensor, options: &Options) -> (f64, Row) {
    let model = MemoryModel::new().with("layer.weight", tensor.clone()).open("estimates");
    let start = Instant::now();
    let report = engine.analyze(&model, options, &Quiet).expect("an analysis");
    (start.elapsed().as_secs_f64(), report.layers[0].clone())
}

fn view(tensor: &Tensor) -> MatrixView {
    let how = Unfolding {
        kind: LayerKind::Dense,
        layout: Layout::OutInSpatial,
        conv_mode: ConvMode::Slices,
        split: None,
    };
    unfold(tensor, &how).remove(0)
}

/// Cold, and from the vectors of before every weight moved by this share of the mean size.
fn warm(rows: usize, cols: usize, values: &[f32], count: usize, share: f32) -> String {
    let mut rng = Rng::new(2);
    let size =
        (values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64).sqrt() as f32;
    let moved: Vec<f32> = values.iter().map(|v| v + share * size * rng.normal() as f32).collect();
    let (before, after) = (view(&tensor(rows, cols, values)), view(&tensor(rows, cols, &moved)));
    let Ok(first) = top_eigenvalues(&before, count, None, 1, 1) else { return String::new() };
    let timed = |start: Option<&[f64]>| {
        let begun = Instant::now();
        let top = top_eigenvalues(&after, count, start, 1, 1);
        (begun.elapsed().as_secs_f64(), top.map_or(0, |t| t.products))
    };
    let (cold, warm) = (timed(None), timed(Some(&first.vectors)));
    format!("{:.3} s, {} products; {:.3} s, {} products", cold.0, cold.1, warm.0, warm.1)
}

fn main() {
    let quick = std::env::args().nth(1).is_some();
    let engine = Engine::new(EngineOptions::threads(1)).expect("a thread");
    let mut shapes = vec![(1024, 1024), (2048, 2048)];
    if !quick {
        shapes.extend([(4096, 4096), (11008, 4096), (32000, 2048)]);
    }
    println!("| shape | spectrum | s | all / it | alpha | of all | estimate_error | lambda_max off by |");
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
    for (rows, cols) in shapes {
        let values = weights(rows, cols);
        let w = tensor(rows, cols, &values);
        let estimate = |estimate| Options { estimate, ..Options::default() };
        let median = Options { xmin: XminRule::Median, ..Options::default() };
        let (whole, all) = analyzed(&engine, &w, &Options::default());
        let hill = analyzed(&engine, &w, &median).1.alpha;
        let show = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.4}"));
        println!("| {rows} x {cols} | all | {whole:.3} | 1 | {} | | | |", show(all.alpha));
        for (options, exact) in [
            (estimate(Estimate::Top(16)), all.alpha),
            (estimate(Estimate::Top(64)), all.alpha),
            (Options { estimate: Estimate::Windows(256), ..median.clone() }, hill),
            (estimate(Estimate::Density(64)), hill),
        ] {
            let (seconds, row) = analyzed(&engine, &w, &options);
            let error = row.estimate.as_ref().and_then(|e| e.error);
            let off = row.lambda_max.zip(all.lambda_max).map(|(a, b)| (a / b - 1.0).abs());
            println!(
                "| | {} | {seconds:.3} | {:.1} | {} | {} | {} | {} |",
                row.estimate.as_ref().map_or("", |e| &e.how),
                whole / seconds,
                show(row.alpha),
                show(exact),
                error.map_or("-".to_owned(), |e| format!("{e:.1e}")),
                off.map_or("-".to_owned(), |e| format!("{e:.0e}")),
            );
        }
        for share in [1e-2, 1e-4] {
            println!(
                "| | top 64 anew; after weights moved by {share:.0e} | {} | | | | | |",
                warm(rows, cols, &values, 64, share)
            );
        }
    }
}
