//! Finds mentions: citations, courts, parties, judges, lawyers, docket numbers, dates, money.

mod abbreviation_ends;
mod back_references;
mod captions;
mod case_captions;
mod case_citations;
mod case_context;
mod case_names;
mod citations;
mod core_citation;
mod counsel_blocks;
mod counsel_names;
mod court_abbreviations;
mod court_continuations;
mod court_keys;
mod court_rules;
mod court_words;
mod courts;
mod dates;
mod defined_terms;
mod docket_citations;
mod docket_numbers;
mod docket_sheets;
mod esquires;
mod event_words;
mod events;
mod footnotes;
mod indian_citations;
mod initials;
mod judge_fields;
mod judges;
mod law_citations;
mod lawyer_mention;
mod lawyers;
mod legal_forms;
mod legislation;
mod money;
mod namesakes;
mod parentheticals;
mod parties;
mod party_headings;
mod party_mention;
mod party_names;
mod persons;
mod pin_cites;
mod preparation;
mod section_lists;
mod section_of_code;
mod sentences;
mod sheet_layouts;
mod sheet_lines;
mod signals;
mod statutes;
pub(crate) mod tables;
mod term_uses;
mod treatment_words;
mod treatments;
mod unnumbered;
mod windows;

use crate::model::Mention;

pub(crate) use citations::citation_key;
pub use court_keys::{court_key, known_courts};
pub(crate) use legal_forms::is_legal_form;
pub(crate) use persons::normal_name;
pub(crate) use preparation::prepare;
pub(crate) use tables::codes::usual_code;

/// Every mention, in text order. The cost grows only with the length of the text.
pub fn mentions(text: &str) -> Vec<Mention> {
    prepare();
    let mut found = case_citations::case_citations(text);
    let references = back_references::back_references(text, &found);
    found.extend(references);
    // A sheet lists every party and lawyer, and cuts the names in its title short.
    let sheet = docket_sheets::docket_sheet(text);
    let (parties, lawyers) = match &sheet {
        Some(sheet) => (parties::listed(text, sheet), lawyers::listed(text, sheet)),
        None => (parties::parties(text), lawyers::lawyers(text)),
    };
    found.extend(parties);
    found.extend(statutes::statutes(text));
    found.extend(courts::courts(text));
    found.extend(judges::judges(text));
    found.extend(lawyers);
    found.extend(docket_numbers::docket_numbers(text));
    found.extend(dates::dates(text));
    found.extend(money::money(text));
    namesakes::drop_namesakes(&mut found);
    found.sort_by_key(|mention| (mention.start, mention.end, mention.kind));
    if sheet.is_none() {
        let terms = term_uses::term_uses(text, &found);
        found.extend(terms);
        found.sort_by_key(|mention| (mention.start, mention.end, mention.kind));
    }
    let citations: Vec<usize> =
        (0..found.len()).filter(|at| found[*at].citation().is_some()).collect();
    signals::signals(text, &mut found, &citations);
    footnotes::footnotes(text, &mut found, &citations);
    treatments::treatments(text, &mut found, &citations);
    events::events(text, &mut found);
    found
}
