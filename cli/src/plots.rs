//! The figures beside an analysis: `eigenscope analyze --plots`.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::{Args, ValueEnum};
use eigenscope::analysis::{Inspection, Inspector, Options, Row};
use eigenscope_workbench::figures::{self, Figure, Theme};

use crate::failure::Failure;
use crate::output::Output;
use crate::plot::ThemeArg;

/// `--plot-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlotFormat {
    /// Drawings that any browser shows, sharp at any size
    #[default]
    Svg,
    /// Pictures
    Png,
    /// A file of each
    Both,
}

/// Figures beside an analysis.
#[derive(Args, Debug)]
pub struct PlotsArgs {
    /// Draw every layer: figures by WeightWatcher's names (ww.layer7.esd.svg), as many as the options give; of several
    /// models, a folder each
    #[arg(long, value_name = "DIR", help_heading = "Figures", conflicts_with = "store")]
    pub plots: Option<PathBuf>,
    /// What figures are written as
    #[arg(long, value_enum, default_value_t, requires = "plots", help_heading = "Figures")]
    pub plot_format: PlotFormat,
    /// Colours of figures
    #[arg(long, value_enum, default_value_t, requires = "plots", help_heading = "Figures")]
    pub theme: ThemeArg,
}

/// Writes the figures of every layer as it is analysed.
pub struct Plots {
    folder: PathBuf,
    format: PlotFormat,
    theme: Theme,
    options: Options,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    written: HashSet<String>,
    failure: Option<Failure>,
}

impl Plots {
    /// Into a folder, which is made where it is missing.
    pub fn new(folder: PathBuf, args: &PlotsArgs, options: &Options) -> Result<Self, Failure> {
        fs::create_dir_all(&folder)
            .map_err(|e| Failure::new(format!("cannot make the folder {}: {e}", folder.display())))?;
        let (format, theme, options) = (args.plot_format, args.theme.into(), options.clone());
        Ok(Plots { folder, format, theme, options, state: Mutex::default() })
    }

    /// How many files there are now, or why not all.
    pub fn finish(self) -> Result<usize, Failure> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.failure {
            Some(failure) => Err(failure),
            None => Ok(state.written.len()),
        }
    }

    fn write(&self, row: &Row, figure: &Figure) -> Result<(), Failure> {
        let stem = self.unused(figures::stem(row, figure.name));
        let svg = figure.svg(self.theme).map_err(|e| Failure::of(&e))?;
        let mut files = Vec::new();
        if self.format != PlotFormat::Png {
            files.push(("svg", svg.clone().into_bytes()));
        }
        if self.format != PlotFormat::Svg {
            files.push(("png", figures::png(&svg).map_err(|e| Failure::of(&e))?));
        }
        for (ending, bytes) in files {
            Output::new(Some(&self.folder.join(format!("{stem}.{ending}"))))?.write(&bytes)?;
        }
        Ok(())
    }

    /// The stem, or a longer one where this run has written that already: a tensor may have several rows.
    fn unused(&self, stem: String) -> String {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        free(stem, ".", &mut state.written)
    }
}

impl Inspector for Plots {
    fn inspect(&self, inspection: Inspection) {
        for figure in figures::figures(&inspection, &self.options) {
            if let Err(failure) = self.write(&inspection.row, &figure) {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.failure.get_or_insert(failure);
            }
        }
    }
}

/// The folder of one of several models: what is left of its name when everything but letters, digits, dots, hyphens and underscores is
/// gone, with a number where two models would share it.
pub fn folder_of(name: &str, used: &mut HashSet<String>) -> String {
    let last = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("model");
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let plain: String = last.chars().map(safe).collect();
    let plain = if plain.trim_matches('.').is_empty() { "model".to_owned() } else { plain };
    free(plain, "-", used)
}

/// The name, or the first of `name.2`, `name.3` that is not taken; it is taken from now on.
fn free(name: String, sign: &str, used: &mut HashSet<String>) -> String {
    let mut found = name.clone();
    let mut count = 1;
    while !used.insert(found.clone()) {
        count += 1;
        found = format!("{name}{sign}{count}");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_s_name_is_safe_and_its_own() {
        let mut used = HashSet::new();
        let names =
            ["a/model.pt", "b/model.pt", "..", "x/\u{202e}e v;il/", "/"].map(|n| folder_of(n, &mut used));
        assert_eq!(names, ["model.pt", "model.pt-2", "model", "_e_v_il", "model-2"]);
    }
}
