//! A convolution as the operator it is on images: Sedghi, Gupta, Long, "The singular values of convolutional layers" (2019).

use std::f64::consts::TAU;

use ndarray::Array2;

use super::{MatrixSpectrum, Method, Precision, Solver, SpectrumError, eigenvalues};
use crate::matrix::MatrixView;
use crate::tensor::Tensor;

/// Side of the padded kernel in WeightWatcher 0.7.7.
pub(crate) const REFERENCE_SIDE: usize = 32;

/// How the spectra of many small matrices are found.
#[derive(Clone, Copy, Debug)]
pub struct Solving {
    /// Arithmetic.
    pub precision: Precision,
    /// Library.
    pub solver: Solver,
    /// Threads inside one matrix.
    pub threads: usize,
}

impl Solving {
    fn of(self, matrix: &Array2<f64>) -> Result<(Vec<f64>, Method), SpectrumError> {
        let view = MatrixView::new(Tensor::from_array(matrix), 1);
        eigenvalues(&view, self.precision, self.solver, self.threads)
    }
}

fn collect(n: usize, m: usize, mut values: Vec<f64>, svd: bool) -> MatrixSpectrum {
    values.sort_by(f64::total_cmp);
    MatrixSpectrum { n, m, eigenvalues: values, method: if svd { Method::Svd } else { Method::Gram } }
}

/// Squared singular values of the convolution on periodic images of `side x side`: those of the `out x in` matrices of the kernel's
/// two-dimensional Fourier transform, one for each of the `side²` frequencies. `taps` are the kernel's matrices, row by
/// row.
///
/// Opposite frequencies have conjugate matrices. `[Re -Im; Im Re]` is real and has the singular values of both.
pub fn operator_spectrum(
    taps: &[MatrixView],
    kernel: (usize, usize),
    side: usize,
    solving: Solving,
) -> Result<MatrixSpectrum, SpectrumError> {
    let taps: Vec<Array2<f64>> = taps.iter().map(MatrixView::to_array).collect();
    let (n, m) = taps.first().map_or((0, 0), Array2::dim);
    let (mut values, mut svd) = (Vec::with_capacity(m * side * side), false);
    for u in 0..side {
        for v in 0..side {
            let opposite = ((side - u) % side, (side - v) % side);
            if (u, v) > opposite {
                continue;
            }
            let (mut re, mut im) = (Array2::zeros((n, m)), Array2::zeros((n, m)));
            for (k, tap) in taps.iter().enumerate() {
                let (a, b) = (k / kernel.1, k % kernel.1);
                let angle = TAU * ((u * a + v * b) % side) as f64 / side as f64;
                re.scaled_add(angle.cos(), tap);
                im.scaled_add(angle.sin(), tap);
            }
            if (u, v) == opposite {
                let (found, method) = solving.of(&re)?;
                values.extend(found);
                svd |= method == Method::Svd;
                continue;
            }
            let both = Array2::from_shape_fn((2 * n, 2 * m), |(i, j)| match (i < n, j < m) {
                (true, true) => re[[i, j]],
                (true, false) => -im[[i, j - m]],
                (false, true) => im[[i - n, j]],
                (false, false) => re[[i - n, j - m]],
            });
            let (found, method) = solving.of(&both)?;
            // Equal but for rounding, which must not look like a spacing.
            values.extend(found.chunks_exact(2).flat_map(|pair| [f64::midpoint(pair[0], pair[1]); 2]));
            svd |= method == Method::Svd;
        }
    }
    Ok(collect(n * side * side, m * side * side, values, svd))
}

/// What WeightWatcher 0.7.7 computes instead: of every pair of channels the squared singular values of the real
/// part of the kernel's 32 x 32 Fourier transform.
pub fn reference_operator_spectrum(
    taps: &[MatrixView],
    kernel: (usize, usize),
    solving: Solving,
) -> Result<MatrixSpectrum, SpectrumError> {
    let taps: Vec<Array2<f64>> = taps.iter().map(MatrixView::to_array).collect();
    let (n, m) = taps.first().map_or((0, 0), Array2::dim);
    let cosine: Vec<f64> =
        (0..REFERENCE_SIDE).map(|k| (TAU * k as f64 / REFERENCE_SIDE as f64).cos()).collect();
    let (mut values, mut svd) = (Vec::with_capacity(n * m * REFERENCE_SIDE), false);
    for place in (0..n).flat_map(|i| (0..m).map(move |j| [i, j])) {
        let real = Array2::from_shape_fn((REFERENCE_SIDE, REFERENCE_SIDE), |(u, v)| {
            let term = |(k, tap): (usize, &Array2<f64>)| {
                let (a, b) = (k / kernel.1, k % kernel.1);
                // What does not fit is cropped.
                let inside = a.max(b) < REFERENCE_SIDE;
                if inside { tap[place] * cosine[(u * a + v * b) % REFERENCE_SIDE] } else { 0.0 }
            };
            taps.iter().enumerate().map(term).sum::<f64>()
        });
        let (found, method) = solving.of(&real)?;
        values.extend(found);
        svd |= method == Method::Svd;
    }
    Ok(collect(n * REFERENCE_SIDE, m * REFERENCE_SIDE, values, svd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::Rng;

    const SOLVING: Solving = Solving { precision: Precision::F64, solver: Solver::Native, threads: 1 };

    fn taps(out: usize, input: usize, count: usize) -> Vec<Array2<f64>> {
        let mut rng = Rng::new(8);
        (0..count).map(|_| Array2::from_shape_simple_fn((out, input), || rng.normal())).collect()
    }

    fn views(taps: &[Array2<f64>]) -> Vec<MatrixView> {
        taps.iter().map(|t| MatrixView::new(Tensor::from_array(t), 1)).collect()
    }

    /// Row (output, y, x), column (input, y, x): each output pixel sums the taps at its neighbours, around the border.
    fn circulant(taps: &[Array2<f64>], kernel: (usize, usize), side: usize) -> Array2<f64> {
        let (out, input) = taps[0].dim();
        let pixels = side * side;
        let mut dense = Array2::zeros((out * pixels, input * pixels));
        for (k, tap) in taps.iter().enumerate() {
            let (a, b) = (k / kernel.1, k % kernel.1);
            for pixel in 0..pixels {
                let (y, x) = (pixel / side, pixel % side);
                let source = (y + a) % side * side + (x + b) % side;
                for ((o, i), weight) in tap.indexed_iter() {
                    dense[[o * pixels + pixel, i * pixels + source]] += weight;
                }
            }
        }
        dense
    }

    #[test]
    fn the_spectrum_is_that_of_the_dense_doubly_block_circulant_matrix() {
        for (out, input, kernel, side) in
            [(3, 2, (3, 3), 5), (2, 4, (2, 3), 4), (3, 3, (1, 1), 3), (2, 2, (3, 3), 2), (4, 1, (5, 3), 4)]
        {
            let taps = taps(out, input, kernel.0 * kernel.1);
            let (expected, _) = SOLVING.of(&circulant(&taps, kernel, side)).unwrap();
            let found = operator_spectrum(&views(&taps), kernel, side, SOLVING).unwrap();
            assert_eq!(found.eigenvalues.len(), side * side * out.min(input));
            let largest = expected.last().unwrap();
            for (f, e) in found.eigenvalues.iter().zip(&expected) {
                assert!((f - e).abs() < 1e-12 * largest, "{out}x{input} {kernel:?} {side}: {f} {e}");
            }
        }
    }

    #[test]
    fn the_squares_add_up_to_those_of_the_kernel_times_the_pixels() {
        let taps = taps(4, 5, 9);
        let kernel: f64 = taps.iter().flatten().map(|v| v * v).sum();
        let found = operator_spectrum(&views(&taps), (3, 3), 8, SOLVING).unwrap();
        assert!((found.eigenvalues.iter().sum::<f64>() / (64.0 * kernel) - 1.0).abs() < 1e-13);
    }
}
