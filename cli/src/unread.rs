//! What would read what no loader here reads: the closest format, plugins that were passed over, plugins to build.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use eigenscope::source::{Glimpse, Input};
use eigenscope_host::{Candidate, Discovery, Reason, State};

use crate::failure::Failure;
use crate::hint::{MAX_NAMES, did_you_mean, near};
use crate::loaders::Loaders;

/// Plugins of this project that are not built in: name, extensions, how they are built.
const TO_BUILD: [(&str, &[&str], &str); 2] = [
    ("torch", &["jit", "ts", "torchscript"], "`plugins/torch/build.sh DIR`"),
    ("npy", &["npy", "npz"], "`cargo build --release` in examples/plugin-npy"),
];
/// Folders in a folder that are looked into.
const MAX_FOLDERS: usize = 64;
/// The directory of a zip archive is at its end; that of a module with thousands of tensors fits.
const TAIL: u64 = 1 << 20;

/// `--loader` names none.
pub fn no_loader(name: &str, names: &[&str], found: &Discovery) -> Failure {
    let failure = Failure::new(format!("no loader is called '{name}'")).usage();
    let mut hints = passed_over(found, |c| c.name.as_deref() == Some(name));
    hints.extend(TO_BUILD.iter().filter(|(n, ..)| *n == name).map(|(name, _, how)| build(name, how)));
    if hints.is_empty() {
        hints.extend(did_you_mean(&near(name, names.iter().copied())));
    }
    hints.push(format!("there are: {}", names.join(", ")));
    hints.into_iter().fold(failure, Failure::hint)
}

/// A file that no loader recognises.
pub fn file(glimpse: &Glimpse, loaders: &Loaders) -> Vec<String> {
    let mut hints = passed_over(&loaders.found, |_| true);
    hints.extend(closest(&glimpse.extension(), loaders));
    hints.push("`--loader NAME` reads it with that loader anyway".to_owned());
    hints.push("`eigenscope plugins` lists plugins, and the places where they are looked for".to_owned());
    hints
}

/// The loader, here or to be built, whose extensions are most like this one.
fn closest(extension: &str, loaders: &Loaders) -> Option<String> {
    let here =
        loaders.registry.loaders().iter().flat_map(|l| l.extensions().iter().map(|e| (l.name(), *e, None)));
    let to_build = TO_BUILD.iter().flat_map(|(name, es, how)| es.iter().map(|e| (*name, *e, Some(*how))));
    let known: Vec<(&str, &str, Option<&str>)> = here.chain(to_build).collect();
    let nearest = *near(extension, known.iter().map(|(_, e, _)| *e)).first()?;
    let (name, _, how) = known.iter().find(|(_, e, _)| *e == nearest)?;
    Some(match how {
        Some(how) => build(name, how),
        None => format!("the closest is {name} (.{nearest})"),
    })
}

/// A folder in which no loader finds a model: files and folders in it that might be meant.
pub fn folder(path: &Path, entries: &[String], loaders: &Loaders) -> Vec<String> {
    let extensions = || loaders.registry.loaders().iter().flat_map(|l| l.extensions());
    let readable = |name: &&&str| extensions().any(|e| name.to_lowercase().ends_with(&format!(".{e}")));
    let names = || entries.iter().map(String::as_str);
    let files: Vec<&str> =
        names().collect::<Vec<_>>().iter().filter(readable).take(MAX_NAMES).copied().collect();
    if !files.is_empty() {
        return vec![format!("name one of its files: {}", files.join(", "))];
    }
    let is_model = |name: &&str| {
        let glimpse = Input::path(path.join(name)).glimpse();
        glimpse.is_ok_and(|g| loaders.registry.loaders().iter().any(|l| l.probe(&g) > 0))
    };
    let folders = names().filter(|n| path.join(n).is_dir()).take(MAX_FOLDERS);
    let folders: Vec<String> =
        folders.filter(is_model).take(MAX_NAMES).map(|n| path.join(n).display().to_string()).collect();
    if !folders.is_empty() {
        return vec![format!("name folders in it; each gets a report: {}", folders.join(" "))];
    }
    passed_over(&loaders.found, |_| true)
}

/// What opens a TorchScript module that the reader of weights does not understand: libtorch, which runs its code.
pub fn torchscript(path: &Path, glimpse: &Glimpse, loaders: &Loaders) -> Option<String> {
    let (name, extensions, how) = TO_BUILD[0];
    if !extensions.contains(&glimpse.extension().as_str()) && !is_torchscript(path) {
        return None;
    }
    if loaders.registry.loaders().iter().any(|l| l.name() == name) {
        return Some(format!("a TorchScript module? `--loader {name}` opens it with libtorch"));
    }
    Some(format!(
        "a TorchScript module? libtorch may open it: {how} builds its plugin, `--plugin-dir DIR` uses it"
    ))
}

/// Whether the zip archive has the table of constants that TorchScript writes and `torch.save` does not.
fn is_torchscript(path: &Path) -> bool {
    let tail = || {
        let mut file = File::open(path).ok()?;
        let size = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(TAIL))).ok()?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail).ok()?;
        Some(tail)
    };
    let sign = b"/constants.pkl";
    tail().is_some_and(|tail| tail.windows(sign.len()).any(|w| w == sign))
}

fn build(name: &str, how: &str) -> String {
    format!("the plugin '{name}' is not here: {how} builds it, `--plugin-dir DIR` uses it (docs/plugins.md)")
}

/// Plugins that were passed over, and why; not those that gave way to another of their name.
fn passed_over(found: &Discovery, wanted: impl Fn(&Candidate) -> bool) -> Vec<String> {
    let refused = found.candidates.iter().filter(|c| wanted(c)).filter_map(|c| match &c.state {
        State::Refused(Reason::DuplicateName { .. }) => None,
        State::Refused(reason) => Some((c, reason)),
        _ => None,
    });
    let words = refused.map(|(c, reason)| format!("plugin {} was passed over: {reason}", c.path.display()));
    words.take(MAX_NAMES).collect()
}
