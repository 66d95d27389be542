//! The header: eight bytes of length, a JSON object that places every tensor, then the data.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use eigenscope_plugin::shards::Pairs;
use eigenscope_plugin::source::{Refusal, SourceError};
use eigenscope_plugin::tensor::{Dtype, row_major_strides};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The largest JSON header read, the same as the reference implementation's.
pub const MAX_HEADER_BYTES: u64 = 100_000_000;
/// The most tensors in one file: ten times the largest published models', and still little memory.
pub const MAX_TENSORS: usize = 1 << 20;
/// The most axes of one tensor; frameworks stop at 64 at the latest.
pub const MAX_RANK: usize = 64;

/// Bytes before the JSON: its length, little-endian.
const PREFIX: usize = 8;

/// A header whose every claim fits the file.
#[derive(Debug)]
pub struct Header {
    /// In the order of the data.
    pub entries: Vec<Entry>,
    /// `__metadata__`, in the order of the header.
    pub metadata: Vec<(String, String)>,
}

/// One tensor's place.
#[derive(Debug)]
pub struct Entry {
    /// As written.
    pub name: String,
    /// [`Dtype::Opaque`] where the engine has no numbers for it.
    pub dtype: Dtype,
    /// Why the tensor is opaque.
    pub note: Option<String>,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Bytes of the file.
    pub range: Range<usize>,
}

/// Whether the first bytes of a file of `size` bytes can only be a safetensors header.
pub fn looks_like_one(head: &[u8], size: u64) -> bool {
    let Some((prefix, json)) = head.split_first_chunk::<PREFIX>() else { return false };
    let length = u64::from_le_bytes(*prefix);
    let fits = (2..=MAX_HEADER_BYTES).contains(&length) && length <= size.saturating_sub(PREFIX as u64);
    fits && json.first() == Some(&b'{')
}

/// Parses and checks the header of a whole file.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Header, SourceError> {
    let refuse = |refusal| SourceError::new(file, refusal);
    if bytes.is_empty() {
        return Err(refuse(Refusal::Empty));
    }
    let json = json_part(bytes).map_err(refuse)?;
    let raw: RawHeader = serde_json::from_slice(json).map_err(|e| {
        let error = refuse(Refusal::Malformed(format!("JSON header: {e}")));
        if e.line() == 1 { error.at((PREFIX + e.column().saturating_sub(1)) as u64) } else { error }
    })?;
    let start = PREFIX + json.len();
    let mut entries = Vec::with_capacity(raw.tensors.len());
    for (name, raw) in raw.tensors {
        match place(&raw, start, bytes.len()) {
            Ok((dtype, note, range)) => entries.push(Entry { name, dtype, note, shape: raw.shape.0, range }),
            Err(refusal) => return Err(refuse(refusal).tensor(name).at(PREFIX as u64)),
        }
    }
    entries.sort_by_key(|e| (e.range.start, e.range.end));
    let mut expected = start;
    for entry in &entries {
        if entry.range.start != expected {
            let what =
                if entry.range.start < expected { "overlaps the tensor before it" } else { "leaves a hole" };
            let from = entry.range.start - start;
            let what = format!("its data begin at {from} and {what}, which ends at {}", expected - start);
            return Err(refuse(Refusal::Malformed(what)).tensor(&entry.name).at(entry.range.start as u64));
        }
        expected = entry.range.end;
    }
    if expected != bytes.len() {
        let what = format!("{} bytes after the last tensor belong to none", bytes.len() - expected);
        return Err(refuse(Refusal::Malformed(what)).at(expected as u64));
    }
    Ok(Header { entries, metadata: raw.metadata })
}

fn json_part(bytes: &[u8]) -> Result<&[u8], Refusal> {
    let truncated = |what: &str, needed: u64, found: usize| {
        Err(Refusal::Truncated { what: what.to_owned(), needed, found: found as u64 })
    };
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return truncated("the header's length", PREFIX as u64, bytes.len());
    };
    let length = u64::from_le_bytes(*prefix);
    if rest.first().is_some_and(|&b| b != b'{') {
        return Err(Refusal::WrongFormat {
            expected: "a length of 8 bytes, then a JSON header that begins with '{'".to_owned(),
            found: format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(16)])),
        });
    }
    if length > MAX_HEADER_BYTES {
        let what = "the declared header length in bytes".to_owned();
        return Err(Refusal::TooLarge { what, size: length, limit: MAX_HEADER_BYTES });
    }
    match rest.get(..length as usize) {
        Some(json) => Ok(json),
        None => truncated("the header", length, rest.len()),
    }
}

/// Bits per element of the types that the format knows and the engine has no numbers for.
fn opaque_bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => 8,
        "C64" => 64,
        "C128" => 128,
        _ => return None,
    })
}

fn known(dtype: &str) -> Option<Dtype> {
    Some(match dtype {
        "F64" => Dtype::F64,
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::BF16,
        "F8_E4M3" => Dtype::F8E4M3,
        "F8_E5M2" => Dtype::F8E5M2,
        "I64" => Dtype::I64,
        "I32" => Dtype::I32,
        "I16" => Dtype::I16,
        "I8" => Dtype::I8,
        "U64" => Dtype::U64,
        "U32" => Dtype::U32,
        "U16" => Dtype::U16,
        "U8" => Dtype::U8,
        "BOOL" => Dtype::Bool,
        _ => return None,
    })
}

type Place = (Dtype, Option<String>, Range<usize>);

fn place(raw: &RawEntry, start: usize, end: usize) -> Result<Place, Refusal> {
    let (from, to) = raw.data_offsets;
    let shape = &raw.shape.0;
    let data = (end - start) as u64;
    if from > to {
        return Err(Refusal::Malformed(format!("its data_offsets [{from}, {to}] run backwards")));
    }
    let dtype = known(&raw.dtype);
    let bits = dtype.map(|d| d.size() as u64 * 8).or_else(|| opaque_bits(&raw.dtype));
    let numel = shape.iter().try_fold(1u64, |n, &extent| n.checked_mul(extent as u64));
    let (Some(numel), Some(_)) = (numel, row_major_strides(shape)) else {
        let what = format!("the element count of shape {shape:?}");
        return Err(Refusal::TooLarge { what, size: u64::MAX, limit: data });
    };
    if let Some(bits) = bits {
        let needed = (u128::from(numel) * u128::from(bits)).div_ceil(8);
        if needed != u128::from(to - from) {
            return Err(Refusal::Malformed(format!(
                "shape {shape:?} of {} takes {needed} bytes, its data_offsets [{from}, {to}] hold {}",
                raw.dtype,
                to - from
            )));
        }
    }
    if to > data {
        return Err(Refusal::Truncated { what: format!("data at [{from}, {to}]"), needed: to, found: data });
    }
    let note = dtype.is_none().then(|| format!("element type {}, which is not read", raw.dtype));
    // Both are at most `data`, a length in memory.
    Ok((dtype.unwrap_or(Dtype::Opaque), note, start + from as usize..start + to as usize))
}

struct RawHeader {
    tensors: Vec<(String, RawEntry)>,
    metadata: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    dtype: String,
    shape: Shape,
    data_offsets: (u64, u64),
}

struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tensors;
        impl<'de> Visitor<'de> for Tensors {
            type Value = RawHeader;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
                let mut seen = HashSet::new();
                let mut header = RawHeader { tensors: Vec::new(), metadata: Vec::new() };
                while let Some(key) = map.next_key::<String>()? {
                    if !seen.insert(key.clone()) {
                        return Err(A::Error::custom(format!("'{key}' appears twice")));
                    }
                    if key == "__metadata__" {
                        header.metadata = map.next_value::<Option<Pairs>>()?.unwrap_or_default().0;
                        continue;
                    }
                    if header.tensors.len() == MAX_TENSORS {
                        return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
                    }
                    let entry = map.next_value()?;
                    header.tensors.push((key, entry));
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Tensors)
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Extents;
        impl<'de> Visitor<'de> for Extents {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX_RANK} extents")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut shape = Vec::new();
                while let Some(extent) = seq.next_element()? {
                    if shape.len() == MAX_RANK {
                        return Err(A::Error::custom(format!("more than {MAX_RANK} axes")));
                    }
                    shape.push(extent);
                }
                Ok(Shape(shape))
            }
        }
        deserializer.deserialize_seq(Extents)
    }
}
