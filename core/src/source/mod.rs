//! From a path or bytes to a list of tensors: the loader trait, the registry and the errors every format shares.

mod error;
mod input;
mod loader;
mod memory;
mod registry;

pub use error::{Refusal, SourceError};
pub use input::{Glimpse, HEAD_BYTES, Input};
pub use loader::{Loader, Product, Score, TensorInfo, WeightFile};
pub use memory::MemoryModel;
pub use registry::{OpenModel, Registry};
