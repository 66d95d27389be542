//! How far two tensors of the same shape are apart, element by element.

use eigenscope_linalg::Block;

/// Sums over the elements of both; everything else follows from them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Difference {
    /// Σ (a - b)².
    pub squared: f64,
    /// Σ a².
    pub squared_a: f64,
    /// Σ b².
    pub squared_b: f64,
    /// Σ a b.
    pub product: f64,
}

impl Difference {
    /// Adds the elements of two blocks of the same order.
    pub(super) fn add(&mut self, a: &Block<'_, f64>, b: &Block<'_, f64>) {
        self.add_values(a.data, b.data);
    }

    /// Adds pairs of elements.
    pub fn add_values(&mut self, a: &[f64], b: &[f64]) {
        for (a, b) in a.iter().zip(b) {
            let d = a - b;
            self.squared += d * d;
            self.squared_a += a * a;
            self.squared_b += b * b;
            self.product += a * b;
        }
    }

    /// The sums of two sets of elements.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Difference {
            squared: self.squared + other.squared,
            squared_a: self.squared_a + other.squared_a,
            squared_b: self.squared_b + other.squared_b,
            product: self.product + other.product,
        }
    }

    /// Whether every sum is a finite number: no NaN, nothing infinite, nothing too large to square.
    pub fn is_finite(&self) -> bool {
        [self.squared, self.squared_a, self.squared_b, self.product].iter().all(|s| s.is_finite())
    }

    /// `‖A - B‖_F`.
    pub fn distance(&self) -> f64 {
        self.squared.sqrt()
    }

    /// `‖A - B‖_F / ‖A‖_F`: 0 for equal tensors; none where A is zero.
    pub fn relative(&self) -> Option<f64> {
        (self.squared_a > 0.0).then(|| self.distance() / self.squared_a.sqrt())
    }

    /// `Σ ab / (‖A‖_F ‖B‖_F)`, -1 to 1: blind to the scale of either; none where one is zero.
    pub fn cosine(&self) -> Option<f64> {
        let norms = self.squared_a.sqrt() * self.squared_b.sqrt();
        (norms > 0.0).then(|| (self.product / norms).clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(a: &[f64], b: &[f64]) -> Difference {
        let mut d = Difference::default();
        d.add_values(a, b);
        d
    }

    #[test]
    fn distances_and_angles_are_those_of_plane_geometry() {
        let d = of(&[3.0, 0.0], &[0.0, 4.0]);
        assert_eq!((d.distance(), d.relative(), d.cosine()), (5.0, Some(5.0 / 3.0), Some(0.0)));
        let scaled = of(&[1.0, -2.0], &[-3.0, 6.0]);
        assert!((scaled.cosine().unwrap() + 1.0).abs() < 1e-15);
        assert!((scaled.relative().unwrap() - 4.0).abs() < 1e-15);
    }

    #[test]
    fn a_tensor_of_zeros_has_no_angle_and_no_scale() {
        let d = of(&[0.0, 0.0], &[1.0, 1.0]);
        assert_eq!((d.relative(), d.cosine()), (None, None));
        assert!(!of(&[f64::NAN], &[1.0]).is_finite());
        assert!(!of(&[1e200], &[0.0]).is_finite());
    }
}
