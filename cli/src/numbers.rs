//! Numbers for people.

/// At most 9 columns: three decimals, fewer for large numbers, an exponent for huge and tiny ones.
pub fn real(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "nan".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else if size >= 1e6 || (size < 5e-4 && size > 0.0) {
        format!("{value:.1e}")
    } else if size >= 1e4 {
        format!("{value:.0}")
    } else if size >= 100.0 {
        format!("{value:.1}")
    } else if size >= 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

/// At most 8 columns: whole up to six digits.
pub fn count(value: usize) -> String {
    if value < 1_000_000 { value.to_string() } else { format!("{:.1e}", value as f64) }
}

/// Whole, with commas: 22,713,216.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 layer`, `2 layers`.
pub fn plural(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n as u64), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_of_number_fits_its_column() {
        for (value, shown) in [
            (0.0, "0.000"),
            (2.34567, "2.346"),
            (-12.345, "-12.35"),
            (123.456, "123.5"),
            (98765.4, "98765"),
            (1.5e300, "1.5e300"),
            (-2.5e-300, "-2.5e-300"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(real(value), shown);
        }
        assert_eq!(count(usize::MAX), "1.8e19");
        assert_eq!(grouped(22_713_216), "22,713,216");
        assert_eq!(plural(1, "layer"), "1 layer");
    }
}
