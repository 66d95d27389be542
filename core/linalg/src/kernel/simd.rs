//! Vectors of the processor's widest kind, chosen at run time, behind a trait as small as the solver's needs.

/// Vector operations on `T` of one instruction set.
///
/// # Safety
/// Of every function: the processor has the instruction set; pointers are good for the lanes that are read or written.
pub(crate) trait Simd<T>: Copy {
    /// A vector.
    type V: Copy;
    /// Numbers in it.
    const LANES: usize;
    /// Whether there are 32 registers, not 16.
    const MANY: bool;

    unsafe fn splat(x: T) -> Self::V;
    unsafe fn load(from: *const T) -> Self::V;
    unsafe fn store(to: *mut T, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// Asks for a line of the cache that will be read and written.
    unsafe fn prefetch(at: *const T);
    /// `a b + c`.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a b`.
    unsafe fn fnma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// What `fnma` gives in a lane, to the bit.
    unsafe fn one_fnma(a: T, b: T, c: T) -> T;
    /// Of all lanes.
    unsafe fn sum(v: Self::V) -> T;
    /// Every lane moved up by one, `x` in the first.
    unsafe fn shift_in(v: Self::V, x: T) -> Self::V;
    /// Whether every lane is above `limit`.
    unsafe fn all_above(v: Self::V, limit: T) -> bool;
    /// Zero in the lanes before `lane`.
    unsafe fn keep_from(v: Self::V, lane: usize) -> Self::V;
    /// Writes the lanes from `lane` on, and no others.
    unsafe fn store_from(to: *mut T, lane: usize, v: Self::V);
}

/// The vectors that a number type has on this kind of processor.
pub trait Vectors: Sized {
    #[doc(hidden)]
    #[allow(private_bounds)]
    type Wide: Simd<Self>;
    #[doc(hidden)]
    #[allow(private_bounds)]
    type Middle: Simd<Self>;
    #[doc(hidden)]
    #[allow(private_bounds)]
    type Narrow: Simd<Self>;
}

/// What instructions to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    /// AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What every processor of the architecture has.
    Portable,
}

impl Isa {
    /// The best of this processor.
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return if is_x86_feature_detected!("avx512f") { Isa::Avx512 } else { Isa::Avx2 };
        }
        Isa::Portable
    }

    /// Those of this processor.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        match Isa::best() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => vec![Isa::Portable, Isa::Avx2, Isa::Avx512],
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => vec![Isa::Portable, Isa::Avx2],
            Isa::Portable => vec![Isa::Portable],
        }
    }

    /// Doubles of a vector.
    pub(crate) fn doubles(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => 8,
            _ => 4,
        }
    }
}

/// Code that is compiled once for every instruction set.
pub(crate) trait Task<T> {
    /// What it gives.
    type Output;

    /// The work; everything it calls is inlined into it, or it is compiled for the wrong processor.
    ///
    /// # Safety
    /// The processor has the instruction set of `S`, and what the implementation asks for.
    unsafe fn run<S: Simd<T>>(self) -> Self::Output;
}

/// Runs a task with the instructions asked for.
///
/// # Safety
/// `isa` is this processor's, and what the task asks for holds.
#[inline]
pub(crate) unsafe fn dispatch<T: Vectors, K: Task<T>>(isa: Isa, task: K) -> K::Output {
    // SAFETY: the caller's.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::x86::with_avx512(task),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::x86::with_avx2(task),
            Isa::Portable => task.run::<T::Narrow>(),
        }
    }
}

/// Four numbers, for the compiler to make of what it can.
#[derive(Clone, Copy)]
pub struct Portable;

macro_rules! portable {
    ($t:ty) => {
        impl Simd<$t> for Portable {
            type V = [$t; 4];
            const LANES: usize = 4;
            const MANY: bool = false;

            #[inline(always)]
            unsafe fn splat(x: $t) -> [$t; 4] {
                [x; 4]
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> [$t; 4] {
                // SAFETY: the caller's.
                unsafe { from.cast::<[$t; 4]>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(to: *mut $t, v: [$t; 4]) {
                // SAFETY: the caller's.
                unsafe { to.cast::<[$t; 4]>().write_unaligned(v) }
            }
            #[inline(always)]
            unsafe fn add(a: [$t; 4], b: [$t; 4]) -> [$t; 4] {
                [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
            }
            #[inline(always)]
            unsafe fn sub(a: [$t; 4], b: [$t; 4]) -> [$t; 4] {
                [a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]]
            }
            #[inline(always)]
            unsafe fn mul(a: [$t; 4], b: [$t; 4]) -> [$t; 4] {
                [a[0] * b[0], a[1] * b[1], a[2] * b[2], a[3] * b[3]]
            }
            #[inline(always)]
            unsafe fn div(a: [$t; 4], b: [$t; 4]) -> [$t; 4] {
                [a[0] / b[0], a[1] / b[1], a[2] / b[2], a[3] / b[3]]
            }
            #[inline(always)]
            unsafe fn shift_in(v: [$t; 4], x: $t) -> [$t; 4] {
                [x, v[0], v[1], v[2]]
            }
            #[inline(always)]
            unsafe fn all_above(v: [$t; 4], limit: $t) -> bool {
                v[0] > limit && v[1] > limit && v[2] > limit && v[3] > limit
            }
            #[inline(always)]
            unsafe fn prefetch(_: *const $t) {}
            #[inline(always)]
            unsafe fn fma(a: [$t; 4], b: [$t; 4], c: [$t; 4]) -> [$t; 4] {
                [a[0] * b[0] + c[0], a[1] * b[1] + c[1], a[2] * b[2] + c[2], a[3] * b[3] + c[3]]
            }
            #[inline(always)]
            unsafe fn fnma(a: [$t; 4], b: [$t; 4], c: [$t; 4]) -> [$t; 4] {
                [c[0] - a[0] * b[0], c[1] - a[1] * b[1], c[2] - a[2] * b[2], c[3] - a[3] * b[3]]
            }
            #[inline(always)]
            unsafe fn one_fnma(a: $t, b: $t, c: $t) -> $t {
                c - a * b
            }
            #[inline(always)]
            unsafe fn sum(v: [$t; 4]) -> $t {
                (v[0] + v[1]) + (v[2] + v[3])
            }
            #[inline(always)]
            unsafe fn keep_from(mut v: [$t; 4], lane: usize) -> [$t; 4] {
                for (i, x) in v.iter_mut().enumerate() {
                    *x = if i < lane { 0.0 } else { *x };
                }
                v
            }
            #[inline(always)]
            unsafe fn store_from(to: *mut $t, lane: usize, v: [$t; 4]) {
                for (i, x) in v.into_iter().enumerate().skip(lane) {
                    // SAFETY: the caller's.
                    unsafe { to.add(i).write(x) }
                }
            }
        }

        #[cfg(not(target_arch = "x86_64"))]
        impl Vectors for $t {
            type Wide = Portable;
            type Middle = Portable;
            type Narrow = Portable;
        }
    };
}

portable!(f32);
portable!(f64);
