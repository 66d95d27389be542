//! Models in several files: an index that names the shards, or a folder that holds them.
//!
//! Names in an index may not leave its folder, but what they name may be a symbolic link: the cache of the Hugging Face hub is
//! made of them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::{Component, Path};

use eigenscope::source::{Refusal, SourceError, TensorInfo, WeightFile};
use eigenscope::tensor::Tensor;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::mapped;

/// The largest index read: 64 bytes for each of a million tensors.
const MAX_INDEX_BYTES: u64 = 64 << 20;
/// The largest published models have a few hundred shards; each keeps a file mapped.
const MAX_SHARDS: usize = 4096;
/// Names listed in an error before it says how many more there are.
const MAX_NAMED: usize = 8;

/// How a format names its files.
#[derive(Clone, Copy, Debug)]
pub struct Convention {
    /// Beginnings of the names that are taken as the model when a folder holds other files too, the preferred first:
    /// `model`, `adapter_model`.
    pub stems: &'static [&'static str],
    /// Extensions of the files, the preferred first, without dots.
    pub extensions: &'static [&'static str],
}

/// Opens one file of a model.
pub type OpenOne<'a> = &'a dyn Fn(&Path) -> Result<Box<dyn WeightFile>, SourceError>;

impl Convention {
    /// Whether `name` is that of an index: `model.safetensors.index.json`, `model.safetensors.index.fp16.json`.
    pub fn is_index(&self, name: &str) -> bool {
        name.ends_with(".json") && self.extensions.iter().any(|e| name.contains(&format!(".{e}.index.")))
    }

    /// Whether `name` has one of the extensions.
    pub fn is_file(&self, name: &str) -> bool {
        let extension = Path::new(name).extension().map(|e| e.to_string_lossy().to_lowercase());
        extension.is_some_and(|e| self.extensions.contains(&e.as_str()))
    }

    /// Whether a folder with these names holds a model under one of the preferred names.
    pub fn prefers(&self, entries: &[String]) -> bool {
        entries
            .iter()
            .any(|n| (self.is_index(n) || self.is_file(n)) && self.stems.iter().any(|stem| has_stem(n, stem)))
    }

    /// Opens the model in a folder: through its index, else the file or the complete set of shards under the first
    /// preferred name that has any, else whatever single model is there.
    ///
    /// # Errors
    /// [`Refusal::Missing`] without any file of the format, or with shards missing; [`Refusal::Unsupported`] naming the files
    /// when they are not one model.
    pub fn open_folder(
        &self,
        folder: &Path,
        entries: &[String],
        open: OpenOne<'_>,
    ) -> Result<Box<dyn WeightFile>, SourceError> {
        let refuse = |refusal| SourceError::new(folder.display().to_string(), refusal);
        if entries.is_empty() {
            return Err(refuse(Refusal::Empty));
        }
        let matching = |stem: &str, wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
            entries.iter().filter(|n| has_stem(n, stem) && wanted(n)).cloned().collect()
        };
        for stem in self.stems.iter().chain([&""]) {
            let indexes = matching(stem, &|n| self.is_index(n));
            if let Some(first) = only_or_canonical(&indexes, stem, ".index.json") {
                return self.open_index(&folder.join(first), open);
            }
            if !indexes.is_empty() {
                return Err(refuse(several("indexes", &indexes)));
            }
            let files = matching(stem, &|n| self.is_file(n));
            if files.is_empty() {
                continue;
            }
            for extension in self.extensions {
                let canonical = format!("{stem}.{extension}");
                if files.contains(&canonical) {
                    return open(&folder.join(canonical));
                }
            }
            return match complete_set(&files).map_err(refuse)? {
                Some(set) => join(folder, None, open_all(folder, &set, open)?),
                None => Err(refuse(several("models", &files))),
            };
        }
        let wanted: Vec<String> = self.extensions.iter().map(|e| format!("*.{e}")).collect();
        Err(refuse(Refusal::Missing(format!("no {} in this folder", wanted.join(" or ")))))
    }

    /// Opens every shard that an index names.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] for a name outside the index's folder, [`Refusal::Missing`] for a shard that is not there or lacks
    /// a tensor the index promises.
    pub fn open_index(&self, index: &Path, open: OpenOne<'_>) -> Result<Box<dyn WeightFile>, SourceError> {
        let name = index.display().to_string();
        let refuse = |refusal| SourceError::new(name.clone(), refusal);
        let json = mapped::map(index)?;
        let size = json.len() as u64;
        if size == 0 {
            return Err(refuse(Refusal::Empty));
        }
        if size > MAX_INDEX_BYTES {
            let what = "the index in bytes".to_owned();
            return Err(refuse(Refusal::TooLarge { what, size, limit: MAX_INDEX_BYTES }));
        }
        let Index { weight_map } = serde_json::from_slice(&json)
            .map_err(|e| refuse(Refusal::Malformed(format!("an index with a \"weight_map\": {e}"))))?;
        let shards: BTreeSet<&String> = weight_map.0.iter().map(|(_, shard)| shard).collect();
        if shards.is_empty() {
            return Err(refuse(Refusal::Empty));
        }
        if shards.len() > MAX_SHARDS {
            let what = "the number of shards".to_owned();
            return Err(refuse(Refusal::TooLarge {
                what,
                size: shards.len() as u64,
                limit: MAX_SHARDS as u64,
            }));
        }
        if let Some(outside) = shards.iter().find(|shard| !is_confined(shard)) {
            let what = format!("shard '{outside}' is not a plain path below the index's folder");
            return Err(refuse(Refusal::Forbidden(what)));
        }
        let folder = index.parent().unwrap_or(Path::new(""));
        if let Some(absent) = shards.iter().find(|shard| !folder.join(shard).is_file()) {
            return Err(refuse(Refusal::Missing(format!("shard '{absent}', which the index names"))));
        }
        let shards: Vec<String> = shards.into_iter().cloned().collect();
        let files = open_all(folder, &shards, open)?;
        join(index, Some(&weight_map), files)
    }
}

/// A JSON object of strings in the order of the file.
#[derive(Debug, Default)]
pub struct Pairs(pub Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[derive(Deserialize)]
struct Index {
    weight_map: Pairs,
}

fn has_stem(name: &str, stem: &str) -> bool {
    // `model-00001-of-00002.bin`, `model.fp16.bin` and `model.bin`, but not `modeling.bin`.
    stem.is_empty() || name.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['.', '-', '_']))
}

fn only_or_canonical<'a>(names: &'a [String], stem: &str, end: &str) -> Option<&'a String> {
    let canonical = |n: &&String| {
        n.strip_prefix(stem)
            .and_then(|rest| rest.strip_suffix(end))
            .is_some_and(|middle| middle.starts_with('.') && !middle[1..].contains('.'))
    };
    names.iter().find(canonical).or(if names.len() == 1 { names.first() } else { None })
}

fn several(what: &str, names: &[String]) -> Refusal {
    Refusal::Unsupported(format!("a folder of several {what}; name one of {}", list(names)))
}

fn list(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_NAMED).map(String::as_str).collect();
    match names.len().saturating_sub(MAX_NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `names` themselves if they are one file, or all the shards `x-00001-of-0000N` of one model; `None` if they are neither.
fn complete_set(names: &[String]) -> Result<Option<Vec<String>>, Refusal> {
    if names.len() == 1 && numbered(&names[0]).is_none() {
        return Ok(Some(names.to_vec()));
    }
    let parts: Option<Vec<_>> = names.iter().map(|n| numbered(n)).collect();
    let Some(parts) = parts else { return Ok(None) };
    let Some(&(prefix, _, count, suffix)) = parts.first() else { return Ok(None) };
    if parts.iter().any(|&(p, _, c, s)| (p, c, s) != (prefix, count, suffix)) {
        return Ok(None);
    }
    let present: BTreeSet<u64> = parts.iter().map(|&(_, i, _, _)| i).collect();
    // Some writers count from 0.
    let first = u64::from(!present.contains(&0));
    let absent = (first..).take(count.min(MAX_SHARDS as u64) as usize).find(|i| !present.contains(i));
    match absent {
        None => Ok(Some(names.to_vec())),
        Some(i) => Err(Refusal::Missing(format!(
            "shard {i} of '{prefix}-...-of-{count:05}{suffix}': the folder holds {} of {count}",
            present.len()
        ))),
    }
}

/// Splits `prefix-00002-of-00005.suffix`.
fn numbered(name: &str) -> Option<(&str, u64, u64, &str)> {
    let (before, after) = name.rsplit_once("-of-")?;
    let (prefix, number) = before.rsplit_once('-')?;
    let (count, _) = after.split_once('.')?;
    Some((prefix, number.parse().ok()?, count.parse().ok()?, &after[count.len()..]))
}

fn is_confined(shard: &str) -> bool {
    let odd = shard.is_empty() || shard.contains(['\\', ':', '\0']);
    !odd && Path::new(shard).components().all(|c| matches!(c, Component::Normal(_)))
}

type Named = (String, Box<dyn WeightFile>);

fn open_all(folder: &Path, names: &[String], open: OpenOne<'_>) -> Result<Vec<Named>, SourceError> {
    names.iter().map(|name| Ok((name.clone(), open(&folder.join(name))?))).collect()
}

/// Several files as one model: shards in the order of their names, tensors in the order of their shard.
fn join(path: &Path, index: Option<&Pairs>, files: Vec<Named>) -> Result<Box<dyn WeightFile>, SourceError> {
    let name = path.display().to_string();
    let mut sharded =
        Sharded { name: name.clone(), infos: Vec::new(), places: Vec::new(), files: Vec::new() };
    let mut home: HashMap<&str, &str> = HashMap::new();
    let mut promised: HashMap<&str, &str> = HashMap::new();
    for (tensor, shard) in index.map(|i| i.0.as_slice()).unwrap_or_default() {
        if promised.insert(tensor, shard).is_some_and(|other| other != shard) {
            let what = Refusal::Malformed("the index places it in two shards".to_owned());
            return Err(SourceError::new(name, what).tensor(tensor));
        }
    }
    for (shard, (shard_name, file)) in files.iter().enumerate() {
        for (at, info) in file.tensors().iter().enumerate() {
            if let Some(other) = home.insert(&info.name, shard_name) {
                let what = Refusal::Malformed(format!("both '{other}' and '{shard_name}' hold it"));
                return Err(SourceError::new(name, what).tensor(&info.name));
            }
            let mut info = info.clone();
            if index.is_some() && !promised.contains_key(info.name.as_str()) && info.note.is_none() {
                info.note = Some("not in the index".to_owned());
            }
            sharded.infos.push(info);
            sharded.places.push((shard, at));
        }
    }
    let absent = promised.iter().filter(|(tensor, shard)| home.get(*tensor) != Some(shard));
    if let Some((tensor, shard)) = absent.min() {
        let what = Refusal::Missing(format!("the index places it in '{shard}', which does not hold it"));
        return Err(SourceError::new(name, what).tensor(*tensor));
    }
    sharded.files = files.into_iter().map(|(_, file)| file).collect();
    Ok(Box::new(sharded))
}

struct Sharded {
    name: String,
    infos: Vec<TensorInfo>,
    /// Shard and index in it, for each tensor.
    places: Vec<(usize, usize)>,
    files: Vec<Box<dyn WeightFile>>,
}

impl WeightFile for Sharded {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let &(shard, at) = self.places.get(index).ok_or_else(|| {
            let what = format!("tensor {index} of {}", self.places.len());
            SourceError::new(self.name.clone(), Refusal::Missing(what))
        })?;
        self.files[shard].read(at)
    }

    fn metadata(&self) -> Vec<(String, String)> {
        let mut seen = HashSet::new();
        let mut all: Vec<_> = self.files.iter().flat_map(|f| f.metadata()).collect();
        all.retain(|pair| seen.insert(pair.clone()));
        all
    }
}
