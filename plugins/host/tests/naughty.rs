//! A plugin that panics everywhere, lies and logs, as its author would build it: for debugging and for release.
#![allow(missing_docs)]

mod support;

use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use eigenscope::source::{Input, Loader, Refusal, Registry, SourceError};
use eigenscope_host::{Plugin, Search};
use log::{Level, LevelFilter, Log, Metadata, Record};
use tempfile::TempDir;

/// The plugin counts its calls in a static, and the log is the process's.
static ALONE: Mutex<()> = Mutex::new(());

struct Naughty {
    plugin: Arc<Plugin>,
    _folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// Runs the test with the plugin of either profile.
fn each_profile(test: impl Fn(&Naughty)) {
    for arguments in [&[][..], &["--release"]] {
        test(&Naughty::load(arguments, "probe = \"library\""));
    }
}

impl Naughty {
    fn load(arguments: &[&str], extra: &str) -> Naughty {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = support::install(&support::naughty(arguments), "naughty", extra);
        let found = Search { folders: vec![folder.path().into()], ..Search::default() }.discover();
        let plugin = Arc::clone(found.plugins().next().unwrap_or_else(|| panic!("{found}")));
        Naughty { plugin, _folder: folder, _alone: alone }
    }

    fn open(&self, name: &str) -> Result<Box<dyn eigenscope::source::WeightFile>, SourceError> {
        self.plugin.open(&input(name))
    }

    fn error(&self, name: &str) -> String {
        self.open(name).unwrap_err().to_string()
    }

    /// How many calls have reached the plugin's code.
    fn calls(&self) -> u32 {
        let fine = self.open("fine").unwrap();
        fine.metadata()[0].1.parse().unwrap()
    }
}

fn input(name: &str) -> Input {
    Input::bytes(format!("{name}.naughty"), &b"contents"[..])
}

fn loader_failed(error: &SourceError) -> bool {
    matches!(&*error.refusal, Refusal::Loader(_))
}

#[test]
fn a_panic_in_open_is_a_typed_error_and_poisons_the_loader() {
    each_profile(|naughty| {
        let error = naughty.open("open").unwrap_err();
        assert!(loader_failed(&error));
        let text = "the loader failed: it panicked in open (panic in open) and is not called again";
        assert_eq!(error.to_string(), format!("open.naughty: {text}"));
        assert_eq!(naughty.error("fine"), format!("fine.naughty: {text}"));
        let glimpse = input("fine").glimpse().unwrap();
        assert_eq!(naughty.plugin.probe(&glimpse), 20, "the manifest's score, so that opening tells why");
    });
}

#[test]
fn a_panic_in_probe_is_told_when_the_file_is_opened() {
    each_profile(|naughty| {
        let mut registry = Registry::new();
        registry.add(naughty.plugin.clone());
        let error = registry.open(&input("probe"), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "probe.naughty: the loader failed: it panicked in probe (panic in probe) and is not called again"
        );
    });
}

#[test]
fn a_panic_in_a_model_poisons_that_model_alone() {
    each_profile(|naughty| {
        for (name, message) in
            [("read", "panic in read"), ("index", "index out of bounds: the len is 0 but the index is 0")]
        {
            let model = naughty.open(name).unwrap();
            let first = model.read(0).unwrap_err();
            assert!(loader_failed(&first));
            let text = format!("it panicked in read ({message}) and is not called again");
            assert_eq!(first.to_string(), format!("{name}.naughty: the loader failed: {text}"));
            let before = naughty.calls();
            assert_eq!(model.read(0).unwrap_err().to_string(), first.to_string());
            assert!(model.metadata().is_empty());
            assert_eq!(naughty.calls(), before + 1, "the poisoned model was not called");
            assert_eq!(
                naughty.open("fine").unwrap().read(0).unwrap().to_vec(),
                [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
            );
        }
    });
}

#[test]
fn panics_in_lists_metadata_destructors_and_payloads_are_contained() {
    each_profile(|naughty| {
        assert_eq!(
            naughty.error("tensors"),
            "tensors.naughty: the loader failed: it panicked in tensors (panic in tensors) and is not called again"
        );
        let model = naughty.open("metadata").unwrap();
        assert!(model.metadata().is_empty());
        assert!(model.read(0).unwrap_err().to_string().contains("it panicked in metadata"));
        drop(naughty.open("drop").unwrap());
        let tensor = naughty.open("free").unwrap().read(0).unwrap();
        let copy = tensor.clone();
        drop(tensor);
        assert_eq!(copy.to_vec().len(), 6);
        std::thread::spawn(move || drop(copy)).join().unwrap();
        assert!(naughty.open("fine").is_ok(), "none of these poisons the loader");
        assert!(naughty.error("payload").contains("it panicked in open (no message)"));
    });
    // The loader's own destructor has panicked by now, twice.
}

#[test]
fn a_panic_when_the_loader_is_made_is_why_it_cannot_be_used() {
    if std::env::var_os("NAUGHTY_NEW").is_none() {
        // In a process of its own, for the environment variable.
        let name = "a_panic_when_the_loader_is_made_is_why_it_cannot_be_used";
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let status = command.args(["--exact", name]).env("NAUGHTY_NEW", "1").status().unwrap();
        assert!(status.success());
        return;
    }
    let naughty = Naughty::load(&[], "");
    let error = naughty.error("fine");
    assert!(error.contains("it panicked when it was made (panic in new)"), "{error}");
    assert_eq!(naughty.error("fine"), error);
}

#[test]
fn nonsense_from_a_plugin_is_refused_before_the_engine_sees_it() {
    each_profile(|naughty| {
        let read = |name: &str| naughty.open(name).unwrap().read(0).unwrap_err();
        for (name, listed) in [
            ("huge", "f32 of shape [18446744073709551615, 18446744073709551615]"),
            ("shape", "f32 of shape [3, 2]"),
            ("dtype", "f64 of shape [2, 3]"),
        ] {
            let error = read(name);
            assert!(loader_failed(&error));
            let text = format!("it lists {listed} and reads f32 of shape [2, 3]");
            assert_eq!(error.to_string(), format!("{name}.naughty, tensor 'w': the loader failed: {text}"));
        }
        assert_eq!(
            naughty.error("twice"),
            "twice.naughty, tensor 'w': the loader failed: it lists two tensors of this name"
        );
        let beyond = naughty.open("fine").unwrap().read(1).unwrap_err();
        assert_eq!(beyond.to_string(), "fine.naughty: missing: tensor 1 of 1");
        assert_eq!(naughty.plugin.probe(&input("sure").glimpse().unwrap()), 100, "255 is cut to 100");
        assert_eq!(
            naughty.error("refuse"),
            "refuse.naughty, tensor 't', byte 3: truncated: all of it needs 9 bytes, 4 are left"
        );
    });
}

static RECORDS: Mutex<Vec<(Level, String, String)>> = Mutex::new(Vec::new());

struct Recorder;

impl Log for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let entry = (record.level(), record.target().to_owned(), record.args().to_string());
        RECORDS.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        // A host's logger may panic as well; the record before has been kept.
        assert!(record.target() != "naughty::target", "panic in the host's logger");
    }

    fn flush(&self) {}
}

fn records_of(plugin: &str) -> Vec<(Level, String, String)> {
    let records = RECORDS.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect::<Vec<_>>();
    records.into_iter().filter(|(_, target, _)| target.starts_with(plugin)).collect()
}

#[test]
fn log_records_reach_the_hosts_logger_at_the_hosts_level() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| log::set_logger(&Recorder).unwrap());
    each_profile(|naughty| {
        log::set_max_level(LevelFilter::Info);
        records_of("");
        naughty.open("log").unwrap();
        let error = || (Level::Error, "naughty::target".to_owned(), "an error with an argument".to_owned());
        let made = || (Level::Info, "naughty".to_owned(), "made".to_owned());
        assert_eq!(records_of("naughty"), [made(), error()]);
        log::set_max_level(LevelFilter::Trace);
        naughty.open("log").unwrap();
        let trace = (Level::Trace, "naughty".to_owned(), "a trace".to_owned());
        assert_eq!(records_of("naughty"), [error(), trace]);
        log::set_max_level(LevelFilter::Off);
        naughty.open("log").unwrap();
        assert_eq!(records_of("naughty"), []);
    });
}
