//! The states and territories: names, legal abbreviations, postal codes.

/// A state or territory, with its names in legal texts.
#[derive(Debug)]
pub(crate) struct State {
    /// Two-letter postal code in lower case. The tables of reporters name their places by it; court keys have the name.
    pub(crate) code: &'static str,
    /// Full name.
    pub(crate) name: &'static str,
    /// Usual abbreviations in citations, the preferred one first.
    pub(crate) abbreviations: &'static [&'static str],
}

const fn state(
    code: &'static str,
    name: &'static str,
    abbreviations: &'static [&'static str],
) -> State {
    State { code, name, abbreviations }
}

/// All states and territories.
pub(crate) static STATES: [State; 57] = [
    state("al", "Alabama", &["Ala."]),
    state("ak", "Alaska", &["Alaska", "Alas."]),
    state("az", "Arizona", &["Ariz."]),
    state("ar", "Arkansas", &["Ark."]),
    state("ca", "California", &["Cal.", "Calif."]),
    state("co", "Colorado", &["Colo.", "Col."]),
    state("ct", "Connecticut", &["Conn."]),
    state("de", "Delaware", &["Del."]),
    state("dc", "District of Columbia", &["D.C."]),
    state("fl", "Florida", &["Fla."]),
    state("ga", "Georgia", &["Ga."]),
    state("hi", "Hawaii", &["Haw.", "Hawaii", "Hawai'i"]),
    state("id", "Idaho", &["Idaho", "Ida."]),
    state("il", "Illinois", &["Ill."]),
    state("in", "Indiana", &["Ind."]),
    state("ia", "Iowa", &["Iowa", "Ia."]),
    state("ks", "Kansas", &["Kan.", "Kans."]),
    state("ky", "Kentucky", &["Ky."]),
    state("la", "Louisiana", &["La."]),
    state("me", "Maine", &["Me."]),
    state("md", "Maryland", &["Md."]),
    state("ma", "Massachusetts", &["Mass."]),
    state("mi", "Michigan", &["Mich."]),
    state("mn", "Minnesota", &["Minn."]),
    state("ms", "Mississippi", &["Miss."]),
    state("mo", "Missouri", &["Mo."]),
    state("mt", "Montana", &["Mont."]),
    state("ne", "Nebraska", &["Neb."]),
    state("nv", "Nevada", &["Nev."]),
    state("nh", "New Hampshire", &["N.H."]),
    state("nj", "New Jersey", &["N.J."]),
    state("nm", "New Mexico", &["N.M.", "N. Mex."]),
    state("ny", "New York", &["N.Y."]),
    state("nc", "North Carolina", &["N.C."]),
    state("nd", "North Dakota", &["N.D.", "N. Dak."]),
    state("oh", "Ohio", &["Ohio"]),
    state("ok", "Oklahoma", &["Okla."]),
    state("or", "Oregon", &["Or.", "Ore."]),
    state("pa", "Pennsylvania", &["Pa.", "Penn."]),
    state("ri", "Rhode Island", &["R.I."]),
    state("sc", "South Carolina", &["S.C."]),
    state("sd", "South Dakota", &["S.D.", "S. Dak."]),
    state("tn", "Tennessee", &["Tenn."]),
    state("tx", "Texas", &["Tex."]),
    state("ut", "Utah", &["Utah"]),
    state("vt", "Vermont", &["Vt."]),
    state("va", "Virginia", &["Va."]),
    state("wa", "Washington", &["Wash."]),
    state("wv", "West Virginia", &["W. Va.", "W.Va."]),
    state("wi", "Wisconsin", &["Wis.", "Wisc."]),
    state("wy", "Wyoming", &["Wyo."]),
    state("pr", "Puerto Rico", &["P.R."]),
    state("gu", "Guam", &["Guam"]),
    state("vi", "Virgin Islands", &["V.I."]),
    state("mp", "Northern Mariana Islands", &["N. Mar. I."]),
    state("as", "American Samoa", &["Am. Samoa"]),
    state("nn", "Navajo Nation", &["Navajo"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_every_state_has_an_abbreviation() {
        for (at, state) in STATES.iter().enumerate() {
            assert!(!state.abbreviations.is_empty());
            assert!(!state.name.is_empty());
            assert!(STATES[at + 1..].iter().all(|other| other.code != state.code));
        }
    }
}
