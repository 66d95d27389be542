//! What the solver is made of: vectors, products of small blocks, aligned memory, threads.

mod buffer;
mod pages;
mod parallel;
mod product;
mod simd;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use buffer::Buffer;
pub use pages::Reuse;
pub(crate) use pages::{give_back, zeros};
pub(crate) use parallel::{Shared, each};
pub(crate) use product::{Mode, Product, Term, panel_width, product};
pub use simd::Vectors;
pub(crate) use simd::{Isa, Simd, Task, dispatch};
