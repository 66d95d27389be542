//! One stored tensor: which field or file holds its bytes, whether they are as many as its shape asks, and how they
//! become a [`Tensor`].

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::Refusal;
use eigenscope_plugin::tensor::{Dtype, Tensor};

use crate::element::{Element, Storage};
use crate::external::Folder;
use crate::proto::TensorProto;

/// Axes of a tensor; numpy, which writes most of these files, stops at 64 too.
const MAX_RANK: usize = 64;

/// A tensor of the file: shape and type checked against the bytes there are, nothing decoded yet.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub element: Element,
    pub shape: Vec<usize>,
    data: Data,
}

#[derive(Clone, Debug)]
enum Data {
    /// As in `raw_data`: a slice of the file.
    Raw(Bytes),
    /// Varints of `int32_data`, `int64_data` or `uint64_data`, each a cell of this many bytes in `raw_data`.
    Varints { bytes: Bytes, cell: usize, count: usize },
    /// Nothing the engine can read as numbers.
    Opaque,
}

impl Stored {
    /// Finds the bytes of a tensor and checks their number.
    pub(crate) fn new(proto: &TensorProto, folder: &mut Folder) -> Result<Stored, Refusal> {
        let element = Element::of(proto.data_type);
        let shape = shape(&proto.dims)?;
        let count = numel(&shape)?;
        let Some(needed) = element.raw_bytes(count) else {
            if let Storage::Opaque(0) = element.storage {
                return Ok(Stored { element, shape, data: Data::Opaque });
            }
            return Err(too_many(&shape));
        };
        // Location 1 is EXTERNAL; the entries alone, as some early writers left it, say the same.
        let data = if proto.data_location == 1 || !proto.external_data.is_empty() {
            Data::Raw(folder.slice(&proto.external_data, needed as u64)?)
        } else if !proto.raw_data.is_empty() {
            expect("raw_data", &shape, &element, needed, proto.raw_data.len())?;
            Data::Raw(proto.raw_data.clone())
        } else {
            typed(proto, &element, &shape, count)?
        };
        let data = if element.dtype == Dtype::Opaque { Data::Opaque } else { data };
        Ok(Stored { element, shape, data })
    }

    /// A tensor given by numbers, as Constant nodes do.
    pub(crate) fn numbers(data_type: i32, shape: Vec<usize>, bytes: Vec<u8>) -> Stored {
        Stored { element: Element::of(data_type), shape, data: Data::Raw(bytes.into()) }
    }

    /// A tensor of which only type and shape are told.
    pub(crate) fn opaque(dims: &[i64]) -> Result<Stored, Refusal> {
        let shape = shape(dims)?;
        numel(&shape)?;
        Ok(Stored { element: Element::of(8), shape, data: Data::Opaque })
    }

    /// Number of elements.
    pub(crate) fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// The tensor. Slices of the file stay slices wherever the elements are of a type the engine has.
    pub(crate) fn tensor(&self) -> Result<Tensor, Refusal> {
        self.part(0, 0)
    }

    /// The tensor without its first `leading` axes: the part at `index` of all that these count.
    pub(crate) fn part(&self, leading: usize, index: usize) -> Result<Tensor, Refusal> {
        let shape = self.shape.get(leading..).unwrap_or_default();
        let size = shape.iter().product::<usize>() * self.element.dtype.size();
        let bytes = self.bytes()?;
        let start = index.checked_mul(size).filter(|start| *start <= bytes.len()).unwrap_or(bytes.len());
        Tensor::new(self.element.dtype, shape.to_vec(), bytes.slice(start..))
            .map_err(|e| Refusal::Malformed(e.to_string()))
    }

    /// The elements as the engine reads them.
    fn bytes(&self) -> Result<Bytes, Refusal> {
        let raw = match &self.data {
            Data::Opaque => return Ok(Bytes::new()),
            Data::Raw(bytes) => bytes.clone(),
            Data::Varints { bytes, cell, count } => cells(bytes, *cell, *count, self.element.dtype)?,
        };
        Ok(match self.element.storage {
            Storage::Plain | Storage::Opaque(_) => raw,
            Storage::Packed { bits, signed } => {
                let shift = 8 - bits;
                let widen = |v: u8| if signed { (((v << shift) as i8) >> shift) as u8 } else { v };
                unpack(&raw, bits, self.numel()).map(widen).collect()
            }
            Storage::Widened { bits, value } => {
                unpack(&raw, bits, self.numel()).flat_map(|v| value(v).to_le_bytes()).collect()
            }
        })
    }
}

/// Dimensions as the engine counts them.
fn shape(dims: &[i64]) -> Result<Vec<usize>, Refusal> {
    if dims.len() > MAX_RANK {
        let (size, limit) = (dims.len() as u64, MAX_RANK as u64);
        return Err(Refusal::TooLarge { what: "the number of axes".to_owned(), size, limit });
    }
    dims.iter()
        .map(|&d| {
            usize::try_from(d)
                .map_err(|_| Refusal::Malformed(format!("a dimension of {d} in shape {dims:?}")))
        })
        .collect()
}

fn numel(shape: &[usize]) -> Result<usize, Refusal> {
    if shape.contains(&0) {
        return Ok(0);
    }
    // isize, because strides are signed.
    let count =
        shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| isize::try_from(n).is_ok());
    count.ok_or_else(|| too_many(shape))
}

fn too_many(shape: &[usize]) -> Refusal {
    Refusal::Malformed(format!("shape {shape:?} has more elements than any memory holds"))
}

/// The field for numbers of the element's type.
fn typed(proto: &TensorProto, element: &Element, shape: &[usize], count: usize) -> Result<Data, Refusal> {
    let width = element.raw_bytes(count).unwrap_or(0);
    let (field, chunks, cell) = match proto.data_type {
        1 | 14 => ("float_data", &proto.float_data, None),
        11 | 15 => ("double_data", &proto.double_data, None),
        7 => ("int64_data", &proto.int64_data, Some(8)),
        12 => ("uint64_data", &proto.uint64_data, Some(4)),
        13 => ("uint64_data", &proto.uint64_data, Some(8)),
        _ => match element.storage {
            Storage::Plain => ("int32_data", &proto.int32_data, Some(element.dtype.size())),
            _ => ("int32_data", &proto.int32_data, Some(1)),
        },
    };
    let bytes = joined(chunks);
    let Some(cell) = cell else {
        expect(field, shape, element, width, bytes.len())?;
        return Ok(Data::Raw(bytes));
    };
    let count = width / cell;
    // A varint takes a byte at least; how many there are is counted when the tensor is read.
    if bytes.len() < count {
        expect(field, shape, element, count, bytes.len())?;
    }
    if count == 0 && !bytes.is_empty() {
        return Err(Refusal::Malformed(format!("shape {shape:?} has no elements, {field} holds some")));
    }
    Ok(Data::Varints { bytes, cell, count })
}

/// One run of bytes; writers make one chunk, the format allows more.
fn joined(chunks: &[Bytes]) -> Bytes {
    match chunks {
        [] => Bytes::new(),
        [one] => one.clone(),
        many => many.concat().into(),
    }
}

fn expect(
    field: &str,
    shape: &[usize],
    element: &Element,
    needed: usize,
    found: usize,
) -> Result<(), Refusal> {
    let what = || format!("{field} of shape {shape:?} and type {}", element.name);
    match found {
        _ if found == needed => Ok(()),
        0 => Err(Refusal::Missing(format!("{needed} bytes of data for {}", what()))),
        _ if found < needed => {
            Err(Refusal::Truncated { what: what(), needed: needed as u64, found: found as u64 })
        }
        _ => Err(Refusal::Malformed(format!("{} needs {needed} bytes, it holds {found}", what()))),
    }
}

/// The low `cell` bytes of each varint: what the writer meant, whether it kept the sign or not.
fn cells(bytes: &[u8], cell: usize, count: usize, dtype: Dtype) -> Result<Bytes, Refusal> {
    let found = bytes.iter().filter(|b| *b & 0x80 == 0).count();
    if found != count {
        return Err(Refusal::Malformed(format!("{count} numbers expected, the data hold {found}")));
    }
    let mut out = Vec::with_capacity(count * cell);
    let (mut value, mut shift) = (0u64, 0u32);
    for byte in bytes {
        if shift > 63 {
            return Err(Refusal::Malformed("a number of more than 64 bits".to_owned()));
        }
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            if dtype == Dtype::Bool {
                value = u64::from(value != 0);
            }
            out.extend_from_slice(&value.to_le_bytes()[..cell]);
            (value, shift) = (0, 0);
        }
    }
    if shift != 0 {
        return Err(Refusal::Malformed("the last number has no end".to_owned()));
    }
    Ok(out.into())
}

/// Elements of `bits` each, lowest first.
fn unpack(raw: &Bytes, bits: u32, count: usize) -> impl Iterator<Item = u8> + use<'_> {
    let mask = ((1u16 << bits) - 1) as u8;
    raw.iter().flat_map(move |byte| (0..8 / bits).map(move |i| (byte >> (i * bits)) & mask)).take(count)
}
