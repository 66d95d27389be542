//! First stage: a dense symmetric matrix becomes a band matrix with the same eigenvalues.

use super::panel;
use crate::kernel::{Buffer, Isa, Mode, Product, Shared, Simd, Task, Term, dispatch, each, product};
use crate::{Real, Square};

/// Pieces, at most, that a pass over the trailing matrix is cut into. The same for any number of threads, and so are the sums.
const PIECES: usize = 8;

/// The lower half of a symmetric matrix whose elements are zero further than `b` below the diagonal.
#[derive(Debug)]
pub(super) struct Band<T: 'static> {
    pub(super) n: usize,
    pub(super) b: usize,
    /// Numbers of a column: what a reflector can reach below the diagonal, and a vector's width where nothing is.
    pub(super) step: usize,
    /// Columns one after the other, each from its diagonal element down, after a vector's width of nothing; beyond column n, two blocks
    /// of zeros.
    pub(super) columns: Buffer<T>,
}

/// Widest vector, in numbers.
pub(super) const WIDEST: usize = 16;

impl<T: Real> Band<T> {
    pub(super) fn zeros(n: usize, b: usize) -> Self {
        let step = 2 * b + WIDEST;
        Band { n, b, step, columns: Buffer::zeros((n + 3 * b) * step + WIDEST) }
    }

    fn set(&mut self, row: usize, column: usize, value: T) {
        if row < self.n && column < self.n {
            let at = WIDEST + column * self.step + (row - column);
            self.columns[at] = value;
        }
    }

    /// The element on the diagonal of a column.
    pub(super) fn diagonal(&self, column: usize) -> T {
        self.columns[WIDEST + column * self.step]
    }

    /// The element below the diagonal of a column.
    pub(super) fn below(&self, column: usize) -> T {
        self.columns[WIDEST + column * self.step + 1]
    }
}

/// The matrix, cut into tiles of `b` x `b`, and the panels of the step at hand. Tiles on and below the diagonal are held, column by
/// column of tiles, elements column by column; the panels are held row by row, those called `columns` tile by tile in columns.
struct Tiles<T: 'static> {
    isa: Isa,
    threads: usize,
    b: usize,
    /// Tiles of a side.
    side: usize,
    tiles: Buffer<T>,
    /// The Householder vectors of the step before, and the other factor of its update.
    v: Buffer<T>,
    v_columns: Buffer<T>,
    w: Buffer<T>,
    w_columns: Buffer<T>,
    /// The vectors of this step.
    next: Buffer<T>,
    /// Products with the trailing matrix: those of each piece of it, and their sum.
    partial: Buffer<T>,
    image: Buffer<T>,
    small: Small<T>,
}

/// `b` x `b` matrices, row by row.
struct Small<T: 'static> {
    r: Buffer<T>,
    t: Buffer<T>,
    s: Buffer<T>,
    /// Room for two.
    room: Buffer<T>,
    /// S of every group of tiles.
    parts: Buffer<T>,
}

/// Tiles whose shares of `VᵀAV` are summed together.
const GROUP: usize = 8;

/// The band matrix that is orthogonally similar to `scale` times the matrix given by its lower triangle.
///
/// Blocked Householder reduction (Bischof, Lang, Sun 2000): with the QR factorization `Q R` of the columns of a block below its band
/// and `Q = I - V T Vᵀ`, `QᵀAQ = A - V Wᵀ - W Vᵀ`, `W = A V T - ½ V Tᵀ Vᵀ A V T`. The update of one step and the product with V of
/// the next are one pass over the lower half of the matrix.
pub(super) fn reduce<T: Real>(matrix: &Square<T>, scale: T, b: usize, isa: Isa, threads: usize) -> Band<T> {
    let n = matrix.n();
    let mut band = Band::zeros(n, b);
    let mut tiles = Tiles::new(matrix, scale, b, isa, threads);
    for k in 0..tiles.side {
        if k > 0 {
            tiles.update_column(k);
        }
        tiles.diagonal_into(k, &mut band);
        if k + 1 == tiles.side {
            break;
        }
        tiles.factor(k);
        for i in 0..b {
            for j in i..b {
                band.set((k + 1) * b + i, k * b + j, tiles.small.r[i * b + j]);
            }
        }
        tiles.multiply(k);
        tiles.finish(k);
    }
    band
}

impl<T: Real> Tiles<T> {
    fn new(matrix: &Square<T>, scale: T, b: usize, isa: Isa, threads: usize) -> Self {
        let n = matrix.n();
        let side = n.div_ceil(b);
        let (tile, panel) = (b * b, side * b * b);
        let mut tiles = Tiles {
            isa,
            threads,
            b,
            side,
            tiles: Buffer::<T>::zeros(side * (side + 1) / 2 * tile),
            v: Buffer::zeros(panel),
            v_columns: Buffer::zeros(panel),
            w: Buffer::zeros(panel),
            w_columns: Buffer::zeros(panel),
            next: Buffer::zeros(panel),
            partial: Buffer::zeros(PIECES * panel),
            image: Buffer::zeros(panel),
            small: Small {
                r: Buffer::zeros(tile),
                t: Buffer::zeros(tile),
                s: Buffer::zeros(tile),
                room: Buffer::zeros(2 * tile),
                parts: Buffer::zeros(side.div_ceil(GROUP) * tile),
            },
        };
        let to = Shared(tiles.tiles.as_mut_ptr());
        let data = matrix.data();
        each(threads, side, |j| {
            let width = b.min(n - j * b);
            for i in j..side {
                let height = b.min(n - i * b);
                // SAFETY: tile (i, j), which no other number of `each` touches.
                let tile = unsafe {
                    std::slice::from_raw_parts_mut(to.get().add(tile_at(side, i, j) * b * b), b * b)
                };
                for c in 0..width {
                    let column = &data[(j * b + c) * n + i * b..][..height];
                    let first = if i == j { c } else { 0 };
                    for r in first..height {
                        let value = column[r] * scale;
                        tile[c * b + r] = value;
                        if i == j {
                            tile[r * b + c] = value;
                        }
                    }
                }
            }
        });
        tiles
    }

    /// The update of the step before, for the tiles of column k.
    fn update_column(&mut self, k: usize) {
        let (side, isa) = (self.side, self.isa);
        let view = self.view(k);
        let groups = (side - k).div_ceil(GROUP);
        each(self.worth(side - k), groups, |group| {
            for i in (k + group * GROUP)..side.min(k + (group + 1) * GROUP) {
                // SAFETY: tile (i, k) is touched by this number only, and the panels are only read.
                unsafe { dispatch(isa, Update { view, i, j: k }) };
            }
        });
    }

    /// Threads for work on so many tiles of a panel: fewer than it takes are not woken.
    fn worth(&self, tiles: usize) -> usize {
        if tiles * self.b * self.b > 1 << 14 { self.threads } else { 1 }
    }

    fn view(&mut self, k: usize) -> View<T> {
        View {
            b: self.b,
            side: self.side,
            first: k,
            tiles: self.tiles.as_mut_ptr(),
            v: self.v.as_ptr(),
            v_columns: self.v_columns.as_ptr(),
            w: self.w.as_ptr(),
            w_columns: self.w_columns.as_ptr(),
            next: self.next.as_ptr(),
        }
    }

    fn diagonal_into(&self, k: usize, band: &mut Band<T>) {
        let b = self.b;
        let tile = &self.tiles[tile_at(self.side, k, k) * b * b..][..b * b];
        for c in 0..b {
            for r in c..b {
                band.set(k * b + r, k * b + c, tile[c * b + r]);
            }
        }
    }

    /// QR of the tiles below the diagonal in column k.
    fn factor(&mut self, k: usize) {
        let (b, side) = (self.b, self.side);
        for i in k + 1..side {
            let tile = &self.tiles[tile_at(side, i, k) * b * b..][..b * b];
            transpose(tile, &mut self.next[i * b * b..][..b * b], b);
        }
        let rows = (side - k - 1) * b;
        let small = &mut self.small;
        let panel = self.next[(k + 1) * b * b..].as_mut_ptr();
        // SAFETY: the panel has so many rows of b numbers, b is a multiple of 16.
        unsafe {
            panel::factor(
                self.isa,
                panel,
                rows,
                b,
                &mut small.r[..b * b],
                &mut small.t[..b * b],
                &mut small.room[..2 * b * b],
            );
        }
    }

    /// The update of the step before and the product with the vectors of this one, for all tiles beyond column k.
    fn multiply(&mut self, k: usize) {
        let (b, side, isa) = (self.b, self.side, self.isa);
        let first = k + 1;
        let height = (side - first).div_ceil(PIECES);
        let pieces = (side - first).div_ceil(height);
        let view = self.view(first);
        let stride = side * b * b;
        let partial = Shared(self.partial.as_mut_ptr());
        let update = k > 0;
        each(self.threads, pieces, |number| {
            // The last, which are the longest, first.
            let piece = pieces - 1 - number;
            let rows = (first + piece * height, side.min(first + (piece + 1) * height));
            // SAFETY: tiles of these rows and this part of the partial sums are touched by this number only.
            unsafe {
                let sums = partial.get().add(piece * stride);
                std::slice::from_raw_parts_mut(sums.add(first * b * b), (rows.1 - first) * b * b)
                    .fill(T::default());
                dispatch(isa, Pass { view, rows, sums, update });
            }
        });
    }

    /// W, and the vectors of this step in the place of those before.
    fn finish(&mut self, k: usize) {
        let (b, side, isa) = (self.b, self.side, self.isa);
        let first = k + 1;
        let tile = b * b;
        let height = (side - first).div_ceil(PIECES);
        let pieces = (side - first).div_ceil(height);
        let groups = (side - first).div_ceil(GROUP);
        let worth = self.worth(side - first);
        let stride = side * tile;
        let (image, parts) = (Shared(self.image.as_mut_ptr()), Shared(self.small.parts.as_mut_ptr()));
        let (partial, next) = (&self.partial, &self.next);
        each(worth, groups, |group| {
            let (from, to) = (first + group * GROUP, side.min(first + (group + 1) * GROUP));
            // SAFETY: these rows of the image and this part of S are touched by this number only.
            unsafe {
                let sum = std::slice::from_raw_parts_mut(image.get().add(from * tile), (to - from) * tile);
                sum.fill(T::default());
                for piece in (from - first) / height..pieces {
                    // A piece has sums for the rows above it and its own.
                    let end = to.min(first + (piece + 1) * height);
                    if end > from {
                        let part = &partial[piece * stride + from * tile..piece * stride + end * tile];
                        sum.iter_mut().zip(part).for_each(|(s, p)| *s += *p);
                    }
                }
                let term = Term {
                    len: (to - from) * b,
                    rows: sum.as_ptr(),
                    row_step: b,
                    by: next.as_ptr().add(from * tile),
                    by_step: b,
                    apart: 1,
                };
                product(isa, [term], parts.get().add(group * tile), b, (b, b), Mode::Set);
            }
        });
        self.correction(groups);
        let (w, w_columns) = (Shared(self.w.as_mut_ptr()), Shared(self.w_columns.as_mut_ptr()));
        let v_columns = Shared(self.v_columns.as_mut_ptr());
        let (image, next, t, m) = (&self.image, &self.next, &self.small.t, &self.small.s);
        each(worth, groups, |group| {
            for i in first + group * GROUP..side.min(first + (group + 1) * GROUP) {
                // SAFETY: tile i of the panels is touched by this number only.
                unsafe {
                    let at = i * tile;
                    let image = Term {
                        len: b,
                        rows: t.as_ptr(),
                        row_step: b,
                        by: image.as_ptr().add(at),
                        by_step: 1,
                        apart: b,
                    };
                    let off = Term { rows: m.as_ptr(), by: next.as_ptr().add(at), ..image };
                    product(isa, [image, off], w.get().add(at), b, (b, b), Mode::Set);
                    let w = std::slice::from_raw_parts(w.get().add(at), tile);
                    transpose(w, std::slice::from_raw_parts_mut(w_columns.get().add(at), tile), b);
                    let v = std::slice::from_raw_parts_mut(v_columns.get().add(at), tile);
                    transpose(&next[at..at + tile], v, b);
                }
            }
        });
        std::mem::swap(&mut self.v, &mut self.next);
    }

    /// `-½ Tᵀ S T` from the parts of `S = VᵀAV`, in the place of S.
    fn correction(&mut self, groups: usize) {
        let (b, isa) = (self.b, self.isa);
        let tile = b * b;
        let small = &mut self.small;
        small.s.fill(T::default());
        for group in 0..groups {
            let part = &small.parts[group * tile..(group + 1) * tile];
            small.s.iter_mut().zip(part).for_each(|(s, p)| *s += *p);
        }
        let (t, s, z) = (small.t.as_ptr(), small.s.as_mut_ptr(), small.room.as_mut_ptr());
        // SAFETY: each has b² numbers.
        unsafe {
            let right = Term { len: b, rows: t, row_step: b, by: s.cast_const(), by_step: 1, apart: b };
            product(isa, [right], z, b, (b, b), Mode::Set);
            let left = Term { len: b, rows: z.cast_const(), row_step: b, by: t, by_step: b, apart: 1 };
            product(isa, [left], s, b, (b, b), Mode::Set);
        }
        let half = T::from_f64(-0.5);
        small.s.iter_mut().for_each(|s| *s *= half);
    }
}

/// The place of tile (i, j), i >= j, among those held.
#[inline(always)]
fn tile_at(side: usize, i: usize, j: usize) -> usize {
    j * (2 * side - j + 1) / 2 + (i - j)
}

fn transpose<T: Copy>(from: &[T], to: &mut [T], b: usize) {
    // Blocks of lines of the cache.
    for r0 in (0..b).step_by(8) {
        for c0 in (0..b).step_by(8) {
            for r in r0..r0 + 8 {
                for c in c0..c0 + 8 {
                    to[r * b + c] = from[c * b + r];
                }
            }
        }
    }
}

/// Where tiles and panels are; tiles of rows and columns from `first` on.
#[derive(Clone, Copy)]
struct View<T> {
    b: usize,
    side: usize,
    first: usize,
    tiles: *mut T,
    v: *const T,
    v_columns: *const T,
    w: *const T,
    w_columns: *const T,
    next: *const T,
}

// SAFETY: whoever uses the pointers says why no two threads write the same place.
unsafe impl<T: Send> Send for View<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for View<T> {}

/// `A_ij -= V_i W_jᵀ + W_i V_jᵀ` for one tile.
struct Update<T> {
    view: View<T>,
    i: usize,
    j: usize,
}

impl<T: Real> Task<T> for Update<T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T>>(self) {
        let Update { view, i, j } = self;
        let (b, tile) = (view.b, view.b * view.b);
        // SAFETY: the caller's: the tile and panels are there, and the tile is ours.
        unsafe {
            let one = Term {
                len: b,
                rows: view.v_columns.add(i * tile),
                row_step: b,
                by: view.w.add(j * tile),
                by_step: 1,
                apart: b,
            };
            let other = Term { rows: view.w_columns.add(i * tile), by: view.v.add(j * tile), ..one };
            let out = view.tiles.add(tile_at(view.side, i, j) * tile);
            let mode = Mode::Subtract;
            Product { terms: [one, other], out, out_step: b, width: b, count: b, mode }.run::<S>();
        }
    }
}

/// Tiles of some rows: update each, and add its products with the new vectors to sums for its row and its column.
struct Pass<T> {
    view: View<T>,
    rows: (usize, usize),
    sums: *mut T,
    update: bool,
}

impl<T: Real> Task<T> for Pass<T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T>>(self) {
        let Pass { view, rows, sums, update } = self;
        let (b, tile) = (view.b, view.b * view.b);
        for j in view.first..rows.1 {
            for i in rows.0.max(j)..rows.1 {
                // SAFETY: the caller's.
                unsafe {
                    if update {
                        Update { view, i, j }.run::<S>();
                    }
                    let a = view.tiles.add(tile_at(view.side, i, j) * tile).cast_const();
                    let down = Term {
                        len: b,
                        rows: view.next.add(j * tile),
                        row_step: b,
                        by: a,
                        by_step: b,
                        apart: 1,
                    };
                    let (width, count, out_step, mode) = (b, b, b, Mode::Add);
                    let out = sums.add(i * tile);
                    Product { terms: [down], out, out_step, width, count, mode }.run::<S>();
                    if i != j {
                        let across = Term { rows: view.next.add(i * tile), by_step: 1, apart: b, ..down };
                        let out = sums.add(j * tile);
                        Product { terms: [across], out, out_step, width, count, mode }.run::<S>();
                    }
                }
            }
        }
    }
}
