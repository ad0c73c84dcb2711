//! Calendar dates in the forms court papers use, as ISO 8601.

use crate::model::{EntityKind, Mention};
use crate::static_regex::static_regex;

const MONTH: &str = r"(?:[Jj]an(?:uary)?|JAN(?:UARY)?|[Ff]eb(?:ruary)?|FEB(?:RUARY)?|[Mm]ar(?:ch)?|MAR(?:CH)?|[Aa]pr(?:il)?|APR(?:IL)?|[Mm]ay|MAY|[Jj]une?|JUNE?|[Jj]uly?|JULY?|[Aa]ug(?:ust)?|AUG(?:UST)?|[Ss]ept?(?:ember)?|SEPT?(?:EMBER)?|[Oo]ct(?:ober)?|OCT(?:OBER)?|[Nn]ov(?:ember)?|NOV(?:EMBER)?|[Dd]ec(?:ember)?|DEC(?:EMBER)?)";

static_regex!(
    month_first_regex,
    format!(
        r"\b(?P<m>{MONTH})\.?\s{{1,60}}(?P<d>\d{{1,2}})\s?(?:st|nd|rd|th|ST|ND|RD|TH)?\s?[,.]?\s{{0,60}}(?P<y>1[5-9]\d\d|20\d\d)\b"
    )
);
static_regex!(
    day_first_regex,
    format!(
        r"\b(?P<d>\d{{1,2}})\s?(?:st|nd|rd|th|ST|ND|RD|TH|Th|St|Nd|Rd)?\s{{0,4}}(?:(?i:day\s+of)\s+|[-./]\s?)?(?P<m>{MONTH})\.?\s?[,.\-/]?\s{{0,60}}(?P<y>1[5-9]\d\d|20\d\d|\d\d\b)"
    )
);
static_regex!(slash_regex, r"\b(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<y>1[5-9]\d\d|20\d\d|\d\d)\b");
static_regex!(
    dot_regex,
    r"\b(?P<a>\d{1,2})(?P<s>[.-])(?P<b>\d{1,2})[.-](?P<y>1[5-9]\d\d|20\d\d|\d\d)\b"
);
static_regex!(iso_regex, r"\b(?P<y>1[5-9]\d\d|20\d\d)-(?P<m>\d\d)-(?P<d>\d\d)\b");
static_regex!(
    label_regex,
    r"(?i)\b(?P<label>filed|decided|argued|submitted|docketed|terminated|termed|entered|dated|reserved\s+on|delivered\s+on|pronounced\s+on|date\s+of\s+decision|heard|issued|released|opinion)\s*(?:on\b)?\s*[:\-]*\s*$"
);

/// Every date in the text.
pub(super) fn dates(text: &str) -> Vec<Mention> {
    let mut found: Vec<Mention> = Vec::new();
    for regex in [month_first_regex(), day_first_regex()] {
        for captures in regex.captures_iter(text) {
            let (Some(whole), Some(month)) = (captures.get(0), month(&captures["m"])) else {
                continue;
            };
            add(text, &mut found, whole.range(), (&captures["y"], month, number(&captures["d"])));
        }
    }
    for captures in iso_regex().captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        add(
            text,
            &mut found,
            whole.range(),
            (&captures["y"], number(&captures["m"]), number(&captures["d"])),
        );
    }
    let slashes: Vec<(std::ops::Range<usize>, String, u32, u32)> = slash_regex()
        .captures_iter(text)
        .filter_map(|c| {
            Some((c.get(0)?.range(), c["y"].to_owned(), number(&c["a"]), number(&c["b"])))
        })
        .collect();
    // American papers put the month first, unless a paper has a 25th "month" and no 25th "day".
    let day_first =
        slashes.iter().any(|(_, _, a, _)| *a > 12) && !slashes.iter().any(|(_, _, _, b)| *b > 12);
    for (range, year, a, b) in slashes {
        let (month, day) = if day_first || a > 12 { (b, a) } else { (a, b) };
        add(text, &mut found, range, (&year, month, day));
    }
    for captures in dot_regex().captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        // `1.2.19` numbers a heading; hyphenated pairs of digits are docket numbers.
        if captures["y"].len() == 2
            && (&captures["s"] == "-" || captures["a"].len() < 2 && captures["b"].len() < 2)
        {
            continue;
        }
        let (a, b) = (number(&captures["a"]), number(&captures["b"]));
        let (month, day) = if b > 12 { (a, b) } else { (b, a) };
        add(text, &mut found, whole.range(), (&captures["y"], month, day));
    }
    found
}

fn add(
    text: &str,
    found: &mut Vec<Mention>,
    range: std::ops::Range<usize>,
    date: (&str, u32, u32),
) {
    let (year, month, day) = date;
    let year = match (year.len(), number(year)) {
        (2, short @ 0..=39) => 2000 + short,
        (2, short) => 1900 + short,
        (_, year) => year,
    };
    if !is_date(year, month, day) {
        return;
    }
    let mut mention = Mention::new(
        EntityKind::Date,
        text,
        range.start,
        range.end,
        format!("{year:04}-{month:02}-{day:02}"),
    );
    let head = &text[text.floor_char_boundary(range.start.saturating_sub(40))..range.start];
    mention.attributes.role = label_regex().captures(head).map(|captures| {
        captures["label"].to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
    });
    found.push(mention);
}

fn number(digits: &str) -> u32 {
    digits.parse().unwrap_or(0)
}

/// The number of a month, from 1, by its name or an abbreviation of it.
pub(super) fn month(name: &str) -> Option<u32> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let lower = name.to_lowercase();
    MONTHS.iter().position(|month| lower.starts_with(month)).map(|at| at as u32 + 1)
}

fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normals(text: &str) -> Vec<String> {
        dates(text).into_iter().map(|m| m.normal).collect()
    }

    #[test]
    fn every_usual_form() {
        for text in [
            "March 4, 2019",
            "MARCH 4, 2019",
            "Mar 04 2019",
            "4 March 2019",
            "4th day of March, 2019",
            "2019-03-04",
            "03/04/2019",
            "04.03.2019",
            "4th\nMarch, 2019",
        ] {
            assert_eq!(normals(text), ["2019-03-04"], "{text}");
        }
    }

    #[test]
    fn slashes_follow_the_paper() {
        assert_eq!(normals("04/03/2019 and 25/12/2018"), ["2019-03-04", "2018-12-25"]);
        assert!(normals("31/02/2019 and 1.2.19 and 13-45-2000").is_empty());
    }

    #[test]
    fn labels_are_kept() {
        assert_eq!(dates("Date Filed: 12/23/2008")[0].attributes.role.as_deref(), Some("filed"));
    }
}
