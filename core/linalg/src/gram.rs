//! `BᵀB` over row blocks, half the work of a full product.

use crate::kernel::{Buffer, Isa, Mode, Product, Shared, Simd, Task, Term, dispatch, each, panel_width};
use crate::{Block, Order, Real, Square};

/// Accumulates the Gram matrix of a tall matrix that arrives in blocks of rows, so that its cost in memory is its
/// smaller side squared plus a block.
///
/// Only the lower triangle is computed, and it is the same bits for any number of threads. Products of up to 256 rows are added up before
/// they join the sum: over K rows, an element is off by at most about (256 + K / 256) rounding units times the product of the norms of
/// its two columns, where a plain sum has K; in practice by the square root of that.
#[derive(Debug)]
pub struct Gram<T: 'static> {
    sum: Square<T>,
    /// Panels of the rows at hand.
    packed: Buffer<T>,
}

/// Rows whose products are added up in registers.
const DEPTH: usize = 256;

/// Panels of a side of a task: so many packed panels lie in a level-2 cache.
const SIDE: usize = 6;

impl<T: Real> Gram<T> {
    /// For matrices of `n` columns.
    pub fn new(n: usize) -> Self {
        Gram { sum: Square::zeros(n), packed: Buffer::zeros(0) }
    }

    /// Adds `blockᵀ block`.
    ///
    /// # Panics
    /// When the block does not have `n` columns, or its data not `rows * cols` numbers.
    pub fn add(&mut self, block: Block<'_, T>, threads: usize) {
        assert_eq!(block.cols, self.sum.n(), "columns of a Gram block");
        assert_eq!(block.data.len(), block.rows * block.cols, "numbers of a Gram block");
        self.add_with(block, Isa::best(), threads);
    }

    fn add_with(&mut self, block: Block<'_, T>, isa: Isa, threads: usize) {
        let n = self.sum.n();
        let width = panel_width::<T>(isa);
        let panels = n.div_ceil(width);
        let depth = DEPTH.min(block.rows);
        if self.packed.len() < panels * width * depth {
            self.packed = Buffer::zeros(panels * width * depth);
        }
        // Threads that would be woken for less than they cost are left alone.
        let threads = if n * n * block.rows > 1 << 22 { threads } else { 1 };
        let sides = panels.div_ceil(SIDE);
        for start in (0..block.rows).step_by(DEPTH) {
            let len = DEPTH.min(block.rows - start);
            let to = Shared(self.packed.as_mut_ptr());
            each(threads, sides, |side| {
                for panel in side * SIDE..panels.min((side + 1) * SIDE) {
                    // SAFETY: a panel of its own for each number.
                    let panel_data = unsafe {
                        std::slice::from_raw_parts_mut(to.get().add(panel * width * depth), width * len)
                    };
                    pack(&block, start, len, panel * width, width, panel_data);
                }
            });
            let sum = Shared(self.sum.data_mut().as_mut_ptr());
            let packed = &self.packed;
            each(threads, sides * (sides + 1) / 2, |number| {
                let (i, j) = pair(number);
                let range = |side: usize| (side * SIDE, panels.min((side + 1) * SIDE));
                let tiles = Tiles {
                    n,
                    width,
                    len,
                    packed: packed.as_ptr(),
                    stride: width * depth,
                    rows: range(i),
                    columns: range(j),
                    sum: sum.get(),
                };
                // SAFETY: the instructions are this processor's, and these tiles of the sum are touched by this number only.
                unsafe { dispatch(isa, tiles) };
            });
        }
    }

    /// The lower triangle of the sum.
    pub fn finish(self) -> Square<T> {
        self.sum
    }
}

/// The pair (i, j), i >= j, of a number: 0 0, 1 0, 1 1, 2 0, ...
fn pair(number: usize) -> (usize, usize) {
    let mut i = (((8 * number + 1) as f64).sqrt() as usize).saturating_sub(1) / 2;
    while (i + 1) * (i + 2) / 2 <= number {
        i += 1;
    }
    (i, number - i * (i + 1) / 2)
}

/// Some rows of `width` columns, row by row, with zeros for columns that the block does not have.
fn pack<T: Real>(block: &Block<'_, T>, start: usize, len: usize, first: usize, width: usize, out: &mut [T]) {
    let there = width.min(block.cols - first);
    if there < width {
        out.fill(T::default());
    }
    match block.order {
        Order::RowMajor => {
            for (k, line) in out.chunks_exact_mut(width).enumerate() {
                line[..there].copy_from_slice(&block.data[(start + k) * block.cols + first..][..there]);
            }
        }
        Order::ColMajor => {
            // Some columns at a time, whose lines stay in the cache while they are dealt out.
            for c0 in (0..there).step_by(8) {
                let columns = 8.min(there - c0);
                let column = |c: usize| &block.data[(first + c0 + c) * block.rows + start..][..len];
                if columns == 8 {
                    let from: [&[T]; 8] = std::array::from_fn(column);
                    for (k, line) in out.chunks_exact_mut(width).enumerate() {
                        for (to, from) in line[c0..c0 + 8].iter_mut().zip(&from) {
                            *to = from[k];
                        }
                    }
                } else {
                    for c in 0..columns {
                        let from = column(c);
                        out.iter_mut().skip(c0 + c).step_by(width).zip(from).for_each(|(to, x)| *to = *x);
                    }
                }
            }
        }
    }
}

/// The products of some panels with some others, added to their tiles of the sum.
struct Tiles<T> {
    n: usize,
    width: usize,
    len: usize,
    packed: *const T,
    stride: usize,
    rows: (usize, usize),
    columns: (usize, usize),
    sum: *mut T,
}

/// Widest panel.
const WIDEST: usize = 48;

impl<T: Real> Task<T> for Tiles<T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T>>(self) {
        let Tiles { n, width, len, packed, stride, rows, columns, sum } = self;
        let mut edge = [T::default(); WIDEST * WIDEST];
        for j in columns.0..columns.1 {
            for i in rows.0.max(j)..rows.1 {
                // SAFETY: the caller's; tiles that reach beyond the sum go to a place of their own first.
                unsafe {
                    let term = Term {
                        len,
                        rows: packed.add(i * stride),
                        row_step: width,
                        by: packed.add(j * stride),
                        by_step: width,
                        apart: 1,
                    };
                    let (row, column) = (i * width, j * width);
                    let inside = row + width <= n;
                    let (out, out_step, mode) = if inside {
                        (sum.add(column * n + row), n, Mode::Add)
                    } else {
                        (edge.as_mut_ptr(), width, Mode::Set)
                    };
                    Product { terms: [term], out, out_step, width, count: width, mode }.run::<S>();
                    if !inside {
                        for c in 0..width.min(n - column) {
                            for r in 0..n - row {
                                *sum.add((column + c) * n + row + r) += edge[c * width + r];
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers<T: Real>(count: usize) -> Vec<T> {
        (0..count).map(|k| T::from_f64(((k * k + 3 * k + 1) as f64 * 0.37).sin())).collect()
    }

    fn check<T: Real>(rows: usize, cols: usize, order: Order, isa: Isa, tolerance: f64) {
        let data = numbers::<T>(rows * cols);
        let at = |k: usize, j: usize| match order {
            Order::RowMajor => data[k * cols + j].to_f64(),
            Order::ColMajor => data[j * rows + k].to_f64(),
        };
        let mut gram = Gram::new(cols);
        gram.add_with(Block { rows, cols, order, data: &data }, isa, 1);
        let sum = gram.finish();
        for j in 0..cols {
            for i in j..cols {
                let exact: f64 = (0..rows).map(|k| at(k, i) * at(k, j)).sum();
                let found = sum.data()[j * cols + i].to_f64();
                assert!(
                    (found - exact).abs() < tolerance * rows as f64,
                    "{rows}x{cols} {order:?} {isa:?} ({i}, {j}): {found} {exact}"
                );
            }
        }
    }

    #[test]
    fn elements_are_sums_of_products_whatever_the_sides_order_and_instructions() {
        for isa in Isa::all() {
            for order in [Order::RowMajor, Order::ColMajor] {
                for (rows, cols) in
                    [(1, 1), (3, 7), (7, 24), (300, 25), (513, 47), (40, 97), (256, 150), (2, 313)]
                {
                    check::<f64>(rows, cols, order, isa, 1e-15);
                    check::<f32>(rows, cols, order, isa, 1e-6);
                }
            }
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let (rows, cols) = (700, 333);
        let data = numbers::<f64>(rows * cols);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut gram = Gram::new(cols);
            let block = Block { rows, cols, order: Order::RowMajor, data: &data };
            pool.install(|| gram.add(block, threads));
            gram.finish().data().to_vec()
        };
        let alone = with(1);
        assert!((2..5).all(|threads| with(threads) == alone));
    }

    #[test]
    fn single_precision_sums_of_many_rows_lose_no_more_than_of_few() {
        // A plain sum of 2^18 equal numbers in single precision is off by 1e-4 and more.
        let rows = 1 << 18;
        let data = vec![0.1f32; rows];
        let mut gram = Gram::new(1);
        gram.add(Block { rows, cols: 1, order: Order::RowMajor, data: &data }, 1);
        let exact = rows as f64 * f64::from(0.1f32) * f64::from(0.1f32);
        let error = (gram.finish().trace() / exact - 1.0).abs();
        assert!(error < 3e-5, "{error:e}");
    }
}
