//! Louisiana's citations by docket number, court and date: `2009-1359 (La.App. 1 Cir. 5/10/10)`.

use super::core_citation::{CoreCitation, year};
use super::tables::reporter_key::reporter_key;
use super::tables::reporters::{choose, spellings};
use crate::model::CitationForm;
use crate::static_regex::static_regex;

static_regex!(
    docket_regex,
    r"\b(?P<volume>\d{2}|(?:19|20)\d{2})[-– ](?P<page>[A-Z]{0,3}-?\d{2,5}[A-Z]{0,2})\s{0,20}\((?P<name>La\.?\s?App\.?\s?\d\s?(?:st|nd|rd|th)?\s?Cir\.?),?\s{1,20}(?P<date>\d{1,2}/\d{1,2}/(?P<year>\d{2}|\d{4}))\)"
);

/// Every citation by docket number, in order.
pub(super) fn docket_citations(text: &str) -> Vec<CoreCitation> {
    // Few papers are Louisiana's; the others need not wait for the expression.
    let courts = if text.contains("Cir") { text } else { "" };
    docket_regex()
        .captures_iter(courts)
        .filter_map(|captures| {
            let whole = captures.get(0)?;
            let name = &captures["name"];
            let key = reporter_key(name).replace("st", "").replace("nd", "");
            let key = key.replace("rd", "").replace("th", "");
            let edition = choose(spellings(&key), name, None, None, |one| one.is_of_docket())?;
            let reporter = edition.name;
            Some(CoreCitation {
                start: whole.start(),
                end: whole.end(),
                volume: Some(captures["volume"].to_owned()),
                reporter: reporter.to_owned(),
                series_of: reporter.to_owned(),
                written: 0..0,
                form: CitationForm::FullCase,
                court: None,
                page: Some(captures["page"].to_owned()),
                year: year(&captures["year"]),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docket_number_court_and_date_are_one_citation() {
        let found = docket_citations("Roe v. Doe, 97-0123 (La. App. 4 Cir. 3/4/98), 7 So. 2d 8");
        assert_eq!(found[0].normal(), "97 La.App. 4 Cir. 0123");
        assert_eq!(found[0].year, Some(1998));
        assert!(docket_citations("2003-0456 (Tex. 2004) and 12-34 (1/2/03)").is_empty());
    }
}
