//! Centred kernel alignment of two matrices with the linear kernel (Kornblith, Norouzi, Lee, Hinton, "Similarity of neural
//! network representations revisited", 2019, section 3): `⟨K, L⟩ / (‖K‖ ‖L‖)` of the kernels `K = XXᵀ` and `L = YYᵀ`, whose
//! rows are examples; 1 for matrices that differ by a rotation of the features and a factor.
//!
//! A weight matrix has two such readings: its outputs as examples, or its inputs. Both follow from the products of the
//! smaller side, since `⟨XXᵀ, YYᵀ⟩ = ‖XᵀY‖²`.

use eigenscope_linalg::Square;

use super::products::Products;

/// Plain and centred alignment; none where a kernel is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cka {
    /// As the weights are. WeightWatcher's CKA is the square root of it.
    pub plain: Option<f64>,
    /// With the mean over the examples taken from every feature, as CKA is defined.
    pub centred: Option<f64>,
}

/// With the rows of the tall matrices as examples.
pub(super) fn over_rows(p: &Products) -> Cka {
    let n = p.n as f64;
    let centred = |square: &Square<f64>, left: &[f64], right: &[f64]| {
        let columns = square.data().chunks_exact(square.n()).zip(right);
        let column = |(column, r): (&[f64], &f64)| -> f64 {
            column.iter().zip(left).map(|(v, l)| (v - n * l * r).powi(2)).sum()
        };
        columns.map(column).sum::<f64>()
    };
    // Below this, centring has left rounding only.
    let least = |square: &Square<f64>| 1e-24 * squares(square);
    let (a, b) = (centred(&p.aa, &p.mean_a, &p.mean_a), centred(&p.bb, &p.mean_b, &p.mean_b));
    Cka {
        plain: ratio(squares(&p.ab), squares(&p.aa), squares(&p.bb), (0.0, 0.0)),
        centred: ratio(centred(&p.ab, &p.mean_a, &p.mean_b), a, b, (least(&p.aa), least(&p.bb))),
    }
}

/// With their columns as examples: the kernels are the Gram matrices themselves.
pub(super) fn over_columns(p: &Products) -> Cka {
    let (a, b) = (Kernel::new(&p.aa), Kernel::new(&p.bb));
    let least = |square: &Square<f64>| 1e-24 * squares(square);
    let plain: f64 = p.aa.data().iter().zip(p.bb.data()).map(|(x, y)| x * y).sum();
    Cka {
        plain: ratio(plain, squares(&p.aa), squares(&p.bb), (0.0, 0.0)),
        centred: ratio(a.inner(&b), a.inner(&a), b.inner(&b), (least(&p.aa), least(&p.bb))),
    }
}

/// A kernel that is centred as it is read: `HKH` with `H = 1 - 11ᵀ/m`.
struct Kernel<'a> {
    square: &'a Square<f64>,
    /// Mean of each row, less half of the mean of all.
    offsets: Vec<f64>,
}

impl<'a> Kernel<'a> {
    fn new(square: &'a Square<f64>) -> Self {
        let m = square.n() as f64;
        let columns = square.data().chunks_exact(square.n());
        let means: Vec<f64> = columns.map(|column| column.iter().sum::<f64>() / m).collect();
        let half = 0.5 * means.iter().sum::<f64>() / m;
        Kernel { square, offsets: means.iter().map(|mean| mean - half).collect() }
    }

    fn inner(&self, other: &Kernel<'_>) -> f64 {
        let m = self.square.n();
        let columns = self.square.data().chunks_exact(m).zip(other.square.data().chunks_exact(m));
        let mut sum = 0.0;
        for (j, (x, y)) in columns.enumerate() {
            let (xj, yj) = (self.offsets[j], other.offsets[j]);
            for (i, (x, y)) in x.iter().zip(y).enumerate() {
                sum += (x - xj - self.offsets[i]) * (y - yj - other.offsets[i]);
            }
        }
        sum
    }
}

/// Sum of the squares of all elements.
fn squares(square: &Square<f64>) -> f64 {
    square.data().iter().map(|v| v * v).sum()
}

/// `⟨K, L⟩` over the norms whose squares are given, if those are above what is least.
fn ratio(product: f64, a: f64, b: f64, least: (f64, f64)) -> Option<f64> {
    (a > least.0 && b > least.1).then(|| (product / (a.sqrt() * b.sqrt())).clamp(0.0, 1.0))
}
