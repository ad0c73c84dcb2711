//! Finds the footnotes of a laid-out page: smaller type at its foot, or what follows on a rule, with numbers.

use std::ops::Range;

use super::layout::Line;

/// Type of at most this share of the body's size is a footnote's.
const SMALLER: f64 = 0.93;

/// Most lines of a running foot below the footnotes.
const MOST_FEET: usize = 2;

/// The size of the type in which most letters of the pages are set.
pub(super) fn body_size(pages: &[Vec<Line>]) -> f64 {
    let mut sizes: Vec<(f64, usize)> = pages
        .iter()
        .flatten()
        .map(|line| (line.mean_size(), line.segments.iter().map(|one| one.text.len()).sum()))
        .collect();
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = sizes.iter().map(|(_, letters)| letters).sum::<usize>() / 2;
    let mut seen = 0;
    sizes
        .iter()
        .find(|(_, letters)| {
            seen += letters;
            seen > half
        })
        .map_or(0.0, |(size, _)| *size)
}

/// The footnotes of a page, each with its lines. Where it is not sure that lines are footnotes, there are none.
pub(super) fn footnotes(lines: &[Line], body: f64) -> Vec<Range<usize>> {
    let mut notes: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for end in 1..=lines.len() {
        // The right column begins above the end of the left one.
        if lines.get(end).is_some_and(|line| line.y >= lines[end - 1].y) {
            continue;
        }
        let column = &lines[start..end];
        if let Some(block) = small_block(column, body).or_else(|| ruled_block(column)) {
            notes.extend(numbered(lines, start + block.start..start + block.end));
        }
        start = end;
    }
    notes
}

/// Divides a block of footnotes by their numbers; none if it has no number.
fn numbered(lines: &[Line], block: Range<usize>) -> Vec<Range<usize>> {
    let mut notes: Vec<Range<usize>> = Vec::new();
    let mut last: Option<u32> = None;
    for at in block {
        let number = note_number(&lines[at].text());
        let begins = match (number, last) {
            (Some(number), Some(last)) => number == last + 1,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if begins {
            last = number;
        }
        match notes.last_mut() {
            Some(note) if !begins => note.end = at + 1,
            // Lines before the first number continue a note of the page before.
            _ => notes.push(at..at + 1),
        }
    }
    if last.is_some() { notes } else { Vec::new() }
}

/// The lines of smaller type at the foot of the page.
fn small_block(lines: &[Line], body: f64) -> Option<Range<usize>> {
    let is_small = |line: &Line| line.mean_size() <= SMALLER * body;
    let mut end = lines.len();
    while end > 0 && lines.len() - end < MOST_FEET && !is_small(&lines[end - 1]) {
        // A page number or a running foot.
        if lines[end - 1].text().len() > 60 {
            return None;
        }
        end -= 1;
    }
    let start = lines[..end].iter().rposition(|line| !is_small(line)).map_or(0, |at| at + 1);
    // A page that is small as a whole, as a list of counsel, has no footnotes.
    (start > 0 && start < end && is_at_foot(lines, start)).then_some(start..end)
}

/// What follows on a line of underscores or dashes in the lower part of the page.
fn ruled_block(lines: &[Line]) -> Option<Range<usize>> {
    let is_rule = |line: &Line| {
        let text = line.text();
        text.len() >= 5 && text.chars().all(|c| matches!(c, '_' | '—' | '–' | '-' | '─' | '―'))
    };
    let rule = lines.iter().rposition(is_rule)?;
    let start = rule + 1;
    let first = lines.get(start)?;
    note_number(&first.text())?;
    is_at_foot(lines, start).then_some(start..lines.len())
}

/// Whether the line is in the lower two thirds of the page's text.
fn is_at_foot(lines: &[Line], at: usize) -> bool {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return false };
    lines[at].y - first.y > (last.y - first.y) / 3.0
}

/// The number that a footnote begins with: `3 See Roe`, `3. See Roe`, `3See Roe`.
fn note_number(text: &str) -> Option<u32> {
    let text = text.trim_start();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=3).contains(&digits) {
        return None;
    }
    let rest = text[digits..].trim_start_matches(['.', ')', ']']).trim_start();
    // `410 U.S. 113` continues a citation.
    let is_words = rest
        .starts_with(|c: char| c.is_uppercase() || matches!(c, '“' | '"' | '(' | '‘' | '['))
        && !rest.starts_with("U.S.")
        && !rest.starts_with("F.")
        && !rest.starts_with("S. Ct");
    is_words.then(|| text[..digits].parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::layout::Segment;
    use super::*;

    fn page(lines: &[(f64, &str)]) -> Vec<Line> {
        let line = |(at, (size, text)): (usize, &(f64, &str))| {
            let y = 12.0 * at as f64;
            let segment = Segment {
                x: 72.0,
                end_x: 400.0,
                y,
                size: *size,
                letters: (*size, 1),
                text: (*text).to_owned(),
            };
            Line { y, size: *size, segments: vec![segment] }
        };
        lines.iter().enumerate().map(line).collect()
    }

    #[test]
    fn smaller_type_at_the_foot_is_notes() {
        let lines = page(&[
            (12.0, "The court held so in a long line of its opinion.1"),
            (12.0, "It held otherwise in another line of the opinion."),
            (12.0, "And so it went on.2"),
            (10.0, "1 See Roe v. Doe, 1 U.S. 2 (1790), and much more of the"),
            (10.0, "410 U.S. 113 (1973)."),
            (10.0, "2 Id. at 3."),
            (12.0, "17"),
        ]);
        assert_eq!(footnotes(&lines, body_size(std::slice::from_ref(&lines))), [3..5, 5..6]);
    }

    #[test]
    fn a_rule_and_a_number_begin_notes_of_the_same_type() {
        let lines =
            page(&[(12.0, "So it is."), (12.0, "More."), (12.0, "__________"), (12.0, "1 Id.")]);
        assert_eq!(footnotes(&lines, 12.0).first(), Some(&(3..4)));
        let signed = page(&[(12.0, "So it is."), (12.0, "__________"), (12.0, "Ann Roe, Judge")]);
        assert!(footnotes(&signed, 12.0).is_empty());
    }

    #[test]
    fn small_type_without_numbers_or_at_the_top_is_none() {
        let quote = page(&[
            (12.0, "He said:"),
            (12.0, "So."),
            (10.0, "I went home."),
            (12.0, &"x".repeat(80)),
        ]);
        assert!(footnotes(&quote, 12.0).is_empty());
        let counsel = page(&[(12.0, "A"), (12.0, "B"), (12.0, "C"), (10.0, "Counsel for all.")]);
        assert!(footnotes(&counsel, 12.0).is_empty());
        assert!(footnotes(&page(&[(10.0, "1 A"), (10.0, "2 B")]), 12.0).is_empty());
    }
}
