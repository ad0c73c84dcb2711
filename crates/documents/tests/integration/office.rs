//! Word documents and e-mails: their text in order, their pages, and what is left out.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::io::{Cursor, Write};

use compartment_documents::model::TextSource;
use compartment_documents::{DocumentError, ExtractOptions, ExtractedText, extract};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn read(bytes: &[u8]) -> Result<ExtractedText, DocumentError> {
    extract(bytes, "paper", &ExtractOptions::default())
}

fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn part(root: &str, content: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:{root} xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">{content}</w:{root}>"#
    )
}

fn docx(body: &str) -> Vec<u8> {
    archive(&[
        ("[Content_Types].xml", "<Types/>"),
        ("word/document.xml", &part("document", &format!("<w:body>{body}</w:body>"))),
    ])
}

fn paragraph(text: &str) -> String {
    format!("<w:p><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

#[test]
fn paragraphs_tables_and_pages_of_a_word_document_are_read() {
    let caption = "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>JANE ROE,</w:t></w:r></w:p><w:p><w:r><w:t>Plaintiff,</w:t></w:r></w:p></w:tc>\
                   <w:tc><w:p><w:r><w:t>No. 4:24-cv-00731</w:t></w:r></w:p></w:tc></w:tr></w:tbl>";
    let split = "<w:p><w:r><w:t>See </w:t></w:r><w:r><w:rPr><w:i/></w:rPr><w:t>Doe v. Roe</w:t></w:r><w:r><w:t>, 1 U.S. 2 &amp; n.3 &#167; 4</w:t><w:tab/><w:t>end</w:t></w:r></w:p>";
    let page = "<w:p><w:r><w:br w:type=\"page\"/></w:r><w:r><w:lastRenderedPageBreak/><w:t>Page two</w:t></w:r></w:p>";
    let read = read(&docx(&format!("{caption}{split}{page}"))).unwrap();
    assert_eq!(
        read.text,
        "JANE ROE,\nPlaintiff,\tNo. 4:24-cv-00731\nSee Doe v. Roe, 1 U.S. 2 & n.3 § 4\tend\n\nPage two"
    );
    assert_eq!(read.source, TextSource::Docx);
    let pages: Vec<&str> = read.pages.iter().map(|page| &read.text[page.start..page.end]).collect();
    assert_eq!(pages.len(), 2, "{pages:?}");
    assert_eq!(pages[1], "Page two");
}

#[test]
fn deleted_text_and_field_codes_are_left_out_and_notes_stand_at_the_end() {
    let body = "<w:p><w:ins><w:r><w:t>kept</w:t></w:r></w:ins><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>\
                <w:r><w:instrText>PAGE</w:instrText></w:r></w:p>\
                <w:p><w:r><mc:AlternateContent><mc:Choice><w:t>once</w:t></mc:Choice><mc:Fallback><w:t>twice</w:t></mc:Fallback></mc:AlternateContent></w:r></w:p>";
    let read = read(&archive(&[
        ("word/document.xml", &part("document", &format!("<w:body>{body}</w:body>"))),
        ("word/footnotes.xml", &part("footnotes", &paragraph("3 See id."))),
        ("word/header1.xml", &part("hdr", &paragraph("running head"))),
    ]))
    .unwrap();
    assert_eq!(read.text, "kept\nonce\n3 See id.");
}

#[test]
fn each_note_of_a_word_document_stands_apart() {
    let note = |text: &str| format!("<w:footnote>{}</w:footnote>", paragraph(text));
    let notes = format!("{}{}{}", note(""), note("See id. at 3."), note("Id. at 4."));
    let read = read(&archive(&[
        ("word/document.xml", &part("document", &paragraph("text"))),
        ("word/footnotes.xml", &part("footnotes", &notes)),
    ]))
    .unwrap();
    assert_eq!(read.text, "text\n\u{2028}See id. at 3.\u{2029}\n\u{2028}Id. at 4.");
}

#[test]
fn archives_that_are_no_word_documents_say_what_to_do() {
    for (name, wanted) in [
        ("xl/workbook.xml", "save it as PDF"),
        ("content.xml", "OpenDocument"),
        ("papers/one.pdf", "unpack it"),
    ] {
        let error = read(&archive(&[(name, "")])).unwrap_err();
        assert_eq!(error.code(), "unsupported_format");
        assert!(error.to_string().contains(wanted), "{error}");
    }
    for old in [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], b"\xffWPC\x10\0", b"{\\rtf1 text}"] {
        let error = read(old).unwrap_err();
        assert_eq!(error.code(), "unsupported_format");
        assert!(error.to_string().contains("save it as DOCX or PDF"), "{error}");
    }
}

#[test]
fn a_damaged_or_expanding_word_document_fails_alone() {
    let whole = docx(&paragraph("text"));
    assert_eq!(read(&whole[..whole.len() / 2]).unwrap_err().code(), "damaged");
    assert_eq!(read(&docx("<w:p><w:t>a</w:q>")).unwrap_err().code(), "damaged");
    assert_eq!(read(&docx("<w:p/>")).unwrap_err().code(), "no_text");
    let mut options = ExtractOptions::default();
    options.max_expanded_bytes = 10_000;
    let large = docx(&paragraph(&"x".repeat(20_000)));
    assert_eq!(extract(&large, "large", &options).unwrap_err().code(), "expands");
}

const HEADER: &str = "From: Jane Roe <jane@example.com>\r\nTo: Clerk <clerk@example.com>\r\n\
                      Subject: =?utf-8?Q?Filing_=E2=80=93_No=2E_20-1?=\r\nDate: Tue, 3 Mar 2026 10:00:00 -0500\r\n\
                      Message-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n";

#[test]
fn an_email_is_read_with_its_attachments_as_pages() {
    let inner = format!("{HEADER}Content-Type: text/plain\r\n\r\nAn older message.\r\n");
    let mail = format!(
        "{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         The motion is attached =E2=80=94 see 1 U.S. 2.\r\n--b\r\n\
         Content-Type: text/plain; name=motion.txt\r\nContent-Disposition: attachment; filename=motion.txt\r\n\r\n\
         page one\x0cpage two\r\n--b\r\n\
         Content-Type: application/zip; name=rest.zip\r\nContent-Disposition: attachment; filename=rest.zip\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nUEsDBA==\r\n--b\r\n\
         Content-Type: message/rfc822\r\n\r\n{inner}\r\n--b--\r\n"
    );
    let read = read(mail.as_bytes()).unwrap();
    assert_eq!(read.source, TextSource::Email);
    let pages: Vec<&str> = read.pages.iter().map(|page| &read.text[page.start..page.end]).collect();
    assert_eq!(pages.len(), 4, "{pages:#?}");
    assert!(pages[0].starts_with("From: Jane Roe <jane@example.com>\nTo: Clerk"), "{}", pages[0]);
    assert!(pages[0].contains("Subject: Filing – No. 20-1"), "{}", pages[0]);
    assert!(pages[0].ends_with("The motion is attached — see 1 U.S. 2."), "{}", pages[0]);
    assert_eq!(pages[1], "Attachment: motion.txt\n\npage one");
    assert!(pages[2].starts_with("page two"), "{pages:#?}");
    assert!(pages[3].ends_with("An older message."), "{}", pages[3]);
    assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
    assert!(read.warnings[0].contains("rest.zip was not read"), "{:?}", read.warnings);
}

#[test]
fn a_message_in_html_is_read_as_a_page_and_a_memo_is_text() {
    let mail = format!("{HEADER}Content-Type: text/html\r\n\r\n<p>So <b>ordered</b>.</p>\r\n");
    assert!(read(mail.as_bytes()).unwrap().text.ends_with("So ordered."));
    let memo = "From: Jane Roe\nTo: File\nDate: March 3, 2026\n\nThe court denied it.";
    let memo = read(memo.as_bytes()).unwrap();
    assert_eq!(memo.source, TextSource::PlainText);
}

#[test]
fn a_word_document_may_end_in_a_page_break() {
    let end = "<w:p><w:r><w:br w:type=\"page\"/></w:r></w:p>";
    let read = read(&docx(&format!("{}{end}", paragraph("The end.")))).unwrap();
    assert_eq!(read.text, "The end.");
    assert_eq!((read.pages.len(), read.pages[0].end), (1, read.text.len()));
    let moved = "<w:p><w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom></w:p>\
                 <w:p><w:moveTo><w:r><w:t>moved</w:t></w:r></w:moveTo></w:p>";
    assert_eq!(crate::office::read(&docx(moved)).unwrap().text.trim(), "moved");
    let mut options = ExtractOptions::default();
    options.max_pages = 3;
    let pages = format!("{}{end}", paragraph("one")).repeat(9);
    assert_eq!(extract(&docx(&pages), "pages", &options).unwrap_err().code(), "too_many_pages");
}

#[test]
fn emails_within_emails_end() {
    // As attachments without a type, which are recognised from their content.
    let mut hidden = format!("{HEADER}Content-Type: text/plain\r\n\r\ninnermost\r\n");
    for level in 0..30 {
        hidden = format!(
            "{HEADER}Content-Type: multipart/mixed; boundary=c{level}\r\n\r\n--c{level}\r\n\
             Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=a\r\n\r\n\
             {hidden}\r\n--c{level}--\r\n"
        );
    }
    let deep = crate::office::read(hidden.as_bytes()).unwrap();
    assert!(deep.pages.len() <= 16, "{}", deep.pages.len());
    assert!(
        deep.warnings.iter().any(|what| what.contains("within 8 others")),
        "{:?}",
        deep.warnings
    );

    let mut mail = format!("{HEADER}Content-Type: text/plain\r\n\r\ninnermost\r\n");
    for level in 0..40 {
        mail = format!(
            "{HEADER}Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n\
             Content-Type: message/rfc822\r\n\r\n{mail}\r\n--b{level}--\r\n"
        );
    }
    let read = read(mail.as_bytes()).unwrap();
    assert!(read.warnings.iter().any(|what| what.contains("e-mails deep")), "{:?}", read.warnings);
    assert!(read.pages.len() <= 8, "{}", read.pages.len());
}
