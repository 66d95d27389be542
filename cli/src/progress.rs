//! How far an analysis is: a bar on a terminal, log lines under `-v`, nothing elsewhere.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use eigenscope::analysis::{Observer, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Common;
use crate::text::{printable, shorten, width};

/// Steps of the bar: finer than any terminal shows.
const STEPS: u64 = 10_000;
/// Columns for the layer's name.
const NAME: usize = 36;

/// Watches one analysis.
pub struct Watch {
    bar: ProgressBar,
    started: Instant,
}

impl Watch {
    /// A bar with the model's name where there is a terminal to draw it on.
    pub fn new(model: &str, common: &Common) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let drawn = !common.quiet && common.verbose == 0 && !dumb;
        // The target hides itself where standard error is no terminal.
        let target = if drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(STEPS), target);
        let template = "{prefix} {bar:24} {percent:>3}%, about {eta} left  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        let name = model.rsplit(['/', '\\']).next().unwrap_or(model);
        bar.set_prefix(shorten(&printable(name), NAME / 2).into_owned());
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        Watch { bar, started: Instant::now() }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Watch {
    fn progress(&self, progress: &Progress<'_>) -> ControlFlow<()> {
        let name = progress.rows.first().map_or("", |r| r.name.as_str());
        let counted = format!("{}/{} ", progress.done, progress.total);
        let name = printable(name);
        self.bar.set_message(format!("{counted}{}", shorten(&name, NAME - width(&counted).min(NAME))));
        self.bar.set_position((progress.work * STEPS as f64) as u64);
        for row in progress.rows {
            let result = row.alpha.map_or_else(|| row.reason.clone(), |a| format!("alpha {a:.3}"));
            let seconds = self.started.elapsed().as_secs_f64();
            log::info!("{}/{} {}: {result} ({seconds:.1} s)", progress.done, progress.total, row.name);
        }
        ControlFlow::Continue(())
    }
}
