//! The normal form of a court's name: its words without case, punctuation, connecting words and order.
//!
//! The task that makes the table of courts and the stages that read it use this one file, so that both sides of a
//! comparison are in one form. It uses nothing but the standard library.

use std::collections::HashMap;
use std::sync::LazyLock;

/// States and territories whose names are one word of the normal form, with their abbreviations.
const STATES: [(&str, &[&str]); 57] = [
    ("alabama", &["ala"]),
    ("alaska", &["alas"]),
    ("american_samoa", &["american samoa", "am samoa"]),
    ("arizona", &["ariz", "az"]),
    ("arkansas", &["ark"]),
    ("california", &["cal", "calif"]),
    ("colorado", &["colo"]),
    ("connecticut", &["conn"]),
    ("delaware", &["del"]),
    (
        "columbia_district",
        &["district of columbia", "d c", "dc", "dist columbia", "district columbia"],
    ),
    ("florida", &["fla", "fl"]),
    ("georgia", &["ga"]),
    ("guam", &[]),
    ("hawaii", &["haw", "hawai i"]),
    ("idaho", &[]),
    ("illinois", &["ill", "il"]),
    ("indiana", &["ind"]),
    ("iowa", &["ia"]),
    ("kansas", &["kan", "kans"]),
    ("kentucky", &["ky"]),
    ("louisiana", &["la"]),
    ("maine", &["me"]),
    ("maryland", &["md"]),
    ("massachusetts", &["mass"]),
    ("michigan", &["mich"]),
    ("minnesota", &["minn", "mn"]),
    ("mississippi", &["miss"]),
    ("missouri", &["mo"]),
    ("montana", &["mont"]),
    ("navajo_nation", &["navajo nation", "navajo"]),
    ("nebraska", &["neb", "nebr"]),
    ("nevada", &["nev", "nv"]),
    ("new_hampshire", &["new hampshire", "n h", "nh"]),
    ("new_jersey", &["new jersey", "n j", "nj"]),
    ("new_mexico", &["new mexico", "n m", "nm", "n mex"]),
    ("new_york", &["new york", "n y", "ny"]),
    ("north_carolina", &["north carolina", "n c", "nc"]),
    ("north_dakota", &["north dakota", "n dak", "n d", "nd"]),
    ("northern_mariana_islands", &["northern mariana islands", "n mar i", "n mariana islands"]),
    ("ohio", &["oh"]),
    ("oklahoma", &["okla"]),
    ("oregon", &["or", "ore"]),
    ("pennsylvania", &["pa", "penn", "penna"]),
    ("puerto_rico", &["puerto rico", "porto rico", "p r"]),
    ("rhode_island", &["rhode island", "r i", "ri"]),
    ("south_carolina", &["south carolina", "s c", "sc"]),
    ("south_dakota", &["south dakota", "s dak", "s d"]),
    ("tennessee", &["tenn", "tn"]),
    ("texas", &["tex", "tx"]),
    ("utah", &[]),
    ("vermont", &["vt"]),
    ("virgin_islands", &["virgin islands", "v i"]),
    ("virginia", &["va"]),
    ("washington", &["wash", "wa"]),
    ("west_virginia", &["west virginia", "w va", "wva", "w virginia"]),
    ("wisconsin", &["wis", "wisc"]),
    ("wyoming", &["wyo"]),
];

/// Abbreviations and spellings of words in names of courts. Plurals that vary are folded. The misspellings `apeals`,
/// `eigth`, `unites` and `untied` are those that courts-db lists.
const WORDS: &str = "\
adm:administrative admin:administrative apeals:appeals apex:supreme appeal:appeals apps:appeals bankr:bankruptcy \
bd:board bky:bankruptcy cen:central cent:central ch:chancery childrens:children cir:circuit circ:circuit \
circuits:circuit civ:civil cl:claims claim:claims cmwlth:commonwealth cnty:county co:county com:common \
comm:common commw:commonwealth counties:county courts:court crim:criminal crt:court ct:court cto:court cts:court \
cty:county dep:department dept:department depts:department dist:district distr:district districts:district \
div:division divisions:division ea:eastern east:eastern eigth:8 fam:family fed:federal ft:fort gen:general \
int:international intl:international jud:judicial just:justice justices:justice juv:juvenile mag:magistrate \
magis:magistrate magistrates:magistrate mayors:mayor mid:middle mt:mount mun:municipal munic:municipal \
no:northern north:northern orphan:orphans panels:panel pl:pleas plea:pleas prob:probate probates:probate \
saint:st session:sessions so:southern south:southern spec:special sup:supreme super:superior supp:supreme \
supr:supreme sur:surrogate surr:surrogate surrogates:surrogate terr:territory towns:town township:town twp:town \
unites:united vet:veterans vil:village vill:village villages:village west:western workmens:workers";

/// Words that carry no difference between courts.
const CONNECTING: [&str; 21] = [
    "a",
    "an",
    "and",
    "at",
    "before",
    "by",
    "for",
    "hon",
    "honorable",
    "honourable",
    "in",
    "of",
    "on",
    "state",
    "the",
    "to",
    "within",
    "s",
    "people",
    "his",
    "majestys",
];

const ORDINALS: [&str; 20] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
];

const CARDINALS: [&str; 13] = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen",
];

/// The words of a court's name, in order, in normal form.
pub(crate) fn court_words(name: &str) -> Vec<String> {
    let raw = raw_words(name);
    let mut words: Vec<String> = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        let (word, taken) = read_word(&raw, at, words.last().map(String::as_str));
        at += taken;
        if !word.is_empty() && !CONNECTING.contains(&word.as_str()) {
            words.push(word);
        }
    }
    number_divisions(&mut words);
    words
}

/// Joins the number of a division with the word, since the district beside it has a number too.
fn number_divisions(words: &mut Vec<String>) {
    let mut at = 0;
    while at < words.len() {
        if words[at] == "division" {
            let number = |at: usize, words: &[String]| {
                words.get(at).filter(|word| word.bytes().all(|b| b.is_ascii_digit())).cloned()
            };
            let before = at.checked_sub(1).and_then(|before| number(before, words));
            if let Some(number) = before {
                words[at] = format!("division_{number}");
                words.remove(at - 1);
                continue;
            }
            // `Appellate Division, Second Department` numbers the department.
            let numbered = words
                .get(at + 2)
                .is_some_and(|word| matches!(word.as_str(), "department" | "district" | "circuit"));
            if let Some(number) = number(at + 1, words).filter(|_| !numbered) {
                words[at] = format!("division_{number}");
                words.remove(at + 1);
            }
        }
        at += 1;
    }
}

/// The words sorted and without repetition: equal for names that differ in order and connecting words only.
pub(crate) fn normal_form(words: &[String]) -> String {
    let mut sorted: Vec<&str> = words.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    // `District Court, D. Nevada` and `Nevada District Court` differ in a second district and nothing else; the
    // supreme court in the county of New York names New York twice.
    sorted.dedup_by(|b, a| a == b && *a != "district" && !is_state(a));
    sorted.join(" ")
}

/// Whether the word is a state or territory in normal form.
pub(crate) fn is_state(word: &str) -> bool {
    STATES.iter().any(|(name, _)| *name == word)
}

/// The state of a name or an abbreviation, in normal form.
pub(crate) fn state_word(name: &str) -> Option<&'static str> {
    let raw = raw_words(name);
    let refs: Vec<&str> = raw.iter().map(String::as_str).collect();
    state_at(&refs, 0).filter(|(_, taken)| *taken == refs.len()).map(|(state, _)| state)
}

/// Lower-case words. An apostrophe joins, and every other mark separates.
fn raw_words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if !matches!(c, '\'' | '’' | '‘' | '`') && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn long_forms() -> &'static HashMap<&'static str, &'static str> {
    static LONG: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
        WORDS.split_whitespace().filter_map(|pair| pair.split_once(':')).collect()
    });
    &LONG
}

/// One word of the normal form, and how many words of the name it takes.
fn read_word(raw: &[String], at: usize, last: Option<&str>) -> (String, usize) {
    let rest: Vec<&str> = raw[at..].iter().take(4).map(String::as_str).collect();
    let (word, next) = (rest[0], rest.get(1).copied().unwrap_or_default());
    if matches!((word, next), ("u", "s") | ("united" | "unites" | "untied", "states" | "state")) {
        let america = rest.get(2) == Some(&"of") && rest.get(3) == Some(&"america");
        return ("us".to_owned(), if america { 4 } else { 2 });
    }
    if rest.starts_with(&["b", "a", "p"]) {
        return ("bap".to_owned(), 3);
    }
    // A page may break between the two words.
    if word == "states" && at == 0 {
        return ("us".to_owned(), 1);
    }
    if matches!(word, "usa" | "us") {
        return ("us".to_owned(), 1);
    }
    if let Some(direction) = direction(&rest) {
        return (direction.to_owned(), 1);
    }
    let first_letters = matches!(word, "or" | "me" | "la" | "in");
    let level = matches!(next, "ct" | "court" | "app" | "super" | "sup" | "cir" | "dist" | "tax");
    let names_state =
        !first_letters || raw.len() == at + 1 || last == Some("district") || at == 0 && level;
    if let Some((state, taken)) = state_at(&rest, 0).filter(|_| names_state) {
        return (state.to_owned(), taken);
    }
    if word == "d" && at + 1 < raw.len() {
        return ("district".to_owned(), 1);
    }
    // `App. Div.` is the appellate division, `Ct. App.` the court of appeals.
    if word == "app" {
        let appellate = matches!(
            next,
            "div" | "division" | "term" | "dept" | "department" | "ct" | "court" | "panel"
        );
        return (if appellate { "appellate" } else { "appeals" }.to_owned(), 1);
    }
    if let Some(number) = number(word) {
        return (number.to_string(), 1);
    }
    let known = long_forms().get(word).copied();
    // The commonwealth of a state is the state; the commonwealth court is a court.
    if word == "commonwealth" && next == "of" {
        return (String::new(), 2);
    }
    (known.unwrap_or(word).to_owned(), 1)
}

/// The direction of a federal district at the head of the words: `N.D.`, `northern district`.
fn direction(rest: &[&str]) -> Option<&'static str> {
    let next = rest.get(1).copied().unwrap_or_default();
    if rest[0].len() != 1 || !matches!(next, "d" | "dist" | "district" | "div" | "division") {
        return None;
    }
    // `N.D.` at the end, or before the word court, is North Dakota.
    let after = rest.get(2).copied().unwrap_or_default();
    if next == "d"
        && (after.is_empty() || matches!(after, "ct" | "court" | "app" | "sup" | "supreme"))
    {
        return None;
    }
    Some(match rest[0] {
        "n" => "northern",
        "s" => "southern",
        "e" => "eastern",
        "w" => "western",
        "m" => "middle",
        "c" => "central",
        _ => return None,
    })
}

/// The longest name or abbreviation of a state that begins at `at`.
fn state_at(words: &[&str], at: usize) -> Option<(&'static str, usize)> {
    let mut best: Option<(&'static str, usize)> = None;
    for (state, forms) in STATES {
        let own = std::iter::once(state).filter(|state| !state.contains('_'));
        for form in own.chain(forms.iter().copied()) {
            let length = form.split(' ').count();
            let fits = words.len() >= at + length
                && form.split(' ').zip(&words[at..]).all(|(part, word)| part == *word);
            if fits && best.is_none_or(|(_, taken)| length > taken) {
                best = Some((state, length));
            }
        }
    }
    best
}

/// An ordinal or a cardinal as a number: `first`, `1st`, `2d`, `one`, `II`.
pub(crate) fn number(word: &str) -> Option<u8> {
    let ordinal = ORDINALS.iter().position(|name| *name == word);
    if let Some(at) = ordinal.or_else(|| CARDINALS.iter().position(|name| *name == word)) {
        return u8::try_from(at + 1).ok();
    }
    let letters = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &word[..word.len() - letters.len()];
    if !digits.is_empty() && matches!(letters, "" | "st" | "nd" | "rd" | "th" | "d") {
        return digits.parse().ok();
    }
    ["i", "ii", "iii", "iv", "v", "vi"]
        .iter()
        .position(|roman| *roman == word)
        .filter(|at| *at > 0)
        .and_then(|at| u8::try_from(at + 1).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(name: &str) -> String {
        normal_form(&court_words(name))
    }

    #[test]
    fn spellings_of_one_name_have_one_form() {
        let same = [
            ("S.D.N.Y.", "Southern District of New York"),
            ("N.D. Ct. App.", "North Dakota Court of Appeals"),
            ("D.N.D.", "District of North Dakota"),
            ("Bankr. D. Del.", "Bankruptcy, District of Delaware"),
            (
                "U.S. Dist. Ct. W.D. Pa.",
                "United States District Court for the Western District of Pennsylvania",
            ),
            ("Sup Ct, NY County", "Supreme Court, New York County"),
            ("App. Div. 2d Dept.", "Appellate Division, Second Department"),
            ("Commonwealth Court of Pa.", "Pennsylvania Commonwealth Court"),
        ];
        for (one, other) in same {
            assert_eq!(form(one), form(other), "{one}");
        }
        assert_ne!(form("W. Va."), form("Va."));
        assert_ne!(form("Washington County Court, New York"), form("New York Court, Washington"));
    }
}
