//! What the command's exit status says.

/// Everything asked for was done.
pub const OK: u8 = 0;
/// A model could not be opened, or a result not written.
pub const REFUSED: u8 = 1;
/// The command line contradicts itself, or names what is not there. Also clap's own.
pub const USAGE: u8 = 2;
/// The report is complete, but a layer in it failed, or the model has none; or an entry of a store is damaged.
pub const INCOMPLETE: u8 = 3;

/// The end of every help text.
pub const HELP: &str = "\
Exit status:
  0  done
  1  a model could not be opened, or the result not written
  2  wrong usage: unknown or contradicting options, a filter or column that matches nothing,
     no such loader or plugin
  3  reported, but some layer failed, there was nothing to analyse or compare, or an entry of the
     store is damaged and left out";

/// Of several models, the status that matters most: 1, then 2, then 3.
pub fn worst(statuses: impl IntoIterator<Item = u8>) -> u8 {
    statuses.into_iter().filter(|s| *s != OK).min().unwrap_or(OK)
}
