//! What the solver is made of: vectors, products of small blocks, aligned memory, threads.

mod buffer;
mod parallel;
mod product;
mod simd;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use buffer::Buffer;
pub(crate) use parallel::{Shared, each};
pub(crate) use product::{Mode, Product, Term, panel_width, product};
pub use simd::Vectors;
pub(crate) use simd::{Isa, Simd, Task, dispatch};
