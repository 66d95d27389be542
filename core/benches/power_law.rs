//! The scan over every xmin, against the same scan done by its definition.
//!
//! `cargo bench -p eigenscope --bench power_law`
#![allow(missing_docs)]

use eigenscope::fit::{SmallNSigma, fit_power_law};

fn main() {
    divan::main();
}

/// A Marchenko-Pastur-like bulk with a Pareto tail of exponent 3 on a tenth of the values.
fn spectrum(n: usize) -> Vec<f64> {
    let mut x: Vec<f64> = (0..n)
        .map(|i| {
            let u = (i as f64 + 0.5) / n as f64;
            if u < 0.9 { (0.05 + u / 0.9).powi(2) } else { 1.1025 * ((1.0 - u) / 0.1).powf(-0.5) }
        })
        .collect();
    x.sort_by(f64::total_cmp);
    x
}

#[divan::bench(args = [256, 1024, 4096, 16384])]
fn scan(bencher: divan::Bencher<'_, '_>, n: usize) {
    let x = spectrum(n);
    bencher.bench(|| fit_power_law(divan::black_box(&x), SmallNSigma::FromAlpha));
}

#[divan::bench(args = [256, 1024, 4096], sample_count = 5)]
fn by_definition(bencher: divan::Bencher<'_, '_>, n: usize) {
    let x = spectrum(n);
    bencher.bench(|| brute(divan::black_box(&x)));
}

fn brute(x: &[f64]) -> (f64, f64) {
    let logs: Vec<f64> = x.iter().map(|v| v.ln()).collect();
    let mut best = (f64::INFINITY, 0.0);
    for i in 0..x.len() - 1 {
        let n = (x.len() - i) as f64;
        let alpha = 1.0 + n / logs[i..].iter().map(|l| l - logs[i]).sum::<f64>();
        let d = logs[i..]
            .iter()
            .enumerate()
            .map(|(k, l)| (1.0 - ((1.0 - alpha) * (l - logs[i])).exp() - k as f64 / n).abs())
            .fold(0.0, f64::max);
        if d < best.0 {
            best = (d, alpha);
        }
    }
    best
}
