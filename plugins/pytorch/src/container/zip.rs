//! The container since PyTorch 1.6, and TorchScript's: a zip with `data.pkl` and one entry per storage, uncompressed.

use std::collections::HashMap;

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError};
use rawzip::{CompressionMethod, ZipArchive};

use super::{Contents, Data, Part, fault};
use crate::pickle::{MAX_PICKLE_BYTES, unpickle};

/// The most entries of an archive: one per storage, and a few.
const MAX_ENTRIES: usize = 1 << 20;
/// The largest pickle unpacked from a compressed entry; a stored one costs no memory.
const MAX_PACKED_PICKLE: u64 = 256 << 20;

struct Entry {
    data: Data,
    /// Position of its first byte in the file.
    start: usize,
}

struct Archive {
    /// In the order of the directory.
    names: Vec<String>,
    entries: HashMap<String, Entry>,
}

/// Opens an archive.
pub fn open(file: &str, bytes: &Bytes) -> Result<Contents, SourceError> {
    let refuse = |refusal| SourceError::new(file, refusal);
    let archive = read_directory(bytes).map_err(refuse)?;
    let prefix = match archive.names.iter().find_map(|n| top_folder(n, "data.pkl")) {
        Some(prefix) => prefix.to_owned(),
        None => return Err(refuse(not_ours(&archive))),
    };
    if let Some(entry) = archive.entries.get(&format!("{prefix}byteorder")) {
        let order = entry.data.unpack().map_err(refuse)?;
        if &order[..] != b"little" {
            let what = format!("byte order '{}'", String::from_utf8_lossy(&order[..order.len().min(16)]));
            return Err(refuse(Refusal::Unsupported(what)));
        }
    }
    let mut parts = vec![part(file, &archive, &prefix, "data", false)?];
    if archive.entries.contains_key(&format!("{prefix}constants.pkl")) {
        parts.push(part(file, &archive, &prefix, "constants", true)?);
    }
    let code_folder = format!("{prefix}code/");
    let code = archive.names.iter().filter_map(|name| {
        let source = name.strip_prefix(&code_folder).filter(|n| n.ends_with(".py"))?;
        Some((source.to_owned(), archive.entries.get(name)?.data.clone()))
    });
    Ok(Contents { container: "zip", parts, code: code.collect() })
}

/// `archive/` of `archive/data.pkl`; nothing for a file deeper down.
fn top_folder<'a>(name: &'a str, file: &str) -> Option<&'a str> {
    let folder = name.strip_suffix(file)?;
    let depth = folder.matches('/').count();
    (folder.is_empty() || (folder.ends_with('/') && depth == 1)).then_some(folder)
}

fn not_ours(archive: &Archive) -> Refusal {
    let has = |end: &str| archive.names.iter().any(|n| n.ends_with(end));
    let found = if has("model.json") && archive.names.iter().any(|n| n.contains("/tensors/")) {
        "a TorchScript archive of PyTorch 1.0 (save it again with a later version)"
    } else if has("archive_format") || has("models/model.json") {
        "a torch.export archive"
    } else if has(".npy") {
        "NumPy arrays (npz)"
    } else if has("config.json") && has("model.weights.h5") {
        "a Keras archive"
    } else {
        "another zip archive"
    };
    Refusal::WrongFormat { expected: "a zip with data.pkl in it".to_owned(), found: found.to_owned() }
}

fn part(
    file: &str,
    archive: &Archive,
    prefix: &str,
    folder: &str,
    constants: bool,
) -> Result<Part, SourceError> {
    let name = format!("{prefix}{folder}.pkl");
    let refuse = |refusal| SourceError::new(file, refusal);
    let Some(entry) = archive.entries.get(&name) else { return Err(refuse(Refusal::Missing(name))) };
    let limit = match entry.data {
        Data::Stored(_) => MAX_PICKLE_BYTES as u64,
        Data::Deflated { .. } => MAX_PACKED_PICKLE,
    };
    if entry.data.size() > limit {
        let what = format!("{name} in bytes");
        return Err(refuse(Refusal::TooLarge { what, size: entry.data.size(), limit }));
    }
    let stored_at = matches!(entry.data, Data::Stored(_)).then_some(entry.start);
    let pickle = entry.data.unpack().map_err(refuse)?;
    let graph = unpickle(&pickle, 0).map_err(|f| fault(file, f, Some((&name, stored_at))))?;
    let folder = format!("{prefix}{folder}/");
    let storages = archive
        .entries
        .iter()
        .filter_map(|(name, entry)| Some((name.strip_prefix(&folder)?.to_owned(), entry.data.clone())))
        .collect();
    Ok(Part { graph, storages, constants })
}

fn read_directory(bytes: &Bytes) -> Result<Archive, Refusal> {
    let broken = |e: rawzip::Error| Refusal::Malformed(format!("zip archive: {e}"));
    let zip = ZipArchive::from_slice(&bytes[..]).map_err(|e| {
        Refusal::Malformed(format!(
            "zip archive without a readable directory at its end, as when cut short: {e}"
        ))
    })?;
    let mut archive = Archive { names: Vec::new(), entries: HashMap::new() };
    let mut entries = zip.entries();
    while let Some(record) = entries.next_entry().map_err(broken)? {
        if record.is_dir() {
            continue;
        }
        if archive.names.len() == MAX_ENTRIES {
            let what = "the number of zip entries".to_owned();
            let (size, limit) = (MAX_ENTRIES as u64 + 1, MAX_ENTRIES as u64);
            return Err(Refusal::TooLarge { what, size, limit });
        }
        let name = String::from_utf8_lossy(record.file_path().as_bytes()).into_owned();
        if record.flags().is_encrypted() {
            return Err(Refusal::Unsupported(format!("encrypted zip entry '{name}'")));
        }
        let local = zip.get_entry(record.wayfinder()).map_err(|e| {
            Refusal::Malformed(format!("zip entry '{name}' does not lie within the archive: {e}"))
        })?;
        let (start, end) = local.compressed_data_range();
        let range = start as usize..end as usize;
        if range.start > range.end || range.end > bytes.len() {
            return Err(Refusal::Malformed(format!("zip entry '{name}' does not lie within the archive")));
        }
        let start = range.start;
        let packed = bytes.slice(range);
        let size = record.uncompressed_size_hint();
        let data = match record.compression_method() {
            CompressionMethod::STORE if size == packed.len() as u64 => Data::Stored(packed),
            CompressionMethod::STORE => {
                let what = format!("zip entry '{name}' of {size} bytes occupies {}", packed.len());
                return Err(Refusal::Malformed(what));
            }
            CompressionMethod::DEFLATE => Data::Deflated { packed, size },
            method => {
                let what = format!("zip entry '{name}' with compression method {method:?}");
                return Err(Refusal::Unsupported(what));
            }
        };
        if archive.entries.insert(name.clone(), Entry { data, start }).is_some() {
            return Err(Refusal::Malformed(format!("two zip entries are named '{name}'")));
        }
        archive.names.push(name);
    }
    Ok(archive)
}
