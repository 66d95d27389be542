//! Errors: `egs_error`.

use std::ffi::{CStr, CString, c_char};

use eigenscope_c_loader::{ViewError, codes};
use eigenscope_core::analysis::AnalysisError;
use eigenscope_core::source::{Refusal, SourceError};

use crate::text::cstring;

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Error {
    status: i32,
    message: String,
    advice: String,
}

/// An error that C owns.
#[allow(non_camel_case_types)]
pub struct egs_error {
    status: i32,
    message: CString,
    advice: CString,
}

impl Error {
    pub fn new(status: i32, message: impl Into<String>) -> Error {
        Error { status, message: message.into(), advice: String::new() }
    }

    pub fn argument(message: impl Into<String>) -> Error {
        Error::new(codes::INVALID_ARGUMENT, message)
    }

    pub fn null(what: &str) -> Error {
        Error::argument(format!("{what} is NULL"))
    }

    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Error {
        self.advice = advice.into();
        self
    }

    pub fn status(&self) -> i32 {
        self.status
    }

    /// The same, with what it is about in front.
    #[must_use]
    pub fn about(mut self, what: &str) -> Error {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl egs_error {
    pub(crate) fn into_raw(error: Error) -> *mut egs_error {
        let (message, advice) = (cstring(&error.message), cstring(&error.advice));
        Box::into_raw(Box::new(egs_error { status: error.status, message, advice }))
    }
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Error {
        let (status, advice) = match &*error.refusal {
            Refusal::Io(e) if e.kind() == std::io::ErrorKind::NotFound => {
                (codes::NOT_FOUND, "check the path")
            }
            Refusal::Io(_) => (codes::IO, "check the path, its permissions and the disk"),
            Refusal::Missing(_) => {
                (codes::NOT_FOUND, "check the name, or that every file of the model is there")
            }
            Refusal::WrongFormat { .. } | Refusal::Unrecognized(_) => (
                codes::UNSUPPORTED,
                "check that the file is what its name says; plugins add formats (egs_engine_load_plugins)",
            ),
            Refusal::Unsupported(_) => {
                (codes::UNSUPPORTED, "convert the file, or load a plugin that reads it")
            }
            Refusal::Cancelled => (codes::CANCELLED, ""),
            Refusal::Loader(_) => (codes::INTERNAL, "report it to the author of the loader"),
            _ => (codes::INVALID_DATA, "the file is damaged or not trustworthy: download or write it again"),
        };
        Error::new(status, error.to_string()).advice(advice)
    }
}

impl From<AnalysisError> for Error {
    fn from(error: AnalysisError) -> Error {
        let message = error.to_string();
        match error {
            AnalysisError::Options(_) => Error::argument(message).advice("correct the options"),
            AnalysisError::NothingMatches(_) => {
                Error::new(codes::NOT_FOUND, message).advice("check the layer names")
            }
            AnalysisError::Cancelled => Error::new(codes::CANCELLED, message),
            AnalysisError::Threads(..) => Error::new(codes::IO, message).advice("ask for fewer threads"),
            _ => Error::new(codes::INTERNAL, message),
        }
    }
}

impl From<ViewError> for Error {
    fn from(error: ViewError) -> Error {
        let status = match error {
            ViewError::Invalid(_) => codes::INVALID_ARGUMENT,
            ViewError::Unsupported(_) => codes::UNSUPPORTED,
            ViewError::NoMemory(_) => codes::OUT_OF_MEMORY,
        };
        Error::new(status, error.to_string())
    }
}

/// The parts of an error; these functions read and free plain memory, and cannot panic.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_error_code(error: *const egs_error) -> i32 {
    // SAFETY: NULL or live, as the header demands.
    unsafe { error.as_ref() }.map_or(codes::OK, |e| e.status)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_error_message(error: *const egs_error) -> *const c_char {
    // SAFETY: NULL or live, as the header demands.
    unsafe { error.as_ref() }.map_or(c"", |e| &e.message).as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_error_advice(error: *const egs_error) -> *const c_char {
    // SAFETY: NULL or live, as the header demands.
    unsafe { error.as_ref() }.map_or(c"", |e| &e.advice).as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_error_free(error: *mut egs_error) {
    if !error.is_null() {
        // SAFETY: made by `into_raw`, freed once, as the header demands.
        drop(unsafe { Box::from_raw(error) });
    }
}

macro_rules! names {
    ($($code:ident)*) => {
        fn name(status: i32) -> &'static CStr {
            $(if status == codes::$code {
                return match CStr::from_bytes_with_nul(concat!("EGS_ERR_", stringify!($code), "\0").as_bytes()) {
                    Ok(name) => name,
                    Err(_) => c"",
                };
            })*
            if status == codes::OK { c"EGS_OK" } else { c"unknown status" }
        }
    };
}

names! { INVALID_ARGUMENT INVALID_STATE UNSUPPORTED NOT_FOUND INVALID_DATA IO OUT_OF_MEMORY CANCELLED ABI PANIC INTERNAL }

#[unsafe(no_mangle)]
pub extern "C" fn egs_status_name(status: i32) -> *const c_char {
    name(status).as_ptr()
}
