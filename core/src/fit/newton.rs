//! Maximum likelihood in two parameters by Fisher scoring.

/// Steps after which a search gives up; concave likelihoods take fewer than 20.
const STEPS: usize = 100;
/// Squared length of a step, in standard deviations of one observation, at which the maximum is found.
const FOUND: f64 = 1e-20;

/// The second parameter is a logarithm: never more than a factor of e^3 at a time.
const FARTHEST: f64 = 3.0;

/// A mean log-likelihood at some parameters, its gradient, and the Fisher information of one observation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slope {
    pub value: f64,
    pub gradient: [f64; 2],
    /// Information of the first parameter, of both, of the second.
    pub information: [f64; 3],
}

/// The parameters with the largest likelihood, the first not below `least`; `None` where arithmetic fails.
pub(super) fn maximum(start: [f64; 2], least: f64, slope: impl Fn([f64; 2]) -> Slope) -> Option<[f64; 2]> {
    let mut at = [start[0].max(least), start[1]];
    let mut here = slope(at);
    for _ in 0..STEPS {
        if !here.value.is_finite() {
            return None;
        }
        let [g0, g1] = here.gradient;
        let [i00, i01, i11] = here.information;
        let stuck = at[0] <= least && g0 <= 0.0;
        let determinant = i00 * i11 - i01 * i01;
        let mut step = [(g0 * i11 - g1 * i01) / determinant, (g1 * i00 - g0 * i01) / determinant];
        let sound = determinant > 1e-14 * i00 * i11 && at[0] + step[0] >= least && step[1].abs() <= FARTHEST;
        if stuck || !sound {
            // Each by itself: uphill whatever the other does.
            let alone = (g0 / i00).max(least - at[0]);
            step = [if stuck { 0.0 } else { alone }, (g1 / i11).clamp(-FARTHEST, FARTHEST)];
        }
        let gain = g0 * step[0] + g1 * step[1];
        if gain.is_nan() || gain <= FOUND {
            return Some(at);
        }
        let mut length = 1.0;
        loop {
            let next = [(at[0] + length * step[0]).max(least), at[1] + length * step[1]];
            let there = slope(next);
            if there.value >= here.value {
                (at, here) = (next, there);
                break;
            }
            length /= 2.0;
            if length < 1e-6 {
                return Some(at);
            }
        }
    }
    Some(at)
}

/// Nodes above 0 and weights of the 16-point Gauss-Legendre rule.
const NODES: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_64),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_64),
    (0.458_016_777_657_227_37, 0.169_156_519_395_002_65),
    (0.617_876_244_402_643_8, 0.149_595_988_816_576_7),
    (0.755_404_408_355_003, 0.124_628_971_255_534_07),
    (0.865_631_202_387_831_8, 0.095_158_511_682_492_6),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_456),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_176),
];

/// Mass, means and covariances of a pair of statistics under a density on `[from, to]` that need not be normalised.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    pub mass: f64,
    pub means: [f64; 2],
    /// Variance of the first, covariance, variance of the second.
    pub spread: [f64; 3],
}

/// Integrates over panels of that many; `at(y)` gives the density and the two statistics.
pub(super) fn moments(from: f64, to: f64, panels: usize, at: impl Fn(f64) -> (f64, [f64; 2])) -> Moments {
    let half = (to - from) / (2 * panels) as f64;
    let mut sums = [0.0; 6];
    for panel in 0..panels {
        let centre = from + (2 * panel + 1) as f64 * half;
        for (node, weight) in NODES {
            for y in [centre - half * node, centre + half * node] {
                let (density, [a, b]) = at(y);
                let w = weight * half * density;
                for (sum, term) in sums.iter_mut().zip([w, w * a, w * b, w * a * a, w * a * b, w * b * b]) {
                    *sum += term;
                }
            }
        }
    }
    let [mass, a, b, aa, ab, bb] = sums;
    let (a, b) = (a / mass, b / mass);
    Moments { mass, means: [a, b], spread: [aa / mass - a * a, ab / mass - a * b, bb / mass - b * b] }
}
