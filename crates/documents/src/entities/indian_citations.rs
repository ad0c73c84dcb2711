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
    /// A year and a volume in parentheses, a supplement, or a year in brackets alone, before a reporter.
    year_volume_regex,
    r"(?:^|[^\w/.-])(?P<all>(?:(?:\((?P<year1>(?:18|19|20)\d\d)\)|\[(?P<year2>(?:18|19|20)\d\d)\]|(?P<year3>(?:18|19|20)\d\d))\s{0,3}(?:[(\[](?P<volume>\d{1,2}|[Ss]upp\.?(?:\s?\d)?|[IVX]{1,4})[)\]]|(?P<supplement>Supp\.?(?:\s?\(?\d{1,2}\)?)?))|\[(?P<year4>(?:18|19|20)\d\d)\])\s{0,3})[A-Z]"
);
static_regex!(
    /// Indian Law Reports by year or volume and court, and numbers of a database and of neutral citations.
    other_regex,
    r"\bI\.?L\.?R\.?,?\s?[(\[]?(?P<volume>(?:18|19|20)\d\d|\d{1,2})[)\]]?,?\s(?:(?:\d{1,2}|[IVX]{1,4})\s)?(?P<name>[A-Z][A-Za-z&.]{1,12})\s(?P<page>\d{1,5})\b|\bMANU/(?P<court>[A-Z]{2,4})/(?P<number>\d{4})/(?P<year>\d{4})\b|\b(?P<year5>20\d\d):(?P<court5>[A-Z]{2,6}(?:-[A-Z]{2,4})?):(?P<number5>\d{1,6})\b"
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
    found.extend(others(text));
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
        let year = ["year1", "year2", "year3", "year4"]
            .iter()
            .find_map(|name| captures.name(name))
            .map(|year| year.as_str())?;
        let volume = captures.name("volume").or(captures.name("supplement"));
        Some(CoreCitation {
            start: all.start(),
            end: name_end + page.end(),
            volume: Some(volume.map_or(year, |volume| volume.as_str()).to_owned()),
            reporter: edition.name.to_owned(),
            series_of: edition.series_of.to_owned(),
            written: 0..0,
            form: CitationForm::FullCase,
            court: None,
            page: Some(page.as_str().to_owned()),
            year: year.parse().ok(),
        })
    })
}

fn others(text: &str) -> impl Iterator<Item = CoreCitation> + '_ {
    other_regex().captures_iter(text).filter_map(|captures| {
        let whole = captures.get(0)?;
        let part = |names: &[&str]| {
            names.iter().find_map(|name| captures.name(name)).map(|part| part.as_str().to_owned())
        };
        let series = match (captures.name("name"), captures.name("court"), captures.name("court5"))
        {
            (Some(court), ..) => format!("ILR {}", court.as_str()),
            (_, Some(court), _) => format!("MANU {}", court.as_str()),
            (_, _, Some(court)) => court.as_str().to_owned(),
            _ => return None,
        };
        let volume = part(&["volume", "year", "year5"])?;
        Some(CoreCitation {
            start: whole.start(),
            end: whole.end(),
            year: volume.parse().ok().filter(|year| *year > 1800),
            volume: Some(volume),
            reporter: series.clone(),
            series_of: series,
            written: 0..0,
            form: CitationForm::FullCase,
            court: None,
            page: part(&["page", "number", "number5"]),
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
            ("[1947] AC 9", "1947 AC 9"),
            ("[1999] UKHL 9", "1999 UKHL 9"),
            ("ILR 1977 Delhi 9", "1977 ILR Delhi 9"),
            ("ILR 12 Cal 9", "12 ILR Cal 9"),
            ("MANU/SC/0009/1999", "1999 MANU SC 0009"),
            ("2022:DHC:99", "2022 DHC 99"),
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
