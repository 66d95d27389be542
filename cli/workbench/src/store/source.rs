//! The files of a model and their hash.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Source, StoreError};

/// Read at a time.
const CHUNK: usize = 1 << 20;
/// The largest index of shards that is looked into.
const INDEX: u64 = 64 << 20;

/// The hash of a model: of the file; of a folder's files; of an index and its shards; and of the files beside it that
/// `beside` names, such as the external data of an ONNX model.
pub fn source(path: &Path, beside: &[String]) -> Result<Source, StoreError> {
    let (root, mut files) = files(path).map_err(StoreError::io("read", path))?;
    files.extend(beside.iter().filter_map(|name| inside(&root, name)));
    let mut total = Sha256::new();
    let (mut bytes, mut single) = (0, String::new());
    for file in &files {
        let (hash, length) = hash(file).map_err(StoreError::io("read", file))?;
        bytes += length;
        let name = file.strip_prefix(&root).unwrap_or(file);
        total.update(format!("{hash}  {}\n", name.display()));
        single = hash;
    }
    let sha256 = if files.len() == 1 { single } else { hex(&total.finalize()) };
    Ok(Source { path: path.display().to_string(), sha256, bytes, files: files.len() })
}

/// The folder that names are relative to, and the files in order of name.
fn files(path: &Path) -> io::Result<(PathBuf, BTreeSet<PathBuf>)> {
    if fs::metadata(path)?.is_dir() {
        let entries = fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
        return Ok((path.to_owned(), entries.into_iter().filter(|p| p.is_file()).collect()));
    }
    let root = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut files = BTreeSet::from([path.to_owned()]);
    let is_index = path.to_string_lossy().ends_with(".index.json") && fs::metadata(path)?.len() <= INDEX;
    if is_index && let Ok(index) = serde_json::from_slice::<serde_json::Value>(&fs::read(path)?) {
        let shards = index.get("weight_map").and_then(|m| m.as_object());
        let names = shards.into_iter().flat_map(|m| m.values()).filter_map(|v| v.as_str());
        files.extend(names.filter_map(|name| inside(&root, name)));
    }
    Ok((root, files))
}

/// A file that a model names. Names that lead out of its folder no loader follows, and neither does this.
fn inside(root: &Path, name: &str) -> Option<PathBuf> {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    Some(root.join(name)).filter(|path| plain && path.is_file())
}

fn hash(path: &Path) -> io::Result<(String, u64)> {
    let (mut file, mut hasher, mut length) = (File::open(path)?, Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((hex(&hasher.finalize()), length)),
            n => {
                hasher.update(&chunk[..n]);
                length += n as u64;
            }
        }
    }
}

/// The hash of bytes.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_hash_that_sha256sum_gives_and_shards_enter_that_of_their_index() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.bin"), "abc").unwrap();
        let one = source(&path("a.bin"), &[]).unwrap();
        assert_eq!(one.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((one.bytes, one.files), (3, 1));

        fs::write(path("m.index.json"), r#"{"weight_map": {"x": "a.bin", "y": "a.bin", "z": "gone"}}"#)
            .unwrap();
        let index = source(&path("m.index.json"), &[]).unwrap();
        fs::write(path("a.bin"), "abd").unwrap();
        let changed = source(&path("m.index.json"), &[]).unwrap();
        assert_eq!((index.files, changed.files), (2, 2));
        assert_ne!(index.sha256, changed.sha256);

        fs::create_dir(path("other")).unwrap();
        fs::write(path("other/b.bin"), "b").unwrap();
        let out = source(&path("other/b.bin"), &["../a.bin".to_owned(), path("a.bin").display().to_string()]);
        assert_eq!(out.unwrap().files, 1);

        let beside = source(&path("m.index.json"), &["a.bin".to_owned(), "../nowhere".to_owned()]).unwrap();
        assert_eq!(beside.sha256, changed.sha256);
        assert_eq!(source(folder.path(), &[]).unwrap().files, 2);
        assert!(source(&path("missing"), &[]).is_err());
    }
}
