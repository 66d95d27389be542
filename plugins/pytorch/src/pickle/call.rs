//! What calls in a pickle stand for. The list of functions with a meaning is closed; the rest are inert objects.

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::Refusal;
use eigenscope_plugin::tensor::Dtype;

use super::machine::{Machine, malformed};
use super::{Element, Graph, Node, NodeId, Quantizer, RawTensor, Source, Storage, Value, danger};

/// The most axes of a tensor; PyTorch itself stops at 64.
const MAX_RANK: usize = 64;
/// Calls within the arguments of `_rebuild_from_type`, which nest once in practice.
const MAX_NESTED_CALLS: usize = 4;

/// The longest attribute followed.
const MAX_ATTRIBUTE_BYTES: u32 = 256;

type Called<T> = Result<T, Refusal>;

/// `function(*args)`.
pub fn reduce(machine: &mut Machine, function: Value, args: Value, depth: usize) -> Called<Value> {
    let Some(path) = machine.graph.path(function) else { return machine.object(function, args) };
    if let Some(why) = danger::refuse(&path) {
        return Err(Refusal::Forbidden(why));
    }
    let given = machine.graph.items(args).unwrap_or_default();
    let first = given.first().copied();
    let short =
        |name: &str| path.strip_prefix("builtins.").or(path.strip_prefix("__builtin__.")) == Some(name);
    match path.as_str() {
        "collections.OrderedDict" | "collections.defaultdict" => {
            // OrderedDict(pairs), defaultdict(factory, pairs).
            let given = given.iter().take(2).copied().collect::<Vec<_>>();
            let mut found = None;
            for arg in given {
                machine.charge(length(&machine.graph, arg))?;
                found = found.or_else(|| pairs(&machine.graph, arg));
            }
            machine.add(Node::Dict(found.unwrap_or_default()))
        }
        "torch.Size"
        | "torch.jit._pickle.build_intlist"
        | "torch.jit._pickle.build_doublelist"
        | "torch.jit._pickle.build_boollist"
        | "torch.jit._pickle.build_tensorlist"
        | "torch.jit._pickle.restore_type_tag"
        | "torch._utils._rebuild_device_tensor_from_cpu_tensor" => match first {
            Some(value) => Ok(value),
            None => machine.add(Node::Tuple(Vec::new())),
        },
        "torch._utils._rebuild_device_tensor_from_numpy" => match first {
            Some(value) => Ok(value),
            None => malformed("a tensor from no array"),
        },
        "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => match first {
            Some(data) => Ok(data),
            None => malformed("a parameter without data"),
        },
        "torch.tensor._rebuild_from_type"
        | "torch._tensor._rebuild_from_type"
        | "torch._tensor._rebuild_from_type_v2" => {
            let (Some(inner), Some(&inner_args)) = (first, given.get(2)) else {
                return malformed(format!("{path} lacks arguments"));
            };
            if depth == MAX_NESTED_CALLS {
                return malformed(format!("{path} nests more than {MAX_NESTED_CALLS} deep"));
            }
            reduce(machine, inner, inner_args, depth + 1)
        }
        "torch._utils._rebuild_tensor"
        | "torch._utils._rebuild_tensor_v2"
        | "torch._utils._rebuild_tensor_v3"
        | "torch._utils._rebuild_qtensor" => {
            let tensor = strided(&machine.graph, &path, given)?;
            machine.charge(4 + tensor.shape.len() * 2)?;
            machine.add(Node::Tensor(Box::new(tensor)))
        }
        "torch._utils._rebuild_meta_tensor_no_storage" => {
            let [dtype, size, ..] = *given else { return malformed(format!("{path} lacks arguments")) };
            let tensor = RawTensor {
                source: Source::Nothing,
                element: dtype_of(&machine.graph, dtype),
                offset: 0,
                shape: shape(&machine.graph, size)?,
                strides: None,
                quantizer: None,
                note: Some("meta tensor: a shape without data".to_owned()),
            };
            machine.add(Node::Tensor(Box::new(tensor)))
        }
        "torch._utils._rebuild_sparse_tensor" | "torch._utils._rebuild_sparse_csr_tensor" => {
            let tensor = sparse(&machine.graph, given)?;
            machine.add(Node::Tensor(Box::new(tensor)))
        }
        "_codecs.encode" => encode(machine, first),
        "numpy.core.multiarray.scalar" | "numpy._core.multiarray.scalar" => {
            match numpy_scalar(&machine.graph, given) {
                Some(value) => Ok(value),
                None => machine.object(function, args),
            }
        }
        "copyreg._reconstructor" | "copy_reg._reconstructor" | "copyreg.__newobj__" => match first {
            Some(class) => instance(machine, class, args),
            None => malformed(format!("{path} lacks a class")),
        },
        _ if short("getattr") => match *given {
            [of, Value::Text(name)]
                if name.len <= MAX_ATTRIBUTE_BYTES && machine.graph.path(of).is_some() =>
            {
                machine.add(Node::Attribute { of, name })
            }
            _ => machine.object(function, args),
        },
        _ if ["set", "frozenset", "list", "tuple", "bytearray", "bytes"].into_iter().any(short) => {
            match first {
                Some(value) => Ok(value),
                None => machine.add(Node::List(Vec::new())),
            }
        }
        _ => machine.object(function, args),
    }
}

/// An instance of `class`: a dictionary where that is what it is, an inert object otherwise.
pub fn instance(machine: &mut Machine, class: Value, args: Value) -> Called<Value> {
    match machine.graph.path(class).as_deref() {
        Some("collections.OrderedDict" | "collections.defaultdict") => machine.add(Node::Dict(Vec::new())),
        Some(path) => match danger::refuse(path) {
            Some(why) => Err(Refusal::Forbidden(why)),
            None => machine.object(class, args),
        },
        None => machine.object(class, args),
    }
}

/// What a persistent id stands for: a storage, or the class of an old checkpoint that carried its source.
pub fn persistent(machine: &mut Machine, id: Value) -> Called<Value> {
    let graph = &machine.graph;
    let Some(parts) = graph.items(id) else {
        // The oldest container (tar) names tensors by bare numbers, resolved later.
        return machine.object(Value::None, id);
    };
    let kind = parts.first().and_then(|&p| graph.str(p));
    match kind.as_deref() {
        Some("storage") => {
            let &[_, class, key, _location, numel, ref rest @ ..] = parts else {
                return malformed("a storage reference of fewer than 5 parts");
            };
            let storage = storage(graph, class, key, numel, rest.first().copied())?;
            machine.charge(4 + storage.key.len() / 16)?;
            machine.add(Node::Storage(Box::new(storage)))
        }
        Some("module") if parts.len() >= 2 => Ok(parts[1]),
        _ => {
            let class = parts.first().copied().unwrap_or(Value::None);
            if graph.path(class).is_some() { Ok(class) } else { malformed("a persistent id of unknown kind") }
        }
    }
}

/// A storage class's element type.
pub fn storage_element(graph: &Graph, class: Value) -> Called<Element> {
    let path = graph.path(class).unwrap_or_default();
    let name = path.rsplit('.').next().unwrap_or("");
    let known = if path.starts_with("torch.") { Element::from_storage(name) } else { None };
    known.ok_or_else(|| Refusal::Unsupported(format!("storage class '{path}'")))
}

/// The text of a storage's key: a string in new files, a number in the oldest.
pub fn key_text(graph: &Graph, key: Value) -> Option<String> {
    match key {
        Value::Int(i) => Some(i.to_string()),
        other => graph.str(other).map(|s| s.into_owned()),
    }
}

fn storage(graph: &Graph, class: Value, key: Value, numel: Value, view: Option<Value>) -> Called<Storage> {
    let element = storage_element(graph, class)?;
    let (Some(key), Some(numel)) = (key_text(graph, key), graph.size(numel)) else {
        return malformed("a storage reference without key or size");
    };
    let view = match view.and_then(|v| graph.items(v)) {
        Some(&[_, offset, size]) => match (graph.size(offset), graph.size(size)) {
            (Some(offset), Some(size)) => Some((offset as u64, size as u64)),
            _ => return malformed("a storage view without offset or size"),
        },
        _ => None,
    };
    Ok(Storage { key, element, numel: numel as u64, view })
}

fn length(graph: &Graph, value: Value) -> usize {
    match graph.node(value) {
        Some(Node::Dict(items)) => items.len(),
        _ => graph.items(value).map_or(0, <[Value]>::len),
    }
}

fn pairs(graph: &Graph, value: Value) -> Option<Vec<(Value, Value)>> {
    match graph.node(value)? {
        Node::Dict(items) => Some(items.clone()),
        Node::List(items) | Node::Tuple(items) => items
            .iter()
            .map(|&item| match graph.items(item) {
                Some(&[key, value]) => Some((key, value)),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn shape(graph: &Graph, value: Value) -> Called<Vec<usize>> {
    integers(graph, value, "shape", |v| graph.size(v))
}

fn integers<T>(graph: &Graph, value: Value, what: &str, one: impl Fn(Value) -> Option<T>) -> Called<Vec<T>> {
    let Some(items) = graph.items(value) else { return malformed(format!("a {what} that is not a tuple")) };
    if items.len() > MAX_RANK {
        return malformed(format!("a {what} of {} axes, more than {MAX_RANK}", items.len()));
    }
    match items.iter().map(|&v| one(v)).collect() {
        Some(all) => Ok(all),
        None => malformed(format!("a {what} with an entry that is no valid integer")),
    }
}

/// `torch.float32` and the like.
fn dtype_of(graph: &Graph, value: Value) -> Option<Element> {
    Element::from_dtype(graph.path(value)?.strip_prefix("torch.")?)
}

fn storage_id(graph: &Graph, value: Value) -> Option<NodeId> {
    match (value, graph.node(value)?) {
        (Value::Node(id), Node::Storage(_)) => Some(id),
        _ => None,
    }
}

fn strided(graph: &Graph, function: &str, args: &[Value]) -> Called<RawTensor> {
    let &[storage, offset, size, strides, ref rest @ ..] = args else {
        return malformed(format!("{function} has {} arguments, at least 4 are needed", args.len()));
    };
    let Some(storage) = storage_id(graph, storage) else {
        return malformed(format!("{function} of what is not a storage"));
    };
    let Some(offset) = graph.size(offset) else {
        return malformed(format!("{function} with a storage offset that is not a number from 0 up"));
    };
    let stride = |v| match v {
        Value::Int(i) => isize::try_from(i).ok(),
        _ => None,
    };
    let mut tensor = RawTensor {
        source: Source::Storage(storage),
        element: None,
        offset,
        shape: shape(graph, size)?,
        strides: Some(integers(graph, strides, "stride", stride)?),
        quantizer: None,
        note: None,
    };
    if function.ends_with("_v3") {
        let Some(&dtype) = rest.get(2) else { return malformed(format!("{function} without a dtype")) };
        let Some(element) = dtype_of(graph, dtype) else {
            let name = graph.path(dtype).unwrap_or_default();
            return Err(Refusal::Unsupported(format!("element type '{name}'")));
        };
        tensor.element = Some(element);
    }
    if function.ends_with("_rebuild_qtensor") {
        let Some(quantizer) = rest.first().and_then(|&q| quantizer(graph, q)) else {
            return malformed(format!("{function} without readable scales"));
        };
        tensor.quantizer = Some(quantizer);
    }
    Ok(tensor)
}

fn quantizer(graph: &Graph, value: Value) -> Option<Quantizer> {
    let items = graph.items(value)?;
    match (graph.path(*items.first()?)?.as_str(), &items[1..]) {
        ("torch.per_tensor_affine" | "torch.per_tensor_symmetric", &[scale, zero_point, ..]) => {
            Some(Quantizer::PerTensor { scale: graph.number(scale)?, zero_point: graph.number(zero_point)? })
        }
        (
            "torch.per_channel_affine"
            | "torch.per_channel_symmetric"
            | "torch.per_channel_affine_float_qparams",
            &[scales, zero_points, axis, ..],
        ) => Some(Quantizer::PerChannel { scales, zero_points, axis: graph.size(axis)? }),
        _ => None,
    }
}

fn sparse(graph: &Graph, args: &[Value]) -> Called<RawTensor> {
    let &[layout, data, ..] = args else { return malformed("a sparse tensor without data") };
    let Some(parts) = graph.items(data) else { return malformed("a sparse tensor without data") };
    // (indices, values, size[, coalesced]) or (compressed, plain, values, size); the size is the one plain tuple.
    let Some(size) = parts.iter().take(4).find_map(|&p| graph.items(p).map(|_| p)) else {
        return malformed("a sparse tensor without a size");
    };
    let layout = match graph.node(layout) {
        Some(Node::Object(object)) => graph.items(object.args).and_then(|a| graph.str(*a.first()?)),
        _ => None,
    };
    Ok(RawTensor {
        source: Source::Nothing,
        element: None,
        offset: 0,
        shape: shape(graph, size)?,
        strides: None,
        quantizer: None,
        note: Some(format!("sparse tensor ({})", layout.as_deref().unwrap_or("torch.sparse"))),
    })
}

/// `_codecs.encode(text, 'latin1')`: how protocol 2 stores bytes.
fn encode(machine: &mut Machine, text: Option<Value>) -> Called<Value> {
    let Some(Value::Text(text)) = text else { return malformed("_codecs.encode of what is not a string") };
    let Some(left) = machine.decodable.checked_sub(text.len as usize) else {
        return malformed("the same bytes are decoded again and again");
    };
    machine.decodable = left;
    let Ok(utf8) = std::str::from_utf8(machine.graph.raw(text)) else {
        return malformed("a string that is not UTF-8");
    };
    let bytes: Option<Vec<u8>> = utf8.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    match bytes {
        Some(bytes) => machine.add(Node::Decoded(Bytes::from(bytes))),
        None => malformed("a string that is not Latin-1"),
    }
}

/// The element type of `numpy.dtype('f4', ...)`; big-endian ones are refused by giving none.
fn numpy_element(graph: &Graph, dtype: Value) -> Option<Element> {
    let Some(Node::Object(object)) = graph.node(dtype) else { return None };
    if graph.path(object.class).as_deref() != Some("numpy.dtype") {
        return None;
    }
    let order = object.state.first().and_then(|&s| graph.items(s)).and_then(|s| graph.str(*s.get(1)?));
    if order.as_deref() == Some(">") {
        return None;
    }
    Element::from_numpy(&graph.str(*graph.items(object.args)?.first()?)?)
}

fn numpy_scalar(graph: &Graph, args: &[Value]) -> Option<Value> {
    let &[dtype, raw] = args else { return None };
    let element = numpy_element(graph, dtype)?;
    let raw = graph.bytes_of(raw)?;
    Some(match (element.dtype, &raw[..]) {
        (Dtype::F64, &[a, b, c, d, e, f, g, h]) => Value::Float(f64::from_le_bytes([a, b, c, d, e, f, g, h])),
        (Dtype::F32, &[a, b, c, d]) => Value::Float(f64::from(f32::from_le_bytes([a, b, c, d]))),
        (Dtype::I64, &[a, b, c, d, e, f, g, h]) => Value::Int(i64::from_le_bytes([a, b, c, d, e, f, g, h])),
        (Dtype::I32, &[a, b, c, d]) => Value::Int(i64::from(i32::from_le_bytes([a, b, c, d]))),
        (Dtype::Bool, &[b]) => Value::Bool(b != 0),
        _ => return None,
    })
}

/// The array that `target`, made by `numpy`'s `_reconstruct`, becomes with `state`; `None` for any other object.
pub fn numpy_array(graph: &Graph, target: Value, state: Value) -> Called<Option<RawTensor>> {
    let Some(Node::Object(object)) = graph.node(target) else { return Ok(None) };
    let path = graph.path(object.class).unwrap_or_default();
    if !matches!(path.as_str(), "numpy.core.multiarray._reconstruct" | "numpy._core.multiarray._reconstruct")
    {
        return Ok(None);
    }
    let Some(&[_version, size, dtype, fortran, raw]) = graph.items(state) else { return Ok(None) };
    let shape = shape(graph, size)?;
    let strides = (fortran == Value::Bool(true)).then(|| {
        let mut step: isize = 1;
        shape
            .iter()
            .map(|&extent| {
                let this = step;
                step = step.saturating_mul(isize::try_from(extent).unwrap_or(isize::MAX));
                this
            })
            .collect()
    });
    let element = numpy_element(graph, dtype);
    let (source, note) = match (element, graph.bytes_of(raw)) {
        (Some(_), Some(bytes)) => (Source::Inline(bytes), None),
        _ => (Source::Nothing, Some("NumPy array of objects or another type that is not read".to_owned())),
    };
    Ok(Some(RawTensor { source, element, offset: 0, shape, strides, quantizer: None, note }))
}
