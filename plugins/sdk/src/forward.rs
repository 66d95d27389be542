//! Log records of a plugin go to the host. A shared library has its own copy of the `log` crate, whose logger would
//! otherwise be none.

use std::sync::OnceLock;

use log::{LevelFilter, Log, Metadata, Record};

use crate::abi::abi_stable::std_types::RString;
use crate::abi::{HostV1, LogRecordV1};

/// The first host that asked for a loader; libraries of hosts are never unloaded either.
static HOST: OnceLock<HostV1> = OnceLock::new();

struct ToHost;

static TO_HOST: ToHost = ToHost;

impl Log for ToHost {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let Some(host) = HOST.get() else { return };
        let text = |t: &str| RString::from(t);
        (host.log)(LogRecordV1 {
            level: record.level() as u8,
            target: record.target().into(),
            message: record.args().to_string().into(),
            module: record.module_path().map(text).into(),
            file: record.file().map(text).into(),
            line: record.line().into(),
        });
    }

    fn flush(&self) {}
}

/// Installs the forwarding logger, once. A plugin that installed a logger of its own keeps it.
pub(crate) fn install(host: HostV1) {
    if HOST.set(host).is_ok() && log::set_logger(&TO_HOST).is_err() {
        return;
    }
    follow();
}

/// Takes over the host's level, which may change at any time; called on every entry into the plugin.
pub(crate) fn follow() {
    if let Some(host) = HOST.get() {
        let level = LevelFilter::iter().nth(usize::from((host.max_level)()));
        log::set_max_level(level.unwrap_or(LevelFilter::Trace));
    }
}
