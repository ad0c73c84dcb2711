//! Further sections of a list: `18 U.S.C. §§ 922(g), 924(a)(2) and 3551` cites three.

use crate::model::{CitationParts, EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    next_regex,
    r"^(?:,\s{1,20}(?:and\s{1,20}|or\s{1,20}|&\s{1,20})?|\s{1,20}(?:and|or|&)\s{1,20})(?:§{1,2}\s{0,20})?(?P<section>\d{1,5}[a-z]{0,2}(?:[.:–-]\d+[a-z]?)*(?:\([A-Za-z0-9]{1,5}\))*)"
);
static_regex!(
    /// The number belongs to what follows: another title, a date, a count.
    belongs_regex,
    r"^(?:[\w%]|\s{1,20}(?:[A-Z]|U\.|C\.|(?:days|years|months|counts|persons|members)\b))"
);

/// No list of sections is longer.
const LONGEST: usize = 24;

/// The sections behind those of the mentions that announce several.
pub(super) fn further_sections(text: &str, mentions: &[Mention]) -> Vec<Mention> {
    let mut found = Vec::new();
    for mention in mentions {
        let several = mention.text.contains("§§")
            || ["ections", "arts ", "ecs."].iter().any(|word| mention.text.contains(word));
        let Some(parts) = mention.citation().filter(|_| several) else { continue };
        let (Some(reporter), Some(_)) = (&parts.reporter, &parts.section) else { continue };
        let mut end = mention.end;
        for _ in 0..LONGEST {
            let Some(captures) = next_regex().captures(&text[end..]) else { break };
            let Some(section) = captures.name("section") else { break };
            let (start, next) = (end + section.start(), end + section.end());
            if belongs_regex().is_match(&text[next..]) {
                break;
            }
            let title =
                parts.volume.as_ref().map(|volume| format!("{volume} ")).unwrap_or_default();
            let normal = format!("{title}{reporter} § {}", section.as_str());
            let mut own = CitationParts::new(parts.form, start, next);
            own.volume.clone_from(&parts.volume);
            own.reporter = Some(reporter.clone());
            own.series_of.clone_from(&parts.series_of);
            own.section = Some(section.as_str().to_owned());
            let further = Mention::new(EntityKind::Citation, text, start, next, normal);
            found.push(further.with_citation(own));
            end = next;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::entities::statutes::statutes;

    fn normals(text: &str) -> Vec<String> {
        let mut found = statutes(text);
        found.sort_by_key(|mention| mention.start);
        found.into_iter().map(|mention| mention.normal).collect()
    }

    #[test]
    fn each_section_of_a_list_is_cited() {
        for (text, expected) in [
            (
                "18 U.S.C. §§ 9a(g), 11(a)(2), and 35.",
                vec!["18 U.S.C. § 9a(g)", "18 U.S.C. § 11(a)(2)", "18 U.S.C. § 35"],
            ),
            ("7 C.F.R. parts 19 and 26", vec!["7 C.F.R. § 19", "7 C.F.R. § 26"]),
            (
                "Va. Code Ann. §§ 18.2-32, 18.2-33",
                vec!["Va. Code Ann. § 18.2-32", "Va. Code Ann. § 18.2-33"],
            ),
            ("18 U.S.C. §§ 9, 21 U.S.C. § 8", vec!["18 U.S.C. § 9", "21 U.S.C. § 8"]),
            ("18 U.S.C. §§ 9 and 60 months", vec!["18 U.S.C. § 9"]),
            ("18 U.S.C. § 9, 60", vec!["18 U.S.C. § 9"]),
        ] {
            assert_eq!(normals(text), expected, "{text}");
        }
    }
}
