//! Power-law fits of the tail of a spectrum, and what else the tail may be.

mod bootstrap;
mod candidates;
mod compare;
mod expint;
mod families;
mod fingers;
mod gaussian;
mod hill;
mod newton;
mod peak;
mod power_law;
mod random;
mod scan;
mod truncated;

pub use bootstrap::{Bootstrap, bootstrap};
pub use candidates::{Candidate, power_law_candidates, truncated_candidates};
pub use compare::{Comparison, Ratio, compare, likelihood_ratio};
pub use families::{Family, TailModel, fit_tail};
pub use fingers::{ClipRule, Clipped, clip_xmax};
pub use gaussian::{NullReference, Shape, gaussian_spectrum, null_reference};
pub use hill::{XminRule, fit_hill};
pub use peak::{PeakRule, peak_range};
pub use power_law::{
    Estimator, FitError, PowerLaw, SmallNSigma, fit_power_law, fit_power_law_at, fit_power_law_forced,
    fit_power_law_in,
};
pub use truncated::{TruncatedPowerLaw, fit_truncated, fit_truncated_at};
