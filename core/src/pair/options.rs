//! What is compared, and how.

use serde::{Deserialize, Serialize};

use crate::analysis::Options;

/// What `delta_W` is: WeightWatcher's methods, by its names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// The norm of the difference of the whole tensors.
    #[default]
    #[serde(rename = "raw")]
    Raw,
    /// The same of each of the layer's matrices, averaged.
    #[serde(rename = "euclidean")]
    Euclidean,
    /// The similarity that WeightWatcher calls CKA: 1 for equal matrices.
    #[serde(rename = "CKA")]
    Cka,
}

impl Method {
    /// Every method by name.
    pub const NAMES: [&'static str; 3] = ["raw", "euclidean", "CKA"];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Method::Raw => "raw",
            Method::Euclidean => "euclidean",
            Method::Cka => "CKA",
        }
    }

    /// The method of that name, in whatever case.
    pub fn named(name: &str) -> Option<Self> {
        [Method::Raw, Method::Euclidean, Method::Cka]
            .into_iter()
            .find(|m| m.name().eq_ignore_ascii_case(name))
    }
}

/// Options of a comparison of two models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PairOptions {
    /// What `delta_W` is.
    pub method: Method,
    /// How many of the largest singular vectors are compared; 0: none, which saves most of the time.
    pub top: usize,
    /// Which tensors are layers, and which matrices they are made of. What concerns fits is not used.
    pub analysis: Options,
}

impl PairOptions {
    /// The defaults, with these options of layers.
    pub fn of(analysis: Options) -> Self {
        PairOptions { method: Method::default(), top: 10, analysis }
    }
}

impl Default for PairOptions {
    fn default() -> Self {
        PairOptions::of(Options::default())
    }
}
