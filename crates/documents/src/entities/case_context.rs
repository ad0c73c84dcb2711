//! Completes citations from the text behind them once all are read: brackets that close, years of later decisions.

use crate::model::{CitationForm, Mention};
use crate::static_regex::static_regex;

static_regex!(
    /// The act of a later court, between the citations of two decisions in one case.
    history_regex,
    r"^,?\s{1,40}(?:cert\.|aff['’]d|rev['’]d|vacated|modified|appeal|reh['’]g|rehearing|review|leave|pet\.|petition|remanded|op\.|opinion)\b?[^()]{0,60}$"
);
/// Gives a decision without a year that of the later one in its history: `(1st Cir.), cert. denied, 5 U.S. 6 (1999)`
/// names the year once if it is the same (Bluebook rule 10.5).
pub(super) fn years_of_history(text: &str, mentions: &mut [Mention]) {
    for at in (1..mentions.len()).rev() {
        let (head, tail) = mentions.split_at_mut(at);
        let (Some(earlier), Some(later)) = (head.last_mut(), tail.first()) else { continue };
        let (start, year) = (later.start, later.citation().and_then(|parts| parts.year));
        if let Some(parts) = earlier.attributes.citation.as_deref_mut()
            && parts.form == CitationForm::FullCase
            && parts.year.is_none()
            && parts.court.is_some()
            && text.get(parts.full_end..start).is_some_and(|gap| history_regex().is_match(gap))
        {
            parts.year = year;
        }
    }
}

/// Adds the bracket that closes behind a reference, if it opens within: `Roe v. Doe [1967 SLR 759]`.
pub(super) fn close_brackets(text: &str, mentions: &mut [Mention]) {
    for mention in mentions {
        let Some(parts) = mention.attributes.citation.as_deref_mut() else { continue };
        let (Some(inside), Some(behind)) =
            (text.get(parts.full_start..parts.full_end), text.get(parts.full_end..))
        else {
            continue;
        };
        let open = |open: char, close: char| {
            inside.matches(open).count() > inside.matches(close).count()
                && behind.trim_start_matches(' ').starts_with(close)
        };
        if inside.len() < 600 && (open('[', ']') || open('(', ')')) {
            parts.full_end += behind.len() - behind.trim_start_matches(' ').len() + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::entities::case_citations::case_citations;
    use crate::model::CitationParts;

    fn first(text: &str) -> CitationParts {
        case_citations(text)[0].citation().unwrap().clone()
    }

    #[test]
    fn the_year_of_the_history_is_that_of_the_decision() {
        let text = "Roe v. Doe, 3 F.2d 4, 6 (1st Cir.), cert. denied, 270 U.S. 9 (1926)";
        let parts = first(text);
        assert_eq!((parts.year, parts.court.as_deref()), (Some(1926), Some("ca1")));
        assert_eq!(first("Roe v. Doe, 3 F.2d 4 (1st Cir.); 270 U.S. 9 (1926)").year, None);
    }

    #[test]
    fn a_bracket_that_opens_within_closes_within() {
        let text = "State v. Alder [AIR 1967 SC 12 : (1967) 2 SCR 65], so";
        assert_eq!(
            &text[..first(text).full_end],
            "State v. Alder [AIR 1967 SC 12 : (1967) 2 SCR 65]"
        );
        let text = "(see Roe v. Doe, 3 F.2d 4)";
        assert!(!text[..first(text).full_end].ends_with(')'));
    }
}
