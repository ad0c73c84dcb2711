//! Checks that every named item of a contract, of a store or of the front, has a test of that name.

use std::collections::BTreeSet;

use super::{Findings, TextFile};

/// Where contracts stand, and where their tests are.
const CONTRACTS: [(&str, &str); 2] = [
    ("crates/core/src/stores/", "crates/testkit/src/suite/"),
    ("crates/front/src/server.rs", "crates/front/tests/integration/"),
];

pub(super) fn check(files: &[TextFile], findings: &mut Findings) {
    for (contracts, tests) in CONTRACTS {
        let suite = files.iter().filter(|file| file.path.starts_with(tests));
        let tests: BTreeSet<&str> = suite.flat_map(|file| functions(&file.text)).collect();
        for file in files.iter().filter(|file| file.path.starts_with(contracts)) {
            for (line, promise) in promises(&file.text) {
                if !tests.contains(promise) {
                    let path = &file.path;
                    findings.error(format!(
                        "{path}:{line}: no test of the suite is called `{promise}`"
                    ));
                }
            }
        }
    }
}

/// The names at the start of the bullets of doc comments, each with its line: "- `name`: what it means", "- `name`,
/// `another_name` among concurrent callers".
fn promises(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let bullets = text.lines().enumerate().filter_map(|(index, line)| {
        let bullet = line.trim_start().strip_prefix("/// - ")?;
        Some((index + 1, bullet))
    });
    bullets.flat_map(|(line, bullet)| opening_names(bullet).map(move |name| (line, name)))
}

/// The names in backticks at the start of a bullet; later ones are methods.
fn opening_names(bullet: &str) -> impl Iterator<Item = &str> {
    let mut rest = bullet;
    std::iter::from_fn(move || {
        let (name, after) = rest.strip_prefix('`')?.split_once('`')?;
        let next = after.strip_prefix(", and ").or_else(|| after.strip_prefix(", "));
        rest = next.or_else(|| after.strip_prefix(" and ")).unwrap_or_default();
        let is_name =
            name.contains('_') && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        is_name.then_some(name)
    })
}

/// The names of the functions in a file of tests: of a suite, which are public, or of a program of tests.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let rest = line.strip_prefix("pub async fn ").or_else(|| line.strip_prefix("fn "))?;
        let (name, _) = rest.split_once('(')?;
        Some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
/// # Contract
/// - `fields_read_back`: each field holds the bytes of its last `set_fields`.
/// - Each entry of `set_many` is atomic.
/// - `a_counter_starts_at_zero`, and `another_does_too`.
/// - `one_wins`, `increments_add_up` among `n` callers; `take` loses none.
/// - `compare` is no promise.
pub trait HashStore {
    /// - `indented_too`.
";

    #[test]
    fn promises_open_their_bullets() {
        let found: Vec<_> = promises(TEXT).collect();
        let wanted = [
            (2, "fields_read_back"),
            (4, "a_counter_starts_at_zero"),
            (4, "another_does_too"),
            (5, "one_wins"),
            (5, "increments_add_up"),
            (8, "indented_too"),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_promise_without_a_test_is_named_with_its_line() {
        let file =
            |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
        let files = [
            file("crates/core/src/stores/hash.rs", "/// - `is_kept`.\n/// - `is_forgotten`.\n"),
            file("crates/testkit/src/suite/hash.rs", "pub async fn is_kept(harness: &dyn H) {\n"),
        ];
        let mut findings = Findings::default();
        check(&files, &mut findings);
        let missing =
            "crates/core/src/stores/hash.rs:2: no test of the suite is called `is_forgotten`";
        assert_eq!(findings.errors, [missing]);
    }
}
