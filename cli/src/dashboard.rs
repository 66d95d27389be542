//! `eigenscope dashboard`: every model of a store on one page.

use std::path::PathBuf;

use clap::Args;
use eigenscope_workbench::dashboard::dashboard;

use crate::exit;
use crate::failure::Failure;
use crate::numbers::plural;
use crate::output::Output;
use crate::store;

/// `dashboard`.
#[derive(Args, Debug)]
pub struct DashboardArgs {
    /// The store
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// Only models with this tag
    #[arg(long, value_name = "WORD")]
    tag: Option<String>,
    /// Write to FILE instead of standard output; it is replaced only when the page is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &DashboardArgs) -> Result<u8, Failure> {
    let output = Output::binary(args.output.as_deref(), "a page", "dashboard.html")?;
    let store = store::open(&args.store)?;
    let mut listing = store.list(false).map_err(|e| Failure::of(&e))?;
    if let Some(tag) = &args.tag {
        listing.entries.retain(|e| e.tags.contains(tag));
    }
    let made = dashboard(&store, &listing, None);
    for damaged in &made.damaged {
        log::warn!("{}: damaged, left out: {}", damaged.path.display(), damaged.reason);
    }
    output.write(made.html.as_bytes())?;
    log::info!("{} of {}", plural(made.figures, "figure"), plural(listing.entries.len(), "model"));
    Ok(if made.damaged.is_empty() { exit::OK } else { exit::INCOMPLETE })
}
