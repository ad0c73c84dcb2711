//! The codes, session laws, regulations and boards of the tables, and the words that names of codes are made of.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::reporter_key::reporter_key;
use super::reporters::first_word;
use super::states::STATES;
use crate::model::CitationForm;

/// A code or other collection of laws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code {
    /// The usual abbreviation.
    pub(crate) name: &'static str,
    /// The sort of law, in the words of the table.
    kind: &'static str,
    shape: &'static str,
}

impl Code {
    /// The form of its citations.
    pub(crate) fn form(&self) -> CitationForm {
        if self.kind.starts_with("admin") || self.kind == "municipal" {
            CitationForm::Regulation
        } else {
            CitationForm::Statute
        }
    }

    /// Whether its citations are numbers of proceedings or filings: `ASBCA No. 12`.
    pub(crate) fn has_dockets(&self) -> bool {
        matches!(self.kind, "admin_docket" | "admin_filing")
    }

    /// Whether a number stands before the name.
    pub(crate) fn has_number_before(&self) -> bool {
        self.shape.contains('v')
    }

    /// Whether it is cited by page.
    pub(crate) fn has_pages(&self) -> bool {
        self.shape.contains('p')
    }

    /// Whether numbers of rules follow without a sign.
    pub(crate) fn has_bare_numbers(&self) -> bool {
        self.shape.contains('b')
    }

    /// Whether it is an acronym, which only a sign or a number with parts shows to be a code.
    pub(crate) fn is_acronym(&self) -> bool {
        self.shape.contains('c')
    }

    /// Whether words for the subject may follow the name.
    pub(crate) fn has_subjects(&self) -> bool {
        self.shape.contains('s')
    }
}

/// Codes by the initials under which their own states cite them. `v`: a number stands before the name; `r`:
/// regulations.
const ACRONYMS: &str = "RSA;N.J.S.A.;N.J.S.;K.S.A.;KRS;K.R.S.;ORS;RCW;R.C.W.;MCL;MCLA;M.C.L.;M.C.L.A.;A.R.S.;NRS;N.R.S.;C.R.S.;O.C.G.A.;R.C.;CPLR;C.P.L.R.;M.G.L.;G.L.;UCC;U.C.C.;HRS;H.R.S.;SDCL;NDCC;N.D.C.C.;N.C.G.S.;T.C.A.;MCA;M.C.A.;I.C.;A.C.A.;W.S.;R.S.Mo.;RSMo;F.S.;F.S.A.;C.G.S.;C.G.S.A.;L.S.A.;W.S.A.;S.C.C.A.;V.S.A.=cv;P.S.=cv;Pa.C.S.=cv;Pa.C.S.A.=cv;Pa. C.S.=cv;ILCS=cv;M.R.S.=cv;M.R.S.A.=cv;O.S.=cv;Okla. Stat.=cv;Del. C.=cv;NYCRR=cvr;N.Y.C.R.R.=cvr;CMR=cvr;C.M.R.=cvr;CCR=cvr;IAC=cvr;COMAR=cr;OAR=cr;WAC=cr;NAC=cr;ARM=cr;UAC=cr";

/// The usual abbreviations of codes that their own states cite by initials.
const USUAL: [(&str, &str); 44] = [
    ("RSA", "N.H. Rev. Stat."),
    ("N.J.S.A.", "N.J. Stat."),
    ("N.J.S.", "N.J. Stat."),
    ("K.S.A.", "Kan. Stat."),
    ("KRS", "Ky. Rev. Stat."),
    ("K.R.S.", "Ky. Rev. Stat."),
    ("ORS", "Or. Rev. Stat."),
    ("RCW", "Wash. Rev. Code"),
    ("R.C.W.", "Wash. Rev. Code"),
    ("MCL", "Mich. Comp. Laws"),
    ("M.C.L.", "Mich. Comp. Laws"),
    ("MCLA", "Mich. Comp. Laws"),
    ("M.C.L.A.", "Mich. Comp. Laws"),
    ("A.R.S.", "Ariz. Rev. Stat."),
    ("NRS", "Nev. Rev. Stat."),
    ("N.R.S.", "Nev. Rev. Stat."),
    ("C.R.S.", "Colo. Rev. Stat."),
    ("O.C.G.A.", "Ga. Code"),
    ("CPLR", "N.Y. C.P.L.R."),
    ("C.P.L.R.", "N.Y. C.P.L.R."),
    ("M.G.L.", "Mass. Gen. Laws"),
    ("G.L.", "Mass. Gen. Laws"),
    ("HRS", "Haw. Rev. Stat."),
    ("H.R.S.", "Haw. Rev. Stat."),
    ("SDCL", "S.D. Codified Laws"),
    ("NDCC", "N.D. Cent. Code"),
    ("N.D.C.C.", "N.D. Cent. Code"),
    ("N.C.G.S.", "N.C. Gen. Stat."),
    ("T.C.A.", "Tenn. Code"),
    ("MCA", "Mont. Code"),
    ("M.C.A.", "Mont. Code"),
    ("A.C.A.", "Ark. Code"),
    ("R.S.Mo.", "Mo. Rev. Stat."),
    ("RSMo", "Mo. Rev. Stat."),
    ("F.S.", "Fla. Stat."),
    ("F.S.A.", "Fla. Stat."),
    ("C.G.S.", "Conn. Gen. Stat."),
    ("C.G.S.A.", "Conn. Gen. Stat."),
    ("Pa.C.S.", "Pa. Cons. Stat."),
    ("Pa. C.S.", "Pa. Cons. Stat."),
    ("Pa.C.S.A.", "Pa. Cons. Stat."),
    ("ILCS", "Ill. Comp. Stat."),
    ("NYCRR", "N.Y. Comp. Codes R. & Regs."),
    ("N.Y.C.R.R.", "N.Y. Comp. Codes R. & Regs."),
];

/// The usual abbreviation of a code that is cited by its initials.
pub(crate) fn usual_code(initials: &str) -> Option<&'static str> {
    USUAL.iter().find(|(known, _)| *known == initials).map(|(_, usual)| *usual)
}

struct Codes {
    by_key: HashMap<String, Code>,
    /// Abbreviations, names and postal codes of the states by key, with the usual abbreviation.
    states: HashMap<String, &'static str>,
    beginnings: HashSet<&'static str>,
}

static CODES: LazyLock<Codes> = LazyLock::new(|| {
    let mut codes = Codes {
        by_key: HashMap::with_capacity(500),
        states: HashMap::with_capacity(200),
        beginnings: HashSet::with_capacity(200),
    };
    for line in include_str!("../../../data/laws.tsv").lines() {
        let fields: Vec<&'static str> = line.split('\t').collect();
        let [name, kind, _, shape, variations] = fields[..] else { continue };
        for written in std::iter::once(name).chain(variations.split('|')) {
            if !written.is_empty() {
                codes.beginnings.insert(first_word(written));
                codes.by_key.entry(reporter_key(written)).or_insert(Code { name, kind, shape });
            }
        }
    }
    for state in &STATES {
        let usual = state.abbreviations[0];
        for form in state.abbreviations.iter().copied().chain(std::iter::once(state.name)) {
            codes.beginnings.insert(first_word(form));
            codes.states.insert(reporter_key(form), usual);
        }
        codes.states.entry(state.code.to_owned()).or_insert(usual);
    }
    codes.states.insert("us".to_owned(), "U.S.");
    codes.states.insert("unitedstates".to_owned(), "U.S.");
    codes.beginnings.extend(["United", "Code"]);
    for entry in ACRONYMS.split([';', '\n']).filter(|entry| !entry.is_empty()) {
        let (name, shape) = entry.split_once('=').unwrap_or((entry, "c"));
        codes.beginnings.insert(first_word(name));
        let kind = if shape.contains('r') { "admin_compilation" } else { "leg_statute" };
        codes.by_key.entry(reporter_key(name)).or_insert(Code { name, kind, shape });
    }
    codes
});

/// The code with this key.
pub(crate) fn code(key: &str) -> Option<Code> {
    CODES.by_key.get(key).copied()
}

/// The usual abbreviation of the state that the text names. Words of a sentence, as `Or` and `In`, name none.
pub(crate) fn state(key: &str, raw: &str) -> Option<&'static str> {
    let usual = CODES.states.get(key)?;
    let is_word =
        matches!(raw, "Or" | "In" | "Me" | "Id" | "Hi" | "Ok" | "Pa" | "La" | "As" | "Us");
    (!is_word).then_some(usual)
}

/// Whether the name of a code may begin with this word.
pub(crate) fn may_begin_code(word: &str) -> bool {
    CODES.beginnings.contains(word)
        || (word.len() == 2 && word.bytes().all(|b| b.is_ascii_uppercase()))
}

/// Whether the word, without its dot, may stand in the name of a code.
pub(crate) fn is_code_word(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&'static str>> =
        LazyLock::new(|| CODE_WORDS.split_whitespace().collect());
    WORDS.contains(word)
}

/// Words between a state's abbreviation and the section of one of its codes.
const CODE_WORDS: &str = "
Admin Adm Administrative Code Codes Codified Ann Anno Annotated Rev Revised Stat Stats Statutes Statute Gen General
Comp Compiled Law Laws Cent Century Reg Regs Regulations R Rule Rules Consol Consolidated Mun Evid Evidence Const
Bus Business Prof Professions Corp Corps Corporations Act Acts Civ Civil Crim Criminal Cr Proc Procedure Penal Pen
Veh Vehicle Fam Family Prob Probate Educ Education Lab Labor Health Safety Ins Insurance Gov't Govt Gov Government
Welf Welfare Inst Institutions Tax Taxation Prop Property Transp Transportation Water Nat Natural Res Resources
Parks Wild Agric Agricultural Alco Bev Occ Occupations Util Utilities Utils Fin Finance Financial Loc Local Elec
Election Elections Empl Employ Envtl Environmental Conserv Conservation Com Comm Commercial Cts Ct Courts Jud
Judicial Estates Trusts Powers Real Pers Personal Pub Public Serv Servs Service Exec Executive Exch Mil Military Vet
Unempl Unconsol Workers Workers' Work Banking Banks Domestic Dom Rel Rels Relations Oblig Obligations Judiciary
Highway High Lien Multiple Navigation Not-for-Profit Partnership Racing Railroad Religious Social Town Village Vill
Sess Spec Uniform Unif Cmty Community Aff State Cit Purdon's Vernon's West's McKinney's Mason's Supp Ch L Prac
Practice Indus Indust Industrial Rem Remedies Sup App Appellate Juv Child Children Sec Securities Trade Ord Charter S
Official Fish Game Food Harb Nav Sts Highways Streets Revenue Unemp Mental Hyg Hygiene Dwell Motor
Arts Cultural Affairs Cannabis Court Claims Surr Surrogate's Rent Soldiers Sailors Second Third Class Cities County
Cnty Eminent Domain Human Rights Services Services' Lottery Gaming Wagering Limited Liability Co Company
Professional Special District Districts Dist Hum Agencies Permanent Legis Rulemaking Register Bull Laws'
Homeland Protection Environment Correction Correct Corrections Correctional Bldg Building Pharm Estate
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_known_with_and_without_dots() {
        for raw in ["N.Y.", "N. Y.", "NY", "New York", "W. Va.", "W.Va.", "Ind.", "Indiana"] {
            assert!(state(&reporter_key(raw), raw).is_some(), "{raw}");
        }
        assert!(state("narnia", "Narnia").is_none());
        assert!(state("or", "Or").is_none());
    }

    #[test]
    fn codes_are_known_in_every_spelling() {
        assert_eq!(code("ohiorevcodeann").unwrap().name, "Ohio Rev. Code Ann.");
        assert_eq!(code("unitedstatescode").unwrap().name, "U.S.C.");
        assert!(code("vacodeann").is_some() && may_begin_code("Va") && is_code_word("Penal"));
    }
}
