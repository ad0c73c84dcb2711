//! Bills, resolutions and reports of a legislature (Bluebook rule 13), rulings of the tax authorities (rule 14) and
//! executive orders.

use super::law_citations::one_line;
use crate::model::{CitationForm, CitationParts, EntityKind, Mention};
use crate::static_regex::static_regex;

/// Words that begin such a citation; the expressions run only where one stands.
const PARTS: &str = r"(?:,?\s{1,20}(?:at|pt\.|§{1,2}|tit\.|sec\.|div\.)\s{0,20}[\dA-Z][\w.-]*(?:\([A-Za-z0-9]{1,4}\))*){0,3}";

static_regex!(
    report_regex,
    format!(
        r"\b(?P<series>(?:H\.\s?R\.|S\.|H\.|Sen\.|House|Senate)\s{{0,3}}(?:(?:Conf\.|Exec\.|Comm\.|Misc\.|Conference|Executive)\s?)?(?:Rep(?:\.|ort)|Doc(?:\.|ument)))\s{{0,20}}Nos?\.\s{{0,20}}(?P<number>\d{{1,4}}(?:\s?[-–]\s?\d{{1,4}})?)(?P<parts>{PARTS})"
    )
);
static_regex!(
    resolution_regex,
    r"\b(?P<series>(?:H\.\s?R\.|S\.|H\.)\s?(?:(?:J\.|Con\.|Conc\.)\s?)?Res\.)\s{0,20}(?P<number>\d{1,4})\b(?:,\s{1,20}(?P<congress>\d{1,3})(?:st|nd|rd|d|th)\s{1,20}Cong(?:\.|ress))?"
);
static_regex!(
    /// A bill. Of the Senate, or with a low number, only the Congress behind it shows that it is one.
    bill_regex,
    format!(
        r"\b(?P<series>H\.\s?R\.|S\.)\s{{0,3}}(?P<number>\d{{1,5}})\b(?:,\s{{1,20}}(?P<congress>\d{{1,3}})(?:st|nd|rd|d|th)\s{{1,20}}Cong(?:\.|ress))?(?P<parts>{PARTS})"
    )
);
static_regex!(
    record_regex,
    r"\b(?P<volume>\d{1,3})\s{1,20}Cong(?:\.|ressional)\s?(?:Rec(?:\.|ord)|Globe)\s{0,20}(?P<page>[HSED]?\s?\d{1,6}(?:,\d{3})?)\b"
);
static_regex!(
    ruling_regex,
    r"\b(?P<series>Rev(?:\.|enue)\s{0,3}(?:Rul(?:\.|ing)|Proc(?:\.|edure))|(?:I\.?R\.?S\.?\s)(?:Notice|Announcement)|T\.\s?D\.|Treas(?:\.|ury)\s?(?:Dec(?:\.|ision))|Priv(?:\.|ate)\s?(?:Ltr\.|Letter)\s?Rul(?:\.|ing)|P\.?L\.?R\.?|Tech(?:\.|nical)\s?Adv(?:\.|ice)\s?Mem(?:\.|orandum)|Gen\.\s?Couns\.\s?Mem\.)\s{0,20}(?:No\.\s{0,20})?(?P<number>\d{2,4}\s?[-–]\s?\d{1,3}|\d{4,9}(?:[-–]\d{1,3})?)\b"
);
static_regex!(
    order_regex,
    r"\b(?P<series>Exec(?:\.|utive)\s{0,3}Order)\s{0,20}(?:Nos?\.\s{0,20})?(?P<number>\d{1,2},\d{3}|\d{4,5})\b"
);
static_regex!(year_regex, r"^,?\s{0,20}\((?:[^()]{0,40}?[\s,])?(?P<year>1[789]\d\d|20\d\d)\)");

/// Every such citation in the text.
pub(super) fn legislation(text: &str) -> Vec<Mention> {
    let mut found: Vec<Mention> = Vec::new();
    for regex in [report_regex(), resolution_regex(), bill_regex()] {
        for captures in regex.captures_iter(text) {
            if let Some(mention) = of_congress(text, &captures)
                && !found.iter().rev().take(64).any(|old| overlaps(old, &mention))
            {
                found.push(mention);
            }
        }
        found.sort_by_key(|one| one.start);
    }
    for captures in record_regex().captures_iter(text) {
        let (Some(whole), Some(page)) = (captures.get(0), captures.name("page")) else { continue };
        let volume = &captures["volume"];
        let globe = whole.as_str().contains("Globe");
        let reporter = if globe { "Cong. Globe" } else { "Cong. Rec." };
        let page = page.as_str().replace([',', ' '], "");
        let mut parts = parts(text, CitationForm::Legislative, whole.range(), reporter);
        parts.volume = Some(volume.to_owned());
        parts.page = Some(page.clone());
        let normal = format!("{volume} {reporter} {page}");
        found.push(mention(text, whole.range(), normal, parts));
    }
    for captures in ruling_regex().captures_iter(text).chain(order_regex().captures_iter(text)) {
        let (Some(whole), Some(number)) = (captures.get(0), captures.name("number")) else {
            continue;
        };
        let Some(series) = ruling(&captures["series"], number.as_str()) else { continue };
        let number = number.as_str().replace('–', "-").replace([' ', ','], "");
        let mut parts = parts(text, CitationForm::Regulation, whole.range(), series);
        parts.section = Some(number.clone());
        found.push(mention(text, whole.range(), format!("{series} {number}"), parts));
    }
    found
}

fn overlaps(one: &Mention, other: &Mention) -> bool {
    one.start < other.end && other.start < one.end
}

fn mention(
    text: &str,
    range: std::ops::Range<usize>,
    normal: String,
    parts: CitationParts,
) -> Mention {
    Mention::new(EntityKind::Citation, text, range.start, range.end, normal).with_citation(parts)
}

/// The parts that all have, with the year behind the citation.
fn parts(
    text: &str,
    form: CitationForm,
    range: std::ops::Range<usize>,
    reporter: &str,
) -> CitationParts {
    let mut parts = CitationParts::new(form, range.start, range.end);
    parts.reporter = Some(reporter.to_owned());
    let to = text.floor_char_boundary((range.end + 80).min(text.len()));
    if let Some(found) = text.get(range.end..to).and_then(|rest| year_regex().captures(rest)) {
        parts.year = found["year"].parse().ok();
        parts.full_end = range.end + found.get(0).map_or(0, |all| all.end());
    }
    parts
}

/// A bill, a resolution or a report.
fn of_congress(text: &str, captures: &regex::Captures<'_>) -> Option<Mention> {
    let (whole, number) = (captures.get(0)?, captures.name("number")?);
    let series = series(&captures["series"]);
    let congress = captures.name("congress").map(|one| one.as_str());
    let is_bill = matches!(series.as_str(), "H.R." | "S.");
    // `Smith, J. S. 47` and `9 S. 5` are no bills, `H.R. 5` alone may be a heading.
    let enough = congress.is_some() || series == "H.R." && number.len() >= 3;
    let before = text[..whole.start()].trim_end_matches(' ');
    if is_bill && (!enough || before.ends_with(|c: char| c.is_ascii_digit() || c == '.')) {
        return None;
    }
    let number = number.as_str().replace('–', "-").replace(' ', "");
    let sign = if series.ends_with("Rep.") || series.ends_with("Doc.") { "No. " } else { "" };
    let mut normal = format!("{series} {sign}{number}");
    if let Some(congress) = congress {
        normal.push_str(&format!(", {}", ordinal(congress)));
    }
    let pin = captures.name("parts").map(|parts| parts.as_str()).unwrap_or_default();
    let pin = one_line(pin.trim_matches([',', ' ', '\n', '.']));
    let mut end = whole.end();
    end -= usize::from(text[..end].ends_with('.') && !pin.is_empty());
    let mut parts = parts(text, CitationForm::Legislative, whole.start()..end, &series);
    parts.volume = congress.map(str::to_owned);
    parts.section = Some(number);
    parts.pin_cite = Some(pin).filter(|pin| !pin.is_empty());
    Some(mention(text, whole.start()..end, normal, parts))
}

/// `115th Cong.`
fn ordinal(congress: &str) -> String {
    let ending = match (congress.as_bytes(), congress.chars().next_back()) {
        ([.., b'1', _], _) if congress.len() > 1 => "th",
        (_, Some('1')) => "st",
        (_, Some('2')) => "d",
        (_, Some('3')) => "d",
        _ => "th",
    };
    format!("{congress}{ending} Cong.")
}

/// The one form of a series of Congress.
fn series(written: &str) -> String {
    let plain = written.split_whitespace().collect::<String>();
    let plain = plain.replace("House", "H.R.").replace("Senate", "S.").replace("Sen.", "S.");
    let plain = plain.replace("Report", "Rep.").replace("Document", "Doc.");
    let plain = plain.replace("Conference", "Conf.").replace("Executive", "Exec.");
    let plain = plain.replace("Conc.", "Con.");
    let chamber = if plain.starts_with('S') { "S." } else { "H.R." };
    let rest = plain.trim_start_matches(['H', 'S', 'R', '.']);
    // `H.R. Rep.` loses the R of `Rep.` above.
    let rest = match rest {
        "ep." => "Rep.",
        "es." => "Res.",
        rest => rest,
    };
    match rest {
        "" => chamber.to_owned(),
        "J.Res." => format!("{}J. Res.", chamber),
        rest => format!("{chamber} {}", rest.replace('.', ". ").trim()),
    }
}

/// The one form of a series of rulings; `None` if the number is none of it.
fn ruling(written: &str, number: &str) -> Option<&'static str> {
    let plain: String =
        written.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    let is_pair = number.contains(['-', '–']);
    Some(match plain.as_str() {
        "revrul" | "revenueruling" if is_pair => "Rev. Rul.",
        "revproc" | "revenueprocedure" if is_pair => "Rev. Proc.",
        "irsnotice" if is_pair => "I.R.S. Notice",
        "irsannouncement" if is_pair => "I.R.S. Announcement",
        "td" | "treasdec" | "treasurydecision" if !is_pair && number.len() == 4 => "T.D.",
        "plr" | "privltrrul" | "privateletterruling" if number.len() >= 7 => {
            "I.R.S. Priv. Ltr. Rul."
        }
        "techadvmem" | "technicaladvicememorandum" if number.len() >= 7 => "I.R.S. Tech. Adv. Mem.",
        "gencounsmem" if number.len() >= 4 => "I.R.S. Gen. Couns. Mem.",
        "execorder" | "executiveorder" => "Exec. Order No.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        legislation(text).into_iter().map(|one| one.normal).collect()
    }

    #[test]
    fn bills_resolutions_and_reports() {
        for (text, normal) in [
            ("H.R. 1234, 115th Cong. § 2 (2017)", "H.R. 1234, 115th Cong."),
            ("S. 47, 113th Cong. (2013)", "S. 47, 113th Cong."),
            ("H. R. 3962, 111th Congress", "H.R. 3962, 111th Cong."),
            ("S.J. Res. 3, 102d Cong.", "S.J. Res. 3, 102d Cong."),
            ("H.R. Con. Res. 7, 101st Cong.", "H.R. Con. Res. 7, 101st Cong."),
            ("H.R. Rep. No. 110-234, at 5 (2007)", "H.R. Rep. No. 110-234"),
            ("S. Rep. No. 95–797, pt. 1, at 3", "S. Rep. No. 95-797"),
            ("H.R. Conf. Rep. No. 104-458", "H.R. Conf. Rep. No. 104-458"),
            ("Senate Report No. 95-797", "S. Rep. No. 95-797"),
            ("150 Cong. Rec. S1234 (daily ed. Mar. 3, 2004)", "150 Cong. Rec. S1234"),
        ] {
            assert_eq!(read(&format!("See {text}.")), [normal], "{text}");
        }
        let bill = &legislation("H.R. 1234, 115th Cong. § 2 (2017).")[0];
        let parts = bill.citation().unwrap();
        assert_eq!((parts.year, parts.pin_cite.as_deref()), (Some(2017), Some("§ 2")));
        let report = &legislation("H.R. Rep. No. 110-234, at 5 (2007).")[0];
        let parts = report.citation().unwrap();
        assert_eq!((parts.year, parts.pin_cite.as_deref()), (Some(2007), Some("at 5")));
    }

    #[test]
    fn rulings_and_orders() {
        for (text, normal) in [
            ("Rev. Rul. 99-7, 1999-1 C.B. 361", "Rev. Rul. 99-7"),
            ("Rev. Proc. 2003–61", "Rev. Proc. 2003-61"),
            ("Revenue Ruling 54-97", "Rev. Rul. 54-97"),
            ("T.D. 8734", "T.D. 8734"),
            ("I.R.S. Priv. Ltr. Rul. 9731009", "I.R.S. Priv. Ltr. Rul. 9731009"),
            ("Exec. Order No. 13,769", "Exec. Order No. 13769"),
        ] {
            assert_eq!(read(text), [normal], "{text}");
        }
    }

    #[test]
    fn other_numbers_are_none() {
        for text in [
            "123 S. 47",
            "Mr. J. S. 47 years old",
            "H.R. 5 is the office",
            "the S. 400 block",
            "Rev. Rul. 7",
            "H.R. told 1234 people",
            "Doc. No. 12",
            "ECF Doc. No. 110-2",
        ] {
            assert_eq!(read(text), Vec::<String>::new(), "{text}");
        }
    }
}
