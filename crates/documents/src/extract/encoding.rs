//! Decodes text files: by byte order mark, as UTF-8, otherwise as Windows-1252.

use encoding_rs::WINDOWS_1252;

/// Decoded text with warnings.
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) warnings: Vec<String>,
}

/// The way to a document in a format that is read, for errors about others.
pub(super) const SAVE_AS: &str = "save it as DOCX or PDF and submit that file";

/// The binary format that the bytes look like; `None` if they may be text.
pub(super) fn binary_format(bytes: &[u8]) -> Option<String> {
    const DOCUMENTS: [(&[u8], &str); 3] = [
        (b"\xd0\xcf\x11\xe0", "an old or locked Office document (DOC, XLS, PPT, MSG)"),
        (b"\xffWPC", "a WordPerfect document (WPD)"),
        (b"{\\rtf", "a rich text document (RTF)"),
    ];
    const SIGNATURES: [(&[u8], &str); 10] = [
        (b"\x7fELF", "a program (ELF)"),
        (b"MZ", "a program (Windows)"),
        (b"\x89PNG", "an image (PNG)"),
        (b"\xff\xd8\xff", "an image (JPEG)"),
        (b"GIF8", "an image (GIF)"),
        (b"II*\0", "an image (TIFF)"),
        (b"MM\0*", "an image (TIFF)"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"BZh", "a bzip2 archive"),
        (b"7z\xbc\xaf", "a 7-zip archive"),
    ];
    if let Some((_, name)) = DOCUMENTS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(format!("{name}: {SAVE_AS}"));
    }
    if let Some((_, name)) = SIGNATURES.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        // The two letters of this signature may also begin a sentence.
        if *name != "a program (Windows)" || bytes.iter().take(512).any(|&byte| byte == 0) {
            return Some((*name).to_owned());
        }
    }
    if has_utf16_mark(bytes) {
        return None;
    }
    let sample = &bytes[..bytes.len().min(64 * 1024)];
    let control = sample
        .iter()
        .filter(|&&byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b))
        .count();
    // A stray control byte may come from a scanner; one in fifty means that it is not text.
    if sample.contains(&0) || control * 50 > sample.len() {
        return Some("binary data".to_owned());
    }
    None
}

fn has_utf16_mark(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

/// Decodes the bytes of a text file.
pub(super) fn decode(bytes: &[u8]) -> Decoded {
    if has_utf16_mark(bytes) {
        return decode_utf16(bytes);
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Decoded { text: text.to_owned(), warnings: Vec::new() };
    }
    let lossy = String::from_utf8_lossy(bytes);
    let bad = lossy.matches('\u{fffd}').count();
    let multibyte = lossy.chars().filter(|&c| !c.is_ascii() && c != '\u{fffd}').count();
    if multibyte > bad {
        let warning = format!("{bad} sequences were not valid UTF-8 and were replaced");
        return Decoded { text: lossy.into_owned(), warnings: vec![warning] };
    }
    let text = WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned();
    Decoded { text, warnings: vec!["not UTF-8; read as Windows-1252".to_owned()] }
}

fn decode_utf16(bytes: &[u8]) -> Decoded {
    let little = bytes[0] == 0xff;
    let (pairs, rest) = bytes[2..].as_chunks::<2>();
    let units = pairs
        .iter()
        .map(|&pair| if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) });
    let mut bad = rest.len();
    let text = char::decode_utf16(units)
        .map(|unit| {
            unit.unwrap_or_else(|_| {
                bad += 1;
                char::REPLACEMENT_CHARACTER
            })
        })
        .collect();
    let warnings = if bad == 0 {
        Vec::new()
    } else {
        vec![format!("{bad} units were not valid UTF-16 and were replaced")]
    };
    Decoded { text, warnings }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_1252_is_the_fallback_and_is_said() {
        let decoded = decode(b"the \x93Act\x94, \xa7 5");
        assert_eq!(decoded.text, "the “Act”, § 5");
        assert_eq!(decoded.warnings.len(), 1);
    }

    #[test]
    fn mostly_utf8_keeps_its_good_parts() {
        let decoded = decode(b"\xc2\xa7 5 \xe2\x80\x9cAct\xe2\x80\x9d \xff");
        assert_eq!(decoded.text, "§ 5 “Act” \u{fffd}");
        assert!(decoded.warnings[0].contains("1 sequences"));
    }

    #[test]
    fn utf16_is_read_by_its_mark() {
        assert_eq!(decode(b"\xff\xfe\xa7\x005\x00").text, "§5");
        assert_eq!(decode(b"\xfe\xff\x00\xa7\x005").text, "§5");
        assert_eq!(decode(b"\xff\xfe5\x00\x00").warnings.len(), 1);
    }

    #[test]
    fn a_sentence_may_begin_with_mz() {
        assert_eq!(binary_format(b"MZ Holdings, Inc. v. Doe"), None);
        assert!(binary_format(b"MZ\x90\0\x03").is_some());
    }
}
