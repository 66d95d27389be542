//! Why a plugin was passed over.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Why a candidate is not, or is no longer, used. Serialised with a stable `code`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// There is no such file, or it cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        detail: String,
    },
    /// Neither a file nor a folder, or the other one of the two.
    NotAFile {
        /// What it is about.
        path: PathBuf,
    },
    /// Anyone on this machine could have put it there.
    WorldWritable {
        /// The file or folder.
        path: PathBuf,
    },
    /// The manifest is not one.
    BadManifest {
        /// What is wrong, and where.
        detail: String,
    },
    /// The manifest names an ABI no host of this version knows.
    UnknownAbi {
        /// The ABI named.
        abi: String,
    },
    /// The manifest's library lies elsewhere.
    OutsideFolder {
        /// The library, all links followed.
        library: PathBuf,
        /// The manifest's folder.
        folder: PathBuf,
    },
    /// The manifest's library does not exist.
    MissingLibrary {
        /// Where it should be.
        library: PathBuf,
    },
    /// The library is not the one the manifest was written for.
    Sha256Mismatch {
        /// The manifest's.
        expected: String,
        /// The library's.
        found: String,
    },
    /// Another candidate with that name came first.
    DuplicateName {
        /// The name.
        name: String,
        /// Where the first one came from.
        first: String,
    },
    /// The dynamic linker refuses it.
    NotLoadable {
        /// The linker's words.
        detail: String,
    },
    /// A library that is no Eigenscope plugin.
    NotAPlugin {
        /// The symbol that is missing.
        symbol: String,
    },
    /// A plugin of another interface version or layout.
    WrongInterface {
        /// The report of the layout check, or what the C table says.
        report: String,
    },
    /// Its loader could not be made.
    Failed {
        /// What it said.
        detail: String,
    },
    /// The library's loader has another name than the manifest promises.
    WrongName {
        /// The manifest's.
        manifest: String,
        /// The library's.
        library: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Unreadable { path, detail } => write!(f, "{} cannot be read: {detail}", path.display()),
            Reason::NotAFile { path } => write!(f, "{} is not a regular file", path.display()),
            Reason::WorldWritable { path } => write!(
                f,
                "{} can be written by any user of this machine; `chmod o-w` it if you trust what is there",
                path.display()
            ),
            Reason::BadManifest { detail } => write!(f, "not a plugin manifest: {detail}"),
            Reason::UnknownAbi { abi } => {
                write!(f, "abi '{abi}' is unknown to this host, which knows 'rust-v1' and 'c-v1'")
            }
            Reason::OutsideFolder { library, folder } => write!(
                f,
                "the library {} lies outside the manifest's folder {}",
                library.display(),
                folder.display()
            ),
            Reason::MissingLibrary { library } => {
                write!(f, "there is no library at {}", library.display())
            }
            Reason::Sha256Mismatch { expected, found } => write!(
                f,
                "the library is not the one the manifest was written for: sha256 is {found}, expected {expected}"
            ),
            Reason::DuplicateName { name, first } => {
                write!(f, "a loader named '{name}' came first, from {first}")
            }
            Reason::NotLoadable { detail } => write!(f, "not a library this machine can load: {detail}"),
            Reason::NotAPlugin { symbol } => {
                write!(f, "a library, but no Eigenscope plugin: it does not export '{symbol}'")
            }
            Reason::WrongInterface { report } => {
                write!(f, "built for another plugin interface; rebuild it with this host's SDK. {report}")
            }
            Reason::Failed { detail } => write!(f, "its loader could not be made: {detail}"),
            Reason::WrongName { manifest, library } => {
                write!(f, "the manifest says '{manifest}', the library calls itself '{library}'")
            }
        }
    }
}

impl std::error::Error for Reason {}
