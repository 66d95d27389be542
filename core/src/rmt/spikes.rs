//! Eigenvalues beyond the bulk.

/// How many of the ascending eigenvalues are above the edge.
pub fn count_above(ascending: &[f64], edge: f64) -> usize {
    ascending.len() - ascending.partition_point(|v| *v <= edge)
}
