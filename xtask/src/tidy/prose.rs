//! The English of comments and pages: phrases that make a reader guess have a plainer form.

use super::{Findings, TextFile};

/// Words that no sentence needs. Split in two, so that this file is not a finding.
const RIDDLES: [&str; 1] = [concat!("man", "ieth")];

/// Start of a sentence that depends on the item before it, which rustdoc does not show.
const REFERENCE: &str = concat!("The sa", "me");

pub(super) fn check(file: &TextFile, findings: &mut Findings) {
    let is_page = file.path.ends_with(".md");
    if !is_page && !file.is_rust() {
        return;
    }
    let mut in_paragraph = false;
    for (index, line) in file.text.lines().enumerate() {
        let place = format!("{}:{}", file.path, index + 1);
        if let Some(word) = RIDDLES.iter().find(|word| line.contains(**word)) {
            findings.error(format!("{place}: {word:?} is not an English word: use a plain phrase"));
        }
        let documentation = documentation(line);
        let begins = documentation.is_some() && !in_paragraph;
        in_paragraph = documentation.is_some_and(|text| !text.is_empty());
        if begins && documentation.is_some_and(|text| text.starts_with(REFERENCE)) {
            findings.error(format!("{place}: begins with {REFERENCE:?}: name what it is about"));
        }
    }
}

/// The text of a rustdoc line; `None` for other lines.
fn documentation(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(path: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        check(&TextFile { path: path.to_owned(), text: text.to_owned() }, &mut findings);
        findings.errors
    }

    #[test]
    fn documentation_that_begins_with_a_reference_is_found() {
        let text = format!("//! A file.\n\n/// {REFERENCE}, but faster.\nfn f() {{}}\n");
        assert_eq!(
            errors("a.rs", &text),
            [format!("a.rs:3: begins with {REFERENCE:?}: name what it is about")]
        );
        let text = format!("/// A file.\n///\n/// {REFERENCE} again.\n");
        assert_eq!(errors("a.rs", &text).len(), 1);
    }

    #[test]
    fn a_line_in_the_middle_of_a_paragraph_is_left_alone() {
        let text =
            format!("/// Reads a file.\n/// {REFERENCE} file twice is refused.\n// {REFERENCE}\n");
        assert_eq!(errors("a.rs", &text), [""; 0]);
        assert_eq!(errors("a.toml", REFERENCE), [""; 0]);
    }

    #[test]
    fn words_that_are_none_are_found_in_pages_too() {
        assert_eq!(errors("a.md", &format!("The so {} time.\n", RIDDLES[0])).len(), 1);
    }
}
