//! Files made to do harm: each is refused with a typed error, or read sanely; none panics.
#![allow(missing_docs)]

mod common;

use common::{Pickle, checkpoint, exercise, one_tensor, open, refusal, zip};
use eigenscope_plugin::source::{Input, Loader, Refusal};
use eigenscope_pytorch::Pytorch;

fn calls(module: &str, name: &str) -> Vec<u8> {
    Pickle::new().global(module, name).raw(b"(").text("touch /tmp/owned").raw(b"tR").end()
}

#[test]
fn a_pickle_that_calls_os_system_is_refused_by_name_and_place() {
    for module in ["posix", "nt", "os"] {
        let error = open("evil.pt", checkpoint(&calls(module, "system"), 0)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(*error.refusal, Refusal::Forbidden(_)), "{text}");
        assert!(text.contains("os.system") && text.contains("archive/data.pkl"), "{text}");
        // The REDUCE is the last opcode but one, and the pickle lies at a known place of the zip.
        let pickle = calls(module, "system");
        let start = 30 + "archive/data.pkl".len();
        assert_eq!(error.offset, Some((start + pickle.len() - 2) as u64), "{text}");
    }
}

#[test]
fn every_way_of_calling_is_looked_at() {
    let by_instance = Pickle::new().raw(b"(").raw(b"iposix\nsystem\n.").0;
    let by_object = Pickle::new().raw(b"(").global("subprocess", "Popen").text("x").raw(b"o.").0;
    let by_newobj = Pickle::new().global("subprocess", "Popen").raw(b")\x81.").0;
    let by_stack = [b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.".as_slice()].concat();
    let by_getattr = Pickle::new()
        .global("builtins", "getattr")
        .raw(b"(")
        .global("os", "path")
        .text("system")
        .raw(b"tR")
        .raw(b"(")
        .text("x")
        .raw(b"tR.")
        .0;
    for pickle in [by_instance, by_object, by_newobj, by_stack, by_getattr] {
        assert!(matches!(refusal("evil.pt", checkpoint(&pickle, 0)), Refusal::Forbidden(_)));
    }
    for (module, name) in
        [("__builtin__", "eval"), ("builtins", "exec"), ("builtins", "__import__"), ("runpy", "run_path")]
    {
        assert!(matches!(refusal("evil.pt", checkpoint(&calls(module, name), 0)), Refusal::Forbidden(_)));
    }
}

#[test]
fn an_unknown_class_is_inert_and_tensors_in_its_state_are_found() {
    let pickle = Pickle::new()
        .global("my.project", "Thing")
        .raw(b")\x81")
        .dict("inner", |p| p.tensor("FloatStorage", 4, 0, &[2, 2], &[2, 1]))
        .raw(b"b");
    let file = open("thing.pt", checkpoint(&pickle.end(), 4)).unwrap();
    assert_eq!(file.tensors()[0].name, "inner");
    assert_eq!(file.read(0).unwrap().to_vec(), [1.0; 4]);
}

#[test]
fn things_that_are_no_checkpoint_are_named() {
    assert!(matches!(refusal("empty.pt", Vec::new()), Refusal::Empty));
    match refusal("page.pt", b"<!DOCTYPE html><html><body>404</body></html>".to_vec()) {
        Refusal::WrongFormat { found, .. } => assert!(found.contains("HTML"), "{found}"),
        other => panic!("{other}"),
    }
    match refusal("lfs.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n".to_vec()) {
        Refusal::WrongFormat { found, .. } => assert!(found.contains("git lfs pull"), "{found}"),
        other => panic!("{other}"),
    }
    match refusal(
        "model.pt",
        zip(&[("metadata.json", b"{}"), ("config.json", b"{}"), ("model.weights.h5", b"")]),
    ) {
        Refusal::WrongFormat { found, .. } => assert!(found.contains("Keras"), "{found}"),
        other => panic!("{other}"),
    }
    let arrays = zip(&[("a.npy", b"\x93NUMPY")]);
    assert!(matches!(refusal("a.npz", arrays), Refusal::WrongFormat { .. }));
    assert!(matches!(refusal("x.pt", b"\x80\x02}.".to_vec()), Refusal::WrongFormat { .. }));
}

#[test]
fn other_zips_are_not_claimed() {
    let score = |name: &str, first: &str| {
        Pytorch.probe(&Input::bytes(name, zip(&[(first, b"x")])).glimpse().unwrap())
    };
    assert_eq!(score("a.keras", "metadata.json"), 0);
    assert_eq!(score("a.keras", "config.json"), 0);
    assert_eq!(score("a.pt", "config.json"), 0);
    assert_eq!(score("a.npz", "weight.npy"), 0);
    assert_eq!(score("a.pt", "weight.npy"), 0);
    assert_eq!(score("a.zip", "readme"), 0);
    assert_eq!(score("a.pt", "readme"), 60);
    assert_eq!(score("a.zip", "net/data.pkl"), 100);
    let bytes = |name: &str| Pytorch.probe(&Input::bytes(name, b"anything".to_vec()).glimpse().unwrap());
    assert_eq!((bytes("a.pth"), bytes("a.onnx")), (20, 0));
}

#[test]
fn absurd_geometry_is_refused_before_anything_is_allocated() {
    let big = 1 << 40;
    let cases: [(&[i64], &[i64], i64, i64); 8] = [
        (&[big, big], &[big, 1], 4, 0),
        (&[big], &[1], 4, 0),
        (&[big], &[0], 4, 0),
        (&[2, 2], &[i64::MAX, 1], 4, 0),
        (&[2], &[-1], 4, 1),
        (&[2], &[1], 4, i64::MAX),
        (&[2], &[1, 1], 4, 0),
        (&[5], &[1], 4, 0),
    ];
    for (shape, strides, numel, offset) in cases {
        let error = open("w.pt", one_tensor(numel, offset, shape, strides)).unwrap_err();
        assert_eq!(error.tensor.as_deref(), Some("w"), "{error}");
    }
    let negative = open("w.pt", one_tensor(4, 0, &[-2], &[1])).unwrap_err();
    assert!(matches!(*negative.refusal, Refusal::Malformed(_)), "{negative}");
    let short = open("w.pt", one_tensor(1 << 40, 0, &[2], &[1])).unwrap_err();
    assert!(matches!(*short.refusal, Refusal::Truncated { .. }), "{short}");
    let rank = vec![1; 65];
    assert!(open("w.pt", one_tensor(4, 0, &rank, &rank)).is_err());
    assert_eq!(exercise("w.pt", one_tensor(4, 0, &[3, 2], &[0, 1])).unwrap(), 6);
}

#[test]
fn broken_references_are_named() {
    let missing = zip(&[(
        "a/data.pkl",
        &Pickle::new().dict("w", |p| p.tensor("FloatStorage", 4, 0, &[4], &[1])).end(),
    )]);
    match open("w.pt", missing).unwrap_err() {
        e if e.tensor.as_deref() == Some("w") => assert!(matches!(*e.refusal, Refusal::Missing(_)), "{e}"),
        e => panic!("{e}"),
    }
    let strange = Pickle::new().dict("w", |p| p.tensor("QuaternionStorage", 4, 0, &[4], &[1])).end();
    assert!(refusal("w.pt", checkpoint(&strange, 4)).to_string().contains("torch.QuaternionStorage"));
    let big = zip(&[("a/data.pkl", b"\x80\x02}."), ("a/byteorder", b"big")]);
    assert!(refusal("w.pt", big).to_string().contains("big"));
    let twice = zip(&[("a/data.pkl", b"\x80\x02}."), ("a/data.pkl", b"\x80\x02}.")]);
    assert!(matches!(refusal("w.pt", twice), Refusal::Malformed(_)));
}

#[test]
fn shared_and_cyclic_containers_terminate() {
    // d0 = {"w": t}; d(n+1) = {"a": dn, "b": dn}: 2^60 paths.
    let mut p = Pickle::new().dict("w", |p| p.tensor("FloatStorage", 4, 0, &[4], &[1])).raw(b"q\x00");
    for n in 0..60u8 {
        p = p.raw(b"}").text("a").raw(&[b'h', n]).raw(b"s").text("b").raw(&[b'h', n]).raw(&[
            b's',
            b'q',
            n + 1,
        ]);
    }
    assert!(matches!(refusal("bomb.pt", checkpoint(&p.end(), 4)), Refusal::TooLarge { .. }));
    let own = Pickle::new().raw(b"}q\x00").text("self").raw(b"h\x00s").end();
    assert_eq!(exercise("own.pt", checkpoint(&own, 0)).unwrap(), 0);
    let deep = Pickle::new().raw(&b"]".repeat(100_000)).raw(&b"a".repeat(99_999)).end();
    assert!(matches!(refusal("deep.pt", checkpoint(&deep, 0)), Refusal::TooLarge { .. }));
}

#[test]
fn pickles_beyond_the_caps_are_refused() {
    let many = Pickle::new().raw(&b"}".repeat(5 << 20)).end();
    assert!(matches!(refusal("many.pt", checkpoint(&many, 0)), Refusal::TooLarge { .. }));
    for (bad, why) in [
        (&b"\x80\x06."[..], "protocol 6"),
        (b"\x80\x02R.", "empty stack"),
        (b"\x80\x02t.", "mark"),
        (b"\x80\x02h\x07.", "memo 7"),
        (b"\x80\x02\x82\x01.", "extension codes"),
        (b"\x80\x02\x01.", "0x01"),
        (b"\x80\x02X\xff\xff\xff\xff.", "needs 4294967295 bytes"),
        (b"\x80\x02(K\x01.", "bytes"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "bytes"),
        (b"\x80\x02}K\x01a.", "append"),
    ] {
        let text = match exercise("bad.pt", checkpoint(bad, 0)) {
            Err(e) => e.to_string(),
            Ok(n) => format!("{n} bytes"),
        };
        assert!(text.contains(why), "{text}");
    }
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let mut seeds: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "pt"))
        .map(|p| (p.display().to_string(), std::fs::read(p).unwrap()))
        .collect();
    seeds.sort();
    seeds
}

#[test]
fn every_truncation_is_an_error_or_reads_sanely() {
    for (name, bytes) in seeds() {
        let mut refused = 0;
        for len in 0..bytes.len() {
            refused += usize::from(exercise(&name, bytes[..len].to_vec()).is_err());
        }
        // A tar ends in padding, which nobody misses.
        assert!(refused == bytes.len() || name.ends_with("tar.pt"), "{name}: {refused} of {}", bytes.len());
    }
}

#[test]
fn thousands_of_flipped_bits_never_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for (name, bytes) in seeds() {
        for _ in 0..1000 {
            let mut bytes = bytes.clone();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                bytes[at] ^= 1 << random(8);
            }
            let _ = exercise(&name, bytes);
        }
    }
}
