//! Citations of codes by their names: `Ohio Rev. Code § 1`, `5 Ill. Comp. Stat. 10 / 2`, `Tex. Const. art. I`.
//!
//! A word that may begin a code's name is looked up; what stands before and behind the name is read by two small
//! expressions that hold no names.

use super::abbreviation_ends::abbreviation_ends;
use super::tables::codes::{Code, code, is_code_word, may_begin_code, state};
use super::tables::reporters::first_word;
use crate::model::{CitationForm, CitationParts, EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    /// A title, chapter, volume or year before a code's name.
    before_regex,
    r"(?:^|[^\w.$-])(?P<title>\d{1,4}(?:-\d{1,3}(?:-\d{1,3})?)?),?\s{1,40}$"
);
static_regex!(
    /// The words between a code's name and the section, and the section.
    behind_regex,
    r"(?x)^,?\s{0,40}
      (?:[(\[](?:[\w'’&]+\.?\s?){1,3}[)\]],?\s{0,40})?
      (?P<sign>(?:(?:tit\.|[Tt]itle|ch\.|[Cc]hapter)\s*\d+[A-Za-z]?,?\s*(?:pt\.\s*\d+,?\s*)?
        |(?:[Aa]rt(?:icle)?s?|r(?:ule)?|R(?:ule)?|c|par(?:a)?|No)\.?\s+))?
      (?P<mark>(?:§{1,2}|[Ss]ec(?:tions?|s?\.)|[Ss]s\.)\s*)?
      (?P<section>[A-Z]?\d\w*(?:\s?/\s?\d[\w-]*)?(?:[.:–,-]\d\w*)*(?:\([A-Za-z0-9]{1,5}\))*(?:-\d+[a-z]*(?:\(\w{1,5}\))+)?
        (?:,\s*(?:§{1,2}|[Ss]ec(?:tions?|s?\.))\s*\d\w*(?:[.:–-]\d\w*)*(?:\([A-Za-z0-9]{1,5}\))*)?)?"
);
static_regex!(
    /// The subject of a code with several, behind its name: `Crim. Law`, `Trans`.
    subject_regex,
    r"^,?\s{1,40}[A-Z][\w.'’-]*(?:\s(?:[A-Z][\w.'’-]*|&)){0,4},?\s{0,20}(?:§|\d)"
);
static_regex!(
    /// The number of a proceeding before a board.
    number_regex,
    r"^,?\s{1,20}Nos?\.\s?(?P<number>(?:[A-Z]{1,6}-?)?\d[\d,]*(?:-[A-Z\d]+)*)(?:\s[A-Z]\d?\b)?"
);
static_regex!(
    /// Article, section and clause of a constitution.
    provision_regex,
    r"^(?:\s+Ann\.)?,?\s{1,40}(?P<section>(?:[Aa]rt(?:icle|s?\.)?|[Aa]mend(?:ment|s?\.)?|[Pp]mbl\.|[Pp]reamble\b|§)\s*(?:(?:[IVXLC]+|\d+(?:\.\d+)?)\b)?(?:-[A-Z]\b)?(?:,?\s*(?:§{1,2}|[Ss]ec(?:tion|\.)|pt\.|para?\.)\s*\d+[a-z]?(?:[.-]\d+)?(?:\([a-z0-9]+\))*)?(?:,?\s*(?:cl\.|[Cc]lause)\s*\d+)?)"
);

/// Every citation of a code by its name, in order.
pub(super) fn law_citations(text: &str) -> Vec<Mention> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    let mut floor = 0;
    while at < bytes.len() {
        let word = bytes[at].is_ascii_uppercase()
            && !at.checked_sub(1).is_some_and(|before| {
                bytes[before].is_ascii_alphanumeric()
                    || matches!(bytes[before], b'.' | b'\'' | b'-')
            });
        if word
            && let Some(rest) = text.get(at..)
            && may_begin_code(first_word(rest))
            && let Some(mention) = citation_at(text, at, floor)
        {
            at = mention.end.max(at + 1);
            floor = at;
            found.push(mention);
            continue;
        }
        at += 1;
    }
    found
}

/// A code's name in the text.
struct Name {
    start: usize,
    end: usize,
    code: Option<Code>,
    /// The listed code that the name begins with.
    collection: Option<Code>,
    /// Where the state's name ends that the name begins with, and the state's usual abbreviation.
    state: Option<(usize, &'static str)>,
}

impl Name {
    /// The one form of the name: the table's, or as written behind the state's usual abbreviation.
    fn canonical(&self, text: &str, end: usize) -> String {
        if let Some(code) = self.code {
            return code.name.to_owned();
        }
        let (place, from) = match self.state {
            Some((state_end, usual)) if state_end <= end => (usual, state_end),
            _ => ("", self.start),
        };
        let rest = one_line(text[from..end].trim_start_matches(['.', ',']));
        let rest = rest.trim_end_matches([',', ' ']);
        if place.is_empty() { rest.to_owned() } else { format!("{place} {rest}") }
    }

    /// The collection of a state that has a code for each subject behind its name: `Md. Code Ann.` of `Md. Code Ann.,
    /// Crim. Law`.
    fn without_subject<'a>(&self, written: &'a str) -> Option<&'a str> {
        let collection = self.collection.filter(|code| code.has_subjects())?;
        let several = collection.name.contains("Code");
        let rest = written.strip_prefix(collection.name)?;
        (several && !rest.is_empty()).then(|| &written[..collection.name.len()])
    }
}

fn citation_at(text: &str, start: usize, floor: usize) -> Option<Mention> {
    let mut listed: Option<(usize, Code)> = None;
    let mut of_state: Option<(usize, &'static str)> = None;
    abbreviation_ends(&text[start..], |key, _, length| {
        if let Some(code) = code(key) {
            listed = Some((start + length, code));
        }
        if let Some(usual) = state(key, &text[start..start + length]) {
            of_state = Some((start + length, usual));
        }
    });
    // `Code of Virginia § 57-1`
    if text[start..].starts_with("Code of ")
        && let Some(end) = code_name_end(text, start)
    {
        return read(text, &Name { start, end, code: None, collection: None, state: None }, floor);
    }
    if let Some((end, usual)) = of_state
        && let Some(mention) = constitution(text, start, end, usual)
    {
        return Some(mention);
    }
    let general = of_state
        .and_then(|(end, _)| code_words(text, end))
        .filter(|end| listed.is_none_or(|(listed_end, _)| listed_end < *end));
    let collection = listed.map(|(_, code)| code);
    let general = general.map(|end| Name { start, end, code: None, collection, state: of_state });
    let listed =
        listed.map(|(end, code)| Name { start, end, code: Some(code), collection, state: None });
    [general, listed].into_iter().flatten().find_map(|name| read(text, &name, floor))
}

/// The end of the name of an American code that the text behind `start` begins with: `Florida Statutes`, `Code of
/// Virginia`.
pub(super) fn code_name_end(text: &str, start: usize) -> Option<usize> {
    let rest = &text[start..];
    let place = |at: usize| {
        let mut end = None;
        abbreviation_ends(&text[at..], |key, _, length| {
            if state(key, &text[at..at + length]).is_some() {
                end = Some(at + length);
            }
        });
        end
    };
    if let Some(of) = rest.strip_prefix("Code of ") {
        return place(start + rest.len() - of.len());
    }
    if !may_begin_code(first_word(rest)) {
        return None;
    }
    let mut end = code_words(text, place(start)?)?;
    let lower = text[start..end].to_lowercase();
    // The full stop of the sentence.
    if ["code.", "law.", "laws.", "statutes."].iter().any(|word| lower.ends_with(word)) {
        end -= 1;
    }
    ["code", "stat", "law"].iter().any(|word| lower.contains(word)).then_some(end)
}

/// The end of the words of a code's name that begin behind a state's name.
fn code_words(text: &str, state_end: usize) -> Option<usize> {
    let mut end = None;
    let mut at = state_end;
    for _ in 0..9 {
        let rest = &text[at..];
        let gap = rest.len() - rest.trim_start_matches([' ', '\n', ',', '\t']).len();
        if gap > 40 {
            break;
        }
        let word = &rest[gap..];
        let length = word.find(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’' | '-')));
        let word = &word[..length.unwrap_or(word.len())];
        if word.is_empty() && rest[gap..].starts_with('&') {
            at += gap + 1;
            continue;
        }
        if !is_code_word(word) && !is_code_word(&word.replace('’', "'")) {
            break;
        }
        at += gap + word.len();
        at += usize::from(text[at..].starts_with('.'));
        end = Some(at);
    }
    end
}

/// Reads the section behind a name, and the title before it.
fn read(text: &str, name: &Name, floor: usize) -> Option<Mention> {
    let written = one_line(&text[name.start..name.end]);
    let written = written.trim_end_matches([',', ' ']);
    let lower = written.to_lowercase();
    let rest = &text[name.end..];
    if let Some(code) = name.code.filter(Code::has_dockets) {
        let captures = number_regex().captures(rest)?;
        let end = name.end + captures.get(0).map_or(0, |whole| whole.end());
        let mut parts = CitationParts::new(CitationForm::Regulation, name.start, end);
        parts.reporter = Some(code.name.to_owned());
        parts.section = Some(captures["number"].to_owned());
        let normal = format!("{} No. {}", code.name, &captures["number"]);
        return Some(mention(text, (name.start, end), normal, parts));
    }
    // A subject belongs to the name: `Md. Code Ann., Crim. Law § 1`.
    let mut name_end = name.end;
    if name.code.is_some_and(|code| code.has_subjects())
        && let Some(subject) = subject_regex().find(rest)
    {
        let cut = subject.as_str().trim_end_matches(|c: char| {
            c == '§' || c.is_ascii_digit() || c.is_whitespace() || c == ','
        });
        name_end += cut.len();
    }
    let rest = &text[name_end..];
    let captures = behind_regex().captures(rest)?;
    let section = captures.name("section");
    let window = text.floor_char_boundary(name.start.saturating_sub(60)).max(floor);
    let title = before_regex().captures(text.get(window..name.start)?);
    let title = title.as_ref().and_then(|title| title.name("title"));
    let (signed, marked) = (captures.name("sign").is_some(), captures.name("mark").is_some());
    let Some(section) = section else {
        // `2015-18 V.I. Code Ann. Adv.`: a pamphlet as a whole.
        let code = name.code.filter(|code| code.has_number_before())?;
        let title = title.filter(|title| title.as_str().contains('-'))?;
        let pamphlet = lower.ends_with("adv.");
        let start = window + title.start();
        let mut parts = CitationParts::new(CitationForm::Statute, start, name_end);
        parts.volume = Some(title.as_str().to_owned());
        parts.reporter = Some(code.name.to_owned());
        let normal = format!("{} {}", title.as_str(), code.name);
        return pamphlet.then(|| mention(text, (start, name_end), normal, parts));
    };
    // Without a sign, only a word for a code or for rules shows that the number is a section.
    let tells =
        ["code", "stat", "law", "regs", "pub. l", "comp"].iter().any(|word| lower.contains(word));
    let listed = name.code.is_some_and(|code| code.has_bare_numbers() || code.is_acronym());
    // A session law or register is cited by page, and read with the reporters.
    if name.code.is_some_and(|code| code.has_pages()) && !(signed || marked) {
        return None;
    }
    if name.code.is_some_and(|code| code.is_acronym())
        && !(signed || marked || section.as_str().contains(['.', '-', ':', '/', '(']))
    {
        return None;
    }
    // A code with titles is not cited without one.
    if title.is_none() && name.code.is_some_and(|code| code.has_number_before()) {
        return None;
    }
    // The text may just be a reporter's name: `Pa. Super. 77`.
    if !(signed || marked || tells || listed) || !(listed || lower.contains([' ', '.'])) {
        return None;
    }
    let start_of_section = name_end + section.start();
    let end = section_end(text, start_of_section, name_end + section.end());
    let start = title.map_or(name.start, |title| window + title.start());
    let form = if let Some(code) = name.code {
        code.form()
    } else if ["admin", "regs", "code r.", "reg."].iter().any(|word| lower.contains(word)) {
        CitationForm::Regulation
    } else {
        CitationForm::Statute
    };
    let mut parts = CitationParts::new(form, start, end);
    parts.volume = title.map(|title| title.as_str().to_owned());
    let written = one_line(&text[name.start..name_end]);
    let written = written.trim_end_matches([',', ' ']);
    let reporter = name.without_subject(written).unwrap_or(written).to_owned();
    let number = one_line(&text[start_of_section..end]);
    parts.series_of = series_of(&reporter, name.collection.map(|code| code.name));
    parts.section = Some(number.clone());
    let title = parts.volume.as_ref().map(|volume| format!("{volume} ")).unwrap_or_default();
    let normal = format!("{title}{} § {number}", name.canonical(text, name_end));
    parts.reporter = Some(reporter);
    Some(mention(text, (start, end), normal, parts))
}

/// The collection that the code belongs to: the codes of some states are one each for a subject.
fn series_of(reporter: &str, collection: Option<&'static str>) -> Option<String> {
    let words = |start: &str, end: &str| reporter.starts_with(start) && reporter.ends_with(end);
    if words("Cal", "Code") {
        Some("Cal. Code".to_owned())
    } else if words("N", "Law") && reporter.replace([' ', '.'], "").starts_with("NY") {
        Some("N.Y. Law".to_owned())
    } else if words("Tex", "Code Ann.") {
        Some("Tex. Code Ann.".to_owned())
    } else {
        collection.filter(|name| *name != reporter).map(str::to_owned)
    }
}

/// The place in a constitution in the Bluebook's form: `Article V, Section 8` is `art. V, § 8`.
fn provision(written: &str) -> String {
    let words = written.split_whitespace().map(|word| {
        let length = word.find(|c: char| !c.is_alphabetic()).unwrap_or(word.len());
        let (name, rest) = word.split_at(length);
        let short = match name.to_lowercase().as_str() {
            "article" | "art" | "arts" => "art.",
            "amendment" | "amend" | "amends" => "amend.",
            "preamble" | "pmbl" => "pmbl.",
            "section" | "sec" => "§",
            "clause" | "cl" => "cl.",
            "" if rest.starts_with('§') => "§",
            _ => return word.replace('–', "-"),
        };
        let rest = rest.trim_start_matches(['.', '§']);
        let blank = if rest.is_empty() || rest.starts_with(',') { "" } else { " " };
        format!("{short}{blank}{rest}").replace('–', "-")
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A provision of the constitution of the state whose name is `start..end`.
fn constitution(text: &str, start: usize, end: usize, usual: &str) -> Option<Mention> {
    let rest = text[end..].trim_start();
    let word = ["Constitution", "CONSTITUTION", "Const.", "CONST."]
        .into_iter()
        .find(|w| rest.starts_with(w))?;
    let word_end = text.len() - rest.len() + word.len();
    let captures = provision_regex().captures(&text[word_end..])?;
    let whole = captures.get(0)?;
    let end = word_end + whole.as_str().trim_end_matches([' ', ',', '\n']).len();
    let section = provision(&captures["section"]);
    let mut parts = CitationParts::new(CitationForm::Constitution, start, end);
    let annotated = whole.as_str().trim_start().starts_with("Ann.");
    parts.reporter = Some(format!("{usual} Const.{}", if annotated { " Ann." } else { "" }));
    parts.section = Some(section.clone());
    Some(mention(text, (start, end), format!("{usual} Const., {section}"), parts))
}

fn mention(text: &str, span: (usize, usize), normal: String, parts: CitationParts) -> Mention {
    Mention::new(EntityKind::Citation, text, span.0, span.1, normal).with_citation(parts)
}

/// The text on one line, with plain hyphens.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('–', "-")
}

/// The end of a section without the punctuation of the sentence around it.
pub(super) fn section_end(text: &str, start: usize, end: usize) -> usize {
    start + text[start..end].trim_end_matches(['.', ':', '-', '–', ',', ' ', '\n']).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normals(text: &str) -> Vec<String> {
        law_citations(text).into_iter().map(|m| m.normal).collect()
    }

    #[test]
    fn codes_with_their_parts() {
        for (text, normal) in [
            ("Kan. Stat. Ann. § 21-99(a)(2)", "Kan. Stat. Ann. § 21-99(a)(2)"),
            ("N.Y. Penal Law § 7.05", "N.Y. Penal Law § 7.05"),
            ("Mass. Gen. Laws ch. 9, § 4", "Mass. Gen. Laws § 4"),
            ("735 Ill. Comp. Stat. 9 / 4-11", "735 Ill. Comp. Stat. § 9 / 4-11"),
            ("Md. Code Ann., Crim. Law § 3-9", "Md. Code Ann., Crim. Law § 3-9"),
            ("Mont. Admin. R. 23", "Mont. Admin. R. § 23"),
            ("CFTC No. 12-R4", "CFTC No. 12-R4"),
            ("Tex. Const. art. V, § 8", "Tex. Const., art. V, § 8"),
            ("Texas Constitution Article V, Section 8", "Tex. Const., art. V, § 8"),
            ("Tex. Const. arts. V", "Tex. Const., art. V"),
            ("U.S. Const. amend. XIV, § 1", "U.S. Const., amend. XIV, § 1"),
            ("U.S. Constitution, Amendment XIV, §1", "U.S. Const., amend. XIV, § 1"),
            ("New York Penal Law § 7.05", "N.Y. Penal Law § 7.05"),
            ("Kan. Stat. Ann. 21-99", "Kan. Stat. Ann. § 21-99"),
            ("Kan.Stat.Ann. § 21-99", "Kan. Stat. Ann. § 21-99"),
        ] {
            assert_eq!(normals(text), [normal], "{text}");
        }
    }

    #[test]
    fn sentences_are_no_codes() {
        for text in [
            "Or Act 5 of it",
            "In Code 7",
            "New York 1984",
            "Ohio Corp. 12 shares",
            "Pa. Super. 77",
        ] {
            assert!(normals(text).is_empty(), "{text} {:?}", normals(text));
        }
    }
}
