//! Writing: beside the place, flushed, renamed; one writer at a time.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use super::quality::{Attached, QualityRow};
use super::source::sha256;
use super::{Draft, ENTRY, Entry, FileInfo, MARKER, Name, QUALITY, Quality, Store, StoreError, VERSION};

/// What is being written begins so.
pub(super) const TEMPORARY: &str = ".writing-";
/// Digits of a hash in a file's name.
const DIGITS: usize = 16;
const LOCK: &str = "lock";

impl Store {
    /// Makes the folder a store unless it is one.
    pub(super) fn make(&self) -> Result<(), StoreError> {
        let folder = &self.folder;
        if folder.join(MARKER).exists() {
            return self.check();
        }
        fs::create_dir_all(folder).map_err(StoreError::io("write", folder))?;
        let entries = fs::read_dir(folder).map_err(StoreError::io("read", folder))?;
        // A store whose making was interrupted has nothing else in it.
        let ours = |name: &str| name.starts_with(TEMPORARY) || [LOCK, MARKER].contains(&name);
        if entries.flatten().any(|e| !ours(&e.file_name().to_string_lossy())) {
            // Another process may have made the store meanwhile, and its first entry.
            return self.check().map_err(|_| StoreError::NotEmpty { path: folder.clone() });
        }
        let _lock = self.lock()?;
        let text = format!("{{\"format\": \"eigenscope store\", \"version\": {VERSION}}}\n");
        replace(&folder.join(MARKER), text.as_bytes())
    }

    /// Waits until no other process writes. Where the file system knows no locks, goes on without.
    fn lock(&self) -> Result<Lock, StoreError> {
        let path = self.folder.join(LOCK);
        let opened = File::options().create(true).append(true).open(&path);
        let file = opened.map_err(StoreError::io("write", &path))?;
        let held = file.lock().is_ok();
        Ok(Lock { _file: file, held })
    }

    /// Stores a result; one of the same name is replaced, its quality stays.
    pub fn add(&self, draft: Draft) -> Result<Entry, StoreError> {
        let place = self.place(&draft.name);
        let rows = super::Details::parse(&draft.details)
            .map_err(|e| StoreError::content(format!("{}: details", draft.name), e))?
            .len();
        let hash = sha256(&draft.details);
        let details = FileInfo {
            file: format!("details-{}.csv", &hash[..DIGITS]),
            sha256: hash,
            bytes: draft.details.len() as u64,
            rows,
        };
        let mut entry = Entry {
            version: VERSION,
            name: draft.name,
            series: draft.series,
            tags: draft.tags,
            stored: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            tool: draft.tool,
            conventions: draft.conventions,
            source: draft.source,
            base: draft.base,
            model: draft.model,
            summary: draft.summary,
            layers: draft.layers,
            details,
            options: draft.options,
            quality: Vec::new(),
        };
        let lock = self.lock()?;
        folders(&place)?;
        replace(&place.join(&entry.details.file), &draft.details)?;
        replace(&place.join(ENTRY), &json(&entry, &place)?)?;
        if lock.held {
            sweep(&place, &entry.details.file);
        }
        entry.quality = super::read::quality(&place).unwrap_or_default();
        Ok(entry)
    }

    /// Attaches numbers to entries, those still to come too. A number of the same name is replaced.
    pub fn attach(&self, rows: &[QualityRow]) -> Result<Attached, StoreError> {
        let mut names: Vec<&Name> = rows.iter().map(|r| &r.name).collect();
        names.sort();
        names.dedup();
        let mut attached = Attached::default();
        let _lock = self.lock()?;
        for name in names {
            let place = self.place(name);
            let mut known = super::read::quality(&place)
                .map_err(|reason| StoreError::content(place.join(QUALITY).display(), reason))?;
            let news: Vec<&Quality> = rows.iter().filter(|r| r.name == *name).map(|r| &r.quality).collect();
            for quality in &news {
                known.retain(|k| k.metric != quality.metric);
                known.push((*quality).clone());
            }
            folders(&place)?;
            replace(&place.join(QUALITY), &json(&known, &place)?)?;
            if place.join(ENTRY).exists() {
                attached.attached += news.len();
            } else {
                attached.waiting.push(name.clone());
            }
        }
        Ok(attached)
    }

    /// Removes an entry with its quality; an error where there is none.
    pub fn remove(&self, name: &Name) -> Result<(), StoreError> {
        let place = self.place(name);
        let _lock = self.lock()?;
        if !place.is_dir() {
            return Err(StoreError::NoEntry(name.to_string()));
        }
        // First what makes it an entry: whoever is interrupted here leaves rubbish and no half of an entry.
        match fs::remove_file(place.join(ENTRY)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", place.join(ENTRY))(e));
            }
            _ => sync(&place),
        }
        fs::remove_dir_all(&place).map_err(StoreError::io("remove", &place))?;
        if let Some(architecture) = place.parent() {
            // Stays where other variants are in it.
            let _ = fs::remove_dir(architecture);
        }
        Ok(())
    }
}

struct Lock {
    _file: File,
    held: bool,
}

fn json(value: &impl serde::Serialize, place: &Path) -> Result<Vec<u8>, StoreError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| StoreError::content(place.display(), e))?;
    text.push(b'\n');
    Ok(text)
}

fn folders(place: &Path) -> Result<(), StoreError> {
    if place.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(place).map_err(StoreError::io("write", place))?;
    // A folder's name stands in its parent, from where a power cut could take it: architecture, entries, store.
    place.ancestors().skip(1).take(3).for_each(sync);
    Ok(())
}

/// Writes a file in one step: readers see the old content, or the new.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Those of a file made the plain way; the process's mask applies.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync(folder);
        Ok(())
    };
    write().map_err(StoreError::io("write", path))
}

/// Flushes a folder's list of names, where the system can.
fn sync(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Takes away what no entry names: details of a former result, and what a killed writer left. Only under the lock.
fn sweep(place: &Path, details: &str) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let stale = name.starts_with(TEMPORARY) || (name.starts_with("details-") && name != details);
        if stale {
            let _ = fs::remove_file(entry.path());
        }
    }
}
