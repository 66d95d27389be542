//! Histograms of positive numbers.

/// Bins and the density in each.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Ascending, one more than bins.
    pub edges: Vec<f64>,
    /// Share of the values in a bin over its width.
    pub density: Vec<f64>,
    /// Values in each bin.
    pub counts: Vec<usize>,
}

impl Histogram {
    /// Bins of equal width over ascending values; `None` for fewer than two different ones.
    pub fn linear(ascending: &[f64], bins: usize) -> Option<Self> {
        let (low, high) = (*ascending.first()?, *ascending.last()?);
        let edge = |k: usize| low + (high - low) * k as f64 / bins as f64;
        (high > low).then(|| Histogram::new(ascending, (0..=bins).map(edge).collect()))
    }

    /// Bins of equal ratio over ascending positive values; `None` likewise.
    pub fn log(ascending: &[f64], bins: usize) -> Option<Self> {
        let (low, high) = (*ascending.first()?, *ascending.last()?);
        let edge = |k: usize| low * (high / low).powf(k as f64 / bins as f64);
        (low > 0.0 && high > low).then(|| Histogram::new(ascending, (0..=bins).map(edge).collect()))
    }

    /// Bins of equal width from `low` to `high`; the density is that of all values, those outside too. `None` where there is none inside.
    pub fn within(ascending: &[f64], low: f64, high: f64, bins: usize) -> Option<Self> {
        let inside =
            &ascending[ascending.partition_point(|v| *v < low)..ascending.partition_point(|v| *v <= high)];
        if inside.is_empty() || high <= low {
            return None;
        }
        let edge = |k: usize| low + (high - low) * k as f64 / bins as f64;
        let mut found = Histogram::new(inside, (0..=bins).map(edge).collect());
        let share = inside.len() as f64 / ascending.len() as f64;
        found.density.iter_mut().for_each(|d| *d *= share);
        Some(found)
    }

    fn new(ascending: &[f64], edges: Vec<f64>) -> Self {
        let bins = edges.len() - 1;
        // The last bin holds its upper edge.
        let below = |k: usize| {
            if k == bins {
                ascending.len()
            } else if k == 0 {
                0
            } else {
                ascending.partition_point(|v| *v < edges[k])
            }
        };
        let counts: Vec<usize> = (0..bins).map(|k| below(k + 1).saturating_sub(below(k))).collect();
        let total = ascending.len() as f64;
        let density =
            counts.iter().zip(edges.windows(2)).map(|(c, e)| *c as f64 / (total * (e[1] - e[0]))).collect();
        Histogram { edges, density, counts }
    }

    /// Middle of each bin that holds something, by ratio, and the density there.
    pub fn points(&self) -> Vec<(f64, f64)> {
        let bins = self.edges.windows(2).zip(&self.density);
        bins.filter(|(_, d)| **d > 0.0).map(|(e, d)| ((e[0] * e[1]).sqrt(), *d)).collect()
    }

    /// The largest density.
    pub fn peak(&self) -> f64 {
        self.density.iter().copied().fold(0.0, f64::max)
    }

    /// The smallest density of a bin that holds something.
    pub fn least(&self) -> f64 {
        self.density.iter().copied().filter(|d| *d > 0.0).fold(f64::INFINITY, f64::min)
    }
}

/// Bins for so many values: few values make no hundred bars.
pub fn bins(count: usize) -> usize {
    ((1.8 * (count as f64).sqrt()) as usize).clamp(12, 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bin_and_the_mass_is_one() {
        let values: Vec<f64> = (1..=1000).map(|k| (f64::from(k) / 100.0).powi(3)).collect();
        for histogram in [Histogram::linear(&values, 37).unwrap(), Histogram::log(&values, 37).unwrap()] {
            assert_eq!(histogram.counts.iter().sum::<usize>(), 1000);
            let mass: f64 = histogram
                .density
                .iter()
                .zip(histogram.edges.windows(2))
                .map(|(d, e)| d * (e[1] - e[0]))
                .sum();
            assert!((mass - 1.0).abs() < 1e-12, "{mass}");
        }
        assert_eq!(Histogram::log(&[2.0, 2.0], 5), None);
        assert_eq!(Histogram::log(&[], 5), None);
    }
}
