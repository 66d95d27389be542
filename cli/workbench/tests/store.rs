//! The store: what is kept, what is damaged, who writes at the same time.
#![allow(missing_docs)]

use std::fs;
use std::path::Path;
use std::thread;

use eigenscope_workbench::store::{
    Better, Draft, Layers, Name, Quality, QualityRow, Source, Store, StoreError,
};
use serde_json::{Map, json};
use tempfile::TempDir;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn draft(text: &str, alpha: f64, rows: usize) -> Draft {
    let mut summary = Map::new();
    summary.insert("alpha".to_owned(), json!(alpha));
    let lines: String = (0..rows).map(|i| format!("{i},layer{i},success,{alpha:?}\n")).collect();
    Draft {
        name: name(text),
        series: Some("sizes".to_owned()),
        tags: vec!["cifar".to_owned()],
        tool: "eigenscope 0.1.0".to_owned(),
        conventions: Some("default".to_owned()),
        options: Some(json!({"min_evals": 8, "finger_thresh": 1.0})),
        source: Some(Source { path: "a.pt".to_owned(), sha256: "00".to_owned(), bytes: 5, files: 1 }),
        base: None,
        model: Map::new(),
        summary,
        layers: Layers { analyzed: rows, failed: 0, skipped: 1 },
        details: format!("layer_id,name,status,alpha\n{lines}").into_bytes(),
    }
}

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path().join("zoo")).unwrap();
    (folder, store)
}

fn files(place: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(place).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_entry_comes_back_as_it_was_stored() {
    let (_folder, store) = store();
    let wrote = store.add(draft("ResNet/20", 0.1 + 0.2, 3)).unwrap();
    let read = store.entry(&name("ResNet/20")).unwrap().unwrap();
    assert_eq!(read, wrote);
    assert_eq!(read.mean("alpha"), Some(0.1 + 0.2));
    assert_eq!((read.series.as_deref(), read.tags.as_slice()), (Some("sizes"), &["cifar".to_owned()][..]));
    let (details, _) = store.details(&read).unwrap();
    assert_eq!((details.len(), details.mean("alpha")), (3, Some(0.1 + 0.2)));
    let source = |sha: &str| Source { sha256: sha.to_owned(), ..read.source.clone().unwrap() };
    let options = json!({"min_evals": 8, "finger_thresh": 1.0});
    assert!(read.is_of(&source("00"), None, &options));
    assert!(!read.is_of(&source("01"), None, &options));
    assert!(!read.is_of(&source("00"), Some(&source("00")), &options));
    assert!(!read.is_of(&source("00"), None, &json!({"min_evals": 9, "finger_thresh": 1.0})));
}

#[test]
fn entries_are_listed_in_the_order_of_their_numbers() {
    let (_folder, store) = store();
    for n in ["ResNet/110", "ResNet/20", "VGG/16_bn", "ResNet/56", "VGG/16"] {
        store.add(draft(n, 3.0, 1)).unwrap();
    }
    let names: Vec<String> = store.list(true).unwrap().entries.iter().map(|e| e.name.to_string()).collect();
    assert_eq!(names, ["ResNet/20", "ResNet/56", "ResNet/110", "VGG/16", "VGG/16_bn"]);
}

#[test]
fn a_result_of_the_same_name_replaces_the_other_and_keeps_its_quality() {
    let (_folder, store) = store();
    let quality = |value| {
        let quality = Quality::new("top1", value, None).unwrap();
        QualityRow { name: name("ResNet/20"), quality }
    };
    let waiting = store.attach(&[quality(91.0)]).unwrap();
    assert_eq!((waiting.attached, waiting.waiting), (0, vec![name("ResNet/20")]));
    assert_eq!(store.list(true).unwrap().entries, []);
    store.add(draft("ResNet/20", 3.0, 2)).unwrap();
    assert_eq!(store.attach(&[quality(91.73)]).unwrap().attached, 1);
    store.add(draft("ResNet/20", 4.0, 5)).unwrap();
    let entry = store.entry(&name("ResNet/20")).unwrap().unwrap();
    assert_eq!((entry.mean("alpha"), entry.quality("top1")), (Some(4.0), Some((91.73, Better::Higher))));
    let files = files(&store.place(&name("ResNet/20")));
    assert_eq!(files, [entry.details.file.as_str(), "entry.json", "quality.json"]);
}

#[test]
fn removing_takes_the_entry_and_its_quality() {
    let (_folder, store) = store();
    store.add(draft("ResNet/20", 3.0, 2)).unwrap();
    store.add(draft("ResNet/56", 3.0, 2)).unwrap();
    store.remove(&name("ResNet/20")).unwrap();
    assert!(matches!(store.remove(&name("ResNet/20")), Err(StoreError::NoEntry(_))));
    assert_eq!(store.list(true).unwrap().entries.len(), 1);
}

#[test]
fn damage_is_told_and_costs_one_entry() {
    let (_folder, store) = store();
    for n in ["a/whole", "a/cut", "a/gone", "a/garbled", "a/changed", "a/moved", "a/quality", "a/path"] {
        store.add(draft(n, 3.0, 4)).unwrap();
    }
    let place = |n: &str| store.place(&name(n));
    let details = |n: &str| place(n).join(store.entry(&name(n)).unwrap().unwrap().details.file);
    let text = fs::read(details("a/cut")).unwrap();
    fs::write(details("a/cut"), &text[..30]).unwrap();
    fs::remove_file(details("a/gone")).unwrap();
    fs::write(place("a/garbled").join("entry.json"), "{\"version\": 1, \"arch").unwrap();
    let mut other = fs::read(details("a/changed")).unwrap();
    other[40] ^= 1;
    fs::write(details("a/changed"), other).unwrap();
    fs::rename(place("a/moved"), place("a/other")).unwrap();
    fs::write(place("a/quality").join("quality.json"), "[{}]").unwrap();
    let entry = fs::read_to_string(place("a/path").join("entry.json")).unwrap();
    let entry = entry.replace("\"details-", "\"details-/../../../");
    fs::write(place("a/path").join("entry.json"), entry).unwrap();

    let listing = store.list(true).unwrap();
    assert_eq!(listing.entries.iter().map(|e| e.name.to_string()).collect::<Vec<_>>(), ["a/whole"]);
    let reason = |n: &str| {
        let place = store.place(&name(n));
        listing.damaged.iter().find(|d| d.path == place).map(|d| d.reason.clone()).unwrap()
    };
    assert!(reason("a/cut").ends_with(" bytes, found 30"), "{}", reason("a/cut"));
    assert!(reason("a/gone").contains("No such file"), "{}", reason("a/gone"));
    assert!(reason("a/garbled").starts_with("entry.json: EOF"), "{}", reason("a/garbled"));
    assert!(reason("a/changed").contains("expected SHA-256"), "{}", reason("a/changed"));
    assert!(reason("a/other").contains("is of a/moved"), "{}", reason("a/other"));
    assert!(reason("a/quality").starts_with("quality.json: "), "{}", reason("a/quality"));
    assert!(reason("a/path").contains("expected a file details-*.csv"), "{}", reason("a/path"));
    // Only the hash tells that a byte was changed.
    assert_eq!(store.list(false).unwrap().damaged.len(), 6);
    // A damaged entry can be written anew.
    store.add(draft("a/garbled", 2.0, 4)).unwrap();
    assert_eq!(store.entry(&name("a/garbled")).unwrap().unwrap().mean("alpha"), Some(2.0));
}

#[test]
fn a_folder_with_something_else_in_it_becomes_no_store() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::NoStore { .. })));
    fs::write(folder.path().join(".writing-x"), "left behind by a killed process").unwrap();
    Store::create(folder.path()).unwrap();
    Store::open(folder.path()).unwrap();
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("thesis.tex"), "").unwrap();
    assert!(matches!(Store::create(other.path()), Err(StoreError::NotEmpty { .. })));
    fs::write(folder.path().join("eigenscope-store.json"), "{\"version\": 2}").unwrap();
    assert!(matches!(Store::create(folder.path()), Err(StoreError::Version { .. })));
}

#[test]
fn writers_and_readers_at_the_same_time_see_whole_entries_only() {
    let (_folder, store) = store();
    thread::scope(|scope| {
        for writer in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..15 {
                    let alpha = f64::from(writer * 100 + round);
                    // All write the same entry, and each its own.
                    store.add(draft("shared/one", alpha, 20)).unwrap();
                    store.add(draft(&format!("own/{writer}-{round}"), alpha, 20)).unwrap();
                    let quality = Quality::new(&format!("q{writer}"), alpha, None).unwrap();
                    store.attach(&[QualityRow { name: name("shared/one"), quality }]).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..60 {
                let listing = store.list(true).unwrap();
                assert_eq!(listing.damaged, []);
                for entry in &listing.entries {
                    if entry.name != name("shared/one") {
                        let (details, _) = store.details(entry).unwrap();
                        assert_eq!(details.mean("alpha"), entry.mean("alpha"));
                    }
                }
            }
        });
    });
    let listing = store.list(true).unwrap();
    assert_eq!((listing.entries.len(), listing.damaged), (61, vec![]));
    let shared = store.entry(&name("shared/one")).unwrap().unwrap();
    let mut qualities: Vec<&str> = shared.quality.iter().map(|q| q.metric.as_str()).collect();
    qualities.sort_unstable();
    assert_eq!(qualities, ["q0", "q1", "q2", "q3"]);
    assert_eq!(files(&store.place(&name("shared/one"))).len(), 3);
}
