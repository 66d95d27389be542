//! Damaged and hostile files: an error or a sane model, never a panic, in bounded memory and time.
#![allow(missing_docs)]

mod common;

use common::make::*;
use common::proto::TensorProto;
use common::{open_bytes, real};
use eigenscope_onnx::Onnx;
use eigenscope_plugin::source::{Input, Loader, Refusal, SourceError};
use prost::Message;

/// Opens and, where that works, reads everything. Tensors must be as they are listed, and no bigger than the file allows.
fn exercise(bytes: &[u8]) -> Result<usize, SourceError> {
    let file = open_bytes(bytes.to_vec())?;
    for (index, info) in file.tensors().iter().enumerate() {
        if let Ok(tensor) = file.read(index) {
            assert_eq!((tensor.shape(), tensor.dtype()), (info.shape.as_slice(), info.dtype));
            assert_eq!(tensor.quantization().is_some(), info.quantized);
            if info.dtype.size() > 0 {
                assert!(tensor.len() <= 4 * bytes.len());
                assert_eq!(tensor.to_vec().len(), tensor.len());
            }
        }
    }
    Ok(file.tensors().len())
}

fn refused(bytes: &[u8]) -> SourceError {
    exercise(bytes).expect_err("must be refused")
}

/// A message of one length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 0x7f {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }
}

#[test]
fn a_whole_model_opens_and_every_cut_of_it_is_survived() {
    let whole = varied();
    assert_eq!(exercise(&whole).unwrap(), 11);
    let mut truncated = 0;
    for end in 0..whole.len() {
        match exercise(&whole[..end]) {
            Ok(_) => {}
            Err(error) => truncated += usize::from(error.refusal.code() == "truncated"),
        }
    }
    // All but the few cuts that fall between two fields of the model itself.
    assert!(truncated > whole.len() - 30, "{truncated} of {}", whole.len());
}

#[test]
fn a_cut_says_what_was_being_read_and_where() {
    let whole = varied();
    let error = refused(&whole[..whole.len() - 40]);
    assert_eq!(error.file, "model.onnx");
    let Refusal::Truncated { what, needed, found } = &*error.refusal else { panic!("{error}") };
    // The last four bytes are of the operator set.
    assert_eq!((what.as_str(), needed - found), ("graph", 36));
    assert!(error.offset.is_some());
    // The same fault deeper down: the graph has its declared size, an initializer has not.
    let error = refused(&[vec![8, 8], field(7, &field(5, &[0x4a, 100, 1, 2]))].concat());
    assert_eq!(
        error.to_string(),
        "model.onnx, byte 8: truncated: graph.initializer[0].raw_data needs 100 bytes, 2 are left"
    );
}

#[test]
fn real_models_cut_anywhere_are_refused() {
    let Some(path) = real("silero/silero_vad_16k_sequence.onnx") else { return };
    let whole = std::fs::read(path).unwrap();
    let mut random = Random(3);
    for _ in 0..300 {
        let end = random.next() as usize % whole.len();
        // Cuts after the graph leave a model that lacks only its metadata.
        if let Ok(count) = exercise(&whole[..end]) {
            assert!(end + 200 > whole.len(), "{count} tensors of {end} bytes");
        }
    }
}

#[test]
fn thousands_of_flipped_bits_are_survived() {
    let whole = varied();
    let mut random = Random(1);
    let mut refusals = std::collections::BTreeMap::new();
    for _ in 0..40_000 {
        let mut damaged = whole.clone();
        for _ in 0..1 + random.next() % 3 {
            let at = random.next() as usize % damaged.len();
            damaged[at] ^= 1 << (random.next() % 8);
        }
        let outcome = exercise(&damaged).map_or_else(|e| e.refusal.code(), |_| "opened");
        *refusals.entry(outcome).or_insert(0) += 1;
    }
    for outcome in ["opened", "malformed", "truncated"] {
        assert!(refusals.contains_key(outcome), "{refusals:?}");
    }
}

#[test]
fn bytes_put_in_and_taken_out_are_survived() {
    let whole = varied();
    let mut random = Random(2);
    for _ in 0..10_000 {
        let mut damaged = whole.clone();
        let at = random.next() as usize % damaged.len();
        if random.next().is_multiple_of(2) {
            damaged.insert(at, random.next() as u8);
        } else {
            damaged.remove(at);
        }
        let _ = exercise(&damaged);
    }
}

#[test]
fn absurd_and_negative_dimensions_are_refused_before_anything_is_made() {
    for dims in [
        &[-1, 4][..],
        &[i64::MIN],
        &[i64::MAX],
        &[i64::MAX, i64::MAX],
        &[1 << 40, 1 << 40],
        &[1 << 62],
        &[1 << 32, 1 << 31],
        &[3; 40],
        &[1; 65],
    ] {
        for data_type in [1, 3, 7, 10, 13, 15, 18, 22, 25] {
            let tensor = TensorProto {
                name: "w".to_owned(),
                data_type,
                dims: dims.to_vec(),
                raw_data: vec![0; 16].into(),
                ..TensorProto::default()
            };
            let error = refused(&bytes(vec![], vec![tensor]));
            assert_eq!(error.tensor.as_deref(), Some("w"), "{dims:?} {data_type}");
        }
    }
    // A zero anywhere makes the tensor empty, however large the rest.
    let empty =
        TensorProto { name: "w".into(), data_type: 1, dims: vec![0, 1 << 62], ..TensorProto::default() };
    let _ = exercise(&bytes(vec![], vec![empty]));
}

#[test]
fn data_of_the_wrong_length_are_refused() {
    for (length, code) in [(0, "missing"), (5, "truncated"), (7, "malformed")] {
        let tensor = raw_tensor("w", UINT8, &[2, 3], vec![1; length]);
        assert_eq!(refused(&bytes(vec![], vec![tensor])).refusal.code(), code);
    }
    // As many bytes as numbers, but not as many numbers.
    let short =
        TensorProto { dims: vec![4], int64_data: vec![vec![0x80, 0x80, 0x80, 1].into()], ..typed(INT64) };
    let file = open_bytes(bytes(vec![], vec![short])).unwrap();
    let error = file.read(0).unwrap_err();
    assert_eq!(error.to_string(), "model.onnx, tensor 'w': malformed: 4 numbers expected, the data hold 1");
    let endless = TensorProto {
        dims: vec![1],
        int64_data: vec![[vec![0xff; 40], vec![1]].concat().into()],
        ..typed(INT64)
    };
    let file = open_bytes(bytes(vec![], vec![endless])).unwrap();
    assert_eq!(file.read(0).unwrap_err().refusal.code(), "malformed");
}

fn typed(data_type: i32) -> TensorProto {
    TensorProto { name: "w".to_owned(), data_type, ..TensorProto::default() }
}

#[test]
fn lengths_that_overflow_are_refused() {
    for length in
        [&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01][..], &[0xff, 0xff, 0xff, 0xff, 0x7f]]
    {
        let error = refused(&[&[8, 8, 0x3a], length].concat());
        assert_eq!(error.refusal.code(), "truncated", "{error}");
    }
    let error = refused(&[&[8, 8, 0x3a][..], &[0xff; 11]].concat());
    assert_eq!(error.refusal.code(), "malformed", "{error}");
}

#[test]
fn bombs_of_nested_graphs_are_refused() {
    // node -> attribute -> graph, again and again.
    let mut bomb = Vec::new();
    for _ in 0..10_000 {
        bomb = field(1, &field(5, &field(6, &bomb)));
    }
    let error = refused(&[vec![8, 8], field(7, &bomb)].concat());
    assert_eq!(error.refusal.code(), "too-large", "{error}");
    assert!(error.to_string().len() < 300, "{error}");
    // As groups, which another reader might descend into.
    let groups = [vec![8, 8, 0x3a, 0x00], vec![0x7b; 100_000]].concat();
    assert_eq!(refused(&groups).refusal.code(), "malformed");
}

#[test]
fn a_flood_of_empty_messages_is_refused_before_it_is_decoded() {
    let attributes = [0x2a, 0x00].repeat(5_000_000);
    let error = refused(&[vec![8, 8], field(7, &field(1, &attributes))].concat());
    assert_eq!(error.refusal.code(), "too-large", "{error}");
    // Lists of numbers are as long as the file makes them, and no message of megabytes comes of a few bytes.
    let ints = field(5, &field(8, &vec![0; 5_000_000]));
    assert_eq!(exercise(&[vec![8, 8], field(7, &field(1, &ints))].concat()).unwrap(), 0);
}

#[test]
fn long_names_multiplied_by_many_constants_stay_in_bounds() {
    let long = "n".repeat(1_000_000);
    let mut inner = graph((0..2000).map(|i| constant(&format!("c{i}"), floats("", &[1]))).collect(), vec![]);
    for _ in 0..10 {
        inner = graph(vec![body(node("If", &long, &["c"], &["z"]), "then_branch", inner)], vec![]);
    }
    let file = open_bytes(model(inner).encode_to_vec()).unwrap();
    assert!(file.tensors().iter().all(|t| t.name.len() < 5000));
}

#[test]
fn chains_and_crowds_of_nodes_are_followed_in_bounded_time() {
    // A hundred thousand Identity nodes in a row, and constants used by each of them.
    let count = 100_000;
    let mut nodes: Vec<_> =
        (0..count).map(|i| node("Identity", "", &[&format!("v{i}")], &[&format!("v{}", i + 1)])).collect();
    nodes.extend((0..count).map(|i| node("Mul", "", &["w", "w"], &[&format!("u{i}")])));
    nodes.push(node("Identity", "circle", &["a"], &["a"]));
    let weights = ["v0", "w", "a"].map(|name| floats(name, &[2, 2])).to_vec();
    let start = std::time::Instant::now();
    assert_eq!(exercise(&bytes(nodes, weights)).unwrap(), 3);
    assert!(start.elapsed().as_secs() < 20);
}

#[test]
fn many_tensors_into_one_crowded_function_take_bounded_time() {
    let count = 100_000;
    let name = |i: usize| format!("w{i}");
    let call =
        |i: usize| common::proto::NodeProto { domain: "f".into(), ..node("F", "", &[&name(i)], &["y"]) };
    let mut model = model(graph(
        (0..count).map(call).collect(),
        (0..count).map(|i| raw_tensor(&name(i), UINT8, &[1], vec![1])).collect(),
    ));
    model.functions.push(common::proto::FunctionProto {
        name: "F".to_owned(),
        domain: "f".to_owned(),
        input: vec!["a".to_owned()],
        node: (0..1000).map(|_| node("Mul", "", &["a", "a"], &["b"])).collect(),
        ..Default::default()
    });
    let start = std::time::Instant::now();
    assert_eq!(exercise(&model.encode_to_vec()).unwrap(), count);
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn functions_that_call_themselves_end() {
    let mut call = node("Again", "call", &["a"], &["b"]);
    call.domain = "f".to_owned();
    let function = common::proto::FunctionProto {
        name: "Again".to_owned(),
        domain: "f".to_owned(),
        input: vec!["a".to_owned()],
        output: vec!["b".to_owned()],
        node: vec![call.clone()],
        ..Default::default()
    };
    call.input = vec!["w".to_owned()];
    let mut model = model(graph(vec![call], vec![floats("w", &[2, 2])]));
    model.functions = vec![function; 3];
    assert_eq!(exercise(&model.encode_to_vec()).unwrap(), 1);
}

#[test]
fn scales_that_fit_nothing_are_told_or_refused() {
    let dq = || {
        vec![
            node("DequantizeLinear", "d", &["q", "s", "z"], &["f"]),
            node("MatMul", "m", &["x", "f"], &["y"]),
        ]
    };
    let q = || raw_tensor("q", INT8, &[4, 6], vec![1; 24]);
    for (scale, zero) in [(vec![5], vec![1]), (vec![6], vec![4]), (vec![0], vec![1]), (vec![2, 3], vec![1])] {
        let zeros = vec![0; zero.iter().product::<i64>() as usize];
        let model = bytes(dq(), vec![q(), floats("s", &scale), raw_tensor("z", INT8, &zero, zeros)]);
        let file = open_bytes(model.clone()).unwrap();
        assert!(
            file.tensors()[0].note.as_deref().is_some_and(|n| n.contains("fit no axis")),
            "{scale:?} {zero:?}"
        );
        exercise(&model).unwrap();
    }
    let axis = |axis: i64| {
        let nodes = vec![int(dq().remove(0), "axis", axis), dq().remove(1)];
        open_bytes(bytes(nodes, vec![q(), floats("s", &[6])])).unwrap().tensors()[0].clone()
    };
    assert!(axis(1).quantized && axis(-1).quantized);
    for wrong in [0, 2, -3, i64::MIN, i64::MAX] {
        assert!(axis(wrong).note.is_some(), "{wrong}");
    }
}

#[test]
fn files_of_other_kinds_say_what_they_are() {
    let html = b"<!DOCTYPE html>\n<html><body>404</body></html>";
    let error = refused(html);
    assert_eq!(
        error.to_string(),
        "model.onnx: expected an ONNX model (a protocol buffer), found an HTML page (a download that failed?)"
    );
    let safetensors = [
        &60u64.to_le_bytes()[..],
        br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}      "#,
        &[0; 4],
    ]
    .concat();
    for (bytes, code) in [
        (&b""[..], "empty"),
        (b"PK\x03\x04rest", "wrong-format"),
        (b"\x89HDF\r\n\x1a\n", "wrong-format"),
        (b"version https://git-lfs.github.com/spec/v1", "wrong-format"),
        (b"\x80\x02}q\x00.", "wrong-format"),
        (&safetensors, "wrong-format"),
        (b"just some text, nothing else", "wrong-format"),
        (&[0; 100], "wrong-format"),
        (&[0xff; 100], "wrong-format"),
        // A protocol buffer without a graph.
        (&[8, 8, 0x12, 1, b'a'], "wrong-format"),
    ] {
        assert_eq!(refused(bytes).refusal.code(), code, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn noise_is_refused() {
    let mut random = Random(9);
    for length in 1..3000 {
        let noise: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        assert!(exercise(&noise).is_err());
        let headed = [&[8, 8, 0x3a][..], &noise].concat();
        let _ = exercise(&headed);
    }
}

#[test]
fn folders_and_missing_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path| Onnx.open(&Input::path(path)).map(|f| f.tensors().len());
    assert_eq!(open(folder.path()).unwrap_err().refusal.code(), "missing");
    std::fs::write(folder.path().join("a.onnx"), varied()).unwrap();
    std::fs::write(folder.path().join("readme.txt"), "").unwrap();
    assert_eq!(open(folder.path()).unwrap(), 11);
    std::fs::write(folder.path().join("b.onnx"), varied()).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("a folder of 2 models (a.onnx, b.onnx); open one of them by its path"),
        "{error}"
    );
    assert_eq!(open(&folder.path().join("c.onnx")).unwrap_err().refusal.code(), "io");
}
