//! Arrays as `.npy` files.

use std::io::Cursor;

use ndarray::{ArrayRef, Dimension};
use ndarray_npy::WriteNpyExt;

use crate::failure::Failure;

/// The file of an array of doubles.
pub fn bytes<D: Dimension>(array: &ArrayRef<f64, D>) -> Result<Vec<u8>, Failure> {
    let mut file = Cursor::new(Vec::new());
    array.view().write_npy(&mut file).map_err(|e| Failure::of(&e))?;
    Ok(file.into_inner())
}
