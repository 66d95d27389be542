//! An error as the user sees it: one line, its causes, and a hint where one helps.

use std::error::Error;
use std::io::Write;

use crate::exit;
use crate::style::{self, paint};
use crate::text::printable;

/// Why the command, or one model of it, came to nothing.
#[derive(Debug)]
pub struct Failure {
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    status: u8,
}

impl Failure {
    /// A failure with exit status 1.
    pub fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), causes: Vec::new(), hints: Vec::new(), status: exit::REFUSED }
    }

    /// The same of an error and what caused it, where that says more.
    pub fn of(error: &dyn Error) -> Self {
        let mut failure = Failure::new(error.to_string());
        let mut said = failure.message.clone();
        let mut cause = error.source();
        while let Some(error) = cause {
            let words = error.to_string();
            if !said.contains(&words) {
                said.clone_from(&words);
                failure.causes.push(words);
            }
            cause = error.source();
        }
        failure
    }

    /// A mistake in the command line: exit status 2.
    #[must_use]
    pub fn usage(mut self) -> Self {
        self.status = exit::USAGE;
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Prints it; the exit status.
    pub fn print(&self) -> u8 {
        let mut err = anstream::stderr().lock();
        let mut line = |style, label: &str, words: &str| {
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(err, "{} {}", paint(style, label), printable(words));
        };
        line(style::BAD, "error:", &self.message);
        self.causes.iter().for_each(|c| line(style::DIM, "  cause:", c));
        self.hints.iter().for_each(|h| line(style::HINT, "  hint:", h));
        self.status
    }
}
