//! Requests that are written as a line, by a person or a simple program.

/// The words of a line, with the quotes and escapes that servers know; `None` if the quotes are not balanced.
pub(crate) fn split_line(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    // A zero byte ends the line.
    let mut rest = line.split(|byte| *byte == 0).next().unwrap_or_default();
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(words);
        }
        let mut word = Vec::new();
        while let Some((byte, after)) = rest.split_first() {
            match byte {
                b'"' => rest = double_quoted(after, &mut word)?,
                b'\'' => rest = single_quoted(after, &mut word)?,
                byte if byte.is_ascii_whitespace() => break,
                byte => {
                    word.push(*byte);
                    rest = after;
                    continue;
                }
            }
            break;
        }
        words.push(word);
    }
}

/// The rest after the closing quote, which has to be followed by a space or nothing.
fn double_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return ends(after),
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push(digit(*high) << 4 | digit(*low));
                after
            }
            [b'\\', escaped, after @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                after
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                after
            }
            [b'\'', after @ ..] => return ends(after),
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

fn ends(after: &[u8]) -> Option<&[u8]> {
    after.first().is_none_or(u8::is_ascii_whitespace).then_some(after)
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte.wrapping_sub(b'A').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use super::split_line;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split_line(line.as_bytes())?;
        Some(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    }

    #[test]
    fn quotes_and_escapes_are_those_of_servers() {
        for (line, wanted) in [
            ("", Some(vec![])),
            ("  set  k v ", Some(vec!["set", "k", "v"])),
            (r#"set "a b" 'c d'"#, Some(vec!["set", "a b", "c d"])),
            (r#""\x41\n\t\q\"""#, Some(vec!["A\n\tq\""])),
            (r"'it\'s \n'", Some(vec!["it's \\n"])),
            (r#"a "b"#, None),
            (r#""a"b"#, None),
            ("'a", None),
            ("''", Some(vec![""])),
        ] {
            let wanted = wanted.map(|words| words.iter().map(ToString::to_string).collect());
            assert_eq!(words(line), wanted, "{line}");
        }
    }
}
