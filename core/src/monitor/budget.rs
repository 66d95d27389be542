//! CPU time for analyses: an allowance for every commit.

use std::time::Duration;

/// A layer that takes more than is left is still finished; the commits after it go without until it is paid for. So the
/// average holds, however large a layer is.
pub(super) struct Budget {
    /// For each commit; zero: no limit.
    allowance: Duration,
    debt: Duration,
}

impl Budget {
    pub fn new(allowance: Duration) -> Self {
        Budget { allowance, debt: Duration::ZERO }
    }

    /// What this commit may spend; `None`: no limit.
    pub fn begin(&mut self) -> Option<Duration> {
        if self.allowance.is_zero() {
            return None;
        }
        let funds = self.allowance.saturating_sub(self.debt);
        self.debt = self.debt.saturating_sub(self.allowance);
        Some(funds)
    }

    /// What it did spend, of the funds `begin` gave.
    pub fn spend(&mut self, funds: Option<Duration>, spent: Duration) {
        if let Some(funds) = funds {
            self.debt += spent.saturating_sub(funds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_commit_overspends_later_ones_pay_back() {
        let ms = Duration::from_millis;
        let mut budget = Budget::new(ms(100));
        let mut funds = Vec::new();
        for spent in [350, 0, 0, 50, 60] {
            let given = budget.begin();
            funds.push(given.unwrap());
            budget.spend(given, ms(spent));
        }
        // 250 too much: two commits without, half an allowance in the next, all of it again.
        assert_eq!(funds, [ms(100), ms(0), ms(0), ms(50), ms(100)]);
        assert_eq!(Budget::new(ms(0)).begin(), None);
    }
}
