//! What is kept of a model beside the details of its layers.

use eigenscope::analysis::{Report, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Better, Name, Quality};

/// The file or files that were analysed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// As the caller named it.
    pub path: String,
    /// SHA-256 of the file; of several files, of the list that `sha256sum` writes of them.
    pub sha256: String,
    /// Bytes in all of them.
    pub bytes: u64,
    /// How many files.
    pub files: usize,
}

/// What became of the model's tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Analysed.
    pub analyzed: usize,
    /// Meant to be, but failed.
    pub failed: usize,
    /// Not layers, or left out.
    pub skipped: usize,
}

/// A file that belongs to an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// Its name in the entry's folder.
    pub file: String,
    /// SHA-256.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// Lines below the heading.
    pub rows: usize,
}

/// What is known of a model before it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What it will be called.
    pub name: Name,
    /// What it belongs to beside its architecture: a size series, a training run.
    pub series: Option<String>,
    /// Words of the user.
    pub tags: Vec<String>,
    /// What made the numbers: "eigenscope 0.1.0", "WeightWatcher 0.6.1".
    pub tool: String,
    /// The conventions in force, where they are known.
    pub conventions: Option<String>,
    /// Every option of the analysis, where they are known.
    pub options: Option<Value>,
    /// What was analysed.
    pub source: Option<Source>,
    /// The model that was subtracted or adapted, where there was one.
    pub base: Option<Source>,
    /// Loader, tensors, parameters and the like.
    pub model: Map<String, Value>,
    /// Means over layers, by name.
    pub summary: Map<String, Value>,
    /// What became of the tensors.
    pub layers: Layers,
    /// A line a layer, as CSV with a heading.
    pub details: Vec<u8>,
}

/// A stored result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of the layout.
    pub(super) version: u64,
    /// What it is called.
    #[serde(flatten)]
    pub name: Name,
    /// What it belongs to beside its architecture.
    pub series: Option<String>,
    /// Words of the user.
    #[serde(default)]
    pub tags: Vec<String>,
    /// When it was stored: RFC 3339, UTC.
    pub stored: String,
    /// What made the numbers.
    pub tool: String,
    /// The conventions in force.
    pub conventions: Option<String>,
    /// What was analysed.
    pub source: Option<Source>,
    /// The model that was subtracted or adapted.
    pub base: Option<Source>,
    /// Loader, tensors, parameters and the like.
    #[serde(default)]
    pub model: Map<String, Value>,
    /// Means over layers, by name.
    pub summary: Map<String, Value>,
    /// What became of the tensors.
    pub layers: Layers,
    /// The file of details.
    pub details: FileInfo,
    /// Every option of the analysis.
    pub options: Option<Value>,
    /// What is known of how good the model is; kept in a file of its own.
    #[serde(skip)]
    pub quality: Vec<Quality>,
}

impl Entry {
    /// A mean of the summary.
    pub fn mean(&self, metric: &str) -> Option<f64> {
        self.summary.get(metric)?.as_f64().filter(|v| v.is_finite())
    }

    /// The quality of that name.
    pub fn quality(&self, metric: &str) -> Option<(f64, Better)> {
        self.quality.iter().find(|q| q.metric == metric).map(|q| (q.value, q.better))
    }

    /// Whether it was made of the same files with the same options.
    pub fn is_of(&self, source: &Source, base: Option<&Source>, options: &Value) -> bool {
        let hash = |s: Option<&Source>| s.map(|s| s.sha256.clone());
        hash(self.source.as_ref()).as_ref() == Some(&source.sha256)
            && hash(self.base.as_ref()) == hash(base)
            && self.options.as_ref() == Some(options)
    }
}

impl Draft {
    /// What an analysis found.
    pub fn of(name: Name, report: &Report) -> Result<Self, csv::Error> {
        let count = |status| report.layers.iter().filter(|r| r.status == status).count();
        let mut model = Map::new();
        model.insert("loader".to_owned(), report.model.loader.clone().into());
        model.insert("tensors".to_owned(), report.model.tensors.into());
        model.insert("parameters".to_owned(), report.model.parameters.into());
        Ok(Draft {
            name,
            series: None,
            tags: Vec::new(),
            tool: format!("eigenscope {}", report.eigenscope),
            conventions: Some(report.conventions.clone()),
            options: serde_json::to_value(&report.options).ok(),
            source: None,
            base: None,
            model,
            summary: report.summary.means.clone(),
            layers: Layers {
                analyzed: count(Status::Success),
                failed: count(Status::Failed),
                skipped: count(Status::Skipped),
            },
            details: crate::rows::csv(&report.layers, report.options.conventions.columns.names())?,
        })
    }
}
