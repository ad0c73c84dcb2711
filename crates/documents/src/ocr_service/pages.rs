//! Puts the pages that a service has read into the text of their document.

use std::collections::BTreeMap;

use crate::error::DocumentError;
use crate::model::{ExtractedText, PageSpan, TextSource};

/// The text with `read` in place of the pages that were unread, by page from 1. Pages are separated by a blank line, as
/// in a text that the program has read.
pub(super) fn with_pages(
    text: &ExtractedText,
    mut read: BTreeMap<usize, String>,
    max_text_bytes: u64,
) -> Result<ExtractedText, DocumentError> {
    let mut whole = String::new();
    let mut pages = Vec::with_capacity(text.pages.len());
    for (at, page) in text.pages.iter().enumerate() {
        if !whole.is_empty() {
            whole.push_str("\n\n");
        }
        let start = whole.len();
        match read.remove(&(at + 1)) {
            Some(page) => whole.push_str(page.trim_matches(['\n', '\u{c}', ' '])),
            None => whole.push_str(text.text.get(page.start..page.end).unwrap_or_default()),
        }
        pages.push(PageSpan { start, end: whole.len() });
    }
    if whole.trim().is_empty() {
        return Err(DocumentError::NoText);
    }
    let size = whole.len() as u64;
    if size > max_text_bytes {
        return Err(DocumentError::TextTooLarge { size, limit: max_text_bytes });
    }
    let (by_ocr, total) = (text.unread.len(), text.pages.len());
    let source = if by_ocr == total { TextSource::Ocr } else { TextSource::Mixed };
    let mut warnings = text.warnings.clone();
    warnings.push(format!("{by_ocr} of {total} pages were read by an OCR service"));
    Ok(ExtractedText { text: whole, pages, source, warnings, unread: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(unread: Vec<usize>) -> ExtractedText {
        let pages = vec![
            PageSpan { start: 0, end: 3 },
            PageSpan { start: 5, end: 5 },
            PageSpan { start: 7, end: 12 },
        ];
        let (text, source) = ("one\n\n\n\nthree".to_owned(), TextSource::PdfTextLayer);
        ExtractedText { text, pages, source, warnings: Vec::new(), unread }
    }

    #[test]
    fn a_page_that_was_read_stands_in_its_place() {
        let read = BTreeMap::from([(2, "two §\n\u{c}".to_owned())]);
        let whole = with_pages(&text(vec![2]), read, 99).unwrap();
        assert_eq!(
            (whole.text.as_str(), whole.source),
            ("one\n\ntwo §\n\nthree", TextSource::Mixed)
        );
        let of = |at: usize| &whole.text[whole.pages[at].start..whole.pages[at].end];
        assert_eq!([of(0), of(1), of(2)], ["one", "two §", "three"]);
        assert_eq!(whole.warnings, ["1 of 3 pages were read by an OCR service"]);
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let empty: BTreeMap<usize, String> = (1..=3).map(|page| (page, " ".to_owned())).collect();
        let error = with_pages(&text(vec![1, 2, 3]), empty, 99).unwrap_err();
        assert_eq!(error.code(), "no_text");
        let long = BTreeMap::from([(2, "x".repeat(100))]);
        let error = with_pages(&text(vec![2]), long, 99).unwrap_err();
        assert_eq!(error.code(), "result_too_large");
    }
}
