//! Where a PDF begins and how it ends: whole, with a table of objects that has to be rebuilt, or cut off.

/// A header within this many bytes makes a file a PDF, whatever else it is; so other readers do.
const HEADER_WINDOW: usize = 1024;
/// A header within this many bytes makes a file a PDF if it has objects: servers and mail programs put their own lines
/// before it.
const FAR_HEADER_WINDOW: usize = 64 * 1024;

/// Bytes before the word `obj` in which the numbers of an object are looked for: ten and five digits, and blanks.
const OBJECT_NUMBERS: usize = 32;

/// The byte at which a PDF begins; `None` if the file is none.
pub(super) fn header(bytes: &[u8]) -> Option<usize> {
    let within = |window: usize| find(&bytes[..bytes.len().min(window)], b"%PDF-");
    let is_far_header = |at: &usize| {
        let begins_line = bytes[..*at].last().is_some_and(|byte| matches!(byte, b'\n' | b'\r'));
        begins_line && find(&bytes[*at..], b"endobj").is_some()
    };
    within(HEADER_WINDOW).or_else(|| within(FAR_HEADER_WINDOW).filter(is_far_header))
}

/// How a PDF ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Its last mark leads to a table of objects.
    Whole,
    /// Objects follow its last mark that leads to a table: a revision that was not fully transferred.
    Continued,
    /// No mark leads to a table, and every object that begins ends: the table can be rebuilt from them.
    Unmarked,
    /// It ends within an object.
    CutOff,
}

/// How the PDF ends that begins at the first byte.
pub(super) fn end(pdf: &[u8]) -> End {
    let Some(last) = pdf.iter().rposition(|byte| !byte.is_ascii_whitespace() && *byte != 0) else {
        return End::CutOff;
    };
    let pdf = &pdf[..=last];
    if let Some(mark) = rfind(pdf, b"startxref") {
        let after = &pdf[mark + b"startxref".len()..];
        if number(after).is_some_and(|place| is_table(pdf, place)) {
            return if opens_object(after) { End::Continued } else { End::Whole };
        }
    }
    match rfind(pdf, b"endobj") {
        Some(at) if !opens_object(&pdf[at + b"endobj".len()..]) => End::Unmarked,
        _ => End::CutOff,
    }
}

/// The number that the text begins with, after white space.
fn number(text: &[u8]) -> Option<usize> {
    let digits = text
        .iter()
        .skip_while(|byte| byte.is_ascii_whitespace())
        .take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |number: Option<usize>, digit| {
        let digit = usize::from(digit - b'0');
        Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit))
    })
}

/// Whether a table of objects begins at `place`: the word `xref`, or an object that holds the table.
fn is_table(pdf: &[u8], place: usize) -> bool {
    let Some(rest) = pdf.get(place..) else { return false };
    let rest = &rest[..rest.len().min(64)];
    let start = rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len());
    rest[start..].starts_with(b"xref")
        || (start == 0 && opens_object(rest) && rest[0].is_ascii_digit())
}

/// Whether an object begins in the text: two numbers and the word `obj`.
fn opens_object(text: &[u8]) -> bool {
    let mut from = 0;
    while let Some(found) = find(&text[from..], b"obj") {
        let at = from + found;
        // Two numbers of an object are short.
        let before = &text[at.saturating_sub(OBJECT_NUMBERS)..at];
        let mut words = before.rsplit(|byte| byte.is_ascii_whitespace()).filter(|w| !w.is_empty());
        let is_number =
            |word: Option<&[u8]>| word.is_some_and(|w| w.iter().all(u8::is_ascii_digit));
        if is_number(words.next()) && is_number(words.next()) {
            return true;
        }
        from = at + b"obj".len();
    }
    false
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn rfind(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).rposition(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n";

    fn with_table(end: &str) -> Vec<u8> {
        let table = "xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Root 1 0 R >>\n";
        format!("{BODY}{table}startxref\n{}\n{end}", BODY.len()).into_bytes()
    }

    #[test]
    fn a_mark_that_leads_to_a_table_is_the_end_whatever_follows() {
        assert_eq!(end(&with_table("%%EOF\n")), End::Whole);
        assert_eq!(end(&with_table("")), End::Whole);
        let mut padded = with_table("%%EOF");
        padded.extend(vec![0; 100_000]);
        assert_eq!(end(&padded), End::Whole);
        assert_eq!(
            end(&with_table(&format!("%%EOF\n{}", "<p>a proxy</p>".repeat(900)))),
            End::Whole
        );
    }

    #[test]
    fn a_revision_that_is_cut_off_is_noticed() {
        assert_eq!(end(&with_table("%%EOF\n2 0 obj\n<< /Length 5")), End::Continued);
    }

    #[test]
    fn without_a_table_every_object_must_end() {
        for tail in [
            "",
            "startxref\n0\n%%EOF",
            "startxref\n99999999999999999999\n%%EOF",
            "xref\n0 1\n00000",
        ] {
            assert_eq!(end(format!("{BODY}{tail}").as_bytes()), End::Unmarked, "{tail}");
        }
        for tail in ["2 0 obj\n<< /Type /Page", "2 0 obj << >>\nstartxref\n3\n%%EOF"] {
            assert_eq!(end(format!("{BODY}{tail}").as_bytes()), End::CutOff, "{tail}");
        }
        assert_eq!(end(b"%PDF-1.4\n"), End::CutOff);
        assert_eq!(end(b"\0\0"), End::CutOff);
    }

    #[test]
    fn a_header_may_stand_behind_the_lines_of_others() {
        assert_eq!(header(BODY.as_bytes()), Some(0));
        for before in [20, 1_500, 60_000] {
            let text = format!("{}\n{BODY}", "x".repeat(before - 1));
            assert_eq!(header(text.as_bytes()), Some(before));
        }
        // A text that is about PDF is no PDF.
        let text = format!("{}\n%PDF-1.4 begins such a file.", "x".repeat(2_000));
        assert_eq!(header(text.as_bytes()), None);
        assert_eq!(header(format!("{}\n{BODY}", "x".repeat(70_000)).as_bytes()), None);
    }
}
