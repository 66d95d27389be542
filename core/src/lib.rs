//! Eigenscope: spectral diagnostics of neural-network weights.
//!
//! Data flow one way: bytes become [tensors](tensor), tensors become matrices, matrices become
//! spectra, spectra become fits and metrics, and those become a report.
//!
//! The cargo feature `engine` (on by default) is all that comes after tensors; loaders do without it.
#![forbid(unsafe_code)]

#[cfg(feature = "engine")]
pub mod adapter;
#[cfg(feature = "engine")]
pub mod analysis;
#[cfg(feature = "engine")]
pub mod fit;
#[cfg(feature = "engine")]
pub mod matrix;
#[cfg(feature = "engine")]
pub mod metrics;
#[cfg(feature = "engine")]
pub mod monitor;
#[cfg(feature = "engine")]
pub mod pair;
#[cfg(feature = "engine")]
pub mod rmt;
pub mod source;
#[cfg(feature = "engine")]
pub mod spectrum;
pub mod tensor;
#[cfg(feature = "engine")]
pub mod transform;
