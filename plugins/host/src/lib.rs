//! Finds plugins, judges them by their manifests, and turns them into [`Loader`](eigenscope::source::Loader)s.
//!
//! ```no_run
//! use eigenscope::source::{Input, Registry};
//! use eigenscope_host::Search;
//!
//! let found = Search { folders: vec!["/opt/acme/eigenscope".into()], ..Search::everywhere() }.discover();
//! let mut registry = Registry::new();
//! found.add_to(&mut registry);
//! let model = registry.open(&Input::path("weights.npz"), None)?;
//! # Ok::<(), eigenscope::source::SourceError>(())
//! ```
//!
//! A plugin runs with the rights of the process that loads it. There is no sandbox: what is checked before loading
//! keeps out mistakes, not malice.

mod c;
mod discovery;
mod library;
mod loaded;
mod logging;
mod manifest;
mod plugin;
mod reason;
mod rust;
mod search;
mod trust;

pub use discovery::{Candidate, Discovery, Origin, Place, State};
pub use manifest::{Abi, Format, Manifest, Probe};
pub use plugin::Plugin;
pub use reason::Reason;
pub use search::{ENVIRONMENT, INSTALLED, Search};
pub use trust::sha256;
