//! A table of lines that never grow wider than they may.

use anstyle::Style;

use crate::style::{HEADING, paint};
use crate::text::{cut, left, right, shorten_name, width};

/// Columns stand closer together before the flexible one gets less than this.
const EASY: usize = 40;
/// What it keeps however long the notes are.
const LEAST_BESIDE_NOTE: usize = 28;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub heading: &'static str,
    /// Padded on the right rather than the left.
    pub text: bool,
    /// It goes when the flexible column would otherwise get less than this, though it wants more; 0: it stays.
    pub yields: usize,
}

/// A cell.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell { text, style: Style::new() }
    }
}

/// A line: cells for the first columns, and words across the others.
#[derive(Clone, Debug)]
pub struct Line {
    /// As many as there are columns, or fewer with a note.
    pub cells: Vec<Cell>,
    /// What stands in place of the remaining columns.
    pub note: Option<Cell>,
}

/// Columns and lines; `flexible` is the column that gives way.
#[derive(Debug)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// Which column is shortened where room is short.
    pub flexible: usize,
    /// The lines.
    pub lines: Vec<Line>,
}

struct Layout {
    /// Width of each column; `None` for those left out.
    widths: Vec<Option<usize>>,
    gap: usize,
}

impl Table {
    /// The heading and the lines, each of at most `limit` columns.
    pub fn render(&self, limit: usize) -> String {
        let layout = self.layout(limit);
        let heading = self.columns.iter().map(|c| Cell { text: c.heading.to_owned(), style: HEADING });
        let mut out = self.line(&Line { cells: heading.collect(), note: None }, &layout, limit);
        for line in &self.lines {
            out += &self.line(line, &layout, limit);
        }
        out
    }

    fn layout(&self, limit: usize) -> Layout {
        let widest = |index: usize| {
            let cells = self.lines.iter().filter_map(|line| line.cells.get(index)).map(|c| width(&c.text));
            cells.max().unwrap_or(0).max(width(self.columns[index].heading))
        };
        let mut widths: Vec<Option<usize>> = (0..self.columns.len()).map(|i| Some(widest(i))).collect();
        let wanted = widths[self.flexible].unwrap_or(0);
        let room = |widths: &[Option<usize>], gap: usize| {
            let others = widths.iter().enumerate().filter(|(i, _)| *i != self.flexible);
            let taken: usize = others.filter_map(|(_, w)| w.map(|w| w + gap)).sum();
            limit.saturating_sub(taken)
        };
        let gap = if room(&widths, 2) < wanted.min(EASY) { 1 } else { 2 };
        let mut by_yield: Vec<usize> = (0..widths.len()).filter(|i| self.columns[*i].yields > 0).collect();
        by_yield.sort_by_key(|i| std::cmp::Reverse(self.columns[*i].yields));
        for index in by_yield {
            if room(&widths, gap) < wanted.min(self.columns[index].yields) {
                widths[index] = None;
            }
        }
        let given = wanted.min(room(&widths, gap));
        let beside_note = self.beside_note(&widths, gap, limit).max(LEAST_BESIDE_NOTE);
        widths[self.flexible] = Some(given.min(beside_note));
        widths.iter_mut().filter(|w| **w == Some(0)).for_each(|w| *w = None);
        Layout { widths, gap }
    }

    /// What the flexible column may take without crowding out the notes.
    fn beside_note(&self, widths: &[Option<usize>], gap: usize, limit: usize) -> usize {
        let noted = self.lines.iter().filter_map(|line| Some((line.cells.len(), line.note.as_ref()?)));
        let beside = noted.map(|(cells, note)| {
            let others = widths.iter().enumerate().take(cells).filter(|(i, _)| *i != self.flexible);
            let taken: usize = others.filter_map(|(_, w)| w.map(|w| w + gap)).sum();
            limit.saturating_sub(taken + gap + width(&note.text).min(EASY))
        });
        beside.min().unwrap_or(limit)
    }

    fn line(&self, line: &Line, layout: &Layout, limit: usize) -> String {
        let (mut out, mut used, mut first) = (String::new(), 0, true);
        for ((index, cell), columns) in line.cells.iter().enumerate().zip(&layout.widths) {
            let Some(columns) = *columns else { continue };
            let gap = if first { 0 } else { layout.gap };
            first = false;
            let words = shorten_name(&cell.text, columns);
            let padded =
                if self.columns[index].text { left(&words, columns) } else { right(&words, columns) };
            out += &" ".repeat(gap);
            out += &paint(cell.style, padded);
            used += gap + columns;
        }
        if let Some(note) = &line.note {
            let words = cut(&note.text, limit.saturating_sub(used + layout.gap));
            out += &format!("{}{}", " ".repeat(layout.gap), paint(note.style, words));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}
