//! Whether a pin page can lie in the authority that a back reference is taken to mean.

use crate::model::{CitationForm, CitationParts};

/// No case takes more pages of a printed reporter than this: *Buckley v. Valeo*, one of the longest, takes 294.
const LONGEST_OPINION: u32 = 400;

/// Whether the pin can lie in the cited authority.
///
/// Printed reporters have pages, which begin with the first page of the case. Databases number screens with a star,
/// neutral citations paragraphs; so `*5` and `¶ 5` do not fit a case that is cited by a printed reporter alone.
pub(super) fn pin_fits(source: &CitationParts, pin: Option<&str>) -> bool {
    let Some(pin) = pin else { return true };
    if !matches!(source.form, CitationForm::FullCase | CitationForm::Journal) {
        return true;
    }
    let pin = pin.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    let pin = pin.strip_prefix("at ").unwrap_or(pin).trim_start();
    let first = pin.chars().next().unwrap_or(' ');
    let printed = is_printed(source);
    match first {
        '*' | '¶' => return !printed,
        '§' => return source.form != CitationForm::FullCase,
        // `at ___ (slip op., at 5)`
        '_' | '-' | '—' => return true,
        _ => {}
    }
    let Some(page) = &source.page else {
        // The page of the case is not yet known, so none can be compared with it.
        return pin.contains("slip");
    };
    if !printed || !first.is_ascii_digit() {
        // A note, or the screen of a database without its star.
        return true;
    }
    match (number(page), number(pin)) {
        (Some(page), Some(pin)) => page <= pin && pin <= page.saturating_add(LONGEST_OPINION),
        _ => true,
    }
}

/// Whether the citation is to a printed volume.
fn is_printed(source: &CitationParts) -> bool {
    let reporter = source.reporter.as_deref().unwrap_or_default();
    let database = reporter == "WL" || reporter.ends_with("LEXIS") || reporter.contains("OnLine");
    let by_year = source.volume.as_deref().is_some_and(|volume| {
        volume.len() == 4 && volume.parse().is_ok_and(|year: u16| (1750..2100).contains(&year))
    });
    !database && !by_year
}

/// The first number of a text, without its commas.
fn number(text: &str) -> Option<u32> {
    let digits: String = text
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(|c| c.is_ascii_digit() || *c == ',')
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(volume: &str, reporter: &str, page: Option<&str>) -> CitationParts {
        let mut parts = CitationParts::new(CitationForm::FullCase, 0, 1);
        parts.volume = Some(volume.to_owned());
        parts.reporter = Some(reporter.to_owned());
        parts.page = page.map(str::to_owned);
        parts
    }

    #[test]
    fn pages_lie_between_the_first_and_the_longest_opinion() {
        let printed = case("88", "F.3d", Some("400"));
        for (pin, fits) in [
            ("at 400", true),
            ("at 423-24", true),
            // As far into a case as *Buckley v. Valeo* goes.
            ("at 693", true),
            ("at 399", false),
            ("at 12", false),
            ("at 1,200", false),
            ("at *4", false),
            ("¶ 9", false),
            ("n.4", true),
        ] {
            assert_eq!(pin_fits(&printed, Some(pin)), fits, "{pin}");
        }
        assert!(pin_fits(&printed, None));
    }

    #[test]
    fn databases_have_screens_and_neutral_citations_paragraphs() {
        assert!(pin_fits(&case("2011", "WL", Some("3141592")), Some("at *4")));
        assert!(pin_fits(&case("2011", "WL", Some("3141592")), Some("at 4")));
        assert!(pin_fits(&case("2019", "CO", Some("31")), Some("¶ 4")));
    }

    #[test]
    fn a_case_without_a_page_has_pins_of_the_slip_opinion() {
        let blank = case("590", "U.S.", None);
        assert!(pin_fits(&blank, None));
        assert!(pin_fits(&blank, Some("at ___ (slip op., at 4)")));
        assert!(!pin_fits(&blank, Some("at 31")));
    }
}
