//! What every target does: open the bytes, read every tensor.
//!
//!     tests/fuzz/seeds.sh keras target/fuzz-seeds/keras
//!     RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz keras tests/fuzz/corpus/keras target/fuzz-seeds/keras

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::{Input, Loader};

/// Elements decoded of one tensor; a view may repeat few bytes millions of times, which is slow and finds nothing.
const MAX_DECODED: usize = 1 << 12;

/// Opens `data` as a file of that name. What opens must list tensors truly.
pub fn exercise(loader: &dyn Loader, name: &str, data: &[u8]) {
    let input = Input::bytes(name, Bytes::copy_from_slice(data));
    if let Ok(glimpse) = input.glimpse() {
        assert!(loader.probe(&glimpse) <= 100);
    }
    let Ok(file) = loader.open(&input) else { return };
    let mut names: Vec<&str> = file.tensors().iter().map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "names are unique");
    for (i, info) in file.tensors().iter().enumerate() {
        let Ok(tensor) = file.read(i) else { continue };
        assert_eq!((tensor.shape(), tensor.dtype()), (&info.shape[..], info.dtype));
        if tensor.len() <= MAX_DECODED {
            assert_eq!(tensor.to_vec().len(), tensor.len());
        }
    }
    file.metadata();
}
