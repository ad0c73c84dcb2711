//! The keys of known programs as patterns of `[[front.route]]`.

use std::fmt::Write;

use super::{Framework, KeyGroup, all};

/// The patterns of a known program's keys, as `compartment_core::KeyPattern` reads them: of a program by its name, such
/// as `celery`, or of one of its groups, such as `celery-results`. `None` if there is neither.
///
/// They are of the names that the program has without a prefix of the installation. Queues whose names an application
/// chooses without a prefix, such as those of Celery beside `celery`, are not among them.
#[must_use]
pub fn program_patterns(name: &str) -> Option<Vec<String>> {
    let groups: Vec<&KeyGroup> = match all().find(|framework| framework.slug() == name) {
        Some(framework) => framework.groups.iter().collect(),
        None => {
            let mut groups = all().flat_map(|framework| framework.groups);
            vec![groups.find(|group| group.name == name)?]
        }
    };
    let rows = groups.into_iter().flat_map(|group| group.rows).filter(|row| !row.is_covered);
    let globs = rows.flat_map(|row| row.globs);
    Some(globs.map(|glob| key_pattern(glob.as_bytes())).collect())
}

/// The names that [`program_patterns`] knows, in the order of the alphabet: of programs, and of groups whose names are
/// not those of programs.
#[must_use]
pub fn program_names() -> Vec<String> {
    let groups = all().flat_map(|framework| framework.groups);
    let groups = groups.map(|group| group.name.to_owned());
    let mut names: Vec<String> = all().map(Framework::slug).chain(groups).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Framework {
    /// The name in lower case, with `-` in place of other characters than letters and digits: `django-cache`.
    fn slug(&self) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        self.name.chars().map(letter).collect()
    }
}

/// A glob of Redis as a pattern of the front, where a `{` begins a placeholder. A byte that is not UTF-8 is any byte,
/// since a configuration is text.
pub(crate) fn key_pattern(glob: &[u8]) -> String {
    let mut pattern = String::with_capacity(glob.len());
    let mut is_escaped = false;
    for chunk in glob.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let _ = match letter {
                '{' if !is_escaped => pattern.write_str("\\{"),
                letter => pattern.write_char(letter),
            };
            is_escaped = letter == '\\' && !is_escaped;
        }
        for _ in chunk.invalid() {
            // A `\` before such a byte has no meaning of its own.
            if is_escaped {
                pattern.pop();
                is_escaped = false;
            }
            pattern.push('?');
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use compartment_core::KeyPattern;
    use compartment_core::backend::glob_matches;
    use proptest::prelude::*;

    #[test]
    fn each_known_name_has_patterns_that_can_be_read() {
        for name in program_names() {
            let patterns = program_patterns(&name).unwrap();
            assert!(!patterns.is_empty(), "{name}");
            for text in patterns {
                KeyPattern::parse(&text).unwrap();
            }
        }
        assert_eq!(program_patterns("celry"), None);
    }

    #[test]
    fn a_program_is_known_by_its_name_and_a_part_of_it_by_its_group() {
        let takes = |name: &str, key: &str| {
            let patterns = program_patterns(name).unwrap();
            patterns.iter().any(|text| KeyPattern::parse(text).unwrap().matches(key.as_bytes()))
        };
        for (name, key, expected) in [
            ("celery", "celery-task-meta-7", true),
            ("celery", "_kombu.binding.celery", true),
            ("celery-results", "celery-task-meta-7", true),
            ("celery-results", "celery", false),
            ("celery-broker", "celery\u{6}\u{16}3", true),
            ("bullmq", "bull:mail:wait", true),
            ("asynq", "asynq:{default}:pending", true),
            ("sidekiq", "stat:processed", true),
            ("django-sessions", ":1:django.contrib.sessions.cache7a", true),
            ("redisson", "{lock}:redisson_rwlock_x", true),
            ("redisson", "lock:redisson_rwlock_x", false),
        ] {
            assert_eq!(takes(name, key), expected, "{name} {key}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_any_byte() {
        assert_eq!(key_pattern(b"a\xff*"), "a?*");
        assert_eq!(key_pattern(b"a\\\xff{"), "a?\\{");
        assert_eq!(key_pattern(b"\\\\{\\{"), "\\\\\\{\\{");
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_its_glob_matches(
            glob in "([ab{}*?]|\\\\\\{|\\\\\\\\|\\[a\\{\\]){1,6}",
            keys in prop::collection::vec("[ab{}\\\\]{1,6}", 16),
        ) {
            let pattern = KeyPattern::parse(&key_pattern(glob.as_bytes())).unwrap();
            for key in keys {
                let expected = glob_matches(glob.as_bytes(), key.as_bytes());
                prop_assert_eq!(pattern.matches(key.as_bytes()), expected, "{} {}", glob, key);
            }
        }
    }
}
