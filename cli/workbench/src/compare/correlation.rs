//! Pearson, Spearman and Kendall, each with an interval and the probability of as much by chance.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Coverage of the intervals.
pub const LEVEL: f64 = 0.95;
/// Most models for which the probability of a rank order is counted out; beyond, the normal law is as good.
const EXACT: usize = 60;

/// A coefficient and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Correlation {
    /// Between -1 and 1.
    pub value: f64,
    /// Lower end of the interval; `None` where there are too few models for one, or the order is perfect.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// Probability that unrelated numbers give a coefficient this low or lower.
    pub p_low: Option<f64>,
    /// Probability that they give one this high or higher.
    pub p_high: Option<f64>,
}

impl Correlation {
    /// Probability that unrelated numbers give a coefficient this far from zero, whichever way.
    pub fn p_two_sided(&self) -> Option<f64> {
        Some((2.0 * self.p_low?.min(self.p_high?)).min(1.0))
    }
}

/// The interval by Fisher's transformation, z = artanh r, with the variance of z given.
fn interval(r: f64, variance: Option<f64>) -> (Option<f64>, Option<f64>) {
    let (Some(variance), true) = (variance, r.abs() < 1.0) else { return (None, None) };
    let Ok(normal) = Normal::new(0.0, 1.0) else { return (None, None) };
    let half = normal.inverse_cdf(0.5 + LEVEL / 2.0) * variance.sqrt();
    (Some((r.atanh() - half).tanh()), Some((r.atanh() + half).tanh()))
}

fn over(numerator: f64, n: usize, fewer: usize) -> Option<f64> {
    (n > fewer).then(|| numerator / (n - fewer) as f64)
}

fn product_moment(x: &[f64], y: &[f64]) -> Option<f64> {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (dx, dy) = (x - mx, y - my);
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    let r = xy / (xx * yy).sqrt();
    // Rounding of constant numbers is no spread.
    let spread = |square: f64, mean: f64| square > n * (1e-14 * mean).powi(2);
    (spread(xx, mx) && spread(yy, my) && r.is_finite()).then(|| r.clamp(-1.0, 1.0))
}

/// The tails of Student's t with n - 2 degrees of freedom at r.
fn tails(r: f64, n: usize) -> (Option<f64>, Option<f64>) {
    if n < 3 {
        return (None, None);
    }
    let freedom = (n - 2) as f64;
    let Ok(law) = StudentsT::new(0.0, 1.0, freedom) else { return (None, None) };
    let t = r * (freedom / ((1.0 - r) * (1.0 + r))).sqrt();
    if t.is_infinite() {
        return if t > 0.0 { (Some(1.0), Some(0.0)) } else { (Some(0.0), Some(1.0)) };
    }
    (Some(law.cdf(t)), Some(law.sf(t)))
}

/// Pearson's r; its interval by Fisher's z with variance 1/(n - 3), its tails by Student's t (Fisher 1921). `None` for fewer
/// than three models, or where one side is constant.
pub fn pearson(x: &[f64], y: &[f64]) -> Option<Correlation> {
    let n = x.len();
    let value = (n >= 3).then(|| product_moment(x, y)).flatten()?;
    let (low, high) = interval(value, over(1.0, n, 3));
    let (p_low, p_high) = tails(value, n);
    Some(Correlation { value, low, high, p_low, p_high })
}

/// Spearman's rho: Pearson's r of ranks, ties sharing theirs. The variance of z is (1 + rho²/2)/(n - 3) (Bonett and Wright
/// 2000); tails by Student's t.
pub fn spearman(x: &[f64], y: &[f64]) -> Option<Correlation> {
    let n = x.len();
    let value = (n >= 3).then(|| product_moment(&ranks(x), &ranks(y))).flatten()?;
    let (low, high) = interval(value, over(1.0 + value * value / 2.0, n, 3));
    let (p_low, p_high) = tails(value, n);
    Some(Correlation { value, low, high, p_low, p_high })
}

/// Ranks from 1; equal numbers share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut at = 0;
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let shared = at as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|i| ranks[*i] = shared);
        at += tied.len();
    }
    ranks
}

/// Kendall's tau-b. The variance of z is .437/(n - 4) (Fieller, Hartley and Pearson 1957). Its tails are counted out where no
/// two numbers are equal and n is at most 60 (Kendall 1938), else by the normal law with the variance of tied ranks.
pub fn kendall(x: &[f64], y: &[f64]) -> Option<Correlation> {
    let n = x.len();
    if n < 3 {
        return None;
    }
    let (mut agree, mut differ, mut tied_x, mut tied_y) = (0u64, 0u64, 0u64, 0u64);
    for i in 0..n {
        for j in 0..i {
            let (a, b) = (x[i].total_cmp(&x[j]), y[i].total_cmp(&y[j]));
            tied_x += u64::from(a.is_eq());
            tied_y += u64::from(b.is_eq());
            if a.is_ne() && b.is_ne() {
                if a == b { agree += 1 } else { differ += 1 }
            }
        }
    }
    let pairs = (n * (n - 1) / 2) as f64;
    let scale = ((pairs - tied_x as f64) * (pairs - tied_y as f64)).sqrt();
    let score = agree as f64 - differ as f64;
    if scale == 0.0 {
        return None;
    }
    let value = (score / scale).clamp(-1.0, 1.0);
    let (low, high) = interval(value, over(0.437, n, 4));
    let (p_low, p_high) = if tied_x + tied_y == 0 && n <= EXACT {
        // `differ` is the number of inversions of a random order.
        let (few, many) = inversions(n, differ as usize);
        (Some(many), Some(few))
    } else {
        let Ok(law) = Normal::new(0.0, score_variance(x, y).sqrt()) else { return None };
        (Some(law.cdf(score)), Some(law.sf(score)))
    };
    Some(Correlation { value, low, high, p_low, p_high })
}

/// Probabilities that a random order of n has at most, and at least, so many inversions.
fn inversions(n: usize, count: usize) -> (f64, f64) {
    let mut chances = vec![1.0f64];
    for size in 2..=n {
        let mut next = vec![0.0; chances.len() + size - 1];
        for (at, chance) in chances.iter().enumerate() {
            next[at..at + size].iter_mut().for_each(|c| *c += chance / size as f64);
        }
        chances = next;
    }
    let few: f64 = chances.iter().take(count + 1).sum();
    let many: f64 = chances.iter().skip(count).sum();
    (few.min(1.0), many.min(1.0))
}

/// The variance of Kendall's score of unrelated numbers, ties counted (Kendall 1970).
fn score_variance(x: &[f64], y: &[f64]) -> f64 {
    let groups = |values: &[f64]| -> Vec<f64> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.chunk_by(|a, b| a == b).map(|g| g.len() as f64).collect()
    };
    let (tx, ty, n) = (groups(x), groups(y), x.len() as f64);
    let sum = |groups: &[f64], f: fn(f64) -> f64| groups.iter().map(|t| f(*t)).sum::<f64>();
    let v = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
    let two = |t: f64| t * (t - 1.0);
    let three = |t: f64| t * (t - 1.0) * (t - 2.0);
    let first = (v(n) - sum(&tx, v) - sum(&ty, v)) / 18.0;
    let second = sum(&tx, three) * sum(&ty, three) / (9.0 * three(n));
    let third = sum(&tx, two) * sum(&ty, two) / (2.0 * two(n));
    first + second + third
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 8] = [1.2, 2.5, 2.9, 3.3, 4.1, 4.4, 5.0, 7.0];
    const Y: [f64; 8] = [2.0, 1.0, 4.0, 3.5, 5.0, 7.5, 6.0, 9.0];

    fn near(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() < 1e-9 * expected.abs().max(1e-6), "{found} is not {expected}");
    }

    // The expected numbers are SciPy's: pearsonr (with confidence_interval()), spearmanr, kendalltau(method="exact") and, with
    // ties, kendalltau(method="asymptotic").
    #[test]
    fn coefficients_and_probabilities_are_scipys() {
        let r = pearson(&X, &Y).unwrap();
        near(Some(r.value), 0.9075563508429767);
        near(r.low, 0.5628308673064772);
        near(r.high, 0.983348212187896);
        near(r.p_two_sided(), 0.0018406171375470336);
        let rho = spearman(&X, &Y).unwrap();
        near(Some(rho.value), 0.9285714285714287);
        near(rho.p_two_sided(), 0.0008629681828999767);
        let tau = kendall(&X, &Y).unwrap();
        near(Some(tau.value), 0.7857142857142856);
        near(tau.p_two_sided(), 0.005505952380952381);

        let tied = [2.0, 1.0, 4.0, 4.0, 5.0, 7.5, 5.0, 9.0];
        near(Some(pearson(&X, &tied).unwrap().value), 0.8861808457071962);
        let rho = spearman(&X, &tied).unwrap();
        near(Some(rho.value), 0.9277781834703689);
        near(rho.p_two_sided(), 0.0008914953638238534);
        let tau = kendall(&X, &tied).unwrap();
        near(Some(tau.value), 0.8153742483272113);
        near(tau.p_two_sided(), 0.005702132761524342);
    }

    #[test]
    fn a_perfect_order_of_four_is_one_of_twenty_four() {
        let tau = kendall(&[4.0, 3.0, 2.0, 1.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!((tau.value, tau.low), (-1.0, None));
        near(tau.p_low, 1.0 / 24.0);
        near(tau.p_two_sided(), 1.0 / 12.0);
        near(tau.p_high, 1.0);
    }

    #[test]
    fn too_few_or_constant_numbers_have_no_coefficient() {
        assert_eq!(pearson(&[1.0, 2.0], &[1.0, 2.0]), None);
        assert_eq!(pearson(&[0.1; 3], &[1.0, 2.0, 3.0]), None);
        assert_eq!(kendall(&[0.1; 3], &[1.0, 2.0, 3.0]), None);
        assert_eq!(spearman(&[0.1; 3], &[1.0, 2.0, 3.0]), None);
    }

    #[test]
    fn ranks_of_equal_numbers_are_shared() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
    }
}
