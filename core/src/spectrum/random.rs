//! Matrices whose elements are shuffled: the same weights without their correlations.

use bytes::Bytes;
use eigenscope_linalg::{Order, Real};

use crate::matrix::MatrixView;
use crate::tensor::{Dtype, Tensor};

/// A small generator of random numbers with a stream for every seed: xoshiro256++ (Blackman, Vigna 2019), seeded by splitmix64.
#[derive(Clone, Debug)]
pub struct Rng([u64; 4]);

/// Elements that are shuffled where they lie: what fits a level-2 cache.
const NEAR: usize = 1 << 16;
/// Piles that more elements are dealt into: a byte of randomness each.
const PILES: usize = 256;

/// The next output of the splitmix64 generator (Steele, Lea, Flood 2014).
pub(crate) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Rng(std::array::from_fn(|_| splitmix(&mut state)))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * 2f64.powi(-53)
    }

    /// Below `n`, each with the same probability to within n / 2^64.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        let (u1, u2) = (self.uniform(), self.uniform());
        box_muller(u1, u2)
    }

    /// Every order with the same probability. Few items by Fisher and Yates; many are dealt into piles first, and each pile shuffled
    /// (Rao 1961, Sandelius 1962), which reads memory in order.
    pub fn shuffle<T: Copy>(&mut self, items: &mut [T]) {
        if items.len() <= NEAR {
            for i in (1..items.len()).rev() {
                items.swap(i, self.below(i + 1));
            }
            return;
        }
        let mut sizes = [0usize; PILES];
        self.clone().deal(items.len(), |_, pile| sizes[pile] += 1);
        let mut next = [0usize; PILES];
        for pile in 1..PILES {
            next[pile] = next[pile - 1] + sizes[pile - 1];
        }
        let dealt = items.to_vec();
        self.deal(dealt.len(), |k, pile| {
            items[next[pile]] = dealt[k];
            next[pile] += 1;
        });
        drop(dealt);
        let mut rest = items;
        for size in sizes {
            let (pile, others) = rest.split_at_mut(size);
            self.shuffle(pile);
            rest = others;
        }
    }

    /// Chooses a pile for each of `count` items.
    fn deal(&mut self, count: usize, mut to: impl FnMut(usize, usize)) {
        for first in (0..count).step_by(8) {
            let bytes = self.next_u64().to_le_bytes();
            (first..count.min(first + 8)).zip(bytes).for_each(|(k, pile)| to(k, pile.into()));
        }
    }
}

/// A standard normal number from two that are uniform in [0, 1).
pub(crate) fn box_muller(u: f64, v: f64) -> f64 {
    (-2.0 * (1.0 - u).ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
}

/// The seed of one matrix of one layer in one replica: it depends on these alone, not on threads or on other layers.
pub fn stream(seed: u64, layer: &str, slice: usize, replica: usize) -> u64 {
    // FNV-1a of the name, mixed with the numbers.
    let name = layer
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
    [name, slice as u64, replica as u64].into_iter().fold(seed, |mut state, part| {
        state ^= part;
        splitmix(&mut state)
    })
}

/// The matrix with its elements shuffled.
pub fn permuted(view: &MatrixView, seed: u64) -> MatrixView {
    let (bytes, dtype) = if view.is_single() {
        (shuffled(view, seed, f32::to_le_bytes), Dtype::F32)
    } else {
        (shuffled(view, seed, f64::to_le_bytes), Dtype::F64)
    };
    let (n, m) = (view.rows(), view.cols());
    let shape = if view.order() == Order::RowMajor { vec![n, m] } else { vec![m, n] };
    MatrixView::new(Tensor::new(dtype, shape, bytes).expect("as many elements as the shape has"), 1)
}

fn shuffled<T: Real, const SIZE: usize>(view: &MatrixView, seed: u64, bytes: fn(T) -> [u8; SIZE]) -> Bytes {
    let mut data = vec![T::default(); view.rows() * view.cols()];
    view.read(0, view.rows(), &mut data);
    let mut items: Vec<[u8; SIZE]> = data.iter().map(|v| bytes(*v)).collect();
    drop(data);
    Rng::new(seed).shuffle(&mut items);
    Bytes::from(items.into_flattened())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_keeps_every_element_and_is_even() {
        let mut counts = [[0u32; 4]; 4];
        let mut rng = Rng::new(11);
        for _ in 0..8000 {
            let mut items = [0usize, 1, 2, 3];
            rng.shuffle(&mut items);
            items.iter().enumerate().for_each(|(place, item)| counts[*item][place] += 1);
        }
        // 2000 expected, standard deviation 39.
        assert!(counts.iter().flatten().all(|c| c.abs_diff(2000) < 160), "{counts:?}");
    }

    #[test]
    fn a_shuffle_of_many_keeps_every_element_and_leaves_none_near_its_place() {
        let n = 3 * NEAR + 5;
        let mut items: Vec<u32> = (0..n as u32).collect();
        Rng::new(12).shuffle(&mut items);
        // Where a tenth goes is even over the tenths: 1966 expected in each of a hundred cells, standard deviation 44 at most.
        let mut cells = [[0u32; 10]; 10];
        items
            .iter()
            .enumerate()
            .for_each(|(place, item)| cells[place * 10 / n][*item as usize * 10 / n] += 1);
        assert!(cells.iter().flatten().all(|c| c.abs_diff(1966) < 200), "{cells:?}");
        // Neighbours part: a pair stays together once in n / 2 on average.
        let together = items.windows(2).filter(|w| w[0].abs_diff(w[1]) == 1).count();
        assert!(together < 12, "{together}");
        items.sort_unstable();
        assert!(items.iter().enumerate().all(|(k, item)| k == *item as usize));
    }

    #[test]
    fn streams_differ_by_each_of_their_parts() {
        let base = stream(7, "fc", 0, 0);
        assert_eq!(base, stream(7, "fc", 0, 0));
        for other in
            [stream(8, "fc", 0, 0), stream(7, "fd", 0, 0), stream(7, "fc", 1, 0), stream(7, "fc", 0, 1)]
        {
            assert_ne!(base, other);
        }
        assert_ne!(stream(7, "fc", 0, 1), stream(7, "fc", 1, 0));
    }

    #[test]
    fn a_permuted_matrix_has_the_same_elements_in_another_order() {
        let values: Vec<f64> = (0..60).map(f64::from).collect();
        let view = MatrixView::new(Tensor::from_f64(vec![6, 10], &values).unwrap(), 1);
        let shuffled = permuted(&view, 3);
        assert_eq!((shuffled.rows(), shuffled.cols()), (10, 6));
        let mut found: Vec<f64> = shuffled.to_array().iter().copied().collect();
        assert_ne!(found, view.to_array().iter().copied().collect::<Vec<_>>());
        found.sort_by(f64::total_cmp);
        assert_eq!(found, values);
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let mut rng = Rng::new(5);
        let draws: Vec<f64> = (0..20_000).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }
}
