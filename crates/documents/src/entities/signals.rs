//! Signals before citations: `See`, `But see`, `Cf.`, `Accord` (Bluebook rule 1.2).

use crate::model::Mention;
use crate::static_regex::static_regex;

/// The signals; courts also write `See, also,`.
const SIGNAL: &str = r"(?i:(?:but\s+)?see(?:,?\s+(?:also|generally))?(?:,?\s+e\.\s?g\.)?|(?:but\s+)?cf\.(?:,?\s+e\.\s?g\.)?|accord(?:,?\s+e\.\s?g\.)?|contra|compare|quoting|citing|e\.\s?g\.)";

static_regex!(
    /// A signal at the end of the text before a citation. A comma stands behind `e.g.`, and behind a signal that opens a
    /// sentence; `as you can see, Roe` has none.
    signal_regex,
    format!(r"(?P<signal>\b(?:{SIGNAL}|with))(?P<comma>,?)$")
);
static_regex!(
    /// A signal at the beginning of a reference whose name was read with it, or before a name that was not read.
    with_name_regex,
    format!(
        r"(?P<signal>\b{SIGNAL}),?\s{{1,60}}(?P<name>(?:[A-Z][\w.'’&-]*\s{{1,20}}){{0,5}}[A-Z][\w.'’&-]*\s?,?\s{{0,60}}(?:supra,?\s*)?)$"
    )
);
static_regex!(leading_regex, format!(r"^(?P<signal>{SIGNAL}),?\s"));
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
    let mut before: Option<(usize, Option<String>, usize)> = None;
    for &at in order {
        let Some(parts) = mentions[at].citation() else { continue };
        let (start, end) = (parts.full_start, parts.parenthetical_end.unwrap_or(parts.full_end));
        let previous = before.as_ref().and_then(|(_, signal, _)| signal.as_deref());
        let place = mentions[at].start;
        let parallel = before.as_ref().filter(|(_, _, full)| *full == start && start < place);
        let own = match parallel {
            // Parallel citations have one signal.
            Some((_, signal, _)) => signal.clone(),
            None => signal_before(text, start, floor, previous)
                .or_else(|| signal_with_name(text, place, floor))
                .or_else(|| signal_within(text, place, &mentions[at].text)),
        };
        let shared = || {
            let (behind, signal, _) = before.as_ref()?;
            let gap = text.get(*behind..start)?;
            signal.clone().filter(|_| gap.len() < LONGEST && string_regex().is_match(gap))
        };
        let signal = own.or_else(shared);
        if let Some(parts) = mentions[at].attributes.citation.as_deref_mut() {
            parts.signal.clone_from(&signal);
        }
        // Inside a parenthesis the string goes on behind it.
        if before.as_ref().is_none_or(|(behind, _, full)| *behind < end || *full == start) {
            before = Some((end, signal, start));
        }
        floor = floor.max(mentions[at].end);
    }
}

/// The signal directly before byte `start`, in lower case; `previous` is that of the citation before.
fn signal_before(text: &str, start: usize, floor: usize, previous: Option<&str>) -> Option<String> {
    let from = text.floor_char_boundary(start.saturating_sub(LONGEST)).max(floor);
    let marks = |c: char| c.is_whitespace() || matches!(c, '*' | '_' | '[' | '(');
    let head = text.get(from..start)?.trim_end_matches(marks);
    let captures = signal_regex().captures(head)?;
    let found = captures.name("signal")?;
    let has_comma = captures.name("comma").is_some_and(|comma| !comma.is_empty());
    let may_have_comma =
        found.as_str().ends_with('.') || found.as_str().starts_with(char::is_uppercase);
    if has_comma && !may_have_comma || !is_place(&head[..found.start()], found.as_str(), from == 0)
    {
        return None;
    }
    match normal(found.as_str()).as_str() {
        "with" => (previous == Some("compare")).then(|| "compare with".to_owned()),
        signal => Some(signal.to_owned()),
    }
}

/// The signal before a name that stands before byte `place`: `See Roe, 31 F.3d at 45`.
fn signal_with_name(text: &str, place: usize, floor: usize) -> Option<String> {
    let from = text.floor_char_boundary(place.saturating_sub(2 * LONGEST)).max(floor);
    let head = text.get(from..place)?;
    let found = with_name_regex().captures(head)?.name("signal")?;
    // In running text a name follows on many verbs; a sentence that begins so is a citation.
    let opens = found.as_str().starts_with(char::is_uppercase);
    let is_signal = opens && is_place(&head[..found.start()], found.as_str(), from == 0);
    is_signal.then(|| normal(found.as_str()))
}

/// The signal that a mention begins with, since its name was read from there: `See Roe, supra`.
fn signal_within(text: &str, place: usize, mention: &str) -> Option<String> {
    let found = leading_regex().captures(mention)?.name("signal")?;
    let head = &text[text.floor_char_boundary(place.saturating_sub(LONGEST))..place];
    is_place(head, found.as_str(), place == 0).then(|| normal(found.as_str()))
}

/// The one form of a signal: `see also, e.g.`.
fn normal(signal: &str) -> String {
    let words = signal.to_lowercase().replace("e. g.", "e.g.").replace(',', "");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.replace(" e.g.", ", e.g.")
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
            ("So it is. See, also, ", "see also"),
            ("So it is. See, ", "see"),
            ("So it is; accord, e.g., ", "accord, e.g."),
        ] {
            let text = format!("{before}Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994).");
            assert_eq!(signals(&text), [Some(signal.to_owned())], "{text}");
        }
        let text = "See Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994); Vance v. Yost, 33 F.3d 90 (1st Cir. 1994). 5 U.S.C. § 3.";
        assert_eq!(signals(text), [Some("see".into()), Some("see".into()), None]);
        let text = "Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994). See Teller, 31 F.3d at 45. See Morrow, supra, at 46.";
        assert_eq!(signals(text), [None, Some("see".into()), Some("see".into())]);
        let text = "See Morrow v. Teller, 31 Cal. 3d 40, 200 Cal. Rptr. 500 (1982).";
        assert_eq!(signals(text), [Some("see".into()), Some("see".into())]);
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
