//! One dataset: element type, where its data lie, and reading them.

use std::ops::Range;

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError};
use eigenscope_plugin::tensor::Dtype;
use hdf5_reader::error::{Error, Result};
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::dataspace::DataspaceType;
use hdf5_reader::messages::layout::DataLayout;
use hdf5_reader::object_header::ObjectHeader;
use hdf5_reader::{ByteOrder, Dataset, Datatype};

use crate::attributes::stated_dtype;
use crate::container::Container;

/// A compressed or unwritten dataset may always unfold to this many bytes.
pub const DATASET_FREE_BYTES: u64 = 16 << 20;
/// Beyond that, to this many times the whole file. Trained weights shrink by a tenth, pruned ones ten- or twentyfold;
/// deflate reaches 1032 only on constants.
pub const DATASET_EXPANSION: u64 = 64;

/// Class, in the low half of a datatype message's first byte, of floating-point numbers.
const FLOAT_CLASS: u8 = 1;

/// An element type.
#[derive(Clone, Debug)]
pub struct Element {
    pub dtype: Dtype,
    /// Bytes of one element in the file.
    width: usize,
    big_endian: bool,
    /// Why it is not read, for types without numbers.
    pub note: Option<String>,
}

/// A dataset, or a link that leads to none.
pub struct Leaf {
    pub path: String,
    /// Of its object header; links that lead to none have the highest, and so come last.
    pub address: u64,
    pub shape: Vec<usize>,
    pub element: Element,
    /// Which dataset it repeats, when it is a further link to one.
    pub alias: Option<String>,
    pub soft: bool,
    data: Data,
}

enum Data {
    /// A range of the file; relative to the HDF5 base address until [`Leaf::placed`].
    At(Range<u64>),
    /// To be put together by the decoder.
    Decoded(Box<Dataset>),
    /// In a file of its own.
    Elsewhere(String),
    /// No dataset.
    None,
}

impl Leaf {
    pub fn external(path: String, to: &str) -> Leaf {
        let mut leaf = Leaf::nothing(path, &format!("an external link to '{to}': never followed"));
        leaf.data = Data::Elsewhere(to.to_owned());
        leaf
    }

    pub fn nothing(path: String, note: &str) -> Leaf {
        let element =
            Element { dtype: Dtype::Opaque, width: 0, big_endian: false, note: Some(note.to_owned()) };
        Leaf {
            path,
            address: u64::MAX,
            shape: Vec::new(),
            element,
            alias: None,
            soft: false,
            data: Data::None,
        }
    }

    pub fn of(path: String, dataset: &Dataset, header: &ObjectHeader) -> Result<Leaf> {
        let mut element = Element::of(dataset)?;
        let shape = shape_of(header, dataset)?;
        let numel = shape.iter().try_fold(1u64, |n, &extent| n.checked_mul(extent as u64));
        let size = numel.and_then(|n| n.checked_mul(element.width as u64));
        let Some(size) = size.filter(|&s| i64::try_from(s).is_ok()) else {
            return Err(Error::InvalidData(format!("dataset '{path}' of shape {shape:?} fits in no memory")));
        };
        let mut data = Data::Decoded(Box::new(dataset.clone()));
        for message in &header.messages {
            match message {
                HdfMessage::ExternalFiles(_) => {
                    element.note = Some("data in an external file: never followed".to_owned());
                    data = Data::Elsewhere("an external data file".to_owned());
                    break;
                }
                HdfMessage::DataLayout(layout) => {
                    let stored = match &layout.layout {
                        DataLayout::Compact { data } => data.len() as u64,
                        // Nothing was written: all elements have the fill value.
                        DataLayout::Contiguous { address, size } if is_undefined(*address) || *size == 0 => {
                            continue;
                        }
                        DataLayout::Contiguous { address, size } => {
                            data = Data::At(*address..address.saturating_add(*size));
                            *size
                        }
                        DataLayout::Chunked { .. } => continue,
                    };
                    if element.width > 0 && stored != size {
                        let what = format!("shape {shape:?} takes {size} bytes, its layout holds {stored}");
                        return Err(Error::InvalidData(format!("dataset '{path}': {what}")));
                    }
                }
                _ => {}
            }
        }
        let address = dataset.address();
        Ok(Leaf { path, address, shape, element, alias: None, soft: false, data })
    }

    /// The same with a range of the whole file, checked against its `end`.
    pub fn placed(mut self, base: u64, end: usize) -> std::result::Result<Leaf, Refusal> {
        if let Data::At(range) = &mut self.data {
            let needed = range.end.saturating_add(base);
            if needed > end as u64 {
                let what = format!("data at {}", range.start.saturating_add(base));
                return Err(Refusal::Truncated { what, needed, found: end as u64 });
            }
            *range = range.start + base..needed;
        }
        Ok(self)
    }

    pub fn is_dataset(&self) -> bool {
        self.address != u64::MAX
    }

    /// Takes opaque elements of two bytes for bfloat16, which Keras writes into `.h5` without saying so.
    pub fn as_keras_writes(&self) -> Element {
        let mut element = self.element.clone();
        if element.is_opaque_pair() {
            element.dtype = Dtype::BF16;
            element.note = None;
        }
        element
    }
}

/// All ones, in files of narrow addresses too.
fn is_undefined(address: u64) -> bool {
    [u64::MAX, u64::from(u32::MAX), u64::from(u16::MAX)].contains(&address)
}

impl Element {
    fn is_opaque_pair(&self) -> bool {
        self.dtype == Dtype::Opaque && self.width == 2 && self.note.as_deref() == Some(OPAQUE)
    }

    fn of(dataset: &Dataset) -> Result<Element> {
        let unread = |what: &str| {
            Ok(Element { dtype: Dtype::Opaque, width: 0, big_endian: false, note: Some(what.to_owned()) })
        };
        let known = |dtype: Dtype, width: usize, order: &ByteOrder| {
            let big_endian = matches!(order, ByteOrder::BigEndian);
            Ok(Element { dtype, width, big_endian, note: None })
        };
        match dataset.dtype() {
            Datatype::FixedPoint { size, signed, byte_order } => match integer(*size, *signed) {
                Some(dtype) => known(dtype, usize::from(*size), byte_order),
                None => unread(&format!("integers of {size} bytes")),
            },
            Datatype::FloatingPoint { size, byte_order } => match float(&dataset.raw_datatype()?) {
                Some(dtype) => known(dtype, usize::from(*size), byte_order),
                None => unread(&format!("floating-point numbers of {size} bytes in no standard format")),
            },
            Datatype::Enum { base, members } => match **base {
                Datatype::FixedPoint { size: 1, byte_order, .. } if members.len() <= 2 => {
                    known(Dtype::Bool, 1, &byte_order)
                }
                _ => unread("an enumeration"),
            },
            Datatype::Opaque { size, .. } => {
                let little = &ByteOrder::LittleEndian;
                match (stated_dtype(dataset).as_deref(), size) {
                    (Some("bfloat16"), 2) => known(Dtype::BF16, 2, little),
                    (Some("float8_e4m3fn"), 1) => known(Dtype::F8E4M3, 1, little),
                    (Some("float8_e5m2"), 1) => known(Dtype::F8E5M2, 1, little),
                    (_, size) => {
                        let mut element = unread(OPAQUE)?;
                        element.width = *size as usize;
                        Ok(element)
                    }
                }
            }
            Datatype::String { .. } => unread("text"),
            Datatype::VarLen { .. } => unread("text or lists of varying length"),
            Datatype::Compound { .. } => unread("a compound type, such as complex numbers"),
            Datatype::Array { .. } => unread("arrays as elements"),
            Datatype::Reference { .. } => unread("references to objects"),
            Datatype::Bitfield { .. } => unread("a bit field"),
        }
    }
}

const OPAQUE: &str = "opaque bytes";

fn integer(size: u8, signed: bool) -> Option<Dtype> {
    Some(match (size, signed) {
        (1, true) => Dtype::I8,
        (1, false) => Dtype::U8,
        (2, true) => Dtype::I16,
        (2, false) => Dtype::U16,
        (4, true) => Dtype::I32,
        (4, false) => Dtype::U32,
        (8, true) => Dtype::I64,
        (8, false) => Dtype::U64,
        _ => return None,
    })
}

/// The type that a datatype message describes: sizes and places of exponent and mantissa, and the bias.
fn float(message: &[u8]) -> Option<Dtype> {
    let (head, fields) = (message.get(..8)?, message.get(8..20)?);
    if head[0] & 0x0f != FLOAT_CLASS {
        return None;
    }
    let precision = u16::from_le_bytes([fields[2], fields[3]]);
    let bias = u32::from_le_bytes([fields[8], fields[9], fields[10], fields[11]]);
    let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    match (size, precision, fields[4], fields[5], fields[6], fields[7], bias) {
        (8, 64, 52, 11, 0, 52, 1023) => Some(Dtype::F64),
        (4, 32, 23, 8, 0, 23, 127) => Some(Dtype::F32),
        (2, 16, 10, 5, 0, 10, 15) => Some(Dtype::F16),
        (2, 16, 7, 8, 0, 7, 127) => Some(Dtype::BF16),
        (1, 8, 3, 4, 0, 3, 7) => Some(Dtype::F8E4M3),
        (1, 8, 2, 5, 0, 2, 15) => Some(Dtype::F8E5M2),
        _ => None,
    }
}

fn shape_of(header: &ObjectHeader, dataset: &Dataset) -> Result<Vec<usize>> {
    let null = header.messages.iter().any(
        |m| matches!(m, HdfMessage::Dataspace(space) if matches!(space.dataspace_type, DataspaceType::Null)),
    );
    if null {
        return Ok(vec![0]);
    }
    let fit = |&extent: &u64| usize::try_from(extent);
    dataset.shape().iter().map(fit).collect::<std::result::Result<_, _>>().map_err(|_| {
        Error::InvalidData(format!("dataset '{}' of shape {:?}", dataset.name(), dataset.shape()))
    })
}

/// The dataset's elements, dense, row-major and little-endian.
pub fn read(container: &Container, leaf: &Leaf, bytes: &Bytes) -> std::result::Result<Bytes, SourceError> {
    let refuse = |refusal| Err(SourceError::new(&container.name, refusal));
    let (big_endian, width) = (leaf.element.big_endian, leaf.element.width);
    match &leaf.data {
        Data::None => refuse(Refusal::Missing(leaf.element.note.clone().unwrap_or_default())),
        Data::Elsewhere(place) => refuse(Refusal::Forbidden(format!("its data are in '{place}'"))),
        Data::At(range) => {
            // In bounds: checked when the leaf was placed.
            let data = bytes.slice(range.start as usize..range.end as usize);
            Ok(if big_endian && width > 1 { swapped(data.to_vec(), width) } else { data })
        }
        Data::Decoded(_) if width == 0 => Ok(Bytes::new()),
        Data::Decoded(dataset) => {
            let size = container.guarded(|| dataset.raw_byte_len())? as u64;
            let limit = (bytes.len() as u64).saturating_mul(DATASET_EXPANSION).max(DATASET_FREE_BYTES);
            if size > limit {
                let what = "a compressed or unwritten dataset in bytes".to_owned();
                return refuse(Refusal::TooLarge { what, size, limit });
            }
            let data = container.guarded(|| dataset.read_raw_bytes())?;
            Ok(if big_endian && width > 1 { swapped(data, width) } else { data.into() })
        }
    }
}

fn swapped(mut data: Vec<u8>, width: usize) -> Bytes {
    for element in data.chunks_exact_mut(width) {
        element.reverse();
    }
    data.into()
}
