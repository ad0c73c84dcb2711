//! Redis's glob patterns, so that all backends scan by one rule.

/// Whether `text` matches `pattern` by the rules of Redis's `SCAN … MATCH`: `*`, `?`, `[a-z]`, `[^a]`, and `\` to
/// escape the next character. It works on bytes, as Redis does.
#[must_use]
pub fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    // For an empty text, Redis accepts only the pattern that matches everything.
    if text.is_empty() {
        return pattern.is_empty() || pattern == b"*";
    }
    let (mut p, mut t) = (0, 0);
    // Where to continue after a mismatch: after the last `*`, one byte further in the text. One such position is
    // enough, which keeps the cost at pattern × text.
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            back = Some((p, t));
            continue;
        }
        if let Some(next) = match_one(pattern, p, text[t]) {
            p = next;
            t += 1;
            continue;
        }
        match &mut back {
            Some((after_star, from)) => {
                *from += 1;
                (p, t) = (*after_star, *from);
            }
            None => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Matches one element of the pattern; returns the position after it if it matches.
fn match_one(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => {
            let (matched, next) = match_class(pattern, at + 1, byte);
            matched.then_some(next)
        }
        b'\\' if at + 1 < pattern.len() => (pattern[at + 1] == byte).then_some(at + 2),
        literal => (literal == byte).then_some(at + 1),
    }
}

/// Matches a class after its `[`; an unclosed class ends with the pattern, as in Redis.
fn match_class(pattern: &[u8], mut at: usize, byte: u8) -> (bool, usize) {
    let negated = pattern.get(at) == Some(&b'^');
    if negated {
        at += 1;
    }
    let mut matched = false;
    while at < pattern.len() {
        match pattern[at] {
            b'\\' if at + 1 < pattern.len() => {
                at += 1;
                matched |= pattern[at] == byte;
            }
            b']' => return (matched != negated, at + 1),
            from if pattern.get(at + 1) == Some(&b'-') && at + 2 < pattern.len() => {
                // Redis compares C `char`s, which are signed on most machines.
                let [from, to, byte] = [from, pattern[at + 2], byte].map(u8::cast_signed);
                matched |= (from.min(to)..=from.max(to)).contains(&byte);
                at += 2;
            }
            literal => matched |= literal == byte,
        }
        at += 1;
    }
    (matched != negated, at)
}

/// A pattern that matches exactly `text`.
#[must_use]
pub fn escape_glob(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        glob_matches(pattern.as_bytes(), text.as_bytes())
    }

    #[test]
    fn the_elements_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("doc:*", "doc:1", true),
            ("doc:*", "do", false),
            ("d?c", "doc", true),
            ("d?c", "dc", false),
            ("[a-c]x", "bx", true),
            ("[c-a]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            (r"[\]]", "]", true),
            ("a*b*c", "a123b456c", true),
            ("a*b*c", "a123c456b", false),
            ("**a", "bca", true),
            ("", "", true),
            ("", "a", false),
            ("[ab", "a", true),
            ("**", "", false),
            ("[a-\u{e9}]", "-", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} on {text:?}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let text = "a".repeat(20_000);
        assert!(!matches(&format!("{}b", "a*".repeat(500)), &text));
    }

    proptest::proptest! {
        #[test]
        fn an_escaped_text_matches_itself_only(text in ".{0,20}", other in ".{0,20}") {
            let pattern = escape_glob(&text);
            proptest::prop_assert!(matches(&pattern, &text));
            proptest::prop_assert_eq!(matches(&pattern, &other), text == other);
        }
    }
}
