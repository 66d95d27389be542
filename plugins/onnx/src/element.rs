//! ONNX element types: their names and widths, and the exact wider type of those the engine has no type for.

use eigenscope_plugin::tensor::Dtype;

/// How elements of a type lie in `raw_data`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Storage {
    /// Little-endian elements the engine reads as they are.
    Plain,
    /// Two or four to the byte, lowest bits first; widened to bytes when read.
    Packed {
        /// Bits of one element.
        bits: u32,
        /// Whether the highest of them is a sign.
        signed: bool,
    },
    /// Small floats of one byte (or half a byte), each of which a wider float holds exactly.
    Widened {
        /// Bits of one element.
        bits: u32,
        /// The value of one.
        value: fn(u8) -> f32,
    },
    /// Elements the engine has no numbers for, of this many bytes (0 where not fixed).
    Opaque(usize),
}

/// An element type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    /// Its name in the ONNX schema, lower case.
    pub name: &'static str,
    /// What the engine reads it as.
    pub dtype: Dtype,
    pub storage: Storage,
}

impl Element {
    /// The type of that number in `TensorProto.DataType`; an opaque one for numbers that mean nothing.
    pub(crate) fn of(data_type: i32) -> Element {
        let plain = |name, dtype| Element { name, dtype, storage: Storage::Plain };
        let packed =
            |name, dtype, bits, signed| Element { name, dtype, storage: Storage::Packed { bits, signed } };
        let widened =
            |name, dtype, bits, value| Element { name, dtype, storage: Storage::Widened { bits, value } };
        let opaque = |name, size| Element { name, dtype: Dtype::Opaque, storage: Storage::Opaque(size) };
        match data_type {
            1 => plain("float32", Dtype::F32),
            2 => plain("uint8", Dtype::U8),
            3 => plain("int8", Dtype::I8),
            4 => plain("uint16", Dtype::U16),
            5 => plain("int16", Dtype::I16),
            6 => plain("int32", Dtype::I32),
            7 => plain("int64", Dtype::I64),
            8 => opaque("string", 0),
            9 => plain("bool", Dtype::Bool),
            10 => plain("float16", Dtype::F16),
            11 => plain("double", Dtype::F64),
            12 => plain("uint32", Dtype::U32),
            13 => plain("uint64", Dtype::U64),
            14 => opaque("complex64", 8),
            15 => opaque("complex128", 16),
            16 => plain("bfloat16", Dtype::BF16),
            17 => plain("float8e4m3fn", Dtype::F8E4M3),
            18 => widened("float8e4m3fnuz", Dtype::F32, 8, e4m3fnuz),
            19 => plain("float8e5m2", Dtype::F8E5M2),
            20 => widened("float8e5m2fnuz", Dtype::F32, 8, e5m2fnuz),
            21 => packed("uint4", Dtype::U8, 4, false),
            22 => packed("int4", Dtype::I8, 4, true),
            23 => widened("float4e2m1", Dtype::F32, 4, e2m1),
            24 => widened("float8e8m0", Dtype::F32, 8, e8m0),
            25 => packed("uint2", Dtype::U8, 2, false),
            26 => packed("int2", Dtype::I8, 2, true),
            27 => opaque("float6e2m3", 0),
            28 => opaque("float6e3m2", 0),
            0 => opaque("undefined", 0),
            _ => opaque("unknown", 0),
        }
    }

    /// Bytes that `count` elements take in `raw_data`; `None` where that is not fixed or does not fit.
    pub(crate) fn raw_bytes(&self, count: usize) -> Option<usize> {
        match self.storage {
            Storage::Plain => count.checked_mul(self.dtype.size()),
            Storage::Packed { bits, .. } | Storage::Widened { bits, .. } => {
                Some(count.div_ceil(8 / bits as usize))
            }
            Storage::Opaque(0) => None,
            Storage::Opaque(size) => count.checked_mul(size),
        }
    }
}

/// Exponent and mantissa to a number: `mantissa_bits` of fraction, no infinity, one NaN at minus zero.
fn fnuz(byte: u8, mantissa_bits: u32, bias: i32) -> f32 {
    if byte == 0x80 {
        return f32::NAN;
    }
    let scale = f32::from(1u16 << mantissa_bits);
    let fraction = f32::from(byte & ((1 << mantissa_bits) - 1)) / scale;
    let exponent = i32::from((byte & 0x7f) >> mantissa_bits);
    let magnitude = match exponent {
        0 => fraction * 2f32.powi(1 - bias),
        e => (1.0 + fraction) * 2f32.powi(e - bias),
    };
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

fn e4m3fnuz(byte: u8) -> f32 {
    fnuz(byte, 3, 8)
}

fn e5m2fnuz(byte: u8) -> f32 {
    fnuz(byte, 2, 16)
}

/// OCP FP4: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.
fn e2m1(nibble: u8) -> f32 {
    const MAGNITUDES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
    let magnitude = MAGNITUDES[usize::from(nibble & 7)];
    if nibble & 8 == 0 { magnitude } else { -magnitude }
}

/// OCP E8M0: a power of two, 255 is NaN.
fn e8m0(byte: u8) -> f32 {
    match byte {
        255 => f32::NAN,
        0 => f32::from_bits(1 << 22),
        b => f32::from_bits(u32::from(b) << 23),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Extremes as `ml_dtypes.finfo` gives them.
    #[test]
    fn small_floats_have_their_published_extremes() {
        assert_eq!((e4m3fnuz(0x7f), e4m3fnuz(0x01), e4m3fnuz(0xff)), (240.0, 2f32.powi(-10), -240.0));
        assert_eq!((e5m2fnuz(0x7f), e5m2fnuz(0x01)), (57344.0, 2f32.powi(-17)));
        assert!(e4m3fnuz(0x80).is_nan() && e5m2fnuz(0x80).is_nan());
        assert_eq!((e8m0(0), e8m0(127), e8m0(254)), (2f32.powi(-127), 1.0, 2f32.powi(127)));
        assert_eq!((e2m1(1), e2m1(7), e2m1(15)), (0.5, 6.0, -6.0));
    }
}
