//! Compiles each pattern of the source code once, at its first use.

/// Declares a function that returns a regex, compiled at its first use.
///
/// Patterns are constants, so an invalid one is a bug that the first test of it shows.
macro_rules! static_regex {
    ($(#[$doc:meta])* $name:ident, $pattern:expr) => {
        $(#[$doc])*
        fn $name() -> &'static ::regex::Regex {
            static REGEX: ::std::sync::LazyLock<::regex::Regex> = ::std::sync::LazyLock::new(|| {
                $crate::static_regex::compile(::std::convert::AsRef::<str>::as_ref(&$pattern))
            });
            &REGEX
        }
    };
}

pub(crate) use static_regex;

/// Compiles a pattern of the source code.
#[expect(
    clippy::expect_used,
    reason = "the pattern is a constant of the source, covered by a test"
)]
pub(crate) fn compile(pattern: &str) -> regex::Regex {
    regex::RegexBuilder::new(&western(pattern))
        .size_limit(64 << 20)
        .dfa_size_limit(16 << 20)
        .build()
        .expect("a pattern of the source is valid")
}

/// White space of Western texts, for use inside a class: ASCII, no-break and typographic spaces.
const BLANKS: &str = r"\t-\r\x20\xA0\u{2000}-\u{200A}\x85\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}";

/// Narrows `\w`, `\d`, `\s` and `\b` to Western letters and blanks and ASCII boundaries.
///
/// The regex engine leaves its fast path at every Unicode word boundary once a text has a `§` or a `’`, as
/// every opinion does, and the full tables of letters make programs a hundred times larger. The tables of
/// white space cost a sixth of the time that all expressions take to compile.
pub(crate) fn western(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() * 2);
    let mut in_class = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('w') if in_class => out.push_str("0-9A-Za-z_À-ɏ"),
                Some('w') => out.push_str("[0-9A-Za-z_À-ɏ]"),
                Some('d') if in_class => out.push_str("0-9"),
                Some('d') => out.push_str("[0-9]"),
                Some('s') if in_class => out.push_str(BLANKS),
                Some('s') => out.extend(["[", BLANKS, "]"]),
                Some('b') => out.push_str(r"(?-u:\b)"),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' => {
                in_class = true;
                out.push(c);
            }
            ']' => {
                in_class = false;
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_narrowed_in_and_out_of_brackets() {
        assert_eq!(
            western(r"\b\w[\w'-]\d\.\["),
            r"(?-u:\b)[0-9A-Za-z_À-ɏ][0-9A-Za-z_À-ɏ'-][0-9]\.\["
        );
        assert_eq!(western(r"\s[,\s]"), format!("[{BLANKS}][,{BLANKS}]"));
        assert!(compile(r"^\s{5}$").is_match(" \t\n\u{a0}\u{2009}"));
    }
}
