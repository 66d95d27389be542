//! Text in attributes: single strings, lists of them, and lists that Keras split because HDF5 keeps an attribute below 64 kB.

use hdf5_reader::error::{Error, Result};
use hdf5_reader::group::Group;
use hdf5_reader::messages::attribute::AttributeMessage;
use hdf5_reader::{Dataset, Datatype, StringSize};

/// Text decoded from the attributes of one object, in bytes. The largest stored configurations of models have some megabytes.
const MAX_TEXT_BYTES: usize = 64 << 20;

/// The attributes of one group, decoded when asked for.
pub struct Attributes {
    group: Group,
    messages: Vec<AttributeMessage>,
}

impl Attributes {
    pub fn of(group: &Group) -> Result<Attributes> {
        let messages = group.raw_attributes()?.into_iter().map(|raw| raw.into_parts().0).collect();
        Ok(Attributes { group: group.clone(), messages })
    }

    /// A single string.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        Ok(self.strings(name)?.and_then(|list| list.into_iter().next()))
    }

    /// A list of strings: `name`, or `name0`, `name1`, ... one after another. Keras writes an empty list as no numbers.
    pub fn list(&self, name: &str) -> Result<Option<Vec<String>>> {
        if let Some(list) = self.strings(name)? {
            return Ok(Some(list));
        }
        let mut whole = None;
        for part in 0.. {
            match self.strings(&format!("{name}{part}"))? {
                Some(mut list) => whole.get_or_insert_with(Vec::new).append(&mut list),
                None => break,
            }
        }
        Ok(whole)
    }

    pub fn has(&self, name: &str) -> bool {
        self.messages.iter().any(|m| m.name == name)
    }

    fn strings(&self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(message) = self.messages.iter().find(|m| m.name == name) else { return Ok(None) };
        let cells = match width(message) {
            Some(Width::Fixed(0)) | None if message.dataspace.num_elements()? == 0 => {
                return Ok(Some(Vec::new()));
            }
            Some(Width::Fixed(width)) if width > 0 => message.raw_data.chunks_exact(width),
            Some(Width::Reference) => {
                let reference = 8 + usize::from(self.group.offset_size());
                message.raw_data.chunks_exact(reference)
            }
            _ => {
                let what = format!("attribute '{name}' is no text: {:?}", message.datatype);
                return Err(Error::InvalidData(what));
            }
        };
        let count = message.dataspace.num_elements()?;
        if count > cells.len() as u64 {
            let what = format!("attribute '{name}' declares {count} strings, {} are there", cells.len());
            return Err(Error::InvalidData(what));
        }
        let mut left = MAX_TEXT_BYTES;
        let mut strings = Vec::new();
        for cell in cells.take(count as usize) {
            let bytes = match width(message) {
                Some(Width::Reference) => self.follow(cell, left)?,
                _ => cell.to_vec(),
            };
            left = left.checked_sub(bytes.len().max(16)).ok_or_else(too_much)?;
            let text = bytes.split(|&b| b == 0).next().unwrap_or_default();
            strings.push(String::from_utf8_lossy(text).into_owned());
        }
        Ok(Some(strings))
    }

    /// The string of the global heap that `reference` (length, address, index) names.
    fn follow(&self, reference: &[u8], limit: usize) -> Result<Vec<u8>> {
        let length = reference.first_chunk().map_or(0, |b| u32::from_le_bytes(*b)) as usize;
        if length > limit {
            return Err(too_much());
        }
        self.group.resolve_vlen_reference_bytes(reference, 1)
    }
}

fn too_much() -> Error {
    Error::ResourceLimit(format!("more than {MAX_TEXT_BYTES} bytes of text in attributes"))
}

enum Width {
    Fixed(usize),
    Reference,
}

fn width(message: &AttributeMessage) -> Option<Width> {
    match &message.datatype {
        Datatype::String { size: StringSize::Fixed(width), .. } => Some(Width::Fixed(*width as usize)),
        Datatype::String { size: StringSize::Variable, .. } => Some(Width::Reference),
        Datatype::VarLen { base, .. } if base.is_vlen_string_base() => Some(Width::Reference),
        _ => None,
    }
}

/// The dataset's attribute `dtype`, by which Keras 3 says what opaque bytes are.
pub fn stated_dtype(dataset: &Dataset) -> Option<String> {
    dataset.attribute("dtype").ok()?.read_string().ok()
}
