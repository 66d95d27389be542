//! Axes: what they span, and where their ticks are.

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it shows, with its unit where there is one.
    pub label: String,
    /// Logarithmic; both ends are positive then.
    pub log: bool,
    /// Smallest value shown.
    pub low: f64,
    /// Largest.
    pub high: f64,
}

impl Axis {
    /// A linear axis over these values with a little room, or from zero.
    pub fn linear(label: &str, values: impl IntoIterator<Item = f64>, from_zero: bool) -> Self {
        let (mut low, high) = ends(values.into_iter().filter(|v| v.is_finite()), (0.0, 1.0));
        if from_zero {
            low = low.min(0.0);
        }
        let room = if high > low { 0.05 * (high - low) } else { 0.5 * high.abs().max(1.0) };
        let (low, high) = (if from_zero { low } else { low - room }, high + room);
        Axis { label: label.to_owned(), log: false, low, high }
    }

    /// A logarithmic axis over those of these values that are positive, with a little room.
    pub fn log(label: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let positive = values.into_iter().filter(|v| v.is_finite() && *v > 0.0);
        let (low, high) = ends(positive, (0.1, 10.0));
        let room = if high > low { (high / low).powf(0.04) } else { 3.0 };
        Axis { label: label.to_owned(), log: true, low: low / room, high: high * room }
    }

    /// Where a value lies, in the units that are drawn.
    pub fn at(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    /// Whether a value can be shown.
    pub fn holds(&self, value: f64) -> bool {
        value >= self.low && value <= self.high
    }
}

fn ends(values: impl Iterator<Item = f64>, default: (f64, f64)) -> (f64, f64) {
    let found = values.fold(None, |ends: Option<(f64, f64)>, v| {
        Some(ends.map_or((v, v), |(low, high)| (low.min(v), high.max(v))))
    });
    found.unwrap_or(default)
}

/// Ticks of an axis in the units that are drawn: with labels, and between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ticks {
    /// Places and labels.
    pub major: Vec<(f64, String)>,
    /// Places.
    pub minor: Vec<f64>,
}

/// About `most` ticks.
pub fn ticks(axis: &Axis, most: usize) -> Ticks {
    let most = most.max(2);
    if !axis.log {
        return linear(axis.low, axis.high, most, |v| v);
    }
    let (low, high) = (axis.low.log10(), axis.high.log10());
    let span = high - low;
    let decades = low.ceil() as i32..=high.floor() as i32;
    if span >= 2.0 {
        let step = (span / most as f64).ceil().max(1.0) as i32;
        let plain = decades.clone().all(|e| (-3..=4).contains(&e));
        let major = decades.filter(|e| e % step == 0).map(|e| (f64::from(e), power(e, plain))).collect();
        let between = if step == 1 && span <= 7.0 { 2..=9 } else { 1..=1 };
        let every = (low.floor() as i32..=high.floor() as i32)
            .flat_map(|e| between.clone().map(move |m| f64::from(e) + f64::from(m).log10()));
        return Ticks { major, minor: every.filter(|v| (low..=high).contains(v)).collect() };
    }
    if span > 0.7 {
        let at = |digits: &'static [i32]| {
            let all = (low.floor() as i32..=high.floor() as i32)
                .flat_map(move |e| digits.iter().map(move |m| (*m, e)));
            all.map(|(m, e)| (f64::from(m) * 10f64.powi(e), f64::from(e) + f64::from(m).log10()))
                .filter(move |(_, v)| (low..=high).contains(v))
        };
        let digits: &[i32] = if span > 1.3 { &[1, 3] } else { &[1, 2, 5] };
        return Ticks {
            major: at(digits).map(|(x, v)| (v, number(x, 3))).collect(),
            minor: at(&[1, 2, 3, 4, 5, 6, 7, 8, 9]).map(|(_, v)| v).collect(),
        };
    }
    linear(axis.low, axis.high, most, f64::log10)
}

/// Even ticks at round numbers.
fn linear(low: f64, high: f64, most: usize, place: impl Fn(f64) -> f64) -> Ticks {
    let raw = (high - low) / most as f64;
    if !(raw > 0.0 && raw.is_finite()) {
        return Ticks { major: vec![(place(low), number(low, 4))], minor: Vec::new() };
    }
    let unit = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * unit).into_iter().find(|s| *s >= raw).unwrap_or(raw);
    // Rounding must not lose a tick at an end.
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    // As many digits behind the point as the step has.
    let behind = (-step.log10().floor()).max(0.0) as usize;
    let label = |v: f64| {
        if high.abs().max(low.abs()) >= 1e6 || behind > 5 {
            number(v, 4)
        } else {
            minus(&format!("{v:.behind$}"))
        }
    };
    let major = (first..=last).map(|k| k as f64 * step).map(|v| (place(v), label(v))).collect();
    Ticks { major, minor: Vec::new() }
}

/// `10ᵉ`, or the number itself.
fn power(e: i32, plain: bool) -> String {
    if plain { number(10f64.powi(e), 4) } else { format!("10{}", raised(e)) }
}

/// A number in so many digits, large and small ones as `1.2×10⁻⁷`.
pub fn number(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return minus(&value.to_string());
    }
    let size = value.abs().log10().floor() as i32;
    if !(-4..=5).contains(&size) {
        let text = format!("{value:.*e}", digits.saturating_sub(2));
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = if mantissa.contains('.') {
            mantissa.trim_end_matches('0').trim_end_matches('.')
        } else {
            mantissa
        };
        let power = format!("10{}", raised(exponent.parse().unwrap_or(0)));
        return if mantissa == "1" { power } else { format!("{}×{power}", minus(mantissa)) };
    }
    let behind = (digits as i32 - 1 - size).max(0) as usize;
    let text = format!("{value:.behind$}");
    minus(if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text })
}

fn minus(text: &str) -> String {
    text.replace('-', "−")
}

fn raised(e: i32) -> String {
    let digit = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => char::from_u32(0x2070 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
    };
    e.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, log: bool) -> Vec<String> {
        let axis = Axis { label: String::new(), log, low, high };
        ticks(&axis, 6).major.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_whatever_the_axis_spans() {
        assert_eq!(labels(0.02, 300.0, true), ["0.1", "1", "10", "100"]);
        assert_eq!(labels(2e-7, 30.0, true), ["10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]);
        assert_eq!(labels(0.3, 4.0, true), ["0.5", "1", "2"]);
        assert_eq!(labels(1.0, 1.4, true), ["1.0", "1.1", "1.2", "1.3", "1.4"]);
        assert_eq!(labels(-0.3, 1.2, false), ["0.0", "0.5", "1.0"]);
        assert_eq!(labels(0.0, 0.0, false), ["0"]);
    }

    #[test]
    fn places_are_where_the_axis_puts_the_values() {
        let axis = Axis { label: String::new(), log: true, low: 0.02, high: 300.0 };
        let ticks = ticks(&axis, 6);
        assert_eq!(ticks.major[0].0, -1.0);
        assert!(ticks.minor.iter().any(|v| (v - 5f64.log10()).abs() < 1e-12));
        assert!(ticks.minor.iter().all(|v| *v >= axis.at(0.02) && *v <= axis.at(300.0)));
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0012345, "0.001234"),
            (12.5, "12.5"),
            (-3.0, "−3"),
            (1.5e-7, "1.5×10⁻⁷"),
            (1e9, "10⁹"),
            (123456.7, "123457"),
        ] {
            assert_eq!(number(value, 4), text);
        }
    }
}
