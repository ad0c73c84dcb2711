//! Compiles the expressions on a thread while the first document is read.

use std::sync::Once;

use super::{
    back_references, case_citations, courts, dates, docket_numbers, events, judges, lawyers, money,
    parties, signals, statutes, term_uses, treatments,
};

/// A made-up paper for trying every expression.
const PAPER: &str = "\
UNITED STATES DISTRICT COURT
NORTHERN DISTRICT OF OHIO

ACME MILLS, INC., et al.,
Plaintiffs,
v.
JOHN Q. ROE,
Defendant.

Case No. 1:20-cv-00123-AB
Before: Hon. Ann B. Lee, Circuit Judge
Filed: March 3, 2021
Represented by:
Jane V. Doe, Esq., counsel for the plaintiff

Acme Mills, Inc. (the “Company”) filed suit on March 3, 2021. The Company paid damages of $5.

See Roe v. Mills, 410 U.S. 113, 115 (1973), aff'd, 5 U.S. 7 (1974) (quoting Doe, 3 U.S. 4); 42 U.S.C. § 1983; Ohio Rev. Code § 2305.10; Id. at 116. In re
Doe, supra. Section 5 of the Clean Air Act. He paid $5,000 on 3 May 2020.
";

/// Starts compiling the expressions on a separate thread; a second call does nothing.
///
/// The order is the reverse of [`mentions`](super::mentions), so that a document read at the same time compiles
/// one half and finds the other half done.
pub(crate) fn prepare() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        // Without the thread, the first document compiles all of them.
        let _ = std::thread::Builder::new().name("expressions".into()).spawn(try_all);
    });
}

fn try_all() {
    money::money(PAPER);
    dates::dates(PAPER);
    docket_numbers::docket_numbers(PAPER);
    lawyers::lawyers(PAPER);
    judges::judges(PAPER);
    courts::courts(PAPER);
    statutes::statutes(PAPER);
    parties::parties(PAPER);
    joined();
    back_references::back_references(PAPER, &case_citations::case_citations(PAPER));
}

/// Tries what reads the text around the mentions of all kinds.
fn joined() {
    let mut found = money::money(PAPER);
    found.extend(dates::dates(PAPER));
    found.extend(parties::parties(PAPER));
    found.extend(case_citations::case_citations(PAPER));
    found.sort_by_key(|one| (one.start, one.end));
    found.extend(term_uses::term_uses(PAPER, &found));
    let order: Vec<usize> = (0..found.len()).filter(|at| found[*at].citation().is_some()).collect();
    signals::signals(PAPER, &mut found, &order);
    treatments::treatments(PAPER, &mut found, &order);
    events::events(PAPER, &mut found);
}
