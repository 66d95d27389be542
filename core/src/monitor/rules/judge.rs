//! All rules, over all layers, after one commit.

use std::collections::BTreeMap;

use super::latch::Latch;
use super::snapshot::SnapshotState;
use super::{Hold, ModelSeries, Rules, Sign, non_finite};
use crate::monitor::tracks::Track;
use crate::monitor::{Finding, Flags, Level, TensorRole, Verdict};

/// What a rule is about: its flag, its level, and the layer (`None`: the model). In this order findings are told.
type Key = (Level, u32, Option<u64>);

/// The rules and their state.
pub(in crate::monitor) struct Judge {
    rules: Rules,
    latches: BTreeMap<Key, Latch>,
    /// One series of mean alphas for each number of eigenvalues the rules ask for.
    alphas: BTreeMap<usize, ModelSeries>,
    snapshot: SnapshotState,
    before: Flags,
}

impl Judge {
    pub fn new(rules: Rules) -> Self {
        let asked = [
            rules.over_trained.as_ref().map(|r| r.min_evals),
            rules.alpha_rising.as_ref().map(|r| r.min_evals),
            rules.under_trained.as_ref().map(|r| r.min_evals),
            rules.snapshot.as_ref().map(|r| r.min_evals),
        ];
        let alphas = asked.into_iter().flatten().map(|min| (min, ModelSeries::default())).collect();
        Judge {
            rules,
            latches: BTreeMap::new(),
            alphas,
            snapshot: SnapshotState::default(),
            before: Flags::NONE,
        }
    }

    /// Forgets a layer that is gone, or has become another.
    pub fn forget(&mut self, id: u64) {
        self.latches.retain(|(_, _, layer), _| *layer != Some(id));
    }

    /// The verdict after a commit.
    pub fn verdict(&mut self, step: u64, tracks: &[Track]) -> Verdict {
        let keep = self.rules.longest_window().max(1);
        for (min_evals, series) in &mut self.alphas {
            series.add(tracks, *min_evals, keep);
        }
        self.judge_layers(step, tracks);
        self.judge_model(step);
        let findings = self.findings(tracks);
        let snapshot = self.rules.snapshot.as_ref().and_then(|rule| {
            rule.ask(&mut self.snapshot, &self.alphas[&rule.min_evals], !findings.is_empty())
        });
        let verdict = Verdict::of(step, findings, snapshot, self.before);
        self.before = verdict.flags;
        verdict
    }

    fn judge_layers(&mut self, step: u64, tracks: &[Track]) {
        let rules = self.rules.clone();
        let weights = || tracks.iter().filter(|t| t.role == TensorRole::Weight);
        let scale = weights().filter_map(|t| t.first_sv_max).fold(0.0, f64::max);
        let any_moved = weights().any(|t| t.submitted && t.moved == Some(true));
        for track in tracks.iter().filter(|t| t.submitted && rules.non_finite) {
            let level = if track.role == TensorRole::Weight { Level::Stop } else { Level::Warn };
            let sign = non_finite::layer(track);
            self.latch((level, Flags::NON_FINITE.bits(), Some(track.id)), non_finite::HOLD, sign, step);
        }
        for track in weights() {
            let mut warn = |flag: Flags, hold: Hold, sign: Sign| {
                self.latch((Level::Warn, flag.bits(), Some(track.id)), hold, sign, step);
            };
            if let Some(rule) = &rules.over_trained {
                warn(Flags::OVER_TRAINED, rule.hold, rule.layer(track));
            }
            if let Some(rule) = &rules.rank_collapse {
                warn(Flags::RANK_COLLAPSE, rule.hold, rule.layer(track));
            }
            if let Some(rule) = &rules.dead_layer {
                warn(Flags::DEAD_LAYER, rule.hold, rule.layer(track, any_moved));
            }
            if let Some(rule) = &rules.traps {
                warn(Flags::TRAPS, rule.hold, rule.layer(track));
            }
            if let Some(rule) = &rules.norm_explosion {
                warn(Flags::NORM_EXPLOSION, rule.hold, rule.layer(track, rule.warn, scale));
                let key = (Level::Stop, Flags::NORM_EXPLOSION.bits(), Some(track.id));
                self.latch(key, rule.hold, rule.layer(track, rule.stop, scale), step);
            }
        }
    }

    fn judge_model(&mut self, step: u64) {
        let mut signs = Vec::new();
        if let Some(rule) = &self.rules.over_trained {
            signs.push((Flags::OVER_TRAINED, rule.hold, rule.model(&self.alphas[&rule.min_evals])));
        }
        if let Some(rule) = &self.rules.alpha_rising {
            signs.push((Flags::ALPHA_RISING, rule.hold, rule.model(&self.alphas[&rule.min_evals])));
        }
        if let Some(rule) = &self.rules.under_trained {
            signs.push((Flags::UNDER_TRAINED, rule.hold, rule.model(&self.alphas[&rule.min_evals])));
        }
        for (flag, hold, sign) in signs {
            self.latch((Level::Warn, flag.bits(), None), hold, sign, step);
        }
    }

    fn latch(&mut self, key: Key, hold: Hold, sign: Sign, step: u64) {
        match (self.latches.get_mut(&key), &sign) {
            (Some(latch), _) => {
                latch.update(hold, sign, step);
                if latch.idle() {
                    self.latches.remove(&key);
                }
            }
            // Most layers are well: only what goes wrong takes memory.
            (None, Sign::Bad(_)) => {
                self.latches.entry(key).or_default().update(hold, sign, step);
            }
            (None, _) => {}
        }
    }

    fn findings(&self, tracks: &[Track]) -> Vec<Finding> {
        let raised = self.latches.iter().filter_map(|(key, latch)| Some((key, latch.raised.as_ref()?)));
        let finding = |((level, flag, layer), (since, reason)): (&Key, &(u64, String))| {
            let track = layer.and_then(|id| tracks.iter().find(|t| t.id == id));
            let flag = Flags::NAMES.into_iter().map(|(f, _)| f).find(|f| f.bits() == *flag)?;
            Some(Finding {
                flag,
                level: *level,
                layer: track.map(|t| t.name.clone()),
                role: track.map_or(TensorRole::Weight, |t| t.role),
                since: *since,
                reason: reason.clone(),
            })
        };
        // An explosion that asks to stop says all that its warning does.
        let stops = |key: &Key| key.0 == Level::Warn && self.is_raised(&(Level::Stop, key.1, key.2));
        raised.filter(|(key, _)| !stops(key)).filter_map(finding).collect()
    }

    fn is_raised(&self, key: &Key) -> bool {
        self.latches.get(key).is_some_and(|l| l.raised.is_some())
    }
}
