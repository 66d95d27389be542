//! The zip archive of a model: every byte checked before libtorch sees it, and written anew for it.
//!
//! libtorch does not compare checksums. What it is given is put together here, from entries that were compared, so that
//! damage is found in safe code and both readers agree on what the archive holds.

use std::collections::HashSet;
use std::io::{self, Cursor, Read};

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::Refusal;
use zip::read::ZipFile;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::rope::Rope;

/// The most entries: one per storage, and a few.
const MAX_ENTRIES: usize = 1 << 20;
/// What compressed entries may unpack to, together. PyTorch compresses code only.
const MAX_INFLATED: u64 = 256 << 20;

/// A file in the archive.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Below the archive's one top folder.
    pub name: String,
    /// Its contents; a slice of the archive where they are stored as they are.
    pub data: Bytes,
    crc: u32,
}

/// An archive whose entries all have the checksum they declare.
#[derive(Debug)]
pub struct Archive {
    /// With its slash; empty where there is none.
    prefix: String,
    /// In the order of the directory.
    pub entries: Vec<Entry>,
}

impl Archive {
    /// Reads and checks every entry.
    pub fn open(bytes: &Bytes) -> Result<Archive, Refusal> {
        let mut zip = ZipArchive::new(Cursor::new(bytes.clone())).map_err(|e| match e {
            ZipError::InvalidArchive(_) | ZipError::Io(_) => Refusal::Malformed(format!(
                "zip archive without a readable directory at its end, as when cut short: {e}"
            )),
            other => broken("the archive", &other),
        })?;
        if zip.len() > MAX_ENTRIES {
            let (size, limit) = (zip.len() as u64, MAX_ENTRIES as u64);
            return Err(Refusal::TooLarge { what: "the number of zip entries".to_owned(), size, limit });
        }
        let mut entries = Vec::new();
        let mut names = HashSet::new();
        let mut budget = MAX_INFLATED;
        for index in 0..zip.len() {
            let file = zip.by_index(index).map_err(|e| broken(&format!("entry {index}"), &e))?;
            let Ok(name) = std::str::from_utf8(file.name_raw()).map(str::to_owned) else {
                return Err(Refusal::Malformed(format!("the name of zip entry {index} is not UTF-8")));
            };
            if file.is_dir() {
                continue;
            }
            let crc = file.crc32();
            let data = contents(file, &name, bytes, &mut budget)?;
            if !names.insert(name.clone()) {
                return Err(Refusal::Malformed(format!("two zip entries are named '{name}'")));
            }
            entries.push(Entry { name, data, crc });
        }
        let top = |name: &str| name.split_once('/').map(|(top, _)| format!("{top}/"));
        let prefix = entries.first().and_then(|e| top(&e.name)).unwrap_or_default();
        entries.retain_mut(|entry| match entry.name.strip_prefix(&prefix) {
            Some(inner) => {
                entry.name = inner.to_owned();
                true
            }
            None => false,
        });
        Ok(Archive { prefix, entries })
    }

    /// The contents of an entry.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.entries.iter().find(|e| e.name == name).map(|e| &e.data)
    }

    /// The archive once more, uncompressed, with some entries replaced. Nothing that stays is copied.
    pub fn rewritten(&self, replace: impl Fn(&Entry) -> Option<Bytes>) -> Rope {
        let (mut out, mut directory, mut count) = (Rope::default(), Vec::new(), 0u64);
        for entry in self.entries.iter().filter(|e| is_read(&e.name)) {
            let (data, crc) = match replace(entry) {
                Some(data) => (data.clone(), crc32fast::hash(&data)),
                None => (entry.data.clone(), entry.crc),
            };
            let name = format!("{}{}", self.prefix, entry.name);
            let size = data.len() as u64;
            let start = out.len();
            let mut local = b"PK\x03\x04".to_vec();
            local.extend(common(crc, &name, 20));
            local.extend(name.as_bytes());
            local.extend(wide(&[size, size]));
            out.push(local.into());
            out.push(data);
            directory.extend(b"PK\x01\x02\x2d\x00");
            directory.extend(common(crc, &name, 28));
            // No comment, first disk, no attributes; the position is in the extra field.
            directory.extend([0; 10]);
            directory.extend(u32::MAX.to_le_bytes());
            directory.extend(name.as_bytes());
            directory.extend(wide(&[size, size, start]));
            count += 1;
        }
        let (start, length) = (out.len(), directory.len() as u64);
        let mut end = directory;
        end.extend(b"PK\x06\x06");
        end.extend(44u64.to_le_bytes());
        end.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        [count, count, length, start].iter().for_each(|n| end.extend(n.to_le_bytes()));
        end.extend(b"PK\x06\x07\0\0\0\0");
        end.extend((start + length).to_le_bytes());
        end.extend([1, 0, 0, 0]);
        end.extend(b"PK\x05\x06\0\0\0\0");
        end.extend([0xff; 12]);
        end.extend([0, 0]);
        out.push(end.into());
        out
    }
}

/// Not needed to read weights: places in the source for messages, and what the model was traced with.
fn is_read(name: &str) -> bool {
    !name.ends_with(".debug_pkl") && !name.starts_with("traced_inputs")
}

/// The fields that both headers of an entry share: version 4.5, names in UTF-8, stored, no time; sizes in the extra field.
fn common(crc: u32, name: &str, extra: u16) -> Vec<u8> {
    let mut out = vec![45, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];
    out.extend(crc.to_le_bytes());
    out.extend([0xff; 8]);
    out.extend((name.len() as u16).to_le_bytes());
    out.extend(extra.to_le_bytes());
    out
}

/// The extra field of 64-bit numbers.
fn wide(numbers: &[u64]) -> Vec<u8> {
    let mut out = vec![1, 0, 8 * numbers.len() as u8, 0];
    numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
    out
}

fn contents(
    mut file: ZipFile<'_, Cursor<Bytes>>,
    name: &str,
    archive: &Bytes,
    budget: &mut u64,
) -> Result<Bytes, Refusal> {
    let size = file.size();
    let refuse = |e: io::Error| Refusal::Malformed(format!("zip entry '{name}': {e}"));
    if file.compression() == CompressionMethod::Stored {
        let start = file.data_start().unwrap_or(u64::MAX);
        let end = start.saturating_add(size);
        if end > archive.len() as u64 {
            let what = format!("zip entry '{name}'");
            let found = (archive.len() as u64).saturating_sub(start);
            return Err(Refusal::Truncated { what, needed: size, found });
        }
        // Read to its end, where the checksum is compared.
        if io::copy(&mut file, &mut io::sink()).map_err(refuse)? != size {
            return Err(Refusal::Malformed(format!("zip entry '{name}' is not as long as declared")));
        }
        return Ok(archive.slice(start as usize..end as usize));
    }
    let Some(left) = budget.checked_sub(size) else {
        let what = "what compressed entries unpack to, in bytes,".to_owned();
        return Err(Refusal::TooLarge { what, size, limit: MAX_INFLATED });
    };
    *budget = left;
    let mut unpacked = Vec::new();
    file.take(size + 1).read_to_end(&mut unpacked).map_err(refuse)?;
    if unpacked.len() as u64 != size {
        return Err(Refusal::Malformed(format!("zip entry '{name}' does not unpack to its declared size")));
    }
    Ok(unpacked.into())
}

fn broken(what: &str, error: &ZipError) -> Refusal {
    match error {
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            Refusal::Unsupported(format!("zip archive, {what}: {error}"))
        }
        _ => Refusal::Malformed(format!("zip archive, {what}: {error}")),
    }
}
