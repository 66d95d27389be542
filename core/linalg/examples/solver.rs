use eigenscope_linalg::*;
use std::time::Instant;
fn run<T: Real>(n: usize, threads: usize) where Faer: EigenSolver<T>, TwoStage: EigenSolver<T> {
    let mut state = 1u64;
    let mut random = move || { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407); (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5 };
    let data: Vec<T> = (0..n * n).map(|_| T::from_f64(random())).collect();
    let mut gram = Gram::<T>::new(n);
    let t = Instant::now();
    gram.add(Block { rows: n, cols: n, order: Order::RowMajor, data: &data }, threads);
    let g = gram.finish();
    println!("n={n} {} t={threads}: gram {:?}", std::any::type_name::<T>(), t.elapsed());
    let reps = if n <= 512 { 9 } else if n <= 2048 { 3 } else { 1 };
    let (mut a, mut c) = (f64::MAX, f64::MAX);
    let (mut x, mut y) = (vec![], vec![]);
    for _ in 0..reps {
        let t = Instant::now(); x = TwoStage.eigenvalues(&g, threads).unwrap(); a = a.min(t.elapsed().as_secs_f64());
        if std::env::var("NOFAER").is_err() {
        let t = Instant::now(); y = Faer.eigenvalues(&g, threads).unwrap(); c = c.min(t.elapsed().as_secs_f64()); }
    }
    let worst = x.iter().zip(&y).map(|(p, q)| (p.to_f64() - q.to_f64()).abs()).fold(0.0, f64::max) / x[n - 1].to_f64();
    println!("  two-stage {:.2} ms  faer {:.2} ms  ratio {:.2}  error {worst:e} = {:.3} n eps", a * 1e3, c * 1e3, c / a, worst / T::EPSILON / n as f64);
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let threads: usize = args[2].parse().unwrap();
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().unwrap();
    for n in args[3..].iter().map(|s| s.parse().unwrap()) {
        if args[1] == "f64" { run::<f64>(n, threads) } else { run::<f32>(n, threads) }
    }
}
