//! Reads the parties and lawyers of docket sheets: CM/ECF of district, bankruptcy and appellate courts, and the
//! Supreme Court's.
//!
//! A sheet lists a party, then the lawyers who appear for it, each with firm, address and marks such as
//! `LEAD ATTORNEY`. One pass over its lines knows by the line before it what each line is.

use super::sheet_layouts::{Layout, layout};
use super::sheet_lines::{Line, is_address, is_contact, is_mark, lines, sheet_role};

/// A party of a sheet: its name's place in the text, and its role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SheetParty {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) role: String,
}

/// A lawyer of a sheet: the name's place in the text, and the party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SheetLawyer {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) party: String,
}

/// Everybody a sheet lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sheet {
    pub(super) parties: Vec<SheetParty>,
    pub(super) lawyers: Vec<SheetLawyer>,
}

/// The text as a docket sheet; `None` if it has no such layout.
pub(super) fn docket_sheet(text: &str) -> Option<Sheet> {
    let layout = layout(text)?;
    let lines = lines(text);
    let sheet = match layout {
        Layout::Supreme => supreme_court(&lines),
        Layout::Appellate => appellate_court(&lines),
        Layout::District => district_court(&lines),
    };
    (!sheet.parties.is_empty()).then_some(sheet)
}

/// The part of a district court's sheet that the next line belongs to.
enum Place {
    /// Before the first party, or after the last.
    Outside,
    /// The party's name comes next.
    Party,
    /// Below a party's name: aliases, descriptions, its address.
    Details,
    /// The name of a lawyer comes next.
    Lawyer,
    /// Below a lawyer's name: firm and address.
    Firm,
    /// After a telephone number or a mark: another lawyer may follow.
    After { mark: bool },
}

/// Role, name, `represented by`, and lawyers until the next role.
fn district_court(lines: &[Line<'_>]) -> Sheet {
    let mut sheet = Sheet::default();
    let mut place = Place::Outside;
    let mut role = String::new();
    let mut party = String::new();
    for (at, line) in lines.iter().enumerate() {
        let text = line.text;
        let lower = text.to_lowercase();
        if matches!(
            lower.as_str(),
            "date filed" | "docket text" | "#" | "filing date" | "pacer service center"
        ) && !matches!(place, Place::Outside)
        {
            place = Place::Outside;
            party.clear();
            continue;
        }
        if let Some(found) = sheet_role(text).filter(|_| party_follows(lines, at)) {
            role = found;
            party.clear();
            place = Place::Party;
            continue;
        }
        if lower == "represented by" {
            // A sheet without the role above names the party just before.
            if party.is_empty()
                && let Some(before) = at.checked_sub(1).and_then(|at| lines.get(at))
                && may_be_party(before.text)
            {
                let name = name_of(before.text);
                party = name.to_owned();
                sheet.parties.push(SheetParty {
                    start: before.start,
                    end: before.start + name.len(),
                    role: String::new(),
                });
            }
            place = Place::Lawyer;
            continue;
        }
        if matches!(
            lower.as_str(),
            "v." | "vs." | "v" | "pending counts" | "complaints" | "terminated counts"
        ) {
            place = Place::Outside;
            party.clear();
            continue;
        }
        place = match place {
            Place::Outside => Place::Outside,
            Place::Party => {
                let name = name_of(text);
                party = name.to_owned();
                sheet.parties.push(SheetParty {
                    start: line.start,
                    end: line.start + name.len(),
                    role: role.clone(),
                });
                Place::Details
            }
            Place::Details => Place::Details,
            Place::Lawyer if is_mark(&lower) || is_contact(&lower) => Place::Lawyer,
            Place::Lawyer => {
                add_lawyer(line, &party, &mut sheet);
                Place::Firm
            }
            Place::Firm if is_mark(&lower) => Place::After { mark: true },
            Place::Firm if is_contact(&lower) => Place::After { mark: false },
            Place::Firm => Place::Firm,
            Place::After { mark } => {
                if is_mark(&lower) {
                    Place::After { mark: true }
                } else if is_contact(&lower) || is_address(text) {
                    Place::After { mark }
                } else if mark && looks_like_name(text)
                    || super::persons::is_person(&bare_name(text))
                {
                    add_lawyer(line, &party, &mut sheet);
                    Place::Firm
                } else {
                    Place::After { mark: false }
                }
            }
        };
    }
    sheet
}

/// Whether the line after a role can be a party's name: a heading of a table is not above one.
fn party_follows(lines: &[Line<'_>], at: usize) -> bool {
    // `Jury Demand:` has a role as its value.
    if at.checked_sub(1).and_then(|at| lines.get(at)).is_some_and(|line| line.text.ends_with(':')) {
        return false;
    }
    lines.get(at + 1).is_some_and(|next| may_be_party(next.text))
}

/// Whether the line can be a party's name.
fn may_be_party(line: &str) -> bool {
    let lower = line.to_lowercase();
    line.starts_with(|c: char| c.is_alphanumeric() || c == '"' || c == '$')
        && !is_mark(&lower)
        && !is_field(line)
        && !matches!(lower.as_str(), "represented by" | "v." | "vs." | "v")
        && sheet_role(line).is_none()
}

/// `Nature of Suit: 190 Contract`.
fn is_field(line: &str) -> bool {
    line.split_once(':')
        .is_some_and(|(label, _)| label.split_whitespace().count() <= 4 && label.len() <= 24)
}

/// Name, role, and lawyers who are told by the bracket below their names.
fn appellate_court(lines: &[Line<'_>]) -> Sheet {
    let mut sheet = Sheet::default();
    let mut party = String::new();
    // Where the block before ends: a party's name is not looked for above it.
    let mut floor = 0;
    for (at, line) in lines.iter().enumerate() {
        if let Some(role) = sheet_role(line.text) {
            let Some(name) = party_above(lines, floor, at) else { continue };
            let bare = name_of(name.text);
            party = bare.to_owned();
            sheet.parties.push(SheetParty {
                start: name.start,
                end: name.start + bare.len(),
                role,
            });
            floor = at + 1;
        } else if line.text.starts_with('[') && is_bracket(line.text) && !party.is_empty() {
            let above = (floor..at).rev().map(|at| &lines[at]).find(|line| {
                let lower = line.text.to_lowercase();
                !is_contact(&lower) && !is_mark(&lower) && !line.text.starts_with(['(', '['])
            });
            if let Some(name) = above {
                add_lawyer(name, &party, &mut sheet);
            }
            floor = at + 1;
        }
    }
    sheet
}

/// `[COR LD NTC Retained]`: how a lawyer takes part.
fn is_bracket(text: &str) -> bool {
    ["COR", "NTC", "LD"].iter().any(|word| text[1..].split([' ', ']']).any(|part| part == *word))
}

/// The line of the party's name above its role, over lines that describe the party.
fn party_above<'l, 't>(lines: &'l [Line<'t>], floor: usize, role: usize) -> Option<&'l Line<'t>> {
    (floor..role).rev().take(4).map(|at| &lines[at]).find(|line| {
        !line.text.starts_with(|c: char| c.is_lowercase() || c == '(' || c == ',')
            && !line.text.ends_with(':')
    })
}

/// `Attorneys for Petitioner`, then lawyers, each with `Party name:` at the end.
fn supreme_court(lines: &[Line<'_>]) -> Sheet {
    let mut sheet = Sheet::default();
    let mut role: Option<String> = None;
    let mut waiting: Vec<SheetLawyer> = Vec::new();
    let mut first = false;
    for line in lines {
        let text = line.text;
        let heading =
            text.strip_prefix("Attorneys for ").or_else(|| text.strip_prefix("Attorney for "));
        if heading.is_some() || text == "Other" && role.is_some() {
            let named = heading.unwrap_or("other").trim_end_matches([':', ' ']).to_lowercase();
            role =
                Some(named.strip_suffix('s').unwrap_or(&named).trim_end_matches("(s)").to_owned());
            first = true;
            // Lawyers above the heading whose party is not named are not of the next one.
            waiting.clear();
        } else if let (Some(name), Some(role)) = (text.strip_prefix("Party name:"), &role) {
            let name = name.trim();
            let start = line.start + text.len() - name.len();
            let bare = name_of(name);
            if !bare.is_empty() {
                sheet.parties.push(SheetParty {
                    start,
                    end: start + bare.len(),
                    role: role.clone(),
                });
            }
            sheet.lawyers.extend(
                waiting.drain(..).map(|lawyer| SheetLawyer { party: bare.to_owned(), ..lawyer }),
            );
            first = true;
        } else if first && role.is_some() {
            if looks_like_name(text) {
                let (start, end) = (line.start, line.start + text.len());
                waiting.push(SheetLawyer { start, end, party: String::new() });
            }
            first = false;
        }
    }
    sheet
}

fn add_lawyer(line: &Line<'_>, party: &str, sheet: &mut Sheet) {
    if !looks_like_name(line.text) {
        return;
    }
    let text = line.text.trim_end_matches([',', ';']);
    sheet.lawyers.push(SheetLawyer {
        start: line.start,
        end: line.start + text.len(),
        party: party.to_owned(),
    });
}

/// A party's name without `et al.` and the comma before its role.
fn name_of(text: &str) -> &str {
    let lower = text.to_lowercase();
    let cut = [", et al", " et al"].iter().filter_map(|tail| lower.rfind(tail)).min();
    let text =
        cut.filter(|cut| lower.len() - cut <= 10).and_then(|cut| text.get(..cut)).unwrap_or(text);
    // `ANN ROE (State Prisoner: 123)`.
    let note = text.find('(').filter(|at| text[*at..].contains("risoner"));
    let text = note.map_or(text, |at| &text[..at]);
    text.trim_end_matches([',', ';', ' '])
}

/// A name as such, without the title after it.
fn bare_name(text: &str) -> String {
    text.trim_end_matches([',', ' ']).trim_end_matches(", Esq.").replace(" ,", ",")
}

/// Whether the line can be a lawyer's name. The place says that it is one, so only numbers, addresses and long
/// lines are refused; offices (`Clerk, U.S. District Court`) are entered as lawyers too.
fn looks_like_name(text: &str) -> bool {
    let words = text.split_whitespace().count();
    (1..=9).contains(&words)
        && text.len() <= 80
        && text.starts_with(|c: char| c.is_alphabetic())
        && !text.contains(['@', ':', '#', '/'])
        && text.chars().filter(char::is_ascii_digit).count() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(String, String)>;

    fn names(text: &str) -> (Pairs, Pairs) {
        let sheet = docket_sheet(text).unwrap_or_default();
        (
            sheet
                .parties
                .iter()
                .map(|p| (text[p.start..p.end].to_owned(), p.role.clone()))
                .collect(),
            sheet
                .lawyers
                .iter()
                .map(|l| (text[l.start..l.end].to_owned(), l.party.clone()))
                .collect(),
        )
    }

    fn pairs(list: &[(&str, &str)]) -> Pairs {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn district_sheets_list_lawyers_under_parties() {
        let text = "CIVIL DOCKET FOR CASE #: 2:31-cv-00077\nAssigned to: Judge Ann B. Poe\n\nPlaintiff\n\nAcme, Roe & Co., Inc.\na Utopia corporation\n\nrepresented by\tBrewster H. Roe\nLane & Lane, LLP\n1 First St\nSuite 2\nUtopia, TX 77002\n713-555-0100\nFax: 713-555-0101\nEmail: roe@example.org\nLEAD ATTORNEY\nATTORNEY TO BE NOTICED\n\nAnn B. Poe , Jr.\n(See above for address)\nPRO HAC VICE\nATTORNEY TO BE NOTICED\n\nV.\n\nThird Party Defendant\n\nJohn Doe\nTERMINATED: 01/02/2031\nalso known as\nJ. Doe\n\nrepresented by\nJohn Doe\n2 Second St\nUtopia, TX 77003\nPRO SE\n\nDate Filed\t#\tDocket Text\n01/02/2031\t1\tCOMPLAINT by Acme\n";
        let (parties, lawyers) = names(text);
        assert_eq!(
            parties,
            pairs(&[("Acme, Roe & Co., Inc.", "plaintiff"), ("John Doe", "third party defendant")])
        );
        assert_eq!(
            lawyers,
            pairs(&[
                ("Brewster H. Roe", "Acme, Roe & Co., Inc."),
                ("Ann B. Poe , Jr.", "Acme, Roe & Co., Inc."),
                ("John Doe", "John Doe"),
            ])
        );
    }

    #[test]
    fn appellate_sheets_have_the_role_below_the_name() {
        let text = "ACME LLC\n\nPetitioner - Appellant,\n\nAnn Roe, Attorney\nDirect: 555-0100\n[COR LD NTC Retained]\nRoe LLP\n1 First St.\n\nBob Poe\nEmail: b@example.org\n[COR NTC Government]\n(see above)\n\nv.\n\nJOHN DOE, in his capacity\n(State Prisoner: 123)\n\nRespondent - Appellee,\n\nCarl Moe\n[NTC Pro Se]\n";
        let (parties, lawyers) = names(text);
        assert_eq!(
            parties,
            pairs(&[
                ("ACME LLC", "petitioner-appellant"),
                ("JOHN DOE, in his capacity", "respondent-appellee")
            ])
        );
        assert_eq!(
            lawyers,
            pairs(&[
                ("Ann Roe, Attorney", "ACME LLC"),
                ("Bob Poe", "ACME LLC"),
                ("Carl Moe", "JOHN DOE, in his capacity"),
            ])
        );
    }

    #[test]
    fn the_supreme_courts_sheets_name_the_party_last() {
        let text = "Attorneys for Petitioner\nAnn Roe\nCounsel of Record\tRoe LLP\n1 First St.\n(555) 555-0100\nParty name: Acme, et al.\nAttorneys for Respondents\nBob Poe III\nDepartment of Justice\nParty name: Utopia\nCarl Moe\nParty name: John Doe\n";
        let (parties, lawyers) = names(text);
        assert_eq!(
            parties,
            pairs(&[("Acme", "petitioner"), ("Utopia", "respondent"), ("John Doe", "respondent")])
        );
        assert_eq!(
            lawyers,
            pairs(&[("Ann Roe", "Acme"), ("Bob Poe III", "Utopia"), ("Carl Moe", "John Doe")])
        );
    }

    #[test]
    fn lawyers_below_a_versus_are_not_of_the_party_above_it() {
        let text = "Date Filed: 01/02/2031\nPlaintiff\nAcme LLC\nrepresented by\nAnn Roe\n713-555-0100\nLEAD ATTORNEY\nV.\nJohn Doe\nrepresented by\nBob Poe\n713-555-0101\nLEAD ATTORNEY\n";
        let (parties, lawyers) = names(text);
        assert_eq!(parties, pairs(&[("Acme LLC", "plaintiff"), ("John Doe", "")]));
        assert_eq!(lawyers, pairs(&[("Ann Roe", "Acme LLC"), ("Bob Poe", "John Doe")]));
    }

    #[test]
    fn lawyers_whose_party_is_not_named_do_not_wait_for_the_next_heading() {
        let text = "Attorneys for Petitioner\nAnn Roe\nAttorneys for Respondent\nBob Poe\nParty name: Utopia\n";
        assert_eq!(names(text).1, pairs(&[("Bob Poe", "Utopia")]));
    }
}
