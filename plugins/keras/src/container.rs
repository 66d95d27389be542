//! An HDF5 file as a list of datasets and a map of groups, each object once, links that cannot be read included.

use std::collections::{BTreeMap, HashMap, HashSet};

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError};
use eigenscope_plugin::tensor::{Dtype, Tensor};
use hdf5_reader::group::Group;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::object_header::ObjectHeader;
use hdf5_reader::{Hdf5File, OpenOptions};

use crate::attributes::Attributes;
use crate::dataset::{self, Leaf};
use crate::guard::{Metered, guarded};
use crate::links::{self, Target};

/// Links followed in one file. The largest models have some tens of thousands of tensors and optimizer slots.
pub const MAX_OBJECTS: usize = 1 << 18;
/// Groups inside groups. Models nested in models nested in wrappers reach about twenty.
pub const MAX_DEPTH: usize = 64;
/// Attributes of one group; Keras writes fewer than ten.
const MAX_ATTRIBUTES: usize = 1 << 14;
/// The largest object header: its attributes, each below 64 kB.
const MAX_HEADER_BYTES: usize = 4 << 20;
/// Where HDF5 looks for its signature: the start, and after a user block of a power of two from 512 up to here.
const MAX_USER_BLOCK: usize = 1 << 20;
const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// Where in `bytes` the HDF5 signature is.
pub fn signature(bytes: &[u8]) -> Option<usize> {
    let places =
        std::iter::successors(Some(512usize), |at| at.checked_mul(2)).take_while(|&at| at <= MAX_USER_BLOCK);
    std::iter::once(0).chain(places).find(|&at| bytes.get(at..).is_some_and(|b| b.starts_with(SIGNATURE)))
}

/// An open HDF5 file.
pub struct Container {
    /// As the caller named it; for errors.
    pub name: String,
    bytes: Bytes,
    file: Hdf5File,
    groups: BTreeMap<String, Group>,
    leaves: Vec<Leaf>,
    index: HashMap<String, usize>,
}

impl Container {
    /// Reads the structure of `bytes`: no dataset, and no attribute of a group.
    pub fn open(name: String, bytes: Bytes) -> Result<Container, SourceError> {
        let options = OpenOptions::default()
            // Every tensor is read once and whole: a cache would only hold a second copy.
            .with_chunk_cache_bytes(0)
            .with_max_object_header_bytes(MAX_HEADER_BYTES);
        let storage = std::sync::Arc::new(Metered::new(bytes.clone()));
        let file = guarded(&name, bytes.len(), || Hdf5File::from_storage_with_options(storage, options))?;
        let declared = file.superblock().eof_address;
        if declared > bytes.len() as u64 {
            let what = "the HDF5 file, by its superblock,".to_owned();
            let found = bytes.len() as u64;
            return Err(SourceError::new(name, Refusal::Truncated { what, needed: declared, found }));
        }
        let mut container = Container {
            name,
            bytes,
            file,
            groups: BTreeMap::new(),
            leaves: Vec::new(),
            index: HashMap::new(),
        };
        container.walk()?;
        // By address of their headers, which is the order they were written in.
        container.leaves.sort_by_key(|leaf| leaf.address);
        container.mark_aliases();
        container.index = container.leaves.iter().enumerate().map(|(i, l)| (l.path.clone(), i)).collect();
        Ok(container)
    }

    /// The datasets, and the links that lead to none, in the order of the file.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The position of a dataset in [`leaves`](Self::leaves).
    pub fn leaf(&self, path: &str) -> Option<usize> {
        self.index.get(path).copied()
    }

    pub fn has_group(&self, path: &str) -> bool {
        self.groups.contains_key(path)
    }

    /// The attributes of a group; the root is the empty path.
    pub fn attributes(&self, path: &str) -> Result<Attributes, SourceError> {
        let Some(group) = self.groups.get(path) else {
            return Err(SourceError::new(&self.name, Refusal::Missing(format!("group '{path}'"))));
        };
        self.guarded(|| {
            let header = self.file.get_or_parse_header(group.address())?;
            let count = header.messages.iter().filter(|m| matches!(m, HdfMessage::Attribute(_))).count();
            if count > MAX_ATTRIBUTES {
                let what = format!("group '{path}' has {count} attributes, above {MAX_ATTRIBUTES}");
                return Err(hdf5_reader::error::Error::ResourceLimit(what));
            }
            Attributes::of(group)
        })
    }

    /// Runs a call into the HDF5 decoder.
    pub fn guarded<T>(&self, call: impl FnOnce() -> hdf5_reader::error::Result<T>) -> Result<T, SourceError> {
        guarded(&self.name, self.bytes.len(), call)
    }

    /// The dataset at `leaf`, as the type and in the shape given, which are those of the same bytes.
    pub fn read(&self, leaf: usize, dtype: Dtype, shape: Vec<usize>) -> Result<Tensor, SourceError> {
        let leaf = &self.leaves[leaf];
        let refuse = |e: SourceError| e.tensor(&leaf.path);
        let data = dataset::read(self, leaf, &self.bytes).map_err(refuse)?;
        Tensor::new(dtype, shape, data)
            .map_err(|e| refuse(SourceError::new(&self.name, Refusal::Malformed(e.to_string()))))
    }

    fn walk(&mut self) -> Result<(), SourceError> {
        let root = self.guarded(|| self.file.root_group())?;
        let mut visited = HashSet::from([root.address()]);
        let mut pending = vec![(root, String::new(), 0)];
        let mut soft = Vec::new();
        let mut objects = 0usize;
        let mut kept_bytes = 0usize;
        while let Some((group, path, depth)) = pending.pop() {
            if depth > MAX_DEPTH {
                return Err(self.too_many("groups inside groups", depth, MAX_DEPTH));
            }
            let header = self.guarded(|| self.file.get_or_parse_header(group.address()))?;
            let links = self.guarded(|| links::of(&self.file, &header))?;
            objects += links.len();
            if objects > MAX_OBJECTS {
                return Err(self.too_many("the number of links", objects, MAX_OBJECTS));
            }
            let mut groups = Vec::new();
            for (name, target) in links {
                let child = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                match target {
                    Target::External(to) => self.leaves.push(Leaf::external(child, &to)),
                    Target::Soft(to) => soft.push((group.clone(), name, child, to)),
                    Target::Object(address) => {
                        let header = self.guarded(|| self.file.get_or_parse_header(address))?;
                        kept_bytes = kept_bytes.saturating_add(held(&header));
                        self.check_headers(kept_bytes)?;
                        if is_dataset(&header) {
                            let dataset = self.guarded(|| group.dataset(&name))?;
                            let leaf = self.guarded(|| Leaf::of(child.clone(), &dataset, &header))?;
                            let leaf = leaf.placed(self.file.superblock().base_address, self.bytes.len());
                            let leaf = leaf.map_err(|r| SourceError::new(&self.name, r).tensor(child))?;
                            self.leaves.push(leaf);
                        } else if !visited.insert(address) {
                            self.leaves.push(Leaf::nothing(child, "a second link to a group listed already"));
                        } else if is_group(&header) {
                            groups.push((self.guarded(|| group.group(&name))?, child, depth + 1));
                        }
                    }
                }
            }
            pending.extend(groups.into_iter().rev());
            self.groups.insert(path, group);
        }
        for (group, name, path, to) in soft {
            let leaf = self.follow(&group, &name, path, &to)?;
            self.leaves.push(leaf);
        }
        Ok(())
    }

    /// A soft link: the dataset it leads to, or what it leads to instead.
    fn follow(&self, group: &Group, name: &str, path: String, to: &str) -> Result<Leaf, SourceError> {
        if let Ok(dataset) = self.guarded(|| group.dataset(name)) {
            let header = self.guarded(|| self.file.get_or_parse_header(dataset.address()))?;
            let leaf = self.guarded(|| Leaf::of(path.clone(), &dataset, &header))?;
            let leaf = leaf.placed(self.file.superblock().base_address, self.bytes.len());
            let mut leaf = leaf.map_err(|r| SourceError::new(&self.name, r).tensor(path))?;
            leaf.soft = true;
            return Ok(leaf);
        }
        let leads_to_group = self.guarded(|| group.group(name)).is_ok();
        let what = if leads_to_group { "which is a group" } else { "which leads nowhere" };
        Ok(Leaf::nothing(path, &format!("a soft link to '{to}', {what}")))
    }

    /// Notes, on each dataset reached by a further link, which one it repeats.
    fn mark_aliases(&mut self) {
        // Hard links before soft ones, so that the note names the dataset's own path.
        let mut first: HashMap<u64, usize> = HashMap::new();
        for soft in [false, true] {
            for i in 0..self.leaves.len() {
                let leaf = &self.leaves[i];
                if leaf.soft != soft || !leaf.is_dataset() {
                    continue;
                }
                match first.get(&leaf.address) {
                    None => drop(first.insert(leaf.address, i)),
                    Some(&own) => {
                        let note = format!("the same data as '{}'", self.leaves[own].path);
                        self.leaves[i].alias = Some(note);
                    }
                }
            }
        }
    }

    fn check_headers(&self, held: usize) -> Result<(), SourceError> {
        let limit = MAX_HEADER_BYTES.max(self.bytes.len().saturating_mul(2));
        if held > limit { Err(self.too_many("bytes held in object headers", held, limit)) } else { Ok(()) }
    }

    fn too_many(&self, what: &str, size: usize, limit: usize) -> SourceError {
        let what = what.to_owned();
        SourceError::new(&self.name, Refusal::TooLarge { what, size: size as u64, limit: limit as u64 })
    }
}

fn is_dataset(header: &ObjectHeader) -> bool {
    header.messages.iter().any(|m| matches!(m, HdfMessage::DataLayout(_)))
}

/// Not a committed datatype.
fn is_group(header: &ObjectHeader) -> bool {
    !header.messages.iter().any(|m| matches!(m, HdfMessage::Datatype(_)))
}

/// Bytes that a parsed header keeps in memory. Headers that overlap in the file do not overlap there.
fn held(header: &ObjectHeader) -> usize {
    use hdf5_reader::messages::layout::DataLayout;
    let data = |message: &HdfMessage| match message {
        HdfMessage::Attribute(attribute) => attribute.raw_data.len(),
        HdfMessage::Unknown { data, .. } => data.len(),
        HdfMessage::Comment(text) => text.len(),
        HdfMessage::DataLayout(layout) => match &layout.layout {
            DataLayout::Compact { data } => data.len(),
            _ => 0,
        },
        _ => 0,
    };
    header.messages.iter().map(data).sum()
}
