//! Output for people: errors, wrapped texts, sizes and times. `terminal` writes it.

use std::time::Duration;

use compartment::database_map::InstanceUrl;
pub(crate) use compartment_operations::{count, counted, percent, time};

use crate::exit_code::CliError;
use crate::table::Table;
pub(crate) use crate::terminal::{
    BAD, FAINT, GOOD, Log, STRONG, Style, choose_colors, clear, is_terminal, logs_to_terminal,
    print_own, remark, remark_json, remark_once, remark_own, say, say_above, say_format, say_json,
    say_json_line, say_lines, say_metrics, say_own, set_label, set_message, visible_lines,
    without_styles,
};

/// Prints an error with its causes in one line, and the remedy in a second.
pub(crate) fn complain(error: &CliError) {
    let causes = match error.causes().join("; ") {
        none if none.is_empty() => none,
        causes => format!(" ({causes})"),
    };
    remark(format!("{BAD}error:{BAD:#} {error}{causes}"));
    if let Some(hint) = error.hint_text() {
        remark(format!("{STRONG}hint:{STRONG:#} {hint}"));
    }
}

/// A table that fits the terminal; the columns listed in `right` hold numbers.
pub(crate) fn table(header: &[&str], right: &[usize]) -> Table {
    Table::new(header, right)
}

/// Wraps the text at 80 columns; lines after the first are indented by two.
pub(crate) fn wrapped(text: &str) -> String {
    indented(text, "", "  ")
}

/// The text in lines of at most 80 columns, the first behind `first` and the others behind `rest`.
pub(crate) fn indented(text: &str, first: &str, rest: &str) -> String {
    let mut out = first.to_owned();
    let mut width = first.chars().count();
    let mut is_begun = false;
    for word in text.split_whitespace() {
        let length = without_styles(word).chars().count();
        if is_begun && width + 1 + length > 80 {
            out.push('\n');
            out.push_str(rest);
            width = rest.chars().count();
        } else if is_begun {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
        is_begun = true;
    }
    out
}

/// A server's URL with the index of one of its databases, if its scheme has a place for one, ready to be typed again.
pub(crate) fn url(server: &str, index: u32) -> String {
    match InstanceUrl::parse(server) {
        Ok(url) if index > 0 => url.with_index(index),
        _ => server.to_owned(),
    }
}

/// The program that writes the keys, as far as known.
pub(crate) fn producer(name: &str, perhaps: bool) -> String {
    match (name, perhaps) {
        ("", _) => "–".to_owned(),
        (name, true) => format!("perhaps {name}"),
        (name, false) => name.to_owned(),
    }
}

/// The reasons of a refusal, one below the other.
pub(crate) fn say_refusals(refusals: &[String]) {
    for refusal in refusals {
        say_lines(wrapped(&format!("{BAD}refused{BAD:#}: {refusal}")));
    }
}

/// A TTL, such as `2d` or `1h`, or a dash if there is none.
pub(crate) fn ttl(duration: Option<Duration>) -> String {
    let Some(duration) = duration else { return "–".into() };
    let seconds = duration.as_secs();
    for (unit, name) in [(86_400, "d"), (3_600, "h"), (60, "m")] {
        if seconds >= unit && seconds.is_multiple_of(unit) {
            return format!("{}{name}", seconds / unit);
        }
    }
    format!("{:.3}", duration.as_secs_f64()).trim_end_matches('0').trim_end_matches('.').to_owned()
        + "s"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped_at_words() {
        let text = wrapped(&"seven77 ".repeat(22));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text.lines().count(), 3);
        assert_eq!(wrapped("short"), "short");
        assert_eq!(indented("a b", "# ", "#   "), "# a b");
    }

    #[test]
    fn ttls_read_well() {
        assert_eq!(ttl(Some(Duration::from_secs(172_800))), "2d");
        assert_eq!(ttl(Some(Duration::from_millis(1_500))), "1.5s");
        assert_eq!(ttl(None), "–");
    }
}
