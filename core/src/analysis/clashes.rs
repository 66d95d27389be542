//! Options that have no meaning beside each other: rows about other matrices than a tensor's own have no slices, shuffles or
//! eigenvectors of it, and older versions of the reference no random matrices that are known well enough.

use super::conventions::ColumnSet;
use super::{Options, OptionsError};
use crate::matrix::ConvMode;

type Named = (&'static str, bool);

/// The first option there is that makes other matrices than those of single tensors.
pub(super) fn analysis_only(o: &Options) -> Result<(), OptionsError> {
    let fft = ("conv_mode = fft", o.conv_mode == ConvMode::Fft);
    let made = [fft, ("intra", o.intra), ("stacked", o.stacked), ("add_biases", o.add_biases)];
    match made.into_iter().find(|(_, on)| *on) {
        Some((name, _)) => Err(OptionsError::AnalysisOnly(name)),
        None => Ok(()),
    }
}

/// The first clash there is.
pub(super) fn clashes(options: &Options) -> Result<(), OptionsError> {
    let o = options;
    let fft = ("conv_mode = fft", o.conv_mode == ConvMode::Fft);
    let intra = ("intra", o.intra);
    let combined = ("intra or stacked", o.intra || o.stacked);
    let older = match o.conventions.columns {
        ColumnSet::Current => ("", false),
        ColumnSet::V0_4 => ("conventions of WeightWatcher 0.4", true),
        ColumnSet::V0_1_2 => ("conventions of WeightWatcher 0.1.2", true),
    };
    let (mp_fit, randomize) = (("mp_fit", o.mp_fit), ("randomize", o.randomize));
    let (inverse, unpooled) = (("inverse", o.inverse), ("pool = false", !o.pooled()));
    let of_matrices: [Named; 4] =
        [("vectors", o.vectors), randomize, ("traps", o.traps), ("null_reference", o.null_reference)];
    let pairs = [intra, fft]
        .into_iter()
        .flat_map(|one| of_matrices.map(|other| (one, other)))
        .chain([(intra, ("stacked", o.stacked)), (intra, unpooled), (intra, inverse)])
        .chain([combined, unpooled, inverse, mp_fit, ("deltas", o.deltas)].map(|other| (fft, other)))
        .chain([(("glorot_fix", o.glorot_fix), combined), (("add_biases", o.add_biases), combined)])
        .chain([(mp_fit, older), (randomize, older)]);
    let mut clashing = pairs.filter(|((_, a), (_, b))| *a && *b);
    match clashing.next() {
        Some(((a, _), (b, _))) => Err(OptionsError::Together(a, b)),
        None => Ok(()),
    }
}
