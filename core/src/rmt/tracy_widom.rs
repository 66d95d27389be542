//! The Tracy-Widom law of the largest eigenvalue of a real Gaussian Gram matrix (β = 1), from its Painlevé equation.

/// Where the integration starts: above it the law has less than 1e-7 of its mass, which the start accounts for.
const START: f64 = 9.0;
/// Where it ends: below it the law has less than 1e-6 of its mass, and the integration is no longer stable.
const END: f64 = -6.0;
const STEPS: usize = 3000;

/// Ai(x) and Ai'(x) for large x, by their asymptotic series.
fn airy(x: f64) -> (f64, f64) {
    let zeta = 2.0 / 3.0 * x.powf(1.5);
    let (mut value, mut slope, mut u, mut sign) = (1.0, 1.0, 1.0, 1.0);
    for k in 1..12 {
        let k = f64::from(k);
        u *= (6.0 * k - 5.0) * (6.0 * k - 3.0) * (6.0 * k - 1.0) / (216.0 * k * (2.0 * k - 1.0)) / zeta;
        sign = -sign;
        value += sign * u;
        slope += sign * u * (6.0 * k + 1.0) / (1.0 - 6.0 * k);
    }
    let front = (-zeta).exp() / (2.0 * std::f64::consts::PI.sqrt());
    (front * value / x.powf(0.25), -front * slope * x.powf(0.25))
}

/// q, q', `∫_s^∞ q²`, `∫_s^∞ (x - s) q²`, `∫_s^∞ q`, where `q'' = s q + 2 q³` and q ~ Ai (Hastings and McLeod).
type State = [f64; 5];

fn slope(s: f64, y: &State) -> State {
    let [q, dq, square, ..] = *y;
    [dq, s * q + 2.0 * q * q * q, -q * q, -square, -q]
}

fn step(s: f64, y: &State, h: f64) -> State {
    let along = |k: &State, f: f64| std::array::from_fn(|i| y[i] + f * h * k[i]);
    let k1 = slope(s, y);
    let k2 = slope(s + 0.5 * h, &along(&k1, 0.5));
    let k3 = slope(s + 0.5 * h, &along(&k2, 0.5));
    let k4 = slope(s + h, &along(&k3, 1.0));
    std::array::from_fn(|i| y[i] + h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]))
}

fn start() -> State {
    let (ai, slope) = airy(START);
    // d/ds (s Ai² - Ai'²) = Ai²; the other two integrals are taken by their leading terms.
    let square = slope * slope - START * ai * ai;
    [ai, slope, square, square / (2.0 * START.sqrt()), ai / START.sqrt()]
}

/// `log F₁` of a state: `-½ (∫ q + ∫ (x - s) q²)`.
fn log_cdf(y: &State) -> f64 {
    -0.5 * (y[4] + y[3])
}

/// The value below which a Tracy-Widom variable stays with probability `p`; NaN outside (0, 1), and limited to [-6, 9].
pub fn tracy_widom_quantile(p: f64) -> f64 {
    if !(p > 0.0 && p < 1.0) {
        return f64::NAN;
    }
    let (target, h) = (p.ln(), (END - START) / STEPS as f64);
    let (mut s, mut y) = (START, start());
    if log_cdf(&y) <= target {
        return START;
    }
    for _ in 0..STEPS {
        let next = step(s, &y, h);
        if log_cdf(&next) <= target {
            let (mut near, mut far) = (0.0, 1.0);
            for _ in 0..40 {
                let mid = 0.5 * (near + far);
                let inside = log_cdf(&step(s, &y, mid * h)) > target;
                *(if inside { &mut near } else { &mut far }) = mid;
            }
            return s + 0.5 * (near + far) * h;
        }
        (s, y) = (s + h, next);
    }
    END
}

/// Centre and scale of the largest eigenvalue of `WᵀW`, W of shape N x M with independent entries of unit variance: `μ + s X`, X
/// Tracy-Widom (Johnstone 2001, with Ma's 2012 shifts of one half, which make it good to the second order).
pub fn johnstone(n: f64, m: f64) -> (f64, f64) {
    let (a, b) = ((n - 0.5).sqrt(), (m - 0.5).sqrt());
    ((a + b) * (a + b), (a + b) * (1.0 / a + 1.0 / b).cbrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_published_ones() {
        // Bejan, "Largest eigenvalues and sample covariance matrices", 2005, and Johnstone 2001, table 1.
        for (p, quantile) in [
            (0.01, -3.8954),
            (0.05, -3.1804),
            (0.10, -2.7824),
            (0.50, -1.2686),
            (0.90, 0.4501),
            (0.95, 0.9793),
            (0.99, 2.0234),
        ] {
            let found = tracy_widom_quantile(p);
            assert!((found - quantile).abs() < 2e-4, "{p}: {found} {quantile}");
        }
    }

    #[test]
    fn far_quantiles_follow_the_tail_of_the_law() {
        // 1 - F₁(s) ~ exp(-2/3 s^1.5) / (4 √π s^0.75) for large s.
        for p in [1e-4, 1e-6] {
            let s = tracy_widom_quantile(1.0 - p);
            let tail = (-2.0 / 3.0 * s.powf(1.5)).exp() / (4.0 * std::f64::consts::PI.sqrt() * s.powf(0.75));
            assert!((tail / p - 1.0).abs() < 0.15, "{p}: {s} {tail:e}");
        }
        assert!(tracy_widom_quantile(0.0).is_nan() && tracy_widom_quantile(1.0).is_nan());
    }

    #[test]
    fn the_airy_function_agrees_with_tables() {
        // Ai(9) by Abramowitz and Stegun, table 10.11.
        let (value, slope) = airy(9.0);
        assert!((value / 2.4711684e-9 - 1.0).abs() < 1e-6, "{value:e}");
        let difference = (airy(9.0 + 1e-4).0 - airy(9.0 - 1e-4).0) / 2e-4;
        assert!((slope / difference - 1.0).abs() < 1e-6, "{slope:e} {difference:e}");
    }
}
