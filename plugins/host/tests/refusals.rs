//! What the host does not load, and the reasons it gives.
#![allow(missing_docs)]
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use eigenscope::source::{Input, Loader};
use eigenscope_host::{Discovery, Reason, Search, State};
use tempfile::TempDir;

fn misfit(feature: &str) -> PathBuf {
    let features = format!("--features={feature}");
    support::build("plugins/host/tests/fixtures/misfit", "misfit", &[&features])
}

fn search(folder: &Path) -> Discovery {
    Search { folders: vec![folder.to_owned()], ..Search::default() }.discover()
}

/// The one reason in the folder, as the search gives it.
fn reason(folder: &Path) -> Reason {
    let found = search(folder);
    assert_eq!(found.plugins().count(), 0, "{found}");
    match &found.candidates[..] {
        [candidate] => match &candidate.state {
            State::Refused(reason) => reason.clone(),
            state => panic!("{state:?}"),
        },
        _ => panic!("{found}"),
    }
}

/// A folder whose library is a copy, so that it may be changed.
fn copied() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plugin.so"), b"\x7fELF, or so it says").unwrap();
    fs::write(folder.path().join("plugin.toml"), support::manifest("test", "plugin.so", "")).unwrap();
    folder
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_anyone_may_write_is_not_loaded() {
    for name in ["plugin.toml", "plugin.so", ""] {
        let folder = copied();
        let path = folder.path().join(name);
        chmod(&path, if name.is_empty() { 0o777 } else { 0o666 });
        let Reason::WorldWritable { path: found } = reason(folder.path()) else { panic!("{name}") };
        assert_eq!(found.canonicalize().unwrap(), path.canonicalize().unwrap());
    }
}

#[test]
fn a_library_must_lie_below_its_manifest() {
    let folder = copied();
    let elsewhere = copied();
    fs::remove_file(folder.path().join("plugin.so")).unwrap();
    symlink(elsewhere.path().join("plugin.so"), folder.path().join("plugin.so")).unwrap();
    assert!(matches!(reason(folder.path()), Reason::OutsideFolder { .. }));
    let up = support::manifest("test", "../plugin.so", "");
    fs::write(folder.path().join("plugin.toml"), up).unwrap();
    assert!(matches!(reason(folder.path()), Reason::BadManifest { .. }));
    fs::write(folder.path().join("plugin.toml"), support::manifest("test", "none.so", "")).unwrap();
    let Reason::MissingLibrary { library } = reason(folder.path()) else { panic!() };
    assert!(library.ends_with("none.so"));
}

#[test]
fn a_manifest_may_be_a_link_to_a_plugin_elsewhere() {
    let plugin = copied();
    let folder = TempDir::new().unwrap();
    symlink(plugin.path().join("plugin.toml"), folder.path().join("linked.toml")).unwrap();
    assert_eq!(search(folder.path()).candidates[0].state, State::Found);
}

#[test]
fn a_library_with_another_digest_is_refused_when_found_and_when_loaded() {
    let folder = copied();
    let digest = eigenscope_host::sha256(&folder.path().join("plugin.so")).unwrap();
    // `printf '\x7fELF, or so it says' | sha256sum`
    assert_eq!(digest, "898f89bd501497ef20caeeb39c09e7f986cc3b713f217d8fbfdccb3aeb649442");
    let text = support::manifest("test", "plugin.so", &format!("sha256 = \"{}\"", digest.to_uppercase()));
    fs::write(folder.path().join("plugin.toml"), text).unwrap();
    let found = search(folder.path());
    assert_eq!(found.candidates[0].state, State::Found);
    fs::write(folder.path().join("plugin.so"), b"something else").unwrap();
    let Reason::Sha256Mismatch { expected, .. } = reason(folder.path()) else { panic!() };
    assert_eq!(expected, digest);
    let plugin = found.plugins().next().unwrap();
    let error = plugin.open(&Input::bytes("a.test", &b"x"[..])).unwrap_err().to_string();
    assert!(error.starts_with("a.test: the loader failed: plugin 'test' ("), "{error}");
    assert!(error.contains("not the one the manifest was written for"), "{error}");
}

#[test]
fn libraries_that_are_no_plugins_are_refused_when_loaded() {
    let text = TempDir::new().unwrap();
    fs::write(text.path().join("plugin.so"), "not a library\n").unwrap();
    fs::write(text.path().join("plugin.toml"), support::manifest("test", "plugin.so", "")).unwrap();
    let verified = |folder: &Path| {
        let mut found = search(folder);
        assert_eq!(found.plugins().count(), 1, "the manifest is in order");
        found.verify();
        assert_eq!(found.plugins().count(), 0);
        let State::Refused(reason) = found.candidates[0].state.clone() else { panic!("{found}") };
        // Named explicitly, the same library is refused at once and for the same reason.
        let explicit = Search { explicit: vec![folder.join("plugin.so")], ..Search::default() }.discover();
        assert_eq!(explicit.candidates[0].state, State::Refused(reason.clone()));
        reason
    };
    let Reason::NotLoadable { detail } = verified(text.path()) else { panic!() };
    assert!(detail.contains("invalid ELF header") || detail.contains("file too short"), "{detail}");
    let installed = |feature| support::install(&misfit(feature), "test", "");
    let reason = verified(installed("").path());
    assert_eq!(reason, Reason::NotAPlugin { symbol: "egs_loader_plugin_v1".to_owned() });
    let c = installed("c");
    let mut found = search(c.path());
    found.verify();
    assert_eq!(
        found.candidates[0].state,
        State::Refused(reason),
        "the manifest decides, not what else is exported"
    );
    for (feature, words) in [
        ("garbage", "When this library expected"),
        ("layout", "LoaderPluginV1"),
        ("version", "library:2.0.0"),
        ("unchecked", "without the layouts"),
    ] {
        let Reason::WrongInterface { report } = verified(installed(feature).path()) else {
            panic!("{feature}")
        };
        assert!(report.contains(words), "{feature}: {report}");
    }
}

#[test]
fn a_library_with_another_name_than_its_manifest_is_refused() {
    let folder = support::install(&support::npy(), "impostor", "");
    let mut found = search(folder.path());
    found.verify();
    let expected = Reason::WrongName { manifest: "impostor".to_owned(), library: "npy".to_owned() };
    assert_eq!(found.candidates[0].state, State::Refused(expected));
}

#[test]
fn the_first_plugin_of_a_name_wins_and_the_host_comes_before_all() {
    let (first, second) = (copied(), copied());
    let mut search = Search {
        explicit: vec![second.path().join("plugin.toml")],
        folders: vec![first.path().into()],
        ..Search::default()
    };
    let found = search.discover();
    assert_eq!(found.candidates[0].state, State::Found);
    let Reason::DuplicateName { name, first } = refused(&found, 1) else { panic!() };
    assert_eq!(
        (name.as_str(), first.as_str()),
        ("test", second.path().join("plugin.toml").to_str().unwrap())
    );
    search.taken = vec!["test".to_owned()];
    let found = search.discover();
    assert!(matches!(refused(&found, 0), Reason::DuplicateName { first, .. } if first == "this host itself"));
}

#[test]
fn a_plugin_the_caller_names_takes_a_name_the_host_gives_up() {
    let folder = copied();
    let yielding = vec!["test".to_owned()];
    let named =
        Search { folders: vec![folder.path().into()], yielding: yielding.clone(), ..Search::default() };
    assert_eq!(named.discover().candidates[0].state, State::Found);
    let explicit = vec![folder.path().join("plugin.toml")];
    let named = Search { explicit, yielding, ..Search::default() };
    assert_eq!(named.discover().candidates[0].state, State::Found);
}

fn refused(found: &Discovery, index: usize) -> Reason {
    match &found.candidates[index].state {
        State::Refused(reason) => reason.clone(),
        state => panic!("{state:?}"),
    }
}

#[test]
fn the_report_says_what_was_looked_at_and_why_it_was_passed_over() {
    let folder = copied();
    fs::write(folder.path().join("broken.toml"), "name = ").unwrap();
    fs::write(folder.path().join("huge.toml"), "#".repeat(70_000)).unwrap();
    fs::create_dir(folder.path().join("folder.toml")).unwrap();
    symlink("nowhere", folder.path().join("link.toml")).unwrap();
    let missing = folder.path().join("missing");
    let search = Search { folders: vec![missing, folder.path().into()], ..Search::default() };
    let json = serde_json::to_value(search.discover()).unwrap();
    assert_eq!(json["places"][0]["passed_over"], "No such file or directory (os error 2)");
    assert_eq!(
        (json["places"][1]["origin"].as_str(), json["places"][1]["candidates"].as_u64()),
        (Some("folder"), Some(5))
    );
    let codes: Vec<_> =
        (0..4).map(|i| json["candidates"][i]["state"]["refused"]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["bad-manifest", "not-a-file", "bad-manifest", "unreadable"]);
    let good = &json["candidates"][4];
    assert_eq!(good["state"], "found");
    assert_eq!(
        (&good["name"], &good["version"], &good["abi"]),
        (&"test".into(), &"1.2.3".into(), &"rust-v1".into())
    );
    assert_eq!(good["formats"][0]["extensions"][0], "test");
    let text = search.discover().to_string();
    assert!(text.contains("missing (folder): passed over, No such file"), "{text}");
    assert!(text.contains("broken.toml: refused, not a plugin manifest: TOML parse error"), "{text}");
    assert!(text.contains("plugin.toml: found [Test files]"), "{text}");
}
