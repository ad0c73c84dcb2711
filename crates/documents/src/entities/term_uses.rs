//! The places where a paper names its parties by a defined term or by their role.

use std::collections::{BTreeSet, HashMap};

use super::defined_terms::{Definition, definitions};
use crate::model::{EntityKind, Mention, TermRule, TermUse};

/// Roles that a party bears alone, if the caption has one party of it.
const ROLES: [&str; 10] = [
    "plaintiff",
    "defendant",
    "petitioner",
    "respondent",
    "appellant",
    "appellee",
    "claimant",
    "applicant",
    "relator",
    "debtor",
];
/// Words before a name or a term that do not belong to it.
const TITLES: [&str; 14] = [
    "The",
    "Mr",
    "Mrs",
    "Ms",
    "Dr",
    "Plaintiff",
    "Defendant",
    "Plaintiffs",
    "Defendants",
    "Petitioner",
    "Respondent",
    "Appellant",
    "Appellee",
    "And",
];

/// What a term stands for from a place of the text on.
#[derive(Clone, Debug)]
struct Meaning {
    from: usize,
    /// The text of the definition itself, in which the term is no use.
    until: usize,
    has_article: bool,
    use_of: Option<TermUse>,
}

/// Mentions of the defined terms, and of the roles that one party of the caption has. `mentions` are in text order.
pub(super) fn term_uses(text: &str, mentions: &[Mention]) -> Vec<Mention> {
    let mut terms: HashMap<String, Vec<Meaning>> = HashMap::new();
    let defined = definitions(text, mentions);
    for one in &defined {
        terms.entry(one.term.clone()).or_default().push(meaning(one, mentions));
    }
    for (role, meaning) in roles(text, mentions) {
        // Where a term is defined, only its definitions count.
        terms.entry(role).or_insert_with(|| vec![meaning]);
    }
    if terms.values().flatten().all(|one| one.use_of.is_none()) {
        return Vec::new();
    }
    let mut by_word: HashMap<&str, Vec<&str>> = HashMap::new();
    for term in terms.keys() {
        by_word.entry(first_word(term)).or_default().push(term);
    }
    // The longest first: `Alder Parties` before `Alder`.
    for known in by_word.values_mut() {
        known.sort_by_key(|term| (std::cmp::Reverse(term.len()), *term));
        known.truncate(16);
    }
    let taken = taken(mentions);
    let mut found = Vec::new();
    let mut next = 0;
    let mut at = 0;
    while let Some(start) = next_word(text, at) {
        let rest = &text[start..];
        let word = first_word(rest);
        at = start + word.len().max(1);
        while next < taken.len() && taken[next].1 <= start {
            next += 1;
        }
        if taken.get(next).is_some_and(|(from, _)| *from <= start) {
            continue;
        }
        let Some(term) = by_word
            .get(word)
            .and_then(|known| known.iter().copied().find(|term| starts_with(rest, term).is_some()))
        else {
            continue;
        };
        let Some(length) = starts_with(rest, term) else { continue };
        let end = start + length;
        let Some(meanings) = terms.get(term) else { continue };
        let Some(meaning) = meanings.iter().rev().find(|one| one.from <= start) else { continue };
        let Some(use_of) = &meaning.use_of else { continue };
        at = end;
        if start >= meaning.until && is_use(text, start, end, meaning.has_article) {
            let mut mention = Mention::new(EntityKind::Term, text, start, end, term);
            mention.attributes.term = Some(Box::new(use_of.clone()));
            found.push(mention);
        }
    }
    found
}

fn meaning(defined: &Definition, mentions: &[Mention]) -> Meaning {
    let named = |start: &usize| {
        let bearer =
            mentions.iter().find(|one| one.start == *start && one.kind != EntityKind::Term);
        bearer.map(|one| one.normal.clone())
    };
    let names: Vec<String> = defined.members.iter().filter_map(named).collect();
    let use_of = (!names.is_empty()).then(|| TermUse {
        rule: if defined.is_group { TermRule::Group } else { TermRule::Definition },
        defined_at: defined.place.start,
        bearer: defined.members.first().copied().filter(|_| !defined.is_group),
        names,
    });
    let (from, until) = (defined.place.start, defined.place.end);
    Meaning { from, until, has_article: defined.has_article, use_of }
}

/// The roles that exactly one party of the caption has, with the capital that papers write.
fn roles(text: &str, mentions: &[Mention]) -> Vec<(String, Meaning)> {
    let parties: Vec<&Mention> = mentions
        .iter()
        .filter(|one| one.kind == EntityKind::Party && one.attributes.role.is_some())
        .collect();
    let Some(end) = parties.iter().map(|one| one.end).max() else { return Vec::new() };
    let end = text.ceil_char_boundary((end + 120).min(text.len()));
    let caption = text[..end].to_lowercase();
    if caption.contains("et al") || caption.contains("and others") || caption.contains("does 1") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for role in ROLES {
        let has = |one: &&&Mention| {
            let roles = one.attributes.role.as_deref().unwrap_or_default();
            roles.split(|c: char| !c.is_alphabetic()).any(|word| word == role)
                && !roles.contains("third")
                && !roles.contains("cross")
                && !roles.contains("counter")
        };
        let bearers: Vec<&&Mention> = parties.iter().filter(has).collect();
        let names: BTreeSet<String> = bearers.iter().map(|one| one.normal.to_lowercase()).collect();
        let (1, Some(bearer)) = (names.len(), bearers.first()) else { continue };
        if caption.contains(&format!("{role}s")) {
            continue;
        }
        let mut term = role.to_owned();
        term[..1].make_ascii_uppercase();
        let use_of = TermUse {
            rule: TermRule::Role,
            defined_at: bearer.start,
            bearer: Some(bearer.start),
            names: vec![bearer.normal.clone()],
        };
        let (from, until) = (end, end);
        found.push((term, Meaning { from, until, has_article: false, use_of: Some(use_of) }));
    }
    found
}

/// The places of all other mentions, merged.
fn taken(mentions: &[Mention]) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = mentions
        .iter()
        .map(|one| {
            one.citation().map_or((one.start, one.end), |parts| {
                (parts.full_start.min(one.start), parts.full_end.max(one.end))
            })
        })
        .collect();
    spans.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::with_capacity(spans.len());
    for (start, end) in spans {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// The first byte of the next word that begins with a capital or a digit, from byte `at` on.
fn next_word(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    (at..bytes.len()).find(|&at| {
        let begins = match bytes[at] {
            b'A'..=b'Z' | b'0'..=b'9' => true,
            // The first byte of a letter beyond ASCII.
            0xc3..=0xf4 => text[at..].starts_with(char::is_uppercase),
            _ => return false,
        };
        let inside = at.checked_sub(1).is_some_and(|before| match bytes[before] {
            byte if byte.is_ascii() => byte.is_ascii_alphanumeric(),
            _ => text[..at].ends_with(char::is_alphanumeric),
        });
        begins && !inside
    })
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}

/// The length of the term at the beginning of `text`, across line breaks.
fn starts_with(text: &str, term: &str) -> Option<usize> {
    let mut at = 0;
    for (count, word) in term.split(' ').enumerate() {
        if count > 0 {
            let rest = &text[at..];
            let blank = rest.len() - rest.trim_start().len();
            if !(1..60).contains(&blank) {
                return None;
            }
            at += blank;
        }
        at += text[at..].strip_prefix(word).map(|_| word.len())?;
    }
    let ends = !text[at..].starts_with(|c: char| c.is_alphanumeric());
    ends.then_some(at)
}

/// Whether the words at `start..end` are a use of the term, and not a part of another name.
fn is_use(text: &str, start: usize, end: usize, has_article: bool) -> bool {
    let head = &text[text.floor_char_boundary(start.saturating_sub(40))..start];
    let before = head.trim_end();
    let word = before.rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '“' | '"' | '—'));
    let word = word.clone().next().unwrap_or_default();
    let gap = head.len() - before.len();
    if has_article && !matches!(word, "the" | "The" | "THE") {
        return false;
    }
    // `Ann Company`, `Third-Party Defendant`: the term is a part of another name.
    let plain = word.trim_end_matches(['.', '’', '\'']);
    let is_name = word.starts_with(char::is_uppercase)
        && !word.ends_with([',', ';', ':', ')', '?', '!'])
        && !(word.ends_with('.') && !TITLES.contains(&plain) && plain.len() > 2);
    if gap == 0 && before.ends_with(['-', '/', '’', '\'', '.', '@', '&'])
        || is_name
            && gap > 0
            && !TITLES.contains(&plain)
            && !head[before.len()..].contains("\n\n")
            && !is_opening(word)
    {
        return false;
    }
    let tail = &text[end..text.ceil_char_boundary((end + 40).min(text.len()))];
    // `Company Store`: the name goes on. `Company's` and `Company, Roe` do not.
    let behind = tail.trim_start_matches(' ');
    let goes_on = tail.starts_with(' ') && behind.starts_with(char::is_uppercase)
        || tail.starts_with(['-', '/', '&', '@']);
    !goes_on
}

/// Whether a word with a capital opens a sentence or a clause, so that no name begins with it.
fn is_opening(word: &str) -> bool {
    const OPENINGS: [&str; 24] = [
        "In", "On", "At", "By", "For", "From", "To", "With", "When", "While", "If", "As",
        "Because", "Although", "After", "Before", "But", "That", "Here", "Thus", "Since", "Until",
        "Both", "Whether",
    ];
    OPENINGS.contains(&word)
}

#[cfg(test)]
mod tests {
    use crate::entities::mentions;
    use crate::model::{EntityKind, TermRule};

    const CAPTION: &str = "HARBORLINE SHIPPING, INC.,\n\nPlaintiff,\n\nv.\n\nROBERT SMITH,\n\nDefendant.\n\nNo. 20-1234\n\nCOMPLAINT\n\nThe Plaintiff brings this action in the Northern District of Ohio and states as follows, on knowledge and belief.\n\n";

    fn read(body: &str) -> Vec<(String, TermRule, Vec<String>)> {
        let text = format!("{CAPTION}{body}");
        mentions(&text)
            .into_iter()
            .filter(|one| one.kind == EntityKind::Term && one.start > CAPTION.len())
            .map(|one| {
                let of = one.attributes.term.unwrap();
                (one.text, of.rule, of.names)
            })
            .collect()
    }

    fn uses(body: &str) -> Vec<String> {
        read(body)
            .into_iter()
            .map(|(text, _, names)| format!("{text} = {}", names.join("; ")))
            .collect()
    }

    #[test]
    fn a_term_stands_for_the_nearest_definition_before() {
        let body = "He saw the Company. Harborline Shipping, Inc. (the “Company”) sails. He left the Company’s ship. \
            Robert Smith (the “Company”) paid. The Company ran.";
        assert_eq!(uses(body), ["Company = Harborline Shipping Inc.", "Company = Robert Smith"]);
    }

    #[test]
    fn a_definition_of_a_stranger_ends_the_term() {
        let body = "Harborline Shipping, Inc. (the “Company”) sails. Yost Mills, Inc. (the “Company”) spins. The Company ran.";
        assert_eq!(uses(body), Vec::<String>::new());
    }

    #[test]
    fn other_names_are_no_uses() {
        let body = "Robert Smith (“Smith”) ran. Mr. Smith fell. Ann Smith rose. He likes Smith Street. Smith’s leg broke.";
        assert_eq!(uses(body), ["Smith = Robert Smith", "Smith = Robert Smith"]);
        let body = "Harborline Shipping, Inc. (the “Company”) sails. A Company sails. The Company Store sells.";
        assert_eq!(uses(body), Vec::<String>::new());
    }

    #[test]
    fn a_role_stands_for_the_only_party_that_has_it() {
        let body = "Later, Plaintiff filed suit. The Defendant ran. A Third-Party Defendant came. Defendant Moe went. The defendant in Roe lost.";
        let found = read(body);
        assert_eq!(
            uses(body),
            ["Plaintiff = Harborline Shipping Inc.", "Defendant = Robert Smith"]
        );
        assert!(found.iter().all(|(_, rule, _)| *rule == TermRule::Role), "{found:?}");
        let several = CAPTION.replace("ROBERT SMITH,", "ROBERT SMITH and ANN MOE,");
        let text = format!("{}The Defendant ran.", several.replace("Defendant.", "Defendants."));
        let terms = mentions(&text).into_iter().filter(|one| one.text == "Defendant");
        assert_eq!(terms.count(), 0);
    }
}
