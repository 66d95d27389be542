//! Element types, and how stored little-endian bytes become numbers.

use std::fmt;

use half::{bf16, f16};
use serde::Serialize;

/// The element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE double.
    F64,
    /// IEEE single.
    F32,
    /// IEEE half.
    F16,
    /// bfloat16: the upper half of an IEEE single.
    BF16,
    /// 8-bit float, 4 exponent bits, no infinities (OCP E4M3FN).
    F8E4M3,
    /// 8-bit float, 5 exponent bits (OCP E5M2).
    F8E5M2,
    /// Signed integers.
    I64,
    /// 32-bit signed integer.
    I32,
    /// 16-bit signed integer.
    I16,
    /// 8-bit signed integer.
    I8,
    /// 64-bit unsigned integer.
    U64,
    /// 32-bit unsigned integer.
    U32,
    /// 16-bit unsigned integer.
    U16,
    /// 8-bit unsigned integer.
    U8,
    /// One byte, zero or not.
    Bool,
    /// A type the engine has no numbers for (complex, packed quantised blocks, strings); never analysed.
    Opaque,
}

impl Dtype {
    /// Bytes per element; 0 for [`Dtype::Opaque`].
    pub fn size(self) -> usize {
        match self {
            Dtype::F64 | Dtype::I64 | Dtype::U64 => 8,
            Dtype::F32 | Dtype::I32 | Dtype::U32 => 4,
            Dtype::F16 | Dtype::BF16 | Dtype::I16 | Dtype::U16 => 2,
            Dtype::F8E4M3 | Dtype::F8E5M2 | Dtype::I8 | Dtype::U8 | Dtype::Bool => 1,
            Dtype::Opaque => 0,
        }
    }

    /// The name used in reports and errors.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::F64 => "f64",
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
            Dtype::BF16 => "bf16",
            Dtype::F8E4M3 => "f8_e4m3fn",
            Dtype::F8E5M2 => "f8_e5m2",
            Dtype::I64 => "i64",
            Dtype::I32 => "i32",
            Dtype::I16 => "i16",
            Dtype::I8 => "i8",
            Dtype::U64 => "u64",
            Dtype::U32 => "u32",
            Dtype::U16 => "u16",
            Dtype::U8 => "u8",
            Dtype::Bool => "bool",
            Dtype::Opaque => "opaque",
        }
    }

    /// Whether the elements are floating-point numbers.
    pub fn is_float(self) -> bool {
        matches!(self, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F8E4M3 | Dtype::F8E5M2)
    }

    /// Spacing of the numbers just above 1, the relative precision of what was stored. Integers count as
    /// exact, that is as doubles.
    pub fn epsilon(self) -> f64 {
        match self {
            Dtype::F32 => f64::from(f32::EPSILON),
            Dtype::F16 => 2f64.powi(-10),
            Dtype::BF16 => 2f64.powi(-7),
            Dtype::F8E4M3 => 2f64.powi(-3),
            Dtype::F8E5M2 => 2f64.powi(-2),
            _ => f64::EPSILON,
        }
    }

    /// Decodes `out.len()` elements, `step` bytes apart, the first at `bytes[0]`.
    ///
    /// # Panics
    /// When `bytes` is too short; callers hold a checked view.
    pub(crate) fn decode(self, bytes: &[u8], step: usize, out: &mut [f64]) {
        match self {
            Dtype::F64 => each(bytes, step, out, f64::from_le_bytes),
            Dtype::F32 => each(bytes, step, out, |b| f64::from(f32::from_le_bytes(b))),
            Dtype::F16 => each(bytes, step, out, |b| f64::from(f16::from_le_bytes(b).to_f32_const())),
            Dtype::BF16 => each(bytes, step, out, |b| f64::from(bf16::from_le_bytes(b).to_f32_const())),
            Dtype::F8E4M3 => each(bytes, step, out, |[b]| e4m3fn(b)),
            Dtype::F8E5M2 => each(bytes, step, out, |[b]| e5m2(b)),
            Dtype::I64 => each(bytes, step, out, |b| i64::from_le_bytes(b) as f64),
            Dtype::I32 => each(bytes, step, out, |b| f64::from(i32::from_le_bytes(b))),
            Dtype::I16 => each(bytes, step, out, |b| f64::from(i16::from_le_bytes(b))),
            Dtype::I8 => each(bytes, step, out, |b| f64::from(i8::from_le_bytes(b))),
            Dtype::U64 => each(bytes, step, out, |b| u64::from_le_bytes(b) as f64),
            Dtype::U32 => each(bytes, step, out, |b| f64::from(u32::from_le_bytes(b))),
            Dtype::U16 => each(bytes, step, out, |b| f64::from(u16::from_le_bytes(b))),
            Dtype::U8 => each(bytes, step, out, |[b]| f64::from(b)),
            Dtype::Bool => each(bytes, step, out, |[b]| f64::from(u8::from(b != 0))),
            Dtype::Opaque => out.fill(f64::NAN),
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn each<const W: usize>(bytes: &[u8], step: usize, out: &mut [f64], value: impl Fn([u8; W]) -> f64) {
    if step == W {
        let (cells, _) = bytes[..out.len() * W].as_chunks::<W>();
        for (to, cell) in out.iter_mut().zip(cells) {
            *to = value(*cell);
        }
    } else {
        for (i, to) in out.iter_mut().enumerate() {
            let mut cell = [0; W];
            cell.copy_from_slice(&bytes[i * step..i * step + W]);
            *to = value(cell);
        }
    }
}

/// OCP FP8 E4M3FN: bias 7, all ones is NaN, no infinity.
fn e4m3fn(b: u8) -> f64 {
    let (sign, exponent, mantissa) = (b >> 7, (b >> 3) & 15, b & 7);
    let magnitude = match (exponent, mantissa) {
        (15, 7) => f64::NAN,
        (0, m) => f64::from(m) * 2f64.powi(-9),
        (e, m) => (1.0 + f64::from(m) / 8.0) * 2f64.powi(i32::from(e) - 7),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

/// OCP FP8 E5M2: the upper byte of an IEEE half.
fn e5m2(b: u8) -> f64 {
    f64::from(f16::from_bits(u16::from(b) << 8).to_f32_const())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(dtype: Dtype, bytes: &[u8]) -> f64 {
        let mut out = [0.0];
        dtype.decode(bytes, dtype.size(), &mut out);
        out[0]
    }

    #[test]
    fn eight_bit_floats_decode_to_the_published_extremes() {
        assert_eq!(decode(Dtype::F8E4M3, &[0x7e]), 448.0);
        assert_eq!(decode(Dtype::F8E4M3, &[0x01]), 2f64.powi(-9));
        assert_eq!(decode(Dtype::F8E4M3, &[0x08]), 2f64.powi(-6));
        assert_eq!(decode(Dtype::F8E4M3, &[0xb8]), -1.0);
        assert!(decode(Dtype::F8E4M3, &[0xff]).is_nan());
        assert_eq!(decode(Dtype::F8E5M2, &[0x7b]), 57344.0);
        assert_eq!(decode(Dtype::F8E5M2, &[0x01]), 2f64.powi(-16));
        assert_eq!(decode(Dtype::F8E5M2, &[0xfc]), f64::NEG_INFINITY);
    }

    #[test]
    fn half_precision_decodes_subnormals_and_signs() {
        assert_eq!(decode(Dtype::F16, &0x0001u16.to_le_bytes()), 2f64.powi(-24));
        assert_eq!(decode(Dtype::F16, &0xc000u16.to_le_bytes()), -2.0);
        assert_eq!(decode(Dtype::BF16, &0x4049u16.to_le_bytes()), 3.140625);
    }

    #[test]
    fn a_step_wider_than_the_element_skips_what_lies_between() {
        let bytes: Vec<u8> = [1f32, 2.0, 3.0, 4.0, 5.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut out = [0.0; 3];
        Dtype::F32.decode(&bytes, 8, &mut out);
        assert_eq!(out, [1.0, 3.0, 5.0]);
    }
}
