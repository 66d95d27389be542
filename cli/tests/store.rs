//! `store` and `analyze --store`: what goes in, what comes out, and what a killed process leaves behind.
#![allow(missing_docs, clippy::print_stdout)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{beside, command, noise, run, small, with_failure, write_model};
use eigenscope_workbench::store::{Name, Store};
use serde_json::Value;
use tempfile::TempDir;

/// Six models in folders of two architectures, and one that is no model.
fn zoo() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (at, name) in ["narrow/1", "narrow/2", "narrow/10", "wide/1", "wide/2", "wide/3"].iter().enumerate() {
        let path = folder.path().join("models").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let width = if name.starts_with("wide") { 40 } else { 20 };
        let seed = at as u64 * 10;
        let layers = [
            noise("first.weight", &[width, 24], seed + 1),
            noise("second.weight", &[width, width], seed + 2),
            noise("third.weight", &[30, width], seed + 3),
        ];
        write_model(&path.with_extension("safetensors"), &layers);
    }
    fs::write(folder.path().join("models/wide/broken.safetensors"), "not a model").unwrap();
    folder
}

fn paths(folder: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for architecture in ["narrow", "wide"] {
        for entry in fs::read_dir(folder.join("models").join(architecture)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            paths.push(format!("models/{architecture}/{name}"));
        }
    }
    paths.sort();
    paths
}

fn analyze(folder: &Path, options: &[&str]) -> common::Ran {
    let paths = paths(folder);
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    run(folder, &[&["analyze", "--store", "zoo"], options, &paths[..]].concat())
}

fn names(folder: &Path) -> Vec<String> {
    let listing = Store::open(folder.join("zoo")).unwrap().list(true).unwrap();
    assert_eq!(listing.damaged, []);
    listing.entries.iter().map(|e| e.name.to_string()).collect()
}

#[test]
fn many_models_go_into_a_store_and_failures_are_told_at_the_end() {
    let folder = zoo();
    let ran = analyze(folder.path(), &["--series", "noise", "--tag", "a", "--tag", "b"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert_eq!(names(folder.path()), ["narrow/1", "narrow/2", "narrow/10", "wide/1", "wide/2", "wide/3"]);
    let last = ran.stdout.lines().last().unwrap();
    assert_eq!(last, "zoo: 6 stored, 0 already there, 1 failed");
    assert!(ran.stdout.contains("/7 wide/broken: failed\n"), "{}", ran.stdout);
    assert!(ran.stderr.starts_with("error: models/wide/broken.safetensors: "), "{}", ran.stderr);

    let entry = run(folder.path(), &["store", "show", "zoo", "wide/2", "--format", "json"]);
    let entry: Value = serde_json::from_str(&entry.stdout).unwrap();
    assert_eq!((&entry["series"], &entry["tags"][1]), (&"noise".into(), &"b".into()));
    assert_eq!((&entry["conventions"], &entry["layers"]["analyzed"]), (&"default".into(), &3.into()));
    assert_eq!(entry["source"]["path"], "models/wide/2.safetensors");
    assert_eq!(entry["source"]["sha256"].as_str().unwrap().len(), 64);

    // What is stored is what a report says.
    let report = run(folder.path(), &["analyze", "models/wide/2.safetensors", "--format", "json"]);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(entry["summary"]["alpha"], report["summary"]["alpha"]);
    assert_eq!(entry["options"], report["options"]);
    let details = run(folder.path(), &["store", "show", "zoo", "wide/2", "--format", "csv"]);
    let csv = run(folder.path(), &["analyze", "models/wide/2.safetensors", "--format", "csv"]);
    assert_eq!(details.stdout, csv.stdout);
}

#[test]
fn what_is_there_is_left_alone_until_files_or_options_change() {
    let folder = zoo();
    fs::remove_file(folder.path().join("models/wide/broken.safetensors")).unwrap();
    let last = |ran: common::Ran| ran.stdout.lines().last().unwrap().to_owned();
    assert_eq!(last(analyze(folder.path(), &[])), "zoo: 6 stored, 0 already there, 0 failed");
    let entry = |name: &str| {
        let name: Name = name.parse().unwrap();
        Store::open(folder.path().join("zoo")).unwrap().place(&name).join("entry.json")
    };
    let before = fs::read(entry("wide/1")).unwrap();
    assert_eq!(last(analyze(folder.path(), &[])), "zoo: 0 stored, 6 already there, 0 failed");
    assert_eq!(fs::read(entry("wide/1")).unwrap(), before);

    write_model(&folder.path().join("models/wide/3.safetensors"), &[noise("a.weight", &[30, 20], 99)]);
    fs::write(entry("narrow/2"), "{").unwrap();
    assert_eq!(last(analyze(folder.path(), &[])), "zoo: 2 stored, 4 already there, 0 failed");
    assert_eq!(
        last(analyze(folder.path(), &["--min-evals", "9"])),
        "zoo: 6 stored, 0 already there, 0 failed"
    );
    assert_eq!(
        last(analyze(folder.path(), &["--min-evals", "9", "--again"])),
        "zoo: 6 stored, 0 already there, 0 failed"
    );
}

#[test]
fn shards_at_the_same_time_do_all_of_the_work_once() {
    let folder = zoo();
    fs::remove_file(folder.path().join("models/wide/broken.safetensors")).unwrap();
    let paths = paths(folder.path());
    let children: Vec<_> = ["1/3", "2/3", "3/3"]
        .iter()
        .map(|shard| {
            let mut command = command(folder.path(), &["analyze", "--store", "zoo", "--shard", shard]);
            command.args(&paths).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let out = child.wait_with_output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert_eq!(text.lines().last().unwrap(), "zoo: 2 stored, 0 already there, 0 failed");
    }
    assert_eq!(names(folder.path()).len(), 6);
    let ran = analyze(folder.path(), &["--shard", "4/3"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("expected I/N with I from 1 to N"), "{}", ran.stderr);
}

#[test]
fn names_are_given_or_come_from_folders_and_two_of_a_kind_are_refused() {
    let folder = small();
    let model = beside(&folder, "model.safetensors");
    fs::create_dir_all(folder.path().join("BERT/base")).unwrap();
    fs::copy(&model, folder.path().join("BERT/base/model.safetensors")).unwrap();
    fs::copy(&model, folder.path().join("with=sign.safetensors")).unwrap();
    let store = |args: &[&str]| run(folder.path(), &[&["analyze", "--store", "zoo"], args].concat());
    let ran = store(&["ResNet/20=model.safetensors", "BERT/base/model.safetensors", "with=sign.safetensors"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let own = folder.path().file_name().unwrap().to_string_lossy().into_owned();
    let mut expected = ["BERT/base".to_owned(), "ResNet/20".to_owned(), format!("{own}/with=sign")];
    expected.sort();
    let mut found = names(folder.path());
    found.sort();
    assert_eq!(found, expected);
    let ran = store(&["A/1=model.safetensors", "A/1=BERT/base"]);
    assert_eq!(
        (ran.status, ran.stderr.lines().next().unwrap()),
        (2, "error: model.safetensors and BERT/base would both be A/1")
    );
    assert_eq!(store(&["A=model.safetensors"]).status, 2);
    assert_eq!(store(&["A/1=missing.safetensors"]).status, 1);
}

#[test]
fn a_model_with_a_failed_layer_is_stored_and_says_so_every_time() {
    let folder = with_failure();
    for word in ["stored", "is there"] {
        let ran = run(folder.path(), &["analyze", "--store", "zoo", "A/1=model.safetensors"]);
        assert_eq!(ran.status, 3);
        assert!(ran.stdout.starts_with(&format!("1/1 A/1: {word}, 1 layer, alpha ")), "{}", ran.stdout);
        assert!(ran.stdout.contains(", 1 layer failed"), "{}", ran.stdout);
    }
}

#[test]
fn reports_qualities_and_results_go_in_and_out() {
    let folder = zoo();
    let go = |args: &[&str]| {
        let ran = run(folder.path(), args);
        assert_eq!(ran.status, 0, "{args:?}\n{}", ran.stderr);
        ran
    };
    for n in ["1", "2", "3"] {
        go(&["analyze", &format!("models/wide/{n}.safetensors"), "-o", "report.json"]);
        let quality = format!("top1={n}.5");
        let source = format!("models/wide/{n}.safetensors");
        let name = format!("wide/{n}");
        go(&[
            "store",
            "add",
            "zoo",
            "report.json",
            "--name",
            &name,
            "--quality",
            &quality,
            "--quality",
            "steps=7:lower",
            "--source",
            &source,
        ]);
    }
    let list = go(&["store", "list", "zoo", "--format", "csv"]).stdout;
    let mut lines = list.lines();
    assert!(lines.next().unwrap().starts_with("architecture,variant,series,tags,layers,failed,tool,"));
    assert!(lines.next().unwrap().ends_with(",7.0,1.5"), "{list}");
    let text = go(&["store", "show", "zoo", "wide/1"]).stdout;
    assert!(text.contains("quality  top1 1.5 (higher is better), steps 7 (lower is better)"), "{text}");

    fs::write(
        beside(&folder, "loss.csv"),
        "architecture,variant,loss\nwide,1,3\nwide,2,2\nwide,3,1\nwide,9,0\n",
    )
    .unwrap();
    let ran = go(&["store", "quality", "zoo", "loss.csv"]);
    assert_eq!(ran.stdout, "zoo: 3 numbers of quality attached\n");
    assert!(ran.stderr.contains("no entry yet, kept until there is one: wide/9"), "{}", ran.stderr);

    go(&["store", "export", "zoo", "out", "wide/1", "wide/3"]);
    let ran =
        go(&["store", "import", "again", "out", "--tool", "WeightWatcher 0.7.7", "--quality", "loss.csv"]);
    assert!(ran.stdout.starts_with("again: 2 of 2 results imported\n"), "{}", ran.stdout);
    let show = |store: &str| go(&["store", "show", store, "wide/3", "--format", "csv"]).stdout;
    assert_eq!(show("again"), show("zoo"));
    fs::write(folder.path().join("out/wide/1/summary.json"), "{\"alpha\": ").unwrap();
    let ran = run(folder.path(), &["store", "import", "third", "out"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, "third: 1 of 2 results imported\n"));
    assert!(ran.stderr.contains("out/wide/1/summary.json: EOF"), "{}", ran.stderr);

    go(&["store", "rm", "zoo", "wide/1"]);
    let ran = run(folder.path(), &["store", "rm", "zoo", "wide/4"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.starts_with("error: the store has no entry wide/4\n  hint: did you mean 'wide/"),
        "{}",
        ran.stderr
    );
    let ran = run(folder.path(), &["store", "list", "nowhere"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.starts_with("error: nowhere is no store"), "{}", ran.stderr);
}

/// A report of so many layers.
fn report(folder: &Path, file: &str, layers: usize, alpha: f64) {
    let ran = run(folder, &["analyze", "model.safetensors", "--format", "json"]);
    let mut report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let row = report["layers"][0].clone();
    report["layers"] = (0..layers).map(|_| row.clone()).collect();
    report["summary"]["alpha"] = alpha.into();
    fs::write(folder.join(file), report.to_string()).unwrap();
}

#[test]
fn two_hundred_kills_of_store_add_lose_and_damage_nothing_that_was_finished() {
    let folder = small();
    report(folder.path(), "old.json", 300, 1.0);
    report(folder.path(), "new.json", 500, 2.0);
    let add =
        |report: &str, name: &str| command(folder.path(), &["store", "add", "zoo", report, "--name", name]);
    let started = Instant::now();
    assert!(add("old.json", "kept/0").output().unwrap().status.success());
    // How long the process is let live at most: grows when it was killed and shrinks when it was not, so that about half are,
    // at every moment of their lives, on machines of any speed and load.
    let mut span = started.elapsed().as_secs_f64();

    let store = Store::open(folder.path().join("zoo")).unwrap();
    let mut finished = vec![("kept/0".to_owned(), 300, 1.0)];
    let (mut state, mut killed, mut replaced) = (0x2545_f491_4f6c_dd1d_u64, 0, 0);
    for round in 0..200 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Every other round replaces an entry that is there; and every moment of the run has its turn.
        let (name, report) = match round % 4 {
            0 => ("kept/0".to_owned(), "new.json"),
            2 => ("kept/0".to_owned(), "old.json"),
            _ => (format!("fresh/{round}"), "old.json"),
        };
        let mut child = add(report, &name).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs_f64(span * (state % 1000) as f64 / 1000.0));
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        killed += usize::from(!ended);
        span *= if ended { 0.9 } else { 1.1 };

        let listing = store.list(true).unwrap();
        assert_eq!(listing.damaged, [], "round {round}");
        let found = |name: &str| listing.entries.iter().find(|e| e.name.to_string() == name);
        for (name, rows, alpha) in &finished {
            let entry = found(name).unwrap_or_else(|| panic!("round {round}: {name} is lost"));
            let now = (store.details(entry).unwrap().0.len(), entry.mean("alpha").unwrap());
            if *name == "kept/0" {
                assert!([(300, 1.0), (500, 2.0)].contains(&now), "round {round}: {now:?}");
                replaced += usize::from(now == (500, 2.0));
            } else {
                assert_eq!(now, (*rows, *alpha), "round {round}: {name}");
            }
        }
        match found(&name) {
            Some(entry) if name != "kept/0" => {
                assert_eq!(store.details(entry).unwrap().0.len(), 300);
                finished.push((name, 300, 1.0));
            }
            Some(_) => {}
            None => assert!(!ended, "round {round}: {name} was finished, but is not there"),
        }
    }
    // The moments were such that both happened, often.
    assert!(
        killed > 60 && finished.len() > 20 && replaced > 20,
        "killed {killed}, finished {}, seen replaced {replaced}",
        finished.len()
    );
    // The lock of a killed process is nobody's.
    assert!(add("new.json", "kept/0").output().unwrap().status.success());
    let place = store.place(&"kept/0".parse().unwrap());
    assert_eq!(fs::read_dir(place).unwrap().count(), 2, "rubbish is swept away");
    println!("killed {killed} of 200, {} entries finished", finished.len());
}
