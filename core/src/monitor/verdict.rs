//! What the monitor thinks of the run.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use serde::{Serialize, Serializer};

use super::TensorRole;

/// What the trainer is advised to do, in rising order of urgency. The values are stable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(i32)]
pub enum Level {
    /// Go on.
    #[default]
    None = 0,
    /// Something is wrong; see the flags.
    Warn = 1,
    /// Keep a copy of the weights as they were at this step.
    Snapshot = 2,
    /// Going on makes no sense.
    Stop = 3,
}

impl Level {
    /// In reports.
    pub fn name(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Warn => "warn",
            Level::Snapshot => "snapshot",
            Level::Stop => "stop",
        }
    }
}

/// Which rules are raised: a set of bits with stable values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

impl Flags {
    /// No rule.
    pub const NONE: Flags = Flags(0);
    /// alpha below 2, of a layer or on average.
    pub const OVER_TRAINED: Flags = Flags(1);
    /// Mean alpha drifts up.
    pub const ALPHA_RISING: Flags = Flags(1 << 1);
    /// Mean alpha above 6 for long.
    pub const UNDER_TRAINED: Flags = Flags(1 << 2);
    /// A layer's stable rank fell to a small part of its peak.
    pub const RANK_COLLAPSE: Flags = Flags(1 << 3);
    /// A layer's largest singular value multiplied within a few analyses.
    pub const NORM_EXPLOSION: Flags = Flags(1 << 4);
    /// NaN or infinity in a tensor.
    pub const NON_FINITE: Flags = Flags(1 << 5);
    /// A layer that is all zero, or that stopped changing while others change.
    pub const DEAD_LAYER: Flags = Flags(1 << 6);
    /// Correlation traps in a layer.
    pub const TRAPS: Flags = Flags(1 << 7);

    /// Every flag and its name.
    pub const NAMES: [(Flags, &'static str); 8] = [
        (Flags::OVER_TRAINED, "over_trained"),
        (Flags::ALPHA_RISING, "alpha_rising"),
        (Flags::UNDER_TRAINED, "under_trained"),
        (Flags::RANK_COLLAPSE, "rank_collapse"),
        (Flags::NORM_EXPLOSION, "norm_explosion"),
        (Flags::NON_FINITE, "non_finite"),
        (Flags::DEAD_LAYER, "dead_layer"),
        (Flags::TRAPS, "traps"),
    ];

    /// The bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether all bits of `other` are in it.
    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no rule is raised.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The bits that are not in `other`.
    #[must_use]
    pub fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// Names of the flags in it.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Flags::NAMES.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join("|"))
    }
}

impl Serialize for Flags {
    /// A list of names.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

/// One raised rule about one layer, or about the model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The rule: one bit.
    pub flag: Flags,
    /// What it asks for.
    pub level: Level,
    /// The tensor's name; `None` for the model as a whole.
    pub layer: Option<String>,
    /// What was submitted under that name.
    pub role: TensorRole,
    /// The step at which it was raised.
    pub since: u64,
    /// What was found, in words.
    pub reason: String,
}

/// The state of the run after one analysed commit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// The step of the commit it is about; 0 before the first.
    pub step: u64,
    /// The most urgent advice.
    pub level: Level,
    /// Every rule that is raised.
    pub flags: Flags,
    /// Those of them that were not raised after the commit before.
    pub new_flags: Flags,
    /// Why a copy of the weights should be kept, at commits that ask for one.
    pub snapshot: Option<String>,
    /// All findings in words; empty for [`Level::None`].
    pub reason: String,
    /// Names of the tensors concerned, each once, in the order of the findings.
    pub layers: Vec<String>,
    /// The findings one by one, most urgent first.
    pub findings: Vec<Finding>,
}

/// Findings spelt out in [`Verdict::reason`]; of the others only the number is told.
const SPELT_OUT: usize = 8;

impl Verdict {
    /// Sums up findings; `snapshot` says why a copy should be kept.
    pub(super) fn of(step: u64, mut findings: Vec<Finding>, snapshot: Option<String>, before: Flags) -> Self {
        findings.sort_by_key(|f| std::cmp::Reverse(f.level));
        let mut flags = Flags::NONE;
        let mut layers: Vec<String> = Vec::new();
        for finding in &findings {
            flags |= finding.flag;
            if let Some(layer) = &finding.layer
                && !layers.contains(layer)
            {
                layers.push(layer.clone());
            }
        }
        let advice = if snapshot.is_some() { Level::Snapshot } else { Level::None };
        let level = findings.iter().map(|f| f.level).fold(advice, Level::max);
        let mut words: Vec<String> = findings.iter().take(SPELT_OUT).map(|f| f.reason.clone()).collect();
        if findings.len() > SPELT_OUT {
            words.push(format!("and {} more findings", findings.len() - SPELT_OUT));
        }
        words.extend(snapshot.clone());
        let new_flags = flags.without(before);
        Verdict { step, level, flags, new_flags, snapshot, reason: words.join("; "), layers, findings }
    }
}
