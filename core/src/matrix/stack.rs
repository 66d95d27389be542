//! Several layers' matrices one above the other.

use ndarray::{Array2, Axis, Slice};

use super::MatrixView;
use crate::tensor::Tensor;

/// A layer's matrices side by side, the slices of a convolution each at least as tall as wide, a single matrix as it is stored.
fn side_by_side(views: &[MatrixView]) -> Array2<f64> {
    if let [one] = views {
        let matrix = one.to_array();
        return if one.stored(1, 0) == (1, 0) { matrix } else { matrix.reversed_axes() };
    }
    let (rows, cols) = (views[0].rows(), views[0].cols());
    let mut all = Array2::zeros((rows, cols * views.len()));
    for (k, view) in views.iter().enumerate() {
        let place = Slice::from(k * cols..(k + 1) * cols);
        all.slice_axis_mut(Axis(1), place).assign(&view.to_array());
    }
    all
}

fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if below.is_empty() || !values.len().is_multiple_of(2) {
        return upper;
    }
    let lower = values[..middle].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, upper)
}

fn deviation(values: &mut [f64]) -> f64 {
    let center = median(values);
    values.iter_mut().for_each(|v| *v = (*v - center).abs());
    median(values)
}

/// Less its median, over its median absolute deviation, or each column over its own; `None` where one is zero.
fn standardised(mut matrix: Array2<f64>, by_column: bool) -> Option<Array2<f64>> {
    let mut values: Vec<f64> = matrix.iter().copied().collect();
    let center = median(&mut values);
    let whole = deviation(&mut values);
    let mut spread = true;
    for mut column in matrix.columns_mut() {
        let own = if by_column { deviation(&mut column.to_vec()) } else { whole };
        column.mapv_inplace(|v| (v - center) / own);
        spread &= own != 0.0;
    }
    spread.then_some(matrix)
}

/// Rows and columns that a layer's matrices have in a stack, before it is turned.
pub fn stacked_sides(stored: (usize, usize), slices: usize) -> (usize, usize) {
    let (rows, cols) = (stored.0.max(stored.1), stored.0.min(stored.1));
    if slices == 1 { stored } else { (rows, cols.saturating_mul(slices)) }
}

/// Every layer's matrices side by side, less their median and over their median absolute deviation, zeros to the width
/// of the widest, one above the other. `by_column` divides each column by its own deviation from its own median instead. `Err`
/// with its place for a layer that is constant but for a minority of elements.
pub fn stack(layers: &[Vec<MatrixView>], by_column: bool) -> Result<MatrixView, usize> {
    let parts = layers
        .iter()
        .enumerate()
        .map(|(k, views)| standardised(side_by_side(views), by_column).ok_or(k))
        .collect::<Result<Vec<_>, _>>()?;
    let rows = parts.iter().map(|p| p.nrows()).sum();
    let cols = parts.iter().map(|p| p.ncols()).max().unwrap_or(0);
    let mut all = Array2::zeros((rows, cols));
    let mut row = 0;
    for part in parts {
        let mut band = all.slice_axis_mut(Axis(0), Slice::from(row..row + part.nrows()));
        band.slice_axis_mut(Axis(1), Slice::from(..part.ncols())).assign(&part);
        row += part.nrows();
    }
    Ok(MatrixView::new(Tensor::from_array(&all), 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    fn view(array: &Array2<f64>) -> MatrixView {
        MatrixView::new(Tensor::from_array(array), 1)
    }

    #[test]
    fn layers_are_standardised_padded_and_stacked() {
        // Medians 2.5 and 4, median absolute deviations 1 and 2.
        let wide = arr2(&[[1.0, 2.0], [3.0, 4.0]]);
        let slices = [arr2(&[[0.0], [2.0]]), arr2(&[[6.0], [4.0]]), arr2(&[[4.0], [6.0]])];
        let x = stack(&[vec![view(&wide)], slices.iter().map(view).collect()], false).unwrap();
        let expected = arr2(&[[-1.5, -0.5, 0.0], [0.5, 1.5, 0.0], [-2.0, 1.0, 0.0], [-1.0, 0.0, 1.0]]);
        assert_eq!(x.to_array(), expected);
        assert_eq!(stacked_sides((1, 2), 3), (2, 3));
    }

    #[test]
    fn each_column_may_have_its_own_deviation() {
        let x = stack(&[vec![view(&arr2(&[[1.0, 0.0], [3.0, 8.0], [5.0, 4.0]]))]], true).unwrap();
        assert_eq!(x.to_array(), arr2(&[[-1.25, -0.875], [-0.25, 1.125], [0.75, 0.125]]));
    }

    #[test]
    fn a_constant_layer_is_named_by_its_place() {
        let (one, odd) = (Array2::ones((3, 3)), arr2(&[[1.0, 5.0, 2.0]]));
        assert_eq!(stack(&[vec![view(&odd)], vec![view(&one)]], false).unwrap_err(), 1);
    }
}
