//! The two stages against one-stage solvers, closed forms and themselves.

use proptest::prelude::*;

use super::eigenvalues;
use crate::kernel::Isa;
use crate::{EigenSolver, Faer, Real, Square};

/// Uniform in ±½, the same every time.
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    }
}

fn symmetric<T: Real>(n: usize, mut element: impl FnMut(usize, usize) -> f64) -> Square<T> {
    let mut a = Square::zeros(n);
    for j in 0..n {
        for i in j..n {
            a.data_mut()[j * n + i] = T::from_f64(element(i, j));
        }
        // What is above the diagonal is not read.
        for i in 0..j {
            a.data_mut()[j * n + i] = T::from_f64(f64::NAN);
        }
    }
    a
}

/// `H D H` with eigenvalues `D` and a reflector `H = I - 2 u uᵀ` along noise: dense, of a known spectrum.
fn with_spectrum<T: Real>(values: &[f64]) -> Square<T> {
    let n = values.len();
    let mut random = noise(5);
    let mut u: Vec<f64> = (0..n).map(|_| random()).collect();
    let norm = u.iter().map(|v| v * v).sum::<f64>().sqrt();
    u.iter_mut().for_each(|v| *v /= norm);
    let quadratic: f64 = u.iter().zip(values).map(|(u, d)| u * u * d).sum();
    symmetric(n, |i, j| {
        let diagonal = if i == j { values[i] } else { 0.0 };
        diagonal - 2.0 * u[i] * u[j] * (values[i] + values[j]) + 4.0 * quadratic * u[i] * u[j]
    })
}

/// What the solver is asked, by name: random, graded, clustered, rank-deficient, Wilkinson's, and trivial ones.
fn gallery<T: Real>(n: usize) -> Vec<(&'static str, Square<T>)> {
    let mut random = noise(n as u64 + 1);
    let graded: Vec<f64> = (0..n).map(|i| 10f64.powf(-12.0 * i as f64 / n as f64)).collect();
    let clustered: Vec<f64> = (0..n).map(|i| 1.0 + (i % 3) as f64 + 1e-13 * i as f64).collect();
    let deficient: Vec<f64> = (0..n).map(|i| if i < n / 10 + 1 { 1.0 + i as f64 } else { 0.0 }).collect();
    let wilkinson = |i: usize, j: usize| match i - j {
        0 => (i as f64 - (n / 2) as f64).abs(),
        1 => 1.0,
        _ => 0.0,
    };
    vec![
        ("random", symmetric(n, |_, _| random())),
        ("graded", with_spectrum(&graded)),
        ("graded by rows", symmetric(n, |i, j| graded[i] * graded[j] * (1.0 + ((i * j) as f64).sin()))),
        ("clustered", with_spectrum(&clustered)),
        ("rank-deficient", with_spectrum(&deficient)),
        ("Wilkinson", symmetric(n, wilkinson)),
        ("Wilkinson, turned", symmetric(n, |i, j| wilkinson(n - 1 - j, n - 1 - i))),
        ("ones", symmetric(n, |_, _| 1.0)),
        ("identity", symmetric(n, |i, j| f64::from(i == j))),
        ("tiny", symmetric(n, |i, j| 1e-36 * ((i * 7 + j) as f64).cos())),
        ("huge", symmetric(n, |i, j| 1e36 * ((i * 7 + j) as f64).cos())),
    ]
}

fn references() -> Vec<Box<dyn EigenSolver<f64>>> {
    vec![
        Box::new(Faer),
        #[cfg(feature = "lapack")]
        Box::new(crate::Lapack),
    ]
}

/// Compares with one-stage solvers of the same matrix in double precision, to so much of the largest eigenvalue.
fn check<T: Real>(what: &str, a: &Square<T>, b: usize, isa: Isa, tolerance: f64) {
    let n = a.n();
    let (values, _) = eigenvalues(a, b, isa, 1).unwrap();
    let wide = symmetric(n, |i, j| a.data()[j * n + i].to_f64());
    for solver in references() {
        let expected = solver.eigenvalues(&wide, 1).unwrap();
        let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (k, (v, e)) in values.iter().zip(&expected).enumerate() {
            let error = (v.to_f64() - e).abs() / largest.max(f64::MIN_POSITIVE);
            let name = solver.name();
            assert!(
                error <= tolerance,
                "{what}, n = {n}, b = {b}, {isa:?}, {name}: {k}: {} {e}: {error:e}",
                v.to_f64()
            );
        }
    }
}

#[test]
fn eigenvalues_are_those_of_one_stage_solvers_whatever_the_matrix() {
    for isa in Isa::all() {
        for n in [150, 257] {
            for (what, a) in gallery::<f64>(n) {
                check(what, &a, 32, isa, 1e-14 * n as f64);
            }
            for (what, a) in gallery::<f32>(n) {
                check(what, &a, 32, isa, 6e-8 * n as f64);
            }
        }
    }
}

#[test]
fn every_width_reduces_every_size_around_the_edges_of_its_blocks() {
    for b in [16, 32, 48, 64] {
        let edges = [1, 2, 3, b - 1, b, b + 1, b + 2, 2 * b - 1, 2 * b, 2 * b + 1, 3 * b + 1, 5 * b - 1];
        for n in edges {
            let mut random = noise(3);
            let a = symmetric::<f64>(n, |_, _| random());
            for isa in Isa::all() {
                check("random", &a, b, isa, 1e-14 * n.max(8) as f64);
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    fn same<T: Real>() {
        let mut random = noise(11);
        for n in [301, 700] {
            let a = symmetric::<T>(n, |_, _| random());
            let solve = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let values = pool.install(|| eigenvalues(&a, 32, Isa::best(), threads)).unwrap().0;
                values.into_iter().map(|v| v.to_f64().to_bits()).collect::<Vec<_>>()
            };
            let alone = solve(1);
            for threads in [2, 3, 5] {
                assert!(solve(threads) == alone, "{threads} threads, n = {n}");
            }
        }
    }
    same::<f64>();
    same::<f32>();
}

#[test]
fn more_threads_than_the_pool_has_are_no_deadlock() {
    let mut random = noise(2);
    let a = symmetric::<f64>(400, |_, _| random());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let crowded = pool.install(|| eigenvalues(&a, 16, Isa::best(), 4)).unwrap().0;
    assert_eq!(crowded, eigenvalues(&a, 16, Isa::best(), 1).unwrap().0);
}

#[test]
fn what_is_no_number_is_an_error_and_zeros_are_zeros() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for place in [(140, 3), (149, 149), (77, 76)] {
            let a = symmetric::<f64>(150, |i, j| if (i, j) == place { bad } else { 1.0 });
            assert!(eigenvalues(&a, 32, Isa::best(), 1).is_err(), "{bad} at {place:?}");
        }
    }
    let zeros = symmetric::<f64>(150, |_, _| 0.0);
    assert_eq!(eigenvalues(&zeros, 32, Isa::best(), 1).unwrap().0, [0.0; 150]);
}

#[test]
fn numbers_near_the_ends_of_the_range_are_scaled() {
    for size in [1e-310, 1e-300, 1e300, 1.7e308] {
        let a = symmetric::<f64>(130, |i, j| if i == j { size * ((i + 1) as f64 / 130.0) } else { 0.0 });
        let (values, _) = eigenvalues(&a, 32, Isa::best(), 1).unwrap();
        for (k, v) in values.iter().enumerate() {
            let exact = size * ((k + 1) as f64 / 130.0);
            assert!((v / exact - 1.0).abs() < 1e-10, "{size:e}: {k}: {v:e} {exact:e}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_size_and_width_keep_trace_norm_and_values(n in 1usize..260, width in 1usize..5, seed in 0u64..1000) {
        let b = 16 * width;
        let mut random = noise(seed);
        let a = symmetric::<f64>(n, |_, _| random());
        let (values, _) = eigenvalues(&a, b, Isa::best(), 1).unwrap();
        let norm = a.symmetric_norm_squared();
        prop_assert!((values.iter().sum::<f64>() - a.trace()).abs() < 1e-14 * n as f64 * norm.sqrt());
        prop_assert!((values.iter().map(|v| v * v).sum::<f64>() / norm - 1.0).abs() < 1e-13);
        let expected = Faer.eigenvalues(&a, 1).unwrap();
        let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (v, e) in values.iter().zip(&expected) {
            prop_assert!((v - e).abs() <= 1e-14 * n.max(8) as f64 * largest, "{v} {e}");
        }
    }
}
