//! Which figures there are, and which a layer has.

use std::str::FromStr;

use eigenscope::analysis::{Inspection, Options, Row};

use super::figure::Figure;
use super::{bulk, esd, gaps, scan, vectors};

macro_rules! kinds {
    ($($kind:ident $name:literal $words:literal,)*) => {
        /// A figure, by WeightWatcher's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $(#[doc = $words] $kind,)*
        }

        impl Kind {
            /// All of them, in the order they are drawn.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)*];

            /// Its name in file names.
            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)*
                }
            }

            /// What it shows.
            pub fn words(self) -> &'static str {
                match self {
                    $(Kind::$kind => $words,)*
                }
            }
        }
    };
}

kinds! {
    Esd "esd" "density of the eigenvalues and the fitted law, logarithmic axes",
    Esd2 "esd2" "density of the eigenvalues, linear axes",
    Esd3 "esd3" "density of the eigenvalues by decade",
    Esd4 "esd4" "D of every xmin",
    Esd5 "esd5" "alpha of every xmin",
    RandEsd1 "randesd1" "the spectrum and that of the weights in random order, linear (--randomize)",
    RandEsd2 "randesd2" "the same by decade (--randomize)",
    MpFit1 "mpfit1" "eigenvalues of a square matrix and their Marchenko-Pastur law (--mp-fit)",
    MpFit2 "mpfit2" "Marchenko-Pastur law, or quarter circle of a square matrix (--mp-fit)",
    RandMpFit1 "rand_mpfit1" "mpfit1 of the weights in random order (--randomize)",
    RandMpFit2 "rand_mpfit2" "mpfit2 of the weights in random order (--randomize)",
    DeltaEs "deltaEs" "gaps between neighbouring eigenvalues (--deltas)",
    LevelStats "level-stats" "how often gaps of a size occur (--deltas)",
    RandDeltaEs "rand_deltaEs" "deltaEs of the weights in random order (--deltas --randomize)",
    RandLevelStats "rand_level-stats" "level-stats of the weights in random order (--deltas --randomize)",
    VectorMetrics "vector_metrics" "entropy, localisation and participation of eigenvectors (--vectors)",
    VectorHistograms "vector_histograms" "the same in bulk and tail (--vectors)",
    Detx "detX" "where the product of the largest eigenvalues is 1 (--detx)",
}

/// No figure has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no figure is called '{0}'")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let found = Kind::ALL.iter().copied().find(|k| k.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

impl Kind {
    /// Turns on what an analysis needs to have this figure.
    pub fn require(self, options: &mut Options) {
        match self {
            Kind::RandEsd1 | Kind::RandEsd2 | Kind::RandMpFit1 | Kind::RandMpFit2 => options.randomize = true,
            Kind::MpFit1 | Kind::MpFit2 => options.mp_fit = true,
            Kind::DeltaEs | Kind::LevelStats => options.deltas = true,
            Kind::RandDeltaEs | Kind::RandLevelStats => (options.deltas, options.randomize) = (true, true),
            Kind::VectorMetrics | Kind::VectorHistograms => options.vectors = true,
            Kind::Detx => options.detx = true,
            Kind::Esd | Kind::Esd2 | Kind::Esd3 | Kind::Esd4 | Kind::Esd5 => {}
        }
    }

    /// The figure of a layer; `None` where it has none.
    pub fn of(self, inspection: &Inspection, options: &Options) -> Option<Figure> {
        match self {
            Kind::Esd => esd::log_log(inspection, options),
            Kind::Esd2 => esd::lin_lin(inspection, options),
            Kind::Esd3 => esd::log_lin(inspection, options),
            Kind::Esd4 => scan::distance(inspection, options),
            Kind::Esd5 => scan::alpha(inspection, options),
            Kind::RandEsd1 | Kind::RandEsd2 => bulk::random(inspection, self),
            Kind::MpFit1 | Kind::MpFit2 | Kind::RandMpFit1 | Kind::RandMpFit2 => {
                bulk::law(inspection, options, self)
            }
            Kind::DeltaEs | Kind::LevelStats | Kind::RandDeltaEs | Kind::RandLevelStats => {
                gaps::gaps(inspection, options, self)
            }
            Kind::VectorMetrics => vectors::metrics(inspection, options),
            Kind::VectorHistograms => vectors::histograms(inspection, options),
            Kind::Detx => bulk::detx(inspection, options),
        }
    }
}

/// Every figure that the options give a layer.
pub fn figures(inspection: &Inspection, options: &Options) -> Vec<Figure> {
    Kind::ALL.iter().filter_map(|kind| kind.of(inspection, options)).collect()
}

/// `ww.layer7.esd`: safe as a file name whatever the layer's name, which is not in it. A slice follows its layer after a hyphen, where
/// WeightWatcher has a colon, which Windows forbids.
pub fn stem(row: &Row, figure: &str) -> String {
    let slice = row.slice_id.map_or_else(String::new, |s| format!("-{s}"));
    format!("ww.layer{}{slice}.{figure}", row.layer_id)
}
