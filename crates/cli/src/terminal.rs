//! The one place that writes to the terminal. Control characters of others are shown as escapes; styles and the ends
//! of lines are added afterwards.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

use anstyle::AnsiColor;
use compartment::backend::random;
use compartment_admin::{printable, printable_in_json};
use console::Term;
use indicatif::{MultiProgress, ProgressBar};
use serde::Serialize;

use crate::args::Color;

/// How a part of a text is shown. In a text, `{GOOD}` begins it and `{GOOD:#}` ends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    #[default]
    Plain,
    Good,
    Bad,
    Strong,
    Faint,
}

pub(crate) const GOOD: Style = Style::Good;
pub(crate) const BAD: Style = Style::Bad;
pub(crate) const STRONG: Style = Style::Strong;
pub(crate) const FAINT: Style = Style::Faint;

impl Style {
    const ALL: [Self; 5] = [Self::Plain, Self::Good, Self::Bad, Self::Strong, Self::Faint];

    /// The letter behind the seal that begins the style.
    const fn letter(self) -> char {
        match self {
            Self::Plain => 'p',
            Self::Good => 'g',
            Self::Bad => 'b',
            Self::Strong => 's',
            Self::Faint => 'f',
        }
    }

    fn codes(self) -> anstyle::Style {
        match self {
            Self::Plain => anstyle::Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Strong => anstyle::Style::new().bold(),
            Self::Faint => anstyle::Style::new().dimmed(),
        }
    }
}

/// The letter behind the seal that ends a style.
const END: char = 'e';

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, f.alternate()) {
            (Self::Plain, _) => Ok(()),
            (_, true) => write!(f, "{}{END}", seal()),
            (style, false) => write!(f, "{}{}", seal(), style.letter()),
        }
    }
}

/// Characters that mark a style in a text. They are drawn at random for each process, so that no text of others can
/// have them, and are never printed.
fn seal() -> &'static str {
    static SEAL: OnceLock<String> = OnceLock::new();
    SEAL.get_or_init(|| {
        // Two random numbers of 64 bits, as digits; the noncharacter keeps them apart from a text.
        format!("\u{fdd0}{:016x}{:016x}", random(), random())
    })
}

/// The text without its styles.
pub(crate) fn without_styles(text: &str) -> Cow<'_, str> {
    if !text.contains(seal()) {
        return text.into();
    }
    let mut parts = text.split(seal());
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // The letter of the style.
        let mut letters = part.chars();
        letters.next();
        plain.push_str(letters.as_str());
    }
    plain.into()
}

/// A line as it is written: every character that is not visible as an escape, and the styles as the terminal's codes.
fn written(line: &str) -> String {
    let mut parts = line.split(seal());
    let mut text = printable(parts.next().unwrap_or_default());
    for part in parts {
        let mut letters = part.chars();
        let letter = letters.next();
        let style = Style::ALL.into_iter().find(|style| Some(style.letter()) == letter);
        match style {
            Some(style) => text.push_str(&style.codes().to_string()),
            None => text.push_str(&anstyle::Reset.to_string()),
        }
        text.push_str(&printable(letters.as_str()));
    }
    text
}

/// Sets for the whole process whether styles are shown.
pub(crate) fn choose_colors(color: Color) {
    let choice = match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Prints a line. A line end in it is shown as an escape. Errors are ignored, as when the reader has ended
/// (`| head`).
pub(crate) fn say(line: impl AsRef<str>) {
    let _ = writeln!(anstream::stdout(), "{}", written(line.as_ref()));
}

/// Prints lines whose ends are our own: a table, or a wrapped text. Parts that others wrote must not have line ends.
pub(crate) fn say_lines(lines: impl AsRef<str>) {
    lines.as_ref().split('\n').for_each(say);
}

/// Prints a line for people on standard error, which scripts do not read.
pub(crate) fn remark(line: impl AsRef<str>) {
    let _ = writeln!(anstream::stderr(), "{}", written(line.as_ref()));
}

/// Prints a line as [`remark`] does, unless this process has printed it before.
pub(crate) fn remark_once(line: String) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
        remark(line);
    }
}

/// Prints a value as JSON, indented. The escapes are those of JSON, so that a program reads the value itself.
pub(crate) fn say_json(value: &impl Serialize) {
    say_format(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints a value as JSON in one line.
pub(crate) fn say_json_line(value: &impl Serialize) {
    say_format(&serde_json::to_string(value).unwrap_or_default());
}

/// Prints a value as JSON, indented, on standard error, because standard output has other content.
pub(crate) fn remark_json(value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let _ = writeln!(anstream::stderr(), "{}", printable_in_json(&text));
}

/// Prints the text of a format for programs, such as TOML, which escapes line ends by itself. Other characters that are
/// not visible become `\uNNNN`.
pub(crate) fn say_format(text: &str) {
    let _ = writeln!(anstream::stdout(), "{}", printable_in_json(text));
}

/// Prints metrics in Prometheus's text format. It has no escapes for characters that are not visible, so that those of
/// a label become the text of an escape.
pub(crate) fn say_metrics(text: &str) {
    let shown: Vec<String> = text.split('\n').map(as_label).collect();
    let _ = writeln!(anstream::stdout(), "{}", shown.join("\n"));
}

fn as_label(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for letter in line.chars() {
        let alone = letter.to_string();
        let escaped = printable(&alone);
        shown.push_str(&if escaped == alone { alone } else { escaped.replace('\\', "\\\\") });
    }
    shown
}

/// Prints text of this program's own, such as its manual, as it is.
pub(crate) fn print_own(text: &[u8]) -> io::Result<()> {
    io::stdout().write_all(text)
}

/// Prints text of this program's own, such as its help, with the terminal's codes in it.
pub(crate) fn say_own(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Prints text of this program's own on standard error, with the terminal's codes in it.
pub(crate) fn remark_own(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// The text with everything but visible characters, spaces and line ends as escapes.
pub(crate) fn visible_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether the log goes to a terminal.
pub(crate) fn logs_to_terminal() -> bool {
    io::stderr().is_terminal()
}

/// The columns of the terminal, if standard output is one.
pub(crate) fn columns() -> Option<usize> {
    is_terminal().then(|| Term::stdout().size_checked().map(|(_, columns)| columns.into()))?
}

/// Clears the terminal, if standard output is one.
pub(crate) fn clear() {
    let _ = Term::stdout().clear_screen();
}

/// Sets the message of a bar, which is one line.
pub(crate) fn set_message(bar: &ProgressBar, text: impl AsRef<str>) {
    bar.set_message(printable(text.as_ref()));
}

/// Sets the label of a bar.
pub(crate) fn set_label(bar: &ProgressBar, text: impl AsRef<str>) {
    bar.set_prefix(printable(text.as_ref()));
}

/// Prints a line above bars.
pub(crate) fn say_above(bars: &MultiProgress, line: impl AsRef<str>) {
    let _ = bars.println(printable(line.as_ref()));
}

/// Writes log lines to standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log;

impl Write for Log {
    /// Takes a whole entry, as the log writes it.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(entry);
        remark(text.strip_suffix('\n').unwrap_or(&text));
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints panics here too: their messages may quote a document.
pub(crate) fn take_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
        let payload = panic.payload_as_str().unwrap_or("of an unknown kind");
        remark(format!("{BAD}error:{BAD:#} the program panicked{place}: {payload}"));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_styles_reach_the_terminal() {
        let hostile = "a\u{1b}[31mb\nc\u{9b}d\u{7f}e\u{202e}f\u{1b}[1m";
        let line = format!("{STRONG}{hostile}{STRONG:#} {BAD}bad{BAD:#}");
        assert_eq!(
            written(&line),
            "\u{1b}[1ma\\x1b[31mb\\x0ac\\xc2\\x9bd\\x7fe\\xe2\\x80\\xaef\\x1b[1m\u{1b}[0m \
             \u{1b}[1m\u{1b}[31mbad\u{1b}[0m"
        );
        assert_eq!(without_styles(&line), format!("{hostile} bad"));
        // The beginning of the marks is no secret.
        assert_eq!(written("\u{fdd0}b"), "\\xef\\xb7\\x90b");
    }

    #[test]
    fn a_label_stays_valid() {
        assert_eq!(as_label("x{a=\"b\u{1b}\\\\c\"} 1"), "x{a=\"b\\\\x1b\\\\c\"} 1");
    }

    #[test]
    fn a_plain_style_leaves_nothing() {
        let style = Style::default();
        assert_eq!(format!("{style}text{style:#}"), "text");
        assert_eq!(written("plain – text…"), "plain – text…");
    }
}
