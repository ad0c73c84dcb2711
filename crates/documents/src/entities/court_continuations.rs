//! Continues a court's name after its type: a district, a circuit, a division, a place.

use crate::static_regex::static_regex;

/// `S.D.`, `D.`: the state of the district follows.
pub(super) fn is_direction(word: &str) -> bool {
    matches!(word, "D." | "N.D." | "S.D." | "E.D." | "W.D." | "M.D." | "C.D.")
}

/// Whether the text after a comma continues the name: a place, a district, a division or a bench.
pub(super) fn place_like(text: &str) -> bool {
    let first: String = text.chars().take(48).collect();
    direction_follows(text) || place_regex().is_match(&first)
}

static_regex!(
    place_regex,
    r"^(?:[SNEWCMD]\.\s?D?\.?\s|(?:[A-Z][a-zA-Z.'’-]+\s+){0,3}(?i:county|district|division|department|circuit|bench|term|parish)\b|(?:Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode|North|South|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West|Wisconsin|Wyoming|Jaipur|Delhi|Mumbai|Kolkata|Chennai|Bengaluru)\b)"
);

pub(super) fn direction_follows(text: &str) -> bool {
    direction_regex().is_match(text)
}

static_regex!(
    direction_regex,
    r"^(?i:northern|southern|eastern|western|middle|central|district)\s+(?i:district|of)\b"
);

/// Whether a federal district follows in the order of docket sheets: `California Northern District`.
fn state_district_follows(text: &str) -> bool {
    let head: Vec<&str> = text.split_whitespace().take(4).collect();
    (1..=2).any(|length| {
        let (Some(state), Some(rest)) = (head.get(..length), head.get(length..)) else {
            return false;
        };
        let direction = rest.first().is_some_and(|word| {
            ["northern", "southern", "eastern", "western", "middle", "central", "district"]
                .contains(&word.to_lowercase().as_str())
        });
        direction
            && rest.iter().take(2).any(|word| word.to_lowercase().starts_with("district"))
            && super::court_words::state_word(&state.join(" ")).is_some()
    })
}

/// Whether the text continues a court's name without a connector.
pub(super) fn continues_name(text: &str) -> bool {
    direction_follows(text) || continue_regex().is_match(text) || state_district_follows(text)
}

static_regex!(
    continue_regex,
    r"^(?i:(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|\d{1,2}(?:st|nd|rd|th|d)|federal|appellate)\s+(?i:appellate\s+)?(?i:circuit|district|department|division|judicial)|bench\b|circuit\b|district\b|division\b|county\b)"
);

/// Whether the name ends in the title of a judge.
pub(super) fn is_judge(head: &str) -> bool {
    let lower = head.to_lowercase();
    ["judge", "magistrate", "class"].iter().any(|word| lower.ends_with(word))
}

/// The end of the town after a comma.
pub(super) fn town_after(text: &str, end: usize) -> usize {
    let Some(rest) = text[end..].strip_prefix(',') else { return end };
    let town = rest.trim_start_matches([' ', '\n']);
    let length = town.find(|c: char| !c.is_alphabetic()).unwrap_or(town.len());
    let gap = rest.len() - town.len();
    if gap <= 2 && length > 3 && town.starts_with(char::is_uppercase) {
        end + 1 + gap + length
    } else {
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn districts_and_circuits_continue_a_name() {
        for text in [
            "NORTHERN DISTRICT OF OHIO",
            "California Northern District",
            "Ninth Circuit",
            "2d Department",
        ] {
            assert!(continues_name(text), "{text}");
        }
        for text in ["Plaintiff moved", "Ohio law", "Third parties"] {
            assert!(!continues_name(text), "{text}");
        }
    }
}
