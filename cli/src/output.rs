//! Where results go: standard output, or a file that is replaced in one step.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A place for results, known to be writable.
#[derive(Debug)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// A file to replace, or a device or pipe to write into.
    File {
        /// As the caller named it.
        name: PathBuf,
        /// Where links lead.
        path: PathBuf,
        /// Neither a file nor absent: written to directly.
        special: bool,
    },
}

impl Output {
    /// Checks the place before any work is done for it.
    pub fn new(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(name) = file else { return Ok(Output::Stdout) };
        let path = fs::canonicalize(name).unwrap_or_else(|_| name.to_owned());
        let special = match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => {
                return Err(Failure::new(format!("cannot write {}: it is a folder", name.display())));
            }
            Ok(meta) => !meta.is_file(),
            Err(_) => false,
        };
        let output = Output::File { name: name.to_owned(), path, special };
        if !special {
            // Dropped again: this only finds out whether the folder takes files.
            output.temporary().map_err(|e| output.failure(&e))?;
        }
        Ok(output)
    }

    /// The same for what is no text: standard output that is a terminal is refused. `what` is "a page"; `file` what its file would be called.
    pub fn binary(file: Option<&Path>, what: &str, example: &str) -> Result<Self, Failure> {
        if file.is_none() && io::stdout().is_terminal() {
            let failure = Failure::new(format!("{what} is no text for a terminal")).usage();
            return Err(failure.hint(format!("`-o {example}` writes a file")));
        }
        Output::new(file)
    }

    fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        let Output::File { path, .. } = self else { return Err(io::ErrorKind::Unsupported.into()) };
        temporary(path)
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let name = match self {
            Output::Stdout => "standard output".to_owned(),
            Output::File { name, .. } => name.display().to_string(),
        };
        // A temporary file's own error names the temporary file, which nobody asked for.
        let cause = if error.get_ref().is_some() { error.kind().to_string() } else { error.to_string() };
        Failure::new(format!("cannot write {name}: {cause}"))
    }

    /// Writes text that may have colours; they are kept where the place, or the user, wants them.
    pub fn write_styled(&self, text: &str) -> Result<(), Failure> {
        let choice = match self {
            Output::Stdout => anstream::AutoStream::choice(&io::stdout()),
            Output::File { .. } => anstream::ColorChoice::global(),
        };
        match choice {
            anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => self.write(text.as_bytes()),
            _ => self.write(anstream::adapter::strip_str(text).to_string().as_bytes()),
        }
    }

    /// Writes all of it, or leaves what was there. A reader that has gone away is no failure.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let result = match self {
            Output::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Output::File { path, special: true, .. } => {
                fs::OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(bytes))
            }
            Output::File { path, .. } => self.replace(path, bytes),
        };
        match result {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|e| self.failure(&e)),
        }
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut temporary = self.temporary()?;
        temporary.write_all(bytes)?;
        if let Ok(meta) = fs::metadata(path) {
            temporary.as_file().set_permissions(meta.permissions())?;
        }
        temporary.as_file().sync_all()?;
        temporary.persist(path)?;
        Ok(())
    }
}

/// A new file beside `path`, which goes unless it is renamed.
pub fn temporary(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".eigenscope-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Those of a file made the plain way; the process's mask applies.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
