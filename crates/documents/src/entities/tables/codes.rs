//! Words in names of codes, for building their patterns.

use super::states::STATES;

/// Words between a state's abbreviation and the section of one of its codes.
pub(crate) const CODE_WORDS: &str = r"(?:Admin|Adm|Code|Codes|Codified|Ann|Anno|Annotated|Rev|Revised|Stat|Stats|Statutes|Gen|General|Comp|Compiled|Laws?|Cent|Century|Regs?|R|Rules?|Consol|Mun|Evid|Const|Bus|Business|Prof|Professions|Corps?|Act|Acts|Civ|Civil|Crim|Criminal|Cr|Proc|Procedure|Penal|Pen|Veh|Vehicle|Fam|Family|Prob|Probate|Educ|Lab|Labor|Health|Safety|Ins|Insurance|Gov't|Govt|Gov|Government|Welf|Inst|Tax|Prop|Property|Transp|Water|Nat|Res|Parks|Wild|Agric|Alco|Bev|Occ|Util|Fin|Loc|Local|Elec|Election|Empl|Employ|Envtl|Com|Comm|Cts|Ct|Jud|Estates|Trusts|Real|Pers|Pub|Public|Serv|Servs|Exec|Exch|Mil|Vet|Unempl|Unconsol|Workers'|Work|Banking|Banks|Domestic|Dom|Rel|Rels|Gen|Oblig|Judiciary|Highway|High|Insurance|Lien|Multiple|Navigation|Not-for-Profit|Partnership|Personal|Racing|Railroad|Religious|Social|Town|Village|Vill|Sess|Spec|Uniform|Cmty|Aff|State|Cit|Purdon's|Vernon's|West's|McKinney's|Mason's|Supp|Ch|L|Prac|Indus|Rem|Rem\.|Sup|App|Juv|Child|Sec|Trade|Ord|Charter|S)";

/// An alternation of all states' abbreviations and names, with optional spaces (`N. Y.`, `N.Y.`, `NY`).
pub(crate) fn state_pattern() -> String {
    let mut forms: Vec<String> = Vec::new();
    for state in &STATES {
        for form in state.abbreviations.iter().chain(std::iter::once(&state.name)) {
            forms.push(loose(form));
        }
        let postal = state.code.to_uppercase();
        forms.push(postal);
    }
    // Longer forms come first, or `Indiana` would match as `Ind.`.
    forms.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    forms.dedup();
    format!("(?:{})", forms.join("|"))
}

/// Makes white space and dots of an abbreviation optional.
fn loose(form: &str) -> String {
    let mut pattern = String::new();
    for c in form.chars() {
        match c {
            '.' => pattern.push_str(r"\.?\s?"),
            ' ' => pattern.push_str(r"\s*"),
            '\'' => pattern.push_str("['’]"),
            c => pattern.push(c),
        }
    }
    if let Some(open) = pattern.strip_suffix(r"\s?") {
        return open.to_owned();
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_match_with_and_without_dots() {
        let regex = regex::Regex::new(&format!("^{}$", state_pattern())).unwrap();
        for form in ["N.Y.", "N. Y.", "NY", "New York", "W. Va.", "W.Va.", "Ind.", "Indiana"] {
            assert!(regex.is_match(form), "{form}");
        }
        assert!(!regex.is_match("Narnia"));
    }
}
