//! Weights as they were when they were last analysed, and how far they have moved since.

use crate::tensor::{Dtype, Tensor};

/// A copy.
pub(super) struct Kept {
    numbers: Numbers,
    /// Frobenius.
    norm: f64,
}

enum Numbers {
    /// What was stored in 32 bits or fewer.
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl Kept {
    /// Takes the copy.
    pub fn of(tensor: &Tensor) -> Self {
        let dtype = tensor.dtype();
        let single = dtype.is_float() && dtype != Dtype::F64 && tensor.quantization().is_none();
        let mut squares = 0.0;
        let mut each = |run: &[f64]| squares += run.iter().map(|v| v * v).sum::<f64>();
        let numbers = if single {
            let mut numbers = Vec::with_capacity(tensor.len());
            tensor.for_each_run(|run| {
                each(run);
                numbers.extend(run.iter().map(|v| *v as f32));
            });
            Numbers::Single(numbers)
        } else {
            let mut numbers = Vec::with_capacity(tensor.len());
            tensor.for_each_run(|run| {
                each(run);
                numbers.extend_from_slice(run);
            });
            Numbers::Double(numbers)
        };
        Kept { numbers, norm: squares.sqrt() }
    }

    /// `‖W - W₀‖`, Frobenius, where it is at most `share` of `‖W₀‖`. By Mirsky (1960), Theorem 5, the singular values then differ by no more
    /// than that, all together: `√Σ (σᵢ - σᵢ⁰)² <= ‖W - W₀‖`.
    pub fn moved_at_most(&self, tensor: &Tensor, share: f64) -> Option<f64> {
        let (mut at, mut squares) = (0, 0.0);
        tensor.for_each_run(|run| {
            let range = at..at + run.len();
            squares += match &self.numbers {
                Numbers::Single(all) => all.get(range).map(|before| apart(run, before, |v| f64::from(*v))),
                Numbers::Double(all) => all.get(range).map(|before| apart(run, before, |v| *v)),
            }
            .unwrap_or(f64::NAN);
            at += run.len();
        });
        let distance = squares.sqrt();
        // What is no number is not within anything.
        (distance <= share * self.norm).then_some(distance)
    }
}

fn apart<T>(now: &[f64], before: &[T], number: impl Fn(&T) -> f64) -> f64 {
    now.iter().zip(before).map(|(a, b)| (a - number(b)).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_that_of_the_elements_and_numbers_that_are_none_are_far() {
        let values: Vec<f32> = (0..3000).map(|k| (k % 7) as f32).collect();
        let before = Tensor::from_f32(vec![60, 50], &values).unwrap();
        let kept = Kept::of(&before);
        assert_eq!(kept.moved_at_most(&before, 0.0), Some(0.0));
        let mut moved = values.clone();
        moved[1500] += 3.0;
        moved[2999] -= 4.0;
        let moved = Tensor::from_f32(vec![60, 50], &moved).unwrap();
        assert_eq!(kept.moved_at_most(&moved, 0.1), Some(5.0));
        assert_eq!(kept.moved_at_most(&moved, 1e-3), None);
        let mut bad = values;
        bad[7] = f32::NAN;
        assert_eq!(kept.moved_at_most(&Tensor::from_f32(vec![60, 50], &bad).unwrap(), 1.0), None);
        let double = Tensor::from_f64(vec![2], &[1.0 + 1e-12, 0.0]).unwrap();
        let distance =
            Kept::of(&Tensor::from_f64(vec![2], &[1.0, 0.0]).unwrap()).moved_at_most(&double, 1e-9);
        assert!((distance.unwrap() / 1e-12 - 1.0).abs() < 1e-3);
    }
}
