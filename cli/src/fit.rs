//! `eigenscope fit`: a power law and its rivals on any positive numbers.

use eigenscope::fit::{
    Bootstrap, Comparison, Family, FitError, PowerLaw, SmallNSigma, TailModel, XminRule, bootstrap, compare,
    fit_hill, fit_power_law, fit_power_law_at,
};
use eigenscope_workbench::figures::{LayerFit, Rival, sample_figure};
use serde_json::{Map, Value, json};

use crate::args::FitFileArgs;
use crate::exit;
use crate::failure::Failure;
use crate::numbers::{grouped, real};
use crate::output::Output;
use crate::plot;
use crate::sample;
use crate::style::{HEADING, paint};
use crate::text::left;

/// Below it a power law is implausible, and above it a likelihood ratio decides nothing.
const IMPLAUSIBLE: f64 = 0.1;

struct Found {
    values: usize,
    fit: PowerLaw,
    hill: Option<PowerLaw>,
    compared: Comparison,
    bootstrap: Option<Bootstrap>,
}

/// Runs the command.
pub fn run(args: &FitFileArgs) -> Result<u8, Failure> {
    let output = Output::new(args.output.as_deref())?;
    let picture = args.plot.as_deref().map(|path| Output::new(Some(path))).transpose()?;
    let values = sample::read(&args.path)?;
    let found = find(&values, args).map_err(|e| Failure::new(format!("{}: {e}", args.path.display())))?;
    if let Some(picture) = picture {
        picture.write(&plot(&values, &found, args)?)?;
    }
    if args.json {
        let mut text = serde_json::to_vec_pretty(&document(&found, args)).map_err(|e| Failure::of(&e))?;
        text.push(b'\n');
        output.write(&text)?;
    } else {
        output.write_styled(&table(&found))?;
    }
    Ok(exit::OK)
}

fn find(values: &[f64], args: &FitFileArgs) -> Result<Found, FitError> {
    let refit = |x: &[f64]| match args.xmin {
        Some(xmin) => fit_power_law_at(x, xmin),
        None => fit_power_law(x, SmallNSigma::FromAlpha),
    };
    let fit = refit(values)?;
    if !fit.alpha.is_finite() {
        return Err(FitError::Degenerate);
    }
    let tail = &values[values.partition_point(|v| *v < fit.xmin)..];
    Ok(Found {
        values: values.len(),
        fit,
        hill: fit_hill(values, XminRule::Median).ok(),
        compared: compare(tail)?,
        bootstrap: bootstrap(values, &fit, args.bootstrap, args.seed, refit),
    })
}

/// A family in words.
fn words_of(family: Family) -> &'static str {
    match family {
        Family::PowerLaw => "power law",
        Family::Truncated => "power law with cut-off",
        Family::Exponential => "exponential",
        Family::Stretched => "stretched exponential",
        Family::Lognormal => "lognormal",
    }
}

/// The density of the values and the fit, as a figure.
fn plot(values: &[f64], found: &Found, args: &FitFileArgs) -> Result<Vec<u8>, Failure> {
    let PowerLaw { alpha, xmin, xmax, d, sigma, .. } = found.fit;
    let fit = LayerFit { alpha, xmin, xmax, d: Some(d), sigma: Some(sigma), lambda: None, bounded: false };
    let title = args.path.display().to_string();
    let better =
        found.compared.others.iter().flatten().find(|(model, _)| model.family == found.compared.best);
    let density = better.map(|(model, _)| |x: f64| model.ln_density(x).exp());
    let rival: Option<Rival<'_>> =
        density.as_ref().zip(better).map(|(density, (model, _))| (words_of(model.family), density as _));
    let figure = sample_figure(&title, values, &fit, rival).ok_or_else(|| {
        Failure::new(format!("{title}: the values are all one, there is no density to draw"))
    })?;
    plot::drawn(&figure, args.theme.into(), plot::is_png(args.plot.as_deref()))
}

impl Found {
    fn is_power_law(&self) -> bool {
        let family = matches!(self.compared.best, Family::PowerLaw | Family::Truncated);
        family && self.bootstrap.is_none_or(|b| b.gof_p >= IMPLAUSIBLE)
    }

    fn verdict(&self) -> &'static str {
        match (self.is_power_law(), self.compared.best) {
            (false, _) => "not a power law",
            (true, Family::Truncated) => "a power law with a cut-off",
            (true, _) => "may be a power law",
        }
    }
}

/// The parameters of a model by name.
fn parameters(model: &TailModel) -> Vec<(&'static str, f64)> {
    let names: &[&str] = match model.family {
        Family::PowerLaw => &["alpha"],
        Family::Truncated => &["alpha", "Lambda"],
        Family::Exponential => &["Lambda"],
        Family::Stretched => &["Lambda", "beta"],
        Family::Lognormal => &["mu", "sigma"],
    };
    names.iter().copied().zip(model.parameters).collect()
}

fn document(found: &Found, args: &FitFileArgs) -> Value {
    let fit = &found.fit;
    let comparisons: Vec<Value> = found
        .compared
        .others
        .iter()
        .flatten()
        .map(|(model, ratio)| {
            let parameters: Map<String, Value> =
                parameters(model).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            json!({
                "family": model.family.name(), "parameters": parameters,
                "R": ratio.normalised, "log_likelihood_ratio": ratio.sum, "p": ratio.p,
            })
        })
        .collect();
    json!({
        "file": args.path.display().to_string(),
        "values": found.values,
        "alpha": fit.alpha, "xmin": fit.xmin, "xmax": fit.xmax, "D": fit.d, "sigma": fit.sigma,
        "n_tail": fit.n_tail, "estimator": fit.estimator.to_string(),
        "alpha_hill": found.hill.map(|h| h.alpha),
        "comparisons": comparisons,
        "best_fit": found.compared.best.name(),
        "power_law": found.is_power_law(),
        "bootstrap": found.bootstrap.map(|b| json!({
            "replicates": b.replicates, "seed": args.seed, "alpha_se": b.alpha_se,
            "alpha_lo": b.alpha_interval[0], "alpha_hi": b.alpha_interval[1], "gof_p": b.gof_p,
        })),
    })
}

fn table(found: &Found) -> String {
    let fit = &found.fit;
    let mut out = String::new();
    let mut line = |name: &str, words: String| {
        out += &format!("{}  {words}\n", paint(HEADING, left(name, 10)));
    };
    line("values", format!("{}, {} in the tail", grouped(found.values as u64), grouped(fit.n_tail as u64)));
    line("alpha", format!("{} ({}), sigma {}", real(fit.alpha), fit.estimator, real(fit.sigma)));
    if let Some(b) = &found.bootstrap {
        let [low, high] = b.alpha_interval;
        line(
            "",
            format!("standard error {}, 95 % interval {} to {}", real(b.alpha_se), real(low), real(high)),
        );
    }
    line("xmin", format!("{}, largest value {}", real(fit.xmin), real(fit.xmax)));
    line("D", real(fit.d));
    if let Some(b) = &found.bootstrap {
        line("gof_p", format!("{} of {} samples", real(b.gof_p), grouped(b.replicates as u64)));
    }
    if let Some(hill) = &found.hill {
        line("Hill", format!("alpha {} from the median on", real(hill.alpha)));
    }
    for (model, ratio) in found.compared.others.iter().flatten() {
        let named = parameters(model).into_iter().map(|(name, value)| format!("{name} {}", real(value)));
        let named: Vec<String> = named.collect();
        let words = format!("R {}, p {}  ({})", real(ratio.normalised), real(ratio.p), named.join(", "));
        line(model.family.name(), words);
    }
    line("verdict", format!("{} (best fit {})", found.verdict(), found.compared.best.name()));
    out
}
