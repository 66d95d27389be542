//! The row of a layer that is a product of two thin matrices, from them.

use super::inspect::Inspection;
use super::layer::{failed, fill};
use super::matrices::pooled_spectrum;
use super::requested::{Layer, add_requested};
use super::{LayerPlan, Options, Row};
use crate::matrix::{MatrixView, unfold};
use crate::source::{Product, SourceError, TensorInfo};
use crate::spectrum::{MatrixSpectrum, Method, SpectrumError, product_eigenvalues};
use crate::tensor::Tensor;

/// The row, or `None` where the product itself is the shorter way. `read` gives the product, for the columns that are about
/// its elements.
pub(super) fn analyze_product(
    plan: &LayerPlan,
    info: &TensorInfo,
    product: &Product,
    read: &dyn Fn() -> Result<Tensor, SourceError>,
    options: &Options,
    threads: usize,
    inspections: Option<&mut Vec<Inspection>>,
) -> Option<Row> {
    let shape = plan.matrices.filter(|s| s.count == 1)?;
    let row = plan.row(info);
    let eigenvalues = match product_eigenvalues(product, threads)? {
        Ok(values) => values,
        Err(error) => return Some(failed(row, &why(&error, product))),
    };
    let part = MatrixSpectrum { n: shape.n, m: shape.m, eigenvalues, method: Method::Gram };
    let spectrum = pooled_spectrum(vec![part], options, info);
    let of_elements = options.mp_fit || options.randomize || options.traps || options.vectors;
    let views: Vec<MatrixView> = if of_elements {
        match read() {
            Ok(tensor) => unfold(&tensor, &plan.unfolding),
            Err(error) => return Some(failed(row, &error.to_string())),
        }
    } else {
        Vec::new()
    };
    let mut row = fill(row, plan, &spectrum, 1.0, options, info);
    let made = add_requested(
        &mut row,
        &Layer { views: &views, slice: 0, spectrum: &spectrum, scale: 1.0, keep: plan.keep, threads },
        options,
    );
    if let Some(all) = inspections {
        all.push(Inspection::new(&row, spectrum, made, options));
    }
    Some(row)
}

fn why(error: &SpectrumError, product: &Product) -> String {
    let factors = [("B", &product.left), ("A", &product.right)];
    let broken = factors.into_iter().find_map(|(name, factor)| Some((name, factor.non_finite()?)));
    match broken {
        Some((name, found)) => format!("factor {name} {found}"),
        None => error.to_string(),
    }
}
