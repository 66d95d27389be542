//! What the tests share: the built plugin, loaded as a host loads it, and a way to make archives.
#![allow(dead_code, missing_docs, reason = "each test binary uses a part")]

use std::io::{Cursor, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use eigenscope_host::{Discovery, Plugin, Search};
use eigenscope_plugin::source::{Input, Loader, Refusal, SourceError, WeightFile};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Where `test.sh` installed the plugin.
pub fn installed() -> PathBuf {
    let folder =
        std::env::var_os("EIGENSCOPE_TORCH_PLUGINS").expect("these tests are run by plugins/torch/test.sh");
    PathBuf::from(folder)
}

pub fn discovery() -> Discovery {
    Search { folders: vec![installed()], ..Search::default() }.discover()
}

pub fn plugin() -> Arc<Plugin> {
    let found = discovery();
    let plugin = found.plugins().next().map(Arc::clone);
    plugin.unwrap_or_else(|| panic!("{found}"))
}

/// A file that torch wrote, of the loader `pytorch`.
pub fn fixture(name: &str) -> PathBuf {
    root().join("plugins/pytorch/tests/fixtures").join(name)
}

pub fn model(name: &str) -> Option<PathBuf> {
    let path = root().join("target/models").join(name);
    let required = std::env::var("EIGENSCOPE_REQUIRE_MODELS").as_deref() == Ok("1");
    assert!(path.exists() || !required, "{name} is required; run tests/fetch_models.py");
    path.exists().then_some(path)
}

pub fn open(bytes: Vec<u8>) -> Result<Box<dyn WeightFile>, SourceError> {
    plugin().open(&Input::bytes("model.pt", bytes))
}

/// Why it is refused, after everything that opens has been read.
pub fn refusal(bytes: Vec<u8>) -> Refusal {
    let error = match open(bytes) {
        Err(error) => error,
        Ok(_) => panic!("it opens"),
    };
    assert_eq!(error.file, "model.pt");
    *error.refusal
}

/// Opens and reads everything; what is read must be what is listed (the host compares).
pub fn exercise(bytes: Vec<u8>) -> Result<usize, SourceError> {
    let file = open(bytes)?;
    (0..file.tensors().len()).try_fold(0, |total, index| Ok(total + file.read(index)?.len()))
}

pub type Entries = Vec<(String, Vec<u8>)>;

pub fn unzip(bytes: &[u8]) -> Entries {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut file = zip.by_index(index).unwrap();
            let mut data = Vec::new();
            file.read_to_end(&mut data).unwrap();
            let name = String::from_utf8(file.name_raw().to_vec()).unwrap();
            (name, data)
        })
        .collect()
}

pub fn zipped(entries: &Entries) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, data) in entries {
        zip.start_file(name, stored).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The TorchScript fixture with the contents of one entry changed.
pub fn script_with(entry: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut entries = unzip(&std::fs::read(fixture("script.pt")).unwrap());
    let (_, data) = entries.iter_mut().find(|(name, _)| name == entry).unwrap();
    *data = change(data);
    zipped(&entries)
}

/// As [`script_with`], text for text.
pub fn script_replaced(entry: &str, from: &str, to: &str) -> Vec<u8> {
    script_with(entry, |data| {
        let text = String::from_utf8(data.to_vec()).unwrap();
        assert!(text.contains(from), "{text}");
        text.replace(from, to).into_bytes()
    })
}

/// A checkpoint with this pickle and one storage of 64 bytes.
pub fn checkpoint(pickle: &[u8]) -> Vec<u8> {
    let storage: Vec<u8> = (1..=64).collect();
    let entries = [("data.pkl", pickle), ("byteorder", b"little"), ("version", b"3\n"), ("data/0", &storage)];
    zipped(&entries.map(|(name, data)| (format!("a/{name}"), data.to_vec())).to_vec())
}

/// A view of the storage.
pub struct View<'a> {
    pub name: &'a str,
    /// Such as `Float`.
    pub class: &'a str,
    /// Elements of this class in the storage.
    pub numel: i32,
    pub offset: i32,
    pub shape: &'a [i32],
    pub strides: &'a [i32],
}

/// A dictionary of views as torch.save writes it.
pub fn dictionary(views: &[View<'_>]) -> Vec<u8> {
    let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let int = |value: i32| [b"J", &value.to_le_bytes()[..]].concat();
    let ints =
        |values: &[i32]| [b"(", &values.iter().flat_map(|v| int(*v)).collect::<Vec<u8>>()[..], b"t"].concat();
    let mut pickle = b"\x80\x02}".to_vec();
    for view in views {
        pickle.extend(text(view.name));
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        pickle.extend(text("storage"));
        pickle.extend(format!("ctorch\n{}Storage\n", view.class).bytes());
        pickle.extend([text("0"), text("cpu"), int(view.numel)].concat());
        pickle.extend(b"tQ");
        pickle.extend([int(view.offset), ints(view.shape), ints(view.strides)].concat());
        pickle.extend(b"\x89ccollections\nOrderedDict\n)RtRs");
    }
    pickle.push(b'.');
    checkpoint(&pickle)
}

/// One view of sixteen floats.
pub fn one(offset: i32, shape: &[i32], strides: &[i32]) -> Vec<u8> {
    dictionary(&[View { name: "w", class: "Float", numel: 16, offset, shape, strides }])
}
