//! PNG of an SVG, with the letters that this program carries and no others.

use std::error::Error;
use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};

use super::draw::{BOLD, REGULAR};

/// Pixels for each of the SVG's.
const SCALE: f32 = 2.0;

static LETTERS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut letters = Database::new();
    letters.load_font_data(REGULAR.to_vec());
    letters.load_font_data(BOLD.to_vec());
    letters.set_sans_serif_family("Arimo");
    Arc::new(letters)
});

/// The picture, twice as large.
pub(super) fn png(svg: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let options = Options { fontdb: LETTERS.clone(), font_family: "Arimo".to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or("a figure without size")?;
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("a figure too large for a picture")?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    Ok(pixels.encode_png()?)
}
