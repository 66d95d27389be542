//! What to do about an error: names that are near, and what a file that is no model really is.

use std::fs;
use std::path::Path;

use eigenscope::analysis::{AnalysisError, Candidate, LayerFilter, Options, Plan};
use eigenscope::source::{Input, OpenModel, Refusal, SourceError};

use crate::failure::Failure;
use crate::loaders::Loaders;
use crate::numbers::plural;
use crate::unread;

/// Names offered at most.
pub const MAX_NAMES: usize = 3;
/// Likeness (Jaro-Winkler) from which a name is near.
const NEAR: f64 = 0.8;
/// Names of a folder that are compared; more would take longer than they help.
const MAX_ENTRIES: usize = 4096;

/// The candidates most like `word`, best first.
pub fn near<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.to_lowercase();
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|name| {
            let lower = name.to_lowercase();
            let holds = word.chars().count() > 2 && lower.contains(&word);
            (if holds { 1.0 } else { strsim::jaro_winkler(&word, &lower) }, name)
        })
        .filter(|(score, _)| *score >= NEAR)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().map(|(_, name)| name).take(MAX_NAMES).collect()
}

/// `did you mean 'a', 'b'?`
pub fn did_you_mean(names: &[&str]) -> Option<String> {
    let quoted: Vec<String> = names.iter().map(|n| format!("'{n}'")).collect();
    (!names.is_empty()).then(|| format!("did you mean {}?", quoted.join(" or ")))
}

/// What helps where a model was refused.
pub fn for_refusal(path: &Path, error: &SourceError, loaders: &Loaders) -> Vec<String> {
    let one = |hint: &str| vec![hint.to_owned()];
    match &*error.refusal {
        Refusal::Io(e) if e.kind() == std::io::ErrorKind::NotFound && !path.exists() => {
            not_found(path).into_iter().collect()
        }
        Refusal::Io(_) => Vec::new(),
        Refusal::Empty if path.is_dir() => one("the folder is empty"),
        Refusal::Empty => one("a download that failed? Fetch the file again"),
        Refusal::Truncated { .. } => {
            one("a download that broke off? Compare the file's size with its source")
        }
        refusal => {
            let Ok(glimpse) = Input::path(path).glimpse() else { return Vec::new() };
            let looks = glimpse.looks_like();
            if looks.starts_with("an HTML page") {
                return one("a server sent a web page in place of the file: open it to see why");
            }
            if looks.starts_with("a Git LFS pointer") {
                return one("run `git lfs pull` in the repository to fetch the file itself");
            }
            match (refusal, &glimpse.entries) {
                (Refusal::Unrecognized(_), Some(entries)) => unread::folder(path, entries, loaders),
                (Refusal::Unrecognized(_), None) => unread::file(&glimpse, loaders),
                (Refusal::Unsupported(_), Some(_)) => {
                    one("several paths, separated by spaces, give a report each")
                }
                (_, None) => unread::torchscript(path, &glimpse, loaders).into_iter().collect(),
                _ => Vec::new(),
            }
        }
    }
}

fn not_found(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Some(format!("there is no folder {}", folder.display()));
    }
    let name = path.file_name()?.to_string_lossy();
    let entries: Vec<String> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .take(MAX_ENTRIES)
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    did_you_mean(&near(&name, entries.iter().map(String::as_str)))
}

/// A layer filter with terms that matched nothing, and what would match.
pub fn nothing_matches(model: &OpenModel, options: &Options, terms: &[String]) -> Failure {
    let error = AnalysisError::NothingMatches(terms.to_vec());
    let failure = Failure::new(format!("{}: {error}", model.name)).usage();
    for_terms(model, options, terms).into_iter().fold(failure, Failure::hint)
}

/// A name that no layer has, and the names that are like it.
pub fn no_layer(model: &OpenModel, plan: &Plan, name: &str) -> Failure {
    let failure = Failure::new(format!("{}: no layer is called '{name}'", model.name)).usage();
    let names = plan.layers.iter().filter(|l| l.skip.is_none()).map(|l| l.name.as_str());
    let like = match (name.parse::<usize>(), plan.layers.last()) {
        (Ok(_), Some(last)) => Some(format!("ids go from {} to {}", plan.layers[0].layer_id, last.layer_id)),
        _ => did_you_mean(&near(name, names)),
    };
    like.into_iter()
        .fold(failure, Failure::hint)
        .hint("`eigenscope describe` lists every name and id".to_owned())
}

fn for_terms(model: &OpenModel, options: &Options, terms: &[String]) -> Vec<String> {
    let unfiltered = Options { layers: LayerFilter::default(), ..options.clone() };
    let Ok(plan) = Plan::new(model.file.as_ref(), &unfiltered) else { return Vec::new() };
    let matches = |term: &str| {
        let candidates = plan.layers.iter().map(|l| Candidate {
            id: l.layer_id,
            name: &l.name,
            longname: &l.longname,
            kind: l.kind,
        });
        let taken = LayerFilter::new([term]).apply(candidates);
        taken.map_or(0, |(taken, _)| taken.into_iter().filter(|t| *t).count())
    };
    let hint = |term: &String| {
        let word = term.trim_start_matches(['!', '-']);
        let bare = word.trim_matches('*');
        if bare.is_empty() {
            return None;
        }
        if let Ok(id) = bare.parse::<usize>() {
            let ids = plan.layers.iter().map(|l| l.layer_id);
            let (low, high) = (ids.clone().min()?, ids.max()?);
            return Some(format!("'{id}': ids go from {low} to {high}"));
        }
        let wider = format!("*{bare}*");
        match matches(&wider) {
            0 => {
                let names = plan.layers.iter().map(|l| l.name.as_str());
                did_you_mean(&near(bare, names)).map(|words| format!("'{term}': {words}"))
            }
            n => Some(format!("'{wider}' would match {}", plural(n, "tensor"))),
        }
    };
    let mut hints: Vec<String> = terms.iter().filter_map(hint).collect();
    hints.push("`eigenscope describe` lists every name and kind".to_owned());
    hints
}
