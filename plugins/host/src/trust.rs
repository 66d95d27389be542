//! What is checked before a library may run code in this process. It keeps strangers' files out by accident, not
//! attackers who can already write as the user: a plugin runs with the user's rights.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{Manifest, Reason};

/// Bytes hashed at a time.
const CHUNK: usize = 1 << 20;

/// The real path of a regular file which, like the folder it is in, only its owner and group can write.
pub(crate) fn trusted(path: &Path) -> Result<PathBuf, Reason> {
    let unreadable = |e: std::io::Error| Reason::Unreadable { path: path.to_owned(), detail: e.to_string() };
    let real = path.canonicalize().map_err(unreadable)?;
    if !real.is_file() {
        return Err(Reason::NotAFile { path: path.to_owned() });
    }
    // The folder of a link counts as well as the folder of what it leads to.
    for place in [path.parent(), real.parent(), Some(real.as_path())].into_iter().flatten() {
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        if world_writable(place).map_err(unreadable)? {
            return Err(Reason::WorldWritable { path: place.to_owned() });
        }
    }
    Ok(real)
}

#[cfg(unix)]
fn world_writable(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(path)?.permissions().mode() & 0o002 != 0)
}

/// Elsewhere permissions are not bits; nothing is refused for them.
#[cfg(not(unix))]
fn world_writable(_path: &Path) -> std::io::Result<bool> {
    Ok(false)
}

/// The library of the manifest at `path` (a real path), checked for place, permissions and digest.
pub(crate) fn library(manifest: &Manifest, path: &Path) -> Result<PathBuf, Reason> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let library = folder.join(&manifest.library);
    if !library.exists() {
        return Err(Reason::MissingLibrary { library });
    }
    let real = trusted(&library)?;
    if !real.starts_with(folder) {
        return Err(Reason::OutsideFolder { library: real, folder: folder.to_owned() });
    }
    if let Some(expected) = &manifest.sha256 {
        let found =
            sha256(&real).map_err(|e| Reason::Unreadable { path: real.clone(), detail: e.to_string() })?;
        if found != *expected {
            return Err(Reason::Sha256Mismatch { expected: expected.clone(), found });
        }
    }
    Ok(real)
}

/// The SHA-256 of a file in lower-case hexadecimal.
pub fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            n => hasher.update(&chunk[..n]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
