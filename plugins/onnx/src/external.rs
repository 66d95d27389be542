//! Tensor data in files beside the model, and nowhere else.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use eigenscope_plugin::Bytes;
use eigenscope_plugin::mapped;
use eigenscope_plugin::source::{Input, Refusal};

use crate::proto::StringStringEntryProto;

/// The folder of a model and the data files mapped so far.
#[derive(Default)]
pub(crate) struct Folder {
    /// As the caller named it; `None` when the model came as bytes.
    folder: Option<PathBuf>,
    /// Where files may really lie, canonical: the folder, and the one the model file itself is in if it is reached by a
    /// link, as in download caches that keep every file elsewhere and link to it.
    roots: Vec<PathBuf>,
    files: HashMap<PathBuf, Bytes>,
    /// The same by every name they go by, to look each name up once.
    named: HashMap<String, Bytes>,
}

/// Data files of a model. Each takes a memory map, of which Linux gives a process 65,530.
const MAX_FILES: usize = 16_384;

impl Folder {
    /// The folder of a model.
    pub(crate) fn of(input: &Input) -> Folder {
        let Input::Path(path) = input else {
            return Folder::default();
        };
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let real = path.canonicalize().ok();
        let beside = real.as_deref().and_then(Path::parent).map(Path::to_owned);
        let roots = folder.canonicalize().into_iter().chain(beside).collect();
        Folder { folder: Some(folder), roots, ..Folder::default() }
    }

    /// Locations read from, sorted.
    pub(crate) fn locations(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.named.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The `needed` bytes that `external_data` entries point at.
    pub(crate) fn slice(
        &mut self,
        entries: &[StringStringEntryProto],
        needed: u64,
    ) -> Result<Bytes, Refusal> {
        let entry = |key| entries.iter().find(|e| e.key == key).map(|e| e.value.as_str());
        let number = |key| match entry(key) {
            None => Ok(None),
            Some(text) => text.trim().parse::<u64>().map(Some).map_err(|_| {
                Refusal::Malformed(format!("external data: {key} '{}' is not a number", shorten(text)))
            }),
        };
        let location = entry("location").ok_or_else(|| {
            Refusal::Malformed("external data without a location: the name of a file".to_owned())
        })?;
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        if let Some(length) = length.filter(|&l| l != needed) {
            return Err(Refusal::Malformed(format!(
                "external data: the shape needs {needed} bytes, length is {length}"
            )));
        }
        let bytes = self.file(location)?;
        let size = bytes.len() as u64;
        let end =
            offset.checked_add(needed).filter(|&end| end <= size).ok_or_else(|| Refusal::Truncated {
                what: format!("external data file '{}' from byte {offset}", shorten(location)),
                needed,
                found: size.saturating_sub(offset),
            })?;
        Ok(bytes.slice(offset as usize..end as usize))
    }

    fn file(&mut self, location: &str) -> Result<Bytes, Refusal> {
        if let Some(bytes) = self.named.get(location) {
            return Ok(bytes.clone());
        }
        let path = self.resolve(location)?;
        let bytes = match self.files.get(&path) {
            Some(bytes) => bytes.clone(),
            None if self.files.len() == MAX_FILES => {
                let (size, limit) = (MAX_FILES as u64 + 1, MAX_FILES as u64);
                return Err(Refusal::TooLarge {
                    what: "the number of external data files".to_owned(),
                    size,
                    limit,
                });
            }
            None => mapped::map(&path).map_err(|e| *e.refusal)?,
        };
        self.files.insert(path, bytes.clone());
        self.named.insert(location.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// The real path of a data file, which must lie in the model's folder.
    fn resolve(&self, location: &str) -> Result<PathBuf, Refusal> {
        let shown = shorten(location);
        let Some(folder) = &self.folder else {
            return Err(Refusal::Missing(format!(
                "external data file '{shown}': the model came as bytes, which have no folder; open it by its path"
            )));
        };
        let leaves = |why: &str| Refusal::Forbidden(format!("external data file '{shown}' {why}"));
        // Both separators, so that a model means the same everywhere.
        if location.starts_with(['/', '\\']) || location.get(1..2) == Some(":") {
            return Err(leaves("is an absolute path; it must lie in the model's folder"));
        }
        let inside = |c| matches!(c, Component::Normal(_) | Component::CurDir);
        if location.split(['/', '\\']).any(|part| part == "..")
            || !Path::new(location).components().all(inside)
        {
            return Err(leaves("leads out of the model's folder"));
        }
        let real = folder.join(location).canonicalize().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Refusal::Missing(format!("external data file '{shown}' in {}", folder.display()))
            }
            _ => Refusal::Io(e),
        })?;
        if !self.roots.iter().any(|root| real.starts_with(root)) {
            return Err(leaves("is a link that leads out of the model's folder"));
        }
        // Before it is opened: opening a pipe would wait for ever.
        if !real.metadata().map_err(Refusal::Io)?.is_file() {
            return Err(leaves("is not a regular file"));
        }
        Ok(real)
    }
}

/// Names of a hostile file may be megabytes long; messages are not.
pub(crate) fn shorten(text: &str) -> String {
    const LIMIT: usize = 160;
    match text.char_indices().nth(LIMIT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
