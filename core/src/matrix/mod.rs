//! From a tensor to the oriented matrices whose spectra are computed.

mod product;
mod stack;
mod unfold;
mod view;

pub use product::{product, shared_side};
pub use stack::{stack, stacked_sides};
pub use unfold::{ConvMode, MatrixShape, Unfolding, kernel_sides, matrix_shape, unfold};
pub use view::MatrixView;
