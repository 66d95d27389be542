//! A kernel density of eigenvalues on a regular grid.

/// `ρ(x) = 1/(n h) Σ max(0, 1 - |x - y_i| / h)` at `points` equidistant x from 0 to `end`, both included: a triangular kernel of
/// half-width h. Costs the number of values times the grid points within h of each.
pub fn triangular_density(values: &[f64], half_width: f64, end: f64, points: usize) -> Vec<(f64, f64)> {
    let step = end / (points - 1) as f64;
    let mut density: Vec<(f64, f64)> = (0..points).map(|k| (k as f64 * step, 0.0)).collect();
    for &y in values {
        let first = ((y - half_width) / step).floor().max(0.0) as usize;
        for (x, sum) in density.iter_mut().skip(first) {
            if *x > y + half_width {
                break;
            }
            *sum += (1.0 - (*x - y).abs() / half_width).max(0.0);
        }
    }
    let total = values.len() as f64 * half_width;
    density.iter_mut().for_each(|(_, sum)| *sum /= total);
    density
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_density_has_unit_mass_and_the_kernel_s_shape() {
        let density = triangular_density(&[1.0, 1.0, 2.0], 0.1, 3.0, 3001);
        let mass: f64 = density.iter().map(|(_, d)| d * 0.001).sum();
        assert!((mass - 1.0).abs() < 1e-9, "{mass}");
        assert!((density[1000].1 - 2.0 / 0.3).abs() < 1e-9 && (density[2050].1 - 0.5 / 0.3).abs() < 1e-9);
        assert_eq!(density[1500].1, 0.0);
    }
}
