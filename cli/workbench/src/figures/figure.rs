//! What a figure shows, before anything is drawn.

use super::scale::Axis;
use super::theme::Role;

/// A figure: panels one below the other under a title.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its name, which its file has in it.
    pub name: &'static str,
    /// First line.
    pub title: String,
    /// Second line: the numbers.
    pub subtitle: String,
    /// Panels from top to bottom.
    pub panels: Vec<Panel>,
}

/// Two axes and marks between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Drawn in this order.
    pub marks: Vec<Mark>,
}

/// Marks of one kind, and what the legend calls them; empty: nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where they are.
    pub shape: Shape,
    /// What they are about.
    pub role: Role,
    /// What the legend says.
    pub label: String,
}

/// Where marks are.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A histogram: one edge more than there are heights.
    Bars {
        /// Ascending.
        edges: Vec<f64>,
        /// From the bottom.
        heights: Vec<f64>,
        /// Those behind are to be seen through them.
        sheer: bool,
    },
    /// A line through points.
    Line {
        /// By ascending x.
        points: Vec<(f64, f64)>,
        /// Broken.
        dashed: bool,
    },
    /// Separate points.
    Dots {
        /// In any order.
        points: Vec<(f64, f64)>,
        /// Radius in pixels.
        radius: u32,
    },
    /// A line from bottom to top.
    Vertical {
        /// Where.
        x: f64,
        /// Broken.
        dashed: bool,
    },
    /// Small triangles on the lower axis.
    Rug {
        /// Where.
        at: Vec<f64>,
    },
}

impl Mark {
    /// A mark of that shape.
    pub fn new(shape: Shape, role: Role, label: impl Into<String>) -> Self {
        Mark { shape, role, label: label.into() }
    }

    /// A line from bottom to top.
    pub fn vertical(x: f64, role: Role, dashed: bool, label: impl Into<String>) -> Self {
        Mark::new(Shape::Vertical { x, dashed }, role, label)
    }

    /// A histogram.
    pub fn bars(histogram: &super::histogram::Histogram, role: Role, label: impl Into<String>) -> Self {
        let (edges, heights) = (histogram.edges.clone(), histogram.density.clone());
        Mark::new(Shape::Bars { edges, heights, sheer: false }, role, label)
    }
}
