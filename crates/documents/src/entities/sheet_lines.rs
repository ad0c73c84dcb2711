//! The lines of a docket sheet, and what a line is by its form: a role, a mark, a telephone number, an address.

/// A line, or a cell of a row, without the spaces around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    pub(super) start: usize,
    pub(super) text: &'t str,
}

/// The lines and cells that are not empty; `represented by` is a line of its own.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut all = Vec::new();
    let mut at = 0;
    for piece in text.split(['\n', '\t']) {
        let trimmed = piece.trim();
        let start = at + (piece.len() - piece.trim_start().len());
        at += piece.len() + 1;
        if trimmed.is_empty() {
            continue;
        }
        match represented(trimmed) {
            Some(cut) => {
                let (before, after) = (
                    trimmed[..cut.0].trim_end(),
                    trimmed[cut.1..].trim_start_matches([':', ' ', '\u{a0}']),
                );
                if !before.is_empty() {
                    all.push(Line { start, text: before });
                }
                all.push(Line { start: start + cut.0, text: "represented by" });
                if !after.is_empty() {
                    all.push(Line { start: start + trimmed.len() - after.len(), text: after });
                }
            }
            None => all.push(Line { start, text: trimmed }),
        }
    }
    all
}

/// Where `represented by` is in a line that begins or ends with it.
fn represented(line: &str) -> Option<(usize, usize)> {
    const WORD: &str = "represented";
    let at = (0..line.len().min(160)).find(|at| {
        line.is_char_boundary(*at)
            && line.get(*at..at + WORD.len()).is_some_and(|word| word.eq_ignore_ascii_case(WORD))
    })?;
    let rest = &line[at + WORD.len()..];
    let by = rest.trim_start();
    let end = line.len() - by.len() + 2;
    let whole =
        by.get(..2).is_some_and(|by| by.eq_ignore_ascii_case("by")) && by.len() < rest.len();
    // In prose, a single space and a verb stand before it.
    let alone = at == 0 || line[..at].ends_with("  ");
    (whole && alone).then_some((at, end))
}

/// The first words of roles in sheets.
const ROLES: &str = " plaintiff defendant petitioner respondent appellant appellee debtor trustee creditor intervenor \
movant claimant counterclaimant crossclaimant garnishee objector amicus amici applicant \
receiver mediator custodian relator interpleader stakeholder taxpayer witness interested \
miscellaneous joint third thirdparty counter cross consol consolidated special real u.s. us 3rd \
fourth petitioning adversary material adr in notice liquidator examiner assistant successor not \
nominal limited lead service unknown party realtor neutral foreign conservator guardian \
transferee transferor assignee ";

/// The words that complete a role.
const NOUNS: &str = " plaintiff defendant petitioner respondent appellant appellee debtor trustee creditor intervenor \
movant claimant garnishee objector curiae applicant receiver mediator custodian relator party \
interest witness master committee possession provider taxpayer stakeholder counterclaimant \
crossclaimant interpleader amicus miscellaneous examiner liquidator administrator agent counsel \
realtor neutral representative conservator guardian transferee transferor assignee ";

/// The role, if the line is nothing but a role: `Counter Defendant`, `Defendant (1)`, `Plaintiff - Appellant,`.
pub(super) fn sheet_role(line: &str) -> Option<String> {
    if line.len() > 60 || !line.starts_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    let mut text: String = line
        .to_lowercase()
        .chars()
        .map(|c| if c.is_whitespace() || c == '–' { ' ' } else { c })
        .collect();
    if let Some(cut) = text.find('(') {
        let number = text[cut..].trim_matches(|c: char| {
            c == '(' || c == ')' || c.is_ascii_digit() || c == ' ' || c == 's'
        });
        if !number.is_empty() {
            return None;
        }
        text.truncate(cut);
    }
    let text = text
        .trim_end_matches([',', '.', ':', ' ', '*'])
        .replace(" - ", "-")
        .replace("- ", "-")
        .replace(" -", "-");
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    if words.is_empty() || words.len() > 6 {
        return None;
    }
    let single = |word: &str| {
        word.strip_suffix('s').filter(|cut| !cut.ends_with(['u', 's'])).unwrap_or(word).to_owned()
    };
    let parts = |word: &str| -> Vec<String> { word.split(['-', '/']).map(single).collect() };
    let first = parts(words[0])[0].clone();
    let last = words.last().map(|word| parts(word).pop().unwrap_or_default()).unwrap_or_default();
    let known = |list: &str, word: &str| list.contains(&format!(" {word} "));
    let all = words.iter().flat_map(|word| parts(word)).all(|part| {
        known(ROLES, &part)
            || known(NOUNS, &part)
            || matches!(
                part.as_str(),
                "of" | "and" | "the" | "pty" | "pro" | "claim" | "estate" | "unsecured"
            )
    });
    let fits = known(ROLES, &first) && known(NOUNS, &last) && all;
    let role = words
        .iter()
        .map(|word| word.split('-').map(single).collect::<Vec<_>>().join("-"))
        .collect::<Vec<_>>();
    fits.then(|| role.join(" "))
}

/// Whether a line in lower case says how a lawyer takes part.
pub(super) fn is_mark(lower: &str) -> bool {
    const MARKS: [&str; 15] = [
        "attorney to be noticed",
        "lead attorney",
        "pro hac vice",
        "terminated:",
        "terminated",
        "bar status",
        "designation:",
        "pro se",
        "(see above",
        "see above",
        "bar number",
        "[cor",
        "[ntc",
        "inactive",
        "counsel of record",
    ];
    MARKS.iter().any(|mark| lower.starts_with(mark))
}

/// Whether a line in lower case is a telephone number or an electronic address.
pub(super) fn is_contact(lower: &str) -> bool {
    const LABELS: [&str; 13] = [
        "email:",
        "e-mail:",
        "fax:",
        "phone:",
        "tel:",
        "telephone",
        "direct:",
        "firm:",
        "cell:",
        "mobile:",
        "business:",
        "us ",
        "fax ",
    ];
    let digits = lower.chars().filter(char::is_ascii_digit).count();
    let letters = lower.chars().filter(|c| c.is_alphabetic()).count();
    LABELS.iter().any(|label| lower.starts_with(label) && (label.ends_with(':') || digits >= 7))
        || lower.contains('@')
        || digits >= 7 && letters <= 6
}

/// Whether a line may be of an address: it has a digit, or begins as a post-office box or a suite.
pub(super) fn is_address(line: &str) -> bool {
    let lower = line.to_lowercase();
    line.contains(|c: char| c.is_ascii_digit())
        || lower.starts_with("p.o.")
        || lower.starts_with("suite")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_told_from_other_lines() {
        for (line, role) in [
            ("Plaintiff", "plaintiff"),
            ("Plaintiff - Appellant,", "plaintiff-appellant"),
            ("Defendant\u{a0}-\u{a0}Appellee,", "defendant-appellee"),
            ("Defendant (1)", "defendant"),
            ("ThirdParty Plaintiff", "thirdparty plaintiff"),
            ("Counter-claimant", "counter-claimant"),
            ("U.S. Trustee", "u.s. trustee"),
            ("Debtor In Possession", "debtor in possession"),
            ("Real Party in Interest", "real party in interest"),
            ("Amicus Curiae", "amicus curiae"),
            ("Respondents", "respondent"),
            ("Material Witness", "material witness"),
            ("Debtor-In-Possession", "debtor-in-possession"),
            ("Cross-Appellants", "cross-appellant"),
        ] {
            assert_eq!(sheet_role(line).as_deref(), Some(role), "{line}");
        }
        for line in [
            "Jury Demand: Defendant",
            "Interested in Art, Inc.",
            "Defendant Acme moved",
            "Notice",
            "Third Avenue",
            "Joint Stock Company",
            "Creditor's mailing matrix",
        ] {
            assert_eq!(sheet_role(line), None, "{line}");
        }
    }

    #[test]
    fn represented_by_is_a_line_of_its_own() {
        let texts = |text| lines(text).into_iter().map(|line| line.text).collect::<Vec<_>>();
        assert_eq!(texts("Acme\nrepresented by\tAnn Roe\n"), ["Acme", "represented by", "Ann Roe"]);
        assert_eq!(texts("represented\u{a0}by Ann Roe"), ["represented by", "Ann Roe"]);
        assert_eq!(texts("Acme   represented by   Ann Roe"), ["Acme", "represented by", "Ann Roe"]);
        assert_eq!(texts("Acme was represented by counsel"), ["Acme was represented by counsel"]);
    }
}
