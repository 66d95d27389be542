//! `eigenscope describe`: what is in a model, and what would be analysed.

use eigenscope::analysis::{ModelInfo, Options, Plan, Row, Status};
use eigenscope::source::OpenModel;
use serde::Serialize;

use crate::args::{Common, DescribeArgs};
use crate::document::{self, Document};
use crate::exit;
use crate::failure::Failure;
use crate::hint;
use crate::loaders::Loaders;
use crate::numbers::{count, grouped, plural};
use crate::output::Output;
use crate::report::title;
use crate::skipped;
use crate::style::{DIM, paint};
use crate::table::{Cell, Column, Line, Table};
use crate::text::{cut, printable, wrap};

/// Lines of the file's own words about itself that are shown; JSON has all of them.
const MAX_METADATA: usize = 8;

/// What is known of a model without reading its weights.
#[derive(Debug, Serialize)]
struct Description {
    eigenscope: &'static str,
    model: ModelInfo,
    conventions: String,
    layers: Vec<Row>,
    to_analyze: usize,
    skipped: usize,
}

/// Runs the command.
pub fn run(args: &DescribeArgs, common: &Common) -> Result<u8, Failure> {
    let options = args.plan.options(None).map_err(|e| Failure::of(&e).usage())?;
    let output = Output::new(args.output.output.as_deref())?;
    let loaders = Loaders::find(&common.plugins)?;
    let (documents, status) = args.models.each(&loaders, &options, |model| describe(model, &options))?;
    document::write(&documents, &args.output, &output)?;
    let nothing = documents.iter().any(|d| d.to_analyze == 0);
    Ok(exit::worst([status, if nothing { exit::INCOMPLETE } else { exit::OK }]))
}

fn describe(model: &OpenModel, options: &Options) -> Result<Description, Failure> {
    let file = model.file.as_ref();
    let plan = Plan::new(file, options).map_err(|e| Failure::of(&e).usage())?;
    if !plan.unmatched.is_empty() {
        return Err(hint::nothing_matches(model, options, &plan.unmatched));
    }
    let layers = plan.rows(file);
    let to_analyze = layers.iter().filter(|r| r.status == Status::Success).count();
    Ok(Description {
        eigenscope: env!("CARGO_PKG_VERSION"),
        model: ModelInfo::of(model),
        conventions: options.conventions.name.clone(),
        skipped: layers.len() - to_analyze,
        to_analyze,
        layers,
    })
}

fn line(row: &Row) -> Line {
    let shape: Vec<String> = row.shape.iter().map(ToString::to_string).collect();
    let mut cells: Vec<Cell> = vec![
        row.layer_id.to_string().into(),
        printable(&row.name).into_owned().into(),
        row.layer_type.name().to_owned().into(),
        row.dtype.name().to_owned().into(),
        shape.join("x").into(),
    ];
    if row.status == Status::Skipped {
        let reason = printable(&row.reason).into_owned();
        return Line { cells, note: Some(Cell { text: format!("· {reason}"), style: DIM }) };
    }
    cells.extend([row.N, row.M, row.rf, row.num_evals].map(|n| n.map_or_else(String::new, count).into()));
    Line { cells, note: None }
}

impl Document for Description {
    fn model(&self) -> &str {
        &self.model.name
    }

    fn rows(&self) -> &[Row] {
        &self.layers
    }

    fn text(&self, width: usize) -> String {
        let model = &self.model;
        let mut out = title(&model.name, &model.loader, model.tensors, model.parameters, width);
        for (key, value) in model.metadata.iter().take(MAX_METADATA) {
            let words = format!("  {key}: {}", value.as_str().unwrap_or_default());
            out += &format!("{}\n", paint(DIM, cut(&printable(&words), width)));
        }
        if model.metadata.len() > MAX_METADATA {
            let more = model.metadata.len() - MAX_METADATA;
            out += &format!("{}\n", paint(DIM, format_args!("  and {more} more (--format json)")));
        }
        if !self.layers.is_empty() {
            let column = |heading, text, yields| Column { heading, text, yields };
            let columns = vec![
                column("id", false, 0),
                column("name", true, 0),
                column("type", true, 0),
                column("dtype", true, 0),
                column("shape", true, 0),
                column("N", false, 14),
                column("M", false, 14),
                column("rf", false, 16),
                column("evals", false, 12),
            ];
            let table = Table { columns, flexible: 1, lines: self.layers.iter().map(line).collect() };
            out += &format!("\n{}", table.render(width));
        }
        let evals: u64 =
            self.layers.iter().filter_map(|r| r.num_evals).fold(0, |n, e| n.saturating_add(e as u64));
        let words = match self.to_analyze {
            0 => "nothing to analyse".to_owned(),
            n => format!("to analyse: {}, {} eigenvalues", plural(n, "layer"), grouped(evals)),
        };
        out += &format!("\n{words}\n");
        if let Some(reasons) = skipped::by_reason(&self.layers) {
            let lines = wrap(&format!("to skip: {}", printable(&reasons)), width, 2);
            out += &format!("{}\n", lines.join("\n"));
        }
        out
    }
}
