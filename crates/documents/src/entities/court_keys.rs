//! Turns names of courts into keys, equal for one court: `us/appeals/1`, `us/district/ca/n`.
//!
//! A key is `sovereign/type[/place]`. The sovereign is `us`, a state's code, `in` for India, or `-` if
//! unknown.

use super::tables::courts::{EMPTY_WORDS, FEDERAL_ONLY, ORDINALS, TYPES};
use super::tables::states::STATES;

/// The key of the court `name`; `None` if it is not the name of a court.
pub fn court_key(name: &str) -> Option<String> {
    let mut words = words(name);
    let sovereign = take_sovereign(&mut words);
    let direction = take_direction(&mut words);
    // Connecting words are removed first: `Court of Appeals` and `Appeals Court` differ only in
    // them.
    let kept: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| {
            !matches!(*word, "of" | "the" | "and" | "for" | "in" | "at" | "s" | "to" | "on")
        })
        .collect();
    let Some((kind, local, rest)) = take_type(&kept) else {
        return federal_district(&sovereign, direction, &kept);
    };
    let federal = sovereign.federal;
    let state = sovereign.state;
    Some(match (kind, federal, state) {
        ("supreme", true, _) => "us/supreme".to_owned(),
        ("supreme", false, Some("india")) => "in/supreme".to_owned(),
        ("high", ..) => {
            let place = place(&rest, sovereign.state);
            if place.is_empty() {
                return None;
            }
            format!("in/high/{place}")
        }
        ("appeals", true, _) | ("appeals", false, Some("dc"))
            if has(&rest, "circuit") || federal =>
        {
            match circuit(&rest) {
                Some(number) => format!("us/appeals/{number}"),
                None if state == Some("dc") && has(&rest, "circuit") => "us/appeals/dc".to_owned(),
                None if has(&rest, "federal") => "us/appeals/fed".to_owned(),
                None => "us/appeals".to_owned(),
            }
        }
        ("appeals", false, None) if has(&rest, "circuit") => match circuit(&rest) {
            Some(number) => format!("us/appeals/{number}"),
            None if has(&rest, "federal") => "us/appeals/fed".to_owned(),
            None => return None,
        },
        ("bap", ..) => {
            format!("us/bap/{}", circuit(&rest).map(|n| n.to_string()).unwrap_or_default())
        }
        ("judicial-council", ..) => {
            format!(
                "us/judicial-council/{}",
                circuit(&rest).map_or_else(|| state.unwrap_or("-").to_owned(), |n| n.to_string())
            )
        }
        ("bankruptcy", ..) => format!("us/bankruptcy/{}", district(state, direction)),
        ("district", true, Some(state)) => {
            format!("us/district/{}", district(Some(state), direction))
        }
        ("circuit", true, None) if has(&rest, "circuit") && circuit(&rest).is_some() => {
            format!("us/appeals/{}", circuit(&rest).unwrap_or_default())
        }
        ("district", false, Some(state))
            if direction.is_some()
                || has(&rest, "d")
                || has(&rest, "district") && !has(&rest, "judicial") && !is_divided(state) =>
        {
            format!("us/district/{}", district(Some(state), direction))
        }
        ("circuit", true, Some(state)) => {
            format!("us/circuit/{}", district(Some(state), direction))
        }
        (kind, ..) if FEDERAL_ONLY.contains(&kind) => format!("us/{kind}"),
        (kind, true, _) if !local => format!("us/{kind}"),
        // Only New York has a supreme court in every county.
        ("supreme", false, None) if words.iter().any(|word| word == "county") => {
            format!("ny/supreme/{}", place(&rest, None))
        }
        // The name alone does not say which supreme court is meant; the text around it does.
        ("supreme", false, None) if rest.is_empty() => "-/supreme".to_owned(),
        ("supreme", false, Some("ny")) => {
            let place = place(&rest, state);
            if place.is_empty() { "ny/supreme".to_owned() } else { format!("ny/supreme/{place}") }
        }
        ("appeals", false, Some(state)) => {
            let local = [direction.map(|d| d.to_string()), ordinal(&rest).map(|n| n.to_string())];
            let local: Vec<String> = local.into_iter().flatten().collect();
            let county = if state == "oh" { place(&rest, Some(state)) } else { String::new() };
            let tail: Vec<&str> = local
                .iter()
                .map(String::as_str)
                .chain((!county.is_empty()).then_some(county.as_str()))
                .collect();
            if tail.is_empty() {
                format!("{state}/appeals")
            } else {
                format!("{state}/appeals/{}", tail.join("/"))
            }
        }
        (kind, _, state) => {
            let sovereign = if federal { "us" } else { state.unwrap_or("-") };
            let place = if local { place(&rest, state) } else { String::new() };
            if sovereign == "-" && place.is_empty() {
                return None;
            }
            if place.is_empty() {
                format!("{sovereign}/{kind}")
            } else {
                format!("{sovereign}/{kind}/{place}")
            }
        }
    })
}

struct Sovereign {
    federal: bool,
    state: Option<&'static str>,
}

/// Lower-case words without punctuation, with abbreviations spelled out.
fn words(name: &str) -> Vec<String> {
    let flat = name.replace(['’', '\''], "'");
    flat.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '.' || c == '&'))
        .flat_map(|word| {
            let lower = word.to_lowercase();
            let lower = lower.trim_matches(['.', '\'']);
            let expanded = match lower {
                "u.s" | "us" => "united states",
                "ct" => "court",
                "cty" | "co" => "county",
                "app" => "appeals",
                "div" => "division",
                "dist" => "district",
                "cir" => "circuit",
                "supr" | "sup" => "supreme",
                "super" => "superior",
                "fam" => "family",
                "dept" => "department",
                "bankr" => "bankruptcy",
                "unites" => "united",
                "ptab" => "patent trial appeal board",
                "bpai" | "b.p.a.i" => "board patent appeals",
                "apeals" | "appeal" => "appeals",
                "apex" => "supreme",
                other => other,
            };
            expanded.split(['.', ' ']).map(|part| part.replace('\'', "")).collect::<Vec<_>>()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

fn take_sovereign(words: &mut Vec<String>) -> Sovereign {
    let mut federal = false;
    while let Some(at) = words.windows(2).position(|pair| {
        (pair[0] == "united" || pair[0] == "u") && (pair[1] == "states" || pair[1] == "s")
    }) {
        federal = true;
        words.drain(at..at + 2);
    }
    let mut state = None;
    if let Some(at) = words.iter().position(|word| word == "india") {
        words.remove(at);
        return Sovereign { federal: false, state: Some("india") };
    }
    // The last state in the name is the court's: `Superior Court of Washington County, Oregon`.
    let mut best: Option<(usize, usize, &'static str)> = None;
    for candidate in &STATES {
        let name: Vec<String> =
            candidate.name.to_lowercase().split(' ').map(str::to_owned).collect();
        let mut forms = vec![name];
        let short: Vec<String> = candidate.abbreviations[0]
            .to_lowercase()
            .split(['.', ' '])
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        // A letter pair such as `n d` is a direction; only abbreviations of three letters identify a state.
        if short.iter().any(|part| part.len() >= 3)
            || matches!(candidate.code, "pa" | "va" | "ga" | "ny" | "nj")
        {
            forms.push(short);
        }
        for form in forms {
            let at = words.windows(form.len()).rposition(|window| window == form.as_slice());
            let Some(at) = at else { continue };
            let after = words.get(at + form.len()).map(String::as_str);
            // `Washington County` names a county, unless no other word names a state.
            let weak = matches!(after, Some("county" | "city" | "village"));
            let rank = if weak { 0 } else { at + 1 };
            let better = best.is_none_or(|(r, length, _)| (rank, form.len()) > (r, length));
            if better && !weak {
                best = Some((rank, form.len(), candidate.code));
            }
        }
    }
    if let Some((rank, length, code)) = best {
        let at = rank - 1;
        words.drain(at..at + length);
        state = Some(code);
    }
    Sovereign { federal, state }
}

/// Removes `northern district`, `n d` and the like from the words.
fn take_direction(words: &mut Vec<String>) -> Option<char> {
    const DIRECTIONS: [(&str, char); 6] = [
        ("north", 'n'),
        ("south", 's'),
        ("east", 'e'),
        ("west", 'w'),
        ("middle", 'm'),
        ("central", 'c'),
    ];
    let letter = |word: &str| -> Option<char> {
        DIRECTIONS
            .iter()
            .find(|(full, short)| {
                (word.starts_with(full) && word.len() <= full.len() + 4)
                    || word.chars().eq([*short])
            })
            .map(|(_, short)| *short)
    };
    let at = words.windows(2).position(|pair| {
        letter(&pair[0]).is_some()
            && matches!(pair[1].as_str(), "district" | "d" | "division" | "of")
            && (pair[0].len() > 1 || pair[1] == "d" || pair[1] == "district")
    });
    if let Some(at) = at {
        let found = letter(&words[at]);
        let two = words[at + 1] != "of";
        words.drain(at..at + 1 + usize::from(two));
        return found;
    }
    let at = words
        .iter()
        .position(|word| letter(word).is_some() && word.len() > 4 && word.ends_with("ern"))?;
    let found = letter(&words[at]);
    words.remove(at);
    found
}

/// Finds the type of court and returns the remaining words.
fn take_type<'w>(words: &[&'w str]) -> Option<(&'static str, bool, Vec<&'w str>)> {
    for (pattern, kind, local) in &TYPES {
        let parts: Vec<&str> = pattern.split(' ').collect();
        let at = words.windows(parts.len()).position(|window| {
            window.iter().zip(&parts).all(|(word, part)| {
                word == part
                    || (word.len() > 4
                        && word.strip_suffix('s') == Some(part.strip_suffix('s').unwrap_or(part)))
            })
        });
        if let Some(at) = at {
            let mut rest = words.to_vec();
            rest.drain(at..at + parts.len());
            return Some((kind, *local, rest));
        }
    }
    None
}

/// `Northern District of California`: a federal district without the words `District Court`.
fn federal_district(
    sovereign: &Sovereign,
    direction: Option<char>,
    words: &[&str],
) -> Option<String> {
    let state = sovereign.state?;
    let known = direction.is_some_and(|d| districts(state).contains(d));
    (known && (words.is_empty() || sovereign.federal))
        .then(|| format!("us/district/{}", district(Some(state), direction)))
}

fn districts(code: &str) -> &'static str {
    STATES.iter().find(|state| state.code == code).map_or("", |state| state.districts)
}

fn is_divided(code: &str) -> bool {
    !districts(code).is_empty()
}

fn district(state: Option<&str>, direction: Option<char>) -> String {
    match (state, direction) {
        (Some(state), Some(direction)) => format!("{state}/{direction}"),
        (Some(state), None) => state.to_owned(),
        (None, _) => "-".to_owned(),
    }
}

fn has(words: &[&str], word: &str) -> bool {
    words.contains(&word)
}

fn ordinal(words: &[&str]) -> Option<u8> {
    words.iter().find_map(|word| {
        ORDINALS.iter().find(|(name, _)| name == word).map(|(_, n)| *n).or_else(|| {
            let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
            let suffix = &word[digits.len()..];
            matches!(suffix, "st" | "nd" | "rd" | "th" | "d").then(|| digits.parse().ok()).flatten()
        })
    })
}

fn circuit(words: &[&str]) -> Option<u8> {
    ordinal(words)
}

/// The words that name the place, sorted so that their order does not matter.
fn place(words: &[&str], state: Option<&str>) -> String {
    let mut kept: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !EMPTY_WORDS.contains(word) && state != Some(*word))
        .filter(|word| {
            !matches!(
                *word,
                "judicature"
                    | "bench"
                    | "special"
                    | "trial"
                    | "term"
                    | "general"
                    | "district"
                    | "judicial"
                    | "ordinary"
                    | "original"
            )
        })
        .collect();
    kept.sort_unstable();
    kept.dedup();
    kept.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_court_have_one_key() {
        let cases = [
            ("us/supreme", &["Supreme Court of the United States", "U.S. Supreme Court"][..]),
            (
                "us/appeals/1",
                &[
                    "United States Court of Appeals\n\n For the First Circuit",
                    "Court of Appeals First Circuit",
                ],
            ),
            (
                "us/district/ca/n",
                &[
                    "United States District Court, N.D. California",
                    "Northern District of California",
                ],
            ),
            (
                "us/district/ak",
                &[
                    "United States District Court for the District of Alaska",
                    "US District Court D Alaska",
                ],
            ),
            ("pa/superior", &["Superior Court of Pennsylvania", "Pennsylvania Superior Court"]),
            ("mo/appeals/e", &["Missouri Court of Appeals, Eastern District"]),
            ("us/bankruptcy/oh/n", &["United States Bankruptcy Court N D Ohio"]),
            ("pa/common-pleas/berks", &["Berks County Court of Common Pleas, Pennsylvania"]),
        ];
        for (key, names) in cases {
            for name in names {
                assert_eq!(court_key(name).as_deref(), Some(key), "{name}");
            }
        }
        assert_eq!(court_key("the District Court"), None);
        assert_eq!(court_key("a tennis club"), None);
    }
}
