//! `.keras`: a zip of `metadata.json`, `config.json` and `model.weights.h5`, stored as a rule.

use std::io::Read;

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError};
use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive};

/// Members of one archive. Keras writes three, and assets such as vocabularies.
pub const MAX_MEMBERS: usize = 4096;
/// The largest configuration: JSON takes sixteen times its size in memory, and real ones have some megabytes.
pub const MAX_CONFIG_BYTES: u64 = 16 << 20;
/// A compressed member may always unfold to this many bytes.
pub const MEMBER_FREE_BYTES: u64 = 64 << 20;
/// Beyond that, to this many times its compressed size.
pub const MEMBER_EXPANSION: u64 = 64;

const WEIGHTS: &str = "model.weights.h5";

/// The members that matter.
pub struct Archive {
    pub metadata: Option<Bytes>,
    pub config: Bytes,
    pub weights: Bytes,
}

/// Whether the first bytes are a zip archive's.
pub fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Whether the first bytes can only be those of a `.keras` archive: a zip that begins with one of its members.
pub fn looks_like_one(head: &[u8]) -> bool {
    let Some(length) = head.get(26..28).filter(|_| head.starts_with(b"PK\x03\x04")) else { return false };
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    let first = head.get(30..30 + length).unwrap_or_default();
    [&b"metadata.json"[..], b"config.json", WEIGHTS.as_bytes()].contains(&first)
}

/// Finds and unpacks the members.
pub fn open(file: &str, bytes: &Bytes) -> Result<Archive, SourceError> {
    let refuse = |refusal| SourceError::new(file, refusal);
    let broken = |e: rawzip::Error| refuse(Refusal::Malformed(format!("the zip archive: {e}")));
    let zip = ZipArchive::from_slice(bytes.as_ref()).map_err(broken)?;
    let (mut metadata, mut config, mut weights) = (None, None, None);
    let mut entries = zip.entries();
    let mut names = Vec::new();
    while let Some(entry) = entries.next_entry().map_err(broken)? {
        let path = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
        if names.len() == MAX_MEMBERS {
            let (what, limit) = ("the number of zip members".to_owned(), MAX_MEMBERS as u64);
            return Err(refuse(Refusal::TooLarge { what, size: limit + 1, limit }));
        }
        let (place, limit) = match path.as_str() {
            "metadata.json" => (&mut metadata, Some(MAX_CONFIG_BYTES)),
            "config.json" => (&mut config, Some(MAX_CONFIG_BYTES)),
            WEIGHTS => (&mut weights, None),
            _ => {
                names.push(path);
                continue;
            }
        };
        if place.is_some() {
            return Err(refuse(Refusal::Malformed(format!("two members named '{path}'"))));
        }
        let local = zip.get_entry(entry.wayfinder()).map_err(broken)?;
        let (start, end) = local.compressed_data_range();
        let size = entry.uncompressed_size_hint();
        let member =
            Member { path: &path, method: entry.compression_method(), size, limit, crc: entry.crc32() };
        // In bounds: the library sliced them itself.
        let packed = bytes.slice(start as usize..end as usize);
        let data = member.unpack(packed, start).map_err(|(refusal, at)| refuse(refusal).at(at))?;
        *place = Some(data);
        names.push(path);
    }
    let missing = |name: &str| {
        let found: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
        let found = format!("a zip archive of {} members: {}", names.len(), found.join(", "));
        refuse(Refusal::WrongFormat { expected: format!("a .keras archive with a member '{name}'"), found })
    };
    Ok(Archive {
        metadata,
        config: config.ok_or_else(|| missing("config.json"))?,
        weights: weights.ok_or_else(|| missing(WEIGHTS))?,
    })
}

struct Member<'a> {
    path: &'a str,
    method: CompressionMethod,
    size: u64,
    limit: Option<u64>,
    crc: u32,
}

impl Member<'_> {
    fn unpack(&self, packed: Bytes, at: u64) -> Result<Bytes, (Refusal, u64)> {
        let refuse = |refusal| Err((refusal, at));
        let found = packed.len() as u64;
        let stored = self.method == CompressionMethod::STORE;
        let room = if stored { found } else { found.saturating_mul(MEMBER_EXPANSION).max(MEMBER_FREE_BYTES) };
        let limit = self.limit.map_or(room, |limit| limit.min(room));
        if stored && self.size != found {
            let what = format!("'{}', stored, of {} bytes in {found}", self.path, self.size);
            return refuse(Refusal::Malformed(what));
        }
        if self.size > limit {
            let what = format!("'{}' in bytes", self.path);
            return refuse(Refusal::TooLarge { what, size: self.size, limit });
        }
        if stored {
            return Ok(packed);
        }
        if self.method != CompressionMethod::DEFLATE {
            let what = format!("'{}' compressed by method {}", self.path, self.method.as_u16());
            return refuse(Refusal::Unsupported(what));
        }
        let mut data = Vec::new();
        // One byte more than declared, to notice a stream that goes on.
        let read = DeflateDecoder::new(packed.as_ref()).take(self.size + 1).read_to_end(&mut data);
        match read {
            Ok(_) if data.len() as u64 == self.size && rawzip::crc32(&data) == self.crc => Ok(data.into()),
            Ok(_) => {
                let what = format!("'{}' unfolds to other bytes than its {} declared", self.path, self.size);
                refuse(Refusal::Malformed(what))
            }
            Err(e) => refuse(Refusal::Malformed(format!("'{}': {e}", self.path))),
        }
    }
}
