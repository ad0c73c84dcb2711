//! Values of a PDF's form fields, placed on their page where the file draws none of their text.

use hayro::hayro_syntax::object::dict::keys::{
    ANNOTS, AS, F, FF, FT, OPT, PARENT, RECT, SUBTYPE, V,
};
use hayro::hayro_syntax::object::{Array, Dict, Name, Object, Rect, Stream, String as PdfString};
use hayro::hayro_syntax::page::Page;
use hayro::kurbo::{Affine, Point};

use super::glyphs::{MAX_GLYPHS, PlacedGlyph};

/// Most fields of a page, and most letters of a field.
const MOST_FIELDS: usize = 4_000;
const MOST_LETTERS: usize = 20_000;
/// Most values that are chosen in a list, and most values that it offers.
const MOST_CHOSEN: usize = 16;
const MOST_OFFERED: usize = 500;
/// Most fields at one height whose drawn text is looked for.
const MOST_OVERLAPS: usize = 256;
/// Fields may be nested this deep.
const DEEPEST: usize = 16;

/// Flags of an annotation that is not seen: hidden, or not on a screen.
const UNSEEN: u32 = 2 | 32;
/// A field of several lines.
const MULTILINE: i32 = 1 << 12;
/// A password.
const PASSWORD: i32 = 1 << 13;
/// A button that does something, without a value.
const PUSH_BUTTON: i32 = 1 << 16;

/// What a field shows.
#[derive(Clone, Debug, PartialEq)]
enum Shown {
    Text(String),
    /// The mark of a box or a circle that is chosen.
    Mark,
}

/// A field on the page, with its corners in the page's own units.
struct Field {
    shown: Shown,
    is_multiline: bool,
    size: f64,
    rect: hayro::kurbo::Rect,
}

/// Adds the values of the page's form fields to its glyphs. A value that the file draws itself is there already; the mark
/// of a chosen box is written as `[x]`, whatever sign the file draws.
pub(super) fn add_values(page: &Page<'_>, transform: Affine, glyphs: &mut Vec<PlacedGlyph>) {
    let Some(annotations) = page.raw().get::<Array<'_>>(ANNOTS) else { return };
    let mut fields: Vec<Field> = annotations
        .iter::<Dict<'_>>()
        .take(MOST_FIELDS)
        .filter_map(|annotation| field(&annotation))
        .collect();
    if fields.is_empty() {
        return;
    }
    // The glyphs that the file draws within each field, from top to bottom: one walk over all glyphs for all fields.
    let boxes: Vec<hayro::kurbo::Rect> =
        fields.iter().map(|field| transform.transform_rect_bbox(field.rect)).collect();
    let mut by_top: Vec<usize> = (0..boxes.len()).collect();
    by_top.sort_by(|a, b| boxes[*a].y0.total_cmp(&boxes[*b].y0));
    let mut drawn: Vec<Vec<usize>> = vec![Vec::new(); boxes.len()];
    let mut order: Vec<usize> = (0..glyphs.len()).collect();
    order.sort_by(|a, b| glyphs[*a].y.total_cmp(&glyphs[*b].y));
    let (mut open, mut next): (Vec<usize>, usize) = (Vec::new(), 0);
    for at in order {
        let glyph = &glyphs[at];
        while let Some(field) = by_top.get(next).filter(|field| boxes[**field].y0 <= glyph.y) {
            // Fields of a form do not lie one over the other; more than these cost time only.
            if open.len() < MOST_OVERLAPS {
                open.push(*field);
            }
            next += 1;
        }
        open.retain(|field| boxes[*field].y1 >= glyph.y);
        let middle = Point::new((glyph.x + glyph.end_x) / 2.0, glyph.y - 0.2 * glyph.size);
        let within = open.iter().filter(|field| boxes[**field].contains(middle));
        within.for_each(|field| drawn[*field].push(at));
    }
    let mut dropped: Vec<usize> = Vec::new();
    let mut added: Vec<PlacedGlyph> = Vec::new();
    for (at, field) in fields.drain(..).enumerate() {
        let has_letters =
            drawn[at].iter().any(|one| glyphs[*one].text.chars().any(char::is_alphanumeric));
        match &field.shown {
            Shown::Mark => {
                dropped.extend(&drawn[at]);
                place(&field, "[x]", transform, &mut added);
            }
            Shown::Text(text) if !has_letters => place(&field, text, transform, &mut added),
            Shown::Text(_) => {}
        }
    }
    dropped.sort_unstable();
    let mut at = 0;
    glyphs.retain(|_| {
        at += 1;
        dropped.binary_search(&(at - 1)).is_err()
    });
    glyphs.append(&mut added);
}

/// The field that an annotation shows; `None` if it is none, is not seen, or is empty.
fn field(annotation: &Dict<'_>) -> Option<Field> {
    let is = |name: &Name<'_>, wanted: &str| name.as_str() == wanted;
    let kind = annotation.get::<Name<'_>>(SUBTYPE)?;
    if !is(&kind, "Widget") || annotation.get::<u32>(F).unwrap_or(0) & UNSEEN != 0 {
        return None;
    }
    let rect = annotation.get::<Rect>(RECT)?;
    let rect = hayro::kurbo::Rect::new(rect.x0, rect.y0, rect.x1, rect.y1).abs();
    if !rect.is_finite() || rect.width() < 1.0 || rect.height() < 1.0 {
        return None;
    }
    let of_type = inherited(annotation, FT)?.into_name()?;
    let flags = inherited(annotation, FF).and_then(Object::into_i32).unwrap_or(0);
    let shown = match of_type.as_str() {
        "Btn" if flags & PUSH_BUTTON == 0 => {
            let state =
                annotation.get::<Name<'_>>(AS).or_else(|| inherited(annotation, V)?.into_name())?;
            (!is(&state, "Off")).then_some(Shown::Mark)?
        }
        "Tx" if flags & PASSWORD == 0 => Shown::Text(text_of(&inherited(annotation, V)?)?),
        "Ch" => Shown::Text(choice(annotation)?),
        _ => return None,
    };
    let is_multiline = of_type.as_str() == "Tx" && flags & MULTILINE != 0;
    let asked = inherited(annotation, b"DA").and_then(|look| font_size(&look.into_string()?));
    let fitting = if is_multiline { 10.0 } else { (0.7 * rect.height()).min(12.0) };
    let size = asked.unwrap_or(fitting).clamp(2.0, 40.0);
    Some(Field { shown, is_multiline, size, rect })
}

/// An entry of a field, or of the field that it is a part of.
fn inherited<'a>(field: &Dict<'a>, key: &[u8]) -> Option<Object<'a>> {
    let mut field = field.clone();
    for _ in 0..DEEPEST {
        if let Some(value) = field.get::<Object<'a>>(key) {
            return Some(value);
        }
        field = field.get::<Dict<'a>>(PARENT)?;
    }
    None
}

/// The size of type that a field's look asks for: `/Helv 12 Tf`; none if it is chosen to fit.
fn font_size(look: &PdfString<'_>) -> Option<f64> {
    let look = String::from_utf8_lossy(look.as_bytes()).into_owned();
    let words: Vec<&str> = look.split_ascii_whitespace().collect();
    let at = words.iter().position(|word| *word == "Tf")?;
    let size: f64 = words.get(at.checked_sub(1)?)?.parse().ok()?;
    (size > 0.0).then_some(size)
}

/// The text of a value: a string, or a stream of text.
fn text_of(value: &Object<'_>) -> Option<String> {
    let text = match value {
        Object::String(text) => decoded(text.as_bytes()),
        Object::Stream(stream) => decoded(&content(stream)?),
        Object::Name(name) => name.as_str().to_owned(),
        _ => return None,
    };
    let text: String = text.chars().take(MOST_LETTERS).collect();
    (!text.trim().is_empty()).then_some(text)
}

fn content(stream: &Stream<'_>) -> Option<Vec<u8>> {
    let decoded = stream.decoded().ok()?;
    Some(decoded.iter().copied().take(4 * MOST_LETTERS).collect())
}

/// The chosen values of a list, as the list shows them.
fn choice(annotation: &Dict<'_>) -> Option<String> {
    let chosen: Vec<String> = match inherited(annotation, V)? {
        Object::Array(several) => {
            several.iter::<Object<'_>>().take(MOST_CHOSEN).filter_map(|one| text_of(&one)).collect()
        }
        one => vec![text_of(&one)?],
    };
    let options = inherited(annotation, OPT).and_then(Object::into_array);
    let shown = |value: &String| {
        let pairs = options.as_ref()?.iter::<Array<'_>>().take(MOST_OFFERED);
        pairs
            .filter_map(|pair| {
                let mut pair = pair.iter::<Object<'_>>();
                Some((text_of(&pair.next()?)?, text_of(&pair.next()?)?))
            })
            .find(|(export, _)| export == value)
            .map(|(_, shown)| shown)
    };
    let all: Vec<String> =
        chosen.iter().map(|one| shown(one).unwrap_or_else(|| one.clone())).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// A text string of a PDF: UTF-16 or UTF-8 with its mark, else PDFDocEncoding.
fn decoded(bytes: &[u8]) -> String {
    /// The characters from 0x80 on that differ from Latin-1 (ISO 32000-1, annex D).
    const SPECIAL: [char; 33] = [
        '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚',
        '™', 'ﬁ', 'ﬂ', 'Ł', 'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž', '\u{fffd}', '€',
    ];
    match bytes {
        [0xfe, 0xff, rest @ ..] => {
            let units: Vec<u16> =
                rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        [0xff, 0xfe, rest @ ..] => {
            let units: Vec<u16> =
                rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        bytes => bytes
            .iter()
            .map(|byte| match byte {
                0x80..=0xa0 => SPECIAL[usize::from(byte - 0x80)],
                byte => char::from(*byte),
            })
            .collect(),
    }
}

/// Places the text of a field as a form's viewer would draw it.
fn place(field: &Field, text: &str, transform: Affine, glyphs: &mut Vec<PlacedGlyph>) {
    let Field { rect, size, is_multiline, .. } = field;
    let advance = 0.5 * size;
    let width = (rect.width() - 4.0).max(advance);
    let per_line = if *is_multiline { ((width / advance) as usize).max(1) } else { usize::MAX };
    let lines = wrapped(text, per_line);
    let first = if *is_multiline {
        rect.y1 - 2.0 - size
    } else {
        // The baseline of a line in the middle.
        rect.y0 + (rect.height() - size) / 2.0 + 0.22 * size
    };
    for (row, line) in lines.iter().enumerate() {
        let count = line.chars().count().max(1);
        // A long value is drawn closer rather than beyond its field.
        let advance = advance.min(width / count as f64);
        let y = first - 1.15 * size * row as f64;
        if glyphs.len() + line.len() > MAX_GLYPHS {
            return;
        }
        for (at, c) in line.chars().enumerate() {
            let x = rect.x0 + 2.0 + advance * at as f64;
            let (start, end) =
                (transform * Point::new(x, y), transform * Point::new(x + advance, y));
            let direction = end - start;
            let quarter = match (direction.x.abs() > direction.y.abs(), direction.x, direction.y) {
                (true, x, _) => {
                    if x >= 0.0 {
                        0
                    } else {
                        2
                    }
                }
                (false, _, y) => {
                    if y >= 0.0 {
                        1
                    } else {
                        3
                    }
                }
            };
            glyphs.push(PlacedGlyph {
                text: c.to_string(),
                x: start.x,
                y: start.y,
                end_x: end.x,
                end_y: end.y,
                size: *size,
                quarter: Some(quarter),
            });
        }
    }
}

/// The lines of a value, none longer than `most` letters where a blank allows it.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for given in text.replace("\r\n", "\n").split(['\n', '\r']) {
        let mut line = String::new();
        let mut length = 0;
        for word in given.split_whitespace() {
            let letters = word.chars().count();
            if length > 0 && length + 1 + letters > most {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += letters;
        }
        lines.push(line);
    }
    if most == usize::MAX {
        // A field of one line shows one.
        return vec![lines.join(" ")];
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_decoded_by_their_mark() {
        assert_eq!(decoded(b"\xfe\xff\0R\0o\0e\x20\x14"), "Roe—");
        assert_eq!(decoded(b"\xef\xbb\xbfRo\xc3\xa9"), "Roé");
        assert_eq!(decoded(b"R\x8ao\xe9 \x8dx\x8e"), "R−oé “x”");
    }

    #[test]
    fn values_are_wrapped_at_blanks() {
        assert_eq!(wrapped("one two three\rfour", 8), ["one two", "three", "four"]);
        assert_eq!(wrapped("one two\nthree", usize::MAX), ["one two three"]);
    }
}
