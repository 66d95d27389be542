//! A density beside the whole spectrum, on the weights of a real model.
#![allow(missing_docs)]

use std::time::Instant;

use eigenscope::analysis::{Engine, EngineOptions, LayerFilter, Options, Quiet, Row, Status};
use eigenscope::fit::XminRule;
use eigenscope::spectrum::Estimate;
use eigenscope_tests::models::fetched;
use eigenscope_tests::reference::open;

/// MiniLM's word embeddings: 30522 x 384.
#[test]
#[allow(clippy::print_stdout)]
fn the_density_of_real_embeddings_has_the_alpha_of_their_whole_spectrum() {
    let Some(path) = fetched("minilm/model.safetensors") else { return };
    let model = open(&path);
    let engine = Engine::new(EngineOptions::threads(1)).unwrap();
    let row = |options: Options| -> (Row, f64) {
        let options = Options { layers: LayerFilter::new(["*word_embeddings*"]), ..options };
        let start = Instant::now();
        let report = engine.analyze(&model, &options, &Quiet).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let mut rows = report.layers.into_iter().filter(|r| r.status == Status::Success);
        (rows.next().unwrap(), seconds)
    };
    let (whole, all) = row(Options { xmin: XminRule::Median, max_n: None, ..Options::default() });
    for steps in [16, 32, 64] {
        let (found, seconds) =
            row(Options { estimate: Estimate::Density(steps), max_n: None, ..Options::default() });
        let error = found.estimate.as_ref().unwrap().error.unwrap();
        let [a, b] = [&found, &whole].map(|r| r.alpha.unwrap());
        println!("{steps} steps: alpha {a:.4} of {b:.4}, said {error:.4}, {seconds:.3} s of {all:.3} s");
        assert!((a - b).abs() < 2.0 * error, "{steps} steps: {a} {b} {error}");
        let largest = found.lambda_max.unwrap() / whole.lambda_max.unwrap() - 1.0;
        assert!(largest.abs() < 1e-6, "{largest}");
        assert!((found.norm.unwrap() / whole.norm.unwrap() - 1.0).abs() < 1e-9);
    }
}
