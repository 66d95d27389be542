//! Random-matrix theory: what a matrix without correlations would look like, and what stands out of it.

mod distance;
mod kde;
mod lanczos;
mod marchenko_pastur;
mod minimize;
mod spikes;
mod tracy_widom;
mod traps;

pub use distance::{vector_distance, wasserstein};
pub use kde::triangular_density;
pub use lanczos::{Dense, Lanczos, Ritz};
pub use marchenko_pastur::{Ensemble, MpFit, MpLaw, QuarterCircle, fit_marchenko_pastur};
pub use spikes::count_above;
pub use tracy_widom::{johnstone, tracy_widom_quantile};
pub use traps::{Carrier, Trap, count_traps, find_traps};
