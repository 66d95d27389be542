//! The arrays of a file: what they are, and where their elements lie.

use std::io::{Cursor, Read};

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Refusal, SourceError, TensorInfo, WeightFile};
use eigenscope_plugin::tensor::{Dtype, Tensor, row_major_strides};
use zip::read::ZipFile;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::header::{Header, MAX_HEADER};

#[derive(Default)]
pub struct Arrays {
    file: String,
    zip: Option<ZipArchive<Cursor<Bytes>>>,
    infos: Vec<TensorInfo>,
    places: Vec<(Header, Place)>,
}

/// Whole arrays, header first: as they are in the file, or compressed in a member of the archive.
enum Place {
    Here(Bytes),
    Member(usize),
}

impl Arrays {
    /// The one array of a `.npy` file.
    pub fn single(file: String, name: &str, bytes: Bytes) -> Result<Arrays, SourceError> {
        let mut arrays = Arrays { file, ..Arrays::default() };
        arrays.add(name, Header::parse(&bytes), bytes.len() as u64, Place::Here(bytes))?;
        Ok(arrays)
    }

    /// The members of a `.npz` archive, in its order.
    pub fn archive(file: String, bytes: Bytes) -> Result<Arrays, SourceError> {
        let refuse = |e| SourceError::new(&file, broken(e));
        let mut zip = ZipArchive::new(Cursor::new(bytes.clone())).map_err(refuse)?;
        let mut arrays = Arrays { file: file.clone(), zip: Some(zip.clone()), ..Arrays::default() };
        for index in 0..zip.len() {
            let member = zip.by_index(index).map_err(refuse)?;
            let (name, size) = (member.name().map_err(refuse)?.into_owned(), member.size());
            let Some(name) = name.strip_suffix(".npy") else { continue };
            let stored = member.compression() == CompressionMethod::Stored;
            let start = member.data_start().filter(|_| stored).map(|start| start as usize);
            let range = start.map(|start| start..start.saturating_add(size as usize));
            if let Some(range) = range.filter(|range| bytes.get(range.clone()).is_some()) {
                let whole = bytes.slice(range);
                arrays.add(name, Header::parse(&whole), size, Place::Here(whole))?;
            } else {
                let header = unpack(member, MAX_HEADER as u64).and_then(|head| Header::parse(&head));
                arrays.add(name, header, size, Place::Member(index))?;
            }
        }
        Ok(arrays)
    }

    /// Lists an array that takes `found` bytes, header included.
    fn add(
        &mut self,
        name: &str,
        header: Result<Header, Refusal>,
        found: u64,
        place: Place,
    ) -> Result<(), SourceError> {
        let refuse = |refusal| SourceError::new(&self.file, refusal).tensor(name);
        let header = header.map_err(refuse)?;
        let mut info = TensorInfo::new(name, header.dtype, header.shape.clone());
        let size = info.numel().saturating_mul(header.dtype.size() as u64);
        let needed = size.saturating_add(header.length as u64);
        if needed > found {
            let what = format!("shape {:?} of {}", info.shape, info.dtype);
            return Err(refuse(Refusal::Truncated { what, needed, found }));
        }
        info.note = (info.dtype == Dtype::Opaque).then(|| format!("NumPy type '{}'", header.descr));
        self.infos.push(info);
        self.places.push((header, place));
        Ok(())
    }

    fn tensor(&self, (header, place): &(Header, Place)) -> Result<Tensor, Refusal> {
        let whole = match (place, &self.zip) {
            (Place::Here(bytes), _) => bytes.clone(),
            // A clone shares the directory, and keeps readers on several threads apart.
            (Place::Member(index), Some(zip)) => {
                unpack(zip.clone().by_index(*index).map_err(broken)?, u64::MAX)?
            }
            (Place::Member(_), None) => Bytes::new(),
        };
        let (size, mut shape) = (header.dtype.size(), header.shape.clone());
        let mut data = whole.slice(header.length.min(whole.len())..);
        if header.descr.starts_with('>') && size > 1 {
            data = data.chunks_exact(size).flat_map(|element| element.iter().rev().copied()).collect();
        }
        if header.fortran_order {
            shape.reverse();
        }
        let mut strides = row_major_strides(&shape).ok_or(Refusal::Malformed(format!("shape {shape:?}")))?;
        if header.fortran_order {
            strides.reverse();
        }
        let tensor = Tensor::with_strides(header.dtype, header.shape.clone(), &strides, 0, data);
        tensor.map_err(|e| Refusal::Malformed(e.to_string()))
    }
}

/// The first `limit` bytes of a member. Memory grows with what comes out, never by what is declared alone.
fn unpack(member: ZipFile<'_, Cursor<Bytes>>, limit: u64) -> Result<Bytes, Refusal> {
    let (mut out, size) = (Vec::new(), member.size());
    member.take(size.min(limit)).read_to_end(&mut out).map_err(Refusal::Io)?;
    Ok(out.into())
}

fn broken(error: ZipError) -> Refusal {
    Refusal::Malformed(format!("archive: {error}"))
}

impl WeightFile for Arrays {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let missing = || SourceError::new(&self.file, Refusal::Missing(format!("tensor {index}")));
        let info = self.infos.get(index).ok_or_else(missing)?;
        self.tensor(&self.places[index]).map_err(|r| SourceError::new(&self.file, r).tensor(&info.name))
    }
}
