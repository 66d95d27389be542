//! How the engine's types cross the border of [`abi`](crate::abi): each has a mirror there, and the two functions that
//! carry it over and back live here. For hosts and for the export macro; a loader's author needs none of it.

mod enums;
mod error;
mod input;
mod tensor;

pub use error::{error_from, error_into};
pub use input::{glimpse_from, glimpse_into, input_from, input_into};
pub use tensor::{info_from, info_into, tensor_from, tensor_into};
