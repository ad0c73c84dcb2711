//! Libraries list each name they re-export, and the facade's root stays short.

use super::{Findings, TextFile};

const FACADE: &str = "crates/compartment/src/lib.rs";
/// Most names at the facade's root, including modules; nobody reads a longer list.
const MAX_AT_THE_ROOT: usize = 40;

pub(super) fn check(files: &[TextFile], findings: &mut Findings) {
    let sources = |file: &&TextFile| file.is_rust() && file.path.starts_with("crates/");
    for file in files.iter().filter(sources) {
        for (line, statement) in public_uses(&file.text) {
            if statement.contains('*') {
                let path = &file.path;
                findings.error(format!("{path}:{line}: `pub use …::*`: name what is passed on"));
            }
        }
        if file.path == FACADE {
            let names = root_names(&file.text);
            if names > MAX_AT_THE_ROOT {
                findings.error(format!(
                    "{FACADE}: {names} names at the root; the most is {MAX_AT_THE_ROOT}: a store's \
                     names belong in its module"
                ));
            }
        }
    }
}

/// The `pub use` statements of a file, each with its line.
fn public_uses(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut from = 0;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let start = from;
        from += line.len() + 1;
        line.trim_start().starts_with("pub use ").then(|| {
            let rest = &text[start..];
            (index + 1, rest.split(';').next().unwrap_or(rest))
        })
    })
}

/// The number of names that a root re-exports or declares as public modules.
fn root_names(text: &str) -> usize {
    let modules = text.lines().filter(|line| line.starts_with("pub mod ")).count();
    // The items of a statement are separated by commas; a trailing comma adds none.
    let items = |statement: &str| {
        let list = statement.split_once('{').map_or("one", |(_, list)| list);
        list.trim_end_matches('}').split(',').filter(|item| !item.trim().is_empty()).count()
    };
    modules + public_uses(text).map(|(_, statement)| items(statement)).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_modules_at_the_root_are_counted() {
        let text = "//! A.\npub mod lock;\nmod open;\n\npub use core::{\n    A, B,\n    C,\n};\npub use open::open;\n";
        assert_eq!(root_names(text), 5);
    }

    #[test]
    fn a_long_root_and_a_glob_are_named() {
        let names: Vec<String> = (0..=MAX_AT_THE_ROOT).map(|at| format!("N{at}")).collect();
        let file = |path: &str, text: String| TextFile { path: path.to_owned(), text };
        let files = [
            file(FACADE, format!("pub use core::{{{}}};\n", names.join(", "))),
            file("crates/core/src/lib.rs", "//! A.\n\npub use stores::*;\n".to_owned()),
        ];
        let mut findings = Findings::default();
        check(&files, &mut findings);
        assert_eq!(findings.errors.len(), 2, "{findings:?}");
        assert!(findings.errors[0].starts_with("crates/compartment/src/lib.rs: 41 names"));
        assert!(findings.errors[1].starts_with("crates/core/src/lib.rs:3: "));
    }
}
