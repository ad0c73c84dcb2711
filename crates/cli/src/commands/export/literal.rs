//! String literals of other languages, and templates filled with them.

/// A literal in double quotes with JSON's escapes, which are valid in Python, JavaScript and Java.
pub(super) fn double(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A literal in single quotes, where Ruby and PHP interpolate nothing.
pub(super) fn single(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Replaces each `@@NAME@@` of the template in one pass, so that values are not searched for markers.
pub(super) fn fill(template: &str, values: &[(&str, String)]) -> String {
    let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, text)| text);
    template
        .split("@@")
        .enumerate()
        .map(|(at, part)| match at % 2 {
            0 => part,
            _ => value(part).map_or("", String::as_str),
        })
        .collect()
}

/// A number, or the language's literal for its absence.
pub(super) fn number_or(none: &str, number: Option<u64>) -> String {
    number.map_or_else(|| none.to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_leave_its_quotes() {
        assert_eq!(double("a\"b\\c\n"), r#""a\"b\\c\n""#);
        assert_eq!(single(r"it's \ #{x}"), r"'it\'s \\ #{x}'");
    }

    #[test]
    fn a_value_that_looks_like_a_marker_stays() {
        let values = [("A", "@@B@@".to_owned()), ("B", "two".to_owned())];
        assert_eq!(fill("<@@A@@|@@B@@>", &values), "<@@B@@|two>");
    }
}
