//! Reads e-mails: who wrote to whom, the message, and its attachments as further pages.

use std::time::Instant;

use mail_parser::{Address, Message, MessageParser, MimeHeaders, PartType};

use super::ocr::OcrStarter;
use super::{ExtractOptions, html, text_of};
use crate::error::DocumentError;
use crate::model::{ExtractedText, PageSpan, TextSource};

/// E-mails within e-mails that are read; deeper ones are left out with a warning.
const MAX_DEPTH: usize = 8;
/// Bytes in which the header of an e-mail is looked for.
const HEADER_WINDOW: usize = 64 * 1024;
/// Header fields that programs write and people do not: a memo also begins with `From:` and `To:`.
const FIELDS_OF_PROGRAMS: [&str; 5] =
    ["mime-version", "message-id", "received", "return-path", "content-type"];

/// Whether the content is an e-mail: it begins with header fields, and has one that only programs write.
pub(super) fn looks_like_email(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(HEADER_WINDOW)];
    let mut is_from_program = false;
    let mut fields = 0;
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if fields == 0 {
                return false;
            }
            continue;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return false };
        let name = &line[..colon];
        if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_graphic()) {
            return false;
        }
        fields += 1;
        is_from_program |=
            FIELDS_OF_PROGRAMS.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes()));
    }
    is_from_program && fields > 1
}

/// The text of an e-mail that is within `depth` others: the first page is the message, and the pages of attachments
/// follow. The limits of time, pages and text hold for all of it together.
pub(super) fn extract(
    bytes: &[u8],
    options: &ExtractOptions,
    ocr: &OcrStarter,
    depth: usize,
) -> Result<ExtractedText, DocumentError> {
    if depth >= MAX_DEPTH {
        let found = format!("an e-mail within {MAX_DEPTH} others: submit it by itself");
        return Err(DocumentError::UnsupportedFormat { found });
    }
    let Some(message) = MessageParser::default().parse(bytes) else {
        return Err(DocumentError::Damaged { reason: "its header cannot be read".to_owned() });
    };
    let mut read = Mail {
        text: String::new(),
        pages: Vec::new(),
        warnings: Vec::new(),
        options,
        ocr,
        deadline: Instant::now() + options.document_timeout,
    };
    read.message(&message, depth)?;
    if read.text.trim().is_empty() {
        return Err(DocumentError::NoText);
    }
    Ok(ExtractedText {
        text: read.text,
        pages: read.pages,
        source: TextSource::Email,
        warnings: read.warnings,
        unread: Vec::new(),
    })
}

/// An e-mail while it is read.
struct Mail<'o> {
    text: String,
    pages: Vec<PageSpan>,
    warnings: Vec<String>,
    options: &'o ExtractOptions,
    ocr: &'o OcrStarter,
    deadline: Instant,
}

impl Mail<'_> {
    fn message(&mut self, message: &Message<'_>, depth: usize) -> Result<(), DocumentError> {
        let start = self.begin_page();
        for (name, address) in
            [("From", message.from()), ("To", message.to()), ("Cc", message.cc())]
        {
            self.field(name, address.map(people).unwrap_or_default());
        }
        self.field("Date", message.date().map(|date| date.to_rfc3339()).unwrap_or_default());
        self.field("Subject", message.subject().unwrap_or_default().to_owned());
        for part in message.text_bodies() {
            self.text.push('\n');
            match &part.body {
                PartType::Html(content) => self.text.push_str(html::visible_text(content).trim()),
                PartType::Text(content) => self.text.push_str(content.trim_end()),
                _ => {}
            }
            self.text.push('\n');
        }
        self.end_page(start)?;
        for part in message.attachments() {
            let name = part.attachment_name().unwrap_or("without a name");
            match part.message() {
                Some(inner) if depth + 1 < MAX_DEPTH => self.message(inner, depth + 1)?,
                Some(_) => self.left_out(name, &format!("it is {MAX_DEPTH} e-mails deep")),
                None => self.attachment(name, part.contents(), depth + 1)?,
            }
        }
        Ok(())
    }

    fn field(&mut self, name: &str, value: String) {
        if !value.trim().is_empty() {
            self.text.push_str(&format!("{name}: {}\n", value.trim()));
        }
    }

    /// Adds the text of an attachment. One that cannot be read is left out with a warning, since its message can.
    fn attachment(
        &mut self,
        name: &str,
        content: &[u8],
        depth: usize,
    ) -> Result<(), DocumentError> {
        let mut options = self.options.clone();
        // The service gets a document by its pages, and those of an attachment are none of them.
        options.ocr &= !options.ocr_service;
        options.document_timeout = self.deadline.saturating_duration_since(Instant::now());
        if options.document_timeout.is_zero() {
            return Err(DocumentError::TimedOut { limit: self.options.document_timeout });
        }
        options.max_text_bytes = options.max_text_bytes.saturating_sub(self.text.len() as u64);
        options.max_pages = options.max_pages.saturating_sub(self.pages.len());
        match text_of(content, name, &options, self.ocr, depth) {
            Ok(read) => {
                let start = self.begin_page();
                self.text.push_str(&format!("Attachment: {name}\n\n"));
                let offset = self.text.len();
                self.text.push_str(&read.text);
                let mut pages = read.pages.into_iter();
                let first = pages.next().map_or(self.text.len(), |page| offset + page.end);
                self.pages.push(PageSpan { start, end: first });
                self.pages.extend(
                    pages.map(|page| PageSpan {
                        start: offset + page.start,
                        end: offset + page.end,
                    }),
                );
                self.warnings.extend(read.warnings.iter().map(|what| format!("{name}: {what}")));
                self.within_limit()
            }
            Err(error) => {
                self.left_out(name, &error.to_string());
                Ok(())
            }
        }
    }

    fn left_out(&mut self, name: &str, why: &str) {
        self.warnings.push(format!("the attachment {name} was not read: {why}"));
    }

    fn begin_page(&mut self) -> usize {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.len()
    }

    fn end_page(&mut self, start: usize) -> Result<(), DocumentError> {
        let end = self.text.trim_end().len().max(start);
        self.text.truncate(end);
        self.pages.push(PageSpan { start, end });
        self.within_limit()
    }

    fn within_limit(&self) -> Result<(), DocumentError> {
        self.options.check_text(&self.text)?;
        self.options.check_pages(self.pages.len())
    }
}

/// Names with their addresses, separated by commas.
fn people(address: &Address<'_>) -> String {
    let one = |person: &mail_parser::Addr<'_>| match (person.name(), person.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => name.or(address).unwrap_or_default().to_owned(),
    };
    address.iter().map(one).collect::<Vec<_>>().join(", ")
}
