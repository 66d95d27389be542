//! Whether eigenvalues repel each other.

/// Mean of `min(s, s') / max(s, s')` over neighbouring gaps s, s' of ascending eigenvalues: about 0.5307 where they repel as those of random
/// matrices do, 0.3863 where they fall independently (Oganesyan, Huse 2007; Atas et al. 2013). Equal triples are left out;
/// `None` where nothing is left.
pub fn level_ratio(ascending: &[f64]) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0usize);
    for triple in ascending.windows(3) {
        let (below, above) = (triple[1] - triple[0], triple[2] - triple[1]);
        if below.max(above) > 0.0 {
            sum += below.min(above) / below.max(above);
            count += 1;
        }
    }
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::Rng;

    #[test]
    fn independent_points_have_the_ratio_of_poisson() {
        let mut rng = Rng::new(2);
        let mut points: Vec<f64> = (0..40_000).map(|_| rng.uniform()).collect();
        points.sort_by(f64::total_cmp);
        let ratio = level_ratio(&points).unwrap();
        assert!((ratio - (2.0 * 2f64.ln() - 1.0)).abs() < 0.005, "{ratio}");
    }

    #[test]
    fn even_points_have_ratio_one_and_equal_ones_none() {
        assert!((level_ratio(&[1.0, 2.0, 3.0, 4.0]).unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(level_ratio(&[1.0; 9]), None);
        assert_eq!(level_ratio(&[1.0, 2.0]), None);
    }
}
