//! The words of events that papers date, and the words around them that say whether a date is theirs.

use super::tables::words::is_abbreviation;

/// Events, as the past form of their verb, sorted.
const EVENTS: [&str; 70] = [
    "admitted",
    "affirmed",
    "appealed",
    "appointed",
    "argued",
    "arrested",
    "assigned",
    "awarded",
    "born",
    "closed",
    "commenced",
    "convicted",
    "decided",
    "delivered",
    "denied",
    "died",
    "discharged",
    "dismissed",
    "divorced",
    "docketed",
    "employed",
    "entered",
    "executed",
    "expired",
    "filed",
    "fined",
    "fired",
    "granted",
    "heard",
    "hired",
    "incorporated",
    "indicted",
    "injured",
    "issued",
    "leased",
    "mailed",
    "married",
    "merged",
    "notified",
    "paid",
    "pleaded",
    "pled",
    "promoted",
    "published",
    "purchased",
    "reargued",
    "received",
    "recorded",
    "refiled",
    "registered",
    "released",
    "remanded",
    "removed",
    "rendered",
    "resigned",
    "retired",
    "reversed",
    "sealed",
    "sentenced",
    "served",
    "settled",
    "signed",
    "sold",
    "submitted",
    "sued",
    "suspended",
    "terminated",
    "transferred",
    "vacated",
    "withdrawn",
];

/// Participles that stand before nouns.
const ADJECTIVES: [&str; 12] = [
    "amended",
    "attached",
    "certified",
    "consolidated",
    "limited",
    "proposed",
    "revised",
    "sealed",
    "signed",
    "united",
    "unverified",
    "verified",
];

/// Nouns that end as participles do.
const NOUNS: [&str; 10] = [
    "bed",
    "briefing",
    "filing",
    "hearing",
    "holding",
    "meeting",
    "pleading",
    "proceeding",
    "sentencing",
    "standing",
];

/// Words that begin another clause, or are its verb.
const CLAUSES: [&str; 65] = [
    "that",
    "which",
    "who",
    "whom",
    "whose",
    "when",
    "where",
    "after",
    "before",
    "until",
    "till",
    "because",
    "while",
    "although",
    "though",
    "but",
    "if",
    "unless",
    "since",
    "than",
    "as",
    "was",
    "were",
    "is",
    "are",
    "be",
    "been",
    "had",
    "has",
    "have",
    "did",
    "does",
    "do",
    "would",
    "will",
    "could",
    "should",
    "may",
    "might",
    "must",
    "shall",
    "can",
    "not",
    "never",
    "met",
    "went",
    "sent",
    "took",
    "told",
    "wrote",
    "said",
    "gave",
    "made",
    "came",
    "began",
    "left",
    "saw",
    "held",
    "found",
    "due",
    "between",
    "through",
    "effective",
    "dated",
    "order's",
];

/// How many words may lie between an event and its date.
const MOST_WORDS: usize = 12;

/// A word that states an event, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventWord {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) what: &'static str,
}

/// What a word means for the search of an event.
enum Meaning {
    Event(&'static str),
    /// The clause, or the sentence, ends here.
    End,
    Other,
}

fn meaning(word: &str, ends: bool) -> Meaning {
    let plain: String =
        word.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    if word.starts_with(char::is_uppercase) && !ends {
        // `Sealed Air Corp.` is a name.
        return Meaning::Other;
    }
    if let Ok(at) = EVENTS.binary_search(&plain.as_str()) {
        return Meaning::Event(EVENTS[at]);
    }
    let is_participle = plain.len() > 4 && (plain.ends_with("ed") || plain.ends_with("ing"));
    let is_harmless = ADJECTIVES.contains(&plain.as_str()) || NOUNS.contains(&plain.as_str());
    if CLAUSES.contains(&plain.as_str()) || is_participle && !is_harmless {
        return Meaning::End;
    }
    Meaning::Other
}

/// Whether a sentence or a clause ends behind the word.
fn ends_sentence(word: &str) -> bool {
    word.ends_with([';', ':', '?', '!', ')', '”', '"', '—'])
        || word.ends_with('.') && !is_abbreviation(word)
}

/// The event whose time or sum follows at the end of `head`: `filed the complaint on`. `from` is where `head` begins in
/// the text. `fits` says which events are meant.
pub(super) fn event_before(
    head: &str,
    from: usize,
    fits: impl Fn(&str) -> bool,
) -> Option<EventWord> {
    let mut edge = head.trim_end().len();
    for count in 0..MOST_WORDS {
        let start = head[..edge]
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + head[at..].chars().next().map_or(1, char::len_utf8));
        let word = &head[start..edge];
        if word.is_empty() || start == 0 && from > 0 || count > 0 && ends_sentence(word) {
            return None;
        }
        match meaning(word, false) {
            Meaning::Event(what) if fits(what) => {
                let before = head[..start].trim_end().rsplit(char::is_whitespace).next();
                // `shall be filed`, `was not filed`, `having been filed`: no event, or not yet one.
                let is_open = matches!(
                    before,
                    Some(
                        "be" | "not" | "never" | "if" | "when" | "until" | "unless" | "any" | "to"
                    )
                );
                let end = start + word.trim_end_matches([',', '.']).len();
                return (!is_open).then_some(EventWord {
                    start: from + start,
                    end: from + end,
                    what,
                });
            }
            Meaning::Event(what) if ADJECTIVES.contains(&what) => {}
            Meaning::Event(_) | Meaning::End => return None,
            Meaning::Other => {}
        }
        edge = head[..start].trim_end().len();
        // Typescript is double-spaced; more than one empty line ends a sentence.
        if head[edge..start].matches('\n').count() > 2 {
            return None;
        }
    }
    None
}

/// The first event in a sentence that a date opens: `, Roe filed suit`. `from` is where `tail` begins in the text.
pub(super) fn event_behind(tail: &str, from: usize) -> Option<EventWord> {
    let mut at = 0;
    let mut words = 0;
    for piece in tail.split_inclusive(char::is_whitespace) {
        let start = at;
        at += piece.len();
        let word = piece.trim_end();
        if word.is_empty() {
            continue;
        }
        words += 1;
        if words > MOST_WORDS {
            return None;
        }
        let plain = word.trim_matches([',', '.', ';']);
        match meaning(plain, false) {
            Meaning::Event(what) => {
                let end = start + word.trim_end_matches([',', '.', ';']).len();
                return Some(EventWord { start: from + start, end: from + end, what });
            }
            // `The complaint was filed` and `had filed` state it.
            Meaning::End if matches!(plain, "was" | "were" | "had" | "has" | "been") => {}
            Meaning::End => return None,
            Meaning::Other if ends_sentence(word) => return None,
            Meaning::Other => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_order() {
        assert!(EVENTS.is_sorted());
    }

    #[test]
    fn the_nearest_event_of_the_clause_counts() {
        let before = |head: &str| event_before(head, 0, |_| true).map(|event| event.what);
        assert_eq!(before("x Roe filed a motion to dismiss"), Some("filed"));
        assert_eq!(before("x Roe was hired by Alder Mfg. Co."), Some("hired"));
        assert_eq!(before("x He filed a complaint alleging that he travelled"), None);
        assert_eq!(before("x It was filed. He travelled"), None);
        assert_eq!(before("x It shall be filed"), None);
        assert_eq!(before("x It was not filed"), None);
        let behind = |tail: &str| event_behind(tail, 0).map(|event| event.what);
        assert_eq!(behind(", Roe filed suit"), Some("filed"));
        assert_eq!(behind(", the complaint was filed"), Some("filed"));
        assert_eq!(behind(", he walked home and filed it"), None);
        assert_eq!(behind(", he came home. She filed it"), None);
    }
}
