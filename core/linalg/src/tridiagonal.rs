//! Eigenvalues of symmetric tridiagonal matrices.

use crate::SolveError;

/// Iterations for each eigenvalue, on average, before giving up; some two are needed.
const PATIENCE: usize = 30;

/// Eigenvalues, in no order, of the symmetric tridiagonal matrix of that diagonal, in whose place they come, and of the elements
/// `below` it, one fewer, which are overwritten.
///
/// The root-free QL iteration of Pal, Walker and Kahan (Parlett, "The symmetric eigenvalue problem", section 8.15; LAPACK's dsterf) on
/// squared off-diagonal elements, each block from its smaller end. Of its divisions one a step is on the critical path here, by writing
/// the next pivot as a quotient of what is known before the rotation. Errors are of the order of the rounding unit times the largest
/// eigenvalue.
pub(crate) fn eigenvalues(
    diagonal: &mut [f64],
    below: &mut [f64],
    solver: &'static str,
) -> Result<(), SolveError> {
    let largest = diagonal.iter().chain(below.iter()).fold(0.0f64, |m, v| m.max(v.abs()));
    if !(largest.is_finite() && diagonal.iter().chain(below.iter()).all(|v| v.is_finite())) {
        return Err(SolveError::NoConvergence(solver));
    }
    if largest == 0.0 {
        return Ok(());
    }
    // Squares of elements near 1 neither overflow nor matter where they underflow.
    diagonal.iter_mut().for_each(|v| *v /= largest);
    below.iter_mut().for_each(|v| *v = (*v / largest).powi(2));
    let mut left = PATIENCE * diagonal.len();
    let mut start = 0;
    while start < diagonal.len() {
        let couples = |i: &usize| below[*i] > negligible(diagonal[*i], diagonal[*i + 1]);
        let end = (start..below.len()).find(|i| !couples(i)).unwrap_or(below.len());
        if end < below.len() {
            below[end] = 0.0;
        }
        let (d, e) = (&mut diagonal[start..=end], &mut below[start..end]);
        if d[d.len() - 1].abs() < d[0].abs() {
            d.reverse();
            e.reverse();
        }
        settle(d, e, &mut left).ok_or(SolveError::NoConvergence(solver))?;
        start = end + 1;
    }
    diagonal.iter_mut().for_each(|v| *v *= largest);
    Ok(())
}

/// Squared off-diagonal elements up to here are zero to working precision.
fn negligible(a: f64, b: f64) -> f64 {
    f64::EPSILON * f64::EPSILON * (a * b).abs()
}

/// One unreduced block, eigenvalue by eigenvalue from its start.
fn settle(d: &mut [f64], e: &mut [f64], left: &mut usize) -> Option<()> {
    let mut l = 0;
    while l < e.len() {
        let end = (l..e.len()).find(|&i| e[i] <= negligible(d[i], d[i + 1])).unwrap_or(e.len());
        if end < e.len() {
            e[end] = 0.0;
        }
        match end - l {
            0 => l += 1,
            1 => {
                (d[l], d[l + 1]) = pair(d[l], e[l].sqrt(), d[l + 1]);
                e[l] = 0.0;
                l += 2;
            }
            _ => {
                *left = left.checked_sub(1)?;
                sweep(&mut d[l..=end], &mut e[l..end]);
            }
        }
    }
    Some(())
}

/// One QL sweep with Wilkinson's shift.
fn sweep(d: &mut [f64], e: &mut [f64]) {
    let root = e[0].sqrt();
    let slope = (d[1] - d[0]) / (2.0 * root);
    let shift = d[0] - root / (slope + slope.hypot(1.0).copysign(slope));
    let last = e.len();
    let (mut c, mut s) = (1.0, 0.0);
    let mut gamma = d[last] - shift;
    let mut p = gamma * gamma;
    for i in (0..last).rev() {
        let (square, alpha) = (e[i], d[i]);
        let r = p + square;
        if i + 1 < last {
            e[i + 1] = s * r;
        }
        let (before, rp) = (c, r * p);
        c = p / r;
        s = square / r;
        let x = p * (alpha - shift) - square * gamma;
        let next = x / r;
        d[i + 1] = gamma + (alpha - next);
        gamma = next;
        // gamma² / c, which is x² / (r p).
        p = if rp > f64::MIN_POSITIVE {
            x * x / rp
        } else if c > 0.0 {
            gamma * gamma / c
        } else {
            before * square
        };
    }
    e[0] = s * p;
    d[0] = shift + gamma;
}

/// Eigenvalues of `[[a, b], [b, c]]`.
fn pair(a: f64, b: f64, c: f64) -> (f64, f64) {
    let (sum, difference) = (a + c, a - c);
    let root = difference.hypot(2.0 * b);
    let (large, small) = if a.abs() > c.abs() { (a, c) } else { (c, a) };
    if sum == 0.0 {
        return (0.5 * root, -0.5 * root);
    }
    let first = 0.5 * (sum + root.copysign(sum));
    // Without cancellation, from the determinant.
    (first, large / first * small - b / first * b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many eigenvalues are below x, by Sylvester's law: independent of any iteration.
    fn below(d: &[f64], e: &[f64], x: f64) -> usize {
        let mut q = d[0] - x;
        let mut count = usize::from(q < 0.0);
        for i in 1..d.len() {
            let pivot = if q == 0.0 { f64::EPSILON } else { q };
            q = d[i] - x - e[i - 1] * e[i - 1] / pivot;
            count += usize::from(q < 0.0);
        }
        count
    }

    fn check(what: &str, d: &[f64], e: &[f64]) {
        let (mut values, mut work) = (d.to_vec(), e.to_vec());
        eigenvalues(&mut values, &mut work, "test").unwrap();
        values.sort_by(f64::total_cmp);
        let scale = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let slack = (4.0 * f64::EPSILON * scale * (d.len() as f64).sqrt().max(4.0)).max(f64::MIN_POSITIVE);
        for (k, v) in values.iter().enumerate() {
            let (under, over) = (below(d, e, v - slack), below(d, e, v + slack));
            assert!(under <= k && over > k, "{what}: eigenvalue {k} of {}: {v}: {under}, {over}", d.len());
        }
    }

    #[test]
    fn every_eigenvalue_is_where_a_sturm_count_has_it() {
        let mut state = 1u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        for n in [1usize, 2, 3, 4, 10, 65, 300] {
            let noise: Vec<f64> = (0..2 * n).map(|_| random()).collect();
            check("random", &noise[..n], &noise[n..2 * n - 1]);
            let wilkinson: Vec<f64> = (0..n).map(|i| (i as f64 - (n / 2) as f64).abs()).collect();
            check("Wilkinson", &wilkinson, &vec![1.0; n - 1]);
            let graded: Vec<f64> = (0..n).map(|i| 10f64.powf(-(i as f64) * 0.3)).collect();
            check("graded", &graded, &graded[1..].iter().map(|v| 0.3 * v).collect::<Vec<_>>());
            let rising: Vec<f64> = graded.iter().rev().copied().collect();
            check("graded upward", &rising, &rising[..n - 1].iter().map(|v| 0.3 * v).collect::<Vec<_>>());
            let clustered: Vec<f64> = (0..n).map(|i| 1.0 + 1e-14 * (i % 7) as f64).collect();
            check("clustered", &clustered, &vec![1e-9; n - 1]);
            check("zero diagonal", &vec![0.0; n], &vec![1.0; n - 1]);
            check("split", &noise[..n], &(0..n - 1).map(|i| (i % 3) as f64).collect::<Vec<_>>());
            check("tiny", &vec![1e-140; n], &vec![1e-141; n - 1]);
            check("huge", &vec![1e140; n], &vec![1e139; n - 1]);
            check("rank one", &(0..n).map(|i| f64::from(i == 0)).collect::<Vec<_>>(), &vec![0.0; n - 1]);
        }
    }

    #[test]
    fn a_pair_has_its_sum_and_product() {
        for (a, b, c) in
            [(2.0, 1.0, 2.0), (1e8, 1.0, 1e-8), (-3.0, 2.0, 1.0), (0.0, 1.0, 0.0), (1.0, 1e-9, 1.0)]
        {
            let (x, y) = pair(a, b, c);
            assert!(
                (x + y - a - c).abs() <= 1e-15 * x.abs().max(y.abs())
                    && (x * y - (a * c - b * b)).abs() <= 1e-14 * x.abs().max(1.0)
            );
        }
    }

    #[test]
    fn numbers_that_are_none_are_an_error() {
        assert!(eigenvalues(&mut [1.0, f64::NAN], &mut [1.0], "test").is_err());
        assert!(eigenvalues(&mut [1.0, 1.0], &mut [f64::INFINITY], "test").is_err());
    }
}
