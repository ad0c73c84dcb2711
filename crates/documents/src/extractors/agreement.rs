//! Combines the mentions of several extractors: what more than one of them says is surer.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::extractor::Findings;
use super::normal::in_normal_form;
use super::rules::Rules;
use super::spent::Spent;
use crate::model::Mention;
use crate::words_around::words_around;

/// Confidence of a mention that two extractors found, in percent.
const BOTH: u8 = 95;
/// Confidence of a mention that the rules alone found.
const RULES_ONLY: u8 = 80;
/// Confidence of a mention of the rules whose place another extractor gives another kind.
const DISPUTED: u8 = 60;
/// Confidence of a mention that another extractor alone found.
const BESIDE_ONLY: u8 = 50;

/// How the extractors agreed on a document, and what it has cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Agreement {
    /// Mentions that two extractors found.
    pub both: u64,
    /// Mentions that the rules alone found.
    pub rules_only: u64,
    /// Mentions that another extractor alone found.
    pub beside_only: u64,
    /// Mentions of the rules whose place another extractor gave another kind. The kind of the rules stands.
    pub conflicts: u64,
    /// Names and dates that another extractor found within a citation of the rules: they are parts of it, and no mentions
    /// of their own.
    pub of_citations: u64,
    /// Mentions, counted above, that were dropped for too little confidence.
    pub dropped: u64,
    /// Quotes that do not occur in the text, or have no normal form of their kind: they are no mentions.
    pub unfounded: u64,
    /// Answers that could not be used.
    pub refused: u64,
    /// The cost of each extractor when the document was first asked about, by name.
    pub spent: BTreeMap<String, Spent>,
}

impl Agreement {
    /// Adds the figures of another document.
    pub fn add(&mut self, other: &Self) {
        let Self { both, rules_only, beside_only, conflicts, of_citations, .. } = other;
        let Self { dropped, unfounded, refused, spent, .. } = other;
        for (sum, more) in [
            (&mut self.both, both),
            (&mut self.rules_only, rules_only),
            (&mut self.beside_only, beside_only),
            (&mut self.conflicts, conflicts),
            (&mut self.of_citations, of_citations),
            (&mut self.dropped, dropped),
            (&mut self.unfounded, unfounded),
            (&mut self.refused, refused),
        ] {
            *sum = sum.saturating_add(*more);
        }
        for (name, spent) in spent {
            self.spent.entry(name.clone()).or_default().add(spent);
        }
    }
}

/// What an extractor beside the rules found in a document.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Beside {
    /// The extractor's name.
    pub name: &'static str,
    /// Its findings in each window.
    pub findings: Vec<Arc<Findings>>,
}

impl Beside {
    /// The findings of the extractor `name`.
    #[must_use]
    pub fn new(name: &'static str, findings: Vec<Arc<Findings>>) -> Self {
        Self { name, findings }
    }
}

/// Combines the mentions that the rules found in `text` with those of other extractors:
///
/// - Two mentions of one kind whose places share at least half of the shorter one are one mention, with the place and the
///   parts of the rules. Its `sources` name both, and its confidence is 95 %.
/// - A mention of the rules that nobody else found has 80 %, one that only another extractor found 50 %.
/// - If another extractor gives a place of the rules another kind, and the two share at least half of the longer one, the
///   kind of the rules stands, with 60 %, and the other mention is left out.
/// - A mention of another extractor within the reference of a citation, its case's name included, is a part of that and
///   left out: a party of a case that is cited is none of this case.
/// - Mentions of less confidence than `min_confidence` are dropped.
#[must_use]
pub fn agree(
    text: &str,
    rules: Vec<Mention>,
    beside: &[Beside],
    min_confidence: u8,
) -> (Vec<Mention>, Agreement) {
    let mut agreement = Agreement::default();
    let mut all: Vec<Mention> = rules;
    for mention in &mut all {
        (mention.sources, mention.confidence) = (vec![Rules::NAME.to_owned()], Some(RULES_ONLY));
    }
    for Beside { name, findings } in beside {
        let spent = agreement.spent.entry((*name).to_owned()).or_default();
        let known = Known::of(&all);
        let mut new: Vec<Mention> = Vec::new();
        for one in findings {
            spent.add(&one.spent);
            // They come from the cache, which others may write to.
            agreement.unfounded = agreement.unfounded.saturating_add(one.unfounded);
            agreement.refused = agreement.refused.saturating_add(one.refused);
            for mention in &one.mentions {
                match known.place(&all, mention) {
                    Place::Agreed(at) => all[at].found_by(name),
                    Place::Disputed(at) => all[at].dispute(),
                    Place::OfCitation => agreement.of_citations += 1,
                    Place::New => match written(text, mention) {
                        Some(mention) => new.push(mention),
                        None => agreement.unfounded = agreement.unfounded.saturating_add(1),
                    },
                }
            }
        }
        new.sort_by_key(|mention| (mention.start, mention.end, mention.kind));
        // Windows overlap a little.
        new.dedup_by_key(|mention| (mention.start, mention.end, mention.kind));
        for mut mention in new {
            (mention.sources, mention.confidence) = (vec![(*name).to_owned()], Some(BESIDE_ONLY));
            all.push(mention);
        }
        all.sort_by_key(|mention| (mention.start, mention.end, mention.kind));
    }
    for mention in &all {
        match mention.confidence {
            Some(BOTH) => agreement.both += 1,
            Some(DISPUTED) => agreement.conflicts += 1,
            Some(BESIDE_ONLY) => agreement.beside_only += 1,
            _ => agreement.rules_only += 1,
        }
    }
    let before = all.len();
    all.retain(|mention| mention.confidence >= Some(min_confidence));
    agreement.dropped = (before - all.len()) as u64;
    (all, agreement)
}

impl Mention {
    fn found_by(&mut self, extractor: &str) {
        if let Err(at) = self.sources.binary_search_by(|known| known.as_str().cmp(extractor)) {
            self.sources.insert(at, extractor.to_owned());
        }
        self.confidence = Some(BOTH);
    }

    /// Agreement of two outweighs a dispute by a third.
    fn dispute(&mut self) {
        if self.confidence != Some(BOTH) {
            self.confidence = Some(DISPUTED);
        }
    }

    /// The place of the whole reference, the case's name included.
    fn whole(&self) -> (usize, usize) {
        match self.citation() {
            Some(parts) => (self.start.min(parts.full_start), self.end.max(parts.full_end)),
            None => (self.start, self.end),
        }
    }
}

/// The mention with its normal form and the words around it.
fn written(text: &str, mention: &Mention) -> Option<Mention> {
    let place = mention.start..mention.end;
    let is_there = !place.is_empty() && text.get(place.clone()) == Some(mention.text.as_str());
    let mut written = match is_there {
        false => return None,
        true if mention.normal.is_empty() => in_normal_form(mention.kind, text, place)?,
        true => mention.clone(),
    };
    written.around = words_around(text, written.start, written.end);
    Some(written)
}

/// What is known of the place of a mention.
enum Place {
    /// The mention at this index has it, and the kind.
    Agreed(usize),
    /// The mention at this index has it, and another kind.
    Disputed(usize),
    /// It is within the reference of a citation.
    OfCitation,
    New,
}

/// The places of mentions, in an order in which those that overlap a place are found.
struct Known {
    /// The whole place of each mention with its index, by start.
    places: Vec<(usize, usize, usize)>,
    /// The furthest end of the places up to each one.
    ends: Vec<usize>,
}

/// Places looked at for one mention, which bounds the cost of a text with many mentions in one place.
const MAX_LOOKS: usize = 64;

impl Known {
    fn of(all: &[Mention]) -> Self {
        let whole = all.iter().enumerate().map(|(at, mention)| {
            let (start, end) = mention.whole();
            (start, end, at)
        });
        let mut places: Vec<_> = whole.collect();
        places.sort_unstable();
        let mut furthest = 0;
        let ends = places.iter().map(|(_, end, _)| {
            furthest = furthest.max(*end);
            furthest
        });
        let ends = ends.collect();
        Self { places, ends }
    }

    fn place(&self, all: &[Mention], mention: &Mention) -> Place {
        let (start, end) = mention.whole();
        let after = self.places.partition_point(|(from, _, _)| *from < end);
        let (mut disputed, mut is_of_citation) = (None, false);
        for at in (0..after).rev().take(MAX_LOOKS) {
            if self.ends[at] <= start {
                break;
            }
            let (from, to, index) = self.places[at];
            let known = &all[index];
            let shared = Shared::of((from, to), (start, end));
            if known.kind == mention.kind && 2 * shared.bytes >= shared.shorter {
                return Place::Agreed(index);
            }
            if known.kind == mention.kind {
                continue;
            }
            let own = Shared::of((known.start, known.end), (start, end));
            if 2 * own.bytes >= own.longer {
                disputed = Some(index);
            }
            is_of_citation |= known.citation().is_some() && from <= start && end <= to;
        }
        match disputed {
            Some(index) => Place::Disputed(index),
            None if is_of_citation => Place::OfCitation,
            None => Place::New,
        }
    }
}

/// The bytes that two places share, which is at least one, and their lengths.
struct Shared {
    bytes: usize,
    shorter: usize,
    longer: usize,
}

impl Shared {
    fn of(a: (usize, usize), b: (usize, usize)) -> Self {
        let length = |(start, end): (usize, usize)| end.saturating_sub(start);
        let bytes = a.1.min(b.1).saturating_sub(a.0.max(b.0));
        // Places that only touch share nothing, whatever their length.
        let least = usize::from(bytes == 0);
        let (shorter, longer) = (length(a).min(length(b)), length(a).max(length(b)));
        Self { bytes, shorter: shorter.max(least), longer: longer.max(least) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions;
    use crate::model::EntityKind;

    const TEXT: &str = "The Hon. Ann B. Roe presides.\n\nSee Poe v. Doe, 512 U.S. 100, 110 (1994). On March 3, 2021, \
                        Harbor Works was paid $500.";

    fn quote(kind: EntityKind, quote: &str) -> Mention {
        let start = TEXT.find(quote).unwrap();
        Mention::new(kind, TEXT, start, start + quote.len(), "")
    }

    fn combined(mentions_of_model: Vec<Mention>, min: u8) -> (Vec<Mention>, Agreement) {
        let findings = Findings { mentions: mentions_of_model, ..Findings::default() };
        agree(TEXT, mentions(TEXT), &[Beside::new("model", vec![Arc::new(findings)])], min)
    }

    fn of<'m>(all: &'m [Mention], text: &str) -> Option<(&'m [String], u8)> {
        let found = all.iter().find(|mention| mention.text == text)?;
        Some((&found.sources, found.confidence.unwrap()))
    }

    #[test]
    fn what_both_say_is_surer_than_what_one_says() {
        let model = vec![
            quote(EntityKind::Citation, "Poe v. Doe, 512 U.S. 100, 110 (1994)"),
            quote(EntityKind::Date, "On March 3, 2021"),
            quote(EntityKind::Party, "Harbor Works"),
        ];
        let (all, agreement) = combined(model, 0);
        let both = ["model".to_owned(), "rules".to_owned()];
        assert_eq!(of(&all, "512 U.S. 100"), Some((&both[..], 95)));
        assert_eq!(of(&all, "March 3, 2021"), Some((&both[..], 95)));
        assert_eq!(of(&all, "$500"), Some((&both[1..], 80)));
        assert_eq!(of(&all, "Harbor Works"), Some((&both[..1], 50)));
        let works = all.iter().find(|mention| mention.text == "Harbor Works").unwrap();
        assert!(works.around.before.ends_with("2021, "), "{works:?}");
        let Agreement { both, beside_only, conflicts, dropped, .. } = agreement;
        assert_eq!((both, beside_only, conflicts, dropped), (2, 1, 0, 0));
        assert!(all.is_sorted_by_key(|mention| (mention.start, mention.end)));
    }

    #[test]
    fn the_threshold_drops_what_too_few_say() {
        let model =
            || vec![quote(EntityKind::Party, "Harbor Works"), quote(EntityKind::Money, "$500")];
        let (all, agreement) = combined(model(), 51);
        assert!(of(&all, "Harbor Works").is_none() && of(&all, "March 3, 2021").is_some());
        assert_eq!((agreement.beside_only, agreement.dropped), (1, 1));
        let (all, _) = combined(model(), 95);
        assert_eq!(all.iter().map(|one| one.text.as_str()).collect::<Vec<_>>(), ["$500"]);
    }

    #[test]
    fn the_kind_of_the_rules_stands() {
        let (all, agreement) = combined(vec![quote(EntityKind::Party, "Ann B. Roe")], 0);
        let found: Vec<_> = all.iter().filter(|one| one.text == "Ann B. Roe").collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind, found[0].confidence), (EntityKind::Judge, Some(60)));
        assert_eq!((agreement.conflicts, agreement.beside_only), (1, 0));
    }

    #[test]
    fn a_name_within_a_citation_is_a_part_of_it() {
        let parts = [
            quote(EntityKind::Party, "Poe"),
            quote(EntityKind::Party, "Doe"),
            quote(EntityKind::Date, "1994"),
        ];
        let (all, agreement) = combined(parts.to_vec(), 0);
        assert_eq!((agreement.of_citations, agreement.conflicts, agreement.unfounded), (3, 0, 0));
        assert_eq!(all.len(), mentions(TEXT).len());
        // The words of the citation itself are another matter.
        let (all, agreement) = combined(vec![quote(EntityKind::Money, "512 U.S. 100")], 0);
        assert_eq!((agreement.of_citations, agreement.conflicts), (0, 1));
        assert_eq!(of(&all, "512 U.S. 100").unwrap().1, 60);
    }

    #[test]
    fn what_is_not_in_its_place_or_has_no_normal_form_does_not_enter() {
        let mut wrong = quote(EntityKind::Party, "Harbor Works");
        wrong.text = "Harbour Works".to_owned();
        let mut beyond = quote(EntityKind::Party, "Harbor Works");
        (beyond.start, beyond.end) = (TEXT.len(), TEXT.len() + 12);
        let (all, agreement) =
            combined(vec![wrong, beyond, quote(EntityKind::Money, "was paid")], 0);
        assert_eq!((agreement.unfounded, all.len()), (3, mentions(TEXT).len()));
    }

    #[test]
    fn without_another_extractor_only_the_sources_are_added() {
        let (all, _) = agree(TEXT, mentions(TEXT), &[], 0);
        let plain = all.into_iter().map(|mut mention| {
            (mention.sources, mention.confidence) = (Vec::new(), None);
            mention
        });
        assert!(plain.eq(mentions(TEXT)));
    }

    #[test]
    fn many_mentions_in_one_place_cost_no_more_than_their_number() {
        let text = "a".repeat(60_000);
        let all = |kind| (0..30_000).map(move |at| (kind, at)).collect::<Vec<_>>();
        let make =
            |(kind, at): &(EntityKind, usize)| Mention::new(*kind, &text, *at, 60_000 - at, "a");
        let rules = all(EntityKind::Judge).iter().map(make).collect();
        // Their texts are not those of their places, so that none of them is written.
        let dates = all(EntityKind::Date);
        let dates = dates.iter().map(|(kind, at)| Mention::new(*kind, "", *at, at + 1, "a"));
        let findings = Findings { mentions: dates.collect(), ..Findings::default() };
        let started = std::time::Instant::now();
        let _ = agree(&text, rules, &[Beside::new("model", vec![Arc::new(findings)])], 0);
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}
