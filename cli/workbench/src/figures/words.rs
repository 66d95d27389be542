//! Titles.

use eigenscope::analysis::{Inspection, Row, Status};

use super::scale::number;
use crate::pages::forbidden;

/// What may be drawn of a text that comes from a file.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if forbidden(c) || c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// `Layer 7 (encoder.fc1)`, with the slice where there is one.
pub(super) fn layer(row: &Row) -> String {
    let slice = row.slice_id.map_or_else(String::new, |s| format!(":{s}"));
    format!("Layer {}{slice} ({})", row.layer_id, clean(&row.longname))
}

/// `ESD of Layer 7 (encoder.fc1)`.
pub(super) fn title(what: &str, inspection: &Inspection) -> String {
    format!("{what}, {}", layer(&inspection.row))
}

/// The numbers of the fit, or why there is none.
pub(super) fn fit(row: &Row) -> String {
    match (row.status, row.alpha, row.xmin) {
        (Status::Success, Some(alpha), Some(xmin)) => {
            let mut words = numbers(alpha, row.D, xmin, row.sigma);
            if let (Some(tail), Some(all)) = (row.num_pl_spikes, row.num_evals) {
                words += &format!(" · {tail} of {all} eigenvalues in the tail");
            }
            words
        }
        _ => format!("no power law: {}", clean(&row.reason)),
    }
}

pub(super) fn numbers(alpha: f64, d: Option<f64>, xmin: f64, sigma: Option<f64>) -> String {
    let mut words = format!("α = {alpha:.3}");
    if let Some(d) = d {
        words += &format!(" · D = {d:.3}");
    }
    words += &format!(" · xmin = {}", number(xmin, 4));
    if let Some(sigma) = sigma {
        words += &format!(" · σ = {sigma:.3}");
    }
    words
}
