//! Are the intervals of alpha and the scores against noise what they say? Simulations with known answers.
//!
//! `cargo run --release -p eigenscope --example calibration [replicates]` (minutes; default 1000)
#![allow(clippy::print_stdout)]

use eigenscope::fit::{
    FitError, PowerLaw, Shape, SmallNSigma, bootstrap, fit_power_law, gaussian_spectrum, null_reference,
};
use eigenscope_linalg::{Block, EigenSolver, Gram, Native, Order};

/// Samples of each bootstrap.
const BOOTSTRAP: usize = 200;
/// Larger side, smaller side, pooled slices.
const SHAPES: [(usize, usize, usize); 5] =
    [(1024, 1024, 1), (2048, 1024, 1), (512, 512, 1), (1024, 128, 1), (64, 32, 9)];

fn scan(x: &[f64]) -> Result<PowerLaw, FitError> {
    fit_power_law(x, SmallNSigma::FromAlpha)
}

fn uniforms(seed: u64) -> impl FnMut() -> f64 {
    // splitmix64
    let mut state = seed.wrapping_mul(0xD134_2543_DE82_EF95);
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 * 2f64.powi(-53)
    }
}

/// A distribution whose tail is a power law from 1 on.
struct Ensemble {
    name: &'static str,
    alpha: f64,
    /// Values of each sample.
    values: usize,
    /// Share of the tail; the rest has the density of `body`.
    tail: f64,
    /// Values of the body as a function of a uniform one.
    body: fn(f64, f64) -> f64,
}

/// Side of the matrices of entries without a variance.
const LEVY_SIDE: usize = 1024;

/// Clauset, Shalizi and Newman (2009, equation 3.10): the body is exponential and joins the tail smoothly.
fn smooth(alpha: f64, values: usize) -> Ensemble {
    let (tail, body) = (1.0 / (alpha - 1.0), (alpha.exp() - 1.0) / alpha);
    let draw = |alpha: f64, u: f64| -(1.0 - u * (1.0 - (-alpha).exp())).ln() / alpha;
    Ensemble { name: "smooth", alpha, values, tail: tail / (tail + body), body: draw }
}

/// The body's density falls in a straight line to 0 at 1.
fn kinked(alpha: f64, tail: f64) -> Ensemble {
    Ensemble { name: "kinked", alpha, values: 1024, tail, body: |_, u| 1.0 - (1.0 - u).sqrt() }
}

/// Eigenvalues of `WᵀW` where entries exceed x with probability x^-mu, mu < 2: in the limit of large matrices their tail has the exponent
/// 1 + mu / 2 (Soshnikov 2004; Auffinger, Ben Arous and Péché 2009).
fn levy(mu: f64, seed: u64) -> Vec<f64> {
    let mut uniform = uniforms(seed);
    let mut entry = || (if uniform() < 0.5 { 1.0 } else { -1.0 }) * (1.0 - uniform()).powf(-1.0 / mu);
    let data: Vec<f64> = (0..LEVY_SIDE * LEVY_SIDE).map(|_| entry()).collect();
    let mut gram = Gram::new(LEVY_SIDE);
    gram.add(Block { rows: LEVY_SIDE, cols: LEVY_SIDE, order: Order::RowMajor, data: &data }, 1);
    let values = Native.eigenvalues(&gram.finish(), 1).unwrap_or_default();
    values.into_iter().filter(|v| *v > 0.0).collect()
}

/// Independent values, sorted.
fn sample(of: &Ensemble, seed: u64) -> Vec<f64> {
    let mut uniform = uniforms(seed);
    let mut draw = || {
        if uniform() < of.tail {
            (1.0 - uniform()).powf(-1.0 / (of.alpha - 1.0))
        } else {
            (of.body)(of.alpha, uniform())
        }
    };
    let mut x: Vec<f64> = (0..of.values).map(|_| draw()).filter(|v| *v > 0.0).collect();
    x.sort_unstable_by(f64::total_cmp);
    x
}

fn mean_and_sd(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (x.len() - 1) as f64;
    (mean, variance.sqrt())
}

/// How often the interval of alpha of such samples holds the true exponent, and the textbook's.
fn coverage(name: &str, alpha: f64, tail: Option<f64>, replicates: u64, sample: impl Fn(u64) -> Vec<f64>) {
    let (mut alphas, mut errors, mut sigmas) = (Vec::new(), Vec::new(), Vec::new());
    let (mut values, mut covered, mut textbook) = (0, 0, 0);
    for seed in 0..replicates {
        let x = sample(seed + 1);
        let Ok(fit) = scan(&x) else { continue };
        let Some(b) = bootstrap(&x, &fit, BOOTSTRAP, seed, scan) else { continue };
        values = x.len();
        alphas.push(fit.alpha);
        errors.push(b.alpha_se);
        sigmas.push(fit.sigma);
        covered += usize::from(b.alpha_interval[0] <= alpha && alpha <= b.alpha_interval[1]);
        textbook += usize::from((fit.alpha - alpha).abs() <= 1.96 * fit.sigma);
    }
    let (mean, sd) = mean_and_sd(&alphas);
    let percent = |count: usize| 100.0 * count as f64 / alphas.len() as f64;
    println!(
        "  {name}  {alpha:5.2}  {values:6}  {:>5}  {mean:10.3}  {sd:5.3}  {:13.3}  {:10.3}  {:11.1} %  {:20.1} %",
        tail.map_or("-".to_owned(), |tail| format!("{tail:.2}")),
        mean_and_sd(&errors).0,
        mean_and_sd(&sigmas).0,
        percent(covered),
        percent(textbook)
    );
}

fn main() {
    let replicates: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1000);
    println!("{replicates} samples each: how often an interval holds the true exponent");
    println!(
        "  body    alpha  values   tail  mean alpha     sd  mean alpha_se  mean sigma  95 % interval  alpha +- 1.96 sigma"
    );
    let ensembles = [
        smooth(2.0, 1024),
        smooth(2.5, 1024),
        smooth(3.5, 1024),
        smooth(2.5, 4096),
        kinked(2.0, 0.3),
        kinked(2.5, 0.3),
        kinked(3.5, 0.3),
        kinked(2.5, 1.0),
    ];
    let independent =
        |e: &Ensemble| coverage(e.name, e.alpha, Some(e.tail), replicates, |seed| sample(e, seed));
    ensembles.iter().for_each(independent);
    coverage("matrix", 1.5, None, replicates, |seed| levy(1.0, seed));
    println!("where the tail hides behind a body as steep:");
    independent(&kinked(2.5, 0.1));
    println!("Gaussian matrices, {} each: the score alpha_z against noise of the same shape", replicates);
    println!("     N     M  slices  alpha0  alpha0_sd  mean z   sd z");
    for (n, m, slices) in SHAPES {
        let shape = Shape { n, m, slices };
        let Some(reference) = null_reference(shape, 0, scan) else { continue };
        let scores = (0..replicates).filter_map(|r| scan(&gaussian_spectrum(shape, 99, r)).ok());
        let scores: Vec<f64> = scores.map(|fit| reference.score(fit.alpha)).collect();
        let (mean, sd) = mean_and_sd(&scores);
        println!(
            "  {n:4}  {m:4}  {slices:6}  {:6.2}  {:9.2}  {mean:6.3}  {sd:5.3}",
            reference.alpha, reference.sd
        );
    }
}
