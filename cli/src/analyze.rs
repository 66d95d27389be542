//! `eigenscope analyze`.

use std::collections::HashSet;

use eigenscope::analysis::{AnalysisError, Options};
use eigenscope::source::OpenModel;

use crate::args::{AnalyzeArgs, Common};
use crate::document;
use crate::exit;
use crate::failure::Failure;
use crate::hint;
use crate::loaders::Loaders;
use crate::numbers::plural;
use crate::output::Output;
use crate::plots::{self, Plots};
use crate::progress::Watch;
use crate::report::Analysis;

/// Runs the command.
pub fn run(args: &AnalyzeArgs, common: &Common) -> Result<u8, Failure> {
    let options = args.plan.options(Some(&args.fit)).map_err(|e| Failure::of(&e).usage())?;
    if args.plots.plots.is_some() {
        args.fit.whole()?;
    }
    let output = Output::new(args.output.output.as_deref())?;
    let loaders = Loaders::find(&common.plugins)?;
    let engine = args.fit.engine()?;
    let mut folders = HashSet::new();
    let (documents, status) = args.models.each(&loaders, &options, |model| {
        let plots = args.plots.plots.as_ref().map(|folder| {
            let several = args.models.paths.len() > 1;
            let folder = if several {
                folder.join(plots::folder_of(&model.name, &mut folders))
            } else {
                folder.clone()
            };
            Plots::new(folder, &args.plots, &options)
        });
        let plots = plots.transpose()?;
        let watch = Watch::new(&model.name, common);
        let report = match &plots {
            Some(plots) => engine.inspect(model, &options, &watch, plots),
            None => engine.analyze(model, &options, &watch),
        };
        watch.finish();
        let report = report.map_err(|error| explain(error, model, &options))?;
        if let Some(plots) = plots {
            log::info!("{}: {} written", model.name, plural(plots.finish()?, "figure"));
        }
        Ok(Analysis::new(report, args.all))
    })?;
    document::write(&documents, &args.output, &output)?;
    let incomplete = documents.iter().filter(|d| !d.complete()).inspect(|d| warn(d)).count() > 0;
    Ok(exit::worst([status, if incomplete { exit::INCOMPLETE } else { exit::OK }]))
}

/// What to say of an analysis that came to nothing.
pub fn explain(error: AnalysisError, model: &OpenModel, options: &Options) -> Failure {
    match error {
        AnalysisError::NothingMatches(terms) => hint::nothing_matches(model, options, &terms),
        AnalysisError::Options(error) => Failure::of(&error).usage(),
        error => Failure::of(&error),
    }
}

/// Says on standard error why the status will be 3; the result may have gone to a program.
fn warn(analysis: &Analysis) {
    let (summary, name) = (&analysis.report().summary, &analysis.report().model.name);
    match summary.failed {
        0 => log::warn!("{name}: nothing to analyse"),
        n => log::warn!("{name}: {} failed of {}", plural(n, "layer"), n + summary.analyzed),
    }
}
