//! Published tables: results of 50 Keras models, and those of the paper on trends in pretrained models (Martin, Peng and Mahoney
//! 2021). They lie beside the repository and are left out where they are not there.
#![allow(missing_docs, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use eigenscope_workbench::compare::{Finding, GroupKind, Sample, compare};
use eigenscope_workbench::store::{
    Name, Quality, QualityRow, QualityTable, Store, export, find_results, read_result,
};
use tempfile::TempDir;

const KINDS: [GroupKind; 2] = [GroupKind::All, GroupKind::Architecture];

fn tables(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tables").join(name);
    if !path.is_dir() {
        println!("left out: ../shared/tables/{name} is not here");
        return None;
    }
    Some(path)
}

fn import(store: &Store, folder: &Path) -> usize {
    let found = find_results(folder).unwrap();
    for result in &found {
        store.add(read_result(result, "WeightWatcher").unwrap()).unwrap();
    }
    found.len()
}

fn findings(store: &Store, metrics: &[&str], quality: &str) -> Vec<Finding> {
    let listing = store.list(true).unwrap();
    assert_eq!(listing.damaged, []);
    let samples: Vec<Sample> = listing.entries.iter().map(Sample::from).collect();
    let metrics: Vec<String> = metrics.iter().map(|m| (*m).to_owned()).collect();
    compare(&samples, &metrics, Some(quality), &KINDS).findings
}

fn find<'a>(findings: &'a [Finding], group: &str, metric: &str) -> &'a Finding {
    findings.iter().find(|f| f.group.name == group && f.metric == metric).unwrap()
}

fn hundredths(value: f64) -> i64 {
    (value * 100.0).round() as i64
}

fn keras() -> Option<(TempDir, Store)> {
    let folder = tables("seed-keras")?;
    let place = tempfile::tempdir().unwrap();
    let store = Store::create(place.path().join("store")).unwrap();
    assert_eq!(import(&store, &folder), 50);
    let table = QualityTable::read(&folder.join("top1.csv")).unwrap();
    let attached = store.attach(&table.rows).unwrap();
    assert_eq!((attached.attached, table.rows.len()), (50, 50 + attached.waiting.len()));
    Some((place, store))
}

#[test]
fn means_of_fifty_keras_models_are_those_of_their_summaries() {
    let Some((_place, store)) = keras() else { return };
    let listing = store.list(true).unwrap();
    let (mut rows, mut means) = (0, 0);
    for entry in &listing.entries {
        let (details, _) = store.details(entry).unwrap();
        rows += details.len();
        for (name, given) in &entry.summary {
            let (given, own) = (given.as_f64().unwrap(), details.mean(name).unwrap());
            // Pandas adds in another order; what differs is the last digits of 16.
            assert!(
                (own - given).abs() <= 1e-14 * given.abs(),
                "{}: {name} {own} is not {given}",
                entry.name
            );
            means += 1;
        }
    }
    assert_eq!((listing.entries.len(), rows, means), (50, 5903, 300));
}

#[test]
fn what_is_exported_is_what_was_imported() {
    let Some((place, store)) = keras() else { return };
    let source = tables("seed-keras").unwrap().join("results");
    let out = place.path().join("results");
    for entry in store.list(false).unwrap().entries {
        export(&store, &entry, &out).unwrap();
        let file = |root: &Path, name: &str| {
            fs::read_to_string(root.join(&entry.name.architecture).join(&entry.name.variant).join(name))
                .unwrap()
        };
        for name in ["details.csv", "summary.json"] {
            assert_eq!(file(&out, name), file(&source, name), "{}", entry.name);
        }
    }
}

#[test]
fn alpha_of_the_keras_models_correlates_with_top1_as_published() {
    let Some((_place, store)) = keras() else { return };
    let findings = findings(&store, &["alpha"], "top1");
    for (group, pearson, spearman) in [
        ("ResNetRS", -96, -96),
        ("ConvNeXt", -90, -90),
        ("EfficientNet", -83, -88),
        ("RegNetY", -68, -62),
        ("EfficientNetV2", -53, -43),
        ("RegNetX", 23, 8),
        ("all", -46, -48),
    ] {
        let found = find(&findings, group, "alpha");
        let r = |c: Option<eigenscope_workbench::compare::Correlation>| hundredths(c.unwrap().value);
        assert_eq!((r(found.pearson), r(found.spearman)), (pearson, spearman), "{group}");
    }
}

/// `results/<series>/<model>/` of the paper's tables: their summaries are Python's, and in files of their own.
fn paper_results(folder: &Path, out: &Path) -> Vec<QualityRow> {
    let mut reader = csv::Reader::from_path(folder.join("top1_errors.csv")).unwrap();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.unwrap();
        let place = out.join(&record[0]).join(&record[1]);
        fs::create_dir_all(&place).unwrap();
        fs::copy(folder.join(format!("{}.csv", &record[2])), place.join("details.csv")).unwrap();
        let summary = fs::read_to_string(folder.join(format!("{}.txt", &record[2]))).unwrap();
        let summary =
            summary.replace('\'', "\"").replace("nan", "null").replace("-inf", "null").replace("inf", "null");
        fs::write(place.join("summary.json"), summary).unwrap();
        // The paper's tau is that with accuracy.
        let quality = Quality::new("top1", 100.0 - record[3].parse::<f64>().unwrap(), None).unwrap();
        rows.push(QualityRow { name: Name::new(&record[0], &record[1]).unwrap(), quality });
    }
    rows
}

#[test]
fn lines_and_orders_of_the_papers_models_are_the_papers() {
    let Some(folder) = tables("ww-trends") else { return };
    let place = tempfile::tempdir().unwrap();
    let rows = paper_results(&folder, &place.path().join("results"));
    let store = Store::create(place.path().join("store")).unwrap();
    assert_eq!(import(&store, place.path()), rows.len());
    assert_eq!(store.attach(&rows).unwrap().waiting, []);

    let metrics = ["lognorm", "logspectralnorm", "alpha", "alpha_weighted", "logpnorm", "softranklog"];
    let findings = findings(&store, &metrics, "top1");
    let mut expected = csv::Reader::from_path(folder.join("recomputed_fits.csv")).unwrap();
    let mut compared = BTreeMap::new();
    for record in expected.records() {
        let record = record.unwrap();
        let found = find(&findings, &record[0], &record[2]);
        assert_eq!(found.n, record[1].parse::<usize>().unwrap());
        let (line, tau) = (found.line.unwrap(), found.kendall.unwrap().value);
        for (value, at) in [(line.rmse, 3), (line.r2, 4), (tau, 5)] {
            let published: f64 = record[at].parse().unwrap();
            // Three decimals were printed.
            assert!(
                (value - published).abs() < 5.5e-4,
                "{} {}: {value}, {published}",
                &record[0],
                &record[2]
            );
        }
        *compared.entry(record[0].to_owned()).or_insert(0) += 1;
    }
    assert_eq!(compared.values().sum::<i32>(), 24);

    // The figures that the paper prints.
    let rounded = |series| (find(&findings, series, "alpha_weighted").line.unwrap().rmse * 1000.0).round();
    assert_eq!(["VGG", "ResNet", "DenseNet"].map(rounded), [479.0, 613.0, 164.0]);
    let dense = find(&findings, "DenseNet", "alpha_weighted");
    assert_eq!(
        dense.sentence.split(';').take(2).collect::<Vec<_>>().join(";"),
        "alpha_weighted ranks the 4 models of DenseNet perfectly by top1; n = 4, so chance gives that in 1 of 24"
    );
}
