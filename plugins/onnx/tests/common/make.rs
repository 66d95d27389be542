//! Small models, node by node.

use prost::Message;

use super::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, ValueInfoProto,
};

pub const FLOAT: i32 = 1;
pub const UINT8: i32 = 2;
pub const INT8: i32 = 3;
pub const INT64: i32 = 7;

/// A tensor of single floats 0, 1, 2, ... in `raw_data`.
pub fn floats(name: &str, dims: &[i64]) -> TensorProto {
    let count = dims.iter().product::<i64>();
    let raw: Vec<u8> = (0..count).flat_map(|v| (v as f32).to_le_bytes()).collect();
    raw_tensor(name, FLOAT, dims, raw)
}

/// A tensor of given bytes.
pub fn raw_tensor(name: &str, data_type: i32, dims: &[i64], raw: Vec<u8>) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        data_type,
        dims: dims.to_vec(),
        raw_data: raw.into(),
        ..TensorProto::default()
    }
}

/// A tensor whose data lie in another file.
pub fn external(name: &str, dims: &[i64], entries: &[(&str, &str)]) -> TensorProto {
    let entry =
        |(key, value): &(&str, &str)| StringStringEntryProto { key: (*key).into(), value: (*value).into() };
    TensorProto {
        name: name.to_owned(),
        data_type: FLOAT,
        dims: dims.to_vec(),
        external_data: entries.iter().map(entry).collect(),
        data_location: 1,
        ..TensorProto::default()
    }
}

pub fn node(op: &str, name: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: op.to_owned(),
        name: name.to_owned(),
        input: inputs.iter().map(|s| (*s).to_owned()).collect(),
        output: outputs.iter().map(|s| (*s).to_owned()).collect(),
        ..NodeProto::default()
    }
}

/// The node with an integer attribute more.
pub fn int(mut node: NodeProto, name: &str, i: i64) -> NodeProto {
    node.attribute.push(AttributeProto { name: name.to_owned(), i, ..AttributeProto::default() });
    node
}

/// The node with a list of integers more.
pub fn ints(mut node: NodeProto, name: &str, ints: &[i64]) -> NodeProto {
    let ints = ints.to_vec();
    node.attribute.push(AttributeProto { name: name.to_owned(), ints, ..AttributeProto::default() });
    node
}

/// The node with a sub-graph more.
pub fn body(mut node: NodeProto, name: &str, graph: GraphProto) -> NodeProto {
    node.attribute.push(AttributeProto {
        name: name.to_owned(),
        g: Some(Box::new(graph)),
        ..AttributeProto::default()
    });
    node
}

/// A Constant node.
pub fn constant(name: &str, tensor: TensorProto) -> NodeProto {
    let mut node = node("Constant", "", &[], &[name]);
    let t = Some(Box::new(tensor));
    node.attribute.push(AttributeProto { name: "value".to_owned(), t, ..AttributeProto::default() });
    node
}

pub fn graph(nodes: Vec<NodeProto>, initializers: Vec<TensorProto>) -> GraphProto {
    GraphProto {
        name: "main".to_owned(),
        node: nodes,
        initializer: initializers,
        input: vec![value("x")],
        output: vec![value("y")],
        ..GraphProto::default()
    }
}

pub fn value(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: name.to_owned() }
}

pub fn model(graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: 8,
        producer_name: "test".to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        ..ModelProto::default()
    }
}

/// The bytes of a model of these nodes and initializers.
pub fn bytes(nodes: Vec<NodeProto>, initializers: Vec<TensorProto>) -> Vec<u8> {
    model(graph(nodes, initializers)).encode_to_vec()
}

/// A model with one of each structure the loader knows, for tests that damage it.
pub fn varied() -> Vec<u8> {
    let then_branch =
        graph(vec![constant("w", floats("", &[2, 3])), node("MatMul", "", &["h", "w"], &["y"])], vec![]);
    let nodes = vec![
        node("Conv", "conv", &["x", "kernel", "bias"], &["c"]),
        ints(node("Transpose", "t", &["dense"], &["dense_t"]), "perm", &[1, 0]),
        node("MatMul", "fc", &["c", "dense_t"], &["h"]),
        body(node("If", "if", &["cond"], &["z"]), "then_branch", then_branch),
        int(node("LSTM", "lstm", &["z", "gates"], &["l"]), "hidden_size", 2),
        node("DequantizeLinear", "dq", &["q", "scale", "zero"], &["dq"]),
        node("MatMul", "qfc", &["l", "dq"], &["y"]),
        node("Reshape", "r", &["y", "shape"], &["out"]),
    ];
    let mut typed = floats("typed", &[4]);
    typed.float_data = vec![std::mem::take(&mut typed.raw_data)];
    let shape = TensorProto {
        name: "shape".to_owned(),
        data_type: INT64,
        dims: vec![2],
        int64_data: vec![vec![0x80, 0x01, 0x05].into()],
        ..TensorProto::default()
    };
    let initializers = vec![
        floats("kernel", &[2, 3, 2, 2]),
        floats("bias", &[2]),
        floats("dense", &[4, 3]),
        floats("gates", &[1, 8, 3]),
        raw_tensor("q", INT8, &[2, 2], vec![1, 2, 0xff, 4]),
        floats("scale", &[1]),
        raw_tensor("zero", INT8, &[1], vec![1]),
        raw_tensor("nibbles", 22, &[3], vec![0x21, 0x0f]),
        typed,
        shape,
    ];
    bytes(nodes, initializers)
}
