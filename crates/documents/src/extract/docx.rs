//! Reads Word documents (DOCX): paragraphs, tables, pages where Word noted them, and footnotes at the end.

use std::io::{BufRead, BufReader, Cursor, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use zip::ZipArchive;

use super::ExtractOptions;
use super::encoding::SAVE_AS;
use crate::error::DocumentError;
use crate::model::{ExtractedText, FOOTNOTE_END, FOOTNOTE_START, PageSpan, TextSource};

/// The bytes that an archive begins with.
pub(super) const SIGNATURE: &[u8] = b"PK\x03\x04";

/// Parts with notes, which are set at the end, apart from the text.
const NOTES: [&str; 2] = ["word/footnotes.xml", "word/endnotes.xml"];

/// The text of a Word document. Deleted text, comments, headers and footers are left out.
pub(super) fn extract(
    bytes: &[u8],
    options: &ExtractOptions,
) -> Result<ExtractedText, DocumentError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| damaged(format!("its archive cannot be opened ({error})")))?;
    let Some(main) = main_part(&archive) else {
        return Err(DocumentError::UnsupportedFormat { found: other_archive(&archive) });
    };
    let mut text = Text::default();
    let mut left = options.max_expanded_bytes;
    text.read(&mut archive, &main, &mut left, options)?;
    text.end_page();
    for notes in NOTES {
        if archive.index_for_name(notes).is_some() {
            text.read(&mut archive, notes, &mut left, options)?;
        }
    }
    text.finish()
}

fn damaged(reason: String) -> DocumentError {
    DocumentError::Damaged { reason }
}

/// The part with the document's text. Word names it `word/document.xml`, and sometimes `word/document2.xml`.
fn main_part(archive: &ZipArchive<Cursor<&[u8]>>) -> Option<String> {
    let is_main = |name: &str| {
        let number = name.strip_prefix("word/document").and_then(|rest| rest.strip_suffix(".xml"));
        number.is_some_and(|number| number.chars().all(|c| c.is_ascii_digit()))
    };
    archive.file_names().flatten().find(|name| is_main(name)).map(|name| name.into_owned())
}

/// The kind of an archive that is no Word document.
fn other_archive(archive: &ZipArchive<Cursor<&[u8]>>) -> String {
    let has = |start: &str| archive.file_names().flatten().any(|name| name.starts_with(start));
    if has("xl/") || has("ppt/") {
        "a spreadsheet or a presentation: save it as PDF and submit that file".to_owned()
    } else if has("content.xml") {
        format!("an OpenDocument file: {SAVE_AS}")
    } else {
        "a zip archive: unpack it and submit its files".to_owned()
    }
}

/// The text so far.
#[derive(Default)]
struct Text {
    text: String,
    pages: Vec<PageSpan>,
    /// The first byte of the page that is being read.
    page: usize,
}

impl Text {
    /// Adds a part of the archive, whose expanded size is taken from `left`.
    fn read(
        &mut self,
        archive: &mut ZipArchive<Cursor<&[u8]>>,
        name: &str,
        left: &mut u64,
        options: &ExtractOptions,
    ) -> Result<(), DocumentError> {
        let file = archive.by_name(name).map_err(|error| match error {
            zip::result::ZipError::UnsupportedArchive(_) => DocumentError::Encrypted,
            error => damaged(format!("{name} cannot be read ({error})")),
        })?;
        let mut part = Part { text: self, skipped: 0, is_text: false, options };
        let mut content = BufReader::new(file.take(*left));
        part.read(&mut content, name)?;
        *left = content.get_ref().limit();
        match *left {
            0 => Err(DocumentError::Expands { limit: options.max_expanded_bytes }),
            _ => Ok(()),
        }
    }

    fn end_page(&mut self) {
        self.pages
            .push(PageSpan { start: self.page, end: self.text.trim_end().len().max(self.page) });
        self.page = self.text.len();
    }

    fn finish(mut self) -> Result<ExtractedText, DocumentError> {
        let end = self.text.trim_end().len();
        self.text.truncate(end);
        if self.text.trim().is_empty() {
            return Err(DocumentError::NoText);
        }
        // A document may end in a page break.
        while self.pages.len() > 1 && self.pages.last().is_some_and(|page| page.start >= end) {
            self.pages.pop();
        }
        if let Some(last) = self.pages.last_mut() {
            // Notes belong to the last page.
            last.end = end;
        }
        Ok(ExtractedText {
            unread: Vec::new(),
            text: self.text,
            pages: self.pages,
            source: TextSource::Docx,
            warnings: Vec::new(),
        })
    }
}

/// One part of the archive while it is read.
struct Part<'t> {
    text: &'t mut Text,
    /// Depth within an element that repeats another: for older programs, or at the place that text was moved from.
    skipped: usize,
    /// Whether the reader is within an element of text.
    is_text: bool,
    options: &'t ExtractOptions,
}

impl Part<'_> {
    fn read(&mut self, content: &mut impl BufRead, name: &str) -> Result<(), DocumentError> {
        let wrong = |error: &dyn std::fmt::Display| damaged(format!("{name}: {error}"));
        let mut reader = Reader::from_reader(content);
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            match reader.read_event_into(&mut buffer).map_err(|error| wrong(&error))? {
                Event::Start(element) => self.open(&element),
                Event::Empty(element) => {
                    self.open(&element);
                    self.close(element.local_name().as_ref());
                }
                Event::End(element) => self.close(element.local_name().as_ref()),
                Event::Text(text) if self.takes() => {
                    self.push(&text);
                }
                Event::CData(text) if self.takes() => {
                    self.push(&text);
                }
                Event::GeneralRef(name) if self.takes() => self.reference(&name),
                Event::Eof => return Ok(()),
                _ => {}
            }
            self.options.check_text(&self.text.text)?;
            self.options.check_pages(self.text.pages.len())?;
        }
    }

    fn takes(&self) -> bool {
        self.is_text && self.skipped == 0
    }

    fn push(&mut self, text: &str) {
        self.text.text.push_str(text);
    }

    /// A character by its name or its number.
    fn reference(&mut self, name: &BytesRef<'_>) {
        if let Ok(Some(c)) = name.resolve_char_ref() {
            self.text.text.push(c);
        } else if let Some(text) = quick_xml::escape::resolve_predefined_entity(name) {
            self.push(text);
        }
    }

    fn open(&mut self, element: &BytesStart<'_>) {
        if self.skipped > 0 || matches!(element.local_name().as_ref(), "Fallback" | "moveFrom") {
            self.skipped += 1;
            return;
        }
        match element.local_name().as_ref() {
            "t" => self.is_text = true,
            "tab" | "ptab" => self.push("\t"),
            "br" if is_page_break(element) => self.end_page(),
            "br" | "cr" => self.push("\n"),
            "noBreakHyphen" => self.push("-"),
            "lastRenderedPageBreak" => self.end_page(),
            "footnote" | "endnote" => self.text.text.push(FOOTNOTE_START),
            _ => {}
        }
    }

    fn close(&mut self, element: &str) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        match element {
            "t" => self.is_text = false,
            "p" => self.push("\n"),
            "footnote" | "endnote" => self.end_note(),
            "tc" => self.end_cell('\t'),
            "tr" => self.end_cell('\n'),
            _ => {}
        }
    }

    /// Ends a page where Word ended one. Word notes a break that somebody set a second time, as the one it drew.
    fn end_page(&mut self) {
        if !self.text.text[self.text.page..].trim().is_empty() {
            self.push("\n");
            self.text.end_page();
        }
    }

    /// Ends a note; the lines that Word draws between text and notes are notes without text.
    fn end_note(&mut self) {
        let text = &mut self.text.text;
        let start = text.rfind(FOOTNOTE_START).unwrap_or(text.len());
        if text[start..].trim().is_empty() {
            text.truncate(start);
        } else {
            text.truncate(text.trim_end().len());
            text.push(FOOTNOTE_END);
            text.push('\n');
        }
    }

    /// Ends a cell or a row with `mark`, in place of the end of its last paragraph or cell.
    fn end_cell(&mut self, mark: char) {
        let text = &mut self.text.text;
        if text.ends_with(['\n', '\t']) {
            text.pop();
        }
        text.push(mark);
    }
}

fn is_page_break(element: &BytesStart<'_>) -> bool {
    let mut attributes = element.attributes().flatten();
    attributes.any(|one| one.key.local_name().as_ref() == "type" && one.value.as_ref() == "page")
}
