//! Finds provisions of law with their sections: gathers those of codes and court rules, and reads acts by name.

use super::court_rules::court_rules;
use super::law_citations::{law_citations, one_line, section_end};
use super::legislation::legislation;
use super::section_lists::further_sections;
use super::section_of_code::section_of_code;
use super::windows::windows;
use crate::model::{CitationForm, CitationParts, EntityKind, Mention};
use crate::static_regex::static_regex;

/// A section number with its subsections: `1983`, `10a-10c`, `924(c)(1)(A)`, `85.25(h)`, `19.2-56.2`.
const SECTION: &str = r"\d[\w]*(?:[.:–-]\d*[A-Za-z]{0,2}\d*[A-Za-z]{0,2})*(?:\([A-Za-z0-9]{1,5}\))*(?:-\d{1,3}\b)?(?:-\d+[a-z]*(?:\(\w{1,5}\))+)?";

const SIGN: &str = r"(?:§{1,2}|[Ss]ec(?:tion|s?\.|tions)|[Ss]s\.)";

static_regex!(
    usc_regex,
    format!(
        r"(?i)(?:\b(?P<title>\d{{1,2}}),?\s+U\.?\s?S\.?\s?C\.?(?:\s?[AUS]\.?)?(?P<appendix>\s+App(?:\.|x\.?|endix))?|\b(?P<title2>\d{{1,2}}),?\s+U(?:nited|\.)\s?S(?:tates|\.)\s+Code(?:\s+Annotated)?|\btitle\s+(?P<title3>\d{{1,2}})(?:,?\s+of\s+the\s+United\s+States\s+Code)?,\s+sections?),?\s*(?:{SIGN}\s*){{0,2}}(?P<section>{SECTION})(?P<tail>\s+(?:note|\(note\)|et\s+seq\.?))?"
    )
);
static_regex!(
    cfr_regex,
    format!(
        r"(?i)\b(?P<title>\d{{1,2}}),?\s{{0,40}}C\.?\s?F\.?\s?R\.?,?\s*(?:{SIGN}\s*|[Pp](?:ar)?ts?\.?\s*)?(?P<section>{SECTION})"
    )
);
static_regex!(
    public_law_regex,
    r"(?i)\b(?P<kind>P(?:ub(?:lic)?|vt|riv(?:ate)?)?\.?\s?L(?:aw|\.)?)\s{0,4}(?:Nos?\.?\s{0,4}|Number\s)?(?P<number>\d{2,3}\s?[-–]\s?\d{1,4})\b(?P<part>,?\s{1,20}(?:§{1,2}|sec(?:tions?|s?\.))\s?\d[\w.-]*(?:\(\w{1,4}\))*)?"
);
static_regex!(
    bare_section_regex,
    format!(
        r"(?:§{{1,2}}\s*|\b(?:[Ss]ections?|[Ss]ub-?sections?|SECTIONS?|[Aa]rticles?|[Rr]ules?|[Cc]lauses?|[Oo]rder|[Ss]ec\.|[Ss]ec-\s?tions?|Regulations?|Amendment)\s*|\b(?:Ss?\.|[Uu]/[Ss]s?\.?)\s?)(?P<section>(?:\((?:\d{{1,3}}|[a-z]|[ivx]{{2,4}})\)|(?:\d|[IVX]+\b)[\w./]*(?:[-–:]\d[\w.]*)*)(?:\s?\([A-Za-z0-9]{{1,5}}\)|-[A-Z]\b)*(?:(?:\s*(?:,|and|&|or|to|read\s+with|r/w)\s*)+(?:[Ss]ections?\s+|[Rr]ule\s+)?(?:\d[\w./]*(?:\s?\([A-Za-z0-9]{{1,5}}\)|-[A-Z]\b)*|\([a-z0-9]{{1,4}}\)))*)"
    )
);
static_regex!(
    act_regex,
    r"\b(?P<act>(?:(?:[A-Z][\w'’.&-]*|of|and|the|for|to|on|in|&|\([A-Z][\w\s,&-]{2,60}\)),?\s+){0,10}?(?:[A-Z][\w'’&-]*|\([A-Z][\w\s,&-]{2,60}\)),?\s+(?:Act|Code|Ordinance|Bill|Sanhita|Adhiniyam|Rules|Regulations|Constitution)\b(?:,?\s*(?:of\s+)?(?:1[6-9]\d\d|20\d\d))?|(?:the\s+)?Constitution(?:\s+of\s+(?:India|the\s+United\s+States))?|(?:I\.?P\.?C|Cr\.?\s?P\.?C|C\.?P\.?C|N\.?D\.?P\.?S|IPC|CrPC|Cr\.PC|Cr\. P\. C)\b\.?|(?:[A-Z]{2,10})\s+(?:Act|Code|Rules|Regulations)\b(?:,?\s*(?:of\s+)?(?:1[6-9]\d\d|20\d\d))?)"
);

static_regex!(
    section_trigger,
    r"§|ection|Sec-|\bSs?\.\s?\d|[Uu]/[Ss]|SECTION|rticle|[Rr]ules?\s+\d|[Cc]lauses?\s|Order\s+[IVX\d]|[Ss]ec\.|Regulations?\s+\d|Amendment\s+[\dIVX]"
);
static_regex!(
    act_trigger,
    r"\b(?:Act|Code|Ordinance|Bill|Sanhita|Adhiniyam|Rules|Regulations|Constitution|I\.?P\.?C|Cr\.?\s?P\.?\s?C|C\.?P\.?C|N\.?D\.?P\.?S)\b"
);

/// Every statute, regulation and constitution cited in the text.
pub(super) fn statutes(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut taken: Vec<(usize, usize)> = Vec::new();
    // The special forms come first, so that the general ones do not match their text.
    usc(text, &mut found);
    cfr(text, &mut found);
    public_laws(text, &mut found);
    found.extend(court_rules(text));
    found.extend(legislation(text));
    taken.extend(found.iter().map(|m: &Mention| {
        (m.start, m.citation().map_or(m.end, |parts| parts.full_end.max(m.end)))
    }));
    taken.sort_unstable();
    let mut codes = law_citations(text);
    codes.retain(|m| !is_taken(&taken, m.start, m.end));
    taken.extend(codes.iter().map(|m: &Mention| (m.start, m.end)));
    taken.sort_unstable();
    found.append(&mut codes);
    let mut lists = further_sections(text, &found);
    lists.retain(|m| !is_taken(&taken, m.start, m.end));
    taken.extend(lists.iter().map(|m: &Mention| (m.start, m.end)));
    taken.sort_unstable();
    found.append(&mut lists);
    let mut general = Vec::new();
    bare_sections(text, &taken, &mut general);
    taken.extend(general.iter().map(|m: &Mention| (m.start, m.end)));
    taken.sort_unstable();
    acts(text, &taken, &mut general);
    found.append(&mut general);
    found
}

/// Whether `start..end` overlaps one of the sorted spans.
fn is_taken(taken: &[(usize, usize)], start: usize, end: usize) -> bool {
    let after = taken.partition_point(|(_, taken_end)| *taken_end <= start);
    taken.get(after).is_some_and(|(taken_start, _)| *taken_start < end)
}

fn push(
    found: &mut Vec<Mention>,
    text: &str,
    span: (usize, usize),
    normal: String,
    parts: CitationParts,
) {
    let mention = Mention::new(EntityKind::Citation, text, span.0, span.1, normal);
    found.push(mention.with_citation(parts));
}

fn usc(text: &str, found: &mut Vec<Mention>) {
    for captures in usc_regex().captures_iter(text) {
        let (Some(whole), Some(section)) = (captures.get(0), captures.name("section")) else {
            continue;
        };
        let title = ["title", "title2", "title3"]
            .iter()
            .find_map(|name| captures.name(name))
            .map_or("", |title| title.as_str());
        let end = if captures.name("tail").is_some() {
            whole.end()
        } else {
            section_end(text, section.start(), whole.end())
        };
        let number = one_line(text[section.start()..end].trim_end());
        // The appendix counts its sections anew.
        let appendix = if captures.name("appendix").is_some() { " App." } else { "" };
        let mut parts = CitationParts::new(CitationForm::Statute, whole.start(), end);
        parts.volume = Some(title.to_owned());
        parts.reporter = Some("U.S.C.".to_owned());
        parts.section = Some(number.clone());
        push(
            found,
            text,
            (whole.start(), end),
            format!("{title} U.S.C.{appendix} § {number}"),
            parts,
        );
    }
}

fn cfr(text: &str, found: &mut Vec<Mention>) {
    for captures in cfr_regex().captures_iter(text) {
        let (Some(whole), Some(section)) = (captures.get(0), captures.name("section")) else {
            continue;
        };
        let end = section_end(text, section.start(), whole.end());
        let title = &captures["title"];
        let number = one_line(&text[section.start()..end]);
        let mut parts = CitationParts::new(CitationForm::Regulation, whole.start(), end);
        parts.volume = Some(title.to_owned());
        parts.reporter = Some("C.F.R.".to_owned());
        parts.section = Some(number.clone());
        push(found, text, (whole.start(), end), format!("{title} C.F.R. § {number}"), parts);
    }
}

fn public_laws(text: &str, found: &mut Vec<Mention>) {
    for captures in public_law_regex().captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        let part = captures.name("part");
        let end = part.map_or(whole.end(), |part| part.start());
        let kind = &captures["kind"];
        let private = kind.to_lowercase().contains('v');
        let series = if private { "Pvt. L." } else { "Pub. L." };
        let number = captures["number"].replace('–', "-").replace(char::is_whitespace, "");
        let mut parts = CitationParts::new(CitationForm::Statute, whole.start(), whole.end());
        parts.reporter = Some(series.to_owned());
        parts.section = Some(number.clone());
        parts.pin_cite = part.map(|part| {
            one_line(
                part.as_str().trim_start_matches([',', ' ', '\n']).trim_end_matches(['.', '-']),
            )
        });
        push(found, text, (whole.start(), end), format!("{series} {number}"), parts);
    }
}

fn bare_sections(text: &str, taken: &[(usize, usize)], found: &mut Vec<Mention>) {
    let ranges = windows(text, section_trigger(), 12, 160);
    let hits = ranges.into_iter().flat_map(|range| {
        let at = range.start;
        bare_section_regex().captures_iter(&text[range]).filter_map(move |captures| {
            let (whole, section) = (captures.get(0)?, captures.name("section")?);
            Some((at + whole.start(), at + section.start(), at + whole.end()))
        })
    });
    for (start, section, whole_end) in hits {
        let end = section_end(text, section, whole_end);
        if is_taken(taken, start, end) {
            continue;
        }
        let number = one_line(&text[section..end]);
        let word = text[start..section].trim().to_lowercase();
        // `12 S. 5`: the letter belongs to what stands before it.
        let abbreviated = word.trim_end_matches('.').len() <= 2 && word.ends_with('.');
        if abbreviated && !stands_alone(&text[..start]) {
            continue;
        }
        let sign = match word.trim_end_matches('s') {
            "article" => "art.",
            "rule" => "r.",
            "clause" => "cl.",
            "order" => "ord.",
            "regulation" => "reg.",
            "amendment" => "amend.",
            _ => "§",
        };
        if sign == "§"
            && let Some(mention) = section_of_code(text, start, end, &number)
        {
            found.push(mention);
            continue;
        }
        let mut parts = CitationParts::new(CitationForm::Statute, start, end);
        parts.section = Some(number.clone());
        push(found, text, (start, end), format!("{sign} {number}"), parts);
    }
}

/// Whether a letter behind the text is no part of a name, an address or a citation.
fn stands_alone(before: &str) -> bool {
    let before = before.trim_end();
    !before.ends_with(|c: char| c.is_ascii_digit() || c == '.' || c == ',')
        && !before
            .rsplit(char::is_whitespace)
            .next()
            .is_some_and(|word| word.starts_with(char::is_uppercase))
}

fn acts(text: &str, taken: &[(usize, usize)], found: &mut Vec<Mention>) {
    const NOT_FIRST: [&str; 22] = [
        "the", "this", "that", "said", "under", "in", "of", "and", "for", "to", "on", "an", "a",
        "by", "see", "if", "such", "whether", "as", "when", "section", "&",
    ];
    let ranges = windows(text, act_trigger(), 140, 40);
    let hits = ranges.into_iter().flat_map(|range| {
        let at = range.start;
        act_regex().find_iter(&text[range]).map(move |act| at + act.start()..at + act.end())
    });
    for act in hits {
        let mut start = act.start;
        // The run of words may begin before the name: `Under the Evidence Act`.
        loop {
            let rest = &text[start..act.end];
            let Some(space) = rest.find(char::is_whitespace) else { break };
            if !NOT_FIRST.contains(&rest[..space].to_lowercase().trim_matches(',')) {
                break;
            }
            start += space + rest[space..].len() - rest[space..].trim_start().len();
        }
        // The full stop of the sentence is no part of `IPC`, but of `I.P.C.`
        let written = &text[start..act.end];
        let end = match written.strip_suffix('.') {
            Some(cut) if !cut.contains('.') => act.end - 1,
            _ => act.end,
        };
        let name = one_line(&text[start..end]);
        let words = name.split(' ').count();
        let generic =
            ["Act", "Code", "Bill", "Rules", "Regulations", "Ordinance"].contains(&name.as_str());
        // Lines with nothing between them are entries of a menu or headings, not one name.
        let is_list = text[start..end].split('\n').skip(1).any(|line| line.trim().is_empty());
        if generic || is_list || words > 14 || is_taken(taken, start, end) {
            continue;
        }
        let mut parts = CitationParts::new(CitationForm::Statute, start, end);
        parts.reporter = Some(name.clone());
        push(found, text, (start, end), name, parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normals(text: &str) -> Vec<String> {
        statutes(text).into_iter().map(|m| m.normal).collect()
    }

    #[test]
    fn entries_of_a_menu_are_no_name_of_a_law() {
        assert!(normals("Supreme Court at Work\n\nCode of Conduct").is_empty());
        assert!(normals("Case Finder\n\nFiling\n\nElectronic Filing\n\nRules").is_empty());
        assert_eq!(normals("the Federal Tort\nClaims Act"), ["Federal Tort Claims Act"]);
    }

    #[test]
    fn federal_codes() {
        assert_eq!(normals("(7 U.S.C. 612c note)."), ["7 U.S.C. § 612c note"]);
        assert_eq!(normals("18 U.S.C.\n § 924(c)(1)."), ["18 U.S.C. § 924(c)(1)"]);
        assert_eq!(
            normals("18, United States Code, Section 981(a)(l)(C)"),
            ["18 U.S.C. § 981(a)(l)(C)"]
        );
        assert_eq!(normals("24 CFR 85.25(h)"), ["24 C.F.R. § 85.25(h)"]);
        assert_eq!(normals("Pub. L. No. 96–164;"), ["Pub. L. 96-164"]);
        assert_eq!(
            normals("U. S. Const., Art. I, § 8, cl. 18"),
            ["U.S. Const., art. I, § 8, cl. 18"]
        );
    }

    #[test]
    fn state_codes_and_bare_sections() {
        assert_eq!(normals("Kan. Stat. Ann. § 21-3516(a)(2)"), ["Kan. Stat. Ann. § 21-3516(a)(2)"]);
        assert_eq!(normals("N.Y. Penal Law § 120.05"), ["N.Y. Penal Law § 120.05"]);
        assert_eq!(normals("see §99 of it"), ["§ 99"]);
        assert_eq!(
            normals("Section 302 of the Indian Penal Code, 1860"),
            ["§ 302", "Indian Penal Code, 1860"]
        );
    }
}
