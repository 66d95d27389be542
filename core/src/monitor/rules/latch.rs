//! Hysteresis: raised after several bad signs in a row, cleared after several good ones.

use super::Sign;

/// How long a condition must hold, in analyses of the layer concerned (in commits, for the model as a whole).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Raised after so many bad in a row; 0 counts as 1.
    pub raise_after: u32,
    /// Cleared after so many good in a row; 0 counts as 1.
    pub clear_after: u32,
}

impl Hold {
    /// So many to raise, so many to clear.
    pub const fn new(raise_after: u32, clear_after: u32) -> Self {
        Hold { raise_after, clear_after }
    }
}

/// The state of one rule for one layer.
#[derive(Default)]
pub(super) struct Latch {
    bad: u32,
    good: u32,
    /// Since which step, and why, while raised.
    pub raised: Option<(u64, String)>,
}

impl Latch {
    pub fn update(&mut self, hold: Hold, sign: Sign, step: u64) {
        match sign {
            Sign::Silent => {}
            Sign::Good => {
                self.bad = 0;
                self.good = self.good.saturating_add(1);
                if self.good >= hold.clear_after.max(1) {
                    self.raised = None;
                }
            }
            Sign::Bad(reason) => {
                self.good = 0;
                self.bad = self.bad.saturating_add(1);
                let since = self.raised.as_ref().map(|(since, _)| *since);
                if since.is_some() || self.bad >= hold.raise_after.max(1) {
                    self.raised = Some((since.unwrap_or(step), reason));
                }
            }
        }
    }

    /// Neither raised nor counting.
    pub fn idle(&self) -> bool {
        self.bad == 0 && self.raised.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latch_raises_and_clears_only_after_a_run_and_ignores_silence() {
        let mut latch = Latch::default();
        let hold = Hold::new(3, 2);
        let mut states = Vec::new();
        for (step, sign) in "bbgbb.bgbgg".chars().enumerate() {
            let sign = match sign {
                'b' => Sign::Bad(format!("at {step}")),
                'g' => Sign::Good,
                _ => Sign::Silent,
            };
            latch.update(hold, sign, step as u64);
            states.push(latch.raised.clone());
        }
        let at = |step: u64| Some((6, format!("at {step}")));
        assert_eq!(states[..6], [const { None }; 6]);
        assert_eq!(states[6..], [at(6), at(6), at(8), at(8), None]);
    }
}
