//! Sharpening: correlation traps taken out of a layer.

use eigenscope_linalg::Order;
use ndarray::Array2;

use super::engine::{Layer, LayerError, Work};
use super::localized::localized;
use super::matrix::{taken_apart, without_largest};
use crate::analysis::{Options, Randomization, Row};
use crate::matrix::MatrixView;
use crate::rmt::{Ensemble, Trap, find_traps};
use crate::spectrum::stream;
use crate::tensor::Tensor;

/// Searches for traps after some have been taken out.
const ROUNDS: usize = 32;

/// How traps are taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SharpenMethod {
    /// The weights that carry a trap become 0; no other weight changes.
    #[default]
    Localized,
    /// As many of the largest singular values as there are traps are removed, whatever they are of (WeightWatcher's SVDSharpness).
    Svd,
}

/// Sharpening of every layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sharpening {
    /// How traps are taken out.
    pub method: SharpenMethod,
}

/// Under the reference's conventions, what its count of traps takes: one shuffle and its fit.
pub(super) fn options(options: &Options) -> Option<Options> {
    let reference = options.conventions.randomization == Randomization::Reference;
    reference.then(|| Options { randomize: true, replicas: Some(1), traps: false, ..options.clone() })
}

/// How traps of a layer's matrices are looked for: as the columns of an analysis do.
pub(super) struct Search<'a> {
    layer: &'a Layer<'a>,
    slice: usize,
}

impl Search<'_> {
    /// The traps of a matrix; places of carriers are rows and columns of the matrix, whichever way it is stored.
    pub fn first(&self, view: &MatrixView) -> Vec<Trap> {
        self.traps(view, view.stored(0, 1) == (1, 0))
    }

    /// The traps of what has become of it, in the order of memory of the view: the same shuffle as an analysis of the result makes.
    pub fn again(&self, view: &MatrixView, matrix: &Array2<f64>) -> Vec<Trap> {
        let turned = view.order() == Order::ColMajor;
        let tensor = if turned { Tensor::from_array(&matrix.t()) } else { Tensor::from_array(matrix) };
        self.traps(&MatrixView::new(tensor, 1), turned)
    }

    fn traps(&self, view: &MatrixView, turned: bool) -> Vec<Trap> {
        let layer = self.layer;
        let ensemble = Ensemble { n: view.rows(), m: view.cols(), count: layer.views.len() };
        let seed = stream(layer.options.seed, layer.longname, self.slice, 0);
        let mut traps = find_traps(view, self.slice, ensemble, 1.0, layer.options.tw_quantile, seed);
        if turned {
            let carriers = traps.iter_mut().flat_map(|t| &mut t.carriers);
            carriers.for_each(|c| std::mem::swap(&mut c.row, &mut c.col));
        }
        traps
    }
}

/// One row's matrices; `row` holds the reference's count of traps, where that is asked for.
pub(super) fn sharpen(
    layer: &Layer<'_>,
    row: Option<&Row>,
    method: SharpenMethod,
) -> Result<Work, LayerError> {
    if let Some(row) = row.filter(|_| method == SharpenMethod::Svd) {
        return by_count(layer, row);
    }
    let mut work = Work::default();
    for (k, view) in layer.views.iter().enumerate() {
        let search = Search { layer, slice: layer.slice + k };
        let found = search.first(view);
        work.traps += found.len();
        if found.is_empty() {
            if method == SharpenMethod::Svd {
                work.keep(view.cols(), view.cols());
            }
            work.matrices.push(None);
            continue;
        }
        match method {
            SharpenMethod::Localized => {
                let cut = localized(view, &search, found, ROUNDS);
                work.traps_left += cut.left;
                work.weights += cut.weights;
                work.matrices.push((cut.weights > 0).then_some(cut.matrix));
            }
            SharpenMethod::Svd => by_svd(layer, view, &search, found.len(), &mut work)?,
        }
    }
    if work.traps == 0 {
        return Err(LayerError::Unchanged("no traps".to_owned()));
    }
    Ok(work)
}

/// Removes as many of the largest singular values as there are traps. Where something else is larger than a trap, the trap is left.
fn by_svd(
    layer: &Layer<'_>,
    view: &MatrixView,
    search: &Search<'_>,
    traps: usize,
    work: &mut Work,
) -> Result<(), LayerError> {
    let svd = taken_apart(view, layer.threads)?;
    let removed = traps.min(view.cols());
    let matrix = without_largest(view, &svd, removed, layer.threads);
    work.traps_left += search.again(view, &matrix).len();
    work.keep(view.cols() - removed, view.cols());
    work.matrices.push(Some(matrix));
    Ok(())
}

/// WeightWatcher 0.7.7's way: the traps of all matrices together, shared out evenly, rounded up.
fn by_count(layer: &Layer<'_>, row: &Row) -> Result<Work, LayerError> {
    let traps = match row.num_traps.map(usize::try_from) {
        Some(Ok(0)) => return Err(LayerError::Unchanged("no traps".to_owned())),
        Some(Ok(traps)) => traps,
        _ => return Err(LayerError::Unchanged(format!("no count of traps: {}", row.reason))),
    };
    let each = traps.div_ceil(layer.views.len());
    let mut work = Work { traps, ..Work::default() };
    for view in layer.views {
        let removed = each.min(view.cols());
        let svd = taken_apart(view, layer.threads)?;
        work.matrices.push(Some(without_largest(view, &svd, removed, layer.threads)));
        work.keep(view.cols() - removed, view.cols());
    }
    Ok(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::Rng;

    #[test]
    fn a_second_look_at_an_unchanged_matrix_sees_the_same_traps_in_the_same_places() {
        let options = Options::default();
        for (rows, cols) in [(40, 70), (70, 40), (50, 50)] {
            let mut rng = Rng::new(4);
            let mut values: Vec<f64> = (0..rows * cols).map(|_| f64::from(rng.normal() as f32)).collect();
            (values[cols + 7], values[30 * cols + 3]) = (40.0, -30.0);
            let tensor = Tensor::from_f64(vec![rows, cols], &values).unwrap();
            let mut turned = tensor.clone();
            turned.move_axis_to_front(1);
            for tensor in [tensor, turned] {
                let view = MatrixView::new(tensor, 1);
                let views = std::slice::from_ref(&view);
                let layer = Layer { longname: "w", views, slice: 0, options: &options, threads: 1 };
                let search = Search { layer: &layer, slice: 0 };
                let (first, matrix) = (search.first(&view), view.to_array());
                assert_eq!(search.again(&view, &matrix), first);
                let carried = first.iter().map(|t| matrix[(t.carriers[0].row, t.carriers[0].col)]);
                assert_eq!(carried.collect::<Vec<_>>(), [40.0, -30.0], "{rows}x{cols}");
            }
        }
    }
}
