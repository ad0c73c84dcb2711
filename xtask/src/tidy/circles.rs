//! Finds cycles of files in a crate: each file should be readable without files that depend on it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, TextFile};

pub(super) fn check(files: &[TextFile], findings: &mut Findings) {
    let mut crates: BTreeMap<&str, Vec<&TextFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        if let Some((root, _)) = file.path.split_once("/src/") {
            crates.entry(root).or_default().push(file);
        }
    }
    for (root, files) in crates {
        let modules: Vec<Module> = files.iter().map(|file| Module::of(root, file)).collect();
        for circle in circles(&modules) {
            findings.error(format!("{root}/src: a circle of files: {}", circle.join("; ")));
        }
    }
}

/// A file as a module, with the names it uses from its crate.
struct Module {
    /// Path from the crate's root: `lib` is empty, `a/b.rs` and `a/b/mod.rs` are `a::b`.
    path: Vec<String>,
    /// Paths used in its code, from the crate's root.
    uses: BTreeSet<Vec<String>>,
    /// Names it re-exports from other modules: `pub use`.
    passes_on: BTreeMap<String, Vec<String>>,
}

impl Module {
    fn of(root: &str, file: &TextFile) -> Self {
        let inner = file.path.strip_prefix(root).and_then(|path| path.strip_prefix("/src/"));
        let inner = inner.unwrap_or(&file.path).trim_end_matches(".rs");
        let mut path: Vec<String> = inner.split('/').map(str::to_owned).collect();
        if path.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
            path.pop();
        }
        let mut module = Self { path, uses: BTreeSet::new(), passes_on: BTreeMap::new() };
        let code = code_of(&file.text);
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        let mut rest = code;
        while let Some(at) = find_use(rest) {
            let (before, statement) = rest.split_at(at);
            let end = statement.find(';').map_or(statement.len(), |end| end + 1);
            let is_public = before.trim_end().ends_with("pub")
                || before.trim_end().ends_with("pub(crate)")
                || before.trim_end().ends_with("pub(super)");
            let tree = statement[..end].trim_start_matches("use").trim_end_matches(';').trim();
            for (path, name) in leaves(tree) {
                let Some(path) = module.of_the_crate(&path) else { continue };
                if is_public {
                    module.passes_on.insert(name, path);
                } else {
                    module.uses.insert(path);
                }
            }
            rest = &statement[end..];
        }
        for path in inline_paths(code) {
            if let Some(path) = module.of_the_crate(&path) {
                module.uses.insert(path);
            }
        }
        module
    }

    /// The path from the crate's root; `None` if it belongs to another crate.
    fn of_the_crate(&self, path: &[String]) -> Option<Vec<String>> {
        let mut base = self.path.clone();
        let mut parts = path.iter().map(String::as_str).peekable();
        match parts.peek().copied()? {
            "crate" => {
                base.clear();
                parts.next();
            }
            "self" => {
                parts.next();
            }
            "super" => {
                while parts.peek() == Some(&"super") {
                    base.pop();
                    parts.next();
                }
            }
            // A child module or another crate; only existing modules are followed.
            _ => {}
        }
        base.extend(parts.map(str::to_owned));
        Some(base)
    }
}

/// The code without comments and without the text of strings.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        let mut in_string = false;
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' if in_string => {
                    letters.next();
                }
                '"' => in_string = !in_string,
                '/' if !in_string && letters.peek() == Some(&'/') => break,
                letter if !in_string => code.push(letter),
                _ => {}
            }
        }
        code.push('\n');
    }
    code
}

/// The position of the next `use` statement.
fn find_use(code: &str) -> Option<usize> {
    code.match_indices("use ").map(|(at, _)| at).find(|at| {
        let before = code[..*at].chars().next_back();
        before.is_none_or(|letter| letter.is_whitespace())
    })
}

/// The paths of a `use` tree, each with the name it introduces.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let (path, renamed) = tree.split_once(" as ").unwrap_or((tree, ""));
        let path: Vec<String> = path.split("::").map(|part| part.trim().to_owned()).collect();
        let name = if renamed.is_empty() {
            path.last().cloned().unwrap_or_default()
        } else {
            renamed.trim().to_owned()
        };
        return vec![(path, name)];
    };
    let head: Vec<String> = tree[..open]
        .trim_end_matches("::")
        .split("::")
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect();
    let inner = tree[open + 1..].trim_end().trim_end_matches('}');
    let mut found = Vec::new();
    for branch in branches(inner) {
        for (path, name) in leaves(branch) {
            let is_self = path == ["self"];
            let mut whole = head.clone();
            if !is_self {
                whole.extend(path);
            }
            let name = if is_self { head.last().cloned().unwrap_or_default() } else { name };
            found.push((whole, name));
        }
    }
    found
}

/// The parts separated by commas outside of inner braces.
fn branches(inner: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&inner[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&inner[from..]);
    found.retain(|branch| !branch.trim().is_empty());
    found
}

/// Paths in code that begin with `crate::` or `super::`.
fn inline_paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_part = code[..at]
                .chars()
                .next_back()
                .is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':');
            if is_part {
                continue;
            }
            let rest = &code[at..];
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let path = &rest[..end.unwrap_or(rest.len())];
            // A tree of names, which is read as a whole elsewhere.
            if path.ends_with("::") {
                continue;
            }
            found.push(
                path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            );
        }
    }
    found
}

/// The cycles of files, each as the edges between its files.
fn circles(modules: &[Module]) -> Vec<Vec<String>> {
    let by_path: BTreeMap<&[String], usize> =
        modules.iter().enumerate().map(|(at, module)| (module.path.as_slice(), at)).collect();
    let targets: Vec<BTreeSet<usize>> = modules
        .iter()
        .enumerate()
        .map(|(at, module)| {
            let found = module.uses.iter().filter_map(|path| resolve(modules, &by_path, path, 0));
            // A module that only re-exports its children has no dependencies, and items declared at the root do not
            // count.
            found.filter(|other| *other != at && !modules[*other].path.is_empty()).collect()
        })
        .collect();
    let reach: Vec<BTreeSet<usize>> =
        (0..modules.len()).map(|from| reachable(&targets, from)).collect();
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let mut found = Vec::new();
    for at in 0..modules.len() {
        if seen.contains(&at) || !reach[at].contains(&at) {
            continue;
        }
        let circle: BTreeSet<usize> = (0..modules.len())
            .filter(|other| reach[at].contains(other) && reach[*other].contains(&at))
            .collect();
        seen.extend(&circle);
        let name = |one: usize| modules[one].path.join("::");
        found.push(
            circle
                .iter()
                .map(|one| {
                    let led: Vec<String> =
                        targets[*one].intersection(&circle).map(|to| name(*to)).collect();
                    format!("{} → {}", name(*one), led.join(", "))
                })
                .collect(),
        );
    }
    found
}

fn reachable(targets: &[BTreeSet<usize>], from: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open: Vec<usize> = targets[from].iter().copied().collect();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(&targets[next]);
        }
    }
    found
}

/// The file that defines the name at the end of `path`, followed through re-exports.
fn resolve(
    modules: &[Module],
    by_path: &BTreeMap<&[String], usize>,
    path: &[String],
    depth: usize,
) -> Option<usize> {
    for length in (0..=path.len()).rev() {
        let Some(module) = by_path.get(&path[..length]).copied() else { continue };
        let passed_on = path.get(length).and_then(|name| modules[module].passes_on.get(name));
        return match passed_on {
            Some(further) if depth < 8 => resolve(modules, by_path, further, depth + 1),
            _ => Some(module),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: format!("crates/x/src/{path}"), text: text.to_owned() }
    }

    fn found(files: &[TextFile]) -> Vec<String> {
        let mut findings = Findings::default();
        check(files, &mut findings);
        findings.errors
    }

    #[test]
    fn a_circle_is_found_through_names_that_are_passed_on() {
        let files = [
            file("lib.rs", "mod a;\nmod b;\npub use a::{One, Two};\n"),
            file("a.rs", "use crate::b::Three;\n"),
            file("b.rs", "fn f() -> crate::One { todo() }\n"),
        ];
        assert_eq!(found(&files), ["crates/x/src: a circle of files: a → b; b → a"]);
    }

    #[test]
    fn a_line_of_files_comments_and_tests_are_no_circle() {
        let files = [
            file("lib.rs", "mod a;\nmod c;\npub use a::One;\n"),
            file("a/mod.rs", "mod b;\nuse self::b::{self, Two};\n"),
            file(
                "a/b.rs",
                "// use super::One\nuse std::fmt;\n#[cfg(test)]\nmod tests { use super::super::One; }",
            ),
            file("c.rs", "use crate::{a::{One, b::Two}, other};\nuse super::{a};\n"),
        ];
        assert!(found(&files).is_empty());
    }
}
