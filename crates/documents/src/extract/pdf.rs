//! Reads the text of a PDF page by page: its text layer, or OCR for a page without one.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Instant;

use hayro::hayro_interpret::{Context, InterpreterCache, InterpreterSettings, interpret_page};
use hayro::hayro_syntax::object::Dict;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::page::Page;
use hayro::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};

use super::glyphs::GlyphCollector;
use super::layout::Line;
use super::ocr::{GrayImage, LeftToService, OcrEngine, OcrProgram, OcrStarter};
use super::pdf_end::{self, End};
use super::{ExtractOptions, footnotes, form_fields, furniture, layout};
use crate::error::DocumentError;
use crate::model::{ExtractedText, FOOTNOTE_END, FOOTNOTE_START, PageSpan, TextSource};

/// Stack size of the reading thread: parsers recurse over nested objects, and a main thread's stack
/// would overflow before their own limits apply.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// The result of reading one page.
enum PageText {
    Layer(Vec<Line>),
    Ocr(String),
    /// Needs OCR, which is disabled; the lines are the stamp, if any.
    Skipped(Vec<Line>),
    /// Is left to an OCR service; the lines are the stamp, if any.
    Unread(Vec<Line>),
}

/// Messages from the reading thread.
enum Progress {
    Pages(usize),
    /// The page that is being read needs OCR.
    Picture,
    Page(PageText),
    Done(Result<(), DocumentError>),
}

/// Reads a PDF whose header is at byte `header`.
pub(super) fn extract(
    bytes: &[u8],
    header: usize,
    options: &ExtractOptions,
    ocr: &OcrStarter,
) -> Result<ExtractedText, DocumentError> {
    // Offsets in a PDF count from its header.
    let data = bytes[header..].to_vec();
    let end = pdf_end::end(&data);
    if end == End::CutOff {
        return Err(DocumentError::Damaged {
            reason: "the file ends before its end mark: it was cut off, or not fully transferred"
                .to_owned(),
        });
    }
    let (sender, receiver) = channel();
    let cancelled = Arc::new(AtomicBool::new(false));
    let (options_of, ocr) = (options.clone(), ocr.clone());
    let worker =
        Worker { sender, cancelled: Arc::clone(&cancelled), options: options_of, ocr, end };
    // A separate thread gives deep recursion a big stack, turns a panic into this document's failure, and
    // lets a reader that never returns be abandoned.
    std::thread::Builder::new()
        .name("pdf-reader".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || worker.run(data))
        .map_err(|error| DocumentError::ReaderFailed { reason: error.to_string() })?;
    let deadline = Instant::now() + options.document_timeout;
    let mut step = options.page_timeout;
    let mut pages = Vec::new();
    let outcome = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(step.min(left)) {
            Ok(Progress::Pages(count)) => pages.reserve(count.min(options.max_pages)),
            // A page is drawn first, which is part of its own time.
            Ok(Progress::Picture) => step = options.page_timeout + options.ocr_page_timeout,
            Ok(Progress::Page(page)) => {
                pages.push(page);
                step = options.page_timeout;
            }
            Ok(Progress::Done(outcome)) => break outcome,
            Err(RecvTimeoutError::Timeout) => {
                cancelled.store(true, Ordering::Relaxed);
                let limit = if left < step { options.document_timeout } else { step };
                break Err(DocumentError::TimedOut { limit });
            }
            Err(RecvTimeoutError::Disconnected) => {
                break Err(DocumentError::ReaderFailed {
                    reason: "it stopped without a message".into(),
                });
            }
        }
    };
    outcome?;
    let mut read = assemble(pages, options.ocr_service)?;
    read.warnings.extend(warning(end).map(str::to_owned));
    Ok(read)
}

/// The remark on a PDF that ends in this way.
fn warning(end: End) -> Option<&'static str> {
    match end {
        End::Whole | End::CutOff => None,
        End::Continued => Some(
            "the file goes on after its end mark: a later revision may not have been transferred fully",
        ),
        End::Unmarked => Some(
            "the file's table of objects was missing or wrong, and was rebuilt from its objects",
        ),
    }
}

struct Worker {
    sender: Sender<Progress>,
    cancelled: Arc<AtomicBool>,
    options: ExtractOptions,
    ocr: OcrStarter,
    end: End,
}

impl Worker {
    fn run(&self, data: Vec<u8>) {
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| self.read(data)))
            .unwrap_or_else(|panic| {
                Err(DocumentError::ReaderFailed { reason: panic_text(&*panic) })
            });
        // The receiver is gone only after a time-out, and then nobody waits for the outcome.
        let _ = self.sender.send(Progress::Done(outcome));
    }

    fn read(&self, data: Vec<u8>) -> Result<(), DocumentError> {
        // A rebuilt object table loses the encryption's data, so only the keyword shows that the file
        // is encrypted.
        let locked = data.windows(8).any(|window| window == b"/Encrypt");
        let pdf = Pdf::new(data).map_err(|error| match error {
            LoadPdfError::Invalid if locked => DocumentError::Encrypted,
            LoadPdfError::Decryption(
                DecryptionError::PasswordProtected | DecryptionError::UnsupportedAlgorithm,
            ) => DocumentError::Encrypted,
            LoadPdfError::Decryption(error) => {
                DocumentError::Damaged { reason: format!("its encryption is damaged ({error:?})") }
            }
            LoadPdfError::Invalid => DocumentError::Damaged {
                reason: "its table of objects cannot be read or rebuilt".to_owned(),
            },
        })?;
        let pages = pdf.pages();
        if pages.is_empty() {
            return Err(DocumentError::Damaged { reason: "it has no readable pages".to_owned() });
        }
        if self.end != End::Whole
            && let Some(count) = page_count(&pdf)
            && count > pages.len()
        {
            let reason = format!("only {} of its {count} pages can be found", pages.len());
            return Err(DocumentError::Damaged { reason });
        }
        self.options.check_pages(pages.len())?;
        let _ = self.sender.send(Progress::Pages(pages.len()));
        let cache = InterpreterCache::new();
        let render_cache = RenderCache::new();
        let mut expanded = 0_u64;
        for (index, page) in pages.iter().enumerate() {
            expanded += page.page_stream().map_or(0, |stream| stream.len() as u64);
            if expanded > self.options.max_expanded_bytes {
                return Err(DocumentError::Expands { limit: self.options.max_expanded_bytes });
            }
            let text = self.read_page(page, index, &cache, &render_cache)?;
            if self.sender.send(Progress::Page(text)).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// What reads pages without text.
    fn engine(&self) -> Box<dyn OcrEngine + '_> {
        match self.options.ocr_service {
            true => Box::new(LeftToService),
            false => Box::new(OcrProgram { options: &self.options, starter: &self.ocr }),
        }
    }

    fn read_page<'a>(
        &self,
        page: &'a Page<'a>,
        index: usize,
        cache: &InterpreterCache<'a>,
        render_cache: &RenderCache<'a>,
    ) -> Result<PageText, DocumentError> {
        let settings = InterpreterSettings::default();
        let mut collector = GlyphCollector::new(&self.cancelled);
        let (width, height) = page.render_dimensions();
        let page_area = f64::from(width) * f64::from(height);
        let bounds = page.intersected_crop_box();
        let bbox = hayro::kurbo::Rect::new(bounds.x0, bounds.y0, bounds.x1, bounds.y1);
        let transform = hayro::kurbo::Affine::new(page.initial_transform(true).as_coeffs());
        let mut context = Context::new(transform, bbox, cache, page.xref(), settings.clone());
        interpret_page(page, &mut context, &mut collector);
        form_fields::add_values(page, transform, &mut collector.glyphs);
        let unknown = collector.unknown;
        let pictures =
            Pictures { share: collector.image_area / page_area.max(1.0), paths: collector.paths };
        let mut lines = layout::lines(collector.glyphs);
        let letters: usize = lines.iter().map(|line| letters(&line.text())).sum();
        if !needs_ocr(letters, unknown, &pictures) {
            furniture::drop_margin_numbers(&mut lines);
            return Ok(PageText::Layer(lines));
        }
        if !self.options.ocr {
            return Ok(PageText::Skipped(lines));
        }
        let draw = || {
            // The receiver is gone only after a time-out.
            let _ = self.sender.send(Progress::Picture);
            rasterise(page, render_cache, &settings, self.options.ocr_dpi)
        };
        let read = self.engine().read(index + 1, &draw)?;
        Ok(read.map_or(PageText::Unread(lines), PageText::Ocr))
    }
}

/// The number of pages that the document's tree of pages says it has.
fn page_count(pdf: &Pdf) -> Option<usize> {
    let xref = pdf.xref();
    let root: Dict<'_> = xref.get(xref.root_id())?;
    let pages: Dict<'_> = root.get(keys::PAGES)?;
    pages.get::<i32>(keys::COUNT)?.try_into().ok()
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

/// Fewer letters than this on a scanned page are a court's stamp, not the page's text.
const STAMP_LETTERS: usize = 300;

/// The pictures on a page.
struct Pictures {
    /// Share of the page that images cover.
    share: f64,
    /// Number of shapes drawn.
    paths: usize,
}

/// Fewer letters than this do not count as text: a page number, a bar code's caption.
const NO_LETTERS: usize = 12;

/// A page is read by OCR if it has pictures and no text, if an image covers much of it and the text is at
/// most a stamp, or if the file does not define its characters.
fn needs_ocr(letters: usize, unknown: usize, pictures: &Pictures) -> bool {
    (letters < NO_LETTERS && (pictures.share > 0.02 || pictures.paths > 100))
        || (letters < STAMP_LETTERS && pictures.share > 0.4)
        || (unknown > 50 && unknown > 2 * letters)
}

/// More pixels than this are not rasterised: an A3 page at 300 dpi has 17 million.
const MAX_PIXELS: f64 = 40_000_000.0;

fn rasterise<'a>(
    page: &'a Page<'a>,
    cache: &RenderCache<'a>,
    settings: &InterpreterSettings,
    dpi: u32,
) -> GrayImage {
    let (width, height) = page.render_dimensions();
    // PDF units are 72 to the inch.
    let wanted = dpi as f32 / 72.0;
    let max = (MAX_PIXELS / f64::from(width * height).max(1.0)).sqrt() as f32;
    let scale = wanted.min(max).min(f32::from(u16::MAX - 1) / width.max(height).max(1.0));
    let pixmap_settings = PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE };
    let pixmap = hayro::render(page, cache, settings, &RenderSettings::default(), &pixmap_settings);
    let pixels = pixmap
        .data()
        .iter()
        // Rec. 601 luma in integers.
        .map(|p| {
            ((u32::from(p.r) * 299 + u32::from(p.g) * 587 + u32::from(p.b) * 114) / 1000) as u8
        })
        .collect();
    GrayImage { width: pixmap.width().into(), height: pixmap.height().into(), pixels }
}

/// Joins pages into one text. `is_attachment` says why pages were skipped.
fn assemble(pages: Vec<PageText>, is_attachment: bool) -> Result<ExtractedText, DocumentError> {
    let mut warnings = Vec::new();
    let (mut by_ocr, mut skipped) = (0, 0);
    let total = pages.len();
    let mut layers: Vec<Vec<Line>> = Vec::new();
    let mut read: Vec<Option<String>> = Vec::new();
    let mut unread = Vec::new();
    for (at, page) in pages.into_iter().enumerate() {
        let (lines, text) = match page {
            PageText::Layer(lines) => (lines, None),
            PageText::Skipped(lines) => {
                skipped += 1;
                (lines, None)
            }
            PageText::Unread(lines) => {
                unread.push(at + 1);
                (lines, None)
            }
            PageText::Ocr(text) => {
                by_ocr += 1;
                (Vec::new(), Some(text))
            }
        };
        layers.push(lines);
        read.push(text);
    }
    furniture::drop_running_heads(&mut layers);
    let body = footnotes::body_size(&layers);
    let mut text = String::new();
    let mut spans = Vec::with_capacity(total);
    for (lines, ocr_text) in layers.iter().zip(read) {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let start = text.len();
        match ocr_text {
            Some(page) => text.push_str(page.trim_matches(['\n', '\u{c}', ' '])),
            None => push_lines(&mut text, lines, body),
        }
        spans.push(PageSpan { start, end: text.len() });
    }
    if text.trim().is_empty() && unread.is_empty() {
        return Err(DocumentError::NoText);
    }
    if skipped > 0 {
        let why = match is_attachment {
            true => "the OCR service does not get attachments",
            false => "OCR is off",
        };
        warnings.push(format!("{skipped} of {total} pages are images and were not read: {why}"));
    }
    if by_ocr > 0 {
        warnings.push(format!("{by_ocr} of {total} pages were read by OCR"));
    }
    let source = match by_ocr {
        0 => TextSource::PdfTextLayer,
        n if n == total => TextSource::Ocr,
        _ => TextSource::Mixed,
    };
    Ok(ExtractedText { text, pages: spans, source, warnings, unread })
}

/// Appends lines as text, with marks around footnotes: words hyphenated at a line's end are joined, and wider spacing becomes a
/// blank line.
fn push_lines(text: &mut String, lines: &[Line], body: f64) {
    let notes = footnotes::footnotes(lines, body);
    let mut notes = notes.iter().peekable();
    let mut gaps: Vec<f64> =
        lines.windows(2).map(|pair| pair[1].y - pair[0].y).filter(|gap| *gap > 0.0).collect();
    gaps.sort_by(f64::total_cmp);
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(f64::INFINITY);
    let mut previous: Option<f64> = None;
    for (at, line) in lines.iter().enumerate() {
        let content = line.text();
        let note = notes.peek().is_some_and(|note| note.contains(&at));
        if let Some(y) = previous {
            let gap = line.y - y;
            let cut = text.strip_suffix('-').is_some_and(|rest| {
                rest.ends_with(|c: char| c.is_lowercase())
                    && content.starts_with(|c: char| c.is_lowercase())
                    && gap < 1.5 * usual
            });
            if cut {
                text.pop();
            } else {
                text.push('\n');
                if !(0.0..=1.4 * usual).contains(&gap) {
                    text.push('\n');
                }
            }
        }
        if notes.peek().is_some_and(|note| note.start == at) {
            text.push(FOOTNOTE_START);
        }
        text.push_str(&content);
        if note && notes.next_if(|note| note.end == at + 1).is_some() {
            text.push(FOOTNOTE_END);
        }
        previous = Some(line.y);
    }
}

/// Characters of a panic's message that are passed on.
const MAX_MESSAGE: usize = 300;

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it gave no reason");
    text.chars().take(MAX_MESSAGE).collect()
}
