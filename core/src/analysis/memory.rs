//! What a layer's analysis takes of memory, and whose turn it is when not all fit.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::combined::Made;
use super::conventions::OperatorRule;
use super::estimated::worth_it;
use super::plan::LayerPlan;
use super::{Fit, Options};
use crate::source::TensorInfo;
use crate::spectrum::{BLOCK_NUMBERS, Estimate, MIN_BLOCK_ROWS, Precision, Solver};

/// Threads, stacks, the list of tensors, rows, and what allocators keep: what an analysis takes beside its layers.
const ASIDE: u64 = 32 << 20;

/// What a layer takes at most, in bytes: its tensor, as some formats are unpacked to be read, a block of it in doubles, Gram matrix or QR
/// factor, what the solver works on, and what the options ask for beside.
pub(super) fn needs(layer: &LayerPlan, infos: &[TensorInfo], options: &Options) -> u64 {
    let Some(shape) = layer.matrices else { return 0 };
    let (n, m) = layer.sides.filter(|_| layer.made != Made::Alone).unwrap_or((shape.n, shape.m));
    let (n, m, count) = (n.max(m) as f64, n.min(m) as f64, shape.count as f64);
    let number = if options.precision == Precision::F64 { 8.0 } else { 4.0 };
    let tensors = layer.made.tensors(layer.index).into_iter();
    let stored: f64 = tensors
        .map(|k| infos[k].shape.iter().map(|d| *d as f64).product::<f64>() * infos[k].dtype.size() as f64)
        .sum();
    // Matrices that are made: their sum in doubles, and twice more while they are put together.
    let made = if layer.made == Made::Alone { 0.0 } else { 3.0 * 8.0 * n * m + 2.0 * 8.0 * stored };
    let mut aside = 0.0f64;
    if layer.is_operator() {
        let side = match options.conventions.operator {
            OperatorRule::Frequencies => options.fft_size,
            OperatorRule::Reference => crate::spectrum::REFERENCE_SIDE,
        } as f64;
        // The taps in doubles, the matrix of a pair of frequencies thrice, and the values of all.
        let values = 8.0 * side * side * n.max(m);
        let pair = 3.0 * 8.0 * 4.0 * n * m + solve(2.0 * n, 2.0 * m, 8.0, options.solver);
        return (stored + 8.0 * n * m * count + pair + 4.0 * values) as u64;
    }
    // Sums over rows are made of eight pieces, each of which may be read at the same time.
    let blocks = 8.0 * 8.0 * m * (block_rows(n, m) + 128.0);
    match options.estimate {
        Estimate::Exact => {}
        // Eight sums of a block of vectors, and the vectors themselves with their images.
        Estimate::Top(k) if worth_it(n, m, k) => {
            let space = (6 * k + 6 * 64 + 64) as f64;
            return (stored + blocks + 8.0 * m * (2.5 * space + 9.0 * k as f64) + 64.0 * space * space)
                as u64;
        }
        Estimate::Density(steps) => {
            let steps = (steps as f64).min(m);
            return (stored + blocks + 8.0 * m * 8.0 * (steps + 12.0) + 64.0 * steps * steps) as u64;
        }
        // Rows as they are read and as windows, one of them in bytes too, its spectrum, and the eigenvalues of 81 at most with their places.
        Estimate::Windows(side) => {
            let side = m.min(side as f64);
            let spectrum = solve(side, side, number, options.solver);
            let copies = 2.0 * 8.0 * side * m + 3.0 * 8.0 * side * side;
            return (stored + blocks + copies + spectrum + 81.0 * count * 64.0 * side) as u64;
        }
        Estimate::Top(_) => {}
    }
    let elements = n * m;
    let shuffled = if options.randomize { 2.0 * 8.0 * elements } else { 0.0 };
    if options.randomize {
        let replicas = options.effective_replicas((m * count) as usize) as f64;
        aside = aside.max(shuffled + solve(n, m, number, options.solver) + 16.0 * replicas * m * count);
    }
    if options.traps {
        // The shuffle, where its elements came from, and a basis of 200 vectors.
        aside = aside.max((4.0 + 16.0) * elements + 8.0 * 256.0 * m);
    }
    if options.vectors {
        aside = aside.max(8.0 * elements + 8.0 * 6.0 * m * m);
    }
    let values = m * count;
    let fits = if options.fit == Fit::PowerLaw { 16.0 } else { 64.0 };
    let samples = if options.bootstrap > 0 || options.null_reference { 256.0 } else { 0.0 };
    let listed = 8.0 * values * (fits + samples);
    (stored + made + solve(n, m, number, options.solver).max(aside) + listed) as u64
}

/// Rows that are read at a time.
fn block_rows(n: f64, m: f64) -> f64 {
    (BLOCK_NUMBERS as f64 / m.max(1.0)).max(MIN_BLOCK_ROWS as f64).min(n)
}

/// Memory of one spectrum.
fn solve(n: f64, m: f64, number: f64, solver: Solver) -> f64 {
    let rows = block_rows(n, m);
    // As they are read, and as the Gram matrix packs them or the QR factorisation copies them.
    let block = number * m * (2.0 * rows + 256.0);
    // The two-stage solver needs half a matrix beside the Gram matrix and 14 panels of 48; the singular values of R, three matrices.
    let matrices = if solver == Solver::Native { 3.2 } else { 4.2 };
    block + number * (matrices * m * m + 16.0 * 48.0 * m)
}

/// Work that waits for its turn, and the memory it waits for.
#[derive(Debug)]
pub(super) struct Turns<T> {
    /// Bytes for all that is under way.
    limit: u64,
    workers: usize,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    /// With the memory it takes, in the order it should begin.
    left: Vec<(u64, T)>,
    used: u64,
    /// Workers that are not yet told that nothing is left for them.
    active: usize,
}

impl<T> Turns<T> {
    /// For so many workers, each of which asks for its [`next`](Self::next) turn until there is none.
    pub(super) fn new(left: Vec<(u64, T)>, limit: u64, workers: usize) -> Self {
        Turns { limit, workers, state: Mutex::new(State { left, used: 0, active: workers }) }
    }

    /// Whether there is no limit, and so room for memory that is kept for the next.
    pub(super) fn unlimited(&self) -> bool {
        self.limit == u64::MAX
    }

    /// The first whose memory is free. Where there is none the worker should end, rather than wait, which would stall a pool that others share;
    /// [`another`](Self::another) asks for a new one once memory is free.
    pub(super) fn next(&self) -> Option<(u64, T)> {
        let mut state = self.lock();
        let free = self.limit.saturating_sub(state.used);
        let Some(place) = state.left.iter().position(|(bytes, _)| *bytes <= free) else {
            state.active -= 1;
            return None;
        };
        let (bytes, item) = state.left.remove(place);
        state.used = state.used.saturating_add(bytes);
        Some((bytes, item))
    }

    /// So much is free again.
    pub(super) fn done(&self, bytes: u64) {
        let mut state = self.lock();
        state.used = state.used.saturating_sub(bytes);
    }

    /// Whether one more worker would find work, beside the one that asks; it counts from then on.
    pub(super) fn another(&self) -> bool {
        let mut state = self.lock();
        let free = self.limit.saturating_sub(state.used);
        let fitting = state.left.iter().filter(|(bytes, _)| *bytes <= free).take(2).count();
        let yes = state.active < self.workers && fitting > 1;
        state.active += usize::from(yes);
        yes
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes for layers in an analysis that may take so many.
pub(super) fn for_layers(max_memory: Option<u64>) -> u64 {
    max_memory.map_or(u64::MAX, |bytes| bytes.saturating_sub(ASIDE))
}

/// Why a layer that would never fit is skipped.
pub(super) fn too_large(bytes: u64, limit: u64) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    format!("takes up to {} MiB: max_memory leaves {} MiB to layers", mib(bytes), limit >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_begins_before_what_does_not_and_nothing_is_left_out() {
        let turns = Turns::new(vec![(60, 'a'), (50, 'b'), (30, 'c'), (40, 'd')], 100, 3);
        assert_eq!((turns.next(), turns.next()), (Some((60, 'a')), Some((30, 'c'))));
        assert_eq!(turns.next(), None);
        assert!(!turns.another(), "nothing fits yet");
        turns.done(60);
        assert_eq!(turns.next(), Some((50, 'b')));
        turns.done(30);
        assert!(!turns.another(), "the worker that asks takes the last itself");
        assert_eq!((turns.next(), turns.next()), (Some((40, 'd')), None));
    }

    #[test]
    fn a_worker_that_ended_for_want_of_memory_is_replaced() {
        let turns = Turns::new(vec![(100, 0), (40, 1), (40, 2)], 100, 2);
        assert_eq!((turns.next(), turns.next()), (Some((100, 0)), None));
        turns.done(100);
        assert!(turns.another());
        assert!(!turns.another(), "two workers are there");
        assert_eq!((turns.next(), turns.next()), (Some((40, 1)), Some((40, 2))));
    }
}
