//! The text of a document, its pages and chunks.

use serde::{Deserialize, Serialize};

/// The span of one page in [`ExtractedText::text`], as byte offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageSpan {
    /// First byte of the page.
    pub start: usize,
    /// One past the last byte of the page.
    pub end: usize,
}

/// The source of a document's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TextSource {
    /// A plain text file.
    PlainText,
    /// The visible text of an HTML page.
    Html,
    /// The text layer of a PDF.
    PdfTextLayer,
    /// A Word document (DOCX).
    Docx,
    /// An e-mail with its attachments.
    Email,
    /// Every page was read by OCR.
    Ocr,
    /// Some pages had a text layer, others were read by OCR.
    Mixed,
}

/// Stands before the text of each footnote: Unicode's line separator.
pub const FOOTNOTE_START: char = '\u{2028}';
/// Stands behind the text of each footnote, unless the document ends there: Unicode's paragraph separator.
pub const FOOTNOTE_END: char = '\u{2029}';

/// The text of a document, in reading order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractedText {
    /// The text; pages are separated by a blank line. Footnotes of PDFs and Word documents stand between
    /// [`FOOTNOTE_START`] and [`FOOTNOTE_END`], which are white space.
    pub text: String,
    /// One span per page, in order; a document without pages has one.
    pub pages: Vec<PageSpan>,
    /// The source of the text.
    pub source: TextSource,
    /// Remarks on the quality of the text.
    pub warnings: Vec<String>,
    /// The pages (counted from 1) without text that are left to an OCR service, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<usize>,
}

impl ExtractedText {
    /// The page (counted from 0) that holds the byte at `offset`; text between pages belongs to the earlier one.
    pub fn page_of(&self, offset: usize) -> usize {
        self.pages.partition_point(|page| page.start <= offset).saturating_sub(1)
    }
}

/// A piece of a document's text small enough to work on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Position among the document's chunks, from 0.
    pub index: usize,
    /// First byte of the chunk in the document's text.
    pub start: usize,
    /// One past the last byte of the chunk.
    pub end: usize,
    /// The page (from 0) on which the chunk starts.
    pub page: usize,
    /// The chunk's text: exactly the bytes `start..end` of the document's text.
    pub text: String,
}
