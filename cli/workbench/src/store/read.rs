//! Reading: what is there, what is damaged, and the details of one entry.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::source::sha256;
use super::{Details, ENTRIES, ENTRY, Entry, MARKER, Name, QUALITY, Quality, Store, StoreError, VERSION};

/// How often an entry that is being replaced is read again.
const TRIES: usize = 50;

/// An entry that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its folder.
    pub path: PathBuf,
    /// Expected and found.
    pub reason: String,
}

/// What is in a store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// In order of architecture and variant, numbers in names by their size.
    pub entries: Vec<Entry>,
    /// What is left out.
    pub damaged: Vec<Damaged>,
}

impl Store {
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let path = self.folder.join(MARKER);
        let text = match fs::read_to_string(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::NoStore { path: self.folder.clone() });
            }
            text => text.map_err(StoreError::io("read", &path))?,
        };
        let marker: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| StoreError::content(path.display(), e))?;
        match &marker["version"] {
            version if version.as_u64() == Some(VERSION) => Ok(()),
            other => Err(StoreError::Version { path, found: other.to_string() }),
        }
    }

    /// Every entry. `thorough`: every byte of the details is read and compared with its hash; otherwise only its length is.
    pub fn list(&self, thorough: bool) -> Result<Listing, StoreError> {
        let mut listing = Listing::default();
        let root = self.folder.join(ENTRIES);
        for architecture in folders(&root)? {
            for place in folders(&architecture)? {
                match self.at(&place, thorough) {
                    Ok(Some(entry)) => listing.entries.push(entry),
                    // Not finished, or removed just now.
                    Ok(None) => {}
                    Err(reason) => listing.damaged.push(Damaged { path: place, reason }),
                }
            }
        }
        listing.entries.sort_by_cached_key(|e| (natural(&e.name.architecture), natural(&e.name.variant)));
        listing.damaged.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }

    /// A word that changes whenever an entry or its quality is added, replaced or removed; reads no file.
    pub fn version(&self) -> Result<String, StoreError> {
        let mut seen = String::new();
        for architecture in folders(&self.folder.join(ENTRIES))? {
            for place in folders(&architecture)? {
                for file in [ENTRY, QUALITY] {
                    let Ok(meta) = fs::metadata(place.join(file)) else { continue };
                    seen +=
                        &format!("{}/{file} {} {:?}\n", place.display(), meta.len(), meta.modified().ok());
                }
            }
        }
        // Folders are listed in any order.
        let mut lines: Vec<&str> = seen.lines().collect();
        lines.sort_unstable();
        Ok(sha256(lines.join("\n").as_bytes()))
    }

    /// The entry of that name, if there is one; an error where it is damaged.
    pub fn entry(&self, name: &Name) -> Result<Option<Entry>, StoreError> {
        let place = self.place(name);
        self.at(&place, false).map_err(|reason| StoreError::content(place.display(), reason))
    }

    /// The details of an entry and the bytes they were read from, compared with their hash.
    pub fn details(&self, entry: &Entry) -> Result<(Details, Vec<u8>), StoreError> {
        let place = self.place(&entry.name);
        let path = place.join(&entry.details.file);
        let bytes = bytes(&place, entry).map_err(|reason| StoreError::content(place.display(), reason))?;
        let details = Details::parse(&bytes).map_err(|e| StoreError::content(path.display(), e))?;
        Ok((details, bytes))
    }

    fn at(&self, place: &Path, thorough: bool) -> Result<Option<Entry>, String> {
        let mut last = String::new();
        for _ in 0..TRIES {
            let text = match fs::read(place.join(ENTRY)) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                text => text.map_err(|e| format!("{ENTRY}: {e}"))?,
            };
            let read = self.parsed(place, &text).and_then(|entry| {
                if thorough {
                    bytes(place, &entry)?;
                } else {
                    let path = place.join(&entry.details.file);
                    let length =
                        fs::metadata(path).map_err(|e| format!("{}: {e}", entry.details.file))?.len();
                    expect_length(&entry, length)?;
                }
                Ok(entry)
            });
            match read {
                Ok(mut entry) => {
                    entry.quality = quality(place)?;
                    return Ok(Some(entry));
                }
                // Replaced between the two looks, or really damaged: then nothing changes.
                Err(reason) if reason == last => return Err(reason),
                Err(reason) => last = reason,
            }
        }
        Err(last)
    }

    fn parsed(&self, place: &Path, text: &[u8]) -> Result<Entry, String> {
        let value: serde_json::Value = serde_json::from_slice(text).map_err(|e| format!("{ENTRY}: {e}"))?;
        if value["version"].as_u64() != Some(VERSION) {
            return Err(format!("{ENTRY}: expected version {VERSION}, found {}", value["version"]));
        }
        let entry: Entry = serde_json::from_value(value).map_err(|e| format!("{ENTRY}: {e}"))?;
        if Name::new(&entry.name.architecture, &entry.name.variant).is_err()
            || self.place(&entry.name) != place
        {
            return Err(format!("{ENTRY}: is of {}, which has another folder", entry.name));
        }
        let plain = entry.details.file.starts_with("details-") && !entry.details.file.contains(['/', '\\']);
        if !plain {
            return Err(format!("{ENTRY}: expected a file details-*.csv, found '{}'", entry.details.file));
        }
        Ok(entry)
    }
}

fn expect_length(entry: &Entry, length: u64) -> Result<(), String> {
    let expected = &entry.details;
    if length == expected.bytes {
        return Ok(());
    }
    Err(format!("{}: expected {} bytes, found {length}", expected.file, expected.bytes))
}

fn bytes(place: &Path, entry: &Entry) -> Result<Vec<u8>, String> {
    let file = &entry.details.file;
    let bytes = fs::read(place.join(file)).map_err(|e| format!("{file}: {e}"))?;
    expect_length(entry, bytes.len() as u64)?;
    let found = sha256(&bytes);
    if found != entry.details.sha256 {
        return Err(format!("{file}: expected SHA-256 {}, found {found}", entry.details.sha256));
    }
    Ok(bytes)
}

/// The quality of an entry; none where there is no file of it.
pub(super) fn quality(place: &Path) -> Result<Vec<Quality>, String> {
    match fs::read(place.join(QUALITY)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(format!("{QUALITY}: {e}")),
        Ok(text) => serde_json::from_slice(&text).map_err(|e| format!("{QUALITY}: {e}")),
    }
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::io("read", path))?,
    };
    Ok(entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect())
}

/// A key that sorts `B2` before `B10`.
pub(super) fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts: Vec<(String, u64)> = vec![(String::new(), 0)];
    let mut digits = false;
    for c in name.chars() {
        if let (Some(digit), Some((_, number))) = (c.to_digit(10), parts.last_mut()) {
            *number = number.saturating_mul(10).saturating_add(digit.into());
            digits = true;
            continue;
        }
        if digits {
            parts.push((String::new(), 0));
            digits = false;
        }
        if let Some((word, _)) = parts.last_mut() {
            word.push(c);
        }
    }
    parts
}
