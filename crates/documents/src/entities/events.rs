//! Joins dates and sums of money to the events that the text states beside them.

use std::ops::Range;

use super::event_words::{EventWord, event_before, event_behind};
use super::sentences::sentence_before;
use crate::model::{EntityKind, Evidence, Mention, StatedEvent};
use crate::static_regex::static_regex;

static_regex!(
    /// What stands between an event and its date.
    on_regex,
    r"\s(?:(?i:on)(?:\s+or\s+about)?|as\s+of)\s+(?:(?:the|this)\s+)?(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,?\s+)?$"
);
static_regex!(
    /// The opening of a sentence by its date.
    opening_regex,
    r"(?:^|[.;:”)\]\d]\s{0,40}|\n\s*)(?:On|ON)(?:\s+or\s+about)?\s+(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,?\s+)?$"
);
static_regex!(
    /// An event with its date directly behind it, as on a title page: `Filed: May 3, 2021`.
    label_regex,
    r"(?i)(?:^|[\s(\[])(?:date\s+(?:of\s+)?)?(?P<what>filed|decided|argued|reargued|submitted|docketed|terminated|entered|signed|executed|issued|released|heard|served|hired|dismissed|closed|dated|decision)(?:\s*:\s*|\s+)(?:this\s+)?(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+)?$"
);

/// What a sum of money may be for, in the singular or as it is used.
const PURPOSES: &str = r"judgments?|verdict|jury\s+verdict|damages|attorney(?:s|['’]s|s['’])?\s+fees|attorneys?['’]?s?['’]?\s+fees|fees\s+and\s+costs|fees?|costs|expenses|interest|sanctions?|fines?|penalt(?:y|ies)|restitution|forfeiture|settlement|bond|bail|award|salary|wages|back\s?pay|rent|purchase\s+price|loan|debt|lien|retainer|deposit|royalt(?:y|ies)|premium|compensation|benefits|losses|tuition|ransom|refund";
/// Words that say which damages or fees they are.
const KINDS: &str = r"compensatory|punitive|exemplary|statutory|actual|treble|liquidated|nominal|consequential|economic|noneconomic|non-economic|civil|monetary|criminal|appeal|supersedeas|cash|surety|filing|license|contingency|retainer|initial|annual|monthly|default|consent|prejudgment|pre-judgment|post-judgment|postjudgment|final|money";

static_regex!(
    purpose_before_regex,
    format!(
        r"\b(?P<kind>(?:(?:{KINDS})\s+)?)(?P<what>{PURPOSES})(?:\s+(?:award|amount|payment))?(?:\s+(?:against|for|to|in\s+favor\s+of)\s+(?:[\w'’.]+\s+){{1,4}}?)?,?\s+(?:(?:of|for|at|totaling|totalling|amounting\s+to|equal\s+to|in\s+the\s+(?:total\s+)?(?:amount|sum)\s+of|(?:was|were|is)\s+set\s+at|set\s+at|in\s+excess\s+of)\s+)(?:(?:approximately|about|up\s+to|at\s+least|nearly|over|more\s+than|roughly|a\s+total\s+of|the\s+sum\s+of|almost|only|just)\s+)*$"
    )
);
static_regex!(
    purpose_behind_regex,
    format!(
        r"^(?:\s+(?:in|as|for)\s+(?:(?:the|his|her|its|their|unpaid|reasonable|total|additional|past|future|outstanding)\s+){{0,3}}|\s+|-)(?P<kind>(?:(?:{KINDS})\s+)?)(?P<what>{PURPOSES})\b"
    )
);

static_regex!(purpose_regex, format!(r"(?i)\b(?P<kind>(?:(?:{KINDS})\s+)?)(?P<what>{PURPOSES})\b"));
static_regex!(
    in_the_amount_regex,
    r"\bin\s+the\s+(?:total\s+|principal\s+)?(?:amount|sum)\s+of\s+(?:(?:approximately|about|at\s+least|not\s+less\s+than)\s+)?$"
);

/// How far before a sum the clause begins that it is the amount of, in bytes.
const LONGEST_CLAUSE: usize = 320;

/// How far around a date or a sum its event is looked for, in bytes.
const REACH: usize = 160;

/// An event that the text states beside a date or a sum.
struct Stated {
    what: String,
    /// The word for it.
    word: Range<usize>,
    /// Whether the word is a verb, which has a subject.
    is_verb: bool,
}

impl Stated {
    fn of(event: EventWord) -> Self {
        Self { what: event.what.to_owned(), word: event.start..event.end, is_verb: true }
    }
}

/// Notes the event of each date and sum that has one. `mentions` are in text order.
pub(super) fn events(text: &str, mentions: &mut [Mention]) {
    let names = party_names(mentions);
    let mut cited = 0;
    for at in 0..mentions.len() {
        let mention = &mentions[at];
        if let Some(parts) = mention.citation() {
            cited = parts.parenthetical_end.unwrap_or(parts.full_end).max(cited);
        }
        let stated = match mention.kind {
            // The date in a citation is of another case.
            EntityKind::Date if mention.start >= cited => of_date(text, mention),
            EntityKind::Money => of_sum(text, mention),
            _ => None,
        };
        let Some(Stated { what, word, is_verb }) = stated else { continue };
        let start = word.start.min(mention.start);
        let evidence = Evidence { start, end: word.end.max(mention.end) };
        let about = subject(text, mentions, at, word.start)
            .or_else(|| named_before(text, &names, word.start))
            .filter(|_| is_verb);
        mentions[at].attributes.event = Some(Box::new(StatedEvent { what, evidence, about }));
    }
}

fn head(text: &str, end: usize) -> (usize, &str) {
    let from = text.floor_char_boundary(end.saturating_sub(REACH));
    (from, text.get(from..end).unwrap_or_default())
}

fn tail(text: &str, start: usize) -> &str {
    let to = text.floor_char_boundary((start + REACH).min(text.len()));
    text.get(start..to).unwrap_or_default()
}

/// The event of a date.
fn of_date(text: &str, date: &Mention) -> Option<Stated> {
    let (from, head) = head(text, date.start);
    if opening_regex().is_match(head) && is_followed(text, date) {
        return event_behind(tail(text, date.end), date.end).map(Stated::of);
    }
    if let Some(on) = on_regex().find(head) {
        return event_before(&head[..on.start()], from, |_| true).map(Stated::of);
    }
    let word = label_regex().captures(head)?.name("what")?;
    // `If filed May 3` and `not filed May 3` state nothing.
    let before = head[..word.start()].trim_end();
    if ["be", "if", "not", "never"].iter().any(|open| before.ends_with(open)) {
        return None;
    }
    let what = match word.as_str().to_lowercase().as_str() {
        "decision" => "decided".to_owned(),
        what => what.to_owned(),
    };
    Some(Stated { what, word: from + word.start()..from + word.end(), is_verb: false })
}

/// Whether a sentence goes on behind the date that opens it.
fn is_followed(text: &str, date: &Mention) -> bool {
    let behind = tail(text, date.end);
    behind.starts_with(',')
        || behind.starts_with(char::is_whitespace) && !behind.starts_with("\n\n")
}

/// What a sum is for.
fn of_sum(text: &str, sum: &Mention) -> Option<Stated> {
    let (from, head) = head(text, sum.start);
    let noun = |found: &regex::Captures<'_>, from: usize| {
        let (kind, what) = (found.name("kind")?, found.name("what")?);
        let word = from + kind.start()..from + what.end();
        let what = purpose(kind.as_str(), what.as_str());
        Some(Stated { what, word, is_verb: false })
    };
    if let Some(found) = purpose_behind_regex().captures(tail(text, sum.end)) {
        return noun(&found, sum.end);
    }
    if let Some(found) = purpose_before_regex().captures(head) {
        return noun(&found, from);
    }
    // `Judgment is entered for Roe on the first claim, breach of contract, in the amount of`.
    if in_the_amount_regex().is_match(head) {
        let sentence = sentence_before(text, sum.start, LONGEST_CLAUSE);
        let found = purpose_regex().captures_iter(sentence).last()?;
        return noun(&found, sum.start - sentence.len());
    }
    let plain = head.trim_end();
    let price = plain.strip_suffix(" for");
    let fits = |what: &str| match what {
        "paid" | "awarded" | "fined" => price.is_none(),
        "settled" | "sold" | "purchased" => price.is_some(),
        _ => false,
    };
    event_before(price.unwrap_or(plain), from, fits).map(Stated::of)
}

/// The purpose of a sum, in one form.
fn purpose(kind: &str, what: &str) -> String {
    let plain = format!("{kind} {what}").to_lowercase().replace('’', "'");
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match plain.as_str() {
        "attorneys fees" | "attorneys' fees" | "attorney fees" => "attorney's fees".to_owned(),
        "judgments" => "judgment".to_owned(),
        "sanction" => "sanctions".to_owned(),
        "backpay" => "back pay".to_owned(),
        _ => plain,
    }
}

/// How many mentions around an event are looked at for its subject.
const NEAR: usize = 8;

/// The party or person that the clause names before the verb of its event, by the first byte.
fn subject(text: &str, mentions: &[Mention], at: usize, verb: usize) -> Option<usize> {
    let near = &mentions[at.saturating_sub(NEAR)..(at + NEAR).min(mentions.len())];
    let named = near.iter().filter(|one| {
        matches!(
            one.kind,
            EntityKind::Party | EntityKind::Judge | EntityKind::Lawyer | EntityKind::Term
        ) && one.end <= verb
    });
    let subject = named.max_by_key(|one| one.end)?;
    let gap = text.get(subject.end..verb).filter(|gap| gap.len() < 40)?;
    let is_one_clause = !gap.contains(". ") && !gap.contains("\n\n") && !gap.contains([';', '(']);
    is_one_clause.then_some(subject.start)
}

/// Most parties whose names are looked for before a verb: a docket sheet may list thousands.
const MOST_NAMES: usize = 64;

/// The names of parties in lower case, each with the first byte of its first mention.
fn party_names(mentions: &[Mention]) -> Vec<(String, usize)> {
    let mut names: Vec<(String, usize)> = Vec::new();
    for one in mentions.iter().filter(|one| one.kind == EntityKind::Party) {
        let name = one.normal.to_lowercase().replace(',', "");
        let is_name = name.len() > 3 && names.iter().all(|(known, _)| *known != name);
        if is_name && names.len() < MOST_NAMES {
            names.push((name, one.start));
        }
    }
    names
}

/// The party whose name stands before a verb, perhaps with `was` or an adverb between: the first byte of its first
/// mention.
fn named_before(text: &str, names: &[(String, usize)], verb: usize) -> Option<usize> {
    let head = text.get(text.floor_char_boundary(verb.saturating_sub(90))..verb)?;
    let mut head = head.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    for word in ["been", "then", "also", "timely", "later", "was", "were", "had", "has"] {
        if let Some(short) = head.strip_suffix(word).filter(|short| short.ends_with(' ')) {
            head.truncate(short.trim_end().len());
        }
    }
    // `Quillon Freight, Inc. (the "Company") filed`.
    if let Some(open) = head.rfind('(').filter(|_| head.ends_with(')')) {
        head.truncate(head[..open].trim_end().len());
    }
    head.retain(|c| c != ',');
    let is_before = |name: &str| {
        let rest = head.strip_suffix(name);
        rest.is_some_and(|rest| !rest.ends_with(|c: char| c.is_alphanumeric()))
    };
    names.iter().find(|(name, _)| is_before(name)).map(|(_, start)| *start)
}

#[cfg(test)]
mod tests {
    use crate::entities::mentions;

    /// For each date and sum: its normal form and its event.
    fn read(text: &str) -> Vec<(String, String)> {
        let all = mentions(text);
        let stated = all.iter().filter_map(|one| {
            let event = one.attributes.event.as_deref()?;
            assert!(text.get(event.evidence.start..event.evidence.end).is_some());
            Some((one.normal.clone(), event.what.clone()))
        });
        stated.collect()
    }

    fn check(text: &str, wanted: &[(&str, &str)]) {
        let wanted: Vec<(String, String)> =
            wanted.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(read(text), wanted, "{text}");
    }

    #[test]
    fn dates_have_the_event_of_their_clause() {
        let day = "2021-05-12";
        for (text, what) in [
            ("Quillon filed suit on May 12, 2021.", "filed"),
            ("The order was entered on or about Wednesday, May 12, 2021.", "entered"),
            ("On May 12, 2021, Quillon filed a complaint.", "filed"),
            ("It rained. On May 12, 2021, the complaint was served.", "served"),
            ("Argued: May 12, 2021", "argued"),
            ("Date Filed: 05/12/2021", "filed"),
            ("SIGNED this 12th day of May, 2021.", "signed"),
            ("Ms. Doe was hired by Alder Mfg. Co. on May 12, 2021.", "hired"),
            ("He was terminated on May 12, 2021, without notice.", "terminated"),
        ] {
            check(text, &[(day, what)]);
        }
    }

    #[test]
    fn sums_have_their_purpose() {
        for (text, what) in [
            ("a judgment of $1,200", "judgment"),
            ("judgment in the amount of $1,200 was", "judgment"),
            ("punitive damages of $1,200", "punitive damages"),
            ("awarded her $1,200 in compensatory damages", "compensatory damages"),
            ("attorneys’ fees of $1,200", "attorney's fees"),
            ("posted a $1,200 bond", "bond"),
            ("bail was set at $1,200", "bail"),
            ("The parties settled the case for $1,200.", "settled"),
            ("Then Roe paid the clerk $1,200.", "paid"),
            ("sanctions of approximately $1,200", "sanctions"),
            ("The jury awarded the firm $1,200.", "awarded"),
            ("an annual fee of $1,200", "annual fee"),
            (
                "It rained. Judgment is entered for Roe Mills, Inc. on the first claim, breach of contract, in the amount of $1,200.",
                "judgment",
            ),
        ] {
            check(text, &[("USD 120000", what)]);
        }
    }

    #[test]
    fn other_dates_and_sums_have_none() {
        for text in [
            "The brief shall be filed on May 12, 2021.",
            "The brief was not filed on May 12, 2021.",
            "He filed a paper saying that it rained on May 12, 2021.",
            "On May 12, 2021, he walked home and later filed it.",
            "It was filed. On May 12, 2021, it rained.",
            "The car, worth $1,200, was lost.",
            "He saw $1,200 there.",
            "A judgment was entered. He drew a check in the amount of $1,200.",
            "He sold the car. It had $1,200 in it.",
            "See Roe v. Doe, No. 20-1, 2021 WL 12345 (D. Me. filed May 12, 2021).",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn the_subject_of_the_clause_is_noted() {
        let text = "ANN ROE,\n\nPlaintiff,\n\nv.\n\nBEN POE,\n\nDefendant.\n\nNo. 20-1234\n\nAnn Roe filed suit on May 12, 2021.";
        let all = mentions(text);
        let event = all.iter().find_map(|one| one.attributes.event.as_deref()).unwrap();
        assert_eq!(event.about.map(|at| &text[at..at + 7]), Some("ANN ROE"));
        let text = text.replace("Ann Roe filed", "Ann Roe (the “Tenant”) then filed");
        let all = mentions(&text);
        let event = all.iter().find_map(|one| one.attributes.event.as_deref()).unwrap();
        assert_eq!(event.about.map(|at| &text[at..at + 7]), Some("ANN ROE"));
    }
}
