//! Sections that stand before their code: `section 552 of title 5`, `§ 19.2-81 of the Code of Virginia`.

use super::law_citations::{code_name_end, one_line};
use crate::model::{CitationForm, CitationParts, EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    title_regex,
    r"(?i)^,?\s{1,20}(?:of\s{1,20})?title\s{1,20}(?P<title>\d{1,2})\b(?P<name>,?\s{1,20}(?:of\s{1,20}the\s{1,20})?(?:United\s{1,20}States\s{1,20}Code|U\.\s?S\.\s?C(?:ode|\.)|(?P<cfr>Code\s{1,20}of\s{1,20}Federal\s{1,20}Regulations|C\.\s?F\.\s?R\.))(?:\s{1,20}Annotated)?)?"
);
static_regex!(opening_regex, r"^(?:,\s{1,20}|,?\s{1,20}of\s{1,20}(?:the\s{1,20})?)");

/// The citation of a section whose code follows; `start..end` is the section.
pub(super) fn section_of_code(
    text: &str,
    start: usize,
    end: usize,
    number: &str,
) -> Option<Mention> {
    let rest = &text[end..];
    if let Some(captures) = title_regex().captures(rest) {
        let cfr = captures.name("cfr").is_some();
        let (form, code) = if cfr {
            (CitationForm::Regulation, "C.F.R.")
        } else {
            (CitationForm::Statute, "U.S.C.")
        };
        let end = end + captures.get(0).map_or(0, |whole| whole.end());
        let mut parts = CitationParts::new(form, start, end);
        parts.volume = Some(captures["title"].to_owned());
        parts.reporter = Some(code.to_owned());
        parts.section = Some(number.to_owned());
        let normal = format!("{} {code} § {number}", &captures["title"]);
        return Some(
            Mention::new(EntityKind::Citation, text, start, end, normal).with_citation(parts),
        );
    }
    let opening = opening_regex().find(rest)?;
    let name = end + opening.end();
    let name_end = code_name_end(text, name)?;
    let code = one_line(&text[name..name_end]);
    let form = CitationForm::Statute;
    let mut parts = CitationParts::new(form, start, name_end);
    let normal = format!("{code} § {number}");
    parts.reporter = Some(code);
    parts.section = Some(number.to_owned());
    Some(Mention::new(EntityKind::Citation, text, start, name_end, normal).with_citation(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str, section: &str) -> Option<String> {
        section_of_code(text, 0, section.len(), "7").map(|mention| mention.normal)
    }

    #[test]
    fn the_code_follows_the_section() {
        for (rest, expected) in [
            (" of title 5", "5 U.S.C. § 7"),
            (" of Title 36, United States Code,", "36 U.S.C. § 7"),
            (" of title 33, Code of Federal Regulations", "33 C.F.R. § 7"),
            (" of the Code of Virginia", "Code of Virginia § 7"),
            (" of the California Penal Code.", "California Penal Code § 7"),
            (", Florida Statutes", "Florida Statutes § 7"),
        ] {
            let text = format!("section 7{rest}");
            assert_eq!(normal(&text, "section 7").as_deref(), Some(expected), "{rest}");
        }
    }

    #[test]
    fn other_texts_are_no_codes() {
        for rest in [" of the Act", " of the Indian Penal Code", " of Virginia", ", Ohio"] {
            assert_eq!(normal(&format!("section 7{rest}"), "section 7"), None, "{rest}");
        }
    }
}
