//! What a well-formed file is read as, and why others are refused.
#![allow(missing_docs)]

mod common;

use common::{exercise, file, floats, open, refusal};
use eigenscope_plugin::source::{Input, Loader, Refusal};
use eigenscope_plugin::tensor::Dtype;
use eigenscope_safetensors::Safetensors;

#[test]
fn every_element_type_reads_as_its_numbers() {
    let cases: [(&str, Dtype, &[u8], f64); 15] = [
        ("F64", Dtype::F64, &(-2.5f64).to_le_bytes(), -2.5),
        ("F32", Dtype::F32, &1.25f32.to_le_bytes(), 1.25),
        ("F16", Dtype::F16, &[0x00, 0xc0], -2.0),
        ("BF16", Dtype::BF16, &[0x49, 0x40], 3.140625),
        ("F8_E4M3", Dtype::F8E4M3, &[0x7e], 448.0),
        ("F8_E5M2", Dtype::F8E5M2, &[0x7b], 57344.0),
        ("I64", Dtype::I64, &(-9i64).to_le_bytes(), -9.0),
        ("I32", Dtype::I32, &7i32.to_le_bytes(), 7.0),
        ("I16", Dtype::I16, &(-300i16).to_le_bytes(), -300.0),
        ("I8", Dtype::I8, &[0x80], -128.0),
        ("U64", Dtype::U64, &9u64.to_le_bytes(), 9.0),
        ("U32", Dtype::U32, &u32::MAX.to_le_bytes(), 4_294_967_295.0),
        ("U16", Dtype::U16, &[0xff, 0xff], 65535.0),
        ("U8", Dtype::U8, &[200], 200.0),
        ("BOOL", Dtype::Bool, &[1], 1.0),
    ];
    for (name, dtype, bytes, value) in cases {
        let n = bytes.len();
        let header = format!(r#"{{"x":{{"dtype":"{name}","shape":[],"data_offsets":[0,{n}]}}}}"#);
        let model = open(file(&header, bytes)).unwrap();
        assert_eq!(model.tensors()[0].dtype, dtype);
        assert_eq!(model.read(0).unwrap().to_vec(), [value], "{name}");
    }
}

#[test]
fn types_without_numbers_are_listed_with_a_note() {
    for (name, bytes) in [("F4", 1), ("F8_E8M0", 2), ("C64", 16), ("F128", 5)] {
        let header = format!(r#"{{"x":{{"dtype":"{name}","shape":[2],"data_offsets":[0,{bytes}]}}}}"#);
        let model = open(file(&header, &vec![0; bytes])).unwrap();
        let info = &model.tensors()[0];
        assert_eq!((info.dtype, &info.shape[..]), (Dtype::Opaque, &[2][..]));
        assert!(info.note.as_deref().unwrap().contains(name));
        assert_eq!(model.read(0).unwrap().dtype(), Dtype::Opaque);
    }
    let wrong = r#"{"x":{"dtype":"C64","shape":[2],"data_offsets":[0,15]}}"#;
    assert!(matches!(refusal(file(wrong, &[0; 15])), Refusal::Malformed(_)));
}

#[test]
fn tensors_come_in_the_order_of_their_data_and_reads_share_the_file() {
    let header = r#"{"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"z":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}   "#;
    let model = open(file(header, &[1, 2, 3])).unwrap();
    let names: Vec<_> = model.tensors().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a", "z", "b"]);
    assert_eq!(model.read(0).unwrap().to_vec(), [1.0, 2.0]);
    assert_eq!(model.read(2).unwrap().to_vec(), [3.0]);
    assert!(model.read(3).is_err());
}

#[test]
fn metadata_is_kept_in_order() {
    let header = r#"{"__metadata__":{"z":"1","a":"2"}}"#;
    let facts = open(file(header, &[])).unwrap().metadata();
    assert_eq!(facts, [("z".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())]);
    assert!(open(file(r#"{"__metadata__":null}"#, &[])).unwrap().metadata().is_empty());
}

fn one(entry: &str, data: usize) -> Refusal {
    refusal(file(&format!(r#"{{"x":{entry}}}"#), &vec![0; data]))
}

#[test]
fn contradictions_are_refused_with_what_was_found() {
    let says = |refusal: Refusal, words: &str| {
        let text = refusal.to_string();
        assert!(text.contains(words), "{text}");
    };
    says(one(r#"{"dtype":"F32","shape":[2],"data_offsets":[0,7]}"#, 7), "takes 8 bytes");
    says(one(r#"{"dtype":"F32","shape":[2],"data_offsets":[8,0]}"#, 8), "run backwards");
    says(one(r#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, 4), "needs 8 bytes, 4 are left");
    says(one(r#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, 9), "belong to none");
    says(one(r#"{"dtype":"U8","shape":[2],"data_offsets":[1,3]}"#, 3), "leaves a hole");
    says(one(r#"{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}"#, 2), "invalid value");
    says(one(r#"{"dtype":"U8","shape":[2],"data_offsets":[0]}"#, 2), "invalid length");
    says(one(r#"{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}"#, 2), "duplicate field");
    says(one(r#"{"dtype":"U8","shape":[2],"data_offsets":[0,2],"more":1}"#, 2), "unknown field");
    says(one(r#"{"shape":[2],"data_offsets":[0,2]}"#, 2), "missing field `dtype`");
    let huge = one(r#"{"dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,8]}"#, 8);
    assert!(matches!(huge, Refusal::TooLarge { .. }), "{huge}");
    let empty_but_huge =
        one(r#"{"dtype":"F32","shape":[0,1099511627776,1099511627776],"data_offsets":[0,0]}"#, 0);
    assert!(matches!(empty_but_huge, Refusal::TooLarge { .. }), "{empty_but_huge}");
    let axes = vec!["1"; 65].join(",");
    says(one(&format!(r#"{{"dtype":"U8","shape":[{axes}],"data_offsets":[0,1]}}"#), 1), "more than 64 axes");

    let overlap = r#"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[3],"data_offsets":[2,5]}}"#;
    let error = open(file(overlap, &[0; 5])).unwrap_err();
    assert_eq!(error.tensor.as_deref(), Some("b"));
    says(*error.refusal, "overlaps");
    let twice = r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#;
    says(refusal(file(twice, &[0; 2])), "'a' appears twice");
    let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(refusal(file(&deep, &[])), Refusal::Malformed(_)));
    says(refusal(file(r#"{"x""#, &[])), "EOF");
}

#[test]
fn what_is_no_safetensors_file_is_named() {
    assert!(matches!(refusal(Vec::new()), Refusal::Empty));
    assert!(matches!(refusal(vec![1, 2, 3]), Refusal::Truncated { .. }));
    let page = refusal(b"<!DOCTYPE html><html></html>".to_vec());
    assert!(matches!(page, Refusal::WrongFormat { .. }) && page.to_string().contains("<!DOCTYPE"), "{page}");
    let mut endless = (1u64 << 60).to_le_bytes().to_vec();
    endless.extend(b"{}");
    assert!(matches!(refusal(endless), Refusal::TooLarge { size, .. } if size == 1 << 60));
    let mut longer = 100u64.to_le_bytes().to_vec();
    longer.extend(b"{}");
    assert!(matches!(refusal(longer), Refusal::Truncated { needed: 100, found: 2, .. }));
}

#[test]
fn only_a_plausible_header_is_claimed_for_sure() {
    let score = |name: &str, bytes: Vec<u8>| Safetensors.probe(&Input::bytes(name, bytes).glimpse().unwrap());
    assert_eq!(score("model.bin", floats(&[("a", &[1.0])])), 100);
    assert_eq!(score("model.safetensors", b"<html>".to_vec()), 20);
    assert_eq!(score("model.pt", b"PK\x03\x04.......".to_vec()), 0);
    assert_eq!(score("model.safetensors.index.json", b"{}".to_vec()), 100);
}

#[test]
fn every_truncation_is_refused() {
    let bytes = floats(&[("layer.0.weight", &[1.0, 2.0, 3.0]), ("layer.0.bias", &[0.5])]);
    assert_eq!(exercise(bytes.clone()).unwrap(), 4);
    for len in 0..bytes.len() {
        assert!(exercise(bytes[..len].to_vec()).is_err(), "{len} of {} bytes", bytes.len());
    }
}

#[test]
fn thousands_of_flipped_bits_never_panic() {
    let good = floats(&[("layer.0.weight", &[1.0, 2.0, 3.0]), ("layer.0.bias", &[0.5]), ("none", &[])]);
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            bytes[at] ^= 1 << random(8);
        }
        refused += usize::from(exercise(bytes).is_err());
    }
    assert!(refused > 10_000, "{refused}");
}
