//! Solvers against closed forms, identities and one another.
#![allow(missing_docs)]

use eigenscope_linalg::{Block, Cross, EigenSolver, Faer, Gram, Native, Order, Square, TallQr};
use proptest::prelude::*;

fn solvers() -> Vec<Box<dyn EigenSolver<f64>>> {
    vec![
        Box::new(Native),
        Box::new(Faer),
        #[cfg(feature = "lapack")]
        Box::new(eigenscope_linalg::Lapack),
    ]
}

/// The second-difference matrix: eigenvalues 2 - 2 cos(k pi / (n + 1)).
fn second_difference(n: usize) -> Square<f64> {
    let mut a = Square::zeros(n);
    for i in 0..n {
        a.data_mut()[i * (n + 1)] = 2.0;
        if i + 1 < n {
            a.data_mut()[i * n + i + 1] = -1.0;
        }
    }
    a
}

#[test]
fn eigenvalues_of_the_second_difference_match_their_closed_form() {
    for solver in solvers() {
        for n in [1, 2, 7, 64, 300, 500] {
            let values = solver.eigenvalues(&second_difference(n), 1).unwrap();
            for (k, v) in values.iter().enumerate() {
                let exact = 2.0 - 2.0 * (std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64).cos();
                assert!((v - exact).abs() < 4e-14, "{} n={n} k={k}: {v} {exact}", solver.name());
            }
        }
    }
}

#[test]
fn a_matrix_of_nan_is_an_error_not_a_spectrum() {
    for solver in solvers() {
        for n in [5, 200] {
            let mut a = second_difference(n);
            a.data_mut()[0] = f64::NAN;
            assert!(solver.eigenvalues(&a, 1).is_err(), "{} {n}", solver.name());
        }
    }
}

#[test]
fn qr_keeps_singular_values_that_the_gram_loses() {
    // diag(1, 1e-12) rotated: the Gram holds 1e-24 next to 1, which doubles cannot.
    let (c, s) = (0.6, 0.8);
    let rows = [[c, -s * 1e-12], [s, c * 1e-12], [0.0, 0.0]];
    let data: Vec<f64> = rows.concat();
    let block = Block { rows: 3, cols: 2, order: Order::RowMajor, data: &data };
    let mut qr = TallQr::new(2);
    qr.add(block, 1);
    let values = qr.singular_values(&Faer, 1).unwrap();
    assert!((values[0] / 1e-12 - 1.0).abs() < 1e-3, "{values:?}");
    assert!((values[1] - 1.0).abs() < 1e-14);
}

#[test]
fn a_cross_product_sums_over_the_rows_of_blocks_in_either_order() {
    // A = [[1, 2], [3, 4], [5, 6]], B = [[1, 0], [0, 1], [2, 2]].
    let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 0.0, 1.0, 2.0, 2.0]);
    let by_rows = |data, rows| Block { rows, cols: 2, order: Order::RowMajor, data };
    let mut cross = Cross::new(2);
    cross.add(by_rows(&a[..4], 2), by_rows(&b[..4], 2), 1);
    let column = Block { rows: 1, cols: 2, order: Order::ColMajor, data: &a[4..] };
    cross.add(column, by_rows(&b[4..], 1), 1);
    // AᵀB = [[11, 13], [14, 16]], column by column.
    assert_eq!(cross.finish().data(), [11.0, 14.0, 13.0, 16.0]);
}

fn matrix() -> impl Strategy<Value = (usize, usize, Vec<f64>)> {
    (1usize..24, 1usize..12)
        .prop_flat_map(|(m, n)| (Just(m), Just(n), proptest::collection::vec(-1.0..1.0f64, m * n)))
}

proptest! {
    #[test]
    fn gram_eigenvalues_are_squared_singular_values_however_the_rows_arrive((m, n, data) in matrix(), cut in 0usize..24) {
        let whole = Block { rows: m, cols: n, order: Order::RowMajor, data: &data };
        let cut = cut.min(m);
        let mut gram = Gram::new(n);
        let mut qr = TallQr::new(n);
        for (rows, data) in [(cut, &data[..cut * n]), (m - cut, &data[cut * n..])] {
            let block = Block { rows, cols: n, order: Order::RowMajor, data };
            gram.add(block, 1);
            qr.add(block, 1);
        }
        let gram = gram.finish();
        let trace: f64 = data.iter().map(|v| v * v).sum();
        prop_assert!((gram.trace() - trace).abs() < 1e-12 * trace.max(1.0));
        for solver in solvers() {
            let direct = solver.singular_values(whole, 1).unwrap();
            let eigen = solver.eigenvalues(&gram, 1).unwrap();
            let norm: f64 = eigen.iter().map(|v| v * v).sum();
            prop_assert!((gram.symmetric_norm_squared() - norm).abs() < 1e-11 * norm.max(1.0));
            let through_qr = qr.clone().singular_values(solver.as_ref(), 1).unwrap();
            for (k, s) in direct.iter().rev().enumerate() {
                let lambda = eigen[n - 1 - k];
                prop_assert!((lambda - s * s).abs() < 1e-12 * trace.max(1.0), "{lambda} {}", s * s);
                let r = through_qr[through_qr.len() - 1 - k];
                prop_assert!((r - s).abs() < 1e-13 * trace.sqrt().max(1.0));
            }
        }
    }
}
