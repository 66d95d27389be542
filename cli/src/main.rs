//! The `eigenscope` command.

mod analyze;
mod args;
mod batch;
mod compare;
mod comparison;
mod csv;
mod dashboard;
mod describe;
mod distances;
mod document;
mod entries;
mod esd;
mod exit;
mod explain;
mod failure;
mod fit;
mod hint;
mod json;
mod layers;
mod loaders;
mod logging;
mod models;
mod npy;
mod numbers;
mod options;
mod output;
mod page;
mod plot;
mod plots;
mod plugins;
mod progress;
mod report;
mod safetensors_file;
mod sample;
mod serve;
mod skipped;
mod store;
mod style;
mod table;
mod text;
mod transform;
mod unread;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    style::choose(cli.common.color);
    logging::start(cli.common.verbose, cli.common.quiet);
    let done = match &cli.command {
        Command::Describe(args) => describe::run(args, &cli.common),
        Command::Analyze(args) if args.batch.store.is_some() => batch::run(args, &cli.common),
        Command::Analyze(args) => analyze::run(args, &cli.common),
        Command::Distances(args) => distances::run(args, &cli.common),
        Command::Esd(args) => esd::run(args, &cli.common),
        Command::Fit(args) => fit::run(args),
        Command::Plot(args) => plot::run(args, &cli.common),
        Command::Report(args) => page::run(args, &cli.common),
        Command::Smooth(args) => transform::smooth(args, &cli.common),
        Command::Sharpen(args) => transform::sharpen(args, &cli.common),
        Command::Store(args) => store::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Dashboard(args) => dashboard::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Plugins(args) => plugins::run(args, &cli.common.plugins),
    };
    ExitCode::from(done.unwrap_or_else(|failure| failure.print()))
}
