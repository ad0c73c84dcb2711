//! The one place where a pattern written in the source becomes a regex, compiled once.

/// Declares a function that gives a regex compiled at its first use.
///
/// Patterns are constants of the source, so a bad one is a bug that the first test to touch it shows.
macro_rules! static_regex {
    ($(#[$doc:meta])* $name:ident, $pattern:expr) => {
        $(#[$doc])*
        fn $name() -> &'static ::regex::Regex {
            static REGEX: ::std::sync::LazyLock<::regex::Regex> = ::std::sync::LazyLock::new(|| {
                #[expect(clippy::expect_used, reason = "the pattern is a constant, covered by a test")]
                ::regex::RegexBuilder::new(::std::convert::AsRef::<str>::as_ref(&$pattern))
                    .size_limit(64 << 20)
                    .build()
                    .expect("a pattern of the source is valid")
            });
            &REGEX
        }
    };
}

pub(crate) use static_regex;
