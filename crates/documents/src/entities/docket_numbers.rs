//! Docket numbers: after `No.`, federal case numbers by their shape, and the Indian `Appeal No. 7 of 2011`.

use super::windows::windows;
use crate::model::{EntityKind, Mention};
use crate::static_regex::static_regex;

/// One docket number in courts' notations: `92-1549`, `16A982`, `S-07-138`, `3:08-cv-00284-TMB`, `ED108783`,
/// `CV17-00016-CAS(JCx)`.
const NUMBER: &str = r"(?:\d:\d{2}-[A-Za-z]{2,4}-\d{2,6}(?:-[A-Za-z0-9]{1,5})*(?:\s?\([A-Za-z]{2,4}\))?|[A-Z]{0,5}-?\d{1,7}(?:[-–][A-Z0-9]{1,7}){0,4}[A-Z]{0,5}\d{0,6}(?:-[A-Z0-9]{1,5}){0,3}(?:\s?(?:DOC\s)?\([A-Za-z]{2,5}\))?)";

static_regex!(
    labelled_regex,
    format!(
        r"\b(?:(?:Docket|DOCKET|Case|CASE|Record|Cause|CAUSE|File|Misc(?:ellaneous)?\.?|Civil|Criminal|CIVIL|CRIMINAL|Civ\.|Crim\.|Cr\.|D\.C\.|COA|Appeal|Index|Application|Calendar|MDL|Adversary|Adv\.|Bankruptcy|Lower\s+Ct|AG)\s+(?:Action|ACTION|Docket|Appeal|Case|Pro\.|Proceeding|Proc\.|AG)?\s*(?:Nos?\.?|NOS?\.?|Numbers?:?|\#:?)|(?:Nos?|NOS?)\.|Numbers?:|DOCKET\s+FOR\s+CASE\s+\#:|Docket\s+(?:for|\#:)|Court\s+of\s+Appeals\s+Docket\s+\#:)\s*:?\s{{0,60}}\(?(?P<list>{NUMBER}(?:(?:\s*[,;&]\s*|\s+and\s+|,\s+and\s+)(?:Nos?\.\s*)?{NUMBER})*)"
    )
);
static_regex!(one_number_regex, NUMBER);
static_regex!(
    federal_regex,
    r"\b\d:\d{2}-[a-z]{2,4}-\d{2,6}(?:-[A-Za-z0-9]{1,5})*|\b\d{2}-(?:CV|CR|cv|cr)-\d{2,6}(?:-[A-Za-z0-9]{1,5})*"
);
static_regex!(
    named_regex,
    r"(?x)\b(?:
      (?:(?:[A-Z][\w.&/]*(?:\([A-Za-z.\ ]{1,12}\))?|of|the|by|and)[\ \t.-]*){0,6}?
      (?:Appeal|Petition|Suit|Application|Case|Revision|Reference|Complaint|Crime|Claim\sPetition|
         (?:[A-Z][A-Za-z]{0,4}\.?\ ?){1,6}(?:\([A-Za-z.]{1,8}\)\.?\s?)*)
      (?:\s?\([A-Za-z.,\s]{1,16}\))*\s*(?:bearing\s+)?)
      (?:Nos?|NOS?|no|Sr\sNos?)\s*\.?\s*-?\s*
      (?P<list>\d{1,6}(?:[-–]\d{1,6})?(?:\s*(?:,|&|and|to)\s*\d{1,6}(?:/\d{2,4})?)*
        (?:\s*(?:of|Of|OF|/)\s*(?:1[89]\d\d|20\d\d|\d\d)\b)
        (?:(?:\s*(?:,|&|and)\s*)(?:Nos?\.?\s*)?\d{1,6}(?:\s*(?:of|/)\s*(?:1[89]\d\d|20\d\d|\d\d)\b))*)"
);

static_regex!(
    /// Numbers with spaces: `402 MAL 2011`, `17 BK 3283`, `05 C 1234`, `DA 09-0123`, `AG No. 11`, `98,765`.
    spaced_regex,
    r"(?:N[Oo]s?\.?|NOS?\.?|Number:?|\#:?)\s*(?P<a>\d{1,4}\s(?:[A-Z]{1,4}(?:-[A-Z]{2,3})?|(?:Civ|Cr|Crim|Misc|Mag)\.)\s\d{2,6}(?:-\d{2,5})?|[A-Z]{2,3}\s\d{2}-\d{3,5}|\d{2,3},\d{3})\b|\b(?P<b>\d{2}\s(?:Civ|Cr|Crim|Misc|Mag)\.\s\d{2,6})\b|\bDocket\s(?P<c>[A-Z]{2,3}\sNos?\.\s\d{1,5})\b"
);
static_regex!(
    /// Indian numbers without `No.`: `Crl.M.C.2719 of 2020`, `WP 134 of 2016`, `C/FA/3351/2017`.
    indian_regex,
    r"\b(?P<n>(?:(?:[A-Z][a-z]{0,3}\.){1,4}\s?|(?:WP|WA|MA|FA|CC|SC|CRA|SLP|LPA|RFA|MFA|OP|OA|MP|CMA|CRP|CWP|ITA)\s)\d{1,6}\s(?:of|Of|OF)\s(?:19|20)\d\d|[A-Z]{1,3}/[A-Z]{2,5}/\d{1,6}/(?:19|20)\d\d)\b"
);
static_regex!(
    /// A number alone on a line of the heading: `SJC-10694`, `A17-1234`, `B220000`.
    alone_regex,
    r"(?m)^[ \t]*(?P<n>[A-Z]{1,4}\d{0,2}-\d{3,6}|[A-HS]\d{6})[ \t]*$"
);

/// The heading of a paper, in bytes.
const HEADING: usize = 3000;

static_regex!(number_trigger, r"(?:N[Oo]s?|NOS|no)\s*\.?\s*-?\s*\d");
static_regex!(
    label_trigger,
    r"(?:N[Oo]s?\.|NOS?\.?|Number|#|Docket|DOCKET|(?:Case|Record|Action|Cause)\s+No)"
);

/// Every docket number in the text.
pub(super) fn docket_numbers(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    for range in windows(text, number_trigger(), 110, 140) {
        let at = range.start;
        for whole in named_regex().find_iter(&text[range]) {
            let start = at + whole.start() + skip_connectors(whole.as_str());
            let end = at + whole.end();
            let normal = text[start..end].split_whitespace().collect::<Vec<_>>().join(" ");
            found.push(Mention::new(EntityKind::DocketNumber, text, start, end, normal));
        }
    }
    let named: Vec<(usize, usize)> = found.iter().map(|m| (m.start, m.end)).collect();
    let taken = |start: usize, end: usize| {
        let at = named.partition_point(|(_, e)| *e <= start);
        named.get(at).is_some_and(|(s, _)| *s < end)
    };
    for range in windows(text, label_trigger(), 40, 200) {
        let at = range.start;
        for captures in labelled_regex().captures_iter(&text[range]) {
            let Some(list) = captures.name("list") else { continue };
            for number in one_number_regex().find_iter(list.as_str()) {
                let start = at + list.start() + number.start();
                let end = start + number.len();
                if is_docket_number(number.as_str()) && !taken(start, end) {
                    let normal = normal(number.as_str());
                    found.push(Mention::new(EntityKind::DocketNumber, text, start, end, normal));
                }
            }
        }
    }
    for captures in spaced_regex().captures_iter(text) {
        for number in ["a", "b", "c"].into_iter().filter_map(|name| captures.name(name)) {
            if !taken(number.start(), number.end()) {
                let normal = number.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
                let (start, end) = (number.start(), number.end());
                found.push(Mention::new(EntityKind::DocketNumber, text, start, end, normal));
            }
        }
    }
    for number in indian_regex().captures_iter(text).filter_map(|captures| captures.name("n")) {
        if !taken(number.start(), number.end()) {
            let (start, end) = (number.start(), number.end());
            found.push(Mention::new(EntityKind::DocketNumber, text, start, end, number.as_str()));
        }
    }
    let head = &text[..text.floor_char_boundary(text.len().min(HEADING))];
    for number in alone_regex().captures_iter(head).filter_map(|captures| captures.name("n")) {
        let (start, end) = (number.start(), number.end());
        found.push(Mention::new(
            EntityKind::DocketNumber,
            text,
            start,
            end,
            normal(number.as_str()),
        ));
    }
    for number in federal_regex().find_iter(text) {
        if !found.iter().rev().take(64).any(|m| m.start <= number.start() && number.end() <= m.end)
        {
            let normal = normal(number.as_str());
            found.push(Mention::new(
                EntityKind::DocketNumber,
                text,
                number.start(),
                number.end(),
                normal,
            ));
        }
    }
    found.sort_by_key(|m| (m.start, std::cmp::Reverse(m.end)));
    found.dedup_by(|b, a| b.start < a.end);
    found
}

fn skip_connectors(text: &str) -> usize {
    let mut at = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let plain = word.trim().to_lowercase();
        let skip = matches!(
            plain.as_str(),
            "in" | "the"
                | "of"
                | "and"
                | "by"
                | "this"
                | "when"
                | "that"
                | "to"
                | "said"
                | "court"
                | "arising"
                | "out"
                | "order"
                | "case"
                | "with"
                | "for"
                | "from"
                | ""
        );
        if !skip {
            break;
        }
        at += word.len();
    }
    at
}

/// Whether it has enough digits for a docket number, and more than a footnote's number.
fn is_docket_number(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    digits >= 3
        && (digits >= 5
            || text.contains(['-', '–', ':'])
            || text.contains(|c: char| c.is_ascii_uppercase())
            || digits >= 4)
}

/// Normalises a number: no spaces, plain hyphens, upper case, so that all spellings are equal.
fn normal(number: &str) -> String {
    number
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| if c == '–' { '-' } else { c.to_ascii_uppercase() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normals(text: &str) -> Vec<String> {
        docket_numbers(text).into_iter().map(|m| m.normal).collect()
    }

    #[test]
    fn courts_number_in_many_ways() {
        assert_eq!(normals("No. 92-1549"), ["92-1549"]);
        assert_eq!(normals("Nos. 08-1214, 08-1215 and 08-1307"), ["08-1214", "08-1215", "08-1307"]);
        assert_eq!(normals("Docket No. 276372."), ["276372"]);
        assert_eq!(normals("CIVIL DOCKET FOR CASE #: 3:08-cv-00284-TMB"), ["3:08-CV-00284-TMB"]);
        assert_eq!(normals("No. 12–CF–1657."), ["12-CF-1657"]);
        assert_eq!(normals("Criminal Appeal No.607 of 2011"), ["Criminal Appeal No.607 of 2011"]);
    }

    #[test]
    fn numbers_may_have_spaces() {
        assert_eq!(normals("No. 402 MAL 2011"), ["402 MAL 2011"]);
        assert_eq!(
            normals("Case No. 17 BK 3283 and 10 Civ. 4923 (ABC)"),
            ["17 BK 3283", "10 Civ. 4923"]
        );
        assert_eq!(normals("Misc. Docket AG No. 11, Sept. Term"), ["AG No. 11"]);
        assert_eq!(normals("SJC-10694\n\nROE v. DOE\n"), ["SJC-10694"]);
        assert_eq!(
            normals("in Crl.M.C.2719 of 2020 and C/FA/3351/2017"),
            ["Crl.M.C.2719 of 2020", "C/FA/3351/2017"]
        );
        assert!(normals("Act 13 of 2005, Art. 14 to 16 of the rules").is_empty());
        assert!(normals("45 F. 3d 123; 12 DEF 2011; 10 May 2011").is_empty());
    }

    #[test]
    fn small_numbers_are_not_dockets() {
        assert!(normals("Claim No. 12 and No. 3").is_empty());
    }
}
