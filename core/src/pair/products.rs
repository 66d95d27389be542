//! The three small products of a pair of matrices that every similarity is made of.

use eigenscope_linalg::{Block, Cross, Gram, Order, Square};

use super::Difference;
use super::stream::blocks;
use crate::matrix::MatrixView;

/// Of two `n x m` matrices A and B with `n >= m`: squares of the smaller side, whatever the larger one is.
#[derive(Clone, Debug)]
pub(super) struct Products {
    pub n: usize,
    /// `AᵀA`, all of it.
    pub aa: Square<f64>,
    /// `BᵀB`, all of it.
    pub bb: Square<f64>,
    /// `AᵀB`.
    pub ab: Square<f64>,
    /// Mean of each column of A.
    pub mean_a: Vec<f64>,
    /// Mean of each column of B.
    pub mean_b: Vec<f64>,
}

impl Products {
    /// The products, and the element-wise sums that the same pass over the elements gives.
    pub fn of(a: &MatrixView, b: &MatrixView, threads: usize) -> (Self, Difference) {
        let (n, m) = (a.rows(), a.cols());
        let (mut aa, mut bb, mut ab) = (Gram::new(m), Gram::new(m), Cross::new(m));
        let (mut mean_a, mut mean_b) = (vec![0.0; m], vec![0.0; m]);
        let mut difference = Difference::default();
        blocks(a, b, |a, b| {
            difference.add(&a, &b);
            aa.add(a, threads);
            bb.add(b, threads);
            ab.add(a, b, threads);
            add_columns(&mut mean_a, &a);
            add_columns(&mut mean_b, &b);
        });
        for mean in [&mut mean_a, &mut mean_b] {
            mean.iter_mut().for_each(|v| *v /= n as f64);
        }
        let (aa, bb, ab) = (mirrored(aa.finish()), mirrored(bb.finish()), ab.finish());
        (Products { n, aa, bb, ab, mean_a, mean_b }, difference)
    }
}

fn add_columns(sums: &mut [f64], block: &Block<'_, f64>) {
    match block.order {
        Order::RowMajor => {
            for row in block.data.chunks_exact(block.cols.max(1)) {
                sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
            }
        }
        Order::ColMajor => {
            for (sum, column) in sums.iter_mut().zip(block.data.chunks_exact(block.rows.max(1))) {
                *sum += column.iter().sum::<f64>();
            }
        }
    }
}

/// The lower triangle copied to the upper.
fn mirrored(mut square: Square<f64>) -> Square<f64> {
    let m = square.n();
    let data = square.data_mut();
    for j in 0..m {
        for i in j + 1..m {
            data[i * m + j] = data[j * m + i];
        }
    }
    square
}
