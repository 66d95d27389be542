//! What is said of the fitted tail besides its exponent: rivals, uncertainty, and noise of the same shape.

use super::options::{Fit, FixFingers, Options, Xmax};
use crate::fit::{
    Bootstrap, Family, FitError, NullReference, PowerLaw, Ratio, Shape, XminRule, bootstrap, compare,
    fit_hill, fit_power_law, fit_power_law_forced, fit_power_law_in, null_reference, peak_range,
};

/// Below this goodness of fit a power law is implausible (Clauset, Shalizi, Newman 2009, section 4.1).
const IMPLAUSIBLE: f64 = 0.1;

/// The columns of a tail; `None` where they were not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TailColumns {
    /// Rate of the cut-off.
    pub lambda: Option<f64>,
    /// Where the cascade of comparisons ends.
    pub best_fit: Option<Family>,
    /// Power law against the families of [`Family::OTHERS`].
    pub ratios: [Option<Ratio>; 4],
    /// Uncertainty and goodness of fit.
    pub bootstrap: Option<Bootstrap>,
    /// Gaussian matrices of the same shape.
    pub null: Option<NullReference>,
}

impl TailColumns {
    /// Whether the tail may be a power law, as far as anything that was asked for tells.
    pub fn power_law(&self) -> Option<bool> {
        let family = self.best_fit.map(|f| matches!(f, Family::PowerLaw | Family::Truncated));
        let plausible = self.bootstrap.map(|b| b.gof_p >= IMPLAUSIBLE);
        (family.is_some() || plausible.is_some()).then(|| family.unwrap_or(true) && plausible.unwrap_or(true))
    }
}

/// The power law of ascending values, as the options choose its xmin.
pub(super) fn power_law(data: &[f64], options: &Options) -> Result<PowerLaw, FitError> {
    let c = &options.conventions;
    let bounded = options.effective_xmax() == Xmax::Force;
    let fit = if options.fix_fingers == FixFingers::XminPeak {
        fit_power_law_in(data, &peak_range(data, c.peak, options.xmin_max), bounded)?
    } else if bounded {
        fit_power_law_forced(data)?
    } else if options.xmin != XminRule::Scan {
        fit_hill(data, options.xmin)?
    } else {
        fit_power_law(data, c.small_n_sigma)?
    };
    let counts = fit.alpha.is_finite() || (c.infinite_alpha && !fit.alpha.is_nan());
    if counts { Ok(fit) } else { Err(FitError::Degenerate) }
}

/// What the options ask to be said of the power law fitted to `data`.
pub(super) fn columns(
    data: &[f64],
    fit: &PowerLaw,
    lambda: Option<f64>,
    shape: Shape,
    options: &Options,
) -> TailColumns {
    let mut columns = TailColumns { lambda, ..TailColumns::default() };
    let data = &data[..data.partition_point(|v| *v <= fit.xmax)];
    let tail = &data[data.partition_point(|v| *v < fit.xmin)..];
    if options.compare
        && let Ok(compared) = compare(tail)
    {
        columns.best_fit = Some(compared.best);
        columns.ratios = compared.others.map(|other| other.map(|(_, ratio)| ratio));
    }
    if options.fit != Fit::PowerLaw || options.fix_fingers == FixFingers::ClipXmax {
        // Neither replicates nor noise are fitted this way.
        return columns;
    }
    let refit = |sample: &[f64]| power_law(sample, options);
    if options.bootstrap > 0 {
        columns.bootstrap = bootstrap(data, fit, options.bootstrap, options.seed, refit);
    }
    if options.null_reference
        && options.effective_xmax() == Xmax::Unbounded
        && options.fix_fingers == FixFingers::Off
    {
        let rule = match options.xmin {
            XminRule::Scan => u64::MAX,
            XminRule::Median => u64::MAX - 1,
            XminRule::Top(share) => share.to_bits(),
        };
        columns.null = null_reference(shape, rule, refit);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_no_power_law_when_either_test_says_so() {
        let gof =
            |p| Some(Bootstrap { alpha_se: 0.1, alpha_interval: [2.0, 3.0], gof_p: p, replicates: 100 });
        for (best_fit, bootstrap, expected) in [
            (None, None, None),
            (Some(Family::Truncated), None, Some(true)),
            (Some(Family::Lognormal), gof(0.9), Some(false)),
            (Some(Family::PowerLaw), gof(0.05), Some(false)),
            (None, gof(0.1), Some(true)),
        ] {
            assert_eq!(TailColumns { best_fit, bootstrap, ..TailColumns::default() }.power_law(), expected);
        }
    }
}
