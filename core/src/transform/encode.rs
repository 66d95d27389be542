//! Numbers as the bytes of a stored type, to the nearest; what is beyond the largest becomes the largest of an 8-bit float.

use half::{bf16, f16};

use crate::tensor::{Dtype, Tensor};

/// Turns doubles into bytes of one type.
pub(super) struct Encoder {
    dtype: Dtype,
    /// Of 8-bit floats: finite values that are not negative, ascending, with their codes.
    table: Vec<(f64, u8)>,
}

impl Encoder {
    /// `None` for types whose numbers are not real numbers of their own.
    pub fn new(dtype: Dtype) -> Option<Self> {
        let table = match dtype {
            Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16 => Vec::new(),
            Dtype::F8E4M3 | Dtype::F8E5M2 => {
                let codes: Vec<u8> = (0..0x80).collect();
                let values = Tensor::new(dtype, vec![codes.len()], codes.clone().into()).ok()?.to_vec();
                values.into_iter().zip(codes).filter(|(v, _)| v.is_finite()).collect()
            }
            _ => return None,
        };
        Some(Encoder { dtype, table })
    }

    /// Writes one number.
    ///
    /// # Panics
    /// When `out` has not the size of the type.
    pub fn write(&self, value: f64, out: &mut [u8]) {
        match self.dtype {
            Dtype::F64 => out.copy_from_slice(&value.to_le_bytes()),
            Dtype::F32 => out.copy_from_slice(&(value as f32).to_le_bytes()),
            Dtype::F16 => out.copy_from_slice(&f16::from_f64(value).to_le_bytes()),
            Dtype::BF16 => out.copy_from_slice(&bf16::from_f64(value).to_le_bytes()),
            _ => out.copy_from_slice(&[self.eight_bits(value)]),
        }
    }

    fn eight_bits(&self, value: f64) -> u8 {
        let size = value.abs();
        let above = self.table.partition_point(|(v, _)| *v < size).min(self.table.len() - 1);
        let (high, low) = (self.table[above], self.table[above.saturating_sub(1)]);
        let (up, down) = (high.0 - size, size - low.0);
        // Of two that are equally near, the even one.
        let code = if up < down || (up == down && high.1 % 2 == 0) { high.1 } else { low.1 };
        code | if value.is_sign_negative() { 0x80 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(dtype: Dtype, value: f64) -> f64 {
        let mut bytes = vec![0; dtype.size()];
        Encoder::new(dtype).unwrap().write(value, &mut bytes);
        Tensor::new(dtype, vec![1], bytes.into()).unwrap().to_vec()[0]
    }

    #[test]
    fn every_eight_bit_float_comes_back_as_it_was() {
        for dtype in [Dtype::F8E4M3, Dtype::F8E5M2] {
            for code in 0..=255u8 {
                let value = Tensor::new(dtype, vec![1], vec![code].into()).unwrap().to_vec()[0];
                if value.is_finite() {
                    let mut out = [0];
                    Encoder::new(dtype).unwrap().write(value, &mut out);
                    assert_eq!(out, [code], "{dtype} {value}");
                }
            }
        }
    }

    #[test]
    fn numbers_between_two_go_to_the_nearer_and_then_to_the_even_one() {
        assert_eq!(there_and_back(Dtype::F8E4M3, 1.06), 1.0);
        assert_eq!(there_and_back(Dtype::F8E4M3, 1.07), 1.125);
        assert_eq!(there_and_back(Dtype::F8E4M3, 1.0625), 1.0);
        assert_eq!(there_and_back(Dtype::F8E4M3, 1.1875), 1.25);
        assert_eq!(there_and_back(Dtype::F8E4M3, -1e9), -448.0);
        assert_eq!(there_and_back(Dtype::F8E5M2, 1e9), 57344.0);
        assert_eq!(there_and_back(Dtype::F8E4M3, 1e-9), 0.0);
        assert_eq!(there_and_back(Dtype::BF16, 1.0 + 2f64.powi(-8)), 1.0);
        assert_eq!(there_and_back(Dtype::F16, 1.0 + 3.0 * 2f64.powi(-11)), 1.0 + 2f64.powi(-9));
        assert_eq!(there_and_back(Dtype::F32, 0.1), f64::from(0.1f32));
        assert!(Encoder::new(Dtype::I8).is_none() && Encoder::new(Dtype::Opaque).is_none());
    }
}
