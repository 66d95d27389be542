//! What a tensor is, from the nodes that use it.
#![allow(missing_docs)]

mod common;

use common::make::*;
use common::proto::{FunctionProto, GraphProto, NodeProto, SparseTensorProto, TensorProto};
use common::{find, open_bytes, values};
use eigenscope_plugin::source::{TensorInfo, WeightFile};
use eigenscope_plugin::tensor::{Dtype, LayerKind, Layout, Role, Stacked};
use prost::Message;

fn opened(nodes: Vec<NodeProto>, initializers: Vec<TensorProto>) -> Box<dyn WeightFile> {
    open_bytes(bytes(nodes, initializers)).unwrap()
}

/// The only initializer of a model of these nodes.
fn single(nodes: Vec<NodeProto>, dims: &[i64]) -> TensorInfo {
    opened(nodes, vec![floats("w", dims)]).tensors()[0].clone()
}

fn note(info: &TensorInfo) -> &str {
    info.note.as_deref().unwrap_or("")
}

#[test]
fn matrix_products_tell_which_axis_is_out() {
    let (dense, out_in, in_out) = (Some(LayerKind::Dense), Layout::OutInSpatial, Layout::InOutSpatial);
    let gemm = |b: &str| int(node("Gemm", "g", &["x", "w", b], &["y"]), "transB", 1);
    let turned = || ints(node("Transpose", "t", &["w"], &["wt"]), "perm", &[1, 0]);
    let einsum = |equation: &str| {
        let mut einsum = node("Einsum", "e", &["x", "w"], &["y"]);
        let s = equation.as_bytes().to_vec().into();
        einsum.attribute.push(common::proto::AttributeProto {
            name: "equation".into(),
            s,
            ..Default::default()
        });
        einsum
    };
    for (what, nodes, layout) in [
        ("right operand", vec![node("MatMul", "m", &["x", "w"], &["y"])], in_out),
        ("left operand", vec![node("MatMul", "m", &["w", "x"], &["y"])], out_in),
        ("Gemm", vec![node("Gemm", "g", &["x", "w"], &["y"])], in_out),
        ("Gemm transB", vec![gemm("")], out_in),
        ("Gemm left", vec![node("Gemm", "g", &["w", "x"], &["y"])], out_in),
        ("Gemm left transA", vec![int(node("Gemm", "g", &["w", "x"], &["y"]), "transA", 1)], in_out),
        ("transposed", vec![turned(), node("MatMul", "m", &["x", "wt"], &["y"])], out_in),
        (
            "transposed twice",
            vec![turned(), int(node("Gemm", "g", &["x", "wt"], &["y"]), "transB", 1)],
            in_out,
        ),
        ("cast", vec![node("Cast", "c", &["w"], &["wc"]), node("MatMul", "m", &["x", "wc"], &["y"])], in_out),
        ("einsum", vec![einsum("bi,io->bo")], in_out),
        ("einsum transposed", vec![einsum("bi, oi -> bo")], out_in),
    ] {
        let info = single(nodes, &[4, 3]);
        assert_eq!((info.kind, info.layout, note(&info)), (dense, layout, ""), "{what}");
    }
}

#[test]
fn a_batch_of_matrices_is_listed_with_its_reason_and_a_batch_of_one_is_a_matrix() {
    let matmul = || vec![node("MatMul", "m", &["x", "w"], &["y"])];
    let batch = single(matmul(), &[5, 4, 3]);
    assert_eq!(note(&batch), "operand of MatMul 'm' of shape [5, 4, 3], more than one matrix");
    let one = single(matmul(), &[1, 4, 3]);
    assert_eq!((one.kind, one.shape.as_slice(), note(&one)), (Some(LayerKind::Dense), &[4, 3][..], ""));
    let vector = single(matmul(), &[4]);
    assert_eq!(note(&vector), "operand of MatMul 'm' of shape [4], not a matrix");
}

#[test]
fn convolutions_of_every_rank_and_axis_order() {
    let conv = |op: &str| vec![node(op, "c", &["x", "w"], &["y"])];
    for (dims, kind) in [
        (&[8, 4, 3][..], LayerKind::Conv1d),
        (&[8, 4, 3, 3], LayerKind::Conv2d),
        (&[8, 4, 3, 3, 3], LayerKind::Conv3d),
    ] {
        let info = single(conv("Conv"), dims);
        assert_eq!((info.kind, info.layout), (Some(kind), Layout::OutInSpatial));
        assert_eq!(single(conv("ConvTranspose"), dims).layout, Layout::InOutSpatial);
    }
    // A TensorFlow kernel, [h, w, in, out], turned on the way.
    let turned = ints(node("Transpose", "t", &["w"], &["wt"]), "perm", &[3, 2, 0, 1]);
    let info = single(vec![turned, node("Conv", "c", &["x", "wt"], &["y"])], &[3, 3, 4, 8]);
    assert_eq!((info.kind, info.layout), (Some(LayerKind::Conv2d), Layout::SpatialInOut));
    let odd = ints(node("Transpose", "t", &["w"], &["wt"]), "perm", &[2, 0, 1, 3]);
    let info = single(vec![odd, node("Conv", "c", &["x", "wt"], &["y"])], &[3, 3, 4, 8]);
    assert_eq!(note(&info), "kernel of Conv 'c', its axes rearranged on the way");
}

#[test]
fn a_paddle_bias_of_four_axes_is_a_bias_and_no_convolution() {
    let info = single(vec![node("Add", "a", &["x", "w"], &["y"])], &[1, 16, 1, 1]);
    assert_eq!((info.kind, info.role), (Some(LayerKind::Bias), Role::Weight));
    assert_eq!(note(&info), "bias added by Add 'a'");
    let table = single(vec![node("Add", "a", &["x", "w"], &["y"])], &[16, 16]);
    assert_eq!((table.kind, table.role), (Some(LayerKind::Other), Role::Constant));
    assert_eq!(note(&table), "constant added by Add 'a'");
}

#[test]
fn constants_say_what_they_are_for() {
    for (nodes, expected) in [
        (vec![node("Reshape", "r", &["x", "w"], &["y"])], "shape constant of Reshape 'r'"),
        (vec![node("Mul", "", &["x", "w"], &["y"])], "factor constant of Mul 'Mul#0'"),
        (vec![node("Slice", "s", &["x", "w"], &["y"])], "start constant of Slice 's'"),
        (vec![node("Gather", "g", &["x", "w"], &["y"])], "indices constant of Gather 'g'"),
        (vec![node("Mystery", "q", &["x", "w"], &["y"])], "operand constant of Mystery 'q'"),
    ] {
        let info = single(nodes, &[4, 4]);
        assert_eq!((info.role, note(&info)), (Role::Constant, expected));
    }
    let unused = single(vec![node("Relu", "r", &["x"], &["y"])], &[4, 4]);
    assert_eq!(note(&unused), "no node uses it");
}

#[test]
fn normalisation_parameters_and_statistics() {
    let names = ["s", "b", "m", "v"];
    let batch = node("BatchNormalization", "bn", &["x", "s", "b", "m", "v"], &["y"]);
    let file = opened(vec![batch], names.iter().map(|n| floats(n, &[8])).collect());
    assert!(file.tensors().iter().all(|t| t.kind == Some(LayerKind::Norm)));
    let roles: Vec<Role> = file.tensors().iter().map(|t| t.role).collect();
    assert_eq!(roles, [Role::Weight, Role::Weight, Role::Buffer, Role::Buffer]);
    assert_eq!(note(&file.tensors()[3]), "running variance of BatchNormalization 'bn'");
    for op in
        ["LayerNormalization", "InstanceNormalization", "GroupNormalization", "SimplifiedLayerNormalization"]
    {
        assert_eq!(
            single(vec![node(op, "n", &["x", "w"], &["y"])], &[8]).kind,
            Some(LayerKind::Norm),
            "{op}"
        );
    }
}

#[test]
fn lookups_are_embeddings_and_so_is_a_table_shared_with_the_output() {
    let gather = || node("Gather", "g", &["w", "ids"], &["e"]);
    assert_eq!(single(vec![gather()], &[10, 4]).kind, Some(LayerKind::Embedding));
    let turned = node("Transpose", "t", &["w"], &["wt"]);
    let tied = single(vec![gather(), turned, node("MatMul", "m", &["e", "wt"], &["y"])], &[10, 4]);
    assert!(tied.kind.is_some_and(LayerKind::has_matrices) && tied.note.is_none());
    let numbers = raw_tensor("w", INT64, &[2, 2], vec![0; 32]);
    let file = opened(vec![gather()], vec![numbers]);
    assert_eq!(note(&file.tensors()[0]), "table of Gather 'g', of shape [2, 2]");
}

#[test]
fn fused_attention_holds_three_projections_side_by_side() {
    let mut attention = node("Attention", "a", &["x", "w", "b"], &["y"]);
    attention.domain = "com.microsoft".to_owned();
    let info = single(vec![attention], &[8, 24]);
    assert_eq!((info.kind, info.layout), (Some(LayerKind::Attention), Layout::InOutSpatial));
    assert_eq!(info.stacked, Some(Stacked { count: 3, axis: 1 }));
}

#[test]
fn weights_in_branches_and_loops_have_names_of_their_own() {
    let branch = |value: i64| {
        let made = constant("w", floats("", &[value, 3]));
        graph(vec![made, node("MatMul", "", &["x", "w"], &["z"])], vec![floats("i", &[3, 3])])
    };
    let split =
        body(body(node("If", "choose", &["c"], &["z"]), "then_branch", branch(4)), "else_branch", branch(5));
    let mut turn = graph(vec![node("MatMul", "step", &["state", "inside"], &["out"])], vec![]);
    turn.input = ["n", "cond", "inside", "state"].map(value).to_vec();
    let looped = body(node("Loop", "", &["n", "c", "w", "x"], &["y"]), "body", turn);
    let file = opened(vec![split, looped], vec![floats("w", &[6, 6])]);
    let names: Vec<&str> = file.tensors().iter().map(|t| t.name.as_str()).collect();
    let expected =
        ["choose.then_branch/w", "choose.then_branch/i", "choose.else_branch/w", "choose.else_branch/i", "w"];
    assert_eq!(names, expected);
    for name in ["choose.then_branch/w", "choose.else_branch/w", "w"] {
        assert_eq!(find(file.as_ref(), name).1.kind, Some(LayerKind::Dense), "{name}");
    }
    assert_eq!(find(file.as_ref(), "choose.else_branch/w").1.shape, [5, 3]);
}

#[test]
fn an_argument_of_a_function_is_what_the_function_makes_of_it() {
    let function = FunctionProto {
        name: "Linear".to_owned(),
        domain: "pkg.nn".to_owned(),
        input: vec!["a".to_owned(), "b".to_owned()],
        output: vec!["c".to_owned()],
        node: vec![
            constant("own", floats("", &[3, 3])),
            node("MatMul", "mm", &["a", "own"], &["h"]),
            int(node("Gemm", "gemm", &["h", "b"], &["c"]), "transB", 1),
        ],
        ..FunctionProto::default()
    };
    let mut call = node("Linear", "call", &["x", "w"], &["y"]);
    call.domain = "pkg.nn".to_owned();
    let mut model = model(graph(vec![call], vec![floats("w", &[4, 3])]));
    model.functions.push(function);
    let file = open_bytes(model.encode_to_vec()).unwrap();
    let (_, given) = find(file.as_ref(), "w");
    assert_eq!((given.kind, given.layout), (Some(LayerKind::Dense), Layout::OutInSpatial));
    assert_eq!(find(file.as_ref(), "pkg.nn.Linear/own").1.kind, Some(LayerKind::Dense));
}

#[test]
fn names_stay_unique_and_unnamed_initializers_get_one() {
    let initializers = vec![floats("w", &[2]), floats("w", &[3]), floats("", &[4]), floats("w#2", &[5])];
    let file = opened(vec![node("Relu", "r", &["x"], &["y"])], initializers);
    let names: Vec<&str> = file.tensors().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["w", "w#2", "initializer[2]", "w#2#2"]);
}

#[test]
fn constants_given_as_numbers_are_tensors_too() {
    let attribute =
        |name: &str| common::proto::AttributeProto { name: name.to_owned(), ..Default::default() };
    let made = |attribute, output: &str| {
        let mut made = node("Constant", "", &[], &[output]);
        made.attribute.push(attribute);
        made
    };
    let mut single = attribute("value_float");
    single.f = 1.5;
    let mut many = attribute("value_floats");
    many.floats = vec![0.5, -2.0];
    let mut count = attribute("value_int");
    count.i = -3;
    let mut counts = attribute("value_ints");
    counts.ints = vec![7, -8];
    let mut text = attribute("value_strings");
    text.strings = vec![b"a".to_vec().into(), b"b".to_vec().into()];
    let nodes =
        vec![made(single, "f"), made(many, "fs"), made(count, "i"), made(counts, "is"), made(text, "t")];
    let file = opened(nodes, vec![]);
    assert_eq!(values(file.as_ref(), "f"), [1.5]);
    assert_eq!(values(file.as_ref(), "fs"), [0.5, -2.0]);
    assert_eq!(values(file.as_ref(), "i"), [-3.0]);
    assert_eq!(values(file.as_ref(), "is"), [7.0, -8.0]);
    let (_, text) = find(file.as_ref(), "t");
    assert_eq!(
        (text.dtype, text.shape.as_slice(), note(text)),
        (Dtype::Opaque, &[2][..], "elements of type string")
    );
}

#[test]
fn sparse_initializers_are_listed_with_their_dense_shape() {
    let sparse = SparseTensorProto {
        values: Some(floats("s", &[3])),
        indices: Some(raw_tensor("", INT64, &[3], vec![0; 24])),
        dims: vec![1000, 1000],
    };
    let mut graph = graph(vec![node("MatMul", "m", &["x", "s"], &["y"])], vec![]);
    graph.sparse_initializer.push(sparse);
    let file = open_bytes(model(graph).encode_to_vec()).unwrap();
    let (index, info) = find(file.as_ref(), "s");
    assert_eq!((info.shape.as_slice(), note(info)), (&[1000, 1000][..], "sparse tensor of 3 stored values"));
    assert_eq!(file.read(index).unwrap().shape(), [1000, 1000]);
}

#[test]
fn a_model_without_weights_opens_with_what_there_is() {
    let file = opened(vec![node("Relu", "r", &["x"], &["y"])], vec![]);
    assert!(file.tensors().is_empty());
    let bare = open_bytes(model(GraphProto::default()).encode_to_vec()).unwrap();
    assert!(bare.tensors().is_empty());
    let metadata = [("ir_version", "8"), ("producer_name", "test"), ("opset_import", "ai.onnx 17")];
    assert_eq!(bare.metadata(), metadata.map(|(k, v)| (k.to_owned(), v.to_owned())));
}

#[test]
fn a_file_of_tensors_without_nodes_leaves_the_kinds_to_their_names() {
    let file = opened(vec![], vec![floats("fc.weight", &[4, 3])]);
    let info = &file.tensors()[0];
    assert_eq!((info.kind, info.note.as_deref(), info.role), (None, None, Role::Weight));
}

#[test]
fn a_class_token_joined_to_the_input_is_no_weight_of_the_next_product() {
    let join = node("Concat", "join", &["w", "x"], &["tokens"]);
    let info = single(vec![join, node("MatMul", "m", &["tokens", "other"], &["y"])], &[1, 8]);
    assert_eq!((info.role, note(&info)), (Role::Constant, "operand constant of Concat 'join'"));
}

#[test]
fn tensors_of_the_training_graph_are_never_layers() {
    let step =
        graph(vec![node("MatMul", "m", &["x", "momentum"], &["y"])], vec![floats("momentum", &[4, 4])]);
    let mut model = model(graph(vec![node("Relu", "r", &["x"], &["y"])], vec![]));
    model
        .training_info
        .push(common::proto::TrainingInfoProto { algorithm: Some(step), ..Default::default() });
    let file = open_bytes(model.encode_to_vec()).unwrap();
    let (_, info) = find(file.as_ref(), "training[0].algorithm/momentum");
    assert_eq!((info.role, note(info)), (Role::Optimizer, "tensor of the training graph"));
}
