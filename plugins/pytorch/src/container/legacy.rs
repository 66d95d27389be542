//! The container before PyTorch 1.6: five pickles (magic number, protocol, system, data, storage keys), then the storages.

use std::collections::HashMap;

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError};

use super::{Contents, Data, Part, fault};
use crate::pickle::{Graph, Node, Storage, Value, unpickle};

/// The magic number 0x1950a86a20f9469cfc6c as a pickle spells it.
const MAGIC: &[u8] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The only protocol there ever was.
const PROTOCOL: i64 = 1001;

/// Opens a file.
pub fn open(file: &str, bytes: &Bytes) -> Result<Contents, SourceError> {
    let refuse = |refusal| SourceError::new(file, refusal);
    let read = |start| unpickle(bytes, start).map_err(|f| fault(file, f, None));
    if !announced(bytes) {
        return Err(refuse(Refusal::WrongFormat {
            expected: "a PyTorch checkpoint: a zip, a tar, or a pickled magic number".to_owned(),
            found: looks_like(bytes),
        }));
    }
    let magic = read(0)?;
    let protocol = read(magic.end)?;
    if protocol.root != Value::Int(PROTOCOL) {
        let what = format!("legacy protocol {:?}; {PROTOCOL} is the one known", protocol.root);
        return Err(refuse(Refusal::Unsupported(what)));
    }
    let system = read(protocol.end)?;
    if is_big_endian(&system) {
        return Err(refuse(Refusal::Unsupported("big-endian storages".to_owned())));
    }
    let graph = read(system.end)?;
    let keys = read(graph.end)?;
    let storages = storages(bytes, &graph, &keys).map_err(|(at, refusal)| refuse(refusal).at(at as u64))?;
    Ok(Contents {
        container: "legacy",
        parts: vec![Part { graph, storages, constants: false }],
        code: Vec::new(),
    })
}

/// Whether the first bytes hold the magic number.
pub fn announced(head: &[u8]) -> bool {
    let head = &head[..head.len().min(32)];
    head.first() == Some(&0x80) && head.windows(MAGIC.len()).any(|w| w == MAGIC)
}

fn looks_like(bytes: &Bytes) -> String {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).trim_start().to_ascii_lowercase();
    if start.starts_with("<!doctype html") || start.starts_with("<html") {
        "an HTML page (a download that failed?)".to_owned()
    } else if start.starts_with("version https://git-lfs") {
        "a Git LFS pointer, not the file itself (run `git lfs pull`)".to_owned()
    } else if bytes.starts_with(b"\x80") {
        "a pickle that torch.save did not write".to_owned()
    } else {
        format!("{:02x?}", &bytes[..bytes.len().min(8)])
    }
}

fn is_big_endian(system: &Graph) -> bool {
    let Some(Node::Dict(items)) = system.node(system.root) else { return false };
    items.iter().any(|&(key, value)| {
        value == Value::Bool(false) && system.str(key).as_deref() == Some("little_endian")
    })
}

type Placed = Result<HashMap<String, Data>, (usize, Refusal)>;

/// Storages follow in the order of `keys`: a count of eight bytes, then the elements.
fn storages(bytes: &Bytes, graph: &Graph, keys: &Graph) -> Placed {
    let mut at = keys.end;
    let declared: HashMap<&str, &Storage> = graph
        .nodes
        .iter()
        .filter_map(|node| match node {
            Node::Storage(storage) => Some((storage.key.as_str(), &**storage)),
            _ => None,
        })
        .collect();
    let Some(items) = keys.items(keys.root) else {
        return Err((at, Refusal::Malformed("the list of storage keys is not a list".to_owned())));
    };
    let mut storages = HashMap::new();
    for &key in items {
        let key = keys.str(key).map(|k| k.into_owned());
        let Some(storage) = key.as_deref().and_then(|k| declared.get(k)) else {
            return Err((at, Refusal::Malformed(format!("storage key {key:?} belongs to no tensor"))));
        };
        let data = counted(bytes, &mut at, storage.element.size)?;
        if (data.len() / storage.element.size) as u64 != storage.numel {
            let found = data.len() / storage.element.size;
            let what = format!("storage '{}' has {found} elements, {} expected", storage.key, storage.numel);
            return Err((at, Refusal::Malformed(what)));
        }
        storages.insert(storage.key.clone(), Data::Stored(data));
    }
    Ok(storages)
}

/// Reads a count of elements and the elements.
pub fn counted(bytes: &Bytes, at: &mut usize, element: usize) -> Result<Bytes, (usize, Refusal)> {
    let rest = bytes.get(*at..).unwrap_or_default();
    let truncated = |what: &str, needed: u64, found: usize| {
        let (what, found) = (what.to_owned(), found as u64);
        (*at, Refusal::Truncated { what, needed, found })
    };
    let Some((count, rest)) = rest.split_first_chunk::<8>() else {
        return Err(truncated("the size of a storage", 8, rest.len()));
    };
    let needed = u64::from_le_bytes(*count).saturating_mul(element as u64);
    if needed > rest.len() as u64 {
        return Err(truncated("a storage", needed, rest.len()));
    }
    let start = *at + count.len();
    *at = start + needed as usize;
    Ok(bytes.slice(start..*at))
}
