//! The density of a spectrum, and the law fitted to its tail: logarithmic, linear, half and half.

use eigenscope::analysis::{Inspection, Options, Status, Xmax};
use eigenscope::fit::TruncatedPowerLaw;

use super::figure::{Figure, Mark, Panel, Shape};
use super::histogram::{Histogram, bins};
use super::kind::Kind;
use super::scale::{Axis, number};
use super::theme::Role;
use super::words;

/// Points of a curve.
const CURVE: usize = 120;
/// Spectra are shown down to this share of xmin, as in WeightWatcher.
const BELOW: f64 = 0.01;
/// Or of the largest value, where there is no fit.
const BELOW_LARGEST: f64 = 1e-6;
/// Bins a decade of the tail's own density.
const TAIL_BINS: f64 = 10.0;
/// Unit of the horizontal axis.
pub(super) const EIGENVALUE: &str = "eigenvalue λ";

/// A law fitted to the tail of ascending values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerFit {
    /// Exponent.
    pub alpha: f64,
    /// Where the tail begins.
    pub xmin: f64,
    /// Where it ends.
    pub xmax: f64,
    /// Kolmogorov-Smirnov distance.
    pub d: Option<f64>,
    /// Standard error of alpha.
    pub sigma: Option<f64>,
    /// Rate of an exponential cut-off.
    pub lambda: Option<f64>,
    /// The law itself ends at xmax.
    pub bounded: bool,
}

impl LayerFit {
    /// Of a layer; `None` where the fit failed.
    pub fn of(inspection: &Inspection, options: &Options) -> Option<Self> {
        let row = &inspection.row;
        let (alpha, xmin, xmax) = (row.alpha?, row.xmin?, row.xmax?);
        let sound = row.status == Status::Success && alpha.is_finite() && xmin > 0.0;
        sound.then_some(LayerFit {
            alpha,
            xmin,
            xmax,
            d: row.D,
            sigma: row.sigma,
            lambda: row.tail.lambda,
            bounded: options.effective_xmax() == Xmax::Force,
        })
    }

    /// The density of the tail, by itself.
    fn density(&self, x: f64) -> f64 {
        let LayerFit { alpha, xmin, xmax, .. } = *self;
        if let Some(lambda) = self.lambda.filter(|l| *l > 0.0) {
            let law = TruncatedPowerLaw { alpha, lambda, xmin, xmax, d: 0.0, n_tail: 0, log_likelihood: 0.0 };
            return law.ln_density(x).exp();
        }
        let whole = if self.bounded { 1.0 - (xmax / xmin).powf(1.0 - alpha) } else { 1.0 };
        (alpha - 1.0) / xmin * (x / xmin).powf(-alpha) / whole
    }
}

/// What is drawn of a spectrum.
#[derive(Clone, Debug, PartialEq)]
pub struct EsdView {
    /// The values shown: all but the smallest.
    pub shown: usize,
    /// Bins of equal ratio.
    pub histogram: Histogram,
    /// The tail's own density.
    pub empirical: Vec<(f64, f64)>,
    /// The fitted law over the tail.
    pub curve: Vec<(f64, f64)>,
}

impl EsdView {
    /// Of ascending values; `None` where they are all one.
    pub fn new(ascending: &[f64], fit: Option<&LayerFit>) -> Option<Self> {
        let shown = shown(ascending, fit);
        let histogram = Histogram::log(shown, bins(shown.len()))?;
        let (mut empirical, mut curve) = (Vec::new(), Vec::new());
        if let Some(fit) = fit {
            let tail =
                &shown[shown.partition_point(|v| *v < fit.xmin)..shown.partition_point(|v| *v <= fit.xmax)];
            let share = tail.len() as f64 / shown.len() as f64;
            let decades = (fit.xmax / fit.xmin).log10();
            let few = ((TAIL_BINS * decades) as usize).clamp(4, bins(tail.len()).max(4));
            empirical = Histogram::log(tail, few).map(|h| h.points()).unwrap_or_default();
            empirical.iter_mut().for_each(|(_, density)| *density *= share);
            curve = self::curve(fit).map(|x| (x, share * fit.density(x))).collect();
        }
        Some(EsdView { shown: shown.len(), histogram, empirical, curve })
    }
}

/// A law that the tail follows better, and its density there.
pub type Rival<'a> = (&'a str, &'a dyn Fn(f64) -> f64);

/// Any positive numbers, ascending, the power law fitted to their tail, and a rival where there is a better one.
pub fn sample_figure(
    name: &str,
    ascending: &[f64],
    fit: &LayerFit,
    rival: Option<Rival<'_>>,
) -> Option<Figure> {
    let tail = ascending.len() - ascending.partition_point(|v| *v < fit.xmin);
    let numbers = words::numbers(fit.alpha, fit.d, fit.xmin, fit.sigma);
    let subtitle = format!("{numbers} · {tail} of {} values in the tail", ascending.len());
    let mut figure = esd_figure(words::clean(name), subtitle, "value", ascending, Some(fit), None)?;
    if let (Some((name, density)), Some(panel)) = (rival, figure.panels.first_mut()) {
        // The share of the tail, as in the law's own curve.
        let share = tail as f64 / shown(ascending, Some(fit)).len() as f64;
        let points = curve(fit).map(|x| (x, share * density(x))).collect();
        panel.marks.push(Mark::new(
            Shape::Line { points, dashed: false },
            Role::Random,
            format!("best fit: {name}"),
        ));
    }
    Some(figure)
}

/// Places of a curve, from xmin to xmax.
fn curve(fit: &LayerFit) -> impl Iterator<Item = f64> {
    let (xmin, ratio) = (fit.xmin, fit.xmax / fit.xmin);
    (0..CURVE).map(move |k| xmin * ratio.powf(k as f64 / (CURVE - 1) as f64))
}

fn shown<'a>(ascending: &'a [f64], fit: Option<&LayerFit>) -> &'a [f64] {
    let largest = ascending.last().copied().unwrap_or(0.0);
    let least = fit.map_or(BELOW_LARGEST * largest, |f| BELOW * f.xmin);
    &ascending[ascending.partition_point(|v| *v <= least.max(0.0))..]
}

/// The spectrum on logarithmic axes with the law fitted to its tail: of any positive values in ascending order.
fn esd_figure(
    title: String,
    subtitle: String,
    variable: &str,
    ascending: &[f64],
    fit: Option<&LayerFit>,
    edge: Option<(f64, f64)>,
) -> Option<Figure> {
    let view = EsdView::new(ascending, fit)?;
    let h = &view.histogram;
    let mut marks = vec![Mark::bars(h, Role::Spectrum, format!("density of {} values", view.shown))];
    if let Some(fit) = fit {
        marks.push(Mark::new(
            Shape::Dots { points: view.empirical.clone(), radius: 3 },
            Role::Empirical,
            "density of the tail",
        ));
        let law = if fit.lambda.is_some() { "power law with cut-off" } else { "power law" };
        let label = format!("{law}, α = {:.2}", fit.alpha);
        marks.push(Mark::new(Shape::Line { points: view.curve.clone(), dashed: true }, Role::Fit, label));
        marks.push(xmin(fit.xmin));
    }
    marks.extend(edge.iter().flat_map(|(bulk, beyond)| bulk_marks(ascending, *bulk, *beyond)));
    let low = h.least().min(view.curve.last().map_or(f64::INFINITY, |c| c.1.max(1e-3 * h.least())));
    let points = view.empirical.iter().chain(view.curve.first());
    let high = points.map(|p| p.1).fold(h.peak(), f64::max);
    let y = Axis::log("probability density", [0.6 * low, 1.5 * high]);
    let x = Axis::log(variable, [h.edges[0], h.edges[h.edges.len() - 1]]);
    Some(Figure { name: Kind::Esd.name(), title, subtitle, panels: vec![Panel { x, y, marks }] })
}

pub(super) fn xmin(x: f64) -> Mark {
    Mark::vertical(x, Role::Xmin, true, format!("xmin = {}", number(x, 4)))
}

/// The edge of the bulk, and the eigenvalues that stand out of it.
fn bulk_marks(ascending: &[f64], bulk: f64, beyond: f64) -> Vec<Mark> {
    let spikes = &ascending[ascending.partition_point(|v| *v <= beyond)..];
    let mut marks = vec![Mark::vertical(bulk, Role::Edge, false, format!("bulk edge = {}", number(bulk, 4)))];
    if !spikes.is_empty() {
        let label =
            format!("{} {} above the bulk", spikes.len(), if spikes.len() == 1 { "spike" } else { "spikes" });
        marks.push(Mark::new(Shape::Rug { at: spikes.to_vec() }, Role::Spike, label));
    }
    marks
}

/// The edge of the bulk by a Marchenko-Pastur law, and where spikes begin.
pub(super) fn edge(inspection: &Inspection, options: &Options) -> Option<(f64, f64)> {
    let mp = inspection.bulk(options)?;
    (mp.bulk_max > 0.0).then(|| (mp.bulk_max, mp.tw_edge.unwrap_or(mp.bulk_max)))
}

pub(super) fn log_log(inspection: &Inspection, options: &Options) -> Option<Figure> {
    let fit = LayerFit::of(inspection, options);
    let title = words::title("Log-Log ESD", inspection);
    let values = &inspection.spectrum.eigenvalues;
    esd_figure(
        title,
        words::fit(&inspection.row),
        EIGENVALUE,
        values,
        fit.as_ref(),
        edge(inspection, options),
    )
}

/// On linear axes.
pub(super) fn lin_lin(inspection: &Inspection, options: &Options) -> Option<Figure> {
    let fit = LayerFit::of(inspection, options);
    let shown = shown(&inspection.spectrum.eigenvalues, fit.as_ref());
    let h = Histogram::linear(shown, bins(shown.len()))?;
    let mut marks = vec![Mark::bars(&h, Role::Spectrum, format!("density of {} eigenvalues", shown.len()))];
    marks.extend(fit.map(|f| xmin(f.xmin)));
    marks.extend(edge(inspection, options).iter().flat_map(|(b, s)| bulk_marks(shown, *b, *s)));
    let x = Axis::linear(EIGENVALUE, [h.edges[0], h.edges[h.edges.len() - 1]], true);
    let y = Axis::linear("probability density", [h.peak()], true);
    Some(Figure {
        name: Kind::Esd2.name(),
        title: words::title("Lin-Lin ESD", inspection),
        subtitle: words::fit(&inspection.row),
        panels: vec![Panel { x, y, marks }],
    })
}

/// The density of log λ.
pub(super) fn log_lin(inspection: &Inspection, options: &Options) -> Option<Figure> {
    let fit = LayerFit::of(inspection, options);
    let shown = shown(&inspection.spectrum.eigenvalues, fit.as_ref());
    let h = per_decade(shown)?;
    let mut marks = vec![Mark::bars(&h, Role::Spectrum, format!("density of {} eigenvalues", shown.len()))];
    if let Some(fit) = fit {
        marks.push(xmin(fit.xmin));
        marks.push(Mark::vertical(fit.xmax, Role::Xmax, true, format!("xmax = {}", number(fit.xmax, 4))));
    }
    marks.extend(edge(inspection, options).iter().flat_map(|(b, s)| bulk_marks(shown, *b, *s)));
    let x = Axis::log(EIGENVALUE, [h.edges[0], h.edges[h.edges.len() - 1]]);
    let y = Axis::linear("share of eigenvalues per decade", [h.peak()], true);
    Some(Figure {
        name: Kind::Esd3.name(),
        title: words::title("Log-Lin ESD", inspection),
        subtitle: words::fit(&inspection.row),
        panels: vec![Panel { x, y, marks }],
    })
}

/// Bins of equal ratio, and the density of the logarithm to base 10 in each.
pub(super) fn per_decade(ascending: &[f64]) -> Option<Histogram> {
    let mut h = Histogram::log(ascending, bins(ascending.len()))?;
    let decades = (h.edges[1] / h.edges[0]).log10();
    let total = ascending.len() as f64;
    h.density = h.counts.iter().map(|c| *c as f64 / (total * decades)).collect();
    Some(h)
}
