//! Second stage: a band matrix becomes tridiagonal, by reflectors that chase bulges down the band.

// Rows, columns and vectors of a block are counted by the same numbers.
#![allow(clippy::needless_range_loop)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, TryLockError};

use super::band::{Band, WIDEST};
use super::negligible;
use crate::Real;
use crate::kernel::{Buffer, Isa, Shared, Simd, Task, dispatch, each};

/// Sweeps that go down the band together, each two blocks behind the one before, so that the band is read once for all of them.
const TOGETHER: usize = 8;

/// How far a sweep stays behind the one before it, in steps: that many are done beyond its own.
const BEHIND: usize = 2;

/// Steps of a sweep, at least, for each thread: with fewer, threads would wait for one another most of the time.
const FEWEST: usize = 12;

/// Diagonal and subdiagonal of the tridiagonal matrix that is orthogonally similar to the band matrix.
///
/// Sweep s reduces column s with a reflector of b rows and follows the bulge that this makes down the band, block by block (Schwarz 1968;
/// Lang 1993; with dense blocks for kernels, Haidar, Ltaief, Dongarra 2011). Only the first column of a bulge is chased, since the
/// next sweep meets the rest. A step depends on two steps of the sweep before; any order that respects that gives the same bits.
pub(super) fn tridiagonal<T: Real>(mut band: Band<T>, isa: Isa, threads: usize) -> (Vec<f64>, Vec<f64>) {
    let (n, b) = (band.n, band.b);
    let sweeps = n.saturating_sub(2);
    let groups = sweeps.div_ceil(TOGETHER);
    let parts = threads.min(n.div_ceil(b) / FEWEST).max(1);
    let mut vectors = Buffer::<T>::zeros(groups * TOGETHER * b);
    let mut tau = vec![T::default(); groups * TOGETHER];
    let chase = Chase {
        n,
        b,
        isa,
        parts,
        step: band.step,
        columns: Shared(band.columns.as_mut_ptr()),
        vectors: Shared(vectors.as_mut_ptr()),
        tau: Shared(tau.as_mut_ptr()),
        done: (0..groups).map(|_| AtomicUsize::new(0)).collect(),
    };
    let places: Vec<Mutex<Place<T>>> = (0..parts)
        .map(|part| Mutex::new(Place { part, group: 0, round: 0, room: Buffer::zeros(2 * b) }))
        .collect();
    // A thread prefers the part of its number, and helps with others where that one has to wait: nobody waits for a thread that has not
    // been given to us.
    each(parts, parts, |own| {
        let mut tries = 0u32;
        loop {
            let (mut over, mut moved) = (true, false);
            for k in 0..parts {
                let mut place = match places[(own + k) % parts].try_lock() {
                    Ok(place) => place,
                    Err(TryLockError::WouldBlock) => {
                        over = false;
                        continue;
                    }
                    // Another thread has panicked, and will say so.
                    Err(TryLockError::Poisoned(_)) => return,
                };
                moved |= chase.go_on(&mut place);
                over &= place.group == groups;
                if moved {
                    over = false;
                    break;
                }
            }
            if over {
                break;
            }
            tries = if moved { 0 } else { tries + 1 };
            if tries.is_multiple_of(1 << 8) {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
    });
    let diagonal = (0..n).map(|i| band.diagonal(i).to_f64()).collect();
    let below = (0..n.saturating_sub(1)).map(|i| band.below(i).to_f64()).collect();
    (diagonal, below)
}

/// The work: groups of sweeps, and each of them cut into parts along the band, so that a part of the band stays with a thread.
struct Chase<T> {
    n: usize,
    b: usize,
    isa: Isa,
    parts: usize,
    step: usize,
    columns: Shared<T>,
    /// The reflector of each sweep where it is.
    vectors: Shared<T>,
    tau: Shared<T>,
    /// Rounds that each group has done.
    done: Vec<AtomicUsize>,
}

/// How far a part is.
struct Place<T: 'static> {
    part: usize,
    group: usize,
    /// Of the group: each of its sweeps takes a step, the later ones behind the earlier.
    round: usize,
    room: Buffer<T>,
}

impl<T: Real> Chase<T> {
    /// Steps of a sweep.
    fn steps(&self, sweep: usize) -> usize {
        (self.n - 1 - sweep).div_ceil(self.b)
    }

    /// Sweeps of a group: the first, and how many.
    fn sweeps(&self, group: usize) -> (usize, usize) {
        let first = group * TOGETHER;
        (first, TOGETHER.min(self.n - 2 - first))
    }

    /// The round of a group that a part begins with. In rounds, a part's steps of later sweeps lie as much higher up the band as those
    /// sweeps are behind: what they need of the sweep before is in the same part.
    fn begin(&self, group: usize, part: usize) -> usize {
        let (first, count) = self.sweeps(group);
        let rounds = self.steps(first) + BEHIND * (count - 1);
        rounds * part / self.parts
    }

    /// Steps of one part until it has to wait; whether there were any.
    fn go_on(&self, place: &mut Place<T>) -> bool {
        let mut moved = false;
        while place.group < self.done.len() {
            let (group, part) = (place.group, place.part);
            let (first, count) = self.sweeps(group);
            let (begin, end) = (self.begin(group, part), self.begin(group, part + 1));
            if place.round < begin {
                // The part above has to be through with this group.
                if self.done[group].load(Ordering::Acquire) < begin {
                    return moved;
                }
                place.round = begin;
            }
            while place.round < end {
                if group > 0 && place.round < self.steps(first) {
                    let ahead = (place.round + BEHIND).min(self.steps(first - 1));
                    if self.done[group - 1].load(Ordering::Acquire) < ahead + BEHIND * (TOGETHER - 1) {
                        return moved;
                    }
                }
                for i in 0..count {
                    let Some(at) = place.round.checked_sub(BEHIND * i) else { break };
                    if at < self.steps(first + i) {
                        // SAFETY: see `take`: its conditions are the order that was waited for.
                        unsafe { self.take(first + i, at, &mut place.room) };
                    }
                }
                place.round += 1;
                moved = true;
                self.done[group].store(place.round, Ordering::Release);
            }
            place.group += 1;
            place.round = 0;
        }
        moved
    }

    /// One step of one sweep.
    ///
    /// # Safety
    /// The sweep's steps before are done, and two more of the sweep before; the sweep after has not done as many. The blocks of this
    /// step, columns `sweep + 1 + at b` and the `b - 1` after (and column `sweep`, before the first), are then in nobody
    /// else's hands, and neither is the sweep's vector.
    unsafe fn take(&self, sweep: usize, at: usize, room: &mut Buffer<T>) {
        let (b, step) = (self.b, self.step);
        // SAFETY: the caller's; the band has room for blocks that reach beyond its end.
        unsafe {
            let vector = std::slice::from_raw_parts_mut(self.vectors.get().add(sweep * b), b);
            let tau = &mut *self.tau.get().add(sweep);
            let columns = self.columns.get().add(WIDEST);
            let row = sweep + 1 + at * b;
            if at == 0 {
                dispatch(
                    self.isa,
                    First { column: columns.add(sweep * step), b, vector: &mut *vector, tau: &mut *tau },
                );
            }
            let (block, more) = (columns.add(row * step), row + b < self.n);
            dispatch(self.isa, Step { block, step, b, vector, tau, room: &mut room[..2 * b], more });
        }
    }
}

/// Makes `x` a Householder vector with a leading one and gives τ and what becomes of its first number.
#[inline(always)]
fn reflector<T: Real>(x: &mut [T]) -> (T, T) {
    let (zero, one) = (T::default(), T::from_f64(1.0));
    let alpha = x[0];
    let mut squares = zero;
    for v in &x[1..] {
        squares += *v * *v;
    }
    if squares < negligible() {
        x.fill(zero);
        x[0] = one;
        return (zero, alpha);
    }
    let norm = (alpha * alpha + squares).root();
    let beta = if alpha < zero { norm } else { -norm };
    let scale = one / (alpha - beta);
    for v in &mut x[1..] {
        *v *= scale;
    }
    x[0] = one;
    ((beta - alpha) / beta, beta)
}

/// The reflector of a sweep's own column.
struct First<'a, T> {
    column: *mut T,
    b: usize,
    vector: &'a mut [T],
    tau: &'a mut T,
}

impl<T: Real> Task<T> for First<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T>>(self) {
        // SAFETY: the caller's: a column has b numbers below its diagonal.
        unsafe {
            let below = std::slice::from_raw_parts_mut(self.column.add(1), self.b);
            self.vector.copy_from_slice(below);
            let (tau, beta) = reflector(self.vector);
            *self.tau = tau;
            below.fill(T::default());
            below[0] = beta;
        }
    }
}

/// A step: the reflector from both sides on its diagonal block, from the right on the block below; there a new reflector for the first
/// column, which comes in the vector's place, from the left on the others.
struct Step<'a, T> {
    /// The first element of the diagonal block.
    block: *mut T,
    step: usize,
    b: usize,
    vector: &'a mut [T],
    tau: &'a mut T,
    /// 2 b numbers.
    room: &'a mut [T],
    /// Whether there is a block below.
    more: bool,
}

impl<T: Real> Task<T> for Step<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T>>(self) {
        // SAFETY: the caller's.
        unsafe {
            match self.b / S::LANES {
                1 => self.wide::<S, 1>(),
                2 => self.wide::<S, 2>(),
                3 => self.wide::<S, 3>(),
                4 => self.wide::<S, 4>(),
                6 => self.wide::<S, 6>(),
                8 => self.wide::<S, 8>(),
                12 => self.wide::<S, 12>(),
                _ => self.wide::<S, 16>(),
            }
        }
    }
}

impl<T: Real> Step<'_, T> {
    #[inline(always)]
    unsafe fn wide<S: Simd<T>, const WIDE: usize>(self) {
        debug_assert_eq!(WIDE * S::LANES, self.b);
        let Step { block, step, b, vector, tau, room, more } = self;
        // Columns of the band look like columns of a dense matrix: the element a row below is one further in memory, that a column
        // to the right one column less one element.
        let across = step - 1;
        // SAFETY: the caller's.
        unsafe {
            if *tau != T::default() {
                both_sides::<T, S, WIDE>(block, across, vector, *tau, room);
            }
            if more {
                below::<T, S, WIDE>(block.add(b), across, vector, tau, room);
            }
        }
    }
}

/// `D - v wᵀ - w vᵀ` with `w = τ D v - ½ τ² (vᵀDv) v`, lower triangle only.
#[inline(always)]
unsafe fn both_sides<T: Real, S: Simd<T>, const WIDE: usize>(
    block: *mut T,
    across: usize,
    vector: &[T],
    tau: T,
    room: &mut [T],
) {
    let b = WIDE * S::LANES;
    let v = vector.as_ptr();
    let w = room.as_mut_ptr();
    // SAFETY: the caller's; rows go to b, in steps of the lanes.
    unsafe {
        let zero = S::splat(T::default());
        for q in 0..WIDE {
            S::store(w.add(q * S::LANES), zero);
        }
        // Groups of columns as wide as a vector: Dv of the rows below from each element, and of the group's own rows by symmetry.
        for group in 0..WIDE {
            let first = group * S::LANES;
            let mut mirrored = [zero; 16];
            let mut sum = S::load(w.add(first));
            let own = S::load(v.add(first));
            for j in 0..S::LANES {
                let d = S::load(block.add(first + (first + j) * across));
                sum = S::fma(S::keep_from(d, j), S::splat(*v.add(first + j)), sum);
                mirrored[j] = S::fma(S::keep_from(d, j + 1), own, zero);
            }
            S::store(w.add(first), sum);
            for q in group + 1..WIDE {
                let row = q * S::LANES;
                let (mut even, mut odd) = (S::load(w.add(row)), zero);
                let other = S::load(v.add(row));
                let mut column = block.add(row + first * across);
                for j in (0..S::LANES).step_by(2) {
                    let d = S::load(column);
                    even = S::fma(d, S::splat(*v.add(first + j)), even);
                    mirrored[j] = S::fma(d, other, mirrored[j]);
                    column = column.add(across);
                    let d = S::load(column);
                    odd = S::fma(d, S::splat(*v.add(first + j + 1)), odd);
                    mirrored[j + 1] = S::fma(d, other, mirrored[j + 1]);
                    column = column.wrapping_add(across);
                }
                S::store(w.add(row), S::add(even, odd));
            }
            for j in 0..S::LANES {
                *w.add(first + j) = *w.add(first + j) + S::sum(mirrored[j]);
            }
        }
        let mut inner = zero;
        for q in 0..WIDE {
            inner = S::fma(S::load(v.add(q * S::LANES)), S::load(w.add(q * S::LANES)), inner);
        }
        let half = T::from_f64(-0.5) * tau * tau * S::sum(inner);
        let (mut vs, mut ws) = ([zero; WIDE], [zero; WIDE]);
        for q in 0..WIDE {
            vs[q] = S::load(v.add(q * S::LANES));
            let product = S::load(w.add(q * S::LANES));
            ws[q] = S::fma(S::splat(half), vs[q], S::fma(S::splat(tau), product, zero));
            S::store(w.add(q * S::LANES), ws[q]);
        }
        for group in 0..WIDE {
            let first = group * S::LANES;
            for j in first..first + S::LANES {
                let column = block.add(j * across);
                let (vj, wj) = (S::splat(*v.add(j)), S::splat(*w.add(j)));
                let at = column.add(first);
                let d = S::fnma(vs[group], wj, S::load(at));
                S::store_from(at, j - first, S::fnma(ws[group], vj, d));
                for q in group + 1..WIDE {
                    let at = column.add(q * S::LANES);
                    let d = S::fnma(vs[q], wj, S::load(at));
                    S::store(at, S::fnma(ws[q], vj, d));
                }
            }
        }
        debug_assert!(b <= room.len());
    }
}

/// `B (I - τ v vᵀ)`, then the reflector of its first column from the left; v and τ become that reflector's.
#[inline(always)]
unsafe fn below<T: Real, S: Simd<T>, const WIDE: usize>(
    block: *mut T,
    across: usize,
    vector: &mut [T],
    tau: &mut T,
    room: &mut [T],
) {
    let b = WIDE * S::LANES;
    let (w, u) = room.split_at_mut(b);
    let v = vector.as_mut_ptr();
    // SAFETY: the caller's; b columns of b rows.
    unsafe {
        let zero = S::splat(T::default());
        let (mut even, mut odd) = ([zero; WIDE], [zero; WIDE]);
        for j in (0..b).step_by(2) {
            let (x, y) = (S::splat(*v.add(j)), S::splat(*v.add(j + 1)));
            let column = block.add(j * across);
            for q in 0..WIDE {
                even[q] = S::fma(S::load(column.add(q * S::LANES)), x, even[q]);
                odd[q] = S::fma(S::load(column.add(across + q * S::LANES)), y, odd[q]);
            }
        }
        let minus = S::splat(*tau);
        let mut ws = [zero; WIDE];
        for q in 0..WIDE {
            ws[q] = S::fma(minus, S::add(even[q], odd[q]), zero);
            S::store(w.as_mut_ptr().add(q * S::LANES), ws[q]);
        }
        // The first column, of which v starts with a one, and its reflector.
        for q in 0..WIDE {
            let x = S::load(block.add(q * S::LANES));
            S::store(u.as_mut_ptr().add(q * S::LANES), S::sub(x, ws[q]));
        }
        let (next, beta) = reflector(u);
        let mut us = [zero; WIDE];
        for q in 0..WIDE {
            us[q] = S::load(u.as_ptr().add(q * S::LANES));
            S::store(block.add(q * S::LANES), zero);
        }
        *block = beta;
        for j in 1..b {
            let column = block.add(j * across);
            let x = S::splat(*v.add(j));
            let mut d = [zero; WIDE];
            let mut inner = zero;
            for q in 0..WIDE {
                d[q] = S::fnma(ws[q], x, S::load(column.add(q * S::LANES)));
                inner = S::fma(d[q], us[q], inner);
            }
            let share = S::splat(next * S::sum(inner));
            for q in 0..WIDE {
                S::store(column.add(q * S::LANES), S::fnma(us[q], share, d[q]));
            }
        }
        vector.copy_from_slice(u);
        *tau = next;
    }
}
