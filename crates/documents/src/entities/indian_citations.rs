//! Citations in the manner of Indian reports: `AIR 1987 SC 53`, `2000(1)ALT170`, `1992 Supp (3) SCC 217`.

use super::abbreviation_ends::abbreviation_ends;
use super::core_citation::CoreCitation;
use super::tables::reporters::{Edition, choose, spellings};
use crate::model::CitationForm;
use crate::static_regex::static_regex;

static_regex!(
    /// The All India Reporter: year, court, page.
    air_regex,
    r"\b(?:AIR|A\.\s?I\.\s?R\.|Air),?\s?[(\[]?(?P<volume>1[89]\d\d|20\d\d)[)\]]?,?\s(?P<name>[A-Z][A-Za-z&.]{0,8}(?:\s?\([A-Z]{1,4}\))?)\s(?P<page>\d{1,5})\b"
);
static_regex!(
    /// A year and a volume in parentheses, or a supplement, before a reporter.
    year_volume_regex,
    r"(?:^|[^\w/.-])(?P<all>[(\[]?(?P<year>(?:18|19|20)\d\d)[)\]]?\s{0,3}(?:[(\[](?P<volume>\d{1,2}|[Ss]upp\.?(?:\s?\d)?|[IVX]{1,4})[)\]]|(?P<supplement>Supp\.?(?:\s?\(?\d{1,2}\)?)?))\s{0,3})[A-Z]"
);
static_regex!(
    /// A page, perhaps behind the court in parentheses.
    page_regex,
    r"^\s{0,5}(?:\([A-Za-z&]{1,12}\)\s?)?(?P<page>\d{1,5})\b"
);

/// Every such citation, in order.
pub(super) fn indian_citations(text: &str) -> Vec<CoreCitation> {
    let mut found: Vec<CoreCitation> = air(text).collect();
    found.extend(by_year_and_volume(text));
    found.sort_by_key(|citation| citation.start);
    found
}

fn air(text: &str) -> impl Iterator<Item = CoreCitation> + '_ {
    air_regex().captures_iter(text).filter_map(|captures| {
        let whole = captures.get(0)?;
        let name = format!("AIR {}", &captures["name"]);
        Some(CoreCitation {
            start: whole.start(),
            end: whole.end(),
            volume: Some(captures["volume"].to_owned()),
            series_of: name.clone(),
            reporter: name,
            written: 0..0,
            form: CitationForm::FullCase,
            court: None,
            page: Some(captures["page"].to_owned()),
            year: captures["volume"].parse().ok(),
        })
    })
}

fn by_year_and_volume(text: &str) -> impl Iterator<Item = CoreCitation> + '_ {
    year_volume_regex().captures_iter(text).filter_map(|captures| {
        let all = captures.name("all")?;
        let mut best: Option<(usize, &'static Edition)> = None;
        abbreviation_ends(&text[all.end()..], |key, _, length| {
            let raw = &text[all.end()..all.end() + length];
            if let Some(edition) = choose(spellings(key), raw, None, None, Edition::is_foreign) {
                best = Some((all.end() + length, edition));
            }
        });
        let (name_end, edition) = best?;
        let page = page_regex().captures(&text[name_end..])?.name("page")?;
        let volume = captures.name("volume").or(captures.name("supplement"))?;
        Some(CoreCitation {
            start: all.start(),
            end: name_end + page.end(),
            volume: Some(volume.as_str().to_owned()),
            reporter: edition.name.to_owned(),
            series_of: edition.series_of.to_owned(),
            written: 0..0,
            form: CitationForm::FullCase,
            court: None,
            page: Some(page.as_str().to_owned()),
            year: captures["year"].parse().ok(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn year_volume_reporter_and_page() {
        for (text, normal) in [
            ("2001(3)KLT44", "3 KLT 44"),
            ("2001 (3) KLT 44", "3 KLT 44"),
            ("1991 Supp (2) SCC 12", "Supp (2) SCC 12"),
            ("[1999] (I) MLJ 7", "I MLJ 7"),
            ("AIR 1961 Bom 12", "1961 AIR Bom 12"),
            ("A.I.R. 1961 S.C. 12", "1961 AIR S.C. 12"),
        ] {
            let found = indian_citations(text);
            assert_eq!(found.iter().map(CoreCitation::normal).collect::<Vec<_>>(), [normal]);
            assert_eq!((found[0].start, found[0].end), (0, text.len()), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_none() {
        for text in ["in 2001 (3) The court 44", "2001 (4) U.S. 5", "1999 (2) Cal. 9"] {
            assert!(indian_citations(text).is_empty(), "{text}");
        }
    }
}
