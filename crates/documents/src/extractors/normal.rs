//! The normal form of a quote that another extractor found: the one that the rules give to its words.

use std::ops::Range;

use crate::entities::{court_key, mentions, normal_name};
use crate::model::{EntityKind, Mention};

/// Bytes of a quote that are looked at; the longest citations have some hundreds.
const MAX_QUOTE: usize = 2_000;

/// The mention of the bytes `place` of `text` as the rules would write it; `None` if it has no normal form of its
/// kind: a date without a day, a sum without a number.
pub(super) fn in_normal_form(kind: EntityKind, text: &str, place: Range<usize>) -> Option<Mention> {
    let quote = text.get(place.clone()).filter(|quote| quote.len() <= MAX_QUOTE)?;
    if let Some(mut found) = mentions(quote).into_iter().find(|found| found.kind == kind) {
        found.shift(place.start);
        return Some(found);
    }
    let words = quote.split_whitespace().collect::<Vec<_>>().join(" ");
    let normal = match kind {
        EntityKind::Party | EntityKind::Judge | EntityKind::Lawyer => normal_name(&words),
        EntityKind::Court => court_key(&words).unwrap_or(words),
        EntityKind::Citation | EntityKind::DocketNumber => words,
        _ => return None,
    };
    Some(Mention::new(kind, text, place.start, place.end, normal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(kind: EntityKind, quote: &str) -> Option<(String, String)> {
        let text = format!("xx {quote} yy");
        let found = in_normal_form(kind, &text, 3..3 + quote.len())?;
        assert_eq!(&text[found.start..found.end], found.text);
        Some((found.normal, found.text))
    }

    #[test]
    fn a_quote_has_the_normal_form_of_the_rules() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(normal(EntityKind::Date, "March 3, 2021"), pair("2021-03-03", "March 3, 2021"));
        assert_eq!(
            normal(EntityKind::Party, "ACME COLD\nSTORAGE"),
            pair("Acme Cold Storage", "ACME COLD\nSTORAGE")
        );
        let court = normal(EntityKind::Court, "Supreme Court of the United States").unwrap();
        assert_eq!(court.0, "scotus");
        let text = "In Poe v. Doe, 512 U.S. 100, 110 (1994).";
        let found = in_normal_form(EntityKind::Citation, text, 3..text.len() - 1).unwrap();
        assert_eq!(found.text, "512 U.S. 100");
        assert_eq!(found.citation().unwrap().full_end, text.len() - 1);
        assert_eq!(
            found,
            mentions(text).into_iter().find(|one| one.kind == EntityKind::Citation).unwrap()
        );
    }

    #[test]
    fn what_has_no_normal_form_of_its_kind_is_none() {
        assert_eq!(normal(EntityKind::Date, "last spring"), None);
        assert_eq!(normal(EntityKind::Money, "a good deal"), None);
        assert_eq!(normal(EntityKind::Party, &"Roe ".repeat(600)), None);
    }
}
