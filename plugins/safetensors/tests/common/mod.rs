//! What the tests of this crate share: a writer of files, honest or not, and a way to read all of one.
#![allow(dead_code, missing_docs)]

use eigenscope_plugin::source::{Input, Loader, Refusal, SourceError, WeightFile};
use eigenscope_safetensors::Safetensors;

/// Opens bytes and reads every tensor; a tensor must be what the list says.
pub fn exercise(bytes: Vec<u8>) -> Result<usize, SourceError> {
    let input = Input::bytes("x.safetensors", bytes);
    Safetensors.probe(&input.glimpse().unwrap());
    let file = Safetensors.open(&input)?;
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

pub fn open(bytes: Vec<u8>) -> Result<Box<dyn WeightFile>, SourceError> {
    Safetensors.open(&Input::bytes("x.safetensors", bytes))
}

pub fn refusal(bytes: Vec<u8>) -> Refusal {
    *open(bytes).expect_err("must be refused").refusal
}

/// A header as given, then data.
pub fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.extend(data);
    out
}

/// Tensors of one row of singles each.
pub fn floats(tensors: &[(&str, &[f32])]) -> Vec<u8> {
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for (name, values) in tensors {
        let from = data.len();
        data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        entries.push(format!(
            r#""{name}":{{"dtype":"F32","shape":[1,{}],"data_offsets":[{from},{}]}}"#,
            values.len(),
            data.len()
        ));
    }
    file(&format!(r#"{{"__metadata__":{{"format":"pt"}},{}}}"#, entries.join(",")), &data)
}
