//! The oldest container (PyTorch 0.1): a tar of `sys_info`, `storages`, `tensors` and `pickle`.

use std::collections::HashMap;

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError};

use super::legacy::counted;
use super::{Contents, Data, Part, fault};
use crate::pickle::{
    Graph, Node, RawTensor, Source, Storage, Text, Value, key_text, storage_element, unpickle,
};

/// What a tar of any kind has at [`MARK_AT`].
const MARK: &[u8] = b"ustar";
/// Position of [`MARK`] in a header.
const MARK_AT: usize = 257;
/// The entries of this container.
const ENTRIES: [&str; 4] = ["sys_info", "pickle", "tensors", "storages"];

/// Tar's unit.
const BLOCK: usize = 512;
/// PyTorch wrote four entries; a few more do no harm.
const MAX_ENTRIES: usize = 64;
/// Axes of a tensor.
const MAX_RANK: usize = 64;

type Failed = (usize, Refusal);

/// Whether the first bytes are those of a tar.
pub fn is_tar(head: &[u8]) -> bool {
    head.get(MARK_AT..MARK_AT + MARK.len()) == Some(MARK)
}

/// Whether the first entry of a tar is one of this container.
pub fn is_our_tar(head: &[u8]) -> bool {
    let name = head.split(|&b| b == 0).next().unwrap_or_default();
    ENTRIES.iter().any(|e| name.strip_prefix(b"./").unwrap_or(name) == e.as_bytes())
}

/// Opens an archive.
pub fn open(file: &str, bytes: &Bytes) -> Result<Contents, SourceError> {
    let entries = entries(bytes).map_err(|(at, refusal)| SourceError::new(file, refusal).at(at as u64))?;
    let entry = |name: &str| {
        let found = entries.iter().find(|(n, _, _)| n == name);
        found.map(|(n, start, data)| (n.as_str(), *start, data)).ok_or_else(|| {
            let expected = "a tar with the entries sys_info, pickle, tensors and storages".to_owned();
            SourceError::new(
                file,
                Refusal::WrongFormat { expected, found: format!("a tar without '{name}'") },
            )
        })
    };
    let (_, storages_at, storages) = entry("storages")?;
    let (_, tensors_at, tensors) = entry("tensors")?;
    let (pickle_name, pickle_at, pickle) = entry("pickle")?;
    let at =
        |start: usize| move |(at, refusal): Failed| SourceError::new(file, refusal).at((start + at) as u64);
    let (held, kinds) = read_storages(storages).map_err(at(storages_at))?;
    let mut graph = unpickle(pickle, 0).map_err(|f| fault(file, f, Some((pickle_name, Some(pickle_at)))))?;
    read_tensors(tensors, &kinds, &mut graph).map_err(at(tensors_at))?;
    let parts = vec![Part { graph, storages: held, constants: false }];
    Ok(Contents { container: "tar", parts, code: Vec::new() })
}

/// Name, position and contents of each regular file.
fn entries(bytes: &Bytes) -> Result<Vec<(String, usize, Bytes)>, Failed> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + BLOCK) {
        if header.iter().all(|&b| b == 0) || found.len() == MAX_ENTRIES {
            break;
        }
        let name = header[..100].split(|&b| b == 0).next().unwrap_or_default();
        let size = octal(&header[124..136])
            .ok_or_else(|| (at, Refusal::Malformed("a tar header without a readable size".to_owned())))?;
        let start = at + BLOCK;
        let left = bytes.len() - start;
        if size > left as u64 {
            let what = format!("tar entry '{}'", String::from_utf8_lossy(name));
            return Err((at, Refusal::Truncated { what, needed: size, found: left as u64 }));
        }
        let end = start + size as usize;
        // Regular files only: other kinds (long names, PAX records) carry nothing needed here.
        if matches!(header[156], 0 | b'0') {
            let name = String::from_utf8_lossy(name).trim_start_matches("./").to_owned();
            found.push((name, start, bytes.slice(start..end)));
        }
        at = end.next_multiple_of(BLOCK);
    }
    Ok(found)
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

fn pickle_at(bytes: &Bytes, at: &mut usize) -> Result<Graph, Failed> {
    let graph = unpickle(bytes, *at).map_err(|f| (f.at, f.refusal))?;
    *at = graph.end;
    Ok(graph)
}

fn count(bytes: &Bytes, at: &mut usize) -> Result<usize, Failed> {
    let start = *at;
    let graph = pickle_at(bytes, at)?;
    graph.size(graph.root).ok_or_else(|| (start, Refusal::Malformed("a count that is no number".to_owned())))
}

type Held = (HashMap<String, Data>, HashMap<String, Storage>);

/// A count, then for each storage a pickled (key, location, class) and its elements; then the views of storages.
fn read_storages(bytes: &Bytes) -> Result<Held, Failed> {
    let mut at = 0;
    let (mut held, mut kinds) = (HashMap::new(), HashMap::new());
    for _ in 0..count(bytes, &mut at)? {
        let start = at;
        let graph = pickle_at(bytes, &mut at)?;
        let odd = |what: &str| (start, Refusal::Malformed(what.to_owned()));
        let Some(&[key, _location, class]) = graph.items(graph.root) else {
            return Err(odd("a storage is described by three values"));
        };
        let key = key_text(&graph, key).ok_or_else(|| odd("a storage key is a number"))?;
        let element = storage_element(&graph, class).map_err(|refusal| (start, refusal))?;
        let data = counted(bytes, &mut at, element.size)?;
        let numel = (data.len() / element.size) as u64;
        kinds.insert(key.clone(), Storage { key: key.clone(), element, numel, view: None });
        held.insert(key, Data::Stored(data));
    }
    let start = at;
    let views = pickle_at(bytes, &mut at)?;
    for &view in views.items(views.root).unwrap_or_default() {
        let odd = || (start, Refusal::Malformed("a storage view of unknown form".to_owned()));
        let Some(&[target, root, offset, numel]) = views.items(view) else { return Err(odd()) };
        let (Some(target), Some(root)) = (key_text(&views, target), key_text(&views, root)) else {
            return Err(odd());
        };
        let (Some(offset), Some(numel)) = (views.size(offset), views.size(numel)) else { return Err(odd()) };
        let Some(mut storage) = kinds.get(&root).cloned() else { return Err(odd()) };
        storage.view = Some((offset as u64, numel as u64));
        kinds.insert(target, storage);
    }
    Ok((held, kinds))
}

/// A count, then for each tensor a pickled (key, storage, class) and its geometry in binary; `graph` refers to them by key.
fn read_tensors(bytes: &Bytes, kinds: &HashMap<String, Storage>, graph: &mut Graph) -> Result<(), Failed> {
    let mut at = 0;
    let mut tensors: HashMap<String, RawTensor> = HashMap::new();
    for _ in 0..count(bytes, &mut at)? {
        let start = at;
        let described = pickle_at(bytes, &mut at)?;
        let odd = |what: &str| (start, Refusal::Malformed(what.to_owned()));
        let Some(&[key, storage, _class]) = described.items(described.root) else {
            return Err(odd("a tensor is described by three values"));
        };
        let (Some(key), Some(storage)) = (key_text(&described, key), key_text(&described, storage)) else {
            return Err(odd("keys of tensors and storages are numbers"));
        };
        let Some(storage) = kinds.get(&storage) else {
            return Err((start, Refusal::Missing(format!("storage {storage} of tensor {key}"))));
        };
        // Four bytes of rank, four that mean nothing.
        let rank = i64s(bytes, &mut at, 1)?[0] as u32 as usize;
        if rank > MAX_RANK {
            return Err(odd("a tensor of more than 64 axes"));
        }
        let shape = i64s(bytes, &mut at, rank)?;
        let strides = i64s(bytes, &mut at, rank)?.into_iter().map(|s| s as isize).collect();
        let offset = i64s(bytes, &mut at, 1)?[0];
        let shape: Result<Vec<usize>, _> = shape.into_iter().map(usize::try_from).collect();
        let (Ok(shape), Ok(offset)) = (shape, usize::try_from(offset)) else {
            return Err(odd("a tensor with a negative size or offset"));
        };
        let id = graph.nodes.len() as u32;
        graph.nodes.push(Node::Storage(Box::new(storage.clone())));
        let strides = Some(strides);
        let source = Source::Storage(id);
        let tensor = RawTensor { source, element: None, offset, shape, strides, quantizer: None, note: None };
        tensors.insert(key, tensor);
    }
    for id in 0..graph.nodes.len() {
        if let Some(key) = referred(graph, id)
            && let Some(tensor) = tensors.get(&key)
        {
            graph.nodes[id] = Node::Tensor(Box::new(tensor.clone()));
        }
    }
    Ok(())
}

/// The tensor that a persistent id, left as an object without a class, refers to.
fn referred(graph: &Graph, id: usize) -> Option<String> {
    match &graph.nodes[id] {
        Node::Object(object) if object.class == Value::None => match object.args {
            Value::Text(Text { .. }) | Value::Int(_) => key_text(graph, object.args),
            _ => None,
        },
        _ => None,
    }
}

fn i64s(bytes: &Bytes, at: &mut usize, n: usize) -> Result<Vec<i64>, Failed> {
    let rest = bytes.get(*at..).unwrap_or_default();
    let Some(raw) = rest.get(..8 * n) else {
        let (needed, found) = (8 * n as u64, rest.len() as u64);
        return Err((*at, Refusal::Truncated { what: "the shape of a tensor".to_owned(), needed, found }));
    };
    *at += 8 * n;
    let (cells, _) = raw.as_chunks::<8>();
    Ok(cells.iter().map(|&cell| i64::from_le_bytes(cell)).collect())
}
