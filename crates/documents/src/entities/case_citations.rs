//! Case citations with their context: name before, pin pages and parenthesis after, parallel citations.

use super::case_context::{close_brackets, years_of_history};
use super::case_names::{CaseName, bare_names, name_before};
use super::citations::core_citations;
use super::core_citation::{CoreCitation, year};
use super::courts::court_in_parenthesis;
use super::dates::month;
use super::initials::Initials;
use super::law_citations::one_line;
use super::parentheticals::read_parenthetical;
use super::persons::is_office_word;
use super::pin_cites::pin_behind;
use super::tables::reporter_key::reporter_key;
use super::tables::reporters::{Edition, choose, spellings};
use super::tables::words::is_abbreviation;
use crate::model::{CitationForm, CitationParts, EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    /// The parenthesis with court and year.
    paren_regex,
    r"^,?\s{0,90}[\[(](?P<court>[^()\[\]]{0,110}?),?\s*(?:(?P<month>[A-Z][a-z]{2,8}\.?)\s(?P<day>\d{1,2}),?\s*|(?P<month2>\d{1,2})/(?P<day2>\d{1,2})/(?P<short>\d\d)\b)?(?:(?P<year>1[6-9]\d\d|20\d\d)(?:[-–]\d{2,4})?(?:,\s[^()\[\]]{1,40})?)?\s*[\])]"
);
static_regex!(
    /// Notes of a short citation's page: `at 60 n.4`.
    notes_regex,
    r"^,?\s?(?:&\s?)?(?:nn?|fn|notes?)\.?\s?\d{1,3}(?:\s?[-–,&]\s?\d{1,3}\b)?"
);
static_regex!(
    /// Other text before the parenthesis: a number of the docket, a mark of the slip opinion.
    between_regex,
    r"^,?\s{0,20}(?:(?:No\.|Nos\.|slip\s+op\.?|at|and|&|n\.|[A-Z]?\d[\w:.,–-]*|_{2,6}|\*)[\s,]{0,20}){1,8}"
);
static_regex!(
    /// A court alone in the parenthesis, as in Indian reports: `(SC)`, `(Bom)`.
    bench_regex,
    r"^\s?\((?:SC|FC|PC|FB|DB|[A-Z][a-z]{1,9})\)"
);
static_regex!(
    /// Text between parallel citations of one case.
    parallel_regex,
    r"^[\s,;:=\[(]*(?:[(\[](?:1[6-9]|20)\d\d[)\]]\s*)?$"
);
static_regex!(
    antecedent_regex,
    r"(?P<name>[A-Z][\w.'’&-]*(?:\s+(?:[A-Z][\w.'’&-]*|of|the|&|and|v\.)){0,8}),?(?:\s*supra,?)?\s*$"
);
static_regex!(
    /// One name before a full citation, perhaps with the page: `Roe, at 310, 115 S. Ct. 5`.
    single_regex,
    r"(?:^|[\s(“])(?P<name>[A-Z][a-z][\w'’-]+)(?:(?:\s[A-Z][\w'’&.-]*){0,3},?\s{1,40}at\s(?P<pin>\d{1,5}(?:[-–]\d{1,5})?))?,\s{1,40}$"
);
static_regex!(year_before_regex, r"[\[(](?P<year>1[6-9]\d\d|20\d\d)[\])]\s*$");

/// Maximum number of citations that stand for one case; no case is reported in so many places.
const MAX_PARALLEL: usize = 32;

/// Every case and journal citation, and every case named without one.
pub(super) fn case_citations(text: &str) -> Vec<Mention> {
    let cores = core_citations(text);
    let initials = Initials::read(text);
    let mut mentions: Vec<Mention> = Vec::with_capacity(cores.len());
    let mut floor = 0;
    let mut chain_start = 0;
    for (at, core) in cores.iter().enumerate() {
        let next = cores.get(at + 1).map_or(text.len(), |core| core.start);
        let mut parts = CitationParts::new(core.form, core.start, core.end);
        parts.volume.clone_from(&core.volume);
        parts.reporter = Some(core.reporter.clone());
        parts.series_of = series(&core.series_of, &core.reporter);
        parts.page.clone_from(&core.page);
        parts.year = core.year;
        parts.court = core.court.map(str::to_owned);
        read_after(text, next, core, &mut parts);
        let parallel = mentions.last().and_then(Mention::citation).is_some_and(|previous| {
            core.form == CitationForm::FullCase
                && previous.form == CitationForm::FullCase
                && mentions.len() - chain_start < MAX_PARALLEL
                && text
                    .get(previous.full_end..core.start)
                    .is_some_and(|gap| parallel_regex().is_match(gap) && !gap.contains(';'))
        });
        if parallel {
            share_with_previous(&mut mentions, chain_start, &mut parts);
        } else {
            chain_start = mentions.len();
            match core.form {
                CitationForm::ShortCase => read_antecedent(text, core.start, floor, &mut parts),
                CitationForm::FullCase | CitationForm::Journal => {
                    if let Some(name) = name_before(text, core.start, floor, &initials) {
                        take_name(name, &mut parts);
                    } else if core.form == CitationForm::FullCase {
                        read_single_name(text, core.start, floor, &mut parts);
                    }
                    if parts.year.is_none() {
                        let head = &text
                            [text.floor_char_boundary(core.start.saturating_sub(12))..core.start];
                        if let Some(found) = year_before_regex().captures(head) {
                            parts.year = found["year"].parse().ok();
                            // `(1969) 2 SCC 262`: the year is part of the reference.
                            let length = found.get(0).map_or(0, |m| m.len());
                            parts.full_start = parts.full_start.min(core.start - length);
                        }
                    }
                }
                _ => {}
            }
        }
        floor = parts.full_end;
        let mention = Mention::new(EntityKind::Citation, text, core.start, core.end, core.normal());
        mentions.push(mention.with_citation(parts));
    }
    for (core, mention) in cores.iter().zip(&mut mentions) {
        let head = &text[text.floor_char_boundary(core.start.saturating_sub(12))..core.start];
        choose_again(text, core, mention, year_before_regex().is_match(head));
    }
    close_brackets(text, &mut mentions);
    years_of_history(text, &mut mentions);
    let taken: Vec<(usize, usize)> = mentions
        .iter()
        .filter_map(|m| m.citation().map(|parts| (parts.full_start, parts.full_end)))
        .collect();
    for name in bare_names(text, &taken, &initials) {
        mentions.push(bare_case(text, name));
    }
    mentions
}

fn series(series_of: &str, reporter: &str) -> Option<String> {
    (series_of != reporter).then(|| series_of.to_owned())
}

/// Chooses between reporters of one spelling, now that the year and the court are known. A year before the volume is
/// the manner of India and of the Commonwealth: `[1975] 2 S.C.R. 9`.
fn choose_again(text: &str, core: &CoreCitation, mention: &mut Mention, year_first: bool) {
    let written = &text[core.written.clone()];
    let spellings = spellings(&reporter_key(written));
    let Some(parts) = mention.attributes.citation.as_deref_mut() else { return };
    if written.is_empty() || spellings.len() < 2 {
        return;
    }
    let place = parts.court.as_deref().and_then(|court| court.split('/').next());
    let volume = core.volume.as_deref();
    let fits = |edition: &Edition| match volume {
        Some(volume) => edition.has_volume_after() || edition.may_have_volume(volume),
        None => edition.may_lack_volume(),
    };
    let form = |edition: &Edition| {
        edition.form == core.form
            || (matches!(edition.form, CitationForm::FullCase | CitationForm::Journal)
                && core.form == CitationForm::ShortCase)
    };
    let known = |edition: &Edition| fits(edition) && form(edition) && !edition.is_of_docket();
    let foreign = |edition: &Edition| known(edition) && edition.is_foreign();
    let chosen = year_first
        .then(|| choose(spellings, written, parts.year, place, foreign))
        .flatten()
        .or_else(|| choose(spellings, written, parts.year, place, known));
    if let Some(edition) = chosen
        && (edition.name != core.reporter || edition.series_of != core.series_of)
    {
        let renamed = CoreCitation {
            reporter: edition.name.to_owned(),
            series_of: edition.series_of.to_owned(),
            ..core.clone()
        };
        mention.normal = renamed.normal();
        parts.series_of = series(edition.series_of, edition.name);
        parts.reporter = Some(renamed.reporter);
    }
}

/// Reads pin pages, court and year after the citation, up to the next one.
fn read_after(text: &str, next: usize, core: &CoreCitation, parts: &mut CitationParts) {
    let mut end = core.end;
    // Court papers pad line breaks widely, but a more distant parenthesis belongs to something
    // else.
    let limit = text.floor_char_boundary(next.min(end + 400));
    let Some(rest) = text.get(end..limit) else { return };
    if core.form == CitationForm::ShortCase {
        parts.pin_cite.clone_from(&core.page);
        parts.page = None;
    }
    if let Some((pin, at)) = pin_behind(rest, next - core.end) {
        // `1 U.S. 1 1982`: a number without a comma is not a pin page.
        if at || rest.trim_start().starts_with(',') || core.page.is_none() {
            end += pin.end;
            let shown = match (&core.page, core.form) {
                (Some(page), CitationForm::ShortCase) => &text[core.end - page.len()..end],
                _ => &rest[pin],
            };
            parts.pin_cite = Some(shown.to_owned());
        }
    } else if core.form == CitationForm::ShortCase
        && let Some(notes) = notes_regex().find(rest)
        && let Some(page) = &core.page
    {
        end += notes.end();
        parts.pin_cite = Some(text[core.end - page.len()..end].to_owned());
    }
    if let Some(rest) = text.get(end..limit) {
        let between = between_regex().find(rest).map_or(0, |between| between.end());
        if let Some(paren) = paren_regex().captures(&rest[between..])
            && let Some(digits) = paren.name("year").or(paren.name("short"))
        {
            parts.year = year(digits.as_str()).or(parts.year);
            read_date(&paren, parts);
            let extra = rest[..between].trim_matches([',', ' ', '\n', '\t']);
            let has_words = extra.contains(char::is_alphabetic);
            parts.extra = has_words.then(|| one_line(extra));
            if let Some(court) = court_in_parenthesis(&paren["court"], parts.reporter.as_deref()) {
                parts.court = Some(court);
            }
            end += between + paren.get(0).map_or(0, |m| m.end());
        } else if let Some(paren) = paren_regex().captures(rest)
            && let Some(court) = court_in_parenthesis(&paren["court"], parts.reporter.as_deref())
        {
            // `(1st Cir.), cert. denied`: the year stands behind the later decision.
            parts.court = Some(court);
            end += paren.get(0).map_or(0, |m| m.end());
        } else if let Some(paren) = bench_regex().find(rest)
            && text[..core.end].ends_with(|c: char| c.is_ascii_digit())
        {
            end += paren.end();
        }
    }
    read_parenthetical(text, end, parts);
    parts.full_end = end;
}

/// The month and day of a parenthesis: `(D. Me. Mar. 3, 2010)`, `(1st Cir. 3/14/95)`.
fn read_date(paren: &regex::Captures<'_>, parts: &mut CitationParts) {
    let number =
        |name: &str| paren.name(name).and_then(|digits| digits.as_str().parse::<u8>().ok());
    let named = paren.name("month").and_then(|name| month(name.as_str()));
    let month = named.and_then(|month| u8::try_from(month).ok()).or_else(|| number("month2"));
    let day = number("day").or_else(|| number("day2"));
    if let (Some(month @ 1..=12), Some(day @ 1..=31)) = (month, day) {
        (parts.month, parts.day) = (Some(month), Some(day));
    }
}

/// Parallel citations of one case share the facts that any of them has.
fn share_with_previous(mentions: &mut [Mention], chain_start: usize, parts: &mut CitationParts) {
    for mention in &mut mentions[chain_start..] {
        if let Some(previous) = mention.attributes.citation.as_deref_mut() {
            parts.full_start = previous.full_start;
            parts.plaintiff.clone_from(&previous.plaintiff);
            parts.defendant.clone_from(&previous.defendant);
            parts.year = parts.year.or(previous.year);
            if parts.court.is_none() {
                parts.court.clone_from(&previous.court);
            }
            previous.year = previous.year.or(parts.year);
            if previous.court.is_none() {
                previous.court.clone_from(&parts.court);
            }
            previous.full_end = parts.full_end;
        }
    }
}

fn take_name(name: CaseName, parts: &mut CitationParts) {
    parts.full_start = name.start;
    parts.plaintiff = name.plaintiff;
    parts.defendant = name.defendant;
}

fn read_antecedent(text: &str, start: usize, floor: usize, parts: &mut CitationParts) {
    let from = text.floor_char_boundary(start.saturating_sub(100)).max(floor);
    let Some(window) = text.get(from..start) else { return };
    if let Some(found) = antecedent_regex().captures(window) {
        parts.antecedent = Some(last_name(&found["name"]));
        parts.full_start = from + found.get(0).map_or(0, |m| m.start());
    }
}

/// `Roe, 515 U.S. 304`: one name stands for a case that was named in full before.
fn read_single_name(text: &str, start: usize, floor: usize, parts: &mut CitationParts) {
    let from = text.floor_char_boundary(start.saturating_sub(60)).max(floor);
    let Some(window) = text.get(from..start) else { return };
    if let Some(found) = single_regex().captures(window) {
        let name = &found["name"];
        if !is_signal(name) && !is_abbreviation(&format!("{name}.")) && !is_office_word(name) {
            parts.full_start = from + found.name("name").map_or(0, |name| name.start());
            parts.defendant = Some(name.to_owned());
            let pin = found.name("pin").map(|pin| pin.as_str().to_owned());
            parts.pin_cite = parts.pin_cite.take().or(pin);
        }
    }
}

/// The name after the last signal word or `v.`: `See Roe v. Doe` is cited as `Doe`.
fn last_name(name: &str) -> String {
    let mut words: Vec<&str> = name.split_whitespace().collect();
    while words.len() > 1 && is_signal(words[0]) {
        words.remove(0);
    }
    words.join(" ").trim_end_matches([',', ' ']).to_owned()
}

fn is_signal(word: &str) -> bool {
    let lower = word.trim_end_matches(['.', ',']).to_lowercase();
    super::tables::words::SIGNALS.contains(&lower.as_str())
}

fn bare_case(text: &str, name: CaseName) -> Mention {
    let mut parts = CitationParts::new(CitationForm::Reference, name.start, name.end);
    let normal = match (&name.plaintiff, &name.defendant) {
        (Some(plaintiff), Some(defendant)) => format!("{plaintiff} v. {defendant}"),
        (Some(only), None) | (None, Some(only)) => only.clone(),
        (None, None) => String::new(),
    };
    let (start, end) = (name.start, name.end);
    take_name(name, &mut parts);
    Mention::new(EntityKind::Case, text, start, end, normal).with_citation(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> CitationParts {
        case_citations(text)[0].citation().unwrap().clone()
    }

    #[test]
    fn a_full_citation_knows_its_surroundings() {
        let parts = first("See Roe v. Doe, 164 A.3d 1189, 1192-93 (Pa. 2017).");
        assert_eq!(parts.plaintiff.as_deref(), Some("Roe"));
        assert_eq!(parts.pin_cite.as_deref(), Some("1192-93"));
        assert_eq!((parts.year, parts.court.as_deref()), (Some(2017), Some("pa")));
    }

    #[test]
    fn a_chain_of_citations_without_end_is_no_single_case() {
        let text = "123 U.S. 456 ".repeat(MAX_PARALLEL * 3);
        let all = case_citations(&text);
        assert_eq!(all.len(), MAX_PARALLEL * 3);
        let starts: std::collections::BTreeSet<usize> =
            all.iter().filter_map(|one| Some(one.citation()?.full_start)).collect();
        assert_eq!(starts.len(), 3, "each chain has one start");
    }

    #[test]
    fn parallel_citations_share_what_they_know() {
        let text = "Roe v. Doe, 1 U.S. 12, 15, 2 S. Ct. 30, 4 L. Ed. 2d 7 (1982)";
        let all = case_citations(text);
        assert_eq!(all.len(), 3);
        for mention in &all {
            let parts = mention.citation().unwrap();
            assert_eq!(
                (parts.year, parts.defendant.as_deref()),
                (Some(1982), Some("Doe")),
                "{parts:?}"
            );
        }
        assert_eq!(first(text).pin_cite.as_deref(), Some("15"));
    }

    #[test]
    fn the_date_of_the_parenthesis_and_what_stands_before_it_are_kept() {
        let parts = first("Roe v. Doe, 2010 WL 1234567, slip op. at 3 (D. Me. Mar. 14, 2010)");
        assert_eq!((parts.year, parts.month, parts.day), (Some(2010), Some(3), Some(14)));
        let parts = first("Roe v. Doe, 55 F.3d 12 (1st Cir. 3/14/95)");
        assert_eq!((parts.month, parts.day), (Some(3), Some(14)));
        let parts = first("Roe v. Doe, 55 F.3d 12, No. 94-1234 (1st Cir. 1995)");
        assert_eq!((parts.extra.as_deref(), parts.day), (Some("No. 94-1234"), None));
    }

    #[test]
    fn short_citations_know_the_name_before() {
        let parts = first("So held Roe, 1 U. S., at 2 (2016)");
        assert_eq!(
            (parts.form, parts.antecedent.as_deref()),
            (CitationForm::ShortCase, Some("Roe"))
        );
        assert_eq!(parts.pin_cite.as_deref(), Some("2"));
    }

    #[test]
    fn a_name_without_citation_is_a_case() {
        let all = case_citations("We decided Roe v. Doe long ago.");
        assert_eq!((all[0].kind, all[0].normal.as_str()), (EntityKind::Case, "Roe v. Doe"));
    }
}
