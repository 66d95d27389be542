//! Products of small dense blocks: the kernel that nearly all operations of a solve run in.

use super::simd::{Isa, Simd, Task, Vectors, dispatch};

/// `Σ_k rows[k, :]ᵀ by[k, :]`: a sum of outer products of a row of contiguous numbers and a few numbers that are `apart`.
#[derive(Clone, Copy)]
pub(crate) struct Term<T> {
    /// Number of outer products.
    pub(crate) len: usize,
    /// The contiguous rows.
    pub(crate) rows: *const T,
    /// From a row to the next.
    pub(crate) row_step: usize,
    /// The other factor.
    pub(crate) by: *const T,
    /// From those of an outer product to those of the next.
    pub(crate) by_step: usize,
    /// From one of them to the next.
    pub(crate) apart: usize,
}

/// What to do with a sum of products.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Set,
    Add,
    Subtract,
}

/// `out[c, :width] (=, +=, -=) Σ terms`, `count` rows of it.
///
/// # Safety
/// `isa` is this processor's; `width` is a multiple of its lanes, `count` of 8; pointers are good for what they describe,
/// and `out` overlaps nothing that is read.
pub(crate) unsafe fn product<T: Vectors + Copy + Default, const N: usize>(
    isa: Isa,
    terms: [Term<T>; N],
    out: *mut T,
    out_step: usize,
    (width, count): (usize, usize),
    mode: Mode,
) {
    // SAFETY: the caller's.
    unsafe { dispatch(isa, Product { terms, out, out_step, width, count, mode }) }
}

/// The same, to be inlined into another task.
#[derive(Clone, Copy)]
pub(crate) struct Product<T, const N: usize> {
    pub(crate) terms: [Term<T>; N],
    pub(crate) out: *mut T,
    pub(crate) out_step: usize,
    pub(crate) width: usize,
    pub(crate) count: usize,
    pub(crate) mode: Mode,
}

/// The width of panels that the kernel takes whole.
pub(crate) fn panel_width<T: Vectors>(isa: Isa) -> usize {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => 3 * <T::Wide as Simd<T>>::LANES,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => 2 * <T::Middle as Simd<T>>::LANES,
        Isa::Portable => 2 * <T::Narrow as Simd<T>>::LANES,
    }
}

impl<T: Copy + Default, const N: usize> Task<T> for Product<T, N> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T>>(self) {
        // SAFETY: the caller's; blocks stay inside width and count.
        unsafe {
            if S::MANY {
                for c in (0..self.count).step_by(8) {
                    let mut n = 0;
                    while n + 3 * S::LANES <= self.width {
                        self.three_by_eight::<S>(n, c);
                        n += 3 * S::LANES;
                    }
                    match (self.width - n) / S::LANES {
                        2 => self.two_by_eight::<S>(n, c),
                        1 => self.one_by_eight::<S>(n, c),
                        _ => {}
                    }
                }
            } else {
                for c in (0..self.count).step_by(4) {
                    let mut n = 0;
                    while n + 2 * S::LANES <= self.width {
                        self.two_by_four::<S>(n, c);
                        n += 2 * S::LANES;
                    }
                    if n < self.width {
                        self.one_by_four::<S>(n, c);
                    }
                }
            }
        }
    }
}

/// A block of the output in registers, each named, so that none of them is an element of an array in memory.
macro_rules! block {
    ($name:ident, $(($j:literal $row:ident))+; $($i:literal $(($r:ident $k:literal $s:ident))+;)+) => {
        impl<T: Copy + Default, const N: usize> Product<T, N> {
            #[inline(always)]
            unsafe fn $name<S: Simd<T>>(&self, n: usize, c: usize) {
                // SAFETY: the caller's; the last product of a term is the last that is read.
                unsafe {
                    $($(let mut $s = S::splat(T::default());)+)+
                    let out = self.out.add(c * self.out_step + n);
                    if self.mode != Mode::Set {
                        $($(S::prefetch(out.add($i * self.out_step + $k * S::LANES));)+)+
                    }
                    for term in &self.terms {
                        let mut rows = term.rows.add(n);
                        let mut by = term.by.add(c * term.apart);
                        if term.apart == 1 {
                            for _ in 0..term.len {
                                $(let $row = S::load(rows.add($j * S::LANES));)+
                                $(
                                    let x = S::splat(*by.add($i));
                                    $($s = S::fma($r, x, $s);)+
                                )+
                                rows = rows.wrapping_add(term.row_step);
                                by = by.wrapping_add(term.by_step);
                            }
                        } else {
                            debug_assert_eq!(term.by_step, 1);
                            for _ in 0..term.len {
                                $(let $row = S::load(rows.add($j * S::LANES));)+
                                $(
                                    let x = S::splat(*by.add($i * term.apart));
                                    $($s = S::fma($r, x, $s);)+
                                )+
                                rows = rows.wrapping_add(term.row_step);
                                by = by.wrapping_add(1);
                            }
                        }
                    }
                    match self.mode {
                        Mode::Set => {$($(S::store(out.add($i * self.out_step + $k * S::LANES), $s);)+)+}
                        Mode::Add => {$($(
                            let at = out.add($i * self.out_step + $k * S::LANES);
                            S::store(at, S::add(S::load(at), $s));
                        )+)+}
                        Mode::Subtract => {$($(
                            let at = out.add($i * self.out_step + $k * S::LANES);
                            S::store(at, S::sub(S::load(at), $s));
                        )+)+}
                    }
                }
            }
        }
    };
}

block!(
    three_by_eight, (0 r0) (1 r1) (2 r2);
    0 (r0 0 s00) (r1 1 s01) (r2 2 s02);
    1 (r0 0 s10) (r1 1 s11) (r2 2 s12);
    2 (r0 0 s20) (r1 1 s21) (r2 2 s22);
    3 (r0 0 s30) (r1 1 s31) (r2 2 s32);
    4 (r0 0 s40) (r1 1 s41) (r2 2 s42);
    5 (r0 0 s50) (r1 1 s51) (r2 2 s52);
    6 (r0 0 s60) (r1 1 s61) (r2 2 s62);
    7 (r0 0 s70) (r1 1 s71) (r2 2 s72);
);
block!(
    two_by_eight, (0 r0) (1 r1);
    0 (r0 0 s00) (r1 1 s01);
    1 (r0 0 s10) (r1 1 s11);
    2 (r0 0 s20) (r1 1 s21);
    3 (r0 0 s30) (r1 1 s31);
    4 (r0 0 s40) (r1 1 s41);
    5 (r0 0 s50) (r1 1 s51);
    6 (r0 0 s60) (r1 1 s61);
    7 (r0 0 s70) (r1 1 s71);
);
block!(
    one_by_eight, (0 r0);
    0 (r0 0 s00);
    1 (r0 0 s10);
    2 (r0 0 s20);
    3 (r0 0 s30);
    4 (r0 0 s40);
    5 (r0 0 s50);
    6 (r0 0 s60);
    7 (r0 0 s70);
);
block!(
    two_by_four, (0 r0) (1 r1);
    0 (r0 0 s00) (r1 1 s01);
    1 (r0 0 s10) (r1 1 s11);
    2 (r0 0 s20) (r1 1 s21);
    3 (r0 0 s30) (r1 1 s31);
);
block!(
    one_by_four, (0 r0);
    0 (r0 0 s00);
    1 (r0 0 s10);
    2 (r0 0 s20);
    3 (r0 0 s30);
);
