//! How far a spectrum is from another.

/// WeightWatcher's `rand_distance`: the Jensen-Shannon distance of the two *sorted vectors* of eigenvalues, each divided by its sum (no
/// densities are compared). NaN where one is all zero or the lengths differ.
pub fn vector_distance(p: &[f64], q: &[f64]) -> f64 {
    let (sum_p, sum_q) = (p.iter().sum::<f64>(), q.iter().sum::<f64>());
    if p.len() != q.len() || sum_p <= 0.0 || sum_q <= 0.0 {
        return f64::NAN;
    }
    let sum_m = 0.5 * (sum_p + sum_q);
    let term = |a: f64, m: f64| if a > 0.0 { a * (a / m).ln() } else { 0.0 };
    let (mut left, mut right) = (0.0, 0.0);
    for (a, b) in p.iter().zip(q) {
        let m = 0.5 * (a + b) / sum_m;
        left += term(a / sum_p, m);
        right += term(b / sum_q, m);
    }
    // Rounding may leave equal spectra a hair below zero.
    let sum = 0.5 * (left + right);
    if sum.is_nan() { sum } else { sum.max(0.0).sqrt() }
}

/// The Wasserstein distance of two spectral densities, `∫ |F - G| dλ`, over the mean of the first; both ascending.
pub fn wasserstein(p: &[f64], q: &[f64]) -> f64 {
    let (n, k) = (p.len() as f64, q.len() as f64);
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    let mut last = f64::NAN;
    while i < p.len() || j < q.len() {
        let from_p = j >= q.len() || (i < p.len() && p[i] <= q[j]);
        let next = if from_p { p[i] } else { q[j] };
        if i + j > 0 {
            sum += (i as f64 / n - j as f64 / k).abs() * (next - last);
        }
        last = next;
        *(if from_p { &mut i } else { &mut j }) += 1;
    }
    sum / (p.iter().sum::<f64>() / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_distance_is_the_reference_s() {
        let d = vector_distance(&[1.0, 2.0, 3.0, 4.0], &[1.0, 1.0, 1.0, 5.0]);
        assert!((d - 0.191_061_559_270).abs() < 1e-12, "{d}");
        assert_eq!(vector_distance(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
        assert!(vector_distance(&[0.0, 0.0], &[1.0, 2.0]).is_nan());
    }

    #[test]
    fn the_distance_of_densities_is_that_of_the_transport() {
        assert!((wasserstein(&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0]) - 0.5).abs() < 1e-15);
        assert!((wasserstein(&[2.0], &[1.0, 3.0]) - 0.5).abs() < 1e-15);
        assert_eq!(wasserstein(&[1.0, 5.0], &[1.0, 5.0]), 0.0);
    }
}
