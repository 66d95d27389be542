//! NumPy arrays: `.npy` of format 1 to 3, and `.npz` archives of them.

mod arrays;
mod header;

use arrays::Arrays;
use eigenscope_plugin::mapped;
use eigenscope_plugin::source::{Glimpse, Input, Loader, Refusal, Score, SourceError, WeightFile};
use header::MAGIC;

eigenscope_plugin::export_loader!(Npy);

const ZIP: &[u8] = b"PK\x03\x04";

/// The loader.
pub struct Npy;

impl Loader for Npy {
    fn name(&self) -> &str {
        "npy"
    }

    fn extensions(&self) -> &[&str] {
        &["npy", "npz"]
    }

    fn probe(&self, glimpse: &Glimpse) -> Score {
        match glimpse.extension().as_str() {
            _ if glimpse.head.starts_with(MAGIC) => 100,
            "npz" if glimpse.head.starts_with(ZIP) => 100,
            "npy" | "npz" => 20,
            _ => 0,
        }
    }

    fn open(&self, input: &Input) -> Result<Box<dyn WeightFile>, SourceError> {
        let bytes = mapped::contents(input)?;
        let glimpse = input.glimpse()?;
        if bytes.starts_with(MAGIC) {
            let name = glimpse.name.strip_suffix(".npy").unwrap_or(&glimpse.name);
            return Ok(Box::new(Arrays::single(input.name(), name, bytes)?));
        }
        if bytes.starts_with(ZIP) {
            return Ok(Box::new(Arrays::archive(input.name(), bytes)?));
        }
        let (expected, found) = ("a NumPy array or archive".into(), glimpse.looks_like().into());
        Err(SourceError::new(input.name(), Refusal::WrongFormat { expected, found }))
    }
}
