//! One file writes to the terminal, because text of others must not reach it as it is.

use super::{Findings, TextFile};

/// The file through which everything is printed.
const TERMINAL: &str = "crates/cli/src/terminal.rs";

/// The file that draws the monitor: it checks each cell of a frame.
const DRAWING: &str = "crates/monitor/src/terminal.rs";

/// Files whose output is not for a terminal: messages between two processes, and a backup that is refused there.
const NOT_FOR_PEOPLE: [&str; 2] =
    ["crates/documents/src/reader/serve.rs", "crates/admin/src/backup/destination.rs"];

/// Crates for developers, which print their own text.
const FOR_DEVELOPERS: [&str; 3] = ["crates/bench/", "crates/score/", "crates/testkit/"];

/// Ways to print, of the standard library, of colours and of progress bars. Split in two, so that this file is not a
/// finding.
const WAYS: [&str; 12] = [
    concat!("print", "!("),
    concat!("println", "!("),
    concat!("std", "out()"),
    concat!("std", "err()"),
    concat!("io::", "stdout"),
    concat!("io::", "stderr"),
    concat!("anstream", "::"),
    concat!("/dev/", "tty"),
    concat!(".set_", "message("),
    concat!(".set_", "prefix("),
    concat!(".print", "ln("),
    concat!(".with_", "message("),
];

pub(super) fn check(file: &TextFile, findings: &mut Findings) {
    let path = file.path.as_str();
    let is_source = path.starts_with("crates/") && path.contains("/src/") && file.is_rust();
    let is_exempt = [TERMINAL, DRAWING].contains(&path)
        || NOT_FOR_PEOPLE.contains(&path)
        || FOR_DEVELOPERS.iter().any(|folder| path.starts_with(folder));
    if !is_source || is_exempt {
        return;
    }
    for (index, line) in file.text.lines().enumerate() {
        let code = line.trim_start();
        // The tests at the end of a file run in no terminal of a user.
        if code.starts_with("mod tests") {
            return;
        }
        if code.starts_with("//") {
            continue;
        }
        if let Some(way) = WAYS.iter().find(|way| code.contains(**way)) {
            findings.error(format!(
                "{path}:{}: `{way}` prints: only {TERMINAL} does, which makes text of others safe",
                index + 1
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(path: &str, code: &str) -> usize {
        let mut findings = Findings::default();
        let text = format!("//! A file.\n\nfn f() {{\n    {code}\n}}\n");
        check(&TextFile { path: path.to_owned(), text }, &mut findings);
        findings.errors.len()
    }

    #[test]
    fn every_way_to_print_is_found_elsewhere() {
        for way in WAYS {
            assert_eq!(errors("crates/cli/src/table.rs", way), 1, "{way}");
            assert_eq!(errors("crates/core/src/error.rs", way), 1, "{way}");
            assert_eq!(errors(TERMINAL, way), 0, "{way}");
            assert_eq!(errors("crates/cli/tests/integration/main.rs", way), 0, "{way}");
        }
        assert_eq!(errors("crates/cli/src/table.rs", &format!("// {}", WAYS[0])), 0);
        assert_eq!(errors("crates/cli/src/table.rs", &format!("mod tests {{\n{}", WAYS[0])), 0);
        assert_eq!(errors("crates/cli/src/table.rs", "command.stdout(Stdio::piped());"), 0);
    }
}
