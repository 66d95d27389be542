//! Two matrices of the same sides, read together in blocks of rows.

use eigenscope_linalg::{Block, Order};

use crate::matrix::MatrixView;

/// Numbers in a block of each matrix: 4 MiB of doubles.
const BLOCK_NUMBERS: usize = 1 << 19;
/// Fewest rows of a block, so that products stay efficient for wide matrices.
const MIN_BLOCK_ROWS: usize = 128;

/// Shows `take` the same rows of both, in the same order in memory, from the first to the last.
///
/// # Panics
/// When the sides differ.
pub(super) fn blocks(a: &MatrixView, b: &MatrixView, mut take: impl FnMut(Block<'_, f64>, Block<'_, f64>)) {
    let (n, m) = (a.rows(), a.cols());
    assert_eq!((b.rows(), b.cols()), (n, m), "sides of a pair");
    let step = (BLOCK_NUMBERS / m.max(1)).max(MIN_BLOCK_ROWS).min(n);
    let (mut left, mut right) = (vec![0.0; step * m], vec![0.0; step * m]);
    let mut turned = if a.order() == b.order() { Vec::new() } else { vec![0.0; step * m] };
    let mut start = 0;
    while start < n {
        let rows = step.min(n - start);
        let (left, right) = (&mut left[..rows * m], &mut right[..rows * m]);
        a.read(start, rows, left);
        if turned.is_empty() {
            b.read(start, rows, right);
        } else {
            let turned = &mut turned[..rows * m];
            b.read(start, rows, turned);
            turn(turned, b.order(), rows, m, right);
        }
        let block = |data| Block { rows, cols: m, order: a.order(), data };
        take(block(left), block(right));
        start += rows;
    }
}

/// The same block in the other order.
fn turn(from: &[f64], order: Order, rows: usize, cols: usize, to: &mut [f64]) {
    let (outer, inner) = if order == Order::RowMajor { (rows, cols) } else { (cols, rows) };
    for (i, run) in from.chunks_exact(inner).enumerate() {
        for (j, value) in run.iter().enumerate() {
            to[j * outer + i] = *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Dtype, Tensor};

    #[test]
    fn blocks_of_two_memory_orders_hold_the_same_elements_in_the_same_places() {
        let (n, m) = (5000, 300);
        let values: Vec<f64> = (0..n * m).map(|k| k as f64).collect();
        let by_rows = MatrixView::new(Tensor::from_f64(vec![n, m], &values).unwrap(), 1);
        let columns: Vec<u8> = (0..n * m).flat_map(|k| values[(k % n) * m + k / n].to_le_bytes()).collect();
        let strides = [1, n as isize];
        let by_columns = Tensor::with_strides(Dtype::F64, vec![n, m], &strides, 0, columns.into()).unwrap();
        let by_columns = MatrixView::new(by_columns, 1);
        assert_ne!(by_rows.order(), by_columns.order());
        for (a, b) in [(&by_rows, &by_columns), (&by_columns, &by_rows)] {
            let (mut rows, mut parts) = (0, 0);
            blocks(a, b, |left, right| {
                assert_eq!((left.data, left.order), (right.data, right.order));
                rows += left.rows;
                parts += 1;
            });
            assert_eq!(rows, n);
            assert!(parts > 1);
        }
    }
}
