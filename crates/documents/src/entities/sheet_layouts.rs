//! Tells docket sheets from other papers, and the three layouts of sheets from each other.

use super::sheet_lines::lines;

/// The layout of a docket sheet, by the courts that print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// District and bankruptcy courts.
    District,
    /// Courts of appeals.
    Appellate,
    /// The Supreme Court.
    Supreme,
}

/// The layout of the text; `None` if it is no docket sheet.
pub(super) fn layout(text: &str) -> Option<Layout> {
    if has_both(text, &["Party name:"], &SUPREME_SIGNS) {
        Some(Layout::Supreme)
    } else if has_both(text, &APPELLATE, &APPELLATE_SIGNS) {
        Some(Layout::Appellate)
    } else if has_both(text, &DISTRICT, &DISTRICT_SIGNS) {
        Some(Layout::District)
    } else {
        None
    }
}

/// Whether the text has a mark of a sheet, and near the first one another sign of the layout.
///
/// A paper may quote one of the marks; only a sheet has both beside each other.
fn has_both(text: &str, marks: &[&str], signs: &[&str]) -> bool {
    let Some(mark) = marks.iter().filter_map(|mark| text.find(mark)).min() else { return false };
    let from = text.floor_char_boundary(mark.saturating_sub(NEAR));
    let to = text.floor_char_boundary(mark.saturating_add(NEAR));
    let beside = &text[from..to];
    signs.iter().any(|sign| beside.contains(sign))
        || lines(beside).iter().any(|line| line.text == "represented by")
}

/// The most bytes between a mark of a sheet and the other sign: the first party's block is shorter.
const NEAR: usize = 4_000;

/// Signs of the layout beside a mark of a district or bankruptcy court, besides a line that is `represented by`.
const DISTRICT_SIGNS: [&str; 6] =
    ["Date Filed", "Date filed", "Date Terminated", "Filing Date", "Docketed", "Jury Demand"];

/// How lawyers take part in an appeal.
const APPELLATE: [&str; 5] = ["[COR ", "[NTC ", "[LD ", "[COR]", "[NTC]"];

/// Signs of the layout beside a mark of an appellate court: the fields of the head and of a lawyer's address.
const APPELLATE_SIGNS: [&str; 9] = [
    "Docketed",
    "Docket #",
    "Originating",
    "Nature of Suit",
    "Direct:",
    "Firm:",
    "Email:",
    "(see above)",
    "(See above)",
];

/// Signs of the layout beside a `Party name:` of the Supreme Court.
const SUPREME_SIGNS: [&str; 4] =
    ["Attorneys for ", "Attorney for ", "Counsel of Record", "Docketed"];

/// Marks that only sheets of district and bankruptcy courts have.
const DISTRICT: [&str; 9] = [
    "Petition #:",
    "Proceeding #:",
    "Docket Text",
    "ATTORNEY TO BE NOTICED",
    "LEAD ATTORNEY",
    "DOCKET FOR CASE",
    "PETITION #",
    "PROCEEDING #",
    "(See above for address)",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paper_that_quotes_a_mark_is_no_sheet() {
        for text in [
            "The plaintiff was represented by counsel.\nDefendant\nmoved to dismiss.",
            "Ann Roe, LEAD ATTORNEY.\nThe plaintiff was represented by her.\nDefendant\nDoe moved.",
            "The clerk noted it in the Docket Text.\nDefendant\nJohn Roe moved to dismiss.",
            "Ann Roe is LEAD ATTORNEY here.\nPlaintiff\nAcme LLC\nanswers.",
            "JOHN DOE\nRespondent\nHe is listed as [LD NTC].\n",
        ] {
            assert_eq!(layout(text), None, "{text}");
        }
        let far = format!(
            "See the Docket Text.\nDefendant\nJohn Roe\n{}Date Filed: 1/2/2031",
            "The motion is denied. ".repeat(400)
        );
        assert_eq!(layout(&far), None);
    }

    #[test]
    fn each_layout_has_its_marks() {
        for (text, expected) in [
            ("Acme\nrepresented by\nAnn Roe\nLEAD ATTORNEY", Layout::District),
            ("DOCKET FOR CASE #: 1:31-cv-7\nDate Filed: 1/2/2031", Layout::District),
            ("Ann Roe\nDirect: 555-0100\n[COR NTC Retained]", Layout::Appellate),
            ("Attorneys for Petitioner\nAnn Roe\nParty name: Acme", Layout::Supreme),
        ] {
            assert_eq!(layout(text), Some(expected), "{text}");
        }
    }
}
