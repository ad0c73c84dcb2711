//! Arranges positioned glyphs into words, lines and columns in reading order.

use super::glyphs::PlacedGlyph;

/// A piece of a line without a wide gap in it.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) x: f64,
    pub(super) end_x: f64,
    pub(super) y: f64,
    /// The largest type in it.
    pub(super) size: f64,
    /// The sum of the sizes of its letters, and their number.
    pub(super) letters: (f64, usize),
    pub(super) text: String,
}

/// One line of a page, with its segments from left to right.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) y: f64,
    pub(super) size: f64,
    pub(super) segments: Vec<Segment>,
}

impl Line {
    pub(super) fn x(&self) -> f64 {
        self.segments.first().map_or(0.0, |segment| segment.x)
    }

    /// The mean size of the letters: a sign or a mark may be of other type than the line.
    pub(super) fn mean_size(&self) -> f64 {
        let (sum, count) = self.segments.iter().fold((0.0, 0), |(sum, count), segment| {
            (sum + segment.letters.0, count + segment.letters.1)
        });
        if count == 0 { self.size } else { sum / count as f64 }
    }

    /// The text of the line; a wide gap becomes three spaces, which captions need.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            if !text.is_empty() {
                text.push_str("   ");
            }
            text.push_str(&segment.text);
        }
        text
    }
}

/// A gap of this share of the font size separates two words (spaces of typefaces are 0.2 to 0.33).
const WORD_GAP: f64 = 0.17;

/// A gap of this share of the font size separates two segments.
const SEGMENT_GAP: f64 = 1.2;

/// Lays out a page: lines in reading order, columns one after the other.
pub(super) fn lines(glyphs: Vec<PlacedGlyph>) -> Vec<Line> {
    let lines = rows(segments(upright(glyphs)));
    read_columns(lines)
}

/// Turns the page so that most of its text runs to the right; text at other angles (stamps along an edge,
/// watermarks) is dropped.
fn upright(glyphs: Vec<PlacedGlyph>) -> Vec<PlacedGlyph> {
    let mut counts = [0_usize; 4];
    for quarter in glyphs.iter().filter_map(|glyph| glyph.quarter) {
        counts[usize::from(quarter)] += 1;
    }
    let main = (0..4_u8).max_by_key(|&q| (counts[usize::from(q)], 4 - q)).unwrap_or(0);
    let turn = |x: f64, y: f64| match main {
        0 => (x, y),
        1 => (y, -x),
        2 => (-x, -y),
        _ => (-y, x),
    };
    glyphs
        .into_iter()
        .filter(|glyph| glyph.quarter == Some(main))
        .map(|mut glyph| {
            (glyph.x, glyph.y) = turn(glyph.x, glyph.y);
            (glyph.end_x, glyph.end_y) = turn(glyph.end_x, glyph.end_y);
            glyph
        })
        .collect()
}

/// Groups glyphs on one baseline from left to right, split at wide gaps.
fn segments(mut glyphs: Vec<PlacedGlyph>) -> Vec<Segment> {
    // Baselines within a third of a point count as equal, since producers round differently within
    // a line.
    glyphs.sort_by(|a, b| {
        let row = |glyph: &PlacedGlyph| (glyph.y * 3.0).round();
        row(a).total_cmp(&row(b)).then(a.x.total_cmp(&b.x))
    });
    let mut segments: Vec<Segment> = Vec::new();
    let mut pending_space = false;
    for glyph in &glyphs {
        let blank = glyph.text.trim().is_empty();
        let open = segments.last_mut().filter(|last| {
            (last.y - glyph.y).abs() < 0.2 * glyph.size.max(last.size)
                && glyph.x - last.end_x < SEGMENT_GAP * glyph.size.max(last.size)
                && glyph.x - last.end_x > -1.5 * glyph.size.max(last.size)
        });
        if blank {
            pending_space = open.is_some();
            continue;
        }
        match open {
            Some(last) => {
                // Bold made by printing twice: the same letter at almost the same place.
                if glyph.x < last.end_x - 0.6 * (glyph.end_x - glyph.x)
                    && last.text.ends_with(&glyph.text)
                {
                    continue;
                }
                let gap = glyph.x - last.end_x;
                if pending_space && gap > 0.05 * glyph.size || gap > WORD_GAP * glyph.size {
                    last.text.push(' ');
                }
                last.text.push_str(&glyph.text);
                last.end_x = last.end_x.max(glyph.end_x);
                last.size = last.size.max(glyph.size);
                last.letters.0 += glyph.size;
                last.letters.1 += 1;
            }
            None => segments.push(Segment {
                x: glyph.x,
                end_x: glyph.end_x,
                y: glyph.y,
                size: glyph.size,
                letters: (glyph.size, 1),
                text: glyph.text.clone(),
            }),
        }
        pending_space = false;
    }
    segments
}

/// Joins segments with close baselines into lines; raised footnote marks join their line.
fn rows(mut segments: Vec<Segment>) -> Vec<Line> {
    segments.sort_by(|a, b| a.y.total_cmp(&b.y));
    let mut lines: Vec<Line> = Vec::new();
    for segment in segments {
        let joins = lines.last().is_some_and(|line| {
            let near = if segment.size < 0.8 * line.size || line.size < 0.8 * segment.size {
                0.48
            } else {
                0.3
            };
            (segment.y - line.y).abs() < near * line.size.max(segment.size)
                && !line.segments.iter().any(|other| overlap(other, &segment))
        });
        match lines.last_mut() {
            Some(line) if joins => {
                if segment.size > line.size {
                    line.y = segment.y;
                    line.size = segment.size;
                }
                line.segments.push(segment);
            }
            _ => lines.push(Line { y: segment.y, size: segment.size, segments: vec![segment] }),
        }
    }
    for line in &mut lines {
        line.segments.sort_by(|a, b| a.x.total_cmp(&b.x));
        join_touching(line);
    }
    lines
}

fn overlap(a: &Segment, b: &Segment) -> bool {
    a.x.max(b.x) + 0.3 * a.size.min(b.size) < a.end_x.min(b.end_x)
}

/// Joins neighbours that were separate only because their baselines differed.
fn join_touching(line: &mut Line) {
    let mut joined: Vec<Segment> = Vec::with_capacity(line.segments.len());
    for segment in line.segments.drain(..) {
        match joined.last_mut() {
            Some(last) if segment.x - last.end_x < SEGMENT_GAP * segment.size.max(last.size) => {
                let gap = segment.x - last.end_x;
                if gap > WORD_GAP * last.size.min(segment.size) {
                    last.text.push(' ');
                }
                last.text.push_str(&segment.text);
                last.end_x = last.end_x.max(segment.end_x);
                last.size = last.size.max(segment.size);
                last.letters.0 += segment.letters.0;
                last.letters.1 += segment.letters.1;
            }
            _ => joined.push(segment),
        }
    }
    line.segments = joined;
}

/// Minimum number of lines of two columns: fewer are a caption or a table.
const MIN_COLUMN_LINES: usize = 12;

/// Puts the left column of a two-column region before the right one.
fn read_columns(lines: Vec<Line>) -> Vec<Line> {
    let Some((from, to, gutter)) = two_columns(&lines) else { return lines };
    let mut ordered: Vec<Line> = lines[..from].to_vec();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for line in &lines[from..to] {
        let (l, r): (Vec<_>, Vec<_>) =
            line.segments.iter().cloned().partition(|segment| segment.x < gutter);
        for (side, segments) in [(&mut left, l), (&mut right, r)] {
            if !segments.is_empty() {
                side.push(Line { segments, ..line.clone() });
            }
        }
    }
    ordered.append(&mut left);
    ordered.append(&mut right);
    ordered.extend(read_columns(lines[to..].to_vec()));
    ordered
}

/// Finds the first run of lines that a vertical gutter separates into two columns of prose.
fn two_columns(lines: &[Line]) -> Option<(usize, usize, f64)> {
    if lines.len() < MIN_COLUMN_LINES {
        return None;
    }
    let left = lines.iter().map(Line::x).fold(f64::INFINITY, f64::min);
    let right = lines
        .iter()
        .flat_map(|line| line.segments.iter().map(|segment| segment.end_x))
        .fold(f64::NEG_INFINITY, f64::max);
    let width = right - left;
    // The gutter of a two-column page lies near its middle.
    let candidates = (0..=20).map(|step| left + width * (0.4 + 0.01 * f64::from(step)));
    let mut best: Option<(usize, usize, f64)> = None;
    for gutter in candidates {
        let mut start = 0;
        for at in 0..=lines.len() {
            let crossed = lines.get(at).is_none_or(|line| {
                line.segments.iter().any(|s| s.x < gutter + 2.0 && s.end_x > gutter - 2.0)
            });
            if !crossed {
                continue;
            }
            let longer = best.is_none_or(|(from, to, _)| at - start > to - from);
            if longer && at - start >= MIN_COLUMN_LINES && is_prose(&lines[start..at], gutter) {
                best = Some((start, at, gutter));
            }
            start = at + 1;
        }
    }
    best
}

/// Whether both sides are filled on most lines, unlike in a caption or a table.
fn is_prose(lines: &[Line], gutter: f64) -> bool {
    let (mut left_lines, mut right_lines) = (0, 0);
    let (mut left_chars, mut right_chars) = (0, 0);
    for line in lines {
        let chars = |left: bool| -> usize {
            line.segments
                .iter()
                .filter(|segment| (segment.x < gutter) == left)
                .map(|segment| segment.text.chars().count())
                .sum()
        };
        let (l, r) = (chars(true), chars(false));
        left_chars += l;
        right_chars += r;
        left_lines += usize::from(l > 0);
        right_lines += usize::from(r > 0);
    }
    // The columns may have different baselines, so each is counted by its own lines.
    let (fewer, more) = (left_lines.min(right_lines), left_lines.max(right_lines));
    fewer * 10 >= more * 6
        && fewer >= MIN_COLUMN_LINES * 6 / 10
        && left_chars >= 22 * more * 8 / 10
        && right_chars >= 22 * more * 8 / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, x: f64, y: f64) -> Vec<PlacedGlyph> {
        text.chars()
            .enumerate()
            .map(|(i, c)| {
                let x = x + 5.0 * i as f64;
                PlacedGlyph {
                    text: c.to_string(),
                    x,
                    y,
                    end_x: x + 5.0,
                    end_y: y,
                    size: 10.0,
                    quarter: Some(0),
                }
            })
            .collect()
    }

    fn text_of(glyphs: Vec<PlacedGlyph>) -> Vec<String> {
        lines(glyphs).iter().map(Line::text).collect()
    }

    #[test]
    fn words_part_at_gaps_and_captions_stay_apart() {
        let mut glyphs = word("ROE", 50.0, 100.0);
        glyphs.extend(word("v.", 68.0, 100.0));
        glyphs.extend(word("No.", 300.0, 100.0));
        glyphs.extend(word("Filed", 50.0, 112.0));
        assert_eq!(text_of(glyphs), ["ROE v.   No.", "Filed"]);
    }

    #[test]
    fn columns_are_read_one_after_the_other() {
        let mut glyphs = word("A heading across the whole page of two columns here", 50.0, 50.0);
        for row in 0..14 {
            let y = 100.0 + 12.0 * f64::from(row);
            glyphs.extend(word(&format!("left{row:02} aaaaaaaaaaaaaaaaaaaaaa"), 50.0, y));
            glyphs.extend(word(&format!("right{row:02} bbbbbbbbbbbbbbbbbbbbb"), 220.0, y));
        }
        let text = text_of(glyphs);
        assert!(text[1].starts_with("left00") && text[14].starts_with("left13"), "{text:?}");
        assert!(text[15].starts_with("right00"), "{text:?}");
    }

    #[test]
    fn a_page_turned_by_a_quarter_is_read_upright() {
        let mut glyphs = word("SIDEWAYS", 100.0, 0.0);
        for glyph in &mut glyphs {
            (glyph.x, glyph.y, glyph.end_x, glyph.end_y) =
                (-glyph.y, glyph.x, -glyph.end_y, glyph.end_x);
            glyph.quarter = Some(1);
        }
        assert_eq!(text_of(glyphs), ["SIDEWAYS"]);
    }
}
