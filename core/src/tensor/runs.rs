//! Every element of a tensor, a buffer at a time.

use super::{Tensor, advance};

/// Numbers decoded at a time: what fits a level-1 cache.
const RUN: usize = 1024;

impl Tensor {
    /// Hands out all elements in row-major order, 1024 at a time whatever the strides; fewer at the end only.
    pub(crate) fn for_each_run(&self, mut take: impl FnMut(&[f64])) {
        if self.is_empty() {
            return;
        }
        let mut buffer = [0.0; RUN];
        // One long run reads faster than many short ones.
        let merged = (0..self.shape().len().saturating_sub(1))
            .rev()
            .fold(self.clone(), |t, axis| if t.mergeable(axis) { t.merge(axis) } else { t });
        let Some((&inner, outer)) = merged.shape().split_last() else {
            merged.read_run(&[], None, &mut buffer[..1]);
            return take(&buffer[..1]);
        };
        let axis = outer.len();
        let mut index = vec![0; axis + 1];
        let mut filled = 0;
        loop {
            let mut start = 0;
            while start < inner {
                let count = (inner - start).min(RUN - filled);
                index[axis] = start;
                merged.read_run(&index, Some(axis), &mut buffer[filled..filled + count]);
                (start, filled) = (start + count, filled + count);
                if filled == RUN {
                    take(&buffer);
                    filled = 0;
                }
            }
            if !advance(&mut index[..axis], outer) {
                return take(&buffer[..filled]);
            }
        }
    }
}
