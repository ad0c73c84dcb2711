//! Collects the glyphs of a PDF page with their positions, as a drawing device that draws nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use hayro::hayro_interpret::font::{Glyph, GlyphRun};
use hayro::hayro_interpret::hayro_cmap::BfString;
use hayro::hayro_interpret::{
    BlendMode, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, SoftMask,
};
use hayro::kurbo::{Affine, BezPath, Point};

/// One glyph on the page; units are points, y grows downwards.
#[derive(Clone, Debug)]
pub(super) struct PlacedGlyph {
    pub(super) text: String,
    pub(super) x: f64,
    /// The baseline.
    pub(super) y: f64,
    /// Where the next glyph would start.
    pub(super) end_x: f64,
    /// The baseline there; it differs from `y` only for rotated text.
    pub(super) end_y: f64,
    pub(super) size: f64,
    /// Quarter turns clockwise from upright; `None` for a slanted glyph (a watermark).
    pub(super) quarter: Option<u8>,
}

/// The panic payload by which an abandoned reading leaves the PDF interpreter.
pub(super) struct Abandoned;

/// The device that collects a page's glyphs.
pub(super) struct GlyphCollector<'c> {
    pub(super) glyphs: Vec<PlacedGlyph>,
    /// Area of the page covered by images, in square points; overlaps count twice.
    pub(super) image_area: f64,
    /// Number of shapes drawn, since some producers turn letters into outlines.
    pub(super) paths: usize,
    /// Number of glyphs whose character the file does not define.
    pub(super) unknown: usize,
    cancelled: &'c AtomicBool,
}

/// Glyph outlines and widths are given in thousandths of the font size.
const UNITS_PER_EM: f64 = 1000.0;

/// More glyphs than any real page has; a page with more is not read further.
pub(super) const MAX_GLYPHS: usize = 400_000;

impl<'c> GlyphCollector<'c> {
    pub(super) fn new(cancelled: &'c AtomicBool) -> Self {
        Self { glyphs: Vec::new(), image_area: 0.0, paths: 0, unknown: 0, cancelled }
    }

    fn check(&self) {
        if self.cancelled.load(Ordering::Relaxed) {
            // The interpreter cannot be stopped early except by unwinding, which here bypasses the
            // panic hook.
            std::panic::resume_unwind(Box::new(Abandoned));
        }
    }

    fn place(&mut self, glyph: &Glyph<'_>, transform: Affine) {
        let text = match glyph.as_unicode() {
            Some(BfString::Char(c)) => plain_letters(c),
            Some(BfString::String(s)) => s.chars().map(plain_letters).collect(),
            None => {
                self.unknown += 1;
                return;
            }
        };
        let advance = match glyph {
            Glyph::Outline(outline) => outline.advance_width(),
            Glyph::Type3(type3) => type3.advance_width(),
        };
        let origin = transform * Point::ZERO;
        let advance = f64::from(advance.unwrap_or(500.0));
        let end = transform * Point::new(advance, 0.0);
        let top = transform * Point::new(0.0, UNITS_PER_EM);
        let [a, b, ..] = transform.as_coeffs();
        let size = (top - origin).hypot();
        if !(origin.x.is_finite() && origin.y.is_finite() && size.is_finite()) || size < 0.5 {
            return;
        }
        let quarter = if b.abs() < 0.05 * a.abs() {
            Some(if a >= 0.0 { 0 } else { 2 })
        } else if a.abs() < 0.05 * b.abs() {
            Some(if b >= 0.0 { 1 } else { 3 })
        } else {
            None
        };
        self.glyphs.push(PlacedGlyph {
            text,
            x: origin.x,
            y: origin.y,
            end_x: end.x,
            end_y: end.y,
            size,
            quarter,
        });
    }
}

/// Replaces ligatures and unusual spaces by plain letters.
fn plain_letters(c: char) -> String {
    match c {
        'ﬀ' => "ff".to_owned(),
        'ﬁ' => "fi".to_owned(),
        'ﬂ' => "fl".to_owned(),
        'ﬃ' => "ffi".to_owned(),
        'ﬄ' => "ffl".to_owned(),
        'ﬅ' | 'ﬆ' => "st".to_owned(),
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\t' | '\r' | '\n' => " ".to_owned(),
        '\u{ad}' => "-".to_owned(),
        c if c.is_control() || c == '\u{200b}' || c == '\u{feff}' => String::new(),
        c => c.to_string(),
    }
}

impl<'a> Device<'a> for GlyphCollector<'_> {
    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {
        self.paths += 1;
        self.check();
    }

    fn push_clip_path(&mut self, _: &ClipPath) {
        self.check();
    }

    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {
        self.check();
    }

    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, mode: &DrawMode) {
        self.check();
        // Fill-and-stroke text is drawn twice.
        if matches!(mode, DrawMode::Stroke(_)) && self.last_run_repeats(run, &props) {
            return;
        }
        for glyph in run.glyphs() {
            if self.glyphs.len() >= MAX_GLYPHS {
                return;
            }
            self.place(glyph, props.transform * glyph.transform());
        }
    }

    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        self.check();
        let [a, b, c, d, ..] = props.transform.as_coeffs();
        let (width, height) = (f64::from(image.width()), f64::from(image.height()));
        self.image_area += (a * d - b * c).abs() * width * height;
    }

    fn pop_clip(&mut self) {}

    fn pop_transparency_group(&mut self) {}
}

impl GlyphCollector<'_> {
    fn last_run_repeats(&self, run: &GlyphRun<'_, '_>, props: &DrawProps<'_>) -> bool {
        let (Some(first), count) = (run.glyphs().first(), run.glyphs().len()) else { return true };
        let origin = props.transform * first.transform() * Point::ZERO;
        let Some(at) = self.glyphs.len().checked_sub(count) else { return false };
        let placed = &self.glyphs[at];
        (placed.x - origin.x).abs() < 0.01 && (placed.y - origin.y).abs() < 0.01
    }
}
