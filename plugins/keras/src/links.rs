//! The links of one group, whichever of HDF5's three ways it stores them in. `hdf5-reader` lists only those that lead to an
//! object of the file; here the others are named too.

use std::collections::HashSet;

use hdf5_reader::error::{Error, Result};
use hdf5_reader::fractal_heap::FractalHeap;
use hdf5_reader::io::Cursor;
use hdf5_reader::local_heap::LocalHeap;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::link::{self, LinkMessage, LinkTarget};
use hdf5_reader::messages::link_info::LinkInfoMessage;
use hdf5_reader::messages::symbol_table_msg::SymbolTableMessage;
use hdf5_reader::object_header::ObjectHeader;
use hdf5_reader::symbol_table::SymbolTableNode;
use hdf5_reader::{Hdf5File, btree_v1, btree_v2};

/// Cache type of a symbol table entry that is a soft link.
const SOFT: u32 = 2;

/// Where a link leads.
pub enum Target {
    /// The address of an object header.
    Object(u64),
    /// A path in the same file.
    Soft(String),
    /// A path in another file.
    External(String),
}

/// Name and target of each link of the group with this header, by name, without repetition.
pub fn of(file: &Hdf5File, header: &ObjectHeader) -> Result<Vec<(String, Target)>> {
    let mut links = Vec::new();
    for message in &header.messages {
        match message {
            HdfMessage::SymbolTable(table) => old_style(file, table, &mut links)?,
            HdfMessage::Link(link) => links.push(named(link.clone())),
            HdfMessage::LinkInfo(info) => dense(file, info, &mut links)?,
            _ => {}
        }
    }
    let mut seen = HashSet::new();
    links.retain(|(name, _)| seen.insert(name.clone()));
    links.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(links)
}

fn named(link: LinkMessage) -> (String, Target) {
    let target = match link.target {
        LinkTarget::Hard { address } => Target::Object(address),
        LinkTarget::Soft { path } => Target::Soft(path),
        LinkTarget::External { filename, path } => Target::External(format!("{filename}:{path}")),
    };
    (link.name, target)
}

fn old_style(file: &Hdf5File, table: &SymbolTableMessage, links: &mut Vec<(String, Target)>) -> Result<()> {
    let (offsets, lengths) = (file.superblock().offset_size, file.superblock().length_size);
    let storage = file.storage();
    let heap = LocalHeap::parse_at_storage(storage, table.heap_address, offsets, lengths)?;
    let size = usize::try_from(heap.data_segment_size)
        .map_err(|_| Error::InvalidData("a heap larger than memory".to_owned()))?;
    let names = storage.read_range(heap.data_segment_address, size)?;
    let nodes = btree_v1::collect_btree_v1_leaves_storage(
        storage,
        table.btree_address,
        offsets,
        lengths,
        None,
        &[],
        None,
    )?;
    let entry_size = 2 * usize::from(offsets) + 24;
    for (_, address) in nodes {
        let head = storage.read_range(address, 8)?;
        let count = usize::from(u16::from_le_bytes([head[6], head[7]]));
        let node = storage.read_range(address, 8 + count * entry_size)?;
        let node = SymbolTableNode::parse(&mut Cursor::new(&node), offsets, lengths)?;
        for entry in node.entries {
            let target = if entry.cache_type == SOFT {
                let [a, b, c, d, ..] = entry.scratch;
                Target::Soft(text(&names, u64::from(u32::from_le_bytes([a, b, c, d])))?)
            } else {
                Target::Object(entry.object_header_address)
            };
            links.push((text(&names, entry.link_name_offset)?, target));
        }
    }
    Ok(())
}

/// The zero-terminated string at `offset` of a heap.
fn text(heap: &[u8], offset: u64) -> Result<String> {
    let rest =
        usize::try_from(offset).ok().and_then(|o| heap.get(o..)).ok_or(Error::OffsetOutOfBounds(offset))?;
    let end = rest.iter().position(|&b| b == 0);
    let end = end.ok_or_else(|| Error::InvalidData("a name without its end".to_owned()))?;
    Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
}

fn dense(file: &Hdf5File, info: &LinkInfoMessage, links: &mut Vec<(String, Target)>) -> Result<()> {
    let (offsets, lengths) = (file.superblock().offset_size, file.superblock().length_size);
    let storage = file.storage();
    if Cursor::is_undefined_offset(info.fractal_heap_address, offsets) {
        return Ok(());
    }
    let heap = FractalHeap::parse_at_storage(storage, info.fractal_heap_address, offsets, lengths)?;
    let tree =
        btree_v2::BTreeV2Header::parse_at_storage(storage, info.btree_name_index_address, offsets, lengths)?;
    let records =
        btree_v2::collect_btree_v2_records_storage(storage, &tree, offsets, lengths, None, &[], None)?;
    for record in records {
        let (btree_v2::BTreeV2Record::LinkNameHash { heap_id, .. }
        | btree_v2::BTreeV2Record::CreationOrder { heap_id, .. }) = record
        else {
            continue;
        };
        // Not cached on purpose: each object is read through the meter, so records that share one are paid for.
        let bytes = heap.get_object_storage(&heap_id, storage, offsets, lengths)?;
        links.push(named(link::parse(&mut Cursor::new(&bytes), offsets, lengths, bytes.len())?));
    }
    Ok(())
}
