//! Which libtorch this process holds.
//!
//! The dynamic linker takes a library that is loaded already over the one the plugin was built with, where their names are
//! the same. Two programs would then share one libtorch, its thread count and its registries, and of another version half
//! its functions; so the plugin refuses to work there.

use std::path::{Path, PathBuf};

use eigenscope_plugin::source::Refusal;

/// Libraries of which a process should have one.
const FAMILY: [&str; 3] = ["libtorch_cpu.so", "libtorch.so", "libc10.so"];
/// Where the plugin looks for them.
const RPATH: &str = env!("EIGENSCOPE_TORCH_FOUND");

/// Refuses where a libtorch other than the plugin's is in the process.
pub fn check() -> Result<(), Refusal> {
    // Where there is no such file, as on macOS, nothing is known and nothing refused.
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return Ok(()) };
    match foreign(&maps, &folder(&maps)) {
        None => Ok(()),
        Some((found, own)) => Err(Refusal::Unsupported(format!(
            "a second libtorch in this process, which holds {} while the plugin was built with {}; analyse the file in a \
             process without the other, for example with the eigenscope command",
            found.display(),
            own.display()
        ))),
    }
}

/// A loaded library of the family that does not lie in `folder`, and the one there should be.
fn foreign(maps: &str, folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let other = |family: &str, path: &Path| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix(family).filter(|version| version.is_empty() || version.starts_with('.'))?;
        let own = folder.join(name);
        (real(&own) != real(path)).then(|| (path.to_owned(), own))
    };
    let paths = || maps.lines().filter_map(path_of).map(Path::new);
    FAMILY.iter().find_map(|family| paths().find_map(|path| other(family, path)))
}

/// `$ORIGIN` is the folder of the library that this function lies in.
fn folder(maps: &str) -> PathBuf {
    let Some(rest) = RPATH.strip_prefix("$ORIGIN") else { return PathBuf::from(RPATH) };
    let here = check as *const () as usize;
    let own = maps.lines().find(|line| {
        let bounds = line.split(' ').next().and_then(|range| range.split_once('-'));
        let number = |text| usize::from_str_radix(text, 16).unwrap_or(0);
        bounds.is_some_and(|(from, to)| (number(from)..number(to)).contains(&here))
    });
    let origin = own.and_then(path_of).and_then(|path| Path::new(path).parent()).unwrap_or(Path::new("."));
    origin.join(rest.trim_start_matches('/'))
}

/// The file of a mapping; the path is the rest of the line from its first slash.
fn path_of(line: &str) -> Option<&str> {
    line.find('/').map(|at| &line[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_libtorch_is_foreign() {
        let maps = "7f00-7f10 r-xp 00000000 08:01 1 /usr/lib/libc.so.6\n\
                    7f10-7f20 r-xp 00000000 08:01 2 /opt/mine/lib/libtorch_cpu.so\n\
                    7f20-7f30 rw-p 00000000 00:00 0 [heap]\n\
                    7f30-7f40 r-xp 00000000 08:01 3 /opt/libtorch_cpu.so.d/libtorch_cpuinfo.so\n";
        let own = Path::new("/opt/mine/lib");
        assert_eq!(foreign(maps, own), None);
        let with = format!("{maps}7f40-7f50 r-xp 00000000 08:01 4 /a b/torch/lib/libtorch_cpu.so.2\n");
        let (found, expected) = foreign(&with, own).unwrap();
        assert_eq!(found, Path::new("/a b/torch/lib/libtorch_cpu.so.2"));
        assert_eq!(expected, Path::new("/opt/mine/lib/libtorch_cpu.so.2"));
    }

    #[test]
    fn the_process_of_this_test_holds_the_libtorch_it_was_linked_with() {
        check().unwrap();
    }
}
