//! The reporters that every state has: its abbreviation, an ending, a series.
//!
//! The key is parsed and not looked up: all spellings together are some 80,000, and a table of them takes a
//! tenth of a second to build.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::reporter_key::reporter_key;
use super::states::STATES;
use crate::model::CitationForm;

/// Endings that a state's abbreviation takes in names of its case reporters.
const STATE_CASE_ENDINGS: &str = ";App.;Ct. App.;App. Ct.;App. Div.;Super.;Super. Ct.;Ch.;Eq.;L.;Law;N.P.;C.C.;Ct. Cl.;Cir. Ct.;Cir.;Crim.;Crim. App.;Cr. App.;Civ. App.;Misc.;Supp.;Dec.;Ann.;Terr.;Reports;Rep.;R.;Tax;Tax Ct.;Jud. Dist.;Jur.;Cas.;Unrep. Cas.;Law J.;Law J. Rep.;L. Rep.;App. Unpub.;App. Div. Adv. Sh.;LEXIS;App. LEXIS;Super. LEXIS;Ch. LEXIS";

/// Endings of states' session laws, which are cited like reporters.
const STATE_LAW_ENDINGS: &str = "Laws;Acts;Pub. Acts;Spec. Acts;Sess. Laws;Sess. Law Serv.;Sess. L. Serv.;Sess. Laws Spec. Sess.;Laws Spec. Sess.;Legis. Serv.;Legis. Serv. Ann.;Adv. Legis. Serv.;Legis. Bull.;Stat. Adv. Legis. Serv.;Stat. Ann. Adv. Legis. Serv.;Code Adv. Legis. Serv.;Code Ann. Adv. Legis. Serv.;Code Ann. Adv.;Cent. Code Adv. Legis. Serv.;Rev. Stat. Adv. Legis. Serv.;Rev. Stat. Ann. Adv. Legis. Serv.;Gen. Laws Adv. Legis. Serv.;Stat.;Stats.;Gen. Laws;Pub. L.;P.L.;Civ. L.";

/// Endings of states' registers of regulations, which are cited like reporters.
const STATE_REGISTER_ENDINGS: &str = "Reg.;Reg. Regs.;Regs.;Admin. Reg.;Admin. Weekly;Admin. Monthly;Admin. Bull.;Gov't Reg.;Gov. Reg.;Rulemaking Reg.;Register;Admin. Rev.;Bull.;Code Reg.";

/// Series numbers that follow a reporter's name.
const SERIES: [&str; 8] = ["", " 2d", " 3d", " 4th", " 5th", " 6th", " (2d)", " (1st)"];

/// Text after a state's abbreviation.
struct Ending {
    /// Begins with a space, unless it is empty.
    written: String,
    form: CitationForm,
}

/// Endings by their keys; the first ending of a key is kept.
static ENDINGS: LazyLock<HashMap<String, Ending>> = LazyLock::new(|| {
    let mut table = HashMap::with_capacity(1_500);
    let mut add = |written: String, form| {
        table.entry(reporter_key(&written)).or_insert(Ending { written, form });
    };
    for ending in STATE_CASE_ENDINGS.split(';') {
        let spaced = if ending.is_empty() { String::new() } else { format!(" {ending}") };
        for series in SERIES {
            add(format!("{spaced}{series}"), CitationForm::FullCase);
        }
    }
    for ending in STATE_LAW_ENDINGS.split(';') {
        add(format!(" {ending}"), CitationForm::Statute);
    }
    for ending in STATE_REGISTER_ENDINGS.split(';') {
        add(format!(" {ending}"), CitationForm::Regulation);
    }
    table
});

/// A spelling of a state's name: its key and the state's usual abbreviation.
type Spelling = (String, &'static str);

/// Spellings by their first byte, each list in the order of the states.
static SPELLINGS: LazyLock<HashMap<u8, Vec<Spelling>>> = LazyLock::new(|| {
    let mut table: HashMap<u8, Vec<Spelling>> = HashMap::new();
    for state in &STATES {
        for spelling in state.abbreviations.iter().chain(std::iter::once(&state.name)) {
            let key = reporter_key(spelling);
            if let Some(first) = key.bytes().next() {
                table.entry(first).or_default().push((key, state.abbreviations[0]));
            }
        }
    }
    table
});

/// The usual abbreviation of the state's reporter with this key, and the form of its citations.
pub(super) fn named(key: &str) -> Option<(String, CitationForm)> {
    SPELLINGS.get(&key.bytes().next()?)?.iter().find_map(|(spelling, usual)| {
        let ending = ENDINGS.get(key.strip_prefix(spelling.as_str())?)?;
        Some((format!("{usual}{}", ending.written), ending.form))
    })
}
