//! Word lists: abbreviations that end in a dot, signals before a citation, name connectors.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Whether a word that ends in a dot is an abbreviation, so that the dot does not end a sentence.
pub(crate) fn is_abbreviation(word: &str) -> bool {
    let bare = word.trim_start_matches(['(', '"', '“', '‘', '[']).trim_end_matches(['.', ',']);
    if bare.chars().count() <= 1 || bare.contains('.') || bare.eq_ignore_ascii_case("m/s") {
        return true;
    }
    let lower = bare.to_lowercase().replace('’', "'");
    ABBREVIATIONS.binary_search(&lower.as_str()).is_ok()
        // Some are words of a sentence too, as `all`; in names they have a capital.
        || (bare.starts_with(char::is_uppercase) && OF_NAMES.contains(lower.as_str()))
}

/// The field's abbreviations in names of cases, from its data package.
static OF_NAMES: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("../../../data/abbreviations.txt").lines().collect());

/// Abbreviations of case names (Bluebook table T6 and the like), sorted.
static ABBREVIATIONS: [&str; 308] = [
    "acad", "addl", "adj", "adm'r", "adm'x", "admin", "adver", "aff", "agric", "al", "ala", "am",
    "amend", "ann", "app", "appx", "apr", "ariz", "ark", "art", "arts", "ass'n", "assn", "assoc",
    "asst", "atl", "att'y", "atty", "aug", "auth", "auto", "ave", "bancorp", "bankr", "bd", "bhd",
    "bldg", "broad", "bros", "bus", "cal", "capt", "cas", "cent", "cf", "ch", "chem", "cir", "civ",
    "cl", "clk", "cls", "cmty", "co", "co-op", "col", "coll", "colo", "com", "comm", "comm'n",
    "comm'r", "commc'n", "commc'ns", "commn", "comp", "conf", "cong", "conn", "const", "constr",
    "contr", "coop", "corp", "corr", "cos", "crim", "ct", "cty", "dec", "def", "del", "dep't",
    "dept", "det", "dev", "dir", "dist", "distrib", "div", "dr", "drs", "e", "econ", "ed", "edn",
    "educ", "elec", "elev", "emp", "emp'r", "enf't", "eng'g", "eng'r", "enter", "enters", "entm't",
    "envtl", "equip", "esq", "ex", "ex'r", "exam'r", "exch", "exec", "fam", "feb", "fed", "fid",
    "fin", "fla", "found", "ga", "gen", "gov", "gov't", "govt", "grp", "guar", "haw", "hon", "hos",
    "hosp", "hosps", "hous", "ill", "imp", "inc", "ind", "indem", "indep", "indus", "info", "ins",
    "inst", "int", "int'l", "intern", "inv", "inv'r", "inv'rs", "jan", "jr", "jul", "jun", "kan",
    "ky", "lab", "labs", "liab", "lib", "lit", "litig", "lt", "ltd", "mach", "maint", "maj", "mar",
    "mass", "md", "me", "mem'l", "merch", "messrs", "metro", "mfg", "mfr", "mgmt", "mich", "minn",
    "miss", "mkt", "mktg", "mo", "mont", "mr", "mrs", "ms", "mun", "mut", "n", "n'hood", "nat'l",
    "natl", "ne", "neb", "nev", "no", "nos", "nov", "nw", "o", "oct", "okla", "or", "ord", "ore",
    "org", "ors", "p'ship", "pa", "pac", "para", "pharm", "phila", "phys", "pl", "prac", "pres",
    "prob", "prod", "prods", "prof", "prof'l", "prop", "props", "prot", "pshp", "pt", "pty", "pub",
    "publ'g", "pvt", "r", "reg", "rel", "rep", "res", "rest", "ret", "rev", "ry", "s", "s'holder",
    "sav", "sch", "schs", "sci", "se", "sec", "sec'y", "secs", "secy", "sep", "sept", "serv",
    "servs", "sgt", "shp", "smt", "soc", "soc'y", "sociol", "sr", "st", "stat", "std", "ste",
    "sub", "sup", "sup'r", "supp", "supt", "sur", "surv", "sw", "sys", "tchr", "tchrs", "tech",
    "techs", "tel", "telecomm", "tenn", "tex", "tpk", "tr", "transcon", "transp", "treas", "twp",
    "u", "unif", "univ", "util", "utils", "v", "va", "vill", "vol", "vs", "vt", "w", "wash",
    "weekly", "wis", "wkly",
];

/// Words that introduce a citation and are not part of a case's name.
pub(crate) static SIGNALS: [&str; 62] = [
    "see",
    "also",
    "cf",
    "accord",
    "compare",
    "contra",
    "but",
    "e.g",
    "eg",
    "citing",
    "quoting",
    "in",
    "under",
    "following",
    "overruling",
    "affirming",
    "reversing",
    "held",
    "since",
    "while",
    "both",
    "and",
    "with",
    "even",
    "as",
    "per",
    "by",
    "when",
    "from",
    "to",
    "for",
    "on",
    "that",
    "whether",
    "relying",
    "discussing",
    "distinguishing",
    "applying",
    "noting",
    "explaining",
    "rejecting",
    "adopting",
    "construing",
    "interpreting",
    "abrogating",
    "superseding",
    "collecting",
    "unlike",
    "because",
    "although",
    "though",
    "thus",
    "however",
    "accordingly",
    "moreover",
    "furthermore",
    "indeed",
    "id",
    "ibid",
    "hereinafter",
    "aff'd",
    "rev'd",
];

/// Lower-case words that may occur inside a case's name.
pub(crate) static CONNECTORS: [&str; 31] = [
    "of", "the", "and", "&", "for", "ex", "rel", "et", "al", "de", "la", "las", "los", "del",
    "der", "den", "da", "di", "du", "van", "von", "le", "y", "on", "at", "a", "an", "d/b/a",
    "a/k/a", "f/k/a", "dba",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_and_known_words_are_abbreviations() {
        for word in ["J.", "U.S.", "Inc.", "Ass'n.", "Corp.,", "Dep’t."] {
            assert!(is_abbreviation(word), "{word}");
        }
        assert!(!is_abbreviation("court."));
    }

    #[test]
    fn every_abbreviation_is_found() {
        for word in ABBREVIATIONS {
            assert!(is_abbreviation(&format!("{word}.")), "{word} is out of order");
        }
    }
}
