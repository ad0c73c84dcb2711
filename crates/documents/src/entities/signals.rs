//! Signals before citations: `See`, `But see`, `Cf.`, `Accord` (Bluebook rule 1.2).

use crate::model::Mention;
use crate::static_regex::static_regex;

static_regex!(
    /// A signal at the end of the text before a citation. Only `e.g.` has a comma behind it.
    signal_regex,
    r"(?P<signal>\b(?i:(?:but\s+)?see(?:\s+(?:also|generally))?(?:(?:\s+id\.)?,?\s+e\.\s?g\.,?)?|(?:but\s+)?cf\.(?:,?\s+e\.\s?g\.,?)?|accord|contra|compare|quoting|citing|e\.\s?g\.,?)|\bwith)$"
);
static_regex!(
    /// The text between two citations of one string.
    string_regex,
    r"^[)\]]?;\s{1,60}(?:and\s+)?$"
);

/// The longest signal with the word before it, in bytes; court papers pad line breaks widely.
const LONGEST: usize = 80;

/// Notes the signal of each citation. A signal holds for the whole string of citations that it opens.
pub(super) fn signals(text: &str, mentions: &mut [Mention], order: &[usize]) {
    let mut floor = 0;
    let mut before: Option<(usize, Option<String>)> = None;
    for &at in order {
        let Some(parts) = mentions[at].citation() else { continue };
        let (start, end) = (parts.full_start, parts.parenthetical_end.unwrap_or(parts.full_end));
        let previous = before.as_ref().and_then(|(_, signal)| signal.as_deref());
        let own = signal_before(text, start, floor, previous);
        let shared = || {
            let (behind, signal) = before.as_ref()?;
            let gap = text.get(*behind..start)?;
            signal.clone().filter(|_| gap.len() < LONGEST && string_regex().is_match(gap))
        };
        let signal = own.or_else(shared);
        if let Some(parts) = mentions[at].attributes.citation.as_deref_mut() {
            parts.signal.clone_from(&signal);
        }
        // Inside a parenthesis the string goes on behind it.
        if before.as_ref().is_none_or(|(behind, _)| *behind < end) {
            before = Some((end, signal));
        }
        floor = floor.max(mentions[at].end);
    }
}

/// The signal directly before byte `start`, in lower case; `previous` is that of the citation before.
fn signal_before(text: &str, start: usize, floor: usize, previous: Option<&str>) -> Option<String> {
    let from = text.floor_char_boundary(start.saturating_sub(LONGEST)).max(floor);
    let marks = |c: char| c.is_whitespace() || matches!(c, '*' | '_' | '[' | '(');
    let head = text.get(from..start)?.trim_end_matches(marks);
    let found = signal_regex().captures(head)?.name("signal")?;
    if !is_place(&head[..found.start()], found.as_str(), from == 0) {
        return None;
    }
    let words = found.as_str().to_lowercase().replace("e. g.", "e.g.");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.trim_end_matches(',') {
        "with" => (previous == Some("compare")).then(|| "compare with".to_owned()),
        words => Some(words.to_owned()),
    }
}

/// Whether a signal can stand behind `head`: a verb, as in `we see Roe v. Doe as`, has its subject there.
fn is_place(head: &str, signal: &str, is_start: bool) -> bool {
    let trimmed = head.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_'));
    if head[trimmed.len()..].matches('\n').count() > 1 {
        return true;
    }
    let Some(last) = trimmed.chars().next_back() else { return is_start || !head.is_empty() };
    if !last.is_alphanumeric() {
        return true;
    }
    let joined = ["and", "or"].iter().any(|word| {
        trimmed.strip_suffix(word).is_some_and(|rest| rest.trim_end().ends_with([';', ',', ')']))
    });
    // A footnote begins with its number; `compare A with B` goes on behind A.
    joined || signal == "with" || last.is_ascii_digit() && signal.starts_with(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use crate::entities::mentions;

    fn signals(text: &str) -> Vec<Option<String>> {
        let citations = mentions(text);
        citations.iter().filter_map(|one| one.citation()).map(|p| p.signal.clone()).collect()
    }

    #[test]
    fn each_signal_is_noted_and_holds_for_its_string() {
        for (before, signal) in [
            ("So it is. See ", "see"),
            ("So it is; see also ", "see also"),
            ("So it is. But see, e.g., ", "but see, e.g."),
            ("So it is. But\n      see ", "but see"),
            ("So it is. Cf. ", "cf."),
            ("So it is. Accord ", "accord"),
            ("So it is. Contra ", "contra"),
            ("So it is (citing ", "citing"),
            ("So it is. 4 See generally ", "see generally"),
        ] {
            let text = format!("{before}Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994).");
            assert_eq!(signals(&text), [Some(signal.to_owned())], "{text}");
        }
        let text = "See Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994); Vance v. Yost, 33 F.3d 90 (1st Cir. 1994). 5 U.S.C. § 3.";
        assert_eq!(signals(text), [Some("see".into()), Some("see".into()), None]);
        let text = "Compare Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994), with Vance v. Yost, 33 F.3d 90 (1st Cir. 1994).";
        assert_eq!(signals(text), [Some("compare".into()), Some("compare with".into())]);
    }

    #[test]
    fn verbs_are_no_signals() {
        for text in [
            "We see Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994), as the rule.",
            "As you can see, Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994), is the rule.",
            "They signed the accord Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994).",
            "It is in line with Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994).",
        ] {
            assert_eq!(signals(text), [None], "{text}");
        }
    }
}
