//! From a model to a changed copy of it: spectra smoothed to their largest values, correlation traps taken out.
//!
//! Layers are chosen and unfolded as in an analysis with the same options. Every other tensor, and every element that keeps its value, keeps
//! its bits; types and shapes stay.

mod encode;
mod engine;
mod localized;
mod matrix;
mod rebuild;
mod sharpen;
mod smooth;

pub use engine::{Change, Done, TransformError, Transformed};
pub use rebuild::dense_bytes;
pub use sharpen::{SharpenMethod, Sharpening};
pub use smooth::{SmoothMethod, Smoothing};

/// What is done to the layers of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transform {
    /// Keep the largest singular values, or remove them.
    Smooth(Smoothing),
    /// Take correlation traps out.
    Sharpen(Sharpening),
}
