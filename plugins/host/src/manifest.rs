//! What a plugin says of itself without being loaded: a small TOML file beside the library.

use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use eigenscope::source::{Glimpse, Score};
use serde::{Deserialize, Serialize};

use crate::Reason;

/// A manifest is a page of text.
const MAX_BYTES: u64 = 64 << 10;
/// Formats in a manifest, and extensions or signatures in a format.
const MAX_ENTRIES: usize = 64;
/// Characters of names, versions and extensions.
const MAX_CHARS: usize = 64;

/// How host and plugin talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Abi {
    /// `rust-v1`: the frozen `abi_stable` interface of the SDK.
    #[serde(rename = "rust-v1")]
    RustV1,
    /// `c-v1`: the table of function pointers of `plugin.h`.
    #[serde(rename = "c-v1")]
    CV1,
}

/// Who says how sure the plugin is of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Probe {
    /// The manifest, so that nothing is loaded until a file is opened.
    #[default]
    Manifest,
    /// The library, for inputs the manifest matches and for folders. It is loaded to be asked.
    Library,
}

/// One format a plugin reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Format {
    /// What people call it.
    pub name: String,
    /// Extensions, lower case, without dots.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// First bytes, in hexadecimal; any of them will do.
    #[serde(default)]
    pub magic: Vec<String>,
}

/// A manifest that has been checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Name of the loader.
    pub name: String,
    /// Version of the plugin.
    pub version: String,
    /// How to talk to it.
    pub abi: Abi,
    /// The library, relative to the manifest.
    pub library: PathBuf,
    /// Its SHA-256 in lower-case hexadecimal, where the manifest gives one.
    pub sha256: Option<String>,
    /// Whether the library's own symbols come before those of the process (libtorch beside another BLAS).
    pub deepbind: bool,
    /// Who scores inputs.
    pub probe: Probe,
    /// What it reads.
    pub formats: Vec<Format>,
}

/// The file as written. A key that is not here is an error: a misspelt `sha256` must not pass for none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    version: String,
    abi: String,
    library: PathBuf,
    sha256: Option<String>,
    #[serde(default)]
    deepbind: bool,
    #[serde(default)]
    probe: Probe,
    formats: Vec<Format>,
}

impl Manifest {
    /// Reads and checks the manifest at `path`.
    pub fn read(path: &Path) -> Result<Manifest, Reason> {
        let unreadable =
            |e: std::io::Error| Reason::Unreadable { path: path.to_owned(), detail: e.to_string() };
        let mut text = String::new();
        let file = fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(bad(format!("more than {MAX_BYTES} bytes")));
        }
        Manifest::parse(&text)
    }

    /// Checks the text of a manifest.
    pub fn parse(text: &str) -> Result<Manifest, Reason> {
        let written: Written = toml::from_str(text).map_err(|e| bad(one_line(&e.to_string())))?;
        let abi = match written.abi.as_str() {
            "rust-v1" => Abi::RustV1,
            "c-v1" => Abi::CV1,
            _ => return Err(Reason::UnknownAbi { abi: clip(&written.abi) }),
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if written.name.is_empty() || written.name.len() > MAX_CHARS || !written.name.chars().all(plain) {
            let what = "name is 1 to 64 of a-z, 0-9, '-' and '_', found";
            return Err(bad(format!("{what} '{}'", clip(&written.name))));
        }
        if written.version.is_empty() || written.version.len() > MAX_CHARS {
            return Err(bad("version is 1 to 64 bytes".to_owned()));
        }
        let normal = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
        if written.library.as_os_str().is_empty() || !written.library.components().all(normal) {
            let shown = clip(&written.library.to_string_lossy());
            return Err(bad(format!("library is a path below the manifest, without '..', found '{shown}'")));
        }
        let sha256 = written.sha256.map(|s| s.to_ascii_lowercase());
        if let Some(sha256) = sha256.as_ref().filter(|s| hex(s).is_none_or(|bytes| bytes.len() != 32)) {
            return Err(bad(format!("sha256 is 64 hexadecimal digits, found '{}'", clip(sha256))));
        }
        if written.formats.is_empty() || written.formats.len() > MAX_ENTRIES {
            return Err(bad(format!("1 to {MAX_ENTRIES} formats, found {}", written.formats.len())));
        }
        written.formats.iter().try_for_each(check_format)?;
        Ok(Manifest {
            name: written.name,
            version: written.version,
            abi,
            library: written.library,
            sha256,
            deepbind: written.deepbind,
            probe: written.probe,
            formats: written.formats,
        })
    }

    /// How sure the manifest is of an input, by the convention of [`Score`]: 100 where extension and first bytes fit,
    /// 60 for the first bytes alone, 20 for the extension alone.
    pub fn score(&self, glimpse: &Glimpse) -> Score {
        let extension = glimpse.extension();
        let of = |format: &Format| {
            let named = format.extensions.contains(&extension);
            let signed = format.magic.iter().filter_map(|m| hex(m)).any(|m| glimpse.head.starts_with(&m));
            match (named, signed) {
                (true, true) => 100,
                (false, true) => 60,
                (true, false) => 20,
                (false, false) => 0,
            }
        };
        self.formats.iter().map(of).max().unwrap_or(0)
    }
}

fn check_format(format: &Format) -> Result<(), Reason> {
    if format.name.is_empty() || format.name.len() > MAX_CHARS {
        return Err(bad("a format's name is 1 to 64 bytes".to_owned()));
    }
    let (extensions, magic) = (&format.extensions, &format.magic);
    let at = |what: String| bad(format!("format '{}': {what}", format.name));
    if extensions.len() > MAX_ENTRIES || magic.len() > MAX_ENTRIES {
        return Err(at(format!("at most {MAX_ENTRIES} extensions and {MAX_ENTRIES} signatures")));
    }
    if extensions.is_empty() && magic.is_empty() {
        return Err(at("neither extensions nor magic".to_owned()));
    }
    let proper = |e: &&String| {
        !e.is_empty() && e.len() <= MAX_CHARS && !e.starts_with('.') && !e.chars().any(char::is_uppercase)
    };
    if let Some(e) = extensions.iter().find(|e| !proper(e)) {
        return Err(at(format!("extensions are lower case, without the dot, found '{}'", clip(e))));
    }
    // One byte would claim every 256th file.
    if let Some(m) = magic.iter().find(|m| hex(m).is_none_or(|b| b.len() < 2 || b.len() > MAX_CHARS)) {
        return Err(at(format!("magic is 2 to 64 bytes in hexadecimal, found '{}'", clip(m))));
    }
    Ok(())
}

fn bad(detail: String) -> Reason {
    Reason::BadManifest { detail }
}

fn clip(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    lines.join(" ")
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let (pairs, rest) = digits.as_ref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
name = "npy"
version = "0.1.0"
abi = "rust-v1"
library = "libeigenscope_npy.so"

[[formats]]
name = "NumPy array"
extensions = ["npy"]
magic = ["934e554d5059"]

[[formats]]
name = "NumPy archive"
extensions = ["npz"]
magic = ["504b0304"]
"#;

    fn glimpse(name: &str, head: &'static [u8]) -> Glimpse {
        Glimpse { name: name.to_owned(), head: head.into(), size: head.len() as u64, entries: None }
    }

    #[test]
    fn name_and_first_bytes_make_the_score() {
        let manifest = Manifest::parse(GOOD).unwrap();
        assert_eq!(manifest.score(&glimpse("a.NPY", b"\x93NUMPY\x01")), 100);
        assert_eq!(manifest.score(&glimpse("a.dat", b"\x93NUMPY\x01")), 60);
        assert_eq!(manifest.score(&glimpse("a.npy", b"<html>")), 20);
        assert_eq!(manifest.score(&glimpse("a.pt", b"PK\x03\x04")), 60);
        assert_eq!(manifest.score(&glimpse("a.npz", b"")), 20);
        assert_eq!(manifest.score(&glimpse("a.onnx", b"\x08\x07")), 0);
    }

    #[test]
    fn defaults_are_the_cautious_ones() {
        let manifest = Manifest::parse(GOOD).unwrap();
        assert_eq!((manifest.sha256, manifest.deepbind, manifest.probe), (None, false, Probe::Manifest));
    }

    #[test]
    fn a_manifest_that_says_anything_odd_is_refused_with_its_words() {
        for (from, to, words) in [
            ("name = \"npy\"", "", "missing field `name`"),
            ("name = \"npy\"", "name = \"../npy\"", "found '../npy'"),
            ("name = \"npy\"", "name = 7", "invalid type: integer `7`, expected a string"),
            ("version = \"0.1.0\"", "version = \"\"", "version is"),
            ("\"libeigenscope_npy.so\"", "\"../lib.so\"", "found '../lib.so'"),
            ("\"libeigenscope_npy.so\"", "\"/usr/lib/lib.so\"", "found '/usr/lib/lib.so'"),
            ("\"libeigenscope_npy.so\"", "\"\"", "library is a path"),
            ("[[formats]]", "sha265 = \"00\"\n[[formats]]", "unknown field `sha265`"),
            ("[[formats]]", "sha256 = \"00\"\n[[formats]]", "64 hexadecimal digits, found '00'"),
            ("[[formats]]", "probe = \"always\"\n[[formats]]", "unknown variant `always`"),
            ("[\"npy\"]", "[\".npy\"]", "without the dot, found '.npy'"),
            ("[\"npy\"]", "[\"NPY\"]", "lower case"),
            ("934e554d5059", "93", "magic is 2 to 64 bytes"),
            ("934e554d5059", "xyz0", "found 'xyz0'"),
            ("= \"0.1.0\"", "= \"0.1.0", "TOML parse error at line 3"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let Err(Reason::BadManifest { detail }) = Manifest::parse(&text) else { panic!("{to}") };
            assert!(detail.contains(words), "{to}: {detail}");
        }
        let other = Manifest::parse(&GOOD.replace("rust-v1", "rust-v9"));
        assert_eq!(other, Err(Reason::UnknownAbi { abi: "rust-v9".to_owned() }));
        assert!(Manifest::parse("").is_err());
        assert!(Manifest::parse(&"[".repeat(60_000)).is_err());
    }

    #[test]
    fn every_prefix_and_every_flipped_byte_is_an_answer_not_a_panic() {
        let good = GOOD.as_bytes();
        for at in 0..good.len() {
            let _ = Manifest::parse(&String::from_utf8_lossy(&good[..at]));
            for bit in 0..8 {
                let mut copy = good.to_vec();
                copy[at] ^= 1 << bit;
                let _ = Manifest::parse(&String::from_utf8_lossy(&copy));
            }
        }
    }
}
