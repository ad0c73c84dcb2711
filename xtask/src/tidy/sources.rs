//! Rules for single files: opening, ending, length and name.

use super::{Findings, TextFile};

/// Longest file, in lines; a longer one is an error.
const MAX_LINES: usize = 700;
/// A file longer than this probably has a second purpose; it causes a warning.
const MANY_LINES: usize = 400;

/// Names that do not describe the contents.
const NAMES_THAT_SAY_NOTHING: [&str; 4] = ["utils", "helpers", "common", "misc"];

/// Macros that must not be left in finished code. Split in two, so that this file is not a finding.
const UNFINISHED: [&str; 3] =
    [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")];

pub(super) fn check(file: &TextFile, findings: &mut Findings) {
    let path = &file.path;
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.error(format!("{path}: the last line does not end"));
    }
    if file.is_rust() {
        check_rust(file, findings);
    }
}

fn check_rust(file: &TextFile, findings: &mut Findings) {
    let path = &file.path;
    if !file.text.starts_with("//! ") {
        findings.error(format!("{path}: does not open with a `//!` line that says what it is for"));
    }
    match file.text.lines().count() {
        lines if lines > MAX_LINES => {
            findings.error(format!("{path}: {lines} lines; the most is {MAX_LINES}"));
        }
        lines if lines > MANY_LINES => {
            findings.warn(format!("{path}: {lines} lines; {MANY_LINES} is plenty"));
        }
        _ => {}
    }
    let says_nothing =
        |part: &str| NAMES_THAT_SAY_NOTHING.contains(&part.strip_suffix(".rs").unwrap_or(part));
    if let Some(name) = path.split('/').find(|part| says_nothing(part)) {
        findings.error(format!("{path}: {name:?} does not say what is inside"));
    }
    for (number, line) in file.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        if let Some(what) = UNFINISHED.iter().find(|what| code.contains(**what)) {
            findings.error(format!("{path}:{}: `{what}…)`", number + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Findings {
        let mut findings = Findings::default();
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        check(&file, &mut findings);
        findings
    }

    fn errors(path: &str, text: &str) -> String {
        findings(path, text).errors.join("\n")
    }

    #[test]
    fn a_file_as_it_should_be_is_left_alone() {
        assert_eq!(findings("src/key.rs", "//! Keys.\n\nfn main() {}\n"), Findings::default());
        assert_eq!(findings("docs/a.md", "# A\n"), Findings::default());
        assert_eq!(findings("docs/empty.md", ""), Findings::default());
    }

    #[test]
    fn the_opening_line_and_the_last_are_looked_at() {
        assert!(errors("build.rs", "fn main() {}\n").contains("does not open"));
        assert!(errors("Cargo.toml", "[package]").contains("last line"));
    }

    #[test]
    fn long_files_warn_and_longer_ones_fail() {
        let of = |lines: usize| format!("//! Long.\n{}", "// x\n".repeat(lines - 1));
        assert_eq!(findings("a.rs", &of(400)), Findings::default());
        assert_eq!(findings("a.rs", &of(401)).warnings, ["a.rs: 401 lines; 400 is plenty"]);
        assert_eq!(findings("a.rs", &of(701)).errors, ["a.rs: 701 lines; the most is 700"]);
    }

    #[test]
    fn names_that_say_nothing_are_found_as_files_and_as_folders() {
        assert!(errors("src/utils.rs", "//! X.\n").contains("utils"));
        assert!(errors("tests/common/mod.rs", "//! X.\n").contains("common"));
        assert!(errors("src/commons.rs", "//! X.\n").is_empty());
    }

    #[test]
    fn unfinished_code_is_found_and_comments_are_not() {
        let text = format!("//! X.\nfn f() {{ {}) }}\n", UNFINISHED[0]);
        assert!(errors("a.rs", &text).starts_with("a.rs:2: "));
        let text = format!("//! X.\n// {}\n", UNFINISHED[0]);
        assert!(errors("a.rs", &text).is_empty());
    }
}
