//! The product of two layers' matrices: how their singular directions line up.

use super::MatrixView;
use crate::spectrum::Rng;
use crate::tensor::Tensor;

/// The largest side that two matrices share, whichever way each is turned.
pub fn shared_side(a: (usize, usize), b: (usize, usize)) -> Option<usize> {
    [a.0.max(a.1), a.0.min(a.1)].into_iter().find(|side| *side == b.0 || *side == b.1)
}

/// `A B / (‖A‖ ‖B‖)`, each turned so that the shared side is between them and square ones as they are; with a seed, a
/// random 0/1 matrix S stands between them, and `√‖S‖` is added to the denominator. `None` where no side is shared.
pub fn product(a: &MatrixView, b: &MatrixView, between: Option<u64>) -> Option<MatrixView> {
    let side = shared_side((a.rows(), a.cols()), (b.rows(), b.cols()))?;
    let (mut left, mut right) = (a.to_array(), b.to_array());
    if left.ncols() != side {
        left = left.reversed_axes();
    }
    if right.nrows() != side {
        right = right.reversed_axes();
    }
    let norm = |m: &ndarray::Array2<f64>| m.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut denominator = norm(&left) * norm(&right);
    if let Some(seed) = between {
        let mut rng = Rng::new(seed);
        let mask = ndarray::Array2::from_shape_simple_fn((side, side), || (rng.next_u64() >> 63) as f64);
        denominator += norm(&mask).sqrt();
        left = left.dot(&mask);
    }
    let mut product = left.dot(&right);
    // The product of zeros is zero, not 0/0.
    if denominator != 0.0 {
        product /= denominator;
    }
    Some(MatrixView::new(Tensor::from_array(&product), 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};

    fn view(array: &Array2<f64>) -> MatrixView {
        MatrixView::new(Tensor::from_array(array), 1)
    }

    #[test]
    fn the_larger_shared_side_is_between_the_two() {
        assert_eq!(shared_side((16, 3), (16, 16)), Some(16));
        assert_eq!(shared_side((64, 16), (16, 64)), Some(64));
        assert_eq!(shared_side((32, 32), (64, 16)), None);
        let a = arr2(&[[1.0, 2.0, 2.0], [0.0, 0.0, 4.0]]);
        let b = arr2(&[[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]);
        let x = product(&view(&a), &view(&b), None).unwrap().to_array();
        assert_eq!(x, arr2(&[[3.0, 8.0], [0.0, 0.0]]) / 25.0);
    }

    #[test]
    fn squares_are_multiplied_as_they_are_stored() {
        let (a, b) = (arr2(&[[0.0, 1.0], [0.0, 0.0]]), arr2(&[[0.0, 0.0], [1.0, 0.0]]));
        assert_eq!(product(&view(&a), &view(&b), None).unwrap().to_array(), arr2(&[[1.0, 0.0], [0.0, 0.0]]));
    }

    #[test]
    fn zeros_have_the_product_zero_and_a_mask_keeps_the_norm_below_one() {
        let (zero, one) = (Array2::zeros((4, 4)), Array2::ones((4, 4)));
        assert!(product(&view(&zero), &view(&one), None).unwrap().to_array().iter().all(|v| *v == 0.0));
        let masked = product(&view(&one), &view(&one), Some(3)).unwrap().to_array();
        // Entries are the sum of the mask over 16 + √‖mask‖; ‖mask‖² is that sum.
        let ones = (1..=16).find(|k| {
            let sum = f64::from(*k);
            (masked[[0, 0]] - sum / (16.0 + sum.sqrt().sqrt())).abs() < 1e-12
        });
        assert!(ones.is_some_and(|k| (3..14).contains(&k)), "{masked}");
    }
}
