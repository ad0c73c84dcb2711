//! Writes texts, bars and sparklines into the cells of a screen, and breaks texts into lines.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::palette::{Palette, Tone};

/// The eighths of a cell, from the lowest.
const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// The cells of one frame.
pub(crate) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    palette: Palette,
}

/// The cells that a text takes.
pub(crate) fn width(text: &str) -> u16 {
    u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX)
}

impl<'a> Canvas<'a> {
    pub(crate) fn new(buffer: &'a mut Buffer, palette: Palette) -> Self {
        Self { buffer, palette }
    }

    pub(crate) fn area(&self) -> Rect {
        self.buffer.area
    }

    /// Writes a text into at most `most` cells of a line. A longer one ends in `…`.
    pub(crate) fn text(&mut self, x: u16, y: u16, most: u16, text: &str, tone: Tone) {
        let area = self.area();
        if y >= area.bottom() || x >= area.right() || most == 0 {
            return;
        }
        let most = most.min(area.right() - x);
        let style = self.palette.style(tone);
        if width(text) <= most {
            self.buffer.set_stringn(x, y, text, most.into(), style);
            return;
        }
        let (end, _) = self.buffer.set_stringn(x, y, text, usize::from(most) - 1, style);
        self.buffer.set_stringn(end, y, "…", 1, style);
    }

    /// Writes a text that ends with the last of `most` cells.
    pub(crate) fn right(&mut self, x: u16, y: u16, most: u16, text: &str, tone: Tone) {
        let free = most.saturating_sub(width(text));
        self.text(x + free, y, most - free, text, tone);
    }

    /// Draws the share of a whole, 0 to 1, over `most` cells, with a text at its right end.
    pub(crate) fn bar(&mut self, x: u16, y: u16, most: u16, share: f64, text: &str, tone: Tone) {
        let cells = most.saturating_sub(width(text).max(5) + 1);
        let full = (share.clamp(0.0, 1.0) * f64::from(cells)).round() as u16;
        // A little is not nothing, and nearly everything is not all.
        let full = match full {
            0 if share > 0.0 => 1.min(cells),
            full if full == cells && share < 1.0 => cells.saturating_sub(1),
            full => full,
        };
        let drawn = "█".repeat(full.into()) + &"░".repeat((cells - full).into());
        self.text(x, y, cells, &drawn, tone);
        self.right(x + cells, y, most - cells, text, tone);
    }

    /// Draws the newest values, one a cell, the highest as a whole cell.
    pub(crate) fn spark(&mut self, x: u16, y: u16, most: u16, values: &[Option<f64>], tone: Tone) {
        let shown = &values[values.len().saturating_sub(most.into())..];
        let highest = shown.iter().flatten().copied().fold(0.0, f64::max);
        let level = |value: f64| {
            let part = if highest > 0.0 { value / highest } else { 0.0 };
            LEVELS[((part * 7.0).round() as usize).min(7)]
        };
        let drawn: String = shown.iter().map(|value| value.map_or(" ", level)).collect();
        self.text(x, y, most, &drawn, tone);
    }

    /// Gives a line of cells the style of what is chosen.
    pub(crate) fn choose(&mut self, x: u16, y: u16, cells: u16) {
        let line = Rect::new(x, y, cells, 1).intersection(self.area());
        self.buffer.set_style(line, self.palette.style(Tone::Chosen));
    }

    /// Empties a part of the screen and draws a frame around it, with a title.
    pub(crate) fn frame(&mut self, area: Rect, title: &str) {
        let area = area.intersection(self.area());
        if area.width < 2 || area.height < 2 {
            return;
        }
        let inner = area.width - 2;
        let line = "─".repeat(inner.into());
        let last = area.bottom() - 1;
        for y in area.top()..area.bottom() {
            let row = match y {
                y if y == area.top() => format!("┌{line}┐"),
                y if y == last => format!("└{line}┘"),
                _ => format!("│{}│", " ".repeat(inner.into())),
            };
            for x in area.left()..area.right() {
                self.buffer[(x, y)].reset();
            }
            self.text(area.x, y, area.width, &row, Tone::Plain);
        }
        let title = format!(" {title} ");
        self.text(area.x + 2, area.y, inner.saturating_sub(2), &title, Tone::Strong);
    }
}

/// The text in lines of at most `most` cells, broken at spaces, and within words that are longer than a line.
pub(crate) fn lines(text: &str, most: u16) -> Vec<String> {
    let most = most.max(8);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let needs = width(word);
        let gap = u16::from(used > 0);
        if used + gap + needs <= most {
            append(&mut lines, if gap > 0 { " " } else { "" });
            append(&mut lines, word);
            used += gap + needs;
            continue;
        }
        if used > 0 {
            lines.push(String::new());
        }
        used = 0;
        for letter in word.chars() {
            let mut bytes = [0; 4];
            let letter: &str = letter.encode_utf8(&mut bytes);
            let needs = width(letter);
            if used + needs > most {
                lines.push(String::new());
                used = 0;
            }
            append(&mut lines, letter);
            used += needs;
        }
    }
    lines
}

fn append(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(draw: impl Fn(&mut Canvas<'_>)) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        draw(&mut Canvas::new(&mut buffer, Palette::new(false)));
        buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn a_text_that_is_too_long_says_so() {
        assert_eq!(drawn(|canvas| canvas.text(0, 0, 5, "abcde", Tone::Plain)), "abcde       ");
        assert_eq!(drawn(|canvas| canvas.text(0, 0, 5, "abcdef", Tone::Plain)), "abcd…       ");
        assert_eq!(drawn(|canvas| canvas.right(0, 0, 5, "ab", Tone::Plain)), "   ab       ");
        // Letters of two cells, and places beyond the screen.
        assert_eq!(drawn(|canvas| canvas.text(8, 0, 90, "漢字漢字", Tone::Plain)), "        漢 … ");
        assert_eq!(drawn(|canvas| canvas.text(20, 9, 5, "ab", Tone::Plain)), " ".repeat(12));
    }

    #[test]
    fn a_bar_is_empty_only_of_nothing_and_full_only_of_all() {
        let bar = |share| drawn(|canvas| canvas.bar(0, 0, 12, share, "x", Tone::Plain));
        assert_eq!(bar(0.0), "░░░░░░     x");
        assert_eq!(bar(0.001), "█░░░░░     x");
        assert_eq!(bar(0.5), "███░░░     x");
        assert_eq!(bar(0.999), "█████░     x");
        assert_eq!(bar(7.0), "██████     x");
        assert_eq!(bar(f64::NAN), "░░░░░░     x");
    }

    #[test]
    fn a_sparkline_shows_the_newest_values_and_gaps() {
        let spark = |values: &[Option<f64>]| {
            drawn(|canvas| canvas.spark(0, 0, 4, values, Tone::Plain)).trim_end().to_owned()
        };
        assert_eq!(spark(&[Some(9.0), Some(0.0), None, Some(4.0), Some(8.0)]), "▁ ▅█");
        assert_eq!(spark(&[Some(0.0), Some(0.0)]), "▁▁");
        assert_eq!(spark(&[]), "");
    }

    #[test]
    fn texts_break_at_spaces_and_within_long_words() {
        assert_eq!(lines("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(lines("a abcdefghijkl b", 8), ["a", "abcdefgh", "ijkl b"]);
        assert_eq!(lines("", 8), [""]);
    }
}
