//! Rules of courts, sentencing guidelines and executive orders: `Fed. R. Civ. P. 12(b)(6)`, `Exec. Order No. 12,345`.

use super::law_citations::{one_line, section_end};
use super::tables::codes::state;
use super::tables::reporter_key::reporter_key;
use crate::model::{CitationForm, CitationParts, EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    rules_regex,
    r"(?x)\b(?P<code>
      (?:Fed\.?|F\.|(?P<place>[A-Z][a-z]{1,5}\.|[A-Z]\.\s?[A-Z]\.|W\.\s?Va\.))\s?R\.?\s?
        (?:Civ|Crim|Cr|App|Evid|Bankr|Prof|Sup|Ct|Gen|Juv|Prob|Super|Jud)\b\.?\s?(?:(?:Proc|P|R|Conduct|Admin|Cts?)\b\.?\s?){0,3}
      |(?:Pa|Tex|Mo|Ala|Ark|Del|Haw|Mass|Minn|Miss|Nev|Tenn|Vt|Va|Wyo|Utah|Ohio|Ind)\.?\s?R\.\s?(?:C|Cr|Crim|Civ|A|App|E)\.\s?(?:P\.)?
      |U\.?S\.?S\.?G\.?|FRCP|FRAP|FRE|F\.R\.E\.|F\.R\.C\.P\.|F\.R\.A\.P\.|Sup\.\s?Ct\.\s?R\.
      |Federal\s+Rules?\s+of\s+(?:(?:Civil|Criminal|Appellate|Bankruptcy)\s+Procedure|Evidence))
      ,?\s*(?:§{1,2}\s*)?(?:[Rr]ules?\s+)?(?P<section>\d[\w.]*(?:-\d[\w.]*)?(?:\([A-Za-z0-9]{1,5}\))*)"
);
static_regex!(
    order_regex,
    r"\b(?:(?P<order>Exec(?:utive|\.)\s+Orders?|E\.\s?O\.)|(?P<proclamation>Proclamation|Proc\.))\s+(?:Nos?\.\s?)?(?P<number>\d{1,2},?\d{3})\b"
);

/// Every rule and order of this kind.
pub(super) fn court_rules(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    for captures in rules_regex().captures_iter(text) {
        let (Some(whole), Some(section)) = (captures.get(0), captures.name("section")) else {
            continue;
        };
        let place = captures.name("place").map(|place| place.as_str());
        if place.is_some_and(|place| state(&reporter_key(place), place).is_none()) {
            continue;
        }
        let end = section_end(text, section.start(), whole.end());
        let code = one_line(captures["code"].trim_end());
        let number = &text[section.start()..end];
        let mut parts = CitationParts::new(CitationForm::Statute, whole.start(), end);
        parts.section = Some(number.to_owned());
        let normal = format!("{} {number}", canonical(&code).unwrap_or(&code));
        parts.reporter = Some(code);
        let mention = Mention::new(EntityKind::Citation, text, whole.start(), end, normal);
        found.push(mention.with_citation(parts));
    }
    for captures in order_regex().captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        let series = if captures.name("order").is_some() { "Exec. Order" } else { "Proclamation" };
        let number = captures["number"].replace(',', "");
        let mut parts = CitationParts::new(CitationForm::Regulation, whole.start(), whole.end());
        parts.reporter = Some(series.to_owned());
        let normal = format!("{series} No. {number}");
        parts.section = Some(number);
        let mention = Mention::new(EntityKind::Citation, text, whole.start(), whole.end(), normal);
        found.push(mention.with_citation(parts));
    }
    found
}

/// The Bluebook's form of a set of federal rules: `FRE` and `Federal Rules of Evidence` are `Fed. R. Evid.`
fn canonical(code: &str) -> Option<&'static str> {
    let key = reporter_key(code);
    match key.as_str() {
        "ussg" => return Some("U.S.S.G."),
        "supctr" => return Some("Sup. Ct. R."),
        _ => {}
    }
    let subject = ["federalrulesof", "federalruleof", "fedr", "fr"]
        .iter()
        .find_map(|opening| key.strip_prefix(opening))?;
    match subject {
        "civp" | "civ" | "civproc" | "civilprocedure" | "cp" => Some("Fed. R. Civ. P."),
        "crimp" | "crim" | "crimproc" | "crp" | "criminalprocedure" => Some("Fed. R. Crim. P."),
        "appp" | "app" | "appproc" | "ap" | "appellateprocedure" => Some("Fed. R. App. P."),
        "bankrp" | "bankr" | "bankrproc" | "bankruptcyprocedure" => Some("Fed. R. Bankr. P."),
        "evid" | "e" | "evidence" => Some("Fed. R. Evid."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_orders() {
        for (text, normal) in [
            ("Fed. R. Civ. P. 12(b)(6).", "Fed. R. Civ. P. 12(b)(6)"),
            ("Fed.R.Evid. 801(d)(2)", "Fed. R. Evid. 801(d)(2)"),
            ("FRE 801(d)(2)", "Fed. R. Evid. 801(d)(2)"),
            ("Federal Rules of Evidence 801(d)(2)", "Fed. R. Evid. 801(d)(2)"),
            ("FRCP 12(b)(6)", "Fed. R. Civ. P. 12(b)(6)"),
            ("Fed. R. Crim. P. 11", "Fed. R. Crim. P. 11"),
            ("F.R.A.P. 4", "Fed. R. App. P. 4"),
            ("Federal Rule of Civil Procedure 56(c)", "Fed. R. Civ. P. 56(c)"),
            ("Ala. R. Civ. P. 56", "Ala. R. Civ. P. 56"),
            ("Cal. R. Ct. 8.204", "Cal. R. Ct. 8.204"),
            ("N.M. R. Evid. 11-401", "N.M. R. Evid. 11-401"),
            ("Pa.R.C.P. 1042", "Pa.R.C.P. 1042"),
            ("Sup. Ct. R. 10", "Sup. Ct. R. 10"),
            ("U.S.S.G. § 2D1.1(b)", "U.S.S.G. 2D1.1(b)"),
            ("Exec. Order No. 13,111", "Exec. Order No. 13111"),
            ("Executive Order 12999", "Exec. Order No. 12999"),
        ] {
            let found: Vec<String> = court_rules(text).into_iter().map(|m| m.normal).collect();
            assert_eq!(found, [normal], "{text}");
        }
    }

    #[test]
    fn other_abbreviations_are_no_rules() {
        for text in
            ["Messrs. R. Croft 12", "Order 12 of the court", "12 Tenn. App. 5", "Dr. R. App 3"]
        {
            assert!(court_rules(text).is_empty(), "{text} {:?}", court_rules(text));
        }
    }
}
