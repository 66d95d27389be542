//! Sub-matrices of one shape. The edges of a random spectrum depend on the aspect ratio, so layers of different shapes are compared by these: FARMS, Hu et
//! al., arXiv 2506.06280 (2025).

use eigenscope_linalg::Order;

use crate::matrix::MatrixView;
use crate::tensor::Tensor;

/// Most windows along a side.
const MOST: usize = 9;

/// A square part of a matrix.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its first row.
    pub row: usize,
    /// Its first column.
    pub col: usize,
    /// Which it is from the top, and from the left.
    pub place: (usize, usize),
    /// Itself.
    pub matrix: MatrixView,
}

/// Squares of `side`, or of the smaller side where that is less, spread evenly so that they cover the matrix, with at most nine along each
/// of its sides.
/// Those of the same rows are in memory together, no others.
pub fn sub_matrices(view: &MatrixView, side: usize) -> impl Iterator<Item = Window> {
    let (n, m) = (view.rows(), view.cols());
    let side = side.min(m).max(1);
    starts(n, side).enumerate().flat_map(move |(i, row)| {
        let mut rows = vec![0.0f64; side * m];
        view.read(row, side, &mut rows);
        let window = |(j, col): (usize, usize)| {
            let cut: Vec<f64> = match view.order() {
                Order::RowMajor => {
                    rows.chunks_exact(m).flat_map(|line| line[col..col + side].iter().copied()).collect()
                }
                // The transpose, which has the same spectrum.
                Order::ColMajor => rows[col * side..(col + side) * side].to_vec(),
            };
            let tensor = Tensor::from_f64(vec![side, side], &cut).expect("as many numbers as places");
            Window { row, col, place: (i, j), matrix: MatrixView::new(tensor, 1) }
        };
        starts(m, side).enumerate().map(window).collect::<Vec<_>>()
    })
}

fn starts(length: usize, side: usize) -> impl Iterator<Item = usize> {
    let count = length.div_ceil(side).clamp(1, MOST);
    let free = length - side;
    (0..count).map(move |k| if count > 1 { k * free / (count - 1) } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(shape: Vec<usize>) -> MatrixView {
        let numbers: Vec<f64> = (0..shape[0] * shape[1]).map(|k| k as f64).collect();
        MatrixView::new(Tensor::from_f64(shape, &numbers).unwrap(), 1)
    }

    #[test]
    fn windows_cover_the_matrix_whichever_way_it_is_stored() {
        for shape in [vec![10, 4], vec![4, 10]] {
            let view = counting(shape.clone());
            let windows: Vec<Window> = sub_matrices(&view, 3).collect();
            let places: Vec<(usize, usize)> = windows.iter().map(|w| (w.row, w.col)).collect();
            let expected = [(0, 0), (0, 1), (2, 0), (2, 1), (4, 0), (4, 1), (7, 0), (7, 1)];
            assert_eq!(places, expected);
            let last = windows[7].matrix.to_array();
            // Rows 7 to 9 and columns 1 to 3 of the tall matrix.
            let tall =
                |i: usize, j: usize| if shape[0] == 10 { (4 * i + j) as f64 } else { (10 * j + i) as f64 };
            let mut found: Vec<f64> = last.iter().copied().collect();
            let mut sum: Vec<f64> = (7..10).flat_map(|i| (1..4).map(move |j| tall(i, j))).collect();
            found.sort_by(f64::total_cmp);
            sum.sort_by(f64::total_cmp);
            assert_eq!(found, sum);
        }
    }

    #[test]
    fn a_window_is_no_larger_than_the_matrix_and_there_are_not_too_many() {
        let square = counting(vec![6, 6]);
        let whole: Vec<Window> = sub_matrices(&square, 100).collect();
        assert!(whole.len() == 1 && whole[0].matrix.rows() == 6);
        assert_eq!(sub_matrices(&counting(vec![200, 50]), 1).count(), 81);
    }
}
