//! The two number types spectra are computed in.

use std::iter::Sum;

use faer::traits::RealField;

use crate::kernel::Vectors;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` or `f64`.
pub trait Real:
    sealed::Sealed + Vectors + RealField + Copy + Default + PartialOrd + Sum + Send + Sync + 'static
{
    /// Spacing of the numbers just above 1.
    const EPSILON: f64;
    /// Rounds a double.
    fn from_f64(value: f64) -> Self;
    /// Widens to a double.
    fn to_f64(self) -> f64;
    /// Square root.
    fn root(self) -> Self;
}

impl Real for f32 {
    const EPSILON: f64 = f32::EPSILON as f64;
    fn from_f64(value: f64) -> Self {
        value as f32
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn root(self) -> Self {
        self.sqrt()
    }
}

impl Real for f64 {
    const EPSILON: f64 = f64::EPSILON;
    fn from_f64(value: f64) -> Self {
        value
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn root(self) -> Self {
        self.sqrt()
    }
}
