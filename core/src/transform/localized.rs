//! Traps taken out where they are: in the weights that carry them.

use ndarray::Array2;

use super::sharpen::Search;
use crate::matrix::MatrixView;
use crate::rmt::Trap;

/// Median absolute deviation to standard deviation of a Gaussian: 1 / Φ⁻¹(3/4).
const MAD_TO_SD: f64 = 1.482_602_218_505_602;

/// A matrix without the carriers of its traps.
pub(super) struct Cut {
    pub matrix: Array2<f64>,
    /// Weights that are 0 now.
    pub weights: usize,
    /// Traps that no single weights carry.
    pub left: usize,
}

/// The standard deviation of these numbers, by the median of their sizes, which the weights to be removed do not move.
fn spread(matrix: &Array2<f64>) -> f64 {
    let mut sizes: Vec<f64> = matrix.iter().map(|w| w.abs()).collect();
    let (_, median, _) = sizes.select_nth_unstable_by(matrix.len() / 2, f64::total_cmp);
    if *median > 0.0 {
        return MAD_TO_SD * *median;
    }
    // More than half are zero.
    (matrix.iter().map(|w| w * w).sum::<f64>() / matrix.len() as f64).sqrt()
}

/// Subtracts the carriers of the traps `found`, and of those that then show; of them only what no noise would reach. What they would be without
/// the trap is unknown, and 0 is the best guess: the spectrum of the others is nearer with it than with any size of noise.
pub(super) fn localized(view: &MatrixView, search: &Search<'_>, mut found: Vec<Trap>, rounds: usize) -> Cut {
    let mut matrix = view.to_array();
    // About the largest of so many Gaussian numbers.
    let reach = spread(&matrix) * (2.0 * (matrix.len().max(2) as f64).ln()).sqrt();
    let mut weights = 0;
    for _ in 0..rounds {
        let before = weights;
        for carrier in found.iter().flat_map(|t| &t.carriers) {
            let weight = &mut matrix[(carrier.row, carrier.col)];
            if weight.abs() > reach {
                *weight = 0.0;
                weights += 1;
            }
        }
        if weights == before {
            break;
        }
        found = search.again(view, &matrix);
        if found.is_empty() {
            break;
        }
    }
    Cut { matrix, weights, left: found.len() }
}
