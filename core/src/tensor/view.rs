//! Smaller views of a tensor: one index of an axis, a range of it, two axes as one.

use std::fmt;
use std::sync::Arc;

use super::{Quantization, Tensor};

/// NaN and infinite elements of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonFinite {
    /// How many are NaN.
    pub nan: usize,
    /// How many are infinite.
    pub infinite: usize,
    /// Index of the first of either, in row-major order.
    pub first: Vec<usize>,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = [(self.nan, "NaN"), (self.infinite, "infinite")]
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let first: Vec<String> = self.first.iter().map(ToString::to_string).collect();
        write!(f, "contains {}, first at [{}]", counts.join(" and "), first.join(","))
    }
}

impl Tensor {
    /// The tensor without `axis`, at `index` of it.
    ///
    /// # Panics
    /// When the axis or the index is out of range.
    pub(crate) fn select(&self, axis: usize, index: usize) -> Tensor {
        let mut view = self.narrow(axis, index, 1);
        view.shape.remove(axis);
        view.strides.remove(axis);
        if let Some(q) = view.quantization.as_mut() {
            let left = match q.axis {
                Some(a) if a == axis => None,
                Some(a) if a > axis => Some(a - 1),
                other => other,
            };
            Arc::make_mut(q).axis = left;
        }
        view
    }

    /// The tensor with `axis` cut to `start..start + len`.
    ///
    /// # Panics
    /// When the axis or the range is out of range.
    pub(crate) fn narrow(&self, axis: usize, start: usize, len: usize) -> Tensor {
        assert!(start + len <= self.shape[axis], "range beyond the axis");
        let mut view = self.clone();
        view.shape[axis] = len;
        if !view.is_empty() {
            view.origin = (view.origin as isize + start as isize * view.strides[axis]) as usize;
        }
        if let Some(q) = view.quantization.as_mut()
            && q.axis == Some(axis)
        {
            let Quantization { scales, zero_points, .. } = Arc::make_mut(q);
            *scales = scales[start..start + len].to_vec();
            if !zero_points.is_empty() {
                *zero_points = zero_points[start..start + len].to_vec();
            }
        }
        view
    }

    /// Whether `axis` and the one after it can be walked as one.
    pub(crate) fn mergeable(&self, axis: usize) -> bool {
        let next = axis + 1;
        let quantized = self.quantization().and_then(|q| q.axis);
        let apart = quantized == Some(axis) || quantized == Some(next);
        !apart
            && (self.shape[axis] == 1
                || self.shape[next] == 1
                || Some(self.strides[axis]) == self.strides[next].checked_mul(self.shape[next] as isize))
    }

    /// `axis` and the one after it as one axis.
    pub(crate) fn merge(&self, axis: usize) -> Tensor {
        debug_assert!(self.mergeable(axis));
        let mut view = self.clone();
        let extent = view.shape.remove(axis + 1);
        let stride = view.strides.remove(axis + 1);
        if extent != 1 {
            view.strides[axis] = stride;
        }
        view.shape[axis] *= extent;
        if let Some(q) = view.quantization.as_mut() {
            let shifted = q.axis.map(|a| if a > axis { a - 1 } else { a });
            Arc::make_mut(q).axis = shifted;
        }
        view
    }

    /// `axis` moved before all others.
    pub(crate) fn move_axis_to_front(&mut self, axis: usize) {
        self.shape[..=axis].rotate_right(1);
        self.strides[..=axis].rotate_right(1);
        if let Some(q) = self.quantization.as_mut() {
            let moved = q.axis.map(|a| if a == axis { 0 } else { a + usize::from(a < axis) });
            Arc::make_mut(q).axis = moved;
        }
    }

    /// Looks for NaN and infinities; `None` where every element is finite.
    pub fn non_finite(&self) -> Option<NonFinite> {
        let mut found = NonFinite { nan: 0, infinite: 0, first: Vec::new() };
        let (outer, inner) = match self.shape.split_last() {
            None => (&[][..], 1),
            Some((&inner, outer)) => (outer, inner),
        };
        if self.is_empty() {
            return None;
        }
        let mut run = vec![0.0; inner];
        let mut index = vec![0; outer.len()];
        loop {
            self.read_run(&index, self.shape.len().checked_sub(1), &mut run);
            for (k, v) in run.iter().enumerate().filter(|(_, v)| !v.is_finite()) {
                if found.nan + found.infinite == 0 {
                    found.first.clone_from(&index);
                    found.first.extend((!self.shape.is_empty()).then_some(k));
                }
                *(if v.is_nan() { &mut found.nan } else { &mut found.infinite }) += 1;
            }
            if !advance(&mut index, outer) {
                return (found.nan + found.infinite > 0).then_some(found);
            }
        }
    }
}

/// The next index in row-major order; `false` after the last.
pub(crate) fn advance(index: &mut [usize], shape: &[usize]) -> bool {
    for (i, extent) in index.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < *extent {
            return true;
        }
        *i = 0;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(shape: Vec<usize>) -> Tensor {
        let n: usize = shape.iter().product();
        Tensor::from_f64(shape, &(0..n).map(|i| i as f64).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn views_read_the_elements_they_name() {
        let t = counting(vec![2, 3, 4]);
        assert_eq!(t.select(1, 2).to_vec(), [8.0, 9.0, 10.0, 11.0, 20.0, 21.0, 22.0, 23.0]);
        assert_eq!(t.narrow(2, 1, 2).select(0, 1).to_vec(), [13.0, 14.0, 17.0, 18.0, 21.0, 22.0]);
        assert!(t.mergeable(0) && t.mergeable(1) && !t.narrow(2, 0, 3).mergeable(1));
        assert_eq!(t.merge(1).shape(), [2, 12]);
        assert_eq!(t.merge(1).to_vec(), t.to_vec());
    }

    #[test]
    fn scales_follow_their_channel_through_views() {
        let q =
            Quantization { axis: Some(1), scales: vec![1.0, 10.0, 100.0], zero_points: vec![0.0, 1.0, 2.0] };
        let t = counting(vec![2, 3]).quantized(q).unwrap();
        assert_eq!(t.to_vec(), [0.0, 0.0, 0.0, 3.0, 30.0, 300.0]);
        assert_eq!(t.select(1, 1).to_vec(), [0.0, 30.0]);
        assert_eq!(t.narrow(1, 1, 2).to_vec(), [0.0, 0.0, 30.0, 300.0]);
        assert_eq!(t.select(0, 1).to_vec(), [3.0, 30.0, 300.0]);
    }

    #[test]
    fn non_finite_elements_are_counted_and_the_first_is_located() {
        let mut values = vec![0.5; 12];
        assert_eq!(Tensor::from_f64(vec![3, 4], &values).unwrap().non_finite(), None);
        values[6] = f64::INFINITY;
        values[7] = f64::NAN;
        values[11] = f64::NAN;
        let found = Tensor::from_f64(vec![3, 4], &values).unwrap().non_finite().unwrap();
        assert_eq!(found, NonFinite { nan: 2, infinite: 1, first: vec![1, 2] });
    }
}
