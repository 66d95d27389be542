//! A sample of positive numbers from a file: one a line, or a one-dimensional `.npy` array of floating-point numbers.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::failure::Failure;

/// The first line that `eigenscope esd` writes below its comment.
const HEADING: &str = "eigenvalue";
const NPY: &[u8] = b"\x93NUMPY";

/// Reads the numbers of a file, or of standard input where it is `-`; ascending.
pub fn read(path: &Path) -> Result<Vec<f64>, Failure> {
    let name = path.display();
    let mut bytes = Vec::new();
    let done = if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    done.map_err(|e| Failure::new(format!("cannot read {name}: {e}")))?;
    let numbers = if bytes.starts_with(NPY) { array(&bytes) } else { lines(&bytes) };
    let mut numbers = numbers.map_err(|reason| Failure::new(format!("{name}: {reason}")))?;
    if let Some(at) = numbers.iter().position(|x| !(*x > 0.0 && x.is_finite())) {
        let found = numbers[at];
        return Err(Failure::new(format!("{name}: value {} is {found}, not a positive number", at + 1)));
    }
    numbers.sort_unstable_by(f64::total_cmp);
    Ok(numbers)
}

fn lines(bytes: &[u8]) -> Result<Vec<f64>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "neither text nor a .npy array".to_owned())?;
    let lines = text.lines().enumerate().map(|(i, line)| (i, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).enumerate();
    lines
        .filter(|(place, (_, line))| *place > 0 || *line != HEADING)
        .map(|(_, line)| line)
        .map(|(i, line)| line.parse().map_err(|_| format!("line {}: '{line}' is not a number", i + 1)))
        .collect()
}

/// The header is a Python dictionary; it is searched, never evaluated.
fn array(bytes: &[u8]) -> Result<Vec<f64>, String> {
    let short = || "the .npy header is cut short".to_owned();
    let wide = *bytes.get(6).ok_or_else(short)? > 1;
    let start = if wide { 12 } else { 10 };
    let size = bytes.get(8..start).ok_or_else(short)?;
    let length = size.iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b));
    let end = start.checked_add(length).ok_or_else(short)?;
    let header = String::from_utf8_lossy(bytes.get(start..end).ok_or_else(short)?);
    let field = |key: &str| header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
    let dtype = field("descr").and_then(|d| d.strip_prefix('\'')?.split_once('\'')).map_or("", |d| d.0);
    let shape = field("shape").and_then(|s| s.strip_prefix('(')?.split_once(')')).map_or("", |s| s.0);
    let sides: Vec<&str> = shape.split(',').map(str::trim).filter(|s| !s.is_empty()).collect();
    let [side] = sides[..] else { return Err(format!("expected one dimension, found ({shape})")) };
    let count: usize = side.parse().map_err(|_| format!("the shape ({shape}) is no number"))?;
    let data = &bytes[end..];
    let width = match dtype.get(1..) {
        Some("f8") => 8,
        Some("f4") => 4,
        _ => return Err(format!("expected float64 or float32, found '{dtype}'")),
    };
    if count.checked_mul(width) != Some(data.len()) {
        return Err(format!("expected {count} values of {width} bytes, found {} bytes", data.len()));
    }
    let big = dtype.starts_with('>');
    let number = |piece: &[u8]| {
        let mut raw = [0; 8];
        raw[..width].copy_from_slice(piece);
        if big {
            raw[..width].reverse();
        }
        if width == 8 {
            f64::from_le_bytes(raw)
        } else {
            f64::from(f32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]))
        }
    };
    Ok(data.chunks_exact(width).map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = NPY.to_vec();
        bytes.extend([1, 0]);
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn lines_and_arrays_of_either_width_and_order_are_read() {
        assert_eq!(lines(b"# eigenvalues\n1.5\n\n 2e3 \r\n").unwrap(), [1.5, 2e3]);
        assert_eq!(lines(b"# {}\neigenvalue\n1.5\n").unwrap(), [1.5]);
        assert!(lines(b"1.5\neigenvalue\n").is_err());
        let header = "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }\n";
        let data: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|x| x.to_be_bytes()).collect();
        assert_eq!(array(&npy(header, &data)).unwrap(), [1.5, -2.0]);
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n";
        assert_eq!(array(&npy(header, &0.25f64.to_le_bytes())).unwrap(), [0.25]);
    }

    #[test]
    fn what_is_no_sample_is_refused_with_the_place() {
        assert!(lines(b"1\ntwo\n").unwrap_err().contains("line 2: 'two'"));
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }\n";
        assert!(array(&npy(header, &[0; 48])).unwrap_err().contains("one dimension, found (2, 3)"));
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,), }\n";
        assert!(array(&npy(header, &[0; 8])).unwrap_err().contains("found 8 bytes"));
        assert!(array(&npy("", &[])).is_err() && array(NPY).is_err());
    }
}
