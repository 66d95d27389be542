//! What the tests of this crate share: an assembler of pickles and zips, and a way to read all of a file.
#![allow(dead_code, missing_docs)]

use eigenscope_plugin::source::{Input, Loader, Refusal, SourceError, WeightFile};
use eigenscope_pytorch::Pytorch;

/// Opens bytes and reads every tensor; a tensor must be what the list says.
pub fn exercise(name: &str, bytes: Vec<u8>) -> Result<usize, SourceError> {
    let input = Input::bytes(name, bytes);
    Pytorch.probe(&input.glimpse().unwrap());
    let file = Pytorch.open(&input)?;
    let mut total = 0;
    for (i, info) in file.tensors().iter().enumerate() {
        let tensor = file.read(i)?;
        assert_eq!((tensor.shape(), tensor.dtype()), (&info.shape[..], info.dtype), "{}", info.name);
        if tensor.len() <= 1 << 20 {
            total += tensor.to_vec().len();
        }
    }
    Ok(total)
}

pub fn open(name: &str, bytes: Vec<u8>) -> Result<Box<dyn WeightFile>, SourceError> {
    Pytorch.open(&Input::bytes(name, bytes))
}

pub fn refusal(name: &str, bytes: Vec<u8>) -> Refusal {
    *open(name, bytes).expect_err("must be refused").refusal
}

/// A zip of uncompressed entries.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in entries {
        let at = out.len() as u32;
        let size = (data.len() as u32).to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend(size);
        common.extend(size);
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(*data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (at, size, count) = (out.len() as u32, directory.len() as u32, entries.len() as u16);
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// A checkpoint of one pickle and one storage of `f32` ones.
pub fn checkpoint(pickle: &[u8], floats: usize) -> Vec<u8> {
    let ones: Vec<u8> = std::iter::repeat_n(1f32.to_le_bytes(), floats).flatten().collect();
    zip(&[("archive/data.pkl", pickle), ("archive/byteorder", b"little"), ("archive/data/0", &ones)])
}

/// An assembler for pickles of protocol 2.
#[derive(Clone, Debug)]
pub struct Pickle(pub Vec<u8>);

impl Pickle {
    pub fn new() -> Self {
        Pickle(vec![0x80, 2])
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub fn text(self, text: &str) -> Self {
        let len = (text.len() as u32).to_le_bytes();
        self.raw(b"X").raw(&len).raw(text.as_bytes())
    }

    pub fn int(self, value: i64) -> Self {
        self.raw(&[0x8a, 8]).raw(&value.to_le_bytes())
    }

    pub fn ints(self, values: &[i64]) -> Self {
        values.iter().fold(self.raw(b"("), |p, &v| p.int(v)).raw(b"t")
    }

    pub fn global(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    /// A reference to storage 0 of `numel` elements.
    pub fn storage(self, class: &str, numel: i64) -> Self {
        self.raw(b"(").text("storage").global("torch", class).text("0").text("cpu").int(numel).raw(b"tQ")
    }

    /// A tensor in storage 0.
    pub fn tensor(self, class: &str, numel: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Self {
        self.global("torch._utils", "_rebuild_tensor_v2")
            .raw(b"(")
            .storage(class, numel)
            .int(offset)
            .ints(shape)
            .ints(strides)
            .raw(b"\x89")
            .global("collections", "OrderedDict")
            .raw(b")RtR")
    }

    /// `{"w": ...}` around what `body` adds.
    pub fn dict(self, key: &str, body: impl FnOnce(Self) -> Self) -> Self {
        body(self.raw(b"}").text(key)).raw(b"s")
    }

    pub fn end(self) -> Vec<u8> {
        self.raw(b".").0
    }
}

/// `{"w": tensor}` in one storage of `numel` floats.
pub fn one_tensor(numel: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let pickle = Pickle::new().dict("w", |p| p.tensor("FloatStorage", numel, offset, shape, strides));
    checkpoint(&pickle.end(), numel.clamp(0, 1 << 16) as usize)
}
