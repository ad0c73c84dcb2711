//! Tables that fit the terminal: numbers stay whole, texts wrap at words, long names lose their middle.

use std::fmt::{self, Display};

use console::measure_text_width;

use crate::terminal::{self, Style};

/// Columns if the output is not a terminal, such as a page of documentation or a mail.
const PLAIN_WIDTH: usize = 80;
/// Below this width the table overflows the terminal, so that it stays readable.
const LEAST_WIDTH: usize = 40;
/// Blanks before a line; the gaps are between columns, the wide one where there is room.
const MARGIN: usize = 1;
const GAP: usize = 3;
const NARROW_GAP: usize = 2;
/// Least columns of a text, even if the table becomes too wide.
const LEAST_TEXT: usize = 8;
/// Most lines of one cell; the rest of its text is left out.
const MAX_LINES: usize = 3;
/// Lines of one cell that are still easy to read.
const GOOD_LINES: usize = 2;
/// Enough columns for a text too long for its lines.
const ENOUGH: usize = 32;

/// The content of one cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    words: Vec<String>,
    style: Style,
}

impl Cell {
    /// A cell with a style.
    pub(crate) fn styled(text: &str, style: Style) -> Self {
        Self { words: words(text), style }
    }

    fn width(&self) -> usize {
        let widths = self.words.iter().map(|word| measure_text_width(word) + 1);
        widths.sum::<usize>().saturating_sub(1)
    }

    /// The least columns for the text in two lines of whole words; a long text gets at most [`ENOUGH`] or its longest
    /// word.
    fn narrowest(&self) -> usize {
        let words = self.words.iter().map(|word| measure_text_width(word));
        let longest = words.max().unwrap_or(0);
        let fits = |width: &usize| self.wrapped(*width).len() <= GOOD_LINES;
        let found = (longest..ENOUGH.max(longest)).find(fits);
        found.unwrap_or(longest.max(ENOUGH)).min(self.width())
    }

    fn wrapped(&self, width: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in &self.words {
            let word = shortened(word, width);
            let room = lines.last().map(|line| measure_text_width(line));
            match (room, lines.last_mut()) {
                (Some(used), Some(line)) if used + 1 + measure_text_width(&word) <= width => {
                    line.push(' ');
                    line.push_str(&word);
                }
                _ => lines.push(word),
            }
        }
        lines
    }

    /// The lines of the cell in a column of this width.
    fn lines(&self, width: usize) -> Vec<String> {
        let mut lines = self.wrapped(width);
        if lines.len() > MAX_LINES {
            lines.truncate(MAX_LINES);
            if let Some(last) = lines.last_mut() {
                let mut letters: Vec<char> = last.chars().collect();
                while !letters.is_empty() && width_of(&letters) + 2 > width {
                    letters.pop();
                }
                *last = format!("{} …", letters.into_iter().collect::<String>());
            }
        }
        lines
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text.as_ref(), Style::default())
    }
}

/// The words of a text, with unprintable characters escaped.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(compartment_admin::printable).collect()
}

/// A name shortened to `width` columns by cutting its middle, which matters least.
pub(crate) fn shortened(name: &str, width: usize) -> String {
    if measure_text_width(name) <= width {
        return name.to_owned();
    }
    let letters: Vec<char> = name.chars().collect();
    let room = width.saturating_sub(1);
    let (mut head, mut tail) = (0, letters.len());
    while head < letters.len() && width_of(&letters[..=head]) <= room.div_ceil(2) {
        head += 1;
    }
    let left = room - width_of(&letters[..head]);
    while tail > head && width_of(&letters[tail - 1..]) <= left {
        tail -= 1;
    }
    // A zero-width character belongs to the letter before it, which has been cut.
    while tail < letters.len() && width_of(&letters[tail..=tail]) == 0 {
        tail += 1;
    }
    let part = |letters: &[char]| letters.iter().collect::<String>();
    format!("{}…{}", part(&letters[..head]), part(&letters[tail..]))
}

fn width_of(letters: &[char]) -> usize {
    measure_text_width(&letters.iter().collect::<String>())
}

/// Rows under a header.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    header: Vec<Cell>,
    /// Whether a column holds numbers: aligned right, never cut.
    figures: Vec<bool>,
    rows: Vec<Vec<Cell>>,
    width: usize,
}

impl Table {
    /// A table for the current terminal.
    pub(crate) fn new(header: &[&str], right: &[usize]) -> Self {
        Self::with_width(header, right, available())
    }

    fn with_width(header: &[&str], right: &[usize], width: usize) -> Self {
        Self {
            header: header.iter().map(Cell::from).collect(),
            figures: (0..header.len()).map(|at| right.contains(&at)).collect(),
            rows: Vec::new(),
            width,
        }
    }

    /// Adds a row at the end.
    pub(crate) fn add_row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut row: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        row.resize(self.header.len(), Cell::default());
        self.rows.push(row);
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = &Cell> {
        self.rows.iter().chain([&self.header]).filter_map(move |row| row.get(column))
    }

    /// The widths of the columns, and the gap between them.
    fn layout(&self) -> (Vec<usize>, usize) {
        let columns = 0..self.header.len();
        let whole: Vec<usize> =
            columns.clone().map(|at| self.cells(at).map(Cell::width).max().unwrap_or(0)).collect();
        let gaps = |gap: usize| MARGIN + gap * self.header.len().saturating_sub(1);
        if whole.iter().sum::<usize>() + gaps(GAP) <= self.width {
            return (whole, GAP);
        }
        let mut widths = whole.clone();
        let texts: Vec<usize> = columns.filter(|at| !self.figures[*at]).collect();
        let taken: usize =
            (0..whole.len()).filter(|at| self.figures[*at]).map(|at| whole[at]).sum();
        let room = self.width.saturating_sub(gaps(NARROW_GAP) + taken);
        let room = room.max(LEAST_TEXT * texts.len());
        // First the widths that keep words whole; the rest goes to texts that fit one line.
        let narrowest = |at: &usize| self.cells(*at).map(Cell::narrowest).max().unwrap_or(0);
        let needs: Vec<usize> = texts.iter().map(narrowest).collect();
        let wants: Vec<usize> = texts.iter().map(|at| whole[*at]).collect();
        let first = shared(&needs, &vec![0; needs.len()], room);
        let shares = shared(&wants, &first, room);
        for (at, share) in texts.into_iter().zip(shares) {
            widths[at] = share;
        }
        (widths, NARROW_GAP)
    }

    fn put(&self, row: &[Cell], widths: &[usize], gap: usize, out: &mut Vec<String>) {
        let lines: Vec<Vec<String>> =
            row.iter().zip(widths).map(|(cell, width)| cell.lines(*width)).collect();
        for number in 0..lines.iter().map(Vec::len).max().unwrap_or(0) {
            let (mut line, mut blanks) = (String::new(), MARGIN);
            for (at, cell) in row.iter().enumerate() {
                let text = lines[at].get(number).map_or("", String::as_str);
                let free = widths[at].saturating_sub(measure_text_width(text));
                let (before, behind) = if self.figures[at] { (free, 0) } else { (0, free) };
                blanks += before;
                if !text.is_empty() {
                    // Blanks are written before the next text, so that no line ends in one.
                    line.push_str(&" ".repeat(blanks));
                    let style = cell.style;
                    line.push_str(&format!("{style}{text}{style:#}"));
                    blanks = 0;
                }
                blanks += behind + gap;
            }
            out.push(line);
        }
    }
}

/// Distributes `room` among columns that have `has` and want `wants`, always to the narrowest that wants more.
fn shared(wants: &[usize], has: &[usize], room: usize) -> Vec<usize> {
    let mut shares = has.to_vec();
    let mut left = room.saturating_sub(has.iter().sum());
    while left > 0 {
        let wanting = (0..wants.len()).filter(|at| shares[*at] < wants[*at]);
        let Some(least) = wanting.min_by_key(|at| shares[*at]) else { break };
        shares[least] += 1;
        left -= 1;
    }
    shares
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (widths, gap) = self.layout();
        let mut lines = Vec::new();
        self.put(&self.header, &widths, gap, &mut lines);
        let gaps = gap * widths.len().saturating_sub(1);
        lines.push("─".repeat(MARGIN + widths.iter().sum::<usize>() + gaps));
        self.rows.iter().for_each(|row| self.put(row, &widths, gap, &mut lines));
        f.write_str(&lines.join("\n"))
    }
}

/// The available columns: of the terminal, otherwise from `COLUMNS`, or 80.
fn available() -> usize {
    let columns = match terminal::is_terminal() {
        true => terminal::columns(),
        false => std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()),
    };
    columns.unwrap_or(PLAIN_WIDTH).max(LEAST_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: usize, header: &[&str], right: &[usize], rows: &[&[&str]]) -> String {
        let mut table = Table::with_width(header, right, width);
        rows.iter().for_each(|row| table.add_row(row.iter()));
        let text = table.to_string();
        assert!(text.lines().all(|line| !line.ends_with(' ')), "{text}");
        assert!(text.lines().all(|line| measure_text_width(line) <= width), "{text}");
        text
    }

    const LONG: &str = "doc:00000014-98ab-4c5d-8e6f-000000026aac:text";

    #[test]
    fn what_fits_stands_as_it_is() {
        let text = shown(80, &["group", "keys", "to"], &[1], &[&["celery", "1,157", ""]]);
        assert_eq!(text, " group     keys   to\n────────────────────\n celery   1,157");
    }

    #[test]
    fn names_lose_their_middle_and_figures_nothing() {
        let rows: &[&[&str]] = &[&[LONG, "1,234,567", "brpop, evalsha, exec, publish"]];
        let header = ["key", "keys", "commands"];
        let text = shown(60, &header, &[1], rows);
        assert!(text.contains("1,234,567"), "{text}");
        let name = text.lines().nth(2).unwrap().split_whitespace().next().unwrap();
        assert!(name.starts_with("doc:0") && name.contains('…') && name.ends_with("c:text"));
        // Words stay whole; a wider screen has room for the name.
        for word in ["brpop,", "evalsha,", "exec,", "publish"] {
            assert!(text.contains(word), "{text}");
        }
        assert!(shown(160, &header, &[1], rows).lines().nth(2).unwrap().contains(LONG));
    }

    #[test]
    fn many_columns_share_what_there_is() {
        let header = ["worker", "up", "seen", "slots", "done", "failed", "memory", "works on"];
        let right = [1, 2, 3, 4, 5, 6];
        let row: &[&str] = &[
            "analysis-host-17-production:48213:7f3a5c1e",
            "1 h 12 m",
            "1.20 s",
            "4/8",
            "1,204,100",
            "1,000",
            "512.0 MiB",
            "batch-2026-11-21 entities brief-of-the-appellant-second-amended.pdf",
        ];
        for width in [80, 100, 120, 160, 240] {
            let text = shown(width, &header, &right, &[row]);
            assert!(text.contains("1,204,100") && text.contains("512.0 MiB"), "{text}");
            assert!(text.contains("entities"), "{text}");
        }
    }

    #[test]
    fn letters_of_two_columns_and_of_none_are_counted_as_they_are_shown() {
        let names = ["命令:一二三四五六七八九十:状態", "ключ:значение", "e\u{301}te\u{301}:1"];
        let rows: Vec<Vec<&str>> = names.iter().map(|name| vec![*name, "12"]).collect();
        let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
        let text = shown(80, &["key", "keys"], &[1], &rows);
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
        let ends: Vec<usize> = text.lines().skip(2).map(measure_text_width).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{text}");
        for name in names {
            for width in 2..20 {
                let short = shortened(name, width);
                assert!(measure_text_width(&short) <= width, "{short}");
            }
        }
        assert_eq!(shortened(names[0], 11), "命令:…:状態");
    }

    #[test]
    fn what_is_shown_cannot_steer_the_terminal_and_ends_after_a_few_lines() {
        let hostile = "a\u{1b}[31mred\u{7}\r\nb\u{202e}c";
        let text = shown(80, &["error"], &[], &[&[hostile]]);
        assert!(text.contains(r"a\x1b[31mred\x07 b\xe2\x80\xaec"), "{text}");
        let long = "word ".repeat(500);
        let text = shown(80, &["name", "error"], &[], &[&["n", &long]]);
        assert!(text.lines().count() == 5 && text.ends_with(" …"), "{text}");
    }
}
