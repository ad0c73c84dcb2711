//! Finds lawyers in blocks of lines: signatures above `Attorneys for Plaintiff`, and names below `For the Defendant:`.

use super::counsel_names::is_city;
use super::lawyer_mention::push;
use super::persons::is_person;
use crate::model::Mention;
use crate::static_regex::static_regex;

static_regex!(
    heading_regex,
    r"(?im)^[ \t]*(?:(?:co-?)?(?:lead\s+)?(?:attorneys?|counsel|solicitors?|lawyers?)(?:\s+of\s+record)?\s+for|for)[ \t]+(?:the[ \t]+)?(?P<client>(?:(?:individual|third[- ]party|cross|counter|intervenor|nominal|lead)[- \t]+)?(?:plaintiff|defendant|appell(?:ant|ee)|petitioner|respondent|claimant|intervenor|debtor|movant|applicant|trustee|amic(?:us|i)|government|state|commonwealth|people|united[ \t]+states|creditor|relator|garnishee)[^\n:]{0,140}?)[ \t]*(?:(?P<end>:)[ \t]*(?P<rest>[^\n]*)|[.,]?[ \t]*)$"
);
static_regex!(
    pro_se_regex,
    r"(?im)^[ \t]*(?P<name>[A-Z][^\n,;:]{3,50}?)(?:,[ \t]+Esq\.?)?,?[ \t]+(?:appearing[ \t]+)?pro[ \t]+se\b"
);

/// The most lines of a signature or a list of counsel.
const MAX_LINES: usize = 14;

/// Adds the lawyers of every block.
pub(super) fn counsel_blocks(text: &str, found: &mut Vec<Mention>) {
    for heading in heading_regex().captures_iter(text) {
        let (Some(whole), Some(client)) = (heading.get(0), heading.name("client")) else {
            continue;
        };
        let client = client_of(client.as_str());
        // `For Plaintiff: ROE LLP`, then its address and `BY: ANN ROE`.
        let rest = heading.name("rest").filter(|rest| !rest.as_str().trim().is_empty());
        let mut below = names_below(text, whole.end(), rest.is_some());
        below.extend(rest.and_then(|rest| name_in(text, rest.start(), rest.end())));
        let asks = heading.name("end").is_some_and(|end| end.as_str() == ":");
        let above = if asks { Vec::new() } else { names_above(text, whole.start()) };
        // A heading that begins a paragraph stands above its list.
        let begins = text[..whole.start()].trim_end_matches([' ', '\t']).ends_with("\n\n")
            || whole.start() == 0;
        for (start, end) in
            if above.is_empty() || begins && !below.is_empty() { below } else { above }
        {
            push(text, start, end, Some(client), found);
        }
    }
    for captures in pro_se_regex().captures_iter(text) {
        let Some(name) = captures.name("name") else { continue };
        if let Some((start, end)) = name_in(text, name.start(), name.end()) {
            push(text, start, end, Some(&text[start..end]), found);
        }
    }
}

/// The role, or the role and the name after it up to a comma.
fn client_of(client: &str) -> &str {
    client.split([',', '(', ';']).next().unwrap_or(client).trim()
}

/// The names of a signature above its last line, from the nearest upwards.
fn names_above(text: &str, end: usize) -> Vec<(usize, usize)> {
    let mut names = Vec::new();
    let mut signed = false;
    let mut at = end;
    let mut blanks = 0;
    for _ in 0..MAX_LINES {
        if at == 0 {
            break;
        }
        let above = text[..at].strip_suffix('\n').unwrap_or(&text[..at]);
        let start = above.rfind('\n').map_or(0, |at| at + 1);
        let line = &text[start..at];
        at = start;
        if line.trim().is_empty() {
            blanks += 1;
            if blanks > 2 {
                break;
            }
            continue;
        }
        let lower = line.to_lowercase();
        if ["respectfully", "dated", "date:", "attorneys for", "counsel for", "ordered"]
            .iter()
            .any(|word| lower.contains(word))
        {
            break;
        }
        blanks = 0;
        signed |= lower.contains("/s/")
            || lower.contains('@')
            || lower.contains("bar no")
            || lower.contains("sbn")
            || line.chars().filter(char::is_ascii_digit).count() >= 5;
        if let Some(name) = name_in(text, start, start + line.len()) {
            names.push(name);
        }
    }
    // Two people above a heading may be anybody; a signature has an address or a mark.
    if signed || !names.is_empty() && names.len() <= 3 { names } else { Vec::new() }
}

/// The names of the list below a heading, up to an empty line after them.
fn names_below(text: &str, start: usize, firm: bool) -> Vec<(usize, usize)> {
    let mut names = Vec::new();
    let mut at = start + usize::from(text[start..].starts_with('\n'));
    for line in text[at..].split_inclusive('\n').take(MAX_LINES) {
        if line.trim().is_empty() && (firm || !names.is_empty()) {
            break;
        }
        if heading_regex().is_match(line.trim_end()) {
            break;
        }
        match name_in(text, at, at + line.len()) {
            Some(name) => names.push(name),
            // The first line names somebody, or this is no list.
            None if names.is_empty() && !firm && !line.trim().is_empty() => break,
            None => {}
        }
        at += line.len();
    }
    names
}

/// The person a line names, without `/s/`, `By:`, numbers of the bar and titles.
fn name_in(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let line = text.get(start..end)?;
    let mut from = 0;
    loop {
        let rest = &line[from..];
        let trimmed = rest.trim_start_matches([' ', '\t', '_', '*', '|', ')', ':']);
        from += rest.len() - trimmed.len();
        let lower = trimmed.get(..4).unwrap_or(trimmed).to_lowercase();
        let marks = ["/s/", "by:", "s/ ", "by ", "mr.", "ms."];
        if !marks.iter().any(|mark| lower.starts_with(mark)) {
            break;
        }
        from += 3;
    }
    let rest = &line[from..];
    let mut cut = rest.find(['(', '[', ';', '\t', '\n', '#']).unwrap_or(rest.len());
    for mark in [
        "   ",
        ", Esq",
        ", ESQ",
        " Bar No",
        " SBN",
        ", Bar",
        ", State Bar",
        ", Assistant",
        ", Attorney",
        ", Deputy",
        ", Special",
    ] {
        cut = rest.find(mark).map_or(cut, |at| cut.min(at));
    }
    let name = rest[..cut].trim_end_matches([' ', ',', '.', '\r', '*']);
    let comma = name.find(',').filter(|at| {
        !["Jr", "Sr", "II", "III"].iter().any(|one| name[at + 1..].trim_start().starts_with(one))
    });
    let name = &name[..comma.unwrap_or(name.len())];
    let lone = is_person(name) && !is_city(&rest[name.len()..]);
    lone.then_some((start + from, start + from + name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        counsel_blocks(text, &mut found);
        found.into_iter().map(|m| (m.normal, m.attributes.represents.join("+"))).collect()
    }

    fn pair(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn a_signature_is_above_the_client() {
        let text = "Dated: May 1\n\n/s/ Ann V. Roe\nAnn V. Roe (SBN 123456)\nROE POE LLP\n1 Almaden Crescent\nSan Pedro, CA 94104\nAttorneys for Plaintiff Acme, Inc.\n";
        let found = pairs(text);
        assert!(
            found.iter().all(|one| *one == pair("Ann V. Roe", "Plaintiff Acme"))
                && found.len() == 2,
            "{found:?}"
        );
    }

    #[test]
    fn a_list_is_below_its_heading() {
        let text = "ATTORNEYS FOR APPELLANT\nAnn V. Roe\nUtopia, Indiana\n\nFor the Defendant:\nBob Poe, Esq.\nPoe PC\n";
        assert_eq!(pairs(text), [pair("Ann V. Roe", "APPELLANT"), pair("Bob Poe", "Defendant")]);
        assert_eq!(pairs("Carl Moe, pro se.\n"), [pair("Carl Moe", "Carl Moe")]);
    }

    #[test]
    fn prose_names_no_lawyer() {
        assert!(pairs("For the defendant to prevail, he must show harm.\nFor the plaintiffs\nThe jury found so.\n").is_empty());
    }
}
