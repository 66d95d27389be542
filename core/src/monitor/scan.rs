//! One pass over a tensor's elements: is every one finite, is any one not zero, and a hash of all.

use crate::tensor::{Dtype, Tensor};

/// What a scan sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pulse {
    /// No NaN, no infinity.
    pub finite: bool,
    /// Nothing but zeros, or nothing at all.
    pub zero: bool,
    /// Equal for equal elements in the same order; different, but for one chance in 2^64 or so, for others.
    pub hash: u64,
}

/// Hashes kept side by side, so that the processor need not wait for one multiplication before the next.
const LANES: usize = 4;
/// Odd constants with well-mixed bits (of the splitmix64 and wyhash generators).
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const SEED: u64 = 0xa076_1d64_78bd_642f;

/// The exponent of a double; all ones in NaN and infinities.
const EXPONENT: u64 = 0x7ff << 52;

/// `None` for elements the engine has no numbers for.
pub(super) fn scan(tensor: &Tensor) -> Option<Pulse> {
    if tensor.dtype() == Dtype::Opaque {
        return None;
    }
    let mut state = State { finite: true, any: 0, lanes: std::array::from_fn(|i| SEED ^ i as u64) };
    // Full buffers whatever the strides, so that the hash depends on the elements only.
    tensor.for_each_run(|run| state.take(run));
    let hash = state.lanes.iter().fold(SEED, |hash, lane| mix(hash, *lane));
    // The sign of a zero does not count.
    Some(Pulse { finite: state.finite, zero: state.any << 1 == 0, hash })
}

struct State {
    finite: bool,
    any: u64,
    lanes: [u64; LANES],
}

impl State {
    fn take(&mut self, run: &[f64]) {
        for cells in run.chunks(LANES) {
            for (lane, v) in self.lanes.iter_mut().zip(cells) {
                let bits = v.to_bits();
                self.finite &= bits & EXPONENT != EXPONENT;
                self.any |= bits;
                *lane = mix(*lane, bits);
            }
        }
    }
}

fn mix(hash: u64, bits: u64) -> u64 {
    let product = (hash ^ bits).wrapping_mul(FACTOR);
    product ^ (product >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Pulse {
        scan(&Tensor::from_f64(vec![values.len()], values).unwrap()).unwrap()
    }

    #[test]
    fn one_changed_bit_changes_the_hash_and_one_nan_is_seen_wherever_it_stands() {
        let values: Vec<f64> = (0..2500).map(|i| f64::from(i) * 0.37 - 400.0).collect();
        let before = of(&values);
        assert_eq!(before, Pulse { finite: true, zero: false, hash: before.hash });
        for place in [0, 1, 1023, 1024, 2499] {
            let mut other = values.clone();
            other[place] = f64::from_bits(other[place].to_bits() ^ 1);
            assert_ne!(of(&other).hash, before.hash, "{place}");
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                other[place] = bad;
                assert!(!of(&other).finite, "{place}");
            }
        }
        let mut swapped = values.clone();
        swapped.swap(3, 1027);
        assert_ne!(of(&swapped).hash, before.hash);
        assert!(of(&[1e308, 1e308, -1e308]).finite);
    }

    #[test]
    fn zeros_of_either_sign_are_zero_and_nothing_is_finite() {
        assert!(of(&[0.0, -0.0, 0.0]).zero && !of(&[0.0, 5e-324]).zero);
        let none = of(&[]);
        assert!(none.finite && none.zero);
    }

    #[test]
    fn the_scan_of_a_view_is_that_of_its_elements() {
        let values: Vec<f64> = (0..24).map(f64::from).collect();
        let view = Tensor::from_f64(vec![4, 6], &values).unwrap().narrow(1, 1, 3);
        let dense = Tensor::from_f64(vec![4, 3], &view.to_vec()).unwrap();
        assert_eq!(scan(&view), scan(&dense));
    }
}
