//! What a finding means, in a sentence.

use super::groups::{Finding, GroupKind, expected_lower};
use crate::store::Better;

/// Less likely by chance than this, a finding is worth telling.
const NOTABLE: f64 = 0.05;
/// A line that errs less than this share of what the mean errs is worth telling.
const USEFUL: f64 = 0.9;

/// `1 of 24`, `1 of 3.2`, `less than 1 of a million`.
pub fn pretty_chance(chance: f64) -> String {
    let odds = 1.0 / chance;
    if chance <= 1e-6 {
        "less than 1 of a million".to_owned()
    } else if odds >= 9.95 {
        // Three digits are more than such a number is worth.
        let digits = 10f64.powf((odds.log10().floor() - 2.0).max(0.0));
        format!("1 of {}", grouped((odds / digits).round() * digits))
    } else {
        let rounded = (odds * 10.0).round() / 10.0;
        format!("1 of {rounded}")
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The finding in plain words: the order first, then what a line is good for.
pub(super) fn sentence(finding: &Finding) -> String {
    let Finding { metric, quality, n, .. } = finding;
    let models = match finding.group.kind {
        GroupKind::All => format!("all {n} models"),
        _ => format!("the {n} models of {}", finding.group.name),
    };
    if *n < 3 {
        return format!("{metric}: n = {n} is too few to tell");
    }
    let Some(tau) = finding.kendall else {
        return format!("{metric} or {quality} is the same in {models}: nothing to compare");
    };
    let expected = expected_lower(metric);
    // How far the order is what it should be; or just how far there is one.
    let good = match finding.better {
        Better::Higher => -tau.value,
        Better::Lower => tau.value,
    };
    let chance = finding.chance.unwrap_or(1.0);
    let odds = pretty_chance(chance);
    let order = if expected && good >= 1.0 {
        format!("{metric} ranks {models} perfectly by {quality}; n = {n}, so chance gives that in {odds}")
    } else if expected && good < 0.0 {
        let how = if good <= -1.0 { "exactly" } else { "rather" };
        format!(
            "{metric} ranks {models} {how} the wrong way round by {quality} (tau {:.2}); chance gives as much in {odds}{}",
            tau.value,
            evidence(chance)
        )
    } else if expected {
        let evidence = evidence(chance);
        let share = (50.0 * (1.0 + good)).round();
        format!(
            "{metric} ranks {share} % of pairs of {models} as {quality} does; chance does as well in {odds}{evidence}"
        )
    } else if tau.value.abs() >= 1.0 {
        let way = if good > 0.0 { "falls" } else { "rises" };
        format!(
            "{metric} {way} with every better model of {models} ({quality}); n = {n}, so chance gives that in {odds}"
        )
    } else {
        let evidence = evidence(chance);
        let way = if good > 0.0 { "lower" } else { "higher" };
        format!(
            "{metric} tends to be {way} in better models ({quality}, {models}, tau {:.2}); chance does as well in {odds}{evidence}",
            tau.value
        )
    };
    format!("{order}{}", prediction(finding))
}

fn evidence(chance: f64) -> &'static str {
    if chance < NOTABLE { "" } else { ": no evidence" }
}

fn prediction(finding: &Finding) -> String {
    let Some(line) = finding.line else { return String::new() };
    let Some(error) = line.loo_rmse else { return String::new() };
    let (of_line, of_mean) = (rounded(error), rounded(line.loo_rmse_of_mean));
    let quality = &finding.quality;
    if error < USEFUL * line.loo_rmse_of_mean {
        format!(
            "; a line predicts the {quality} of a model left out to {of_line}, the mean of the others to {of_mean}"
        )
    } else {
        format!(
            "; a line predicts the {quality} of a model left out no better than the mean does ({of_line}, {of_mean})"
        )
    }
}

/// Two digits that count.
fn rounded(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let places = (1 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_are_as_exact_as_they_are_worth() {
        for (chance, words) in [
            (1.0 / 24.0, "1 of 24"),
            (1.0 / 3.17, "1 of 3.2"),
            (0.5, "1 of 2"),
            (1.0, "1 of 1"),
            (1.0 / 40_320.0, "1 of 40,300"),
            (1e-9, "less than 1 of a million"),
            (0.0, "less than 1 of a million"),
        ] {
            assert_eq!(pretty_chance(chance), words);
        }
        assert_eq!([0.36444, 12.3, 0.0, 1234.5].map(rounded), ["0.36", "12", "0", "1234"]);
    }
}
