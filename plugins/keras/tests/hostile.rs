//! Files that are not as they should be: broken, bombs, or of another format.
#![allow(missing_docs)]

mod common;

use std::io::Write;

use common::{fixture, open_bytes, refusal};
use eigenscope_keras::{Keras, MEMBER_FREE_BYTES};
use eigenscope_plugin::source::{Input, Refusal};
use eigenscope_plugin::testkit;

#[global_allocator]
static METER: testkit::Meter = testkit::Meter;

/// Thousands of cut and flipped copies, with memory and time watched.
fn conforms(name: &str) {
    match testkit::check(&Keras, &Input::bytes(name, fixture(name))) {
        Ok(summary) => assert!(summary.flips > 3000 && summary.peak.is_some(), "{summary:?}"),
        Err(failures) => {
            let list: Vec<String> = failures.iter().map(ToString::to_string).collect();
            panic!("{name}:\n{}", list.join("\n"));
        }
    }
}

#[test]
fn keras_1_weights_conform() {
    conforms("k1_theano.h5");
}

#[test]
fn split_attributes_conform() {
    conforms("split_attributes.h5");
}

#[test]
fn quantised_archives_conform() {
    conforms("k3_int8.keras");
}

#[test]
fn full_models_conform() {
    conforms("k3_bfloat16.h5");
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }
}

/// Opens, and reads whatever opened.
fn survive(name: &str, bytes: Vec<u8>) -> bool {
    let Ok(file) = open_bytes(name, bytes) else { return false };
    for index in 0..file.tensors().len() {
        if let Ok(tensor) = file.read(index) {
            assert_eq!(tensor.shape(), file.tensors()[index].shape);
        }
    }
    true
}

#[test]
fn plain_files_with_bytes_changed_open_or_are_refused() {
    for name in ["plain_earliest.h5", "plain_latest.h5"] {
        let sound = fixture(name);
        let mut random = Random(1);
        let mut opened = 0;
        for round in 0..3000 {
            let mut copy = sound.clone();
            // Values that matter: lengths of all bits, of one, addresses of zero.
            let value = [0xff, 0x01, 0x00, 0x80][round % 4];
            for _ in 0..=random.below(3) {
                let at = random.below(copy.len());
                copy[at..].iter_mut().take(1 + round % 8).for_each(|b| *b = value);
            }
            opened += usize::from(survive(name, copy));
        }
        assert!(opened > 0 && opened < 3000, "{opened}");
    }
}

#[test]
fn a_truncated_file_is_refused_with_what_it_lacks() {
    for name in ["k1_theano.h5", "plain_latest.h5"] {
        let sound = fixture(name);
        for length in [sound.len() - 1, sound.len() / 2, 600] {
            let error = refusal(name, sound[..length].to_vec());
            assert_eq!(error.refusal.code(), "truncated", "{length} of {}: {error}", sound.len());
        }
    }
}

#[test]
fn other_formats_are_named() {
    for (bytes, found) in [
        (&b"<!DOCTYPE html><html></html>"[..], "an HTML page (a download that failed?)"),
        (b"GGUF\x03\0\0\0", "a GGUF file"),
        (b"\x80\x02}q\0.", "a Python pickle"),
    ] {
        let error = refusal("x.h5", bytes.to_vec());
        assert!(matches!(&*error.refusal, Refusal::WrongFormat { found: f, .. } if f == found), "{error}");
    }
    assert_eq!(refusal("x.h5", Vec::new()).refusal.code(), "empty");
}

/// A zip of these members: name, data, and whether it is deflated.
fn zip(members: &[(&str, &[u8], bool)]) -> Vec<u8> {
    let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
    for (name, data, deflated) in members {
        let method =
            if *deflated { rawzip::CompressionMethod::DEFLATE } else { rawzip::CompressionMethod::STORE };
        let (mut entry, config) = archive.new_file(name).compression_method(method).start().unwrap();
        if *deflated {
            let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::best());
            let mut writer = config.wrap(encoder);
            writer.write_all(data).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            entry.finish(descriptor).unwrap();
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(data).unwrap();
            let (_, descriptor) = writer.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
    }
    archive.finish().unwrap()
}

/// Members of a fixture.
fn members(name: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = fixture(name);
    let archive = rawzip::ZipArchive::from_slice(&bytes).unwrap();
    let mut entries = archive.entries();
    let mut found = Vec::new();
    while let Some(entry) = entries.next_entry().unwrap() {
        let name = String::from_utf8(entry.file_path().as_bytes().to_vec()).unwrap();
        let data = archive.get_entry(entry.wayfinder()).unwrap().data().to_vec();
        found.push((name, data));
    }
    found
}

#[test]
fn a_deflated_archive_reads_like_a_stored_one() {
    let parts = members("k3_float16.keras");
    let deflated: Vec<(&str, &[u8], bool)> =
        parts.iter().map(|(name, data)| (name.as_str(), data.as_slice(), true)).collect();
    let file = open_bytes("x.keras", zip(&deflated)).unwrap();
    common::check_values(&*file, "k3_float16.keras");
    let mut broken = zip(&deflated);
    let middle = broken.len() / 2;
    broken[middle] ^= 4;
    assert!(open_bytes("x.keras", broken).is_err(), "the checksum of a deflated member is checked");
}

#[test]
fn zip_bombs_are_refused_before_they_unfold() {
    let bomb = vec![0u8; MEMBER_FREE_BYTES as usize + 1];
    let error = refusal("x.keras", zip(&[("config.json", b"{}", false), ("model.weights.h5", &bomb, true)]));
    assert!(matches!(*error.refusal, Refusal::TooLarge { size, .. } if size == bomb.len() as u64), "{error}");
    let error = refusal("x.keras", zip(&[("config.json", &bomb[..17 << 20], true)]));
    assert_eq!(error.refusal.code(), "too-large", "{error}");
}

#[test]
fn a_stream_longer_than_declared_is_refused() {
    let parts = members("k3_float16.keras");
    let weights = &parts.iter().find(|p| p.0 == "model.weights.h5").unwrap().1;
    let mut bytes = zip(&[("config.json", b"{}", false), ("model.weights.h5", weights, true)]);
    let size = (weights.len() as u32).to_le_bytes();
    let less = (weights.len() as u32 - 1).to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..at + 4] == size).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + 4].copy_from_slice(&less);
    }
    assert_eq!(refusal("x.keras", bytes).refusal.code(), "malformed");
}

#[test]
fn archives_with_wrong_members_are_refused_by_name() {
    let parts = members("k3_float16.keras");
    let weights = parts.iter().find(|p| p.0 == "model.weights.h5").unwrap().1.as_slice();
    let config = parts.iter().find(|p| p.0 == "config.json").unwrap().1.as_slice();
    let code = |members: &[(&str, &[u8], bool)]| {
        let error = refusal("x.keras", zip(members));
        (error.refusal.code(), error.to_string())
    };
    let (kind, text) = code(&[("data.pkl", b"x", false)]);
    assert_eq!(kind, "wrong-format");
    assert!(text.contains("a zip archive of 1 members: data.pkl"), "{text}");
    assert_eq!(code(&[("config.json", config, false)]).0, "wrong-format");
    let twice = [("config.json", config, false), ("config.json", config, false)];
    assert!(code(&twice).1.contains("two members named 'config.json'"));
    let text = [("config.json", config, false), ("model.weights.h5", &b"not HDF5"[..], false)];
    assert_ne!(code(&text).0, "loader");
    let deep = "[".repeat(100_000);
    let nested = [("config.json", deep.as_bytes(), false), ("model.weights.h5", weights, false)];
    assert_eq!(code(&nested).0, "malformed");
    // A configuration of something else is no configuration: the layers keep the names of their classes.
    let other = [("config.json", &b"{\"a\":[1,2]}"[..], false), ("model.weights.h5", weights, false)];
    assert_eq!(open_bytes("x.keras", zip(&other)).unwrap().tensors().len(), 3);
}

#[test]
fn datasets_that_unfold_without_bound_are_refused_when_read() {
    let file = common::open("bomb.h5");
    for name in ["unwritten", "gzip"] {
        let (index, info) = common::find(&*file, name);
        assert_eq!(info.shape, [1 << 14, 1 << 14]);
        let error = file.read(index).map(drop).unwrap_err();
        let refused = matches!(*error.refusal, Refusal::TooLarge { size, .. } if size == 8 << 28);
        assert!(refused && error.tensor.as_deref() == Some(name), "{error}");
    }
    assert_eq!(common::values(&*file, "sound").len(), 3);
}
