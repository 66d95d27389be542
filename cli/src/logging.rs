//! Log records, on standard error.

use std::io::Write;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::style::{self, paint};
use crate::text::printable;

struct Lines;

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (style, word) = match record.level() {
            Level::Error => (style::BAD, "error"),
            Level::Warn => (style::UNDER, "warning"),
            Level::Info => (style::HINT, "info"),
            Level::Debug | Level::Trace => (style::DIM, "debug"),
        };
        let words = record.args().to_string();
        let words = printable(&words);
        // A closed standard error leaves nobody to tell.
        let _ = writeln!(anstream::stderr(), "{} {words}", paint(style, format_args!("{word}:")));
    }

    fn flush(&self) {}
}

/// Warnings by default; errors only when quiet; more with every `-v`.
pub fn start(verbose: u8, quiet: bool) {
    let level = match verbose {
        _ if quiet => LevelFilter::Error,
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    if log::set_logger(&Lines).is_ok() {
        log::set_max_level(level);
    }
}
