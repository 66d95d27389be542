//! Norms, ranks, entropy, gaps and vectors of a spectrum.

mod detx;
mod entropy;
mod levels;
mod norms;
mod rank;
mod vectors;

pub use detx::{Detx, detx, detx_by_product};
pub use entropy::{EntropyRule, entropy};
pub use levels::level_ratio;
pub use norms::{log_alpha_norm, norm};
pub use rank::{RankTolerance, matrix_rank, rank_tolerance, weak_rank_loss};
pub use vectors::{
    VectorColumns, VectorMeasures, VectorStats, localization, participation, vector_entropy, vector_measures,
};
