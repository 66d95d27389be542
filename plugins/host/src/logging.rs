//! Log records of plugins, handed to whatever logger this process has. None is installed here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use eigenscope_plugin::abi::{HostV1, LogRecordV1};
use log::{Level, Metadata, Record};

/// What plugins are lent.
pub(crate) fn host() -> HostV1 {
    HostV1 { log: take, max_level }
}

extern "C" fn max_level() -> u8 {
    log::max_level() as u8
}

extern "C" fn take(record: LogRecordV1) {
    // The process's logger is not ours; a panic in it may not cross the border. Its payload may panic when dropped.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| forward(&record))) {
        std::mem::forget(payload);
    }
}

fn forward(record: &LogRecordV1) {
    let level = Level::iter().find(|l| *l as usize == usize::from(record.level)).unwrap_or(Level::Trace);
    let logger = log::logger();
    let metadata = Metadata::builder().level(level).target(&record.target).build();
    if level > log::max_level() || !logger.enabled(&metadata) {
        return;
    }
    logger.log(
        &Record::builder()
            .metadata(metadata)
            .module_path(record.module.as_ref().map(|m| m.as_str()).into_option())
            .file(record.file.as_ref().map(|f| f.as_str()).into_option())
            .line(record.line.into_option())
            .args(format_args!("{}", record.message))
            .build(),
    );
}
