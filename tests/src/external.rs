//! An ONNX model with its weights moved out of it, as `onnx.save(..., save_as_external_data=True)` does. Works on the
//! bytes, by the numbers of the fields in `onnx.proto`, and knows nothing of the reader it is there to test.

/// What the data begin at; real files are aligned like this.
const ALIGNMENT: usize = 4096;
/// Smaller tensors stay inline, as `onnx` leaves them.
const LEAST: usize = 1024;

const GRAPH: u64 = 7;
const INITIALIZER: u64 = 5;
const FLOAT_DATA: u64 = 4;
const RAW_DATA: u64 = 9;
const EXTERNAL_DATA: u64 = 13;
const DATA_LOCATION: u64 = 14;

/// The model without its weights, which lie in `location`; what that file holds; and how many tensors were moved.
///
/// # Panics
/// When the bytes are no protocol buffer.
pub fn externalise(model: &[u8], location: &str) -> (Vec<u8>, Vec<u8>, usize) {
    let (mut data, mut moved) = (Vec::new(), 0);
    let model = rewrite(model, |number, graph| {
        let graph = (number == GRAPH).then(|| {
            rewrite(graph, |number, tensor| {
                let weights = (number == INITIALIZER).then(|| weights(tensor)).flatten()?;
                moved += 1;
                Some(field(number, &pointing(tensor, weights, location, &mut data)))
            })
        });
        graph.map(|graph| field(number, &graph))
    });
    (model, data, moved)
}

/// Little-endian elements of a tensor that is worth moving.
fn weights(tensor: &[u8]) -> Option<&[u8]> {
    let mut found = None;
    rewrite(tensor, |number, bytes| {
        if [RAW_DATA, FLOAT_DATA].contains(&number) && bytes.len() >= LEAST {
            found = Some(bytes);
        }
        None
    });
    found
}

/// The tensor with a place in `data` instead of the weights.
fn pointing(tensor: &[u8], weights: &[u8], location: &str, data: &mut Vec<u8>) -> Vec<u8> {
    data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
    let mut out = rewrite(tensor, |number, _| [RAW_DATA, FLOAT_DATA].contains(&number).then(Vec::new));
    let (offset, length) = (data.len().to_string(), weights.len().to_string());
    for (key, value) in [("location", location), ("offset", &offset), ("length", &length)] {
        let entry = [field(1, key.as_bytes()), field(2, value.as_bytes())].concat();
        out.extend(field(EXTERNAL_DATA, &entry));
    }
    out.extend([(DATA_LOCATION << 3) as u8, 1]);
    data.extend_from_slice(weights);
    out
}

/// A copy of the message in which some fields with a length are replaced; `None` keeps one.
fn rewrite<'a>(message: &'a [u8], mut replace: impl FnMut(u64, &'a [u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < message.len() {
        let start = at;
        let key = varint(message, &mut at);
        match key & 7 {
            0 => {
                varint(message, &mut at);
            }
            1 => at += 8,
            5 => at += 4,
            2 => {
                let length = usize::try_from(varint(message, &mut at)).expect("a length");
                let bytes = &message[at..at + length];
                at += length;
                if let Some(other) = replace(key >> 3, bytes) {
                    out.extend(other);
                    continue;
                }
            }
            kind => panic!("a field of kind {kind}"),
        }
        out.extend_from_slice(&message[start..at]);
    }
    out
}

fn varint(message: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = message[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for mut value in [number << 3 | 2, bytes.len() as u64] {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
    out.extend_from_slice(bytes);
    out
}
