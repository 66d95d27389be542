//! `eigenscope plugins`: the loaders there are, where plugins come from, and why some are passed over.

use eigenscope_host::{Candidate, Format, Place, Reason, State};
use serde::Serialize;

use crate::args::{ListFormat, PluginArgs, PluginsArgs};
use crate::exit;
use crate::failure::Failure;
use crate::loaders::{Loaders, built_in, origin};
use crate::numbers::plural;
use crate::output::Output;
use crate::style::{BAD, DIM, HEADING, paint};
use crate::text::{left, printable, terminal_width, width, wrap};

/// Everything there is to say.
#[derive(Debug, Serialize)]
struct Listing<'a> {
    eigenscope: &'static str,
    built_in: Vec<BuiltIn>,
    plugins: Vec<&'a Candidate>,
    passed_over: Vec<PassedOver<'a>>,
    places: &'a [Place],
}

#[derive(Debug, Serialize)]
struct BuiltIn {
    name: String,
    extensions: Vec<String>,
    /// The plugin that the command line puts in its place.
    replaced_by: Option<String>,
}

#[derive(Debug, Serialize)]
struct PassedOver<'a> {
    #[serde(flatten)]
    candidate: &'a Candidate,
    reason: String,
}

/// Runs the command.
pub fn run(args: &PluginsArgs, plugins: &PluginArgs) -> Result<u8, Failure> {
    let mut found = Loaders::search(plugins).found;
    if !args.no_load {
        found.verify();
    }
    let mut listing = Listing {
        eigenscope: env!("CARGO_PKG_VERSION"),
        built_in: Vec::new(),
        plugins: Vec::new(),
        passed_over: Vec::new(),
        places: &found.places,
    };
    for candidate in &found.candidates {
        match &candidate.state {
            State::Refused(reason) => {
                listing.passed_over.push(PassedOver { candidate, reason: reason.to_string() });
            }
            _ => listing.plugins.push(candidate),
        }
    }
    listing.built_in = built_in()
        .iter()
        .map(|l| {
            let replaced = listing.plugins.iter().find(|c| c.name.as_deref() == Some(l.name()));
            BuiltIn {
                name: l.name().to_owned(),
                extensions: l.extensions().iter().map(|e| (*e).to_owned()).collect(),
                replaced_by: replaced.map(|c| c.path.display().to_string()),
            }
        })
        .collect();
    match args.format {
        ListFormat::Table => Output::Stdout.write_styled(&listing.text(terminal_width()))?,
        ListFormat::Json => {
            let mut text = serde_json::to_vec_pretty(&listing).map_err(|e| Failure::of(&e))?;
            text.push(b'\n');
            Output::Stdout.write(&text)?;
        }
    }
    Ok(exit::OK)
}

impl Listing<'_> {
    fn text(&self, limit: usize) -> String {
        let mut out = Text { lines: Vec::new(), limit };
        out.heading("built in");
        let widest = self.built_in.iter().map(|l| width(&l.name)).max().unwrap_or(0);
        for loader in &self.built_in {
            let replaced =
                loader.replaced_by.as_ref().map_or_else(String::new, |by| format!("  (replaced by {by})"));
            out.entry(&format!("{}  {}{replaced}", left(&loader.name, widest), dotted(&loader.extensions)));
        }
        out.heading("plugins");
        if self.plugins.is_empty() {
            out.entry("none");
        }
        for plugin in &self.plugins {
            let loaded = if plugin.state == State::Loaded { "loaded" } else { "found" };
            out.entry(&format!("{}, {loaded}: {}", title(plugin), formats(&plugin.formats)));
            out.detail(&format!("{} ({})", plugin.path.display(), origin(plugin.origin)));
        }
        if !self.passed_over.is_empty() {
            out.heading("passed over");
        }
        for PassedOver { candidate, reason } in &self.passed_over {
            out.entry(&format!("{} ({})", candidate.path.display(), origin(candidate.origin)));
            let title =
                if candidate.name.is_some() { format!("{}: ", title(candidate)) } else { String::new() };
            out.bad(
                &format!("{title}{reason}"),
                matches!(&candidate.state, State::Refused(Reason::DuplicateName { .. })),
            );
        }
        out.heading("searched");
        for place in self.places {
            let words = match &place.passed_over {
                Some(why) => why.clone(),
                None => plural(place.candidates, "candidate"),
            };
            out.entry(&format!("{} ({}): {words}", place.path.display(), origin(place.origin)));
        }
        out.lines.join("\n") + "\n"
    }
}

/// Lines that grow no wider than they may.
struct Text {
    lines: Vec<String>,
    limit: usize,
}

impl Text {
    fn heading(&mut self, words: &str) {
        if !self.lines.is_empty() {
            self.lines.push(String::new());
        }
        self.lines.push(paint(HEADING, words));
    }

    fn indented(&mut self, words: &str, indent: usize) -> Vec<String> {
        let lines = wrap(&printable(words), self.limit.saturating_sub(indent), 2);
        lines.into_iter().map(|line| format!("{}{line}", " ".repeat(indent))).collect()
    }

    fn entry(&mut self, words: &str) {
        let lines = self.indented(words, 2);
        self.lines.extend(lines);
    }

    fn detail(&mut self, words: &str) {
        let lines = self.indented(words, 4);
        self.lines.extend(lines.iter().map(|line| paint(DIM, line)));
    }

    /// Why one was passed over; `harmless`: another of its name is there.
    fn bad(&mut self, words: &str, harmless: bool) {
        let lines = self.indented(words, 4);
        self.lines.extend(lines.iter().map(|line| paint(if harmless { DIM } else { BAD }, line)));
    }
}

/// `npy 0.1.0, rust-v1`, as far as it is known.
fn title(candidate: &Candidate) -> String {
    let name = candidate.name.as_deref().unwrap_or("?");
    let version = candidate.version.as_ref().map_or_else(String::new, |v| format!(" {v}"));
    let abi = candidate.abi.and_then(|abi| serde_json::to_value(abi).ok());
    let abi = abi.as_ref().and_then(|v| v.as_str()).map_or_else(String::new, |abi| format!(", {abi}"));
    format!("{name}{version}{abi}")
}

fn formats(formats: &[Format]) -> String {
    let words = formats.iter().map(|f| match f.extensions.is_empty() {
        true => f.name.clone(),
        false => format!("{} ({})", f.name, dotted(&f.extensions)),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn dotted(extensions: &[String]) -> String {
    extensions.iter().map(|e| format!(".{e}")).collect::<Vec<_>>().join(" ")
}
