//! Turns names of courts into keys, equal for one court: `ca9`, `nysd`, `ncsuperct/onslow`, `in/high/kerala`.
//!
//! A key is the court's id in the table of courts; for a local court that the table does not list, the id of the
//! courts of its kind and its place; for a court of another country, `country/kind/place`.

use super::court_words::{court_words, is_state, normal_form, state_word};
use super::tables::court_types::{EMPTY_WORDS, TYPES};
use super::tables::courts::courts;

/// The most words of a court's name; more are a sentence.
const MAX_WORDS: usize = 24;

/// Words without which no text names a court.
const COURT: &str = " court tribunal panel board commission council circuit district bap ptab bpai judicature chancery \
pleas sessions division scotus surrogate terminer litigation term magistrate judge ";

/// Where a document is from, for names that leave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Forum {
    /// A federal court.
    Federal,
    /// A state, as a word of the normal form.
    State(&'static str),
    India,
}

/// The key of the court `name`; `None` if it is not the name of one court.
pub fn court_key(name: &str) -> Option<String> {
    court_key_in(name, None)
}

/// The key of the court `name` in a document from `forum`.
pub(super) fn court_key_in(name: &str, forum: Option<Forum>) -> Option<String> {
    let words = court_words(name);
    if words.len() > MAX_WORDS || words.iter().all(|word| is_state(word)) {
        return None;
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let Some(id) = exact(&words, forum) {
        return Some(id.to_owned());
    }
    if let Some(id) = without_division(&words, forum) {
        return Some(id.to_owned());
    }
    // A name that courts of several states have is left open.
    let shared = courts().named(&form(&words)).next().is_some();
    if shared || !words.iter().any(|word| COURT.contains(&format!(" {word} "))) {
        return None;
    }
    if let Some(id) = federal(&words) {
        return Some(id.to_owned());
    }
    if words.contains(&"india") || forum == Some(Forum::India) || has_indian_kind(&words) {
        return indian(&words);
    }
    open(&words).map(str::to_owned).or_else(|| local(&words, forum))
}

/// Every court of the table: its id, which is its key, and its full name.
pub fn known_courts() -> impl Iterator<Item = (&'static str, &'static str)> {
    courts().all().map(|(id, court)| (id, court.name))
}

/// Where a document of the court with this key is from.
pub(super) fn forum_of(key: &str) -> Option<Forum> {
    if key.starts_with("in/") {
        return Some(Forum::India);
    }
    let court = courts().get(key.split('/').next().unwrap_or(key))?;
    if court.federal {
        return Some(Forum::Federal);
    }
    state_word(court.location).map(Forum::State)
}

/// The words' form without order.
fn form(words: &[&str]) -> String {
    let owned: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    normal_form(&owned)
}

/// A court that the table names, with or without the country, by the document's state if names are shared.
fn exact(words: &[&str], forum: Option<Forum>) -> Option<&'static str> {
    let table = courts();
    let whole = form(words);
    if let Some(id) = table.one(&whole) {
        return Some(id);
    }
    let mut once = words.to_vec();
    once.sort_unstable();
    once.dedup_by(|b, a| a == b && is_state(a));
    if let Some(id) = table.one(&form(&once)).filter(|_| once.len() < words.len()) {
        return Some(id);
    }
    let state = match forum {
        Some(Forum::State(state)) => Some(state),
        _ => None,
    };
    let here = |id: &str| {
        table.get(id).is_some_and(|court| {
            state.is_some_and(|state| state_word(court.location) == Some(state))
        })
    };
    let mut ids = table.named(&whole).filter(|id| here(id));
    if let (Some(id), None) = (ids.next(), ids.next()) {
        return Some(id);
    }
    if let (Some(state), false) = (state, words.iter().any(|word| is_state(word) || *word == "us"))
    {
        let mut with = words.to_vec();
        with.push(state);
        // `District Court` in a paper of a state's court is not the federal court there.
        let own = |id: &&str| table.get(id).is_some_and(|court| !court.federal);
        if let Some(id) = table.one(&form(&with)).filter(own) {
            return Some(id);
        }
    }
    let without: Vec<&str> = words.iter().copied().filter(|word| *word != "us").collect();
    if without.len() < words.len() {
        // Without the country, a court of a state would be taken for a federal one.
        return None;
    }
    let mut with = words.to_vec();
    with.push("us");
    let federal = words.iter().any(|word| matches!(*word, "circuit" | "district" | "bankruptcy"));
    federal.then(|| table.one(&form(&with))).flatten()
}

/// A court that the table names once its divisions are left out: they are parts of it.
fn without_division(words: &[&str], forum: Option<Forum>) -> Option<&'static str> {
    let kept: Vec<&str> =
        words.iter().copied().filter(|word| !word.starts_with("division")).collect();
    let appellate = kept.contains(&"appellate") && !kept.contains(&"us");
    (kept.len() < words.len() && !appellate).then(|| exact(&kept, forum)).flatten()
}

/// A federal court by its circuit, or by its district with whatever else is in the name.
fn federal(words: &[&str]) -> Option<&'static str> {
    let has = |word: &str| words.contains(&word);
    let table = courts();
    let states: Vec<&str> = words.iter().copied().filter(|word| is_state(word)).collect();
    if has("circuit") && (has("appeals") || has("us") || has("panel") || words.len() <= 3) {
        let number = words.iter().find(|word| word.bytes().all(|b| b.is_ascii_digit()));
        let bankruptcy = has("panel") || has("bap");
        if let (Some(number), true) = (number, states.is_empty()) {
            let id = if bankruptcy { format!("bap{number}") } else { format!("ca{number}") };
            return table.id(&id);
        }
        if has("federal") && states.is_empty() {
            return table.id("cafc");
        }
        if states == ["columbia_district"] {
            return table.id("cadc");
        }
    }
    let directions = ["northern", "southern", "eastern", "western", "middle", "central"];
    let at = words.iter().position(|word| directions.contains(word));
    let state = states.last()?;
    let kind = if has("bankruptcy") { "bankruptcy" } else { "district" };
    if has("appeals") || has("appellate") || has("circuit") || has("judicial") {
        return None;
    }
    match at {
        Some(at) if matches!(words.get(at + 1), Some(&"district" | &"division")) || has("us") => {
            table.one(&form(&["us", kind, "court", words[at], "district", state]))
        }
        None if has("us") && (has("district") || has("bankruptcy")) && has("court") => {
            let mut full = vec!["us", kind, "court", "district", state];
            table.one(&form(&full)).or_else(|| {
                full.retain(|word| *word != "us");
                table.one(&form(&full))
            })
        }
        _ => None,
    }
}

/// A name that an open pattern of the table covers, unless its other words name another kind of court.
fn open(words: &[&str]) -> Option<&'static str> {
    const OTHER: [&str; 16] = [
        "us",
        "federal",
        "criminal",
        "civil",
        "bankruptcy",
        "special",
        "supreme",
        "tax",
        "circuit",
        "superior",
        "probate",
        "juvenile",
        "housing",
        "surrogate",
        "family",
        "claims",
    ];
    let (id, with) = courts().open(words)?;
    let other = words.iter().any(|word| OTHER.contains(word) && !with.contains(word));
    (!other).then_some(id)
}

/// Whether the name is of a kind of court that only India has.
fn has_indian_kind(words: &[&str]) -> bool {
    const KINDS: [&str; 6] = ["high", "labour", "mahila", "redressal", "munsif", "green"];
    words.iter().any(|word| KINDS.contains(word))
        || words.windows(2).any(|pair| {
            matches!(pair, ["judicial" | "metropolitan", "magistrate"] | ["sessions", "judge"])
        })
}

/// Courts of India: the supreme court, high courts by their place, and lower courts.
fn indian(words: &[&str]) -> Option<String> {
    let (kind, _, rest) = take_type(words)?;
    let place = place(&rest, None);
    match (kind, place.is_empty()) {
        ("supreme", _) => Some("in/supreme".to_owned()),
        (_, true) => None,
        (kind, false) => Some(format!("in/{kind}/{place}")),
    }
}

/// A court by its kind, its state and its place.
fn local(words: &[&str], forum: Option<Forum>) -> Option<String> {
    let (kind, local, rest) = take_type(words)?;
    let pattern: Vec<&str> = words.iter().copied().filter(|word| !rest.contains(word)).collect();
    let named = rest
        .iter()
        .enumerate()
        .filter(|(at, word)| {
            is_state(word)
                && !matches!(rest.get(at + 1), Some(&"county" | &"city" | &"village" | &"town"))
        })
        .map(|(at, _)| at)
        .next_back();
    let state = named.map(|at| rest[at]).or(match forum {
        Some(Forum::State(state)) => Some(state),
        _ => None,
    });
    let others: Vec<&str> = rest
        .iter()
        .enumerate()
        .filter(|(at, _)| Some(*at) != named)
        .map(|(_, word)| *word)
        .collect();
    // A court of the whole state may sit anywhere; only a number or a direction makes it another court.
    let others: Vec<&str> = others.into_iter().filter(|word| local || is_part(word)).collect();
    let place = place(&others, state);
    let numbers = others.iter().any(|word| word.bytes().any(|b| b.is_ascii_digit()));
    let Some(state) = state else {
        let federal = words.contains(&"us");
        return (local && place.len() > 2 && !federal && !numbers)
            .then(|| format!("-/{kind}/{place}"));
    };
    let mut full = pattern;
    full.push(state);
    let known = courts().one(&form(&full));
    // The state has no such court, or it is not named where.
    if known.is_none() && place.len() < 3 {
        return None;
    }
    let parent = courts()
        .one(&form(&full))
        .map_or_else(|| format!("{}/{kind}", state.replace('_', "-")), str::to_owned);
    Some(if place.is_empty() { parent } else { format!("{parent}/{place}") })
}

/// Whether the word names a part of a state: `2`, `eastern`, `division_3`.
fn is_part(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_digit())
        || matches!(word, "northern" | "southern" | "eastern" | "western" | "middle" | "central")
}

/// Finds the type of court and returns the remaining words.
fn take_type<'w>(words: &[&'w str]) -> Option<(&'static str, bool, Vec<&'w str>)> {
    for (pattern, kind, local) in &TYPES {
        let length = pattern.split(' ').count();
        let at = words.windows(length).position(|window| {
            window.iter().zip(pattern.split(' ')).all(|(word, part)| *word == part)
        });
        if let Some(at) = at {
            let mut rest = words.to_vec();
            rest.drain(at..at + length);
            return Some((kind, *local, rest));
        }
    }
    None
}

/// The words that name the place, sorted so that their order does not matter.
fn place(words: &[&str], state: Option<&str>) -> String {
    const NO_PLACE: [&str; 12] = [
        "judicature",
        "bench",
        "special",
        "trial",
        "term",
        "general",
        "district",
        "judicial",
        "ordinary",
        "original",
        "india",
        "us",
    ];
    let mut kept: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| {
            !EMPTY_WORDS.contains(word) && state != Some(*word) && !NO_PLACE.contains(word)
        })
        .collect();
    kept.sort_unstable();
    kept.dedup();
    kept.join("-")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn names_of_one_court_have_one_key() {
        let cases = [
            ("scotus", &["Supreme Court of the United States", "U.S. Supreme Court"][..]),
            (
                "ca1",
                &[
                    "United States Court of Appeals\n\n For the First Circuit",
                    "Court of Appeals First Circuit",
                    "U.S. Court of Appeals, 1st Circuit",
                ],
            ),
            (
                "cand",
                &[
                    "United States District Court, N.D. California",
                    "Northern District of California",
                    "UNITED STATES DISTRICT COURT\nNORTHERN DISTRICT OF CALIFORNIA\nSAN JOSE DIVISION",
                ],
            ),
            (
                "akd",
                &[
                    "United States District Court for the District of Alaska",
                    "US District Court D Alaska",
                ],
            ),
            ("pasuperct", &["Superior Court of Pennsylvania", "Pennsylvania Superior Court"]),
            ("moctapped", &["Missouri Court of Appeals, Eastern District"]),
            ("ohnb", &["United States Bankruptcy Court N D Ohio"]),
            ("in/supreme", &["Supreme Court of India"]),
            ("in/high/kerala", &["High Court of Kerala", "Kerala High Court"]),
        ];
        for (key, names) in cases {
            for name in names {
                assert_eq!(court_key(name).as_deref(), Some(key), "{name}");
            }
        }
        for name in [
            "the District Court",
            "a tennis club",
            "Supreme Court",
            "United States District Court",
            "New York",
        ] {
            assert_eq!(court_key(name), None, "{name}");
        }
    }

    #[test]
    fn local_courts_are_told_apart_by_their_place() {
        let one = court_key("Superior Court of Onslow County, North Carolina").unwrap();
        assert!(one.ends_with("/onslow"), "{one}");
        assert_ne!(Some(one), court_key("Superior Court of Pender County, North Carolina"));
        let key = |state| court_key_in("Hamilton County Court", Some(Forum::State(state)));
        assert_ne!(key("florida"), key("new_york"));
        assert_eq!(court_key("Hamilton County Court"), None);
    }

    #[test]
    fn a_court_has_its_own_key_under_its_name() {
        let mut names: HashMap<&str, Vec<&str>> = HashMap::new();
        for (id, court) in courts().all() {
            names.entry(court.name).or_default().push(id);
        }
        let wrong: Vec<_> = names
            .into_iter()
            .filter(|(_, ids)| ids.len() == 1)
            .map(|(name, ids)| (ids[0], court_key(name)))
            .filter(|(id, key)| key.as_deref().is_some_and(|key| key != *id))
            .collect();
        assert!(wrong.len() < 30, "{} {wrong:?}", wrong.len());
    }
}
