//! Extracts text: recognises the format from the content and reads it within limits.

mod docx;
mod email;
mod encoding;
mod footnotes;
mod form_fields;
mod furniture;
mod glyphs;
mod html;
mod layout;
mod ocr;
mod pdf;
mod pdf_end;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::DocumentError;
use crate::model::{ExtractedText, PageSpan, TextSource};
pub(crate) use ocr::OcrStarter;

/// Limits of reading a document, and options of OCR.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExtractOptions {
    /// Maximum size of a file, in bytes.
    pub max_bytes: u64,
    /// Maximum number of pages.
    pub max_pages: usize,
    /// Maximum expanded size of a PDF's page contents, in bytes.
    pub max_expanded_bytes: u64,
    /// Maximum length of a document's text, in bytes.
    pub max_text_bytes: u64,
    /// Time-out for one document, including OCR.
    pub document_timeout: Duration,
    /// Time-out for parsing, laying out and rasterising one page.
    pub page_timeout: Duration,
    /// Whether pages without text are read by OCR; otherwise they are skipped with a warning.
    pub ocr: bool,
    /// Whether the pages without text of a PDF are left to an OCR service ([`ExtractedText::unread`]), and not read by
    /// the program. Pages of attachments are skipped with a warning then.
    pub ocr_service: bool,
    /// The tesseract program: a name on the path, or a path.
    pub ocr_program: String,
    /// The language data of OCR, by tesseract's name.
    pub ocr_language: String,
    /// Resolution at which pages are rasterised for OCR, in dots per inch.
    pub ocr_dpi: u32,
    /// Time-out for OCR of one page.
    pub ocr_page_timeout: Duration,
}

impl Default for ExtractOptions {
    fn default() -> Self {
        Self {
            max_bytes: 100 * 1024 * 1024,
            max_pages: 10_000,
            max_expanded_bytes: 1024 * 1024 * 1024,
            max_text_bytes: 64 * 1024 * 1024,
            document_timeout: Duration::from_secs(30 * 60),
            page_timeout: Duration::from_secs(60),
            ocr: true,
            ocr_service: false,
            ocr_program: "tesseract".to_owned(),
            ocr_language: "eng".to_owned(),
            ocr_dpi: 300,
            ocr_page_timeout: Duration::from_secs(120),
        }
    }
}

impl ExtractOptions {
    /// Checks a size before reading; [`extract`] makes the same check.
    ///
    /// # Errors
    /// [`DocumentError::Empty`] and [`DocumentError::TooLarge`].
    pub fn check_size(&self, size: u64) -> Result<(), DocumentError> {
        if size == 0 {
            return Err(DocumentError::Empty);
        }
        if size > self.max_bytes {
            return Err(DocumentError::TooLarge { size, limit: self.max_bytes });
        }
        Ok(())
    }

    /// Checks a number of pages.
    fn check_pages(&self, pages: usize) -> Result<(), DocumentError> {
        match self.max_pages {
            limit if pages > limit => Err(DocumentError::TooManyPages { pages, limit }),
            _ => Ok(()),
        }
    }

    /// Checks the length of a text.
    fn check_text(&self, text: &str) -> Result<(), DocumentError> {
        let (size, limit) = (text.len() as u64, self.max_text_bytes);
        if size > limit {
            return Err(DocumentError::TextTooLarge { size, limit });
        }
        Ok(())
    }
}

/// Reads the text of a document. The format is recognised from the content; `name` is only used in
/// warnings.
///
/// Blocks, for as long as OCR takes: on an async runtime, call it where blocking is allowed.
///
/// A document of somebody else can end the process in which it is read; see [`crate::Reader`].
///
/// # Errors
/// Any [`DocumentError`]; all of them concern only this document.
pub fn extract(
    bytes: &[u8],
    name: &str,
    options: &ExtractOptions,
) -> Result<ExtractedText, DocumentError> {
    extract_with(bytes, name, options, &OcrStarter::Direct)
}

/// Reads the text of a document, with an OCR program that is started as `ocr` says.
pub(crate) fn extract_with(
    bytes: &[u8],
    name: &str,
    options: &ExtractOptions,
    ocr: &OcrStarter,
) -> Result<ExtractedText, DocumentError> {
    options.check_size(bytes.len() as u64)?;
    let text = text_of(bytes, name, options, ocr, 0)?;
    options.check_text(&text.text)?;
    Ok(text)
}

/// The text of a document that is within `depth` e-mails.
fn text_of(
    bytes: &[u8],
    name: &str,
    options: &ExtractOptions,
    ocr: &OcrStarter,
    depth: usize,
) -> Result<ExtractedText, DocumentError> {
    if let Some(at) = pdf_end::header(bytes) {
        return pdf::extract(bytes, at, options, ocr);
    }
    if bytes.starts_with(docx::SIGNATURE) {
        return docx::extract(bytes, options);
    }
    if email::looks_like_email(bytes) {
        return email::extract(bytes, options, ocr, depth);
    }
    if let Some(found) = encoding::binary_format(bytes) {
        return Err(DocumentError::UnsupportedFormat { found });
    }
    let decoded = encoding::decode(bytes);
    let mut warnings = decoded.warnings;
    let (text, source) = if html::looks_like_html(&decoded.text) {
        (html::visible_text(&decoded.text), TextSource::Html)
    } else {
        if name.to_ascii_lowercase().ends_with(".pdf") {
            warnings.push("the name ends in .pdf but the content is plain text".to_owned());
        }
        (decoded.text, TextSource::PlainText)
    };
    if text.trim().is_empty() {
        return Err(DocumentError::NoText);
    }
    let pages = form_feed_pages(&text);
    options.check_pages(pages.len())?;
    Ok(ExtractedText { text, pages, source, warnings, unread: Vec::new() })
}

/// The pages of plain text, which court systems separate by form feeds.
fn form_feed_pages(text: &str) -> Vec<PageSpan> {
    let mut pages = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices('\u{c}') {
        pages.push(PageSpan { start, end: at });
        start = at + 1;
    }
    pages.push(PageSpan { start, end: text.len() });
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<ExtractedText, DocumentError> {
        extract(bytes, "x.txt", &ExtractOptions::default())
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert_eq!(read(b"").unwrap_err().code(), "empty");
        assert_eq!(read(b" \n ").unwrap_err().code(), "no_text");
        let small = ExtractOptions { max_bytes: 4, ..ExtractOptions::default() };
        assert_eq!(extract(b"hello", "x", &small).unwrap_err().code(), "too_large");
    }

    #[test]
    fn a_binary_named_txt_is_refused() {
        let error = read(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0").unwrap_err();
        assert_eq!(error.code(), "unsupported_format");
        assert!(error.to_string().contains("program"), "{error}");
    }

    #[test]
    fn form_feeds_part_pages() {
        let read = read(b"one\x0ctwo").unwrap();
        assert_eq!(read.pages.len(), 2);
        assert_eq!(read.page_of(4), 1);
        assert_eq!(read.page_of(1), 0);
    }

    #[test]
    fn html_is_known_by_its_content() {
        let read = read(b"<!DOCTYPE html><html><body><p>Held.</p></body></html>").unwrap();
        assert_eq!((read.source, read.text.trim()), (TextSource::Html, "Held."));
    }
}
