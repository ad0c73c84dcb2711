//! Checks that links between pages of the documentation have a target.

use super::{Findings, TextFile};

pub(super) fn check(files: &[TextFile], exists: impl Fn(&str) -> bool, findings: &mut Findings) {
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, target) in relative_links(&file.text) {
            let leads_somewhere = resolve(folder, target).is_some_and(|path| exists(&path));
            if !leads_somewhere {
                findings.error(format!("{}:{line}: {target:?} leads nowhere", file.path));
            }
        }
    }
}

/// The targets of `[text](target)` that are files of the project, each with its line. Links in code are ignored.
fn relative_links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Every second part is between backticks.
        for part in line.split('`').step_by(2) {
            for after in part.split("](").skip(1) {
                let target = after.split([')', ' ', '#']).next().unwrap_or_default();
                if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                    links.push((index + 1, target));
                }
            }
        }
    }
    links
}

/// The target as a path from the root; `None` if it leads out of the project.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = match target.starts_with('/') {
        true => Vec::new(),
        false => folder.split('/').filter(|part| !part.is_empty()).collect(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_are_found_and_others_left_alone() {
        let text = "See [a](a.md), [b](../b.md#part) and [web](https://x.org).\n\
                    A `[no](link.md)` and [here](#below).\n\
                    ```\n[no](link.md)\n```\n![image](img/x.png \"title\")\n";
        assert_eq!(relative_links(text), [(1, "a.md"), (1, "../b.md"), (6, "img/x.png")]);
    }

    #[test]
    fn a_target_is_relative_to_its_page() {
        assert_eq!(resolve("docs", "a.md").as_deref(), Some("docs/a.md"));
        assert_eq!(resolve("docs", "../README.md").as_deref(), Some("README.md"));
        assert_eq!(resolve("", "docs/./a.md").as_deref(), Some("docs/a.md"));
        assert_eq!(resolve("docs", "/LICENSE").as_deref(), Some("LICENSE"));
        assert_eq!(resolve("docs", "../../out.md"), None);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        let text = "[a](a.md) [b](b.md)\n".to_owned();
        let files = [TextFile { path: "docs/page.md".to_owned(), text }];
        let mut findings = Findings::default();
        check(&files, |path| path == "docs/a.md", &mut findings);
        assert_eq!(findings.errors, ["docs/page.md:1: \"b.md\" leads nowhere"]);
    }
}
