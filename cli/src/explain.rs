//! `eigenscope explain`: what the columns of a report mean; `docs/metrics.md` is its `--markdown`.

use std::fmt::Write as _;

use eigenscope::analysis::{CHAPTERS, COLUMNS, Guide, column, guide};
use eigenscope::pair::PAIR_COLUMNS;

use crate::args::ExplainArgs;
use crate::exit;
use crate::failure::Failure;
use crate::hint::{did_you_mean, near};
use crate::output::Output;
use crate::style::{DIM, HEADING, paint};
use crate::text::{cut, left, terminal_width, width, wrap};

const INTRODUCTION: &str = "\
# The columns of a report

Made by `eigenscope explain --markdown > docs/metrics.md` from the tables in `core/src/analysis/columns.rs` and `guide.rs`; a test compares
them. `eigenscope explain COLUMN` says the same on the command line.

λ are the eigenvalues of the layer, squared singular values of its matrices; [differences.md](differences.md) lists where a definition is not
WeightWatcher's. A cell is empty where there is no such number: a failed fit has no alpha.
";

/// Name and meaning of every column: those of analyses, then those that only comparisons of two models have.
fn all() -> Vec<(&'static str, &'static str)> {
    COLUMNS.iter().map(|c| (c.name, c.doc)).chain(of_pairs()).collect()
}

fn of_pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAIR_COLUMNS.iter().filter(|c| column(c.name).is_none()).map(|c| (c.name, c.doc))
}

/// Runs the command.
pub fn run(args: &ExplainArgs) -> Result<u8, Failure> {
    let all = all();
    let find =
        |name: &String| all.iter().find(|(n, _)| n == name).copied().ok_or_else(|| unknown(name, &all));
    let chosen = args.columns.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    if args.markdown {
        Output::Stdout.write(markdown().as_bytes())?;
        return Ok(exit::OK);
    }
    let limit = terminal_width();
    let text: String = if chosen.is_empty() {
        let widest = all.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
        all.iter().map(|(name, doc)| line(name, doc, widest, limit)).collect()
    } else {
        chosen.iter().map(|(name, doc)| entry(name, doc, limit)).collect::<Vec<_>>().join("\n")
    };
    Output::Stdout.write_styled(&text)?;
    Ok(exit::OK)
}

/// A line in the list of all columns.
fn line(name: &str, doc: &str, widest: usize, limit: usize) -> String {
    let doc = cut(doc, limit.saturating_sub(widest + 2));
    format!("{}  {doc}\n", paint(HEADING, left(name, widest)))
}

/// What there is to say, in the order of reading; only formulas may be missing.
fn parts(guide: &Guide) -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        ("formula", guide.formula),
        ("range", guide.range),
        ("unit", guide.unit),
        ("read", guide.reading),
        ("source", guide.source),
        ("option", guide.option),
        ("cost", guide.cost),
    ]
    .into_iter()
    .filter(|(_, words)| !words.is_empty())
}

/// All there is to say about one column.
fn entry(name: &str, doc: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut add = |label: &str, shown: &str, words: &str| {
        let indent = width(label) + 2;
        for (i, line) in wrap(words, limit.saturating_sub(indent), 0).iter().enumerate() {
            let start = if i == 0 { shown.to_owned() } else { " ".repeat(indent - 2) };
            out += &format!("{start}  {line}\n");
        }
    };
    add(name, &paint(HEADING, name), doc);
    for (name, words) in guide(name).into_iter().flat_map(parts) {
        let label = format!("  {}", left(name, 7));
        add(&label, &paint(DIM, &label), &words.replace('`', ""));
    }
    out
}

/// Every column, by subject.
fn markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    for chapter in CHAPTERS {
        let _ = write!(out, "\n## {}\n", chapter.title);
        for guide in chapter.guides {
            let names: Vec<String> = guide.columns.iter().map(|n| format!("`{n}`")).collect();
            let _ = write!(out, "\n### {}\n\n", names.join(", "));
            let columns = || guide.columns.iter().filter_map(|name| column(name));
            let alone = guide.columns.len() == 1;
            for c in columns() {
                let _ = if alone {
                    writeln!(out, "{}", c.doc)
                } else {
                    writeln!(out, "- `{}`: {}", c.name, c.doc)
                };
            }
            out += "\n| | |\n|---|---|\n";
            for (name, words) in parts(guide) {
                let _ = writeln!(out, "| {name} | {} |", words.replace('|', "\\|"));
            }
        }
    }
    out +=
        "\n## Two models\n\nOf `eigenscope distances`; [two-models.md](two-models.md) has the formulas.\n\n";
    for (name, doc) in of_pairs() {
        let _ = writeln!(out, "- `{name}`: {doc}");
    }
    out
}

fn unknown(name: &str, all: &[(&'static str, &'static str)]) -> Failure {
    let failure = Failure::new(format!("no column is called '{name}'")).usage();
    match did_you_mean(&near(name, all.iter().map(|(n, _)| *n))) {
        Some(hint) => failure.hint(hint),
        None => failure.hint("`eigenscope explain` lists them all"),
    }
}
