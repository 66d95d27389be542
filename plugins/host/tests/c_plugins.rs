//! Plugins in C and C++: the examples, and one that lies, compiled as their authors would and loaded through a search.
#![allow(missing_docs)]
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use eigenscope::source::{Input, Loader, Refusal, Registry, SourceError, WeightFile};
use eigenscope::tensor::Dtype;
use eigenscope_host::{Abi, Plugin, Reason, Search, State};
use eigenscope_plugin::testkit;
use tempfile::TempDir;

#[global_allocator]
static METER: testkit::Meter = testkit::Meter;

const CC: [&str; 2] = ["cc", "-std=c99"];
const CXX: [&str; 2] = ["c++", "-std=c++17"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn compile([compiler, standard]: [&str; 2], source: &str, arguments: &[&str], library: &Path) {
    let mut command = Command::new(compiler);
    command.args([
        standard,
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fPIC",
        "-shared",
        "-fvisibility=hidden",
        "-I",
    ]);
    command.arg(root().join("include")).args(arguments).arg(root().join(source)).arg("-o").arg(library);
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// An example as its README installs it: the library beside its own manifest.
fn example(compiler: [&str; 2], folder: &str, source: &str, name: &str) -> (TempDir, Arc<Plugin>) {
    let installed = TempDir::new().unwrap();
    let library = installed.path().join(format!("libeigenscope_{name}.so"));
    compile(compiler, &format!("examples/{folder}/{source}"), &[], &library);
    let manifest = format!("eigenscope-{name}.toml");
    fs::copy(root().join("examples").join(folder).join(&manifest), installed.path().join(&manifest)).unwrap();
    let plugin = found_in(installed.path());
    (installed, plugin)
}

fn found_in(folder: &Path) -> Arc<Plugin> {
    let found = Search { explicit: vec![folder.into()], ..Search::default() }.discover();
    assert_eq!(found.candidates[0].state, State::Found, "{found}");
    Arc::clone(found.plugins().next().unwrap())
}

fn egraw() -> (TempDir, Arc<Plugin>) {
    example(CC, "plugin-c", "egraw.c", "egraw")
}

fn csvw() -> (TempDir, Arc<Plugin>) {
    example(CXX, "plugin-cpp", "csvw.cpp", "csvw")
}

/// The fixture behind a manifest of the ABI `c-v1`.
fn liar(table: &str, extra: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let library = folder.path().join("plugin.so");
    compile(CC, "plugins/host/tests/fixtures/liar.c", &[&format!("-DTABLE={table}")], &library);
    let manifest = support::manifest("liar", "plugin.so", extra).replace("rust-v1", "c-v1");
    fs::write(folder.path().join("plugin.toml"), manifest).unwrap();
    folder
}

fn open(plugin: &Plugin, name: &str, bytes: &[u8]) -> Result<Box<dyn WeightFile>, SourceError> {
    plugin.open(&Input::bytes(name, bytes.to_vec()))
}

fn refused(plugin: &Plugin, name: &str, bytes: &[u8]) -> SourceError {
    open(plugin, name, bytes).map(|model| model.tensors().to_vec()).unwrap_err()
}

/// Two tensors of six and three elements.
fn small() -> Vec<u8> {
    let mut file = b"egraw 1\nfc1.weight f32 2x3\nfc1.steps i16 3\n\n".to_vec();
    file.extend([1.5f32, -2.0, 0.25, 4.0, 5.0, -6.5].iter().flat_map(|v| v.to_le_bytes()));
    file.extend([7i16, -8, 900].iter().flat_map(|v| v.to_le_bytes()));
    file
}

#[test]
fn the_c_example_is_found_by_its_manifest_and_reads_in_place() {
    let (folder, plugin) = egraw();
    assert_eq!((plugin.name(), plugin.version().as_str(), plugin.abi()), ("egraw", "1.0.0", Abi::CV1));
    let bytes = eigenscope_plugin::Bytes::from(small());
    let memory = bytes.as_ptr_range();
    let input = Input::bytes("small.egraw", bytes.clone());
    assert_eq!(plugin.probe(&input.glimpse().unwrap()), 100);
    assert!(!plugin.is_loaded(), "choosing needs no library");
    let model = plugin.open(&input).unwrap();
    assert!(plugin.is_loaded());
    let listed: Vec<_> =
        model.tensors().iter().map(|t| (t.name.as_str(), t.dtype, t.shape.as_slice())).collect();
    assert_eq!(listed, [("fc1.weight", Dtype::F32, &[2, 3][..]), ("fc1.steps", Dtype::I16, &[3])]);
    let (weight, steps) = (model.read(0).unwrap(), model.read(1).unwrap());
    drop((model, input, bytes));
    assert!(memory.contains(&weight.storage().0.as_ptr()), "the host's own bytes came back");
    assert_eq!(weight.to_vec(), [1.5, -2.0, 0.25, 4.0, 5.0, -6.5]);
    assert_eq!(steps.to_vec(), [7.0, -8.0, 900.0]);
    let file = folder.path().join("on-disk.egraw");
    fs::write(&file, small()).unwrap();
    let mut registry = Registry::new();
    registry.add(plugin);
    let opened = registry.open(&Input::path(&file), None).unwrap();
    assert_eq!((opened.loader.as_str(), opened.file.read(1).unwrap().to_vec()[2]), ("egraw", 900.0));
}

#[test]
fn the_c_example_refuses_hostile_files_with_line_and_reason() {
    let (_folder, plugin) = egraw();
    let cut = small().len() - 1;
    let lines = |lines: &str| format!("egraw 1\n{lines}\n\n").into_bytes();
    for (bytes, words) in [
        (small()[..cut].to_vec(), "line 3: 'fc1.steps' needs 6 bytes, 5 are left in the file"),
        ([small(), vec![0, 0]].concat(), "to end with its last tensor, found 2 more bytes"),
        (
            small()[..20].to_vec(),
            "expected an empty line at the end of a header of text, found none before byte 20",
        ),
        (b"egraw 2\n\n".to_vec(), "expected a first line 'egraw 1'"),
        (lines("w f32 99999999x99999999x99999999"), "line 2: a shape larger than any memory"),
        (lines("w f32 99999999999999999999999"), "line 2: a shape larger than any memory"),
        (lines("w f32 1000000x1000000"), "line 2: 'w' needs 4000000000000 bytes, 0 are left in the file"),
        (lines("w f32 0x9223372036854775807"), "line 2: a shape larger than any memory"),
        (lines("w f32 1x1x1x1x1x1x1x1x1"), "line 2: a shape of more than 8 axes"),
        (lines("w f32 -3"), "line 2: a shape is decimal numbers"),
        (lines("w f32 3x"), "line 2: a shape is decimal numbers"),
        (lines("w c64 3"), "line 2: expected a type of f64 f32"),
        (lines("w f32"), "line 2: expected three words"),
        (lines(" f32 0"), "line 2: the name is empty"),
        (lines(&format!("{} f32 0", "n".repeat(256))), "line 2: a name of more than 255 bytes"),
        ([b"egraw 1\n".to_vec(), vec![b'a'; 2 << 20]].concat(), "found none before byte 1048576"),
        (b"egraw 1\nw f32\0 0\n\n".to_vec(), "found none before byte 13"),
    ] {
        let error = refused(&plugin, "bad.egraw", &bytes);
        assert!(matches!(&*error.refusal, Refusal::Malformed(_)), "{error}");
        assert!(error.to_string().starts_with("bad.egraw: "), "{error}");
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    let latin1 = [&b"egraw 1\ncaf\xe9 f32 2\n\n"[..], &[0; 8]].concat();
    let error = refused(&plugin, "bad.egraw", &latin1);
    assert!(error.to_string().contains("tensor_info(0): name: text that is not UTF-8"), "{error}");
    let error = refused(&plugin, "bad.egraw", &lines("w f32 0\nw f32 0"));
    assert!(error.to_string().contains("it lists two tensors of this name"), "{error}");
    let empty = open(&plugin, "none.egraw", b"egraw 1\n\n").unwrap();
    assert!(empty.tensors().is_empty());
    let none = open(&plugin, "none.egraw", &lines("w f32 0x7")).unwrap();
    assert_eq!((none.tensors()[0].shape.as_slice(), none.read(0).unwrap().to_vec().len()), (&[0, 7][..], 0));
}

/// Truncated and flipped copies by the thousand.
#[test]
fn the_examples_keep_their_promises_through_the_border() {
    let ((_c, egraw), (_cpp, csvw)) = (egraw(), csvw());
    for (plugin, name, bytes) in
        [(egraw, "small.egraw", small()), (csvw, "small.csvw", b"1,2.5,-3\n4,5e2,6\n".to_vec())]
    {
        let summary = testkit::check(&*plugin, &Input::bytes(name, bytes))
            .unwrap_or_else(|failures| panic!("{failures:#?}"));
        assert!(summary.flips > 100, "{}", summary.flips);
    }
}

#[test]
fn the_cpp_example_reads_a_matrix_in_text() {
    let (_folder, plugin) = csvw();
    let model = open(&plugin, "m.csvw", b"1, 2.5,-3\r\n4,5e2,0x10\n").unwrap();
    let info = &model.tensors()[0];
    assert_eq!((info.name.as_str(), info.dtype, info.shape.as_slice()), ("weight", Dtype::F64, &[2, 3][..]));
    let tensor = model.read(0).unwrap();
    assert_eq!(model.read(0).unwrap().to_vec(), tensor.to_vec(), "repeatable");
    drop(model);
    assert_eq!(tensor.to_vec(), [1.0, 2.5, -3.0, 4.0, 500.0, 16.0]);
}

#[test]
fn what_the_cpp_example_throws_is_an_error_with_the_exceptions_message() {
    let (_folder, plugin) = csvw();
    let ragged = refused(&plugin, "m.csvw", b"1,2\n3,4,5\n");
    assert!(matches!(&*ragged.refusal, Refusal::Malformed(_)));
    let words = "row 2: expected 2 numbers as in the first row, found 3";
    assert!(ragged.to_string().contains(words), "{ragged}");
    let read = |bytes: &[u8]| open(&plugin, "m.csvw", bytes).unwrap().read(0).unwrap_err();
    let word = read(b"1,2\n3,four\n");
    assert!(matches!(&*word.refusal, Refusal::Malformed(_)));
    let words = "row 2: column 2: expected a number, found 'four'";
    assert!(word.to_string().contains(words) && word.to_string().contains("tensor 'weight'"), "{word}");
    assert!(read(b"1,2 3\n").to_string().contains("found '2 3'"));
    assert!(read(b"1,caf\xe9\n").to_string().contains("found 'caf\u{fffd}'"));
    // The std::out_of_range of std::stod, which the example leaves to the header.
    let range = read(b"1,1e999\n");
    assert!(matches!(&*range.refusal, Refusal::Loader(what) if what == "stod"), "{range}");
    assert_eq!(open(&plugin, "m.csvw", b"7\n").unwrap().read(0).unwrap().to_vec(), [7.0], "it goes on");
}

#[test]
fn a_table_that_is_not_right_is_refused_when_the_library_is_loaded() {
    for (table, reason) in [
        ("SHORT", "its loader could not be made: egs_loader.struct_size: expected at least 104, found 16"),
        ("NO_READ", "its loader could not be made: egs_loader.tensor_read is NULL"),
        ("UNKNOWN_FLAGS", "its loader could not be made: egs_loader.flags: unknown bits 0x6"),
        ("UNNAMED", "its loader could not be made: egs_loader.name is empty"),
        (
            "OTHER_ABI",
            "built for another plugin interface; rebuild it with this host's SDK. The loader is made for plugin ABI 2.0, this \
             host has 1.0",
        ),
        (
            "DECLINES",
            "built for another plugin interface; rebuild it with this host's SDK. It declines to work with plugin ABI 1.0",
        ),
    ] {
        let folder = liar(table, "");
        let mut found = Search { folders: vec![folder.path().into()], ..Search::default() }.discover();
        let plugin = Arc::clone(found.plugins().next().unwrap());
        found.verify();
        let State::Refused(refused) = &found.candidates[0].state else { panic!("{table}: {found}") };
        assert_eq!(refused.to_string(), reason);
        let error = self::refused(&plugin, "a.liar", b"fine").to_string();
        assert!(error.ends_with(reason), "{error}");
        let library = folder.path().join("plugin.so");
        let found = Search { explicit: vec![library], ..Search::default() }.discover();
        assert_eq!(found.candidates[0].state, State::Refused(refused.clone()), "without its manifest too");
    }
}

#[test]
fn what_contradicts_itself_is_refused_and_given_back() {
    let folder = liar("RIGHT", "");
    let plugin = found_in(folder.path());
    let loader_failed = |error: &SourceError| matches!(&*error.refusal, Refusal::Loader(_));
    for (mode, words) in [
        ("negative", "tensor_info(0): 'w': a negative extent in [2, -3]"),
        ("rank", "tensor_info(0): 'w': ndim 9 (0 to 8 with a shape)"),
        ("pointer", "tensor_info(0): 'w': ndim 2 (0 to 8 with a shape)"),
        ("type", "tensor_info(0): 'w': dtype 99 is not known"),
        ("unnamed", "tensor_info(0): the name is empty"),
        ("twice", "it lists two tensors of this name"),
        ("nothing", "open succeeded without a model"),
        ("code", "status 77 (a status of its own) without a message"),
    ] {
        let error = refused(&plugin, "a.liar", mode.as_bytes());
        assert!(loader_failed(&error) && error.to_string().contains(words), "{mode}: {error}");
    }
    let count = refused(&plugin, "a.liar", b"count");
    assert!(matches!(&*count.refusal, Refusal::TooLarge { limit: 1_048_576, .. }), "{count}");
    assert!(refused(&plugin, "a.liar", b"latin1").to_string().ends_with("caf\u{fffd}"));
    for (mode, words) in [
        ("turned", "it lists f32 of shape [2, 3] and reads f32 of shape [3, 2]"),
        ("integers", "it lists f32 of shape [2, 3] and reads i32 of shape [2, 3]"),
        (
            "huge",
            "it lists f32 of shape [9223372036854775807, 9223372036854775807] and reads f32 of shape [2, 3]",
        ),
        ("far", "lead out of the address space"),
        ("null", "data is NULL, but shape [2, 3] has elements"),
        ("nowhere", "tensor_read succeeded without a tensor"),
    ] {
        let error = open(&plugin, "a.liar", mode.as_bytes()).unwrap().read(0).unwrap_err();
        assert!(loader_failed(&error) && error.to_string().contains(words), "{mode}: {error}");
    }
    for (mode, words) in
        [("cuda", "found DLPack device type 2"), ("dlpack", "expected major version 1, found 2.0")]
    {
        let error = open(&plugin, "a.liar", mode.as_bytes()).unwrap().read(0).unwrap_err();
        assert!(
            matches!(&*error.refusal, Refusal::Unsupported(what) if what.contains(words)),
            "{mode}: {error}"
        );
    }
    let model = open(&plugin, "a.liar", b"fine").unwrap();
    let beyond = model.read(1).unwrap_err().to_string();
    assert_eq!(beyond, "a.liar: missing: tensor 1 of 1");
    let tensor = model.read(0).unwrap();
    drop(model);
    assert_eq!(tensor.to_vec(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    // Seven lists, eight reads and this one were opened; the tensor still holds its model.
    let balance = || refused(&plugin, "a.liar", b"balance").to_string();
    assert!(balance().ends_with("opened 16 closed 15 lent 8 returned 7"), "{}", balance());
    std::thread::spawn(move || drop(tensor)).join().unwrap();
    assert!(balance().ends_with("opened 16 closed 16 lent 8 returned 8"), "{}", balance());
}

#[test]
fn the_rules_for_rust_plugins_hold_for_c_plugins() {
    let folder = liar("RIGHT", "deepbind = true\nprobe = \"library\"");
    let plugin = found_in(folder.path());
    let probe = |bytes: &[u8]| plugin.probe(&Input::bytes("a.liar", bytes.to_vec()).glimpse().unwrap());
    assert_eq!(
        (probe(b"sure"), probe(b"less"), probe(b"fine")),
        (100, 0, 50),
        "asked, and kept within bounds"
    );
    let search = || Search { explicit: vec![folder.path().into()], ..Search::default() };
    let taken = Search { taken: vec!["liar".to_owned()], ..search() }.discover();
    assert!(matches!(taken.candidates[0].state, State::Refused(Reason::DuplicateName { .. })), "{taken}");

    let library = folder.path().join("plugin.so");
    let alone = Search { explicit: vec![library.clone()], ..Search::default() }.discover();
    let candidate = &alone.candidates[0];
    assert_eq!((&candidate.state, candidate.abi), (&State::Loaded, Some(Abi::CV1)));
    assert_eq!((candidate.name.as_deref(), candidate.version.as_deref()), (Some("liar"), Some("1.2.3")));
    assert_eq!(candidate.formats[0].extensions, ["liar", "lie"]);

    fs::write(folder.path().join("plugin.toml"), {
        support::manifest("honest", "plugin.so", "").replace("rust-v1", "c-v1")
    })
    .unwrap();
    let mut found = search().discover();
    found.verify();
    let expected = Reason::WrongName { manifest: "honest".to_owned(), library: "liar".to_owned() };
    assert_eq!(found.candidates[0].state, State::Refused(expected));
    fs::write(folder.path().join("plugin.toml"), support::manifest("liar", "plugin.so", "")).unwrap();
    let mut found = search().discover();
    found.verify();
    let expected = Reason::NotAPlugin { symbol: "egs_loader_plugin_v1".to_owned() };
    assert_eq!(found.candidates[0].state, State::Refused(expected), "the manifest decides");
    fs::set_permissions(&library, fs::Permissions::from_mode(0o777)).unwrap();
    let found = search().discover();
    assert!(matches!(found.candidates[0].state, State::Refused(Reason::WorldWritable { .. })), "{found}");
}

#[test]
fn a_library_without_the_entry_point_is_no_c_plugin() {
    let folder = TempDir::new().unwrap();
    support::place(&support::npy(), &folder.path().join("plugin.so"));
    let manifest = support::manifest("npy", "plugin.so", "").replace("rust-v1", "c-v1");
    fs::write(folder.path().join("plugin.toml"), manifest).unwrap();
    let plugin = found_in(folder.path());
    assert_eq!(plugin.load(), Err(Reason::NotAPlugin { symbol: "egs_plugin_entry_v1".to_owned() }));
}

#[test]
#[cfg(target_os = "linux")]
fn a_c_plugin_is_never_unloaded() {
    let (folder, plugin) = egraw();
    plugin.load().unwrap();
    let library = folder.path().join("libeigenscope_egraw.so");
    drop(plugin);
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    assert!(maps.contains(library.to_str().unwrap()));
}

static RECORDS: Mutex<Vec<(log::Level, String, String)>> = Mutex::new(Vec::new());

struct Recorder;

impl log::Log for Recorder {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let entry = (record.level(), record.target().to_owned(), record.args().to_string());
        RECORDS.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        // A host's logger may panic; that must not unwind into C.
        assert!(!record.args().to_string().starts_with("logged"), "panic in the host's logger");
    }

    fn flush(&self) {}
}

#[test]
fn what_a_c_plugin_logs_reaches_the_process_or_whoever_listens() {
    log::set_logger(&Recorder).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let folder = liar("RIGHT", "");
    let plugin = found_in(folder.path());
    open(&plugin, "a.liar", b"logged here").unwrap();
    let logged = |text: &str| {
        let records = RECORDS.lock().unwrap_or_else(PoisonError::into_inner);
        records
            .iter()
            .filter(|(level, target, what)| {
                (*level, target.as_str(), what.as_str()) == (log::Level::Warn, "plugin", text)
            })
            .count()
    };
    assert_eq!(logged("logged here"), 1);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    plugin.log_to(Arc::new(move |level, text| listener.lock().unwrap().push((level, text.to_owned()))));
    open(&plugin, "a.liar", b"logged there").unwrap();
    assert_eq!(
        (logged("logged there"), heard.lock().unwrap().clone()),
        (0, vec![(2, "logged there".to_owned())])
    );
}
