//! Expands the patterns of `courts-db` into the strings they match.

/// The most strings that one pattern may have; a pattern with more is given up.
const MAX: usize = 4096;

/// The strings that a pattern matches; `None` if there are too many, or the pattern has no end.
///
/// Optional spaces are taken as spaces, since the normal form folds them. Assertions match nothing.
pub(super) fn strings(pattern: &str) -> Option<Vec<String>> {
    let letters: Vec<char> = pattern.chars().collect();
    let mut parser = Parser { letters: &letters, at: 0 };
    let all = parser.branches()?;
    (parser.at == letters.len()).then_some(all)
}

struct Parser<'p> {
    letters: &'p [char],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    /// Alternatives up to a closing parenthesis or the end.
    fn branches(&mut self) -> Option<Vec<String>> {
        let mut all = self.sequence()?;
        while self.peek() == Some('|') {
            self.at += 1;
            all.extend(self.sequence()?);
        }
        all.sort_unstable();
        all.dedup();
        (all.len() <= MAX).then_some(all)
    }

    fn sequence(&mut self) -> Option<Vec<String>> {
        let mut all = vec![String::new()];
        while let Some(letter) = self.peek() {
            if matches!(letter, '|' | ')') {
                break;
            }
            let piece = self.repeated()?;
            if all.len().checked_mul(piece.len())? > MAX {
                return None;
            }
            all = all
                .iter()
                .flat_map(|head| piece.iter().map(move |tail| format!("{head}{tail}")))
                .collect();
        }
        Some(all)
    }

    /// One item and the mark of repetition after it.
    fn repeated(&mut self) -> Option<Vec<String>> {
        let mut item = self.item()?;
        while let Some(mark) = self.peek() {
            match mark {
                '?' | '*' => {
                    self.at += 1;
                    let space = item.iter().all(|string| string.trim().is_empty());
                    // `.*` may be anything.
                    if mark == '*' {
                        return None;
                    }
                    if !space {
                        item.push(String::new());
                    }
                }
                '+' => {
                    self.at += 1;
                }
                '{' => {
                    // `{1,2}` repeats connecting words, which the normal form leaves out.
                    while self.peek().is_some_and(|c| c != '}') {
                        self.at += 1;
                    }
                    self.at += 1;
                }
                _ => break,
            }
        }
        Some(item)
    }

    fn item(&mut self) -> Option<Vec<String>> {
        let letter = self.peek()?;
        self.at += 1;
        Some(match letter {
            '(' => {
                if self.peek() == Some('?') {
                    self.at += 1;
                    // Lookaround says what else is there, and an expansion cannot.
                    if self.peek() != Some(':') {
                        return None;
                    }
                    self.at += 1;
                }
                let inner = self.branches()?;
                (self.peek() == Some(')')).then(|| self.at += 1)?;
                inner
            }
            '[' => {
                let mut class = Vec::new();
                while let Some(letter) = self.peek() {
                    self.at += 1;
                    match letter {
                        ']' => break,
                        '-' if !class.is_empty() && self.peek() != Some(']') => {
                            let (from, to) = (*class.last()?, self.peek()?);
                            class.extend((from..=to).skip(1));
                            self.at += 1;
                        }
                        other => class.push(other),
                    }
                }
                if class.len() > 10 {
                    return None;
                }
                class.into_iter().map(String::from).collect()
            }
            '\\' => {
                let escaped = self.peek()?;
                self.at += 1;
                match escaped {
                    'b' | 'B' => vec![String::new()],
                    's' => vec![" ".to_owned()],
                    'd' | 'w' | 'W' | 'S' | 'D' => return None,
                    other => vec![other.to_string()],
                }
            }
            '^' | '$' => vec![String::new()],
            '.' => vec![" ".to_owned()],
            other => vec![other.to_string()],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finite_patterns_are_expanded() {
        assert_eq!(
            strings("Courts? of (A|B)").unwrap(),
            ["Court of A", "Court of B", "Courts of A", "Courts of B"]
        );
        assert_eq!(strings("Div[1-3]").unwrap().len(), 3);
        assert_eq!(strings("A ?B,?").unwrap(), ["A B", "A B,"]);
        assert!(strings("(?=^.*Ohio).*").is_none());
        assert!(strings("[A-Za-z]+ Court").is_none());
    }
}
