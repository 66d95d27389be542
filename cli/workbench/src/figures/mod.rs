//! Figures of one layer, with WeightWatcher's names, as SVG and PNG.

mod bulk;
mod draw;
mod esd;
mod figure;
mod gaps;
mod histogram;
mod kind;
mod raster;
mod scale;
mod scan;
mod theme;
mod vectors;
mod words;

pub(crate) use bulk::pooled;
pub use esd::{EsdView, LayerFit, Rival, sample_figure};
pub use figure::{Figure, Mark, Panel, Shape};
pub use histogram::{Histogram, bins};
pub use kind::{Kind, UnknownKind, figures, stem};
pub use scale::{Axis, Ticks, number, ticks};
pub use theme::{Role, Theme};

/// A figure that could not be drawn; a defect of this program or of a library it uses.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw {figure}: {cause}")]
pub struct DrawError {
    figure: &'static str,
    cause: String,
}

/// A picture of an SVG that [`Figure::svg`] made, two pixels for each of its own.
pub fn png(svg: &str) -> Result<Vec<u8>, DrawError> {
    raster::png(svg).map_err(|e| DrawError { figure: "a picture", cause: e.to_string() })
}

impl Figure {
    /// As an SVG document. It asks for common fonts by name and holds none.
    pub fn svg(&self, theme: Theme) -> Result<String, DrawError> {
        draw::svg(self, theme).map_err(|e| self.error(e.as_ref()))
    }

    /// As a PNG picture, two pixels for each of the SVG's.
    pub fn png(&self, theme: Theme) -> Result<Vec<u8>, DrawError> {
        raster::png(&self.svg(theme)?).map_err(|e| self.error(e.as_ref()))
    }

    fn error(&self, cause: &dyn std::error::Error) -> DrawError {
        DrawError { figure: self.name, cause: cause.to_string() }
    }
}
