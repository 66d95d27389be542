//! Eigenvalues of symmetric tridiagonal matrices.

use crate::SolveError;
use crate::kernel::{Isa, Simd, Task, dispatch};

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
    isa: Isa,
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
        settle(d, e, isa, &mut left).ok_or(SolveError::NoConvergence(solver))?;
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
fn settle(d: &mut [f64], e: &mut [f64], isa: Isa, left: &mut usize) -> Option<()> {
    let lanes = isa.doubles();
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
            long if lanes > 1 && long >= 4 * lanes => {
                *left = left.checked_sub(1)?;
                let (d, e) = (&mut d[l..=end], &mut e[l..end]);
                // SAFETY: the processor's own instructions.
                unsafe { dispatch(isa, Together { d, e }) };
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
    let mut state = Rotation::begin(d, shift);
    for i in (0..e.len()).rev() {
        state.step(d, e, i);
    }
    state.end(d, e);
}

/// Where a sweep is.
#[derive(Clone, Copy)]
struct Rotation {
    shift: f64,
    c: f64,
    s: f64,
    gamma: f64,
    /// gamma² / c.
    p: f64,
}

impl Rotation {
    #[inline(always)]
    fn begin(d: &[f64], shift: f64) -> Self {
        let gamma = d[d.len() - 1] - shift;
        Rotation { shift, c: 1.0, s: 0.0, gamma, p: gamma * gamma }
    }

    #[inline(always)]
    fn step(&mut self, d: &mut [f64], e: &mut [f64], i: usize) {
        let (square, alpha) = (e[i], d[i]);
        let r = self.p + square;
        if i + 1 < e.len() {
            e[i + 1] = self.s * r;
        }
        if r == 0.0 {
            // A sweep before this one has cut the block here, at an eigenvalue that is this one's shift too: nothing to rotate.
            let next = alpha - self.shift;
            d[i + 1] = self.gamma + self.shift;
            (self.c, self.s, self.gamma, self.p) = (1.0, 0.0, next, next * next);
            return;
        }
        let (before, rp) = (self.c, r * self.p);
        self.c = self.p / r;
        self.s = square / r;
        let x = self.p * (alpha - self.shift) - square * self.gamma;
        let next = x / r;
        d[i + 1] = self.gamma + (alpha - next);
        self.gamma = next;
        // gamma² / c, which is x² / (r p) where neither has underflowed.
        self.p = if rp.min(x * x) > f64::MIN_POSITIVE {
            x * x / rp
        } else if self.c > 0.0 {
            next * next / self.c
        } else {
            before * square
        };
    }

    #[inline(always)]
    fn end(self, d: &mut [f64], e: &mut [f64]) {
        e[0] = self.s * self.p;
        d[0] = self.shift + self.gamma;
    }
}

/// As many sweeps as a vector has lanes, each two elements behind the one before it.
///
/// Their shifts are the eigenvalues of the first rows of the block, as in the multishift iterations of Bai and Demmel (1989). A sweep is
/// a chain of divisions; so many chains at once take hardly longer than one.
struct Together<'a> {
    d: &'a mut [f64],
    e: &'a mut [f64],
}

/// Widest vector of doubles.
const MOST: usize = 8;

impl Task<f64> for Together<'_> {
    type Output = ();

    // Lanes are what is counted.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    unsafe fn run<S: Simd<f64>>(self) {
        let Together { d, e } = self;
        let (lanes, last) = (S::LANES, e.len());
        debug_assert!(lanes <= MOST && last >= 2 * lanes && d.len() == last + 1);
        let mut shifts = [0.0; MOST];
        shifts_of(d, e, &mut shifts[..lanes]);
        let mut sweeps = [Rotation { shift: 0.0, c: 1.0, s: 0.0, gamma: 0.0, p: 0.0 }; MOST];
        let behind = 2 * (lanes - 1);
        for t in 0..behind {
            for j in 0..=t / 2 {
                if t == 2 * j {
                    sweeps[j] = Rotation::begin(d, shifts[j]);
                }
                sweeps[j].step(d, e, last - 1 - (t - 2 * j));
            }
        }
        sweeps[lanes - 1] = Rotation::begin(d, shifts[lanes - 1]);
        // SAFETY: the caller's; i + 2 lanes - 1 is within d and e.
        unsafe { steady::<S>(d, e, &mut sweeps) };
        for t in last..last + behind {
            for (j, sweep) in sweeps.iter_mut().enumerate().take(lanes) {
                // The sweep's element, while it has one; after the last it ends.
                match (last - 1 + 2 * j).checked_sub(t) {
                    Some(i) => sweep.step(d, e, i),
                    None if t == last + 2 * j => sweep.end(d, e),
                    None => {}
                }
            }
        }
        sweeps[lanes - 1].end(d, e);
    }
}

/// All sweeps at once, while the first is at `last - 1 - 2 (lanes - 1)` and less.
// Lanes are what is counted.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn steady<S: Simd<f64>>(d: &mut [f64], e: &mut [f64], sweeps: &mut [Rotation; MOST]) {
    let (lanes, last) = (S::LANES, e.len());
    let behind = 2 * (lanes - 1);
    let mut lane = [[0.0; MOST]; 7];
    for (j, sweep) in sweeps.iter().enumerate().take(lanes) {
        let i = last - 1 - behind + 2 * j;
        let numbers = [sweep.shift, sweep.c, sweep.s, sweep.gamma, sweep.p];
        numbers.iter().zip(&mut lane).for_each(|(x, l)| l[j] = *x);
        // What the sweep before has left behind: its next element.
        if j + 1 < lanes {
            (lane[5][j], lane[6][j]) = (d[i + 2], e[i + 2]);
        }
    }
    // SAFETY: the caller's: lanes are at most MOST; i + 2 lanes - 1 is at most last.
    unsafe {
        let [shift, mut c, mut s, mut gamma, mut p, mut d_out, mut e_out] = {
            let at = |k: usize| lane[k].as_ptr();
            [
                S::load(at(0)),
                S::load(at(1)),
                S::load(at(2)),
                S::load(at(3)),
                S::load(at(4)),
                S::load(at(5)),
                S::load(at(6)),
            ]
        };
        let one = S::splat(1.0);
        for i in (0..last - behind).rev() {
            let (alpha, square) = (S::shift_in(d_out, d[i]), S::shift_in(e_out, e[i]));
            let r = S::add(p, square);
            let rp = S::mul(r, p);
            let x = S::sub(S::mul(p, S::sub(alpha, shift)), S::mul(square, gamma));
            e_out = S::mul(s, r);
            let squared = S::mul(x, x);
            if S::all_above(rp, f64::MIN_POSITIVE) && S::all_above(squared, f64::MIN_POSITIVE) {
                let inverse = S::div(one, r);
                c = S::mul(p, inverse);
                s = S::mul(square, inverse);
                let next = S::mul(x, inverse);
                d_out = S::add(gamma, S::sub(alpha, next));
                gamma = next;
                p = S::div(squared, rp);
            } else {
                let mut all = [[0.0; MOST]; 8];
                for (place, v) in all.iter_mut().zip([c, s, gamma, p, alpha, square, shift]) {
                    S::store(place.as_mut_ptr(), v);
                }
                for j in 0..lanes {
                    let mut one = Rotation {
                        c: all[0][j],
                        s: all[1][j],
                        gamma: all[2][j],
                        p: all[3][j],
                        shift: all[6][j],
                    };
                    let (mut d, mut e) = ([all[4][j], 0.0], [all[5][j]]);
                    one.step(&mut d, &mut e, 0);
                    (all[0][j], all[1][j], all[2][j], all[3][j], all[7][j]) =
                        (one.c, one.s, one.gamma, one.p, d[1]);
                }
                (c, s, gamma, p) = (
                    S::load(all[0].as_ptr()),
                    S::load(all[1].as_ptr()),
                    S::load(all[2].as_ptr()),
                    S::load(all[3].as_ptr()),
                );
                d_out = S::load(all[7].as_ptr());
            }
            // What the last sweep is through with.
            S::store(lane[5].as_mut_ptr(), d_out);
            S::store(lane[6].as_mut_ptr(), e_out);
            d[i + behind + 1] = lane[5][lanes - 1];
            if i + behind + 1 < last {
                e[i + behind + 1] = lane[6][lanes - 1];
            }
        }
        for (place, v) in lane.iter_mut().zip([shift, c, s, gamma, p, d_out, e_out]) {
            S::store(place.as_mut_ptr(), v);
        }
    }
    for (j, sweep) in sweeps.iter_mut().enumerate().take(lanes) {
        *sweep =
            Rotation { shift: lane[0][j], c: lane[1][j], s: lane[2][j], gamma: lane[3][j], p: lane[4][j] };
        if j + 1 < lanes {
            (d[2 * j + 1], e[2 * j + 1]) = (lane[5][j], lane[6][j]);
        }
    }
}

/// Eigenvalues of the first rows of a block, nearest to the first diagonal element last.
fn shifts_of(d: &[f64], e: &[f64], shifts: &mut [f64]) {
    let k = shifts.len();
    let mut couplings = [0.0; MOST];
    shifts.copy_from_slice(&d[..k]);
    couplings[..k - 1].copy_from_slice(&e[..k - 1]);
    // Shifts that have not settled are shifts still.
    let mut left = PATIENCE * k;
    let _ = settle(shifts, &mut couplings[..k - 1], Isa::Portable, &mut left);
    let first = d[0];
    shifts.sort_by(|a, b| (b - first).abs().total_cmp(&(a - first).abs()));
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
        for isa in Isa::all() {
            check_with(&format!("{what}, {isa:?}, {} rows", d.len()), d, e, isa);
        }
    }

    fn check_with(what: &str, d: &[f64], e: &[f64], isa: Isa) {
        let (mut values, mut work) = (d.to_vec(), e.to_vec());
        assert!(eigenvalues(&mut values, &mut work, isa, "test").is_ok(), "{what}");
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
        for n in [1usize, 2, 3, 4, 10, 17, 33, 65, 300] {
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

    /// Sweeps with other rounding may end at other matrices: a shift near an eigenvalue magnifies it. Their eigenvalues are the same.
    #[test]
    fn sweeps_together_keep_every_eigenvalue() {
        for isa in Isa::all() {
            for (n, grade) in [(17, 0.0), (40, 0.0), (77, 0.01), (130, 0.1)] {
                let mut d: Vec<f64> =
                    (0..n).map(|i| 10f64.powf(-grade * i as f64) * (1.1 + (i as f64).sin())).collect();
                let mut e: Vec<f64> = (1..n).map(|i| 0.3 * 10f64.powf(-grade * i as f64)).collect();
                let (mut values, mut work) = (d.clone(), e.clone());
                assert!(eigenvalues(&mut values, &mut work, Isa::best(), "test").is_ok());
                values.sort_by(f64::total_cmp);
                let (before, slack) = ((d.clone(), e.clone()), 1e-14 * values[n - 1]);
                e.iter_mut().for_each(|v| *v *= *v);
                // SAFETY: one of this processor's.
                unsafe { dispatch(isa, Together { d: &mut d, e: &mut e }) };
                e.iter_mut().for_each(|v| *v = v.sqrt());
                assert_ne!((&before.0, &before.1), (&d, &e));
                for (k, v) in values.iter().enumerate() {
                    let (under, over) = (below(&d, &e, v - slack), below(&d, &e, v + slack));
                    assert!(under <= k && over > k, "{isa:?} {n} {grade}: {k}: {v:e}: {under} {over}");
                }
            }
        }
    }

    #[test]
    fn numbers_that_are_none_are_an_error() {
        assert!(eigenvalues(&mut [1.0, f64::NAN], &mut [1.0], Isa::best(), "test").is_err());
        assert!(eigenvalues(&mut [1.0, 1.0], &mut [f64::INFINITY], Isa::best(), "test").is_err());
    }
}
