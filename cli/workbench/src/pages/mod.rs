//! Pages to look at in a browser: one file each, which asks nobody for anything.

mod markup;
mod report;
mod series;

pub(crate) use markup::forbidden;
pub use markup::{Page, escape, json_in_script};
pub use report::{Spectra, report};
pub use series::{SeriesError, is_history, series};

/// The stylesheet of every page.
pub const PAGE_CSS: &str = include_str!("../../assets/page.css");
/// The script of every page: `page`, with data, tables and charts.
pub const PAGE_JS: &str = include_str!("../../assets/page.js");
/// Apache ECharts.
pub const ECHARTS_JS: &str = include_str!("../../assets/echarts/echarts.min.js");
