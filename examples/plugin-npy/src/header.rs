//! The header of a `.npy` array: magic, version, length, and a Python dictionary that is searched, never evaluated.

use eigenscope_plugin::source::Refusal;
use eigenscope_plugin::tensor::Dtype::{self, *};

pub const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy itself warns above 10,000 bytes; only records of very many fields come near this.
pub const MAX_HEADER: usize = 1 << 20;
/// NumPy's codes for them. Records, strings, objects, dates and complex numbers are opaque: listed, not analysed.
const DTYPES: [Dtype; 12] = [F64, F32, F16, I64, I32, I16, I8, U64, U32, U16, U8, Bool];
const CODES: [&str; 12] = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"];

pub struct Header {
    pub dtype: Dtype,
    /// As NumPy spells it, such as `<f4`; empty for records.
    pub descr: String,
    pub fortran_order: bool,
    pub shape: Vec<usize>,
    /// Bytes before the first element.
    pub length: usize,
}

impl Header {
    /// Reads the header at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Header, Refusal> {
        let malformed = |what: &str| Refusal::Malformed(format!("array header: {what}"));
        let part = |at: usize, len: usize| {
            let (needed, found) = ((at + len) as u64, bytes.len() as u64);
            bytes.get(at..at + len).ok_or(Refusal::Truncated {
                what: "the array header".into(),
                needed,
                found,
            })
        };
        if part(0, MAGIC.len())? != MAGIC {
            return Err(malformed("no NumPy magic"));
        }
        // Format 1 has a length of 2 bytes; formats 2 and 3, which differ in the encoding of field names, of 4.
        let start = if part(6, 1)?[0] == 1 { 10 } else { 12 };
        let size = part(8, start - 8)?.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b));
        if size > MAX_HEADER {
            return Err(malformed("more than 1 MiB"));
        }
        let text = String::from_utf8_lossy(part(start, size)?);
        let field = |key| text.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
        let descr = field("descr").ok_or(malformed("no 'descr'"))?;
        let descr = descr.strip_prefix('\'').and_then(|d| d.split_once('\'')).map_or("", |d| d.0);
        let order = field("fortran_order").ok_or(malformed("no 'fortran_order'"))?;
        let shape = field("shape").and_then(|s| s.strip_prefix('(')?.split_once(')'));
        let shape = shape.ok_or(malformed("no 'shape'"))?.0.split(',').map(str::trim);
        // A one-tuple ends with a comma; Python 2 wrote long integers as 3L.
        let shape = shape.filter(|axis| !axis.is_empty()).map(|axis| axis.trim_end_matches('L').parse());
        Ok(Header {
            dtype: CODES.iter().position(|c| descr.get(1..) == Some(*c)).map_or(Opaque, |i| DTYPES[i]),
            descr: descr.to_owned(),
            fortran_order: order.starts_with("True"),
            shape: shape.collect::<Result<_, _>>().map_err(|e| malformed(&format!("shape: {e}")))?,
            length: start + size,
        })
    }
}
