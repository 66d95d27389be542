//! Which rules a monitor has, from bits and from JSON.
//!
//! ```json
//! {"over_trained": {"below": 2.0, "min_evals": 50, "raise_after": 3, "clear_after": 3}, "dead_layer": false}
//! ```
//! A rule is `true`, `false`, or an object with those of its thresholds that differ from the defaults.

use eigenscope_core::monitor::{
    AlphaRising, DeadLayer, Flags, Hold, NormExplosion, OverTrained, RankCollapse, Rules, SnapshotRule,
    Traps, UnderTrained,
};
use serde_json::{Map, Value};

use crate::error::Error;

/// The default rules, with some turned on and off.
pub(crate) fn switched(on: u32, off: u32) -> Result<Rules, Error> {
    let unknown = !Flags::NAMES.iter().fold(0, |all, (flag, _)| all | flag.bits());
    for (what, bits) in
        [("rules_on", on & unknown), ("rules_off", off & unknown), ("rules_on and rules_off", on & off)]
    {
        if bits != 0 {
            let problem = if what.contains("and") { "both hold" } else { "unknown bits" };
            return Err(Error::argument(format!("egs_monitor_options.{what}: {problem} {bits:#x}")));
        }
    }
    let mut rules = Rules::default();
    for (flag, name) in Flags::NAMES {
        if on & flag.bits() != 0 {
            set(&mut rules, name, &Value::Bool(true))?;
        }
        if off & flag.bits() != 0 {
            set(&mut rules, name, &Value::Bool(false))?;
        }
    }
    Ok(rules)
}

/// Sets one rule by name.
pub(crate) fn set(rules: &mut Rules, name: &str, value: &Value) -> Result<(), Error> {
    match name {
        "over_trained" => of(&mut rules.over_trained, name, value, |r: &mut OverTrained, t| {
            t.number("below", &mut r.below).size("min_evals", &mut r.min_evals).hold(&mut r.hold)
        }),
        "alpha_rising" => of(&mut rules.alpha_rising, name, value, |r: &mut AlphaRising, t| {
            t.size("window", &mut r.window)
                .number("noise", &mut r.noise)
                .number("rise", &mut r.rise)
                .size("min_evals", &mut r.min_evals)
                .hold(&mut r.hold)
        }),
        "under_trained" => of(&mut rules.under_trained, name, value, |r: &mut UnderTrained, t| {
            t.number("above", &mut r.above).size("min_evals", &mut r.min_evals).hold(&mut r.hold)
        }),
        "rank_collapse" => of(&mut rules.rank_collapse, name, value, |r: &mut RankCollapse, t| {
            t.number("fraction", &mut r.fraction).number("floor", &mut r.floor).hold(&mut r.hold)
        }),
        "norm_explosion" => of(&mut rules.norm_explosion, name, value, |r: &mut NormExplosion, t| {
            t.size("window", &mut r.window)
                .number("warn", &mut r.warn)
                .number("stop", &mut r.stop)
                .hold(&mut r.hold)
        }),
        "dead_layer" => of(&mut rules.dead_layer, name, value, |r: &mut DeadLayer, t| {
            t.flag("never_moved", &mut r.never_moved).hold(&mut r.hold)
        }),
        "traps" => of(&mut rules.traps, name, value, |r: &mut Traps, t| {
            t.number("excess", &mut r.excess).hold(&mut r.hold)
        }),
        "snapshot" => of(&mut rules.snapshot, name, value, |r: &mut SnapshotRule, t| {
            t.number("target", &mut r.target)
                .number("gain", &mut r.gain)
                .count("warm_up", &mut r.warm_up)
                .size("min_evals", &mut r.min_evals)
        }),
        "non_finite" => match value.as_bool() {
            Some(on) => {
                rules.non_finite = on;
                Ok(())
            }
            None => {
                Err(Error::argument(format!("rule 'non_finite' cannot be {value}: expected true or false")))
            }
        },
        _ => Err(Error::argument(format!("unknown rule '{name}'"))),
    }
}

fn of<R: Default>(
    rule: &mut Option<R>,
    name: &str,
    value: &Value,
    fill: impl for<'a> FnOnce(&mut R, Thresholds<'a>) -> Thresholds<'a>,
) -> Result<(), Error> {
    match value {
        Value::Bool(false) => *rule = None,
        Value::Bool(true) => *rule = Some(rule.take().unwrap_or_default()),
        Value::Object(map) => {
            let mut filled = rule.take().unwrap_or_default();
            let rest = fill(&mut filled, Thresholds { left: map.iter().collect(), wrong: None });
            if let Some((key, value)) = rest.wrong {
                return Err(Error::argument(format!("rule '{name}': '{key}' cannot be {value}")));
            }
            if let Some((key, _)) = rest.left.first() {
                return Err(Error::argument(format!("rule '{name}': unknown threshold '{key}'")));
            }
            *rule = Some(filled);
        }
        other => {
            let what =
                format!("rule '{name}' cannot be {other}: expected true, false or an object of thresholds");
            return Err(Error::argument(what));
        }
    }
    Ok(())
}

/// The entries of an object that no threshold has claimed yet.
struct Thresholds<'a> {
    left: Vec<(&'a String, &'a Value)>,
    wrong: Option<(&'a String, &'a Value)>,
}

impl<'a> Thresholds<'a> {
    fn claim<T>(mut self, key: &str, to: &mut T, read: impl Fn(&Value) -> Option<T>) -> Self {
        if let Some(place) = self.left.iter().position(|(k, _)| *k == key) {
            let entry = self.left.remove(place);
            match read(entry.1) {
                Some(value) => *to = value,
                None => self.wrong = Some(entry),
            }
        }
        self
    }

    fn number(self, key: &str, to: &mut f64) -> Self {
        self.claim(key, to, Value::as_f64)
    }

    fn size(self, key: &str, to: &mut usize) -> Self {
        self.claim(key, to, |v| usize::try_from(v.as_u64()?).ok())
    }

    fn count(self, key: &str, to: &mut u32) -> Self {
        self.claim(key, to, |v| u32::try_from(v.as_u64()?).ok())
    }

    fn flag(self, key: &str, to: &mut bool) -> Self {
        self.claim(key, to, Value::as_bool)
    }

    fn hold(self, to: &mut Hold) -> Self {
        self.count("raise_after", &mut to.raise_after).count("clear_after", &mut to.clear_after)
    }
}

/// All rules of an object.
pub(crate) fn object(rules: &mut Rules, map: &Map<String, Value>) -> Result<(), Error> {
    map.iter().try_for_each(|(name, value)| set(rules, name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(json: &str) -> Result<Rules, Error> {
        let mut rules = Rules::default();
        let Value::Object(map) = serde_json::from_str(json).unwrap() else { panic!("no object") };
        object(&mut rules, &map).map(|()| rules)
    }

    #[test]
    fn thresholds_and_switches_are_taken() {
        let rules = laid(
            r#"{"over_trained": {"below": 1.5, "raise_after": 1}, "dead_layer": false, "under_trained": true}"#,
        );
        let rules = rules.unwrap();
        let over = rules.over_trained.unwrap();
        assert_eq!((over.below, over.min_evals, over.hold), (1.5, 50, Hold::new(1, 3)));
        assert!(rules.dead_layer.is_none() && rules.under_trained.is_some());
        let rules = switched(Flags::UNDER_TRAINED.bits(), Flags::NON_FINITE.bits()).unwrap();
        assert!(rules.under_trained.is_some() && !rules.non_finite && rules.over_trained.is_some());
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (json, part) in [
            (r#"{"overtrained": true}"#, "unknown rule 'overtrained'"),
            (r#"{"over_trained": {"bellow": 2}}"#, "unknown threshold 'bellow'"),
            (r#"{"over_trained": {"below": "2"}}"#, "'below' cannot be"),
            (r#"{"over_trained": 3}"#, "cannot be 3"),
        ] {
            assert!(format!("{:?}", laid(json).unwrap_err()).contains(part), "{json}");
        }
        assert!(switched(256, 0).is_err() && switched(1, 1).is_err());
    }
}
