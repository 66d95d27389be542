//! Colours, and whether there are any.

use anstyle::{AnsiColor, Style};

/// Column headings and titles.
pub const HEADING: Style = Style::new().bold();
/// What matters less.
pub const DIM: Style = Style::new().dimmed();
/// alpha below 2.
pub const OVER: Style = AnsiColor::Magenta.on_default();
/// alpha above 6.
pub const UNDER: Style = AnsiColor::Yellow.on_default();
/// Failed layers and errors.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Hints.
pub const HINT: Style = AnsiColor::Cyan.on_default();

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR or TERM=dumb is set; CLICOLOR_FORCE turns it on anywhere
    #[default]
    Auto,
    /// Always, in files too
    Always,
    /// Never
    Never,
}

/// Sets the choice for every stream of the process.
pub fn choose(color: Color) {
    match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// The words in the style, as escape codes; streams without colour take them out again.
pub fn paint(style: Style, words: impl std::fmt::Display) -> String {
    format!("{style}{words}{style:#}")
}
