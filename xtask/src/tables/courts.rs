//! The table of courts, from `courts-db`: each court once, and the normal forms of the strings that name it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde_json::Value;

use super::court_strings::strings;
use super::reading::{array, package, text, texts};
use crate::command::Failure;

// The stages read names in this form, so the table must be made with it.
#[path = "../../../crates/documents/src/entities/court_words.rs"]
mod court_words;

use court_words::{court_words, is_state, normal_form, state_word};

/// The canonical strings of the variables that hold spellings; the normal form folds the spellings.
const VARIABLES: [(&str, &str); 33] = [
    ("md", "middle district of "),
    ("wd", "western district of "),
    ("sd", "southern district of "),
    ("ed", "eastern district of "),
    ("nd", "northern district of "),
    ("cd", "central district of "),
    ("d", "(district|district court) of "),
    ("usa", "united states "),
    ("usdc", "(united states )?district court "),
    ("usdca", "united states district court of appeals "),
    ("uscoa", "united states court of appeals "),
    ("coa", "court of appeals "),
    ("ccoa", "circuit court of appeals "),
    ("usbap", "united states bankruptcy (court )?appellate panel "),
    ("usbc", "united states bankruptcy court "),
    ("usbcd", "united states bankruptcy court (district of )?"),
    ("usbcmd", "united states bankruptcy court middle district of "),
    ("usbcwd", "united states bankruptcy court western district of "),
    ("usbcsd", "united states bankruptcy court southern district of "),
    ("usbced", "united states bankruptcy court eastern district of "),
    ("usbcnd", "united states bankruptcy court northern district of "),
    ("usbccd", "united states bankruptcy court central district of "),
    ("app", "appellate court "),
    ("maryland", "maryland"),
    ("dc", "district of columbia"),
    ("ndak", "north dakota"),
    ("sdak", "south dakota"),
    ("wv", "west virginia"),
    ("sup", "supreme court "),
    ("sjc", "supreme judicial court "),
    ("super", "superior court "),
    ("supct", "supreme court"),
    ("bw", "([a-z]+)"),
];

/// Words of levels: a form of one or two of them names a level of many courts.
const LEVELS: &str = " appeals appellate bankruptcy chancery circuit city civil common county court criminal district \
division family federal judicial justice juvenile magistrate municipal pleas police probate superior supreme town us \
village 1 2 3 4 5 6 7 8 9 10 11 term trial special general ";

/// Whether the words name a level that the country has in every district.
fn is_of_all_states(words: &[&str]) -> bool {
    words.len() <= 3
        && words.contains(&"court")
        && !words.contains(&"supreme")
        && words.iter().all(|word| word.parse::<u8>().is_err())
}

/// A court's own words: how strongly a string names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Pattern,
    Citation,
    Name,
}

/// The package with the courts.
const PACKAGE: &str = "courts-db";

/// Lines `C id name citation system level type location dates parent`, `F normal-form ids`, and
/// `W words-it-has words-it-has-not id` for patterns without end.
pub(super) fn courts(packages: &Path) -> Result<String, Failure> {
    let variables = variables(packages)?;
    let given = package(packages, PACKAGE, "courts_db/data/courts.json")?;
    let courts = array(&given);
    let parents: HashMap<&str, &str> =
        courts.iter().map(|court| (text(court, "id"), text(court, "parent"))).collect();
    let mut forms: BTreeMap<String, BTreeMap<&str, Strength>> = BTreeMap::new();
    let mut open: BTreeSet<String> = BTreeSet::new();
    for court in courts {
        let id = text(court, "id");
        let mut add = |string: &str, strength: Strength| {
            let form = normal_form(&court_words(string));
            let words: Vec<&str> = form.split(' ').collect();
            let level = words.iter().all(|word| LEVELS.contains(&format!(" {word} ")));
            let vague = level
                && (words.len() <= 2 && strength == Strength::Pattern || is_of_all_states(&words));
            if form.is_empty() || vague {
                return;
            }
            let kept = forms.entry(form).or_default().entry(id).or_insert(strength);
            *kept = (*kept).max(strength);
        };
        add(text(court, "name"), Strength::Name);
        // Names such as `Hamilton County Court` are of two states: with the state, they are of one.
        let state = state_word(text(court, "location"));
        if let Some(state) =
            state.filter(|_| !court_words(text(court, "name")).iter().any(|w| is_state(w)))
        {
            add(
                &format!("{} {}", text(court, "name"), state.replace('_', " ")),
                Strength::Citation,
            );
        }
        add(text(court, "citation_string"), Strength::Citation);
        for pattern in court["regex"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            match strings(&fill(pattern, &variables)) {
                Some(all) => all.iter().for_each(|string| add(string, Strength::Pattern)),
                None => open.extend(open_line(&fill(pattern, &variables), id)),
            }
        }
    }
    let mut out = String::new();
    let bankruptcy: BTreeSet<&str> = courts
        .iter()
        .filter(|court| text(court, "type") == "bankruptcy")
        .map(|court| text(court, "id"))
        .collect();
    let mut sorted: Vec<&Value> = courts.iter().collect();
    sorted.sort_by_key(|court| text(court, "id"));
    for court in sorted {
        out.push_str(&court_line(court));
    }
    for (form, ids) in &mut forms {
        // Patterns of bankruptcy courts match the names of district courts too.
        if !form.contains("bankruptcy") && ids.keys().any(|id| !bankruptcy.contains(id)) {
            ids.retain(|id, _| !bankruptcy.contains(id));
        }
        let best = deciding(ids, &parents);
        if !best.is_empty() {
            out.push_str(&format!(
                "F\t{form}\t{}\n",
                best.into_iter().collect::<Vec<_>>().join(" ")
            ));
        }
    }
    out.extend(open);
    Ok(out)
}

/// A pattern without end as the words that a name must have, and those that it must not have:
/// `Court of Appeals.* Texas`. Branches are given up.
fn open_line(pattern: &str, id: &str) -> Option<String> {
    let mut plain = pattern.to_owned();
    let mut without = Vec::new();
    while let Some(at) = plain.find("(?!") {
        let end = at + plain[at..].find(')')?;
        without.push(normal_form(&court_words(&plain[at + 3..end].replace(".*", " "))));
        plain.replace_range(at..=end, " ");
    }
    for wild in [
        "(?=^.*",
        "(?=",
        "(\\b\\w+\\b)",
        "\\b\\w+\\b",
        "\\d+",
        "([a-z]+)",
        "[a-z]+",
        ".*",
        "^",
        "\\b",
    ] {
        plain = plain.replace(wild, " ");
    }
    let (mut open, mut words) = (plain.clone(), BTreeSet::new());
    open.retain(|c| !matches!(c, '(' | ')'));
    if !pattern.contains('|') && !plain.contains(['[', '\\']) {
        let flat = open.replace("? ", " ").replace("s?", "s").replace('?', "");
        words.insert(normal_form(&court_words(&flat)));
    }
    let words = words.into_iter().next().filter(|words| words.contains(' '))?;
    Some(format!("W\t{words}\t{}\t{id}\n", without.join(",")))
}

/// The courts that a form names: those it names most strongly, without the parents of others among them.
fn deciding<'c>(
    ids: &BTreeMap<&'c str, Strength>,
    parents: &HashMap<&'c str, &'c str>,
) -> BTreeSet<&'c str> {
    let strongest = ids.values().max().copied().unwrap_or(Strength::Pattern);
    let best: BTreeSet<&str> =
        ids.iter().filter(|(_, strength)| **strength == strongest).map(|(id, _)| *id).collect();
    let over: BTreeSet<&str> = best.iter().filter_map(|id| parents.get(id).copied()).collect();
    best.into_iter().filter(|id| !over.contains(id)).collect()
}

fn court_line(court: &Value) -> String {
    let dates: Vec<String> = court["dates"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|span| {
            let year = |name: &str| text(span, name).chars().take(4).collect::<String>();
            format!("{}-{}", year("start"), year("end"))
        })
        .filter(|span| span != "-")
        .collect();
    let fields = ["id", "name", "citation_string", "system", "level", "type", "location"];
    let mut cells: Vec<String> = fields
        .iter()
        .map(|name| text(court, name).split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    cells.push(dates.join(","));
    cells.push(text(court, "parent").to_owned());
    format!("C\t{}\n", cells.join("\t"))
}

/// The variables of the patterns: spellings by their canonical string, places by their lists.
fn variables(packages: &Path) -> Result<HashMap<String, String>, Failure> {
    let mut all: HashMap<String, String> =
        VARIABLES.iter().map(|(name, string)| ((*name).to_owned(), (*string).to_owned())).collect();
    let numbers = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth", "eleventh",
    ];
    for (at, number) in numbers.iter().enumerate() {
        all.insert(format!("n{}", at + 1), (*number).to_owned());
    }
    if let Some(given) = package(packages, PACKAGE, "courts_db/data/variables.json")?.as_object() {
        // The other variables are states, named by their postal codes.
        for name in given.keys() {
            if let Some(state) = postal(name) {
                all.entry(name.clone()).or_insert_with(|| state.to_owned());
            }
        }
    }
    for (name, lines) in texts(packages, PACKAGE, "courts_db/data/places")? {
        all.insert(name, format!("({})", lines.lines().collect::<Vec<_>>().join("|")));
    }
    Ok(all)
}

fn postal(code: &str) -> Option<&'static str> {
    const CODES: &str = "al:alabama ak:alaska az:arizona ar:arkansas ca:california co:colorado ct:connecticut \
de:delaware fl:florida ga:georgia hi:hawaii id:idaho ia:iowa il:illinois in:indiana ks:kansas ky:kentucky la:louisiana \
me:maine ma:massachusetts mi:michigan mn:minnesota ms:mississippi mo:missouri mt:montana ne:nebraska nv:nevada \
nh:new-hampshire nj:new-jersey nm:new-mexico ny:new-york nc:north-carolina oh:ohio ok:oklahoma or:oregon \
pa:pennsylvania ri:rhode-island sc:south-carolina tn:tennessee tx:texas ut:utah vt:vermont va:virginia wa:washington \
wi:wisconsin wy:wyoming";
    CODES
        .split_whitespace()
        .filter_map(|pair| pair.split_once(':'))
        .find(|(name, _)| *name == code)
        .map(|(_, s)| s)
}

/// The pattern with its variables filled in; `${3-7}` stands for the ordinals from third to seventh.
fn fill(pattern: &str, variables: &HashMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('}') else { break };
        let name = &rest[at + 2..at + end];
        match (variables.get(name), name.split_once('-')) {
            (Some(string), _) => out.push_str(string),
            (None, Some((from, to))) => {
                let range = from.parse::<u8>().unwrap_or(1)..=to.parse::<u8>().unwrap_or(0);
                let all: Vec<String> = range.map(|number| format!("{number}th")).collect();
                out.push_str(&format!("({})", all.join("|")));
            }
            _ => out.push_str(name),
        }
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    out
}
