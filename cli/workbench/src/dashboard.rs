//! A page about every model of a store: metrics against quality, and metrics by layer.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eigenscope::analysis::summary_columns;
use serde_json::{Map, Value, json};

use crate::compare::{Comparison, Finding, GroupKind, Sample, compare};
use crate::pages::{ECHARTS_JS, PAGE_CSS, PAGE_JS, Page};
use crate::store::{Damaged, Details, Entry, Listing, Store};

const BODY: &str = include_str!("../assets/dashboard.html");
const STYLE: &str = include_str!("../assets/dashboard.css");
const SCRIPT: &str = include_str!("../assets/dashboard.js");

/// The metrics of layers that are drawn, in their order.
const DETAILS: [&str; 16] = [
    "alpha",
    "alpha_weighted",
    "log_alpha_norm",
    "norm",
    "log_norm",
    "spectral_norm",
    "log_spectral_norm",
    "D",
    "N",
    "sigma",
    "stable_rank",
    "num_pl_spikes",
    "lambda_max",
    "sv_max",
    "xmax",
    "xmin",
];

/// A page, and what is not in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Dashboard {
    /// The whole file.
    pub html: String,
    /// How many figures it offers.
    pub figures: usize,
    /// Entries that are damaged.
    pub damaged: Vec<Damaged>,
}

/// The page of a store. `version`: for a page that is served; it then asks its server for `version`, and loads itself anew
/// when the answer is another.
pub fn dashboard(store: &Store, listing: &Listing, version: Option<&str>) -> Dashboard {
    let mut words = Words::default();
    let (mut models, mut entries) = (Vec::new(), Vec::new());
    let mut damaged = listing.damaged.clone();
    for entry in &listing.entries {
        match store.details(entry) {
            Ok((details, _)) => {
                models.push(model(entry, &details, &mut words));
                entries.push(entry);
            }
            Err(error) => {
                damaged.push(Damaged { path: store.place(&entry.name), reason: error.to_string() });
            }
        }
    }
    let samples: Vec<Sample> = entries.iter().map(|e| Sample::from(*e)).collect();
    let known = |name: &&str| samples.iter().any(|s| s.metrics.contains_key(*name));
    let metrics: Vec<String> = summary_columns().filter(known).map(str::to_owned).collect();
    let kinds = [GroupKind::All, GroupKind::Architecture];
    let comparison: Comparison = compare(&samples, &metrics, None, &kinds);
    let mut architectures: Vec<&str> = entries.iter().map(|e| e.name.architecture.as_str()).collect();
    architectures.dedup();
    let data = json!({
        "eigenscope": env!("CARGO_PKG_VERSION"),
        "store": store.folder().display().to_string(),
        "version": version,
        "metrics": metrics,
        "columns": DETAILS,
        "architectures": architectures,
        "names": words.list,
        "models": models,
        "findings": comparison.findings.iter().map(finding).collect::<Vec<_>>(),
        "damaged": damaged.iter().map(|d| json!([d.path.display().to_string(), d.reason])).collect::<Vec<_>>(),
    });
    let html = Page {
        title: &format!("{} – Eigenscope", store.folder().display()),
        body: BODY,
        styles: &[PAGE_CSS, STYLE],
        scripts: &[ECHARTS_JS, PAGE_JS, SCRIPT],
        data: &[("dashboard", &data)],
        asks_server: version.is_some(),
    }
    .render();
    Dashboard { html, figures: 2 + 2 * architectures.len() + entries.len(), damaged }
}

/// Words that many layers share, each once.
#[derive(Default)]
struct Words {
    list: Vec<String>,
    places: HashMap<String, u32>,
}

impl Words {
    fn place(&mut self, word: &str) -> u32 {
        if let Some(place) = self.places.get(word) {
            return *place;
        }
        let place = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(word.to_owned());
        self.places.insert(word.to_owned(), place);
        place
    }
}

/// Numbers as their bytes in base64: a browser reads millions of them in a moment.
fn packed<const N: usize>(bytes: impl Iterator<Item = [u8; N]>) -> String {
    STANDARD.encode(bytes.flatten().collect::<Vec<u8>>())
}

fn model(entry: &Entry, details: &Details, words: &mut Words) -> Value {
    let rows: Vec<usize> = details.analyzed().collect();
    let name = if details.has("longname") { "longname" } else { "name" };
    let mut places = |column: &str| -> Vec<u32> {
        rows.iter().map(|row| words.place(details.text(*row, column))).collect()
    };
    let (names, types) = (places(name), places("layer_type"));
    let ids =
        rows.iter().enumerate().map(|(at, row)| details.number(*row, "layer_id").unwrap_or(at as f64) as u32);
    // Seven digits are more than a figure shows.
    let column = |name: &str| {
        packed(rows.iter().map(|row| (details.number(*row, name).unwrap_or(f64::NAN) as f32).to_le_bytes()))
    };
    let present = DETAILS.iter().filter(|name| details.has(name));
    let columns: Map<String, Value> = present.map(|name| ((*name).to_owned(), column(name).into())).collect();
    let quality: Map<String, Value> =
        entry.quality.iter().map(|q| (q.metric.clone(), json!([q.value, q.better]))).collect();
    json!({
        "architecture": entry.name.architecture,
        "variant": entry.name.variant,
        "series": entry.series,
        "tool": entry.tool,
        "conventions": entry.conventions,
        "layers": rows.len(),
        "summary": entry.summary,
        "quality": quality,
        "ids": packed(ids.map(u32::to_le_bytes)),
        "names": packed(names.into_iter().map(u32::to_le_bytes)),
        "types": packed(types.into_iter().map(u32::to_le_bytes)),
        "columns": columns,
    })
}

fn finding(f: &Finding) -> Value {
    json!({
        "quality": f.quality,
        "group": f.group.name,
        "all": f.group.kind == GroupKind::All,
        "metric": f.metric,
        "n": f.n,
        "pearson": f.pearson,
        "spearman": f.spearman,
        "kendall": f.kendall,
        "line": f.line,
        "chance": f.chance,
        "sentence": f.sentence,
    })
}
