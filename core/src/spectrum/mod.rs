//! From matrices to eigenvalues: the empirical spectral density (ESD) of a layer.

mod estimate;
mod layer;
mod operator;
mod product;
mod random;
mod solve;

pub use estimate::{
    Density, Estimate, Top, UpperHalf, Window, density, jackknife, sub_matrices, sum_of_squares,
    top_eigenvalues,
};
pub use layer::{LayerSpectrum, MatrixSpectrum, layer_spectrum};
pub(crate) use operator::REFERENCE_SIDE;
pub use operator::{Solving, operator_spectrum, reference_operator_spectrum};
pub use product::product_eigenvalues;
pub use random::{Rng, permuted, stream};
pub(crate) use random::{box_muller, splitmix};
pub(crate) use solve::{BLOCK_NUMBERS, MIN_BLOCK_ROWS};
pub use solve::{Method, Precision, Solver, SpectrumError, eigenvalues};
