//! The messages between a reader and its processes: frames with a length, which are read in pieces up to a maximum.
//!
//! A request is a frame with the name and the options, then the document's content in frames, then an empty frame; or
//! the mark [`WITHDRAWN`], after which there is no answer. An answer is a frame with everything but the text, then the
//! text. Both sides are the same program, so no fields are versioned.

use std::io::{Error, ErrorKind, Read, Result, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::DocumentError;
use crate::extract::ExtractOptions;
use crate::model::{ExtractedText, PageSpan, TextSource};

/// The first frame of a process.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    /// The version of the program.
    pub(super) version: String,
}

impl Hello {
    pub(super) fn of_this_version() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// A document to read, without its content.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) name: String,
    pub(super) options: ExtractOptions,
}

/// The outcome of a document, without its text.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) outcome: std::result::Result<Head, DocumentError>,
    /// Whether the process ends after this answer.
    pub(super) is_last: bool,
}

/// An extracted text, without the text.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) text_bytes: u64,
    pub(super) pages: Vec<PageSpan>,
    pub(super) source: TextSource,
    pub(super) warnings: Vec<String>,
    pub(super) unread: Vec<usize>,
}

/// The length that stands for a document that is not to be read.
const WITHDRAWN: u32 = u32::MAX;

/// Maximum size of a frame with names, options, warnings or errors.
pub(super) const MAX_SMALL_FRAME: usize = 64 * 1024;

/// A span of a page, and its number, in MessagePack have at most this many bytes.
const MAX_SPAN_BYTES: usize = 32;

/// Maximum size of an answer's frame for a document of at most `pages` pages.
pub(super) fn max_answer(pages: usize) -> usize {
    MAX_SMALL_FRAME.saturating_add(pages.saturating_mul(MAX_SPAN_BYTES))
}

/// Writes a value as a frame.
pub(super) fn write_value<T: Serialize>(to: &mut impl Write, value: &T) -> Result<()> {
    write_frame(to, &rmp_serde::to_vec(value).map_err(Error::other)?)
}

/// Writes bytes as a frame.
pub(super) fn write_frame(to: &mut impl Write, bytes: &[u8]) -> Result<()> {
    let length = u32::try_from(bytes.len()).map_err(Error::other)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(bytes)
}

/// Writes that the document whose content was being sent is not to be read.
pub(super) fn write_withdrawal(to: &mut impl Write) -> Result<()> {
    to.write_all(&WITHDRAWN.to_le_bytes())
}

/// Reads a value from a frame of at most `max` bytes; `None` if the other side has ended before it.
///
/// A value takes at most 24 times its bytes in memory: the shortest element in MessagePack has one byte, the largest
/// element of these types, a string, 24.
pub(super) fn read_value<T: DeserializeOwned>(
    from: &mut impl Read,
    max: usize,
) -> Result<Option<T>> {
    let Some(length) = read_length(from)? else { return Ok(None) };
    let mut bytes = Vec::new();
    read_in_pieces(from, u64::from(length), max as u64, &mut bytes)?;
    rmp_serde::from_slice(&bytes).map(Some).map_err(|error| refused(&error.to_string()))
}

/// Reads the frames of a document's content; `None` if it was withdrawn or the other side has ended.
pub(super) fn read_content(from: &mut impl Read) -> Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    loop {
        match read_length(from)? {
            None | Some(WITHDRAWN) => return Ok(None),
            Some(0) => return Ok(Some(content)),
            Some(length) => {
                read_in_pieces(from, u64::from(length), u64::from(WITHDRAWN), &mut content)?;
            }
        }
    }
}

/// Splits a text into the frame of an answer and its bytes.
pub(super) fn head_of(text: ExtractedText) -> (Head, String) {
    let ExtractedText { text, pages, source, warnings, unread } = text;
    (Head { text_bytes: text.len() as u64, pages, source, warnings, unread }, text)
}

/// Reads the text that belongs to an answer.
pub(super) fn read_text(
    from: &mut impl Read,
    head: Head,
    options: &ExtractOptions,
) -> Result<ExtractedText> {
    let Head { text_bytes, pages, source, warnings, unread } = head;
    let mut bytes = Vec::new();
    read_in_pieces(from, text_bytes, options.max_text_bytes, &mut bytes)?;
    let text = String::from_utf8(bytes).map_err(|_| refused("its text is not UTF-8"))?;
    let is_part = |page: &PageSpan| text.get(page.start..page.end).is_some();
    if pages.len() > options.max_pages || !pages.iter().all(is_part) {
        return Err(refused("its pages are not parts of its text"));
    }
    let is_page = |page: &usize| (1..=pages.len()).contains(page);
    if !unread.is_sorted_by(|one, next| one < next) || !unread.iter().all(is_page) {
        return Err(refused("its pages without text are not pages of it"));
    }
    Ok(ExtractedText { text, pages, source, warnings, unread })
}

fn read_length(from: &mut impl Read) -> Result<Option<u32>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => Ok(Some(u32::from_le_bytes(length))),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads `length` bytes, if they are no more than `max`. Memory is taken as bytes arrive, not as they are announced.
fn read_in_pieces(from: &mut impl Read, length: u64, max: u64, to: &mut Vec<u8>) -> Result<()> {
    if length > max {
        return Err(refused(&format!("it announced {length} bytes, more than the limit of {max}")));
    }
    let read = from.take(length).read_to_end(to)?;
    if (read as u64) < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

fn refused(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> ExtractedText {
        let pages = vec![PageSpan { start: 0, end: 3 }, PageSpan { start: 5, end: 10 }];
        let text = "one\n\ntwo§".to_owned();
        let (source, warnings, unread) = (TextSource::PlainText, vec!["w".into()], vec![2]);
        ExtractedText { text, pages, source, warnings, unread }
    }

    fn read_back(head: Head, text: &str, options: &ExtractOptions) -> Result<ExtractedText> {
        read_text(&mut text.as_bytes(), head, options)
    }

    #[test]
    fn a_text_reads_back() {
        let (head, bytes) = head_of(text());
        let mut wire = Vec::new();
        write_value(&mut wire, &head).unwrap();
        let head = read_value(&mut wire.as_slice(), MAX_SMALL_FRAME).unwrap().unwrap();
        assert_eq!(read_back(head, &bytes, &ExtractOptions::default()).unwrap(), text());
    }

    #[test]
    fn an_answer_that_breaks_a_limit_is_refused() {
        let small = ExtractOptions { max_text_bytes: 9, ..ExtractOptions::default() };
        let (head, bytes) = head_of(text());
        let error = read_back(head, &bytes, &small).unwrap_err();
        assert!(error.to_string().contains("10 bytes, more than the limit of 9"), "{error}");
        let options = ExtractOptions::default();
        // A page that ends inside a letter, a page after the end, a text that breaks off.
        for (end, bytes) in [(9, "one\n\ntwo§"), (90, "one\n\ntwo§"), (10, "one")] {
            let (mut head, _) = head_of(text());
            head.pages[1].end = end;
            assert!(read_back(head, bytes, &options).is_err(), "{end} {bytes}");
        }
        for unread in [vec![0], vec![3], vec![2, 1], vec![1, 1]] {
            let (mut head, text) = head_of(text());
            head.unread = unread;
            assert!(read_back(head, &text, &options).is_err());
        }
        let announced = [u32::MAX.to_le_bytes().as_slice(), b"x"].concat();
        assert!(read_value::<Head>(&mut announced.as_slice(), MAX_SMALL_FRAME).is_err());
    }

    #[test]
    fn a_withdrawn_document_is_not_read() {
        let mut wire = Vec::new();
        write_frame(&mut wire, b"half a docu").unwrap();
        write_withdrawal(&mut wire).unwrap();
        assert_eq!(read_content(&mut wire.as_slice()).unwrap(), None);
        let mut wire = Vec::new();
        for piece in ["a docu", "ment", ""] {
            write_frame(&mut wire, piece.as_bytes()).unwrap();
        }
        assert_eq!(read_content(&mut wire.as_slice()).unwrap().unwrap(), b"a document");
    }
}
