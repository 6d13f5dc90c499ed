//! Pictures that a command writes: SVG, and with the feature `pictures` PNG and PDF, by the ending of the file's name.

use std::path::Path;

use hatchery::{error::Result, run::replace};

/// Writes a picture to a path that the user named.
pub(crate) fn write(path: &Path, svg: &str) -> Result<()> {
    match path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).as_deref() {
        #[cfg(feature = "pictures")]
        Some("png") => replace::output_bytes(path, &converted::png(svg)?),
        #[cfg(feature = "pictures")]
        Some("pdf") => replace::output_bytes(path, &converted::pdf(svg)?),
        _ => replace::output(path, svg),
    }
}

#[cfg(feature = "pictures")]
mod converted {
    use hatchery::error::{Error, Problem, Result};
    use resvg::{
        tiny_skia::{Pixmap, Transform},
        usvg::{Options, Tree},
    };

    /// Pixels of the PNG for each of the SVG, so that it can be printed.
    const SCALE: f32 = 2.0;

    pub(super) fn png(svg: &str) -> Result<Vec<u8>> {
        let tree = tree(svg)?;
        let size = tree.size();
        let pixels = |length: f32| (SCALE * length).ceil() as u32;
        let mut pixmap = Pixmap::new(pixels(size.width()), pixels(size.height()))
            .ok_or_else(|| Problem::new("the picture is too large for a PNG").hint("name a file that ends in .svg"))?;
        resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixmap.as_mut());
        pixmap.encode_png().map_err(|error| Error::internal("cannot make a PNG", error.to_string()))
    }

    pub(super) fn pdf(svg: &str) -> Result<Vec<u8>> {
        let made = svg2pdf::to_pdf(&tree(svg)?, svg2pdf::ConversionOptions::default(), svg2pdf::PageOptions::default());
        made.map_err(|error| Error::internal("cannot make a PDF", error.to_string()))
    }

    /// The picture with the fonts of the system; without one, its words would be missing.
    fn tree(svg: &str) -> Result<Tree> {
        let mut options = Options::default();
        let fonts = options.fontdb_mut();
        fonts.load_system_fonts();
        let Some(first) = fonts.faces().next().and_then(|face| face.families.first()).map(|(name, _)| name.clone())
        else {
            return Err(Problem::new("this machine has no fonts to draw the words of a picture with")
                .hint("install one, for example DejaVu, or name a file that ends in .svg")
                .into());
        };
        // A generic name that the system gives no font for would be drawn as nothing.
        let has = |name: &str| {
            let families = [resvg::usvg::fontdb::Family::Name(name)];
            let query = resvg::usvg::fontdb::Query { families: &families, ..Default::default() };
            options.fontdb.query(&query).is_some()
        };
        let family =
            |names: &[&str]| names.iter().find(|name| has(name)).map_or(first.clone(), |name| (*name).to_owned());
        let sans = family(&["Arial", "Helvetica", "DejaVu Sans", "Liberation Sans", "Noto Sans"]);
        let mono = family(&["DejaVu Sans Mono", "Liberation Mono", "Noto Sans Mono", "Courier New", "Menlo"]);
        options.fontdb_mut().set_sans_serif_family(sans);
        options.fontdb_mut().set_monospace_family(mono);
        Tree::from_str(svg, &options).map_err(|error| Error::internal("cannot read the picture again", error))
    }
}
