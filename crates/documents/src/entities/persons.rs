//! Recognises names of people, and words that only look like them.

use super::tables::states::STATES;
use crate::static_regex::static_regex;

/// A person's name in mixed case or capitals: given names or initials, a family name, a suffix.
pub(super) const PERSON: &str = r"(?:(?:[A-Z]\.(?:\s?[A-Z]\.){0,3}\s?|[A-Z][\w'’‘-]*\.?\s+|(?:de|la|del|van|von|der|di|da|le|bin|al)\s+){0,5}(?:[A-Z]\.)?(?:[A-Z][\w'’‘-]{1,}(?:\s[A-Z]\b)?|[A-Z]\.?))(?:,?\s+(?:Jr|Sr|JR|SR|II|III|IV|Junior)\b\.?)?";

/// Words of titles, offices, firms and places that do not occur in names of people.
const NOT_A_NAME: &str = "
attorney attorneys general assistant deputy chief senior junior special associate united states state states' office
law offices llp llc pllc p.c pc p.a pa inc ltd co corp company counsel court department dep't division county district
city street avenue suite floor road drive box bureau commission commissioner board section circuit judge judges
justice justices magistrate solicitor public defender federal legal aid society university school college center
centre bank insurance association national american plaintiff plaintiffs defendant defendants appellant appellants
appellee appellees petitioner petitioners respondent respondents intervenor brief briefs argued oral argument the and
of for in on with whom was were by from to at a an this that no nos order opinion motion rule act code article
amendment prosecutor prosecuting criminal civil appeals appeal appellate supreme superior trial present before case
docket government republic minister ministry secretary director police inspector station house bar group firm partners
services service power trust fund union department's january february march april may june july august september
october november december monday tuesday wednesday thursday friday saturday sunday esq hon honorable honourable mr mrs
ms dr smt shri sri advocate advocates learned adv president vice governor mayor sheriff warden new north south east
west per curiam concurring dissenting not available none notice pro se direct email fax phone terminated lead cause
jurisdiction nature jury demand date filed related agency category product export place pending here there when where
while although because since if as but his her their its our my your he she they we you it is are proposed amicus
curiae amici estate matter re ex parte see vide also cf page id ibid supra discussion background facts conclusion affirmed
reversed remanded vacated dismissed denied granted so ordered judgment minutes telephone facsimile application
petition writ certiorari response reply hearing conference distributed search home supplement docketed reports three
single sessions divisional additional subordinate bench inspecting principal accountant judicial empowerment
information member members full central fast track motor claims revenue income tax joint labour industrial chairman
history partial dissent majority plurality statement standard standards review analysis therefore however moreover
finally thus likewise accordingly hence furthermore additionally indeed given heard referred assigned signed entered
responses sealed amended final draft report recommendation transcript exhibit appendix table contents authorities
summary introduction procedural factual issue issues holding disposition mandate costs questions presented overview
merits crescent boulevard blvd parkway highway terrace plaza tower lane's www com gov org every all some any most many
each both such other others another only chief's panel en banc hon'ble reporter clerk deputy's courtroom recorder
interpreter witness examiner officer officers respondent's concurs concur dissents joined joins delivered announced
wrote writing author authored recused participated participate took part consideration decision submitted decided
counsel's chambers honor honors madam sir llc's ltd's plc incorporated corporation limited alley fed civ crim evid
proc vs versus presiding next remark remarks bankruptcy acting p.j j.s.c u.s.d.j u.s.m.j a.l.j alj reserved
represented pronounced u.s us v.c c.j a.j s.j high apex coram dated ll.b sc first second third fourth fifth sixth
seventh eighth ninth tenth eleventh
";

/// Words of the menus of CM/ECF and the Supreme Court's site, which stand beside names in saved pages.
const MENU_WORDS: &str =
    "query utilities logout calendar opinions orders reporters journal courthouse building";

/// Words of addresses, in American and Indian papers, that stand beside a lawyer's name.
const ADDRESS_WORDS: &str = "wharf quay village villages taluk";

static_regex!(whole_person_regex, format!("^{PERSON}$"));

/// Whether all of `text` can be one person's name: two to six words, none of an office or a place.
pub(super) fn is_person(text: &str) -> bool {
    let text = text.trim();
    if text.len() < 4 || text.len() > 60 || !whole_person_regex().is_match(text) {
        return false;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let parts =
        words.iter().flat_map(|word| word.split('.')).filter(|part| !part.is_empty()).count();
    if !(2..=7).contains(&parts) || words.len() > 6 {
        return false;
    }
    if words.iter().any(|word| is_office_word(word)) {
        return false;
    }
    // A family name has three letters or more, or the name has three parts.
    let letters = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count();
    if words.iter().map(letters).max().unwrap_or(0) < 3 {
        return false;
    }
    !STATES.iter().any(|state| state.name.eq_ignore_ascii_case(text))
}

/// Splits a text that looks like one name: a signature is above the same name in print, and people are
/// listed below each other. A name broken over two lines stays one.
pub(super) fn apart(raw: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    let mut start = 0;
    for (at, _) in raw.match_indices('\n') {
        // Skips line breaks before the current name.
        if at >= start && is_person(&raw[start..at]) && is_person(&raw[at..]) {
            names.push((start, raw[start..at].trim_end()));
            start = raw.len() - raw[at..].trim_start().len();
        }
    }
    let rest = &raw[start..];
    let words: Vec<&str> = rest.split_whitespace().collect();
    let (first, second) = words.split_at(words.len() / 2);
    let twice = first.len() > 1
        && first.len() == second.len()
        && first.iter().zip(second).all(|(a, b)| a.eq_ignore_ascii_case(b));
    let last = second.last().filter(|_| twice).and_then(|_| first.last());
    let end = last.and_then(|word| rest.find(word).map(|at| at + word.len())).unwrap_or(rest.len());
    names.push((start, &rest[..end]));
    names
}

/// The name of a person at the head of `raw`: up to a full stop that ends a sentence, and without words of offices
/// at either end.
pub(super) fn name_at_head(raw: &str) -> Option<&str> {
    let mut end = raw.len();
    for (at, _) in raw.match_indices('.') {
        let word =
            raw[..at].rsplit(|c: char| c.is_whitespace() || c == ',').next().unwrap_or_default();
        let letters = word.chars().filter(|c| c.is_alphabetic()).count();
        let goes_on =
            raw[at + 1..].starts_with(char::is_whitespace) && !raw[at + 1..].trim().is_empty();
        if goes_on && letters > 2 && !word.contains('.') && !is_given_name_cut_short(word) {
            end = at;
            break;
        }
    }
    // The next line is a title: `JANE ROE⏎UNITED STATES DISTRICT JUDGE`.
    for (at, _) in raw[..end].match_indices('\n') {
        let below = raw[at..end].split_whitespace().next();
        if at > 0 && below.is_some_and(is_office_word) {
            end = at;
            break;
        }
    }
    let whole = raw[..end].len();
    let mut name = raw[..end].trim_end_matches([',', ' ', '\n', '\r', '\t', '&']);
    while let Some((head, last)) = name.rsplit_once(char::is_whitespace) {
        if !is_office_word(last) {
            break;
        }
        name = head.trim_end_matches([',', ' ', '\n', '\r', '\t', '&']);
    }
    // `High Court` is not a person named High.
    let cut = name.len() + 2 < whole && !name.contains(char::is_whitespace);
    let fits = !cut
        && super::court_words::state_word(name).is_none_or(|_| name.len() < 5)
        && !name.split_whitespace().any(is_office_word)
        && !name.contains(|c: char| c.is_ascii_digit())
        && name.chars().filter(|c| c.is_alphabetic()).count() >= 3;
    fits.then_some(name)
}

/// `Wm.`, `Jr.`: a dot after one of these does not end a name.
fn is_given_name_cut_short(word: &str) -> bool {
    const SHORT: [&str; 14] = [
        "jr", "sr", "wm", "geo", "chas", "thos", "jas", "jos", "robt", "edw", "benj", "saml",
        "alex", "danl",
    ];
    SHORT.contains(&word.to_lowercase().as_str())
}

/// Whether a word belongs to an office, a firm or a place.
pub(super) fn is_office_word(word: &str) -> bool {
    // An initial `A.` is not the article `a`.
    let single = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    if single || word.ends_with('.') && word.chars().count() <= 2 {
        return false;
    }
    let lower =
        word.trim_matches([',', '.', ';', ':', '(', ')', '*']).to_lowercase().replace('’', "'");
    // `Defendant-Appellant Roe` begins with a role.
    let first = lower.split('-').next().unwrap_or_default();
    let role = matches!(
        first,
        "defendant" | "plaintiff" | "petitioner" | "respondent" | "appellant" | "appellee"
    );
    role || office_words().contains(lower.as_str())
}

fn office_words() -> &'static std::collections::HashSet<&'static str> {
    static WORDS: std::sync::LazyLock<std::collections::HashSet<&'static str>> =
        std::sync::LazyLock::new(|| {
            NOT_A_NAME
                .split_whitespace()
                .chain(MENU_WORDS.split_whitespace())
                .chain(ADDRESS_WORDS.split_whitespace())
                .collect()
        });
    &WORDS
}

/// A name in normal form: one space between words, no commas, and title case instead of all
/// capitals.
pub(crate) fn normal_name(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty())
        .map(title_case)
        .collect();
    words.join(" ")
}

fn title_case(word: &str) -> String {
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    let capitals = letters.iter().all(|c| c.is_uppercase());
    if capitals && matches!(word, "OF" | "THE" | "AND" | "FOR" | "IN" | "AT" | "TO" | "BY" | "ON") {
        return word.to_lowercase();
    }
    let roman =
        matches!(word.trim_end_matches('.'), "II" | "III" | "IV" | "LLC" | "LLP" | "USA" | "N.A");
    let form = matches!(word, "INC." | "INC" | "LTD." | "LTD" | "CO." | "CO");
    let initials = letters.len() < 3 || word.contains('.') && letters.len() <= 3;
    if !capitals || roman || initials && !form {
        return word.to_owned();
    }
    let mut out = String::with_capacity(word.len());
    let mut start = true;
    for c in word.chars() {
        if start {
            out.push(c);
        } else {
            out.extend(c.to_lowercase());
        }
        start = matches!(c, '-' | '\'' | '’' | '.');
    }
    out.strip_prefix("Mc").filter(|rest| rest.starts_with(char::is_lowercase)).map_or_else(
        || out.clone(),
        |rest| {
            let mut letters = rest.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            format!("Mc{first}{}", letters.as_str())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_offices_are_told_apart() {
        for name in
            ["Jane Q. Doe", "John A. Roe, Jr.", "A.K. Rao", "MARY O'NEIL", "Maria de la Cruz"]
        {
            assert!(is_person(name), "{name}");
        }
        for name in ["Attorney General", "New York", "Doe", "Roe LLP", "United States", "the court"]
        {
            assert!(!is_person(name), "{name}");
        }
    }

    #[test]
    fn names_below_each_other_are_apart() {
        let names = |raw| apart(raw).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names("Ann V. Roe\nAnn V. Roe"), ["Ann V. Roe", "Ann V. Roe"]);
        assert_eq!(names("Ann V. Roe Ann V. Roe"), ["Ann V. Roe"]);
        assert_eq!(names("Ann V. Roe\n  Bob D. Poe-Moe"), ["Ann V. Roe", "Bob D. Poe-Moe"]);
        assert_eq!(names("Ann V.\nRoe"), ["Ann V.\nRoe"]);
    }

    #[test]
    fn capitals_become_title_case() {
        assert_eq!(normal_name("JOHN  McDONALD, JR."), "John McDONALD JR.");
        assert_eq!(normal_name("O'NEIL SMITH-JONES III"), "O'Neil Smith-Jones III");
    }
}
