//! Courts abbreviated as in the parenthesis of a citation.

use super::court_words::{court_words, is_state, normal_form};
use super::tables::courts::courts;

/// The key of a court abbreviated as in the parenthesis of a citation: `9th Cir.`, `S.D.N.Y.`, `Pa. Super.`
pub(crate) fn abbreviated_court(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches(',');
    if text.is_empty() || text.len() > 60 {
        return None;
    }
    let words = court_words(text);
    if words.iter().any(|word| word == "bap") {
        let number = words.iter().find(|word| word.bytes().all(|b| b.is_ascii_digit()))?;
        return courts().id(&format!("bap{number}")).map(str::to_owned);
    }
    // `Tex. App.—Houston [1st Dist.]` names a seat after the court.
    for length in (1..=words.len()).rev() {
        let head = &words[..length];
        // A state alone is its highest court, and only if nothing else is in the parenthesis.
        if length == 1 && words.len() > 1 {
            break;
        }
        if !head.iter().any(|word| is_state(word) || has_level(word)) {
            break;
        }
        if let Some(id) = spellings(head).iter().find_map(|words| courts().one(&normal_form(words)))
        {
            return Some(id.to_owned());
        }
    }
    None
}

fn has_level(word: &str) -> bool {
    matches!(word, "circuit" | "court" | "us" | "scotus" | "board" | "claims")
}

/// The words as they are, with and without `court`, and with the other reading of `App.`
fn spellings(words: &[String]) -> Vec<Vec<String>> {
    let mut all = vec![words.to_vec()];
    let mut with = words.to_vec();
    with.push("court".to_owned());
    let without: Vec<String> = words.iter().filter(|word| *word != "court").cloned().collect();
    all.push(with.clone());
    if without.len() > 1 {
        all.push(without);
    }
    let swap = |word: &String| match word.as_str() {
        "appeals" => "appellate".to_owned(),
        "appellate" => "appeals".to_owned(),
        _ => word.clone(),
    };
    all.push(with.iter().map(swap).collect());
    // `D. Kan.` is a federal court, and so is `Bankr. D. Kan.`
    for federal in [&["us", "court"][..], &["us"]] {
        let mut words = words.to_vec();
        words.extend(federal.iter().map(|word| (*word).to_owned()));
        all.push(words);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_are_read() {
        let cases = [
            ("9th Cir.", "ca9"),
            ("S.D.N.Y.", "nysd"),
            ("D Kan", "ksd"),
            ("Pa.Super.", "pasuperct"),
            ("Bankr. D. Del.", "deb"),
            ("Cal. Ct. App.", "calctapp"),
            ("D.C. Cir.", "cadc"),
            ("Fed. Cir.", "cafc"),
            ("Tex. App.—Houston [1st Dist.]", "texapp"),
            ("N.Y. App. Div. 2d Dep’t", "nyappdiv"),
            ("Tex.", "tex"),
            ("D. Or.", "ord"),
            ("Or. Ct. App.", "orctapp"),
            ("N.D. Ohio", "ohnd"),
            ("N.D.", "nd"),
            ("Del. Ch.", "delch"),
            ("W.D. La.", "lawd"),
            ("B.A.P. 9th Cir.", "bap9"),
        ];
        for (text, key) in cases {
            assert_eq!(abbreviated_court(text).as_deref(), Some(key), "{text}");
        }
        for text in ["emphasis added", "en banc", "Ohio law", "same"] {
            assert_eq!(abbreviated_court(text), None, "{text}");
        }
    }
}
