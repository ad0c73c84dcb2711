//! Lawyers in docket sheets: on separate lines under a party, recognised by the following lines.

use super::lawyer_mention::push;
use super::persons::is_person;
use crate::model::Mention;
use crate::static_regex::static_regex;

static_regex!(
    attorney_list_regex,
    r"(?m)^\s*(?:Attorneys?|ATTORNEYS?|Counsel|COUNSEL)\s+(?:for|FOR)\s+(?P<client>[A-Za-z ]{4,40})s?:?\s*$"
);
static_regex!(represented_regex, r"(?i)represented\s+by[:\s]+");
static_regex!(
    role_line_regex,
    r"^(?i:(?:third[- ]party\s+|cross[- ]?|counter[- ]?|intervenor\s+|interested\s+|consolidated\s+)?(?:plaintiffs?|defendants?|appellants?|appellees?|petitioners?|respondents?|debtors?|part(?:y|ies)|claimants?|intervenors?|movants?|creditors?|trustees?|amicus|applicants?)(?:\s*[-–\u{a0}/]\s*\w+)?[,.]?)$"
);

/// Names on separate lines of a docket sheet, recognised by the following lines.
pub(super) fn docket_sheet(text: &str, found: &mut Vec<Mention>) {
    let sheet = represented_regex().is_match(text)
        || text.contains("[COR ")
        || text.contains("Counsel of Record")
        || attorney_list_regex().is_match(text);
    if !sheet {
        return;
    }
    let mut lines: Vec<(usize, &str)> = Vec::new();
    let mut offset = 0;
    for raw in text.split('\n') {
        // `represented by` shares its line with the first lawyer; a tab separates name and address.
        let mut at = offset;
        for piece in raw.split('\t') {
            let trimmed = piece.trim();
            let lower = trimmed.to_lowercase();
            if let Some(rest) =
                lower.strip_prefix("represented by").filter(|rest| !rest.trim().is_empty())
            {
                let name = &trimmed[trimmed.len() - rest.len()..];
                lines.push((at + piece.find(trimmed).unwrap_or(0), "represented by"));
                lines.push((at + piece.find(name).unwrap_or(0), name.trim()));
            } else if !trimmed.is_empty() {
                lines.push((at + piece.find(trimmed).unwrap_or(0), trimmed));
            }
            at += piece.len() + 1;
        }
        offset += raw.len() + 1;
    }
    let role_first = represented_regex().is_match(text);
    let mut party: Option<String> = None;
    let mut expects_name = false;
    for (at, (start, line)) in lines.iter().enumerate() {
        let next = lines.get(at + 1).map_or("", |(_, next)| *next);
        if let Some(captures) = attorney_list_regex().captures(line) {
            party = Some(captures["client"].to_owned());
            expects_name = true;
            continue;
        }
        if role_line_regex().is_match(line) {
            expects_name = false;
            // The party's name is before the role in some sheets and after it in others.
            let before = at.checked_sub(1).map_or("", |i| lines[i].1);
            party = Some(if role_first || before.is_empty() {
                next.to_owned()
            } else {
                before.to_owned()
            });
            continue;
        }
        let lower = line.to_lowercase();
        if lower.starts_with("represented by") {
            if let (None, Some((_, before))) =
                (&party, at.checked_sub(1).and_then(|i| lines.get(i)))
            {
                party = Some((*before).to_owned());
            }
            expects_name = true;
            continue;
        }
        let marker = [
            "attorney to be noticed",
            "lead attorney",
            "bar status",
            "pro hac vice",
            "terminated:",
        ]
        .iter()
        .any(|mark| lower.starts_with(mark));
        if marker {
            expects_name = true;
            continue;
        }
        if lower.starts_with("party name:") {
            expects_name = true;
            continue;
        }
        let name = line.trim_end_matches([',']).replace(" ,", ",");
        let told =
            ["direct:", "firm:", "[cor", "[ntc", "counsel of record", "(see above", "email:"]
                .iter()
                .any(|mark| next.to_lowercase().starts_with(mark));
        if (told || expects_name)
            && (is_person(&name) || is_person(name.trim_end_matches(", Esq.")))
        {
            push(text, *start, start + line.trim_end_matches([',']).len(), party.as_deref(), found);
        }
        expects_name = false;
    }
}
