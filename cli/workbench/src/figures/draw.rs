//! Draws a figure as SVG.
//!
//! plotters counts in whole pixels; it is given four of them for each, so that curves are smooth.

use std::error::Error;
use std::ops::Range;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::figure::{Figure, Mark, Panel, Shape};
use super::scale::{Axis, Ticks, ticks};
use super::theme::{Rgb, Theme};
use crate::pages::escape;

/// What SVG files ask for. The last named is the one that measures, as wide as those before it.
const FONTS: &str = "Arial, Helvetica, 'Liberation Sans', Arimo, sans-serif";
/// The letters.
pub(super) const REGULAR: &[u8] = include_bytes!("../../assets/fonts/Arimo-Regular.ttf");
/// Those of titles.
pub(super) const BOLD: &[u8] = include_bytes!("../../assets/fonts/Arimo-Bold.ttf");

const FINE: i32 = 4;
const WIDTH: i32 = 880;
const PANEL: i32 = 400;
const SMALL_PANEL: i32 = 190;
const MARGIN: i32 = 16;
const LINE: i32 = 20;
/// plotters writes sizes over this.
const POINT: f64 = 1.24;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The figure as an SVG document.
pub(super) fn svg(figure: &Figure, theme: Theme) -> Outcome<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Both are part of this program, and tests draw with them.
        let _ = register_font(FONTS, FontStyle::Normal, REGULAR);
        let _ = register_font(FONTS, FontStyle::Bold, BOLD);
    });
    let panels = figure.panels.len().max(1) as i32;
    let each = if panels > 1 { SMALL_PANEL } else { PANEL };
    let mut out = String::new();
    let height;
    {
        // Measured on a canvas of its own: the height is not known yet.
        let mut scratch = String::new();
        let entries = legend(&SVGBackend::with_string(&mut scratch, (1, 1)).into_drawing_area(), figure)?;
        let head = 66 + LINE * entries.last().map_or(0, |e| e.line + 1);
        height = head + each * panels + 8;
        let size = ((WIDTH * FINE) as u32, (height * FINE) as u32);
        let root = SVGBackend::with_string(&mut out, size).into_drawing_area();
        root.fill(&color(theme.back()))?;
        let title = font(17.0, theme.ink(), FontStyle::Bold);
        root.draw_text(&shortened(&root, &figure.title, &title)?, &title, at(MARGIN, 14))?;
        root.draw_text(&figure.subtitle, &font(14.0, theme.ink(), FontStyle::Normal), at(MARGIN, 39))?;
        for entry in &entries {
            entry.draw(&root, theme)?;
        }
        let (_, below) = root.split_vertically(head * FINE);
        for (area, panel) in below.split_evenly((panels as usize, 1)).iter().zip(&figure.panels) {
            draw_panel(&root, area, panel, theme, panels > 1)?;
        }
        root.present()?;
    }
    let words = escape(&format!("{}. {}", figure.title, figure.subtitle)).into_owned();
    let open = out.find('>').unwrap_or(0);
    let head = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {} {}\">\n<title>{words}</title>",
        WIDTH * FINE,
        height * FINE
    );
    Ok(head + &out[open + 1..])
}

fn at(x: i32, y: i32) -> (i32, i32) {
    (x * FINE, y * FINE)
}

fn color(rgb: Rgb) -> RGBColor {
    RGBColor(rgb.0, rgb.1, rgb.2)
}

fn font(pixels: f64, ink: Rgb, style: FontStyle) -> TextStyle<'static> {
    let size = pixels * POINT * f64::from(FINE);
    let font = FontDesc::new(FontFamily::Name(FONTS), size, style);
    TextStyle { font, color: color(ink).to_backend_color(), pos: Pos::new(HPos::Left, VPos::Top) }
}

/// The text with its middle left out where it is too wide for the figure.
fn shortened(area: &Area<'_>, text: &str, style: &TextStyle<'_>) -> Outcome<String> {
    let most = ((WIDTH - 2 * MARGIN) * FINE) as u32;
    let letters: Vec<char> = text.chars().collect();
    let mut keep = letters.len();
    loop {
        let shown: String = if keep == letters.len() {
            text.to_owned()
        } else {
            let (front, back) = (keep.div_ceil(2), keep / 2);
            letters[..front].iter().chain(['…'].iter()).chain(&letters[letters.len() - back..]).collect()
        };
        if keep < 8 || area.estimate_text_size(&shown, style)?.0 <= most {
            return Ok(shown);
        }
        keep -= (keep / 16).max(1);
    }
}

/// A mark in the legend.
struct Entry<'a> {
    mark: &'a Mark,
    left: i32,
    line: i32,
}

/// One entry for each label, in lines as wide as the figure.
fn legend<'a>(area: &Area<'_>, figure: &'a Figure) -> Outcome<Vec<Entry<'a>>> {
    let (mut left, mut line) = (MARGIN, 0);
    let mut entries: Vec<Entry<'a>> = Vec::new();
    for mark in figure.panels.iter().flat_map(|p| &p.marks) {
        if mark.label.is_empty() || entries.iter().any(|e| e.mark.label == mark.label) {
            continue;
        }
        let style = font(13.0, (0, 0, 0), FontStyle::Normal);
        let width = 28 + area.estimate_text_size(&mark.label, &style)?.0 as i32 / FINE;
        if left + width > WIDTH - MARGIN && left > MARGIN {
            (left, line) = (MARGIN, line + 1);
        }
        entries.push(Entry { mark, left, line });
        left += width + 16;
    }
    Ok(entries)
}

impl Entry<'_> {
    fn draw(&self, root: &Area<'_>, theme: Theme) -> Outcome {
        let (x, y) = (self.left, 66 + LINE * self.line);
        let ink = color(theme.of(self.mark.role));
        match &self.mark.shape {
            Shape::Bars { sheer, .. } => {
                let fill = ink.mix(if *sheer { SHEER } else { 1.0 }).filled();
                root.draw(&Rectangle::new([at(x, y + 1), at(x + 22, y + 13)], fill))?;
            }
            Shape::Line { dashed, .. } => {
                line(root, [at(x, y + 7), at(x + 22, y + 7)], ink.stroke_width(stroke(2.5)), *dashed)?;
            }
            Shape::Vertical { dashed, .. } => {
                line(root, [at(x + 11, y - 2), at(x + 11, y + 15)], ink.stroke_width(stroke(1.8)), *dashed)?;
            }
            Shape::Dots { radius, .. } => {
                root.draw(&Circle::new(at(x + 11, y + 7), (*radius as i32).max(3) * FINE, ink.filled()))?;
            }
            Shape::Rug { .. } => root.draw(&triangle(at(x + 11, y + 2), ink))?,
        }
        root.draw_text(&self.mark.label, &font(13.0, theme.ink(), FontStyle::Normal), at(x + 28, y))?;
        Ok(())
    }
}

const SHEER: f64 = 0.6;

fn stroke(pixels: f64) -> u32 {
    (pixels * f64::from(FINE)) as u32
}

fn line(area: &Area<'_>, ends: [(i32, i32); 2], style: ShapeStyle, dashed: bool) -> Outcome {
    if dashed {
        area.draw(&DashedPathElement::new(ends, 6 * FINE, 4 * FINE, style))?;
    } else {
        area.draw(&PathElement::new(ends, style))?;
    }
    Ok(())
}

/// Pointing up, its tip at `(x, y)`.
fn triangle((x, y): (i32, i32), ink: RGBColor) -> Polygon<(i32, i32)> {
    let (half, height) = (4 * FINE, 8 * FINE);
    Polygon::new([(x, y), (x - half, y + height), (x + half, y + height)], ink.filled())
}

/// An axis as plotters has it.
struct Ruler {
    span: Range<f64>,
    ticks: Ticks,
}

impl Ruler {
    fn new(axis: &Axis, most: usize) -> Self {
        Ruler { span: axis.at(axis.low)..axis.at(axis.high), ticks: ticks(axis, most) }
    }
}

impl Ranged for Ruler {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.span.start) / (self.span.end - self.span.start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return self.ticks.minor.clone();
        }
        self.ticks.major.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.span.clone()
    }
}

impl ValueFormatter<f64> for Ruler {
    fn format_ext(&self, place: &f64) -> String {
        let found = self.ticks.major.iter().find(|(p, _)| p == place);
        found.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

fn draw_panel(root: &Area<'_>, area: &Area<'_>, panel: &Panel, theme: Theme, small: bool) -> Outcome {
    let mut chart = ChartBuilder::on(area)
        .margin_left(8 * FINE)
        .margin_right(MARGIN * FINE)
        .margin_top(8 * FINE)
        .x_label_area_size(46 * FINE)
        .y_label_area_size(76 * FINE)
        .build_cartesian_2d(Ruler::new(&panel.x, 9), Ruler::new(&panel.y, if small { 4 } else { 7 }))?;
    let small_print = font(12.5, theme.dim(), FontStyle::Normal);
    chart
        .configure_mesh()
        .bold_line_style(color(theme.grid()).stroke_width(stroke(1.0)))
        .light_line_style(color(theme.faint()).stroke_width(stroke(1.0)))
        .axis_style(color(theme.dim()).stroke_width(stroke(1.0)))
        .label_style(small_print)
        .axis_desc_style(font(13.5, theme.ink(), FontStyle::Normal))
        .x_desc(panel.x.label.as_str())
        .y_desc(panel.y.label.as_str())
        .set_all_tick_mark_size(5 * FINE)
        .draw()?;
    let plot = chart.plotting_area();
    // In the pixels of the whole figure.
    let pixel = |x: f64, y: f64| plot.map_coordinate(&(panel.x.at(x), panel.y.at(y)));
    for mark in &panel.marks {
        draw_mark(root, mark, panel, theme, &pixel)?;
    }
    Ok(())
}

fn draw_mark(
    root: &Area<'_>,
    mark: &Mark,
    panel: &Panel,
    theme: Theme,
    pixel: &dyn Fn(f64, f64) -> (i32, i32),
) -> Outcome {
    let ink = color(theme.of(mark.role));
    let (x, y) = (&panel.x, &panel.y);
    let held = |points: &[(f64, f64)]| -> Vec<(i32, i32)> {
        let inside = points.iter().filter(|(a, b)| x.holds(*a) && y.holds(*b));
        inside.map(|(a, b)| pixel(*a, *b)).collect()
    };
    match &mark.shape {
        Shape::Bars { edges, heights, sheer } => {
            let fill = ink.mix(if *sheer { SHEER } else { 1.0 }).filled();
            for (ends, height) in edges.windows(2).zip(heights) {
                let (from, to) = (ends[0].max(x.low), ends[1].min(x.high));
                if *height > y.low && from < to {
                    let (left, top) = pixel(from, height.min(y.high));
                    let (right, bottom) = pixel(to, y.low);
                    // A hair of the ground between neighbours.
                    let right = (right - FINE / 2).max(left + 1);
                    root.draw(&Rectangle::new([(left, top), (right, bottom)], fill))?;
                }
            }
        }
        Shape::Line { points, dashed: false } => {
            root.draw(&PathElement::new(held(points), ink.stroke_width(stroke(2.5))))?;
        }
        Shape::Line { points, dashed: true } => {
            let style = ink.stroke_width(stroke(2.5));
            root.draw(&DashedPathElement::new(held(points), 8 * FINE, 5 * FINE, style))?;
        }
        Shape::Dots { points, radius } => {
            for point in held(points) {
                root.draw(&Circle::new(point, *radius as i32 * FINE, ink.filled()))?;
            }
        }
        Shape::Vertical { x: place, dashed } if x.holds(*place) => {
            let ends = [pixel(*place, y.high), pixel(*place, y.low)];
            line(root, ends, ink.stroke_width(stroke(1.8)), *dashed)?;
        }
        Shape::Vertical { .. } => {}
        Shape::Rug { at } => {
            for place in at.iter().filter(|v| x.holds(**v)) {
                let (left, bottom) = pixel(*place, y.low);
                root.draw(&triangle((left, bottom - 9 * FINE), ink))?;
            }
        }
    }
    Ok(())
}
