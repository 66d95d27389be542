//! AVX-512 and AVX2.

use std::arch::x86_64::*;

use super::simd::{Portable, Simd, Task, Vectors};

/// 512 bits, 32 registers.
#[derive(Clone, Copy)]
pub struct Avx512;

/// 256 bits, 16 registers, fused multiply-add.
#[derive(Clone, Copy)]
pub struct Avx2;

/// # Safety
/// The processor has AVX-512F, AVX2 and FMA; what the task asks for.
#[target_feature(enable = "avx512f,avx2,fma")]
pub(super) unsafe fn with_avx512<T: Vectors, K: Task<T>>(task: K) -> K::Output {
    // SAFETY: the caller's.
    unsafe { task.run::<T::Wide>() }
}

/// # Safety
/// The processor has AVX2 and FMA; what the task asks for.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn with_avx2<T: Vectors, K: Task<T>>(task: K) -> K::Output {
    // SAFETY: the caller's.
    unsafe { task.run::<T::Middle>() }
}

/// # Safety
/// The processor has AVX-512F.
#[inline(always)]
unsafe fn shift_in_pd(v: __m512d, x: __m512d) -> __m512d {
    // SAFETY: the caller's.
    unsafe {
        let (v, x) = (_mm512_castpd_si512(v), _mm512_castpd_si512(x));
        _mm512_castsi512_pd(_mm512_alignr_epi64::<7>(v, x))
    }
}

/// # Safety
/// The processor has AVX-512F.
#[inline(always)]
unsafe fn shift_in_ps(v: __m512, x: __m512) -> __m512 {
    // SAFETY: the caller's.
    unsafe {
        let (v, x) = (_mm512_castps_si512(v), _mm512_castps_si512(x));
        _mm512_castsi512_ps(_mm512_alignr_epi32::<15>(v, x))
    }
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn shift_in_4(v: __m256d, x: f64) -> __m256d {
    // SAFETY: the caller's.
    unsafe { _mm256_blend_pd::<1>(_mm256_permute4x64_pd::<0b10_01_00_00>(v), _mm256_set1_pd(x)) }
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn shift_in_8(v: __m256, x: f32) -> __m256 {
    // SAFETY: the caller's.
    unsafe {
        let up = _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(0, 0, 1, 2, 3, 4, 5, 6));
        _mm256_blend_ps::<1>(up, _mm256_set1_ps(x))
    }
}

macro_rules! avx512 {
    ($t:ty, $v:ty, $lanes:literal, $mask:ty, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $fma:ident, $fnma:ident,
     $sum:ident, $keep:ident, $store_from:ident, $shift_in:ident, $above:ident) => {
        // SAFETY of every block: the trait's callers have the instruction set and good pointers.
        #[allow(clippy::undocumented_unsafe_blocks)]
        impl Simd<$t> for Avx512 {
            type V = $v;
            const LANES: usize = $lanes;
            const MANY: bool = true;

            #[inline(always)]
            unsafe fn splat(x: $t) -> $v {
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> $v {
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(to: *mut $t, v: $v) {
                unsafe { $store(to, v) }
            }
            #[inline(always)]
            unsafe fn add(a: $v, b: $v) -> $v {
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            unsafe fn sub(a: $v, b: $v) -> $v {
                unsafe { $sub(a, b) }
            }
            #[inline(always)]
            unsafe fn mul(a: $v, b: $v) -> $v {
                unsafe { $mul(a, b) }
            }
            #[inline(always)]
            unsafe fn div(a: $v, b: $v) -> $v {
                unsafe { $div(a, b) }
            }
            #[inline(always)]
            unsafe fn shift_in(v: $v, x: $t) -> $v {
                unsafe { $shift_in(v, $splat(x)) }
            }
            #[inline(always)]
            unsafe fn all_above(v: $v, limit: $t) -> bool {
                unsafe { $above::<_CMP_GT_OQ>(v, $splat(limit)) == <$mask>::MAX }
            }
            #[inline(always)]
            unsafe fn prefetch(at: *const $t) {
                unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
            }
            #[inline(always)]
            unsafe fn fma(a: $v, b: $v, c: $v) -> $v {
                unsafe { $fma(a, b, c) }
            }
            #[inline(always)]
            unsafe fn fnma(a: $v, b: $v, c: $v) -> $v {
                unsafe { $fnma(a, b, c) }
            }
            #[inline(always)]
            unsafe fn one_fnma(a: $t, b: $t, c: $t) -> $t {
                (-a).mul_add(b, c)
            }
            #[inline(always)]
            unsafe fn sum(v: $v) -> $t {
                unsafe { $sum(v) }
            }
            #[inline(always)]
            unsafe fn keep_from(v: $v, lane: usize) -> $v {
                unsafe { $keep((u32::MAX << lane) as $mask, v) }
            }
            #[inline(always)]
            unsafe fn store_from(to: *mut $t, lane: usize, v: $v) {
                unsafe { $store_from(to, (u32::MAX << lane) as $mask, v) }
            }
        }
    };
}

avx512!(
    f64,
    __m512d,
    8,
    __mmask8,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_add_pd,
    _mm512_sub_pd,
    _mm512_mul_pd,
    _mm512_div_pd,
    _mm512_fmadd_pd,
    _mm512_fnmadd_pd,
    _mm512_reduce_add_pd,
    _mm512_maskz_mov_pd,
    _mm512_mask_storeu_pd,
    shift_in_pd,
    _mm512_cmp_pd_mask
);
avx512!(
    f32,
    __m512,
    16,
    __mmask16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_div_ps,
    _mm512_fmadd_ps,
    _mm512_fnmadd_ps,
    _mm512_reduce_add_ps,
    _mm512_maskz_mov_ps,
    _mm512_mask_storeu_ps,
    shift_in_ps,
    _mm512_cmp_ps_mask
);

macro_rules! avx2 {
    ($t:ty, $v:ty, $lanes:literal, $int:ty, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $fma:ident, $fnma:ident,
     $and:ident, $cast:ident, $store_from:ident, $shift_in:ident, $above:ident, $bits:ident) => {
        // SAFETY of every block: the trait's callers have the instruction set and good pointers.
        #[allow(clippy::undocumented_unsafe_blocks)]
        impl Simd<$t> for Avx2 {
            type V = $v;
            const LANES: usize = $lanes;
            const MANY: bool = false;

            #[inline(always)]
            unsafe fn splat(x: $t) -> $v {
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> $v {
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(to: *mut $t, v: $v) {
                unsafe { $store(to, v) }
            }
            #[inline(always)]
            unsafe fn add(a: $v, b: $v) -> $v {
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            unsafe fn sub(a: $v, b: $v) -> $v {
                unsafe { $sub(a, b) }
            }
            #[inline(always)]
            unsafe fn mul(a: $v, b: $v) -> $v {
                unsafe { $mul(a, b) }
            }
            #[inline(always)]
            unsafe fn div(a: $v, b: $v) -> $v {
                unsafe { $div(a, b) }
            }
            #[inline(always)]
            unsafe fn shift_in(v: $v, x: $t) -> $v {
                unsafe { $shift_in(v, x) }
            }
            #[inline(always)]
            unsafe fn all_above(v: $v, limit: $t) -> bool {
                unsafe { $bits($above::<_CMP_GT_OQ>(v, $splat(limit))) == (1 << $lanes) - 1 }
            }
            #[inline(always)]
            unsafe fn prefetch(at: *const $t) {
                unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
            }
            #[inline(always)]
            unsafe fn fma(a: $v, b: $v, c: $v) -> $v {
                unsafe { $fma(a, b, c) }
            }
            #[inline(always)]
            unsafe fn fnma(a: $v, b: $v, c: $v) -> $v {
                unsafe { $fnma(a, b, c) }
            }
            #[inline(always)]
            unsafe fn one_fnma(a: $t, b: $t, c: $t) -> $t {
                (-a).mul_add(b, c)
            }
            #[inline(always)]
            unsafe fn sum(v: $v) -> $t {
                let mut x = [0.0; $lanes];
                unsafe { $store(x.as_mut_ptr(), v) };
                let mut half = $lanes / 2;
                while half > 0 {
                    for i in 0..half {
                        x[i] += x[i + half];
                    }
                    half /= 2;
                }
                x[0]
            }
            #[inline(always)]
            unsafe fn keep_from(v: $v, lane: usize) -> $v {
                unsafe { $and(v, $cast(from_lane::<$int, $lanes>(lane))) }
            }
            #[inline(always)]
            unsafe fn store_from(to: *mut $t, lane: usize, v: $v) {
                unsafe { $store_from(to, from_lane::<$int, $lanes>(lane), v) }
            }
        }
    };
}

/// All bits of the lanes from one on: a window of a row of zeros and ones.
///
/// # Safety
/// The processor has AVX2, `lane` is at most `LANES`, and so many `I` are 32 bytes.
#[inline(always)]
unsafe fn from_lane<I, const LANES: usize>(lane: usize) -> __m256i {
    static BITS: [[u8; 32]; 2] = [[0; 32], [0xFF; 32]];
    debug_assert!(lane <= LANES && LANES * size_of::<I>() == 32);
    // SAFETY: 32 bytes that begin (LANES - lane) elements into 64.
    unsafe { _mm256_loadu_si256(BITS.as_ptr().cast::<I>().add(LANES - lane).cast()) }
}

avx2!(
    f64,
    __m256d,
    4,
    u64,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_add_pd,
    _mm256_sub_pd,
    _mm256_mul_pd,
    _mm256_div_pd,
    _mm256_fmadd_pd,
    _mm256_fnmadd_pd,
    _mm256_and_pd,
    _mm256_castsi256_pd,
    _mm256_maskstore_pd,
    shift_in_4,
    _mm256_cmp_pd,
    _mm256_movemask_pd
);
avx2!(
    f32,
    __m256,
    8,
    u32,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_fmadd_ps,
    _mm256_fnmadd_ps,
    _mm256_and_ps,
    _mm256_castsi256_ps,
    _mm256_maskstore_ps,
    shift_in_8,
    _mm256_cmp_ps,
    _mm256_movemask_ps
);

impl Vectors for f32 {
    type Wide = Avx512;
    type Middle = Avx2;
    type Narrow = Portable;
}

impl Vectors for f64 {
    type Wide = Avx512;
    type Middle = Avx2;
    type Narrow = Portable;
}
