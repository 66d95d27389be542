//! Results as `<architecture>/<variant>/details.csv` with `summary.json` beside it, in and out.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::name::unfolded;
use super::{Details, Draft, Entry, Layers, Name, Source, Store, StoreError};
use eigenscope::analysis::SUMMARY_COLUMNS;

const DETAILS: &str = "details.csv";
const SUMMARY: &str = "summary.json";

/// A result that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// What it will be called.
    pub name: Name,
    /// Its folder.
    pub path: PathBuf,
}

/// The results below a folder, in order; of a folder that holds nothing but `results`, those below that.
pub fn find_results(root: &Path) -> Result<Vec<Imported>, StoreError> {
    let within = root.join("results");
    let root = if within.is_dir() { &within } else { root };
    let mut found = Vec::new();
    for architecture in folders(root)? {
        for variant in folders(&architecture)? {
            if variant.join(DETAILS).exists() || variant.join(SUMMARY).exists() {
                let part =
                    |p: &Path| p.file_name().map(|n| unfolded(&n.to_string_lossy())).unwrap_or_default();
                found.push(Imported {
                    name: Name::new(&part(&architecture), &part(&variant))?,
                    path: variant,
                });
            }
        }
    }
    Ok(found)
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = fs::read_dir(path).map_err(StoreError::io("read", path))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

/// One result. Its summary stays as it is; where there is none, it is made of the details.
pub fn read_result(found: &Imported, tool: &str) -> Result<Draft, StoreError> {
    let path = found.path.join(DETAILS);
    let bytes = fs::read(&path).map_err(StoreError::io("read", &path))?;
    let details = Details::parse(&bytes).map_err(|e| StoreError::content(path.display(), e))?;
    let summary = match summary(&found.path.join(SUMMARY))? {
        Some(summary) => summary,
        None => means(&details),
    };
    let count = |status: &str| (0..details.len()).filter(|r| details.text(*r, "status") == status).count();
    Ok(Draft {
        name: found.name.clone(),
        series: None,
        tags: Vec::new(),
        tool: tool.to_owned(),
        conventions: None,
        options: None,
        source: Some(Source {
            path: path.display().to_string(),
            sha256: super::source::sha256(&bytes),
            bytes: bytes.len() as u64,
            files: 1,
        }),
        base: None,
        model: Map::new(),
        summary,
        layers: Layers {
            analyzed: details.analyzed().count(),
            failed: count("failed"),
            skipped: count("skipped"),
        },
        details: bytes,
    })
}

fn summary(path: &Path) -> Result<Option<Map<String, Value>>, StoreError> {
    let text = match fs::read(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(StoreError::io("read", path))?,
    };
    let map: Map<String, Value> =
        serde_json::from_slice(&text).map_err(|e| StoreError::content(path.display(), e))?;
    Ok(Some(map))
}

/// The mean of each summary column over the analysed layers.
fn means(details: &Details) -> Map<String, Value> {
    let columns = SUMMARY_COLUMNS.iter().filter(|name| details.has(name));
    columns.map(|name| ((*name).to_owned(), details.mean(name).into())).collect()
}

/// Writes an entry as `<folder>/<architecture>/<variant>/`; what is there is replaced. The folder it went to.
pub fn export(store: &Store, entry: &Entry, folder: &Path) -> Result<PathBuf, StoreError> {
    let (_, bytes) = store.details(entry)?;
    let (architecture, variant) = entry.name.folders();
    let place = folder.join(architecture).join(variant);
    fs::create_dir_all(&place).map_err(StoreError::io("write", &place))?;
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, formatter);
    serde::Serialize::serialize(&entry.summary, &mut writer)
        .map_err(|e| StoreError::content(place.display(), e))?;
    super::write::replace(&place.join(DETAILS), &bytes)?;
    super::write::replace(&place.join(SUMMARY), &text)?;
    Ok(place)
}
