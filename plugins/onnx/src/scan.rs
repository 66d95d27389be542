//! A walk over the protobuf structure before anything is decoded: it says where a file ends early, and bounds depth and
//! count, so that decoding a hostile file neither overflows the stack nor makes gigabytes of empty messages.

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::Refusal;

use crate::proto;

/// Messages inside messages. The decoder stops at 100; one sub-graph takes three levels.
const MAX_DEPTH: usize = 96;
/// Memory that the decoded messages, names and lists may take, not counting the tensor data, which stay in the file. Two
/// bytes of a file can declare a message of some hundred bytes; a graph of a hundred thousand nodes takes a tenth of this.
const MAX_DECODED: u64 = 1 << 30;
/// Field numbers of the schema lie below this.
const FIELDS: usize = 32;

/// A message type of the schema.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Training,
    Opset,
    Entry,
    Graph,
    Value,
    Function,
    Node,
    Attribute,
    Tensor,
    Sparse,
}

impl Message {
    /// Bytes of a decoded message.
    fn size(self) -> u64 {
        let size = match self {
            Message::Model => size_of::<proto::ModelProto>(),
            Message::Training => size_of::<proto::TrainingInfoProto>(),
            Message::Opset => size_of::<proto::OperatorSetIdProto>(),
            Message::Entry => size_of::<proto::StringStringEntryProto>(),
            Message::Graph => size_of::<proto::GraphProto>(),
            Message::Value => size_of::<proto::ValueInfoProto>(),
            Message::Function => size_of::<proto::FunctionProto>(),
            Message::Node => size_of::<proto::NodeProto>(),
            Message::Attribute => size_of::<proto::AttributeProto>(),
            Message::Tensor => size_of::<proto::TensorProto>(),
            Message::Sparse => size_of::<proto::SparseTensorProto>(),
        };
        size as u64
    }
}

/// What a field holds.
#[derive(Clone, Copy)]
enum Content {
    Message(Message),
    Text,
    Bytes,
    /// Numbers kept as the packed bytes they are stored in.
    Packed,
    Varints,
    Floats,
}

/// What is wrong, and at which byte.
pub(crate) type Fault = (Refusal, u64);

/// Checks the structure of a model.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Fault> {
    let mut decoded = 0;
    let frame = Frame { parent: None, name: "the model", index: None };
    message(Message::Model, bytes, 0, 1, &frame, &mut decoded)
}

/// The field `number` of `message`; `None` for those the loader has no use for.
fn field(message: Message, number: u64) -> Option<(&'static str, Content)> {
    use Content::{Bytes, Floats, Packed, Text, Varints};
    use Message::{Attribute, Entry, Function, Graph, Node, Opset, Sparse, Tensor, Training, Value};
    let nested = Content::Message;
    Some(match (message, number) {
        (Message::Model, 1) => ("ir_version", Varints),
        (Message::Model, 2) => ("producer_name", Text),
        (Message::Model, 3) => ("producer_version", Text),
        (Message::Model, 4) => ("domain", Text),
        (Message::Model, 5) => ("model_version", Varints),
        (Message::Model, 7) => ("graph", nested(Graph)),
        (Message::Model, 8) => ("opset_import", nested(Opset)),
        (Message::Model, 14) => ("metadata_props", nested(Entry)),
        (Message::Model, 20) => ("training_info", nested(Training)),
        (Message::Model, 25) => ("functions", nested(Function)),
        (Training, 1) => ("initialization", nested(Graph)),
        (Training, 2) => ("algorithm", nested(Graph)),
        (Opset, 1) => ("domain", Text),
        (Opset, 2) => ("version", Varints),
        (Entry, 1) => ("key", Text),
        (Entry, 2) => ("value", Text),
        (Graph, 1) => ("node", nested(Node)),
        (Graph, 2) => ("name", Text),
        (Graph, 5) => ("initializer", nested(Tensor)),
        (Graph, 11) => ("input", nested(Value)),
        (Graph, 12) => ("output", nested(Value)),
        (Graph, 15) => ("sparse_initializer", nested(Sparse)),
        (Value, 1) => ("name", Text),
        (Function, 1) => ("name", Text),
        (Function, 4) => ("input", Text),
        (Function, 5) => ("output", Text),
        (Function, 7) => ("node", nested(Node)),
        (Function, 10) => ("domain", Text),
        (Function, 13) => ("overload", Text),
        (Node, 1) => ("input", Text),
        (Node, 2) => ("output", Text),
        (Node, 3) => ("name", Text),
        (Node, 4) => ("op_type", Text),
        (Node, 5) => ("attribute", nested(Attribute)),
        (Node, 7) => ("domain", Text),
        (Node, 8) => ("overload", Text),
        (Attribute, 1) => ("name", Text),
        (Attribute, 2) => ("f", Floats),
        (Attribute, 3) => ("i", Varints),
        (Attribute, 4) => ("s", Bytes),
        (Attribute, 5) => ("t", nested(Tensor)),
        (Attribute, 6) => ("g", nested(Graph)),
        (Attribute, 7) => ("floats", Floats),
        (Attribute, 8) => ("ints", Varints),
        (Attribute, 9) => ("strings", Bytes),
        (Attribute, 10) => ("tensors", nested(Tensor)),
        (Attribute, 11) => ("graphs", nested(Graph)),
        (Attribute, 22) => ("sparse_tensor", nested(Sparse)),
        (Attribute, 23) => ("sparse_tensors", nested(Sparse)),
        (Tensor, 1) => ("dims", Varints),
        (Tensor, 2) => ("data_type", Varints),
        (Tensor, 4) => ("float_data", Packed),
        (Tensor, 5) => ("int32_data", Packed),
        (Tensor, 6) => ("string_data", Bytes),
        (Tensor, 7) => ("int64_data", Packed),
        (Tensor, 8) => ("name", Text),
        (Tensor, 9) => ("raw_data", Bytes),
        (Tensor, 10) => ("double_data", Packed),
        (Tensor, 11) => ("uint64_data", Packed),
        (Tensor, 13) => ("external_data", nested(Entry)),
        (Tensor, 14) => ("data_location", Varints),
        (Sparse, 1) => ("values", nested(Tensor)),
        (Sparse, 2) => ("indices", nested(Tensor)),
        (Sparse, 3) => ("dims", Varints),
        _ => return None,
    })
}

/// The way from the model to a field, for messages.
struct Frame<'a> {
    parent: Option<&'a Frame<'a>>,
    name: &'static str,
    index: Option<u32>,
}

impl Frame<'_> {
    fn path(&self) -> String {
        let own = match self.index {
            Some(index) => format!("{}[{index}]", self.name),
            None => self.name.to_owned(),
        };
        match self.parent {
            // The model itself goes without saying.
            Some(parent) if parent.parent.is_some() => format!("{}.{own}", parent.path()),
            _ => own,
        }
    }
}

fn message(
    kind: Message,
    bytes: &[u8],
    start: u64,
    depth: usize,
    frame: &Frame<'_>,
    decoded: &mut u64,
) -> Result<(), Fault> {
    if depth > MAX_DEPTH {
        let what = "the number of messages inside messages".to_owned();
        return Err((Refusal::TooLarge { what, size: depth as u64, limit: MAX_DEPTH as u64 }, start));
    }
    let mut seen = [0u32; FIELDS];
    let mut at = 0;
    while at < bytes.len() {
        let here = start + at as u64;
        let what = || format!("a field of {}", frame.path());
        let (tag, body) = varint(bytes, at, start, what)?;
        let (number, wire) = (tag >> 3, (tag & 7) as u8);
        if number == 0 || number >= 1 << 29 {
            return Err((malformed(frame, format!("field number {number} does not exist")), here));
        }
        let known = field(kind, number);
        let name = known.map_or("an unknown field", |(name, _)| name);
        let index = seen.get_mut(number as usize).map(|count| {
            *count += 1;
            *count - 1
        });
        // Only fields that may repeat are worth an index; a second one of the others tells itself apart by it too.
        let inner = Frame { parent: Some(frame), name, index: index.filter(|&i| i > 0 || repeats(known)) };
        let end = match wire {
            0 => varint(bytes, body, start, || inner.path())?.1,
            1 => fixed(bytes, body, start, 8, &inner)?,
            5 => fixed(bytes, body, start, 4, &inner)?,
            2 => {
                let (length, from) = varint(bytes, body, start, || inner.path())?;
                fixed(bytes, from, start, length, &inner)?
            }
            _ => {
                return Err((
                    malformed(&inner, format!("wire type {wire}, which ONNX does not use (field {number})")),
                    here,
                ));
            }
        };
        if let Some((_, content)) = known {
            let from = if wire == 2 { varint(bytes, body, start, || inner.path())?.1 } else { body };
            check_wire(content, wire, &inner).map_err(|refusal| (refusal, here))?;
            *decoded += match content {
                Content::Message(nested) => nested.size(),
                Content::Text => (size_of::<String>() + end - from) as u64,
                Content::Bytes | Content::Packed => size_of::<Bytes>() as u64,
                // At least a byte each, packed or not.
                Content::Varints => 8 * (end - from) as u64,
                Content::Floats => (end - from) as u64,
            };
            if *decoded > MAX_DECODED {
                let what = "the memory that nodes, names and lists take".to_owned();
                return Err((Refusal::TooLarge { what, size: *decoded, limit: MAX_DECODED }, here));
            }
            let content_start = start + from as u64;
            match content {
                Content::Message(nested) => {
                    message(nested, &bytes[from..end], content_start, depth + 1, &inner, decoded)?;
                }
                Content::Text if std::str::from_utf8(&bytes[from..end]).is_err() => {
                    return Err((malformed(&inner, "a text that is not UTF-8".to_owned()), content_start));
                }
                _ => {}
            }
        }
        at = end;
    }
    Ok(())
}

fn repeats(field: Option<(&'static str, Content)>) -> bool {
    const MANY: [&str; 16] = [
        "node",
        "initializer",
        "sparse_initializer",
        "input",
        "output",
        "attribute",
        "tensors",
        "graphs",
        "sparse_tensors",
        "strings",
        "functions",
        "opset_import",
        "metadata_props",
        "training_info",
        "external_data",
        "string_data",
    ];
    field.is_some_and(|(name, _)| MANY.contains(&name))
}

fn check_wire(content: Content, wire: u8, frame: &Frame<'_>) -> Result<(), Refusal> {
    let fits = match content {
        Content::Message(_) | Content::Text | Content::Bytes | Content::Packed => wire == 2,
        Content::Varints => wire == 0 || wire == 2,
        Content::Floats => wire == 5 || wire == 2,
    };
    match content {
        _ if fits => Ok(()),
        Content::Packed => {
            Err(Refusal::Unsupported(format!("{}: numbers stored one by one, not packed", frame.path())))
        }
        _ => Err(malformed(frame, format!("wire type {wire} does not fit this field"))),
    }
}

fn malformed(frame: &Frame<'_>, what: String) -> Refusal {
    Refusal::Malformed(format!("{}: {what}", frame.path()))
}

/// The varint at `at`, and where it ends.
fn varint(bytes: &[u8], at: usize, start: u64, what: impl Fn() -> String) -> Result<(u64, usize), Fault> {
    let mut value = 0u64;
    for (i, byte) in bytes[at..].iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i as u32);
        if byte & 0x80 == 0 {
            if i == 9 && *byte > 1 {
                break;
            }
            return Ok((value, at + i + 1));
        }
    }
    let here = start + at as u64;
    let left = (bytes.len() - at) as u64;
    if left < 10 {
        return Err((Refusal::Truncated { what: what(), needed: left + 1, found: left }, here));
    }
    Err((Refusal::Malformed(format!("{}: a number of more than 64 bits", what())), here))
}

/// Where `length` bytes from `at` end.
fn fixed(bytes: &[u8], at: usize, start: u64, length: u64, frame: &Frame<'_>) -> Result<usize, Fault> {
    let found = (bytes.len() - at) as u64;
    if length > found {
        return Err((Refusal::Truncated { what: frame.path(), needed: length, found }, start + at as u64));
    }
    Ok(at + length as usize)
}
