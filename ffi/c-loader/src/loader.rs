//! A C table as a loader.

use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt;
use std::sync::{Arc, Mutex};

use eigenscope_core::source::{Glimpse, Input, Loader, Refusal, Score, SourceError, WeightFile};
use eigenscope_plugin::mapped;

use crate::model::{CModel, Calls};
use crate::table::{self, ABI_MAJOR, LoaderTable, SERIAL};
use crate::{ViewError, codes};

/// Receives what a loader logs: level (1 error to 4 debug) and message.
pub type LogSink = Arc<dyn Fn(i32, &str) + Send + Sync>;

/// The highest score there is.
const SURE: i32 = 100;
/// Longest text taken from a loader.
const MAX_TEXT: usize = 65_536;

/// A loader behind a C table.
pub struct CLoader {
    table: LoaderTable,
    name: String,
    version: String,
    extensions: Vec<&'static str>,
    log: LogSink,
    /// Held during every call of a loader that wants one call at a time.
    serial: Arc<Mutex<()>>,
}

impl CLoader {
    /// Checks a table and copies it.
    ///
    /// # Safety
    /// `table` is NULL or points to an `egs_loader` of which `struct_size` bytes are readable; its functions keep the rules of
    /// `plugin.h` for the rest of the process.
    ///
    /// # Errors
    /// A status code and what is wrong with the table.
    pub unsafe fn new(table: *const LoaderTable, log: LogSink) -> Result<CLoader, (i32, String)> {
        if table.is_null() {
            return Err((codes::INVALID_ARGUMENT, "the loader table is NULL".to_owned()));
        }
        // SAFETY: `struct_size` comes first in every version.
        let size = unsafe { (&raw const (*table).struct_size).read_unaligned() };
        if size < size_of::<LoaderTable>() {
            let expected = size_of::<LoaderTable>();
            let what = format!("egs_loader.struct_size: expected at least {expected}, found {size}");
            return Err((codes::INVALID_ARGUMENT, what));
        }
        // SAFETY: that many bytes are readable, by the contract.
        let table = unsafe { table.read_unaligned() };
        if table.abi_major != ABI_MAJOR {
            let what = format!(
                "The loader is made for plugin ABI {}.{}, this host has {ABI_MAJOR}.{}",
                table.abi_major,
                table.abi_minor,
                table::ABI_MINOR
            );
            return Err((codes::ABI, what));
        }
        if table.flags & !SERIAL != 0 {
            return Err((
                codes::INVALID_ARGUMENT,
                format!("egs_loader.flags: unknown bits {:#x}", table.flags & !SERIAL),
            ));
        }
        let missing = [
            ("probe", table.probe.is_none()),
            ("open", table.open.is_none()),
            ("close", table.close.is_none()),
            ("tensor_count", table.tensor_count.is_none()),
            ("tensor_info", table.tensor_info.is_none()),
            ("tensor_read", table.tensor_read.is_none()),
        ];
        if let Some((name, _)) = missing.iter().find(|(_, missing)| *missing) {
            return Err((codes::INVALID_ARGUMENT, format!("egs_loader.{name} is NULL")));
        }
        let field = |value: *const c_char, name: &str| -> Result<&'static str, (i32, String)> {
            // SAFETY: the table's strings are NULL or NUL-terminated, and stay for the rest of the process.
            unsafe { lent(value) }
                .map_err(|what| (codes::INVALID_ARGUMENT, format!("egs_loader.{name}: {what}")))
        };
        let name = field(table.name, "name")?.to_owned();
        if name.is_empty() {
            return Err((codes::INVALID_ARGUMENT, "egs_loader.name is empty".to_owned()));
        }
        Ok(CLoader {
            version: field(table.version, "version")?.to_owned(),
            extensions: field(table.extensions, "extensions")?
                .split([' ', ','])
                .filter(|e| !e.is_empty())
                .collect(),
            serial: Arc::new(Mutex::new(())),
            table,
            name,
            log,
        })
    }

    /// The loader's version, in its author's words.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// Text of the other side.
///
/// # Safety
/// NULL, or NUL-terminated.
pub(crate) unsafe fn text(value: *const c_char) -> Result<String, String> {
    // SAFETY: as the caller promises.
    unsafe { lent(value) }.map(str::to_owned)
}

/// A message, which may quote a file in no encoding at all: shown as far as it can be.
///
/// # Safety
/// NULL, or NUL-terminated.
pub(crate) unsafe fn message_of(value: *const c_char) -> String {
    if value.is_null() {
        return String::new();
    }
    // SAFETY: NUL-terminated by the contract.
    let bytes = unsafe { CStr::from_ptr(value) }.to_bytes();
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_TEXT)]).into_owned()
}

/// Text of the other side, where it is.
///
/// # Safety
/// NULL, or NUL-terminated and unchanged for as long as the result is used.
unsafe fn lent<'a>(value: *const c_char) -> Result<&'a str, String> {
    if value.is_null() {
        return Ok("");
    }
    // SAFETY: NUL-terminated by the contract.
    let value = unsafe { CStr::from_ptr(value) };
    if value.count_bytes() > MAX_TEXT {
        return Err(format!("text of {} bytes, more than {MAX_TEXT}", value.count_bytes()));
    }
    value.to_str().map_err(|_| "text that is not UTF-8".to_owned())
}

/// The refusal that a loader's status stands for.
pub(crate) fn refusal(status: i32, message: String) -> Refusal {
    match status {
        codes::UNSUPPORTED => Refusal::Unsupported(message),
        codes::NOT_FOUND => Refusal::Missing(message),
        codes::INVALID_DATA => Refusal::Malformed(message),
        codes::IO => Refusal::Io(std::io::Error::other(message)),
        codes::CANCELLED => Refusal::Cancelled,
        _ => Refusal::Loader(message),
    }
}

pub(crate) fn view_refusal(error: ViewError) -> Refusal {
    match error {
        ViewError::Unsupported(what) => Refusal::Unsupported(what),
        other => Refusal::Loader(other.to_string()),
    }
}

impl Loader for CLoader {
    fn name(&self) -> &str {
        &self.name
    }

    fn extensions(&self) -> &[&str] {
        &self.extensions
    }

    /// Folders are not for C loaders.
    fn probe(&self, glimpse: &Glimpse) -> Score {
        let (Some(probe), None, Ok(name)) =
            (self.table.probe, &glimpse.entries, CString::new(&*glimpse.name))
        else {
            return 0;
        };
        let head = &glimpse.head;
        let _one_at_a_time = Calls::lock(&self.serial);
        // SAFETY: pointers and sizes are those of live memory; the function keeps the rules of the header.
        let score = unsafe {
            probe(self.table.context, name.as_ptr(), head.as_ptr().cast(), head.len(), glimpse.size)
        };
        score.clamp(0, SURE) as Score
    }

    fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
        let file = input.name();
        let data = mapped::contents(input)?;
        let serial =
            if self.table.flags & SERIAL != 0 { self.serial.clone() } else { Arc::new(Mutex::new(())) };
        let calls = Calls { file: file.clone(), log: self.log.clone(), lock: serial };
        let cstring = |text: Vec<u8>| {
            CString::new(text).map_err(|_| {
                SourceError::new(&file, Refusal::Unsupported("a file name with a NUL byte".to_owned()))
            })
        };
        let name = cstring(file.clone().into_bytes())?;
        let path = match input {
            Input::Path(path) => Some(cstring(path.as_os_str().as_encoded_bytes().to_vec())?),
            _ => None,
        };
        let c_input = table::Input {
            struct_size: size_of::<table::Input>(),
            name: name.as_ptr(),
            path: path.as_ref().map_or(std::ptr::null(), |p| p.as_ptr()),
            data: data.as_ptr().cast(),
            size: data.len() as u64,
        };
        let mut handle: *mut c_void = std::ptr::null_mut();
        let open = self.table.open;
        calls.status(None, |call| match open {
            // SAFETY: every pointer is to live memory; the bytes stay until `close`, in `CModel`.
            Some(open) => unsafe { open(self.table.context, call, &raw const c_input, &raw mut handle) },
            None => codes::INTERNAL,
        })?;
        if handle.is_null() {
            return Err(SourceError::new(
                &file,
                Refusal::Loader("open succeeded without a model".to_owned()),
            ));
        }
        CModel::list(self.table, handle, calls, data).map(|model| Box::new(model) as Box<dyn WeightFile>)
    }
}

impl fmt::Debug for CLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CLoader({} {})", self.name, self.version)
    }
}
