//! QR of a tall panel: Householder vectors in compact WY form.

use super::negligible;
use crate::Real;
use crate::kernel::{Isa, Mode, Simd, Task, Term, dispatch, product};

/// Columns that are factored vector by vector before the rest of the panel sees them.
const STRIP: usize = 16;

/// The factorization of a `rows` x `b` panel stored row by row.
///
/// In its place come the vectors `V`, zeros and ones included; R comes to `r` and the upper triangular `T` to `t` (`b` x `b`, row by
/// row), so that `Q = I - V T Vᵀ`. `small` is room for `2 b²` numbers.
///
/// # Safety
/// `isa` is this processor's; `b` a multiple of [`STRIP`], `rows` of 8 and at least `b`; pointers are good for so many numbers.
pub(super) unsafe fn factor<T: Real>(
    isa: Isa,
    panel: *mut T,
    rows: usize,
    b: usize,
    r: &mut [T],
    t: &mut [T],
    small: &mut [T],
) {
    let (gram, strip_t) = small.split_at_mut(b * b);
    r.fill(T::default());
    t.fill(T::default());
    let mut tau = [T::default(); STRIP];
    for q in (0..b).step_by(STRIP) {
        let below = rows - q;
        // SAFETY: rows and columns from q on lie inside the panel.
        unsafe {
            let strip = panel.add(q * b + q);
            dispatch(isa, Strip { panel: strip, rows: below, step: b, tau: &mut tau });
            take_r(panel, b, q, r);
            // The strip's own T, kept where T has it.
            let vtv = Term { len: below, rows: strip, row_step: b, by: strip, by_step: b, apart: 1 };
            product(isa, [vtv], gram.as_mut_ptr(), b, (STRIP, STRIP), Mode::Set);
            triangle(&tau, gram, b, t, b, q);
            let rest = b - q - STRIP;
            if rest == 0 {
                continue;
            }
            let others = panel.add(q * b + q + STRIP);
            let z = Term { len: below, rows: others, row_step: b, by: strip, by_step: b, apart: 1 };
            let (zs, ys) = (gram.as_mut_ptr(), strip_t.as_mut_ptr());
            product(isa, [z], zs, b, (rest, STRIP), Mode::Set);
            let own = t.as_ptr().add(q * b + q);
            let y = Term { len: STRIP, rows: zs, row_step: b, by: own, by_step: b, apart: 1 };
            product(isa, [y], ys, b, (rest, STRIP), Mode::Set);
            let update = Term { len: STRIP, rows: ys, row_step: b, by: strip, by_step: 1, apart: b };
            product(isa, [update], others, b, (rest, below), Mode::Subtract);
        }
    }
    // T of the whole from those of the strips: its block above strip q is -T (VᵀV) T_q.
    // SAFETY: as above; gram and strip_t hold b² numbers each.
    unsafe {
        let (g, y) = (gram.as_mut_ptr(), strip_t.as_mut_ptr());
        let vtv = Term { len: rows, rows: panel, row_step: b, by: panel, by_step: b, apart: 1 };
        product(isa, [vtv], g, b, (b, b), Mode::Set);
        for q in (STRIP..b).step_by(STRIP) {
            let own = t.as_ptr().add(q * b + q);
            let right = Term { len: STRIP, rows: own, row_step: b, by: g.add(q), by_step: 1, apart: b };
            product(isa, [right], y, b, (STRIP, q), Mode::Set);
            let left = Term { len: q, rows: y, row_step: b, by: t.as_ptr(), by_step: 1, apart: b };
            product(isa, [left], t.as_mut_ptr().add(q), b, (STRIP, q), Mode::Subtract);
        }
    }
}

/// Moves columns q.. of R out of a factored strip and puts the zeros and ones of its vectors there.
///
/// # Safety
/// The panel has `q + STRIP` rows of `b` numbers.
unsafe fn take_r<T: Real>(panel: *mut T, b: usize, q: usize, r: &mut [T]) {
    for i in 0..q + STRIP {
        for j in q.max(i)..q + STRIP {
            // SAFETY: the caller's.
            let place = unsafe { &mut *panel.add(i * b + j) };
            r[i * b + j] = *place;
            *place = if i == j { T::from_f64(1.0) } else { T::default() };
        }
    }
}

/// The triangular factor of a strip from the products of its vectors, at row and column `q` of `t`.
fn triangle<T: Real>(tau: &[T; STRIP], gram: &[T], gram_step: usize, t: &mut [T], b: usize, q: usize) {
    for j in 0..STRIP {
        t[(q + j) * b + q + j] = tau[j];
        for i in 0..j {
            let mut sum = T::default();
            for k in i..j {
                sum += t[(q + i) * b + q + k] * gram[k * gram_step + j];
            }
            t[(q + i) * b + q + j] = -(tau[j] * sum);
        }
    }
}

/// Householder vectors of `STRIP` columns, one after the other. R is above the diagonal and on it, the vectors without their leading ones below.
struct Strip<'a, T> {
    panel: *mut T,
    rows: usize,
    step: usize,
    tau: &'a mut [T; STRIP],
}

/// Rows whose products are added up apart, so that rounding does not grow with the height of a panel.
const APART: usize = 256;

impl<T: Real> Task<T> for Strip<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T>>(self) {
        // SAFETY: the caller's.
        unsafe {
            match STRIP / S::LANES {
                1 => self.columns::<S, 1>(),
                2 => self.columns::<S, 2>(),
                _ => self.columns::<S, 4>(),
            }
        }
    }
}

impl<T: Real> Strip<'_, T> {
    #[inline(always)]
    unsafe fn columns<S: Simd<T>, const WIDE: usize>(self) {
        debug_assert_eq!(WIDE * S::LANES, STRIP);
        let (zero, one) = (T::default(), T::from_f64(1.0));
        let mut dots = [zero; STRIP];
        // SAFETY: rows of STRIP numbers, `step` apart, are inside the panel.
        unsafe {
            self.pass::<S, WIDE>(usize::MAX, zero, &[zero; STRIP], &mut dots);
            for j in 0..STRIP {
                let head = self.panel.add(j * self.step);
                let alpha = *head.add(j);
                if dots[j] < negligible() {
                    self.tau[j] = zero;
                    self.pass::<S, WIDE>(j, zero, &[zero; STRIP], &mut dots);
                    continue;
                }
                let norm = (alpha * alpha + dots[j]).root();
                let beta = if alpha < zero { norm } else { -norm };
                let tau = (beta - alpha) / beta;
                let scale = one / (alpha - beta);
                let mut y = [zero; STRIP];
                for c in j + 1..STRIP {
                    y[c] = tau * (*head.add(c) + dots[c] * scale);
                    *head.add(c) = *head.add(c) - y[c];
                }
                *head.add(j) = beta;
                self.tau[j] = tau;
                self.pass::<S, WIDE>(j, scale, &y, &mut dots);
            }
        }
    }

    /// Below row j: makes column j the Householder vector, takes its multiples by `y` off the row, and sums the products of the
    /// next column, from two rows below its diagonal... its head excluded, with all.
    #[inline(always)]
    unsafe fn pass<S: Simd<T>, const WIDE: usize>(
        &self,
        j: usize,
        scale: T,
        y: &[T; STRIP],
        dots: &mut [T; STRIP],
    ) {
        let next = j.wrapping_add(1);
        *dots = [T::default(); STRIP];
        if next == STRIP {
            // Only the vector itself is left to scale.
            for r in next..self.rows {
                // SAFETY: a row of the panel.
                unsafe {
                    let v = self.panel.add(r * self.step + j);
                    *v *= scale;
                }
            }
            return;
        }
        // SAFETY: as the caller's; `y` has STRIP numbers.
        unsafe {
            let zero = S::splat(T::default());
            let mut ys = [zero; WIDE];
            for (i, v) in ys.iter_mut().enumerate() {
                *v = S::load(y.as_ptr().add(i * S::LANES));
            }
            let mut total = [zero; WIDE];
            let first = next;
            let mut r = first;
            while r < self.rows {
                let end = self.rows.min(r + APART);
                let mut sum = [[zero; WIDE]; 4];
                while r < end {
                    // Four chains, so that additions need not wait for one another.
                    for chain in &mut sum {
                        if r == end {
                            break;
                        }
                        let row = self.panel.add(r * self.step);
                        let mut x = *row.add(next);
                        let mut v = zero;
                        let mut scaled = T::default();
                        if j != usize::MAX {
                            scaled = *row.add(j) * scale;
                            v = S::splat(scaled);
                            // As the vector below has it: where much cancels, the products must be those of what is stored.
                            x = S::one_fnma(scaled, y[next], x);
                        }
                        let mut line = [zero; WIDE];
                        for (i, l) in line.iter_mut().enumerate() {
                            *l = S::fnma(v, ys[i], S::load(row.add(i * S::LANES)));
                            S::store(row.add(i * S::LANES), *l);
                        }
                        if j != usize::MAX {
                            *row.add(j) = scaled;
                        }
                        if r > first {
                            let x = S::splat(x);
                            for (c, l) in chain.iter_mut().zip(&line) {
                                *c = S::fma(x, *l, *c);
                            }
                        }
                        r += 1;
                    }
                }
                for chain in &sum {
                    for (t, c) in total.iter_mut().zip(chain) {
                        *t = S::add(*t, *c);
                    }
                }
            }
            for (i, t) in total.iter().enumerate() {
                S::store(dots.as_mut_ptr().add(i * S::LANES), *t);
            }
        }
    }
}
