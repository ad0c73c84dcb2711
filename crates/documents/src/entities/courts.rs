//! Finds courts: the longest run of words around a type of court that names one court.

use super::court_abbreviations::abbreviated_court;
use super::court_keys::court_key;
use crate::model::{EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    head_regex,
    r"(?x)\b(?:
      (?i:supreme|apex|superior|district|circuit|county|municipal|family|probate|bankruptcy|appellate|chancery|tax|juvenile|high|city|sessions|justice|surrogate['’]?s|orphans['’]?|customs|commonwealth|surveillance|trial)\s+(?i:courts?)
      |(?i:court)\s+(?i:of)\s+(?:(?i:criminal|civil|special|military|international|federal|common|customs|first)\s+)?(?i:appeals?|pleas|claims|trade|instance|chancery|errors|sessions|common\s+pleas)
      |(?i:appeals\s+court)|(?i:supreme\s+judicial\s+court)
      |(?i:bankruptcy\s+appellate\s+panel)
      |(?i:appellate|administrative|disputes\s+redressal|arbitral|green|company\s+law)\s+(?i:tribunal|commission|division)
      |(?i:northern|southern|eastern|western|middle|central)\s+(?i:district)\s+(?i:of)
    )"
);

/// Words that begin a sentence or refer to something, and are not part of a court's name.
const NOT_LEFT: [&str; 40] = [
    "the",
    "this",
    "that",
    "a",
    "an",
    "in",
    "by",
    "from",
    "our",
    "and",
    "of",
    "for",
    "to",
    "before",
    "on",
    "at",
    "hon'ble",
    "honourable",
    "honorable",
    "hon",
    "see",
    "but",
    "as",
    "when",
    "if",
    "under",
    "because",
    "its",
    "both",
    "each",
    "said",
    "such",
    "chief",
    "judge",
    "judges",
    "justice",
    "former",
    "present",
    "appeal",
    "docket",
];

/// Maximum number of words of a court's name on either side of its type.
const MAX_WORDS: usize = 12;

/// Every mention that identifies a court.
pub(super) fn courts(text: &str) -> Vec<Mention> {
    let mut found: Vec<Mention> = Vec::new();
    for head in head_regex().find_iter(text) {
        if !head.as_str().starts_with(|c: char| c.is_uppercase()) {
            continue;
        }
        let floor = found.last().map_or(0, |mention| mention.end);
        if head.start() < floor {
            continue;
        }
        let start = extend_left(text, head.start(), floor);
        let head_end =
            if head.as_str().to_lowercase().ends_with("of") { head.end() - 2 } else { head.end() };
        let end = extend_right(text, head_end);
        let Some(name) = text.get(start..end) else { continue };
        if let Some(key) = court_key(name) {
            found.push(Mention::new(EntityKind::Court, text, start, end, key));
        }
    }
    found
}

/// The court in a citation's parenthesis, or the one court of its reporter.
pub(super) fn court_in_parenthesis(text: &str, reporter: Option<&str>) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return reporter.and_then(abbreviated_court);
    }
    abbreviated_court(text)
}

fn extend_left(text: &str, head: usize, floor: usize) -> usize {
    let mut start = head;
    for _ in 0..MAX_WORDS / 2 {
        let before = &text[floor..start];
        let trimmed = before.trim_end();
        let gap = &before[trimmed.len()..];
        if trimmed.is_empty() || gap.matches('\n').count() > 1 || gap.is_empty() {
            break;
        }
        let word_at = trimmed
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + trimmed[at..].chars().next().map_or(1, char::len_utf8));
        let word = &trimmed[word_at..];
        let lower = word.trim_matches([',', '.', '(', ')']).to_lowercase().replace('’', "'");
        let capital = word.starts_with(|c: char| c.is_uppercase());
        let joins = word == "&"
            || (lower == "of" || lower == "and")
                && before_is_capital(&trimmed[..word_at])
                && matches!(lower.as_str(), "of" | "and")
                && text[start..].starts_with(|c: char| c.is_uppercase())
                && !is_court_word(&text[start..]);
        if !joins && (!capital || NOT_LEFT.contains(&lower.as_str()) || ends_name(word)) {
            break;
        }
        start = floor + word_at;
    }
    start
}

fn before_is_capital(before: &str) -> bool {
    let word = before.split_whitespace().next_back().unwrap_or_default();
    word.starts_with(|c: char| c.is_uppercase()) && !ends_name(word)
}

fn is_court_word(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default().to_lowercase();
    matches!(
        word.as_str(),
        "district" | "circuit" | "supreme" | "superior" | "court" | "appellate" | "bankruptcy"
    )
}

/// Whether a name ends after this word.
fn ends_name(word: &str) -> bool {
    word.ends_with([':', ';', ')', '?', '"', '”'])
        || word.ends_with(',')
        || word.ends_with('.') && !super::tables::words::is_abbreviation(word)
}

fn extend_right(text: &str, head_end: usize) -> usize {
    let mut end = head_end;
    let mut at = head_end;
    let mut words = 0;
    let mut after_connector = false;
    let mut previous_connector = false;
    let mut after_comma = false;
    while words < MAX_WORDS {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        let gap = &rest[..rest.len() - trimmed.len()];
        let mut lines = gap.matches('\n').count();
        if let Some(after) = trimmed.strip_prefix(',') {
            if after_comma || after_connector {
                break;
            }
            after_comma = true;
            at = text.len() - after.len();
            continue;
        }
        let length = trimmed
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | ')' | '('))
            .unwrap_or(trimmed.len());
        let word = &trimmed[..length];
        if word.is_empty() || gap.is_empty() && !after_comma {
            break;
        }
        let lower = word.trim_end_matches('.').to_lowercase();
        let connector = matches!(lower.as_str(), "of" | "for" | "the" | "and" | "at" | "in" | "&");
        // A caption has `FOR THE FIRST CIRCUIT` on a separate line after an empty one.
        if connector && matches!(lower.as_str(), "for" | "of" | "at") {
            lines = lines.saturating_sub(2);
        }
        if direction_follows(trimmed) {
            lines = lines.saturating_sub(2);
        }
        let dangling = after_connector && previous_connector;
        if lines > 1 || (lines == 1 && !connector && !dangling && !continues_name(trimmed)) {
            break;
        }
        let capital = word.starts_with(|c: char| c.is_uppercase() || c == '\'' || c == '‘')
            || word.starts_with(|c: char| c.is_ascii_digit())
                && (lower.ends_with("th")
                    || lower.ends_with("st")
                    || lower.ends_with("nd")
                    || lower.ends_with("rd"));
        let word_end = text.len() - trimmed.len() + length;
        if connector && !after_comma {
            // `in` continues a name only as `in and for`.
            if lower == "in" && !text[word_end..].trim_start().starts_with("and ") {
                break;
            }
            after_connector = true;
            previous_connector = true;
            at = word_end;
            words += 1;
            continue;
        }
        if !capital
            || (after_comma && !place_like(trimmed))
            || (!after_connector && !after_comma && !continues_name(trimmed))
        {
            break;
        }
        end = word_end;
        at = word_end;
        words += 1;
        after_comma = false;
        previous_connector = false;
        if word.ends_with(['"', '”']) {
            end -= word.chars().next_back().map_or(0, char::len_utf8);
            break;
        }
        // Text after a place without a connector is another sentence or line.
        after_connector = after_connector && !ends_name(word) || continues_name(trimmed);
        if word.ends_with('.') && !super::tables::words::is_abbreviation(word) {
            end -= 1;
            break;
        }
    }
    let name = text[..end].trim_end_matches(['.', ',', ' ']);
    // The dot of `N.Y.` is kept, a full stop is removed.
    if text[..end].ends_with('.')
        && name.rsplit(char::is_whitespace).next().is_some_and(|w| w.contains('.') || w.len() <= 4)
    {
        end
    } else {
        name.len()
    }
}

/// Whether the text after a comma continues the name: a place, a district, a division or a bench.
fn place_like(text: &str) -> bool {
    let first: String = text.chars().take(48).collect();
    direction_follows(text) || place_regex().is_match(&first)
}

static_regex!(
    place_regex,
    r"^(?:[SNEWCMD]\.\s?D?\.?\s|(?:[A-Z][a-zA-Z.'’-]+\s+){0,3}(?i:county|district|division|department|circuit|bench|term|parish)\b|(?:Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode|North|South|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West|Wisconsin|Wyoming|Jaipur|Delhi|Mumbai|Kolkata|Chennai|Bengaluru)\b)"
);

fn direction_follows(text: &str) -> bool {
    direction_regex().is_match(text)
}

static_regex!(
    direction_regex,
    r"^(?i:northern|southern|eastern|western|middle|central|district)\s+(?i:district|of)\b"
);

/// Whether the text continues a court's name without a connector.
fn continues_name(text: &str) -> bool {
    direction_follows(text) || continue_regex().is_match(text)
}

static_regex!(
    continue_regex,
    r"^(?i:(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|\d{1,2}(?:st|nd|rd|th)|federal|appellate)\s+(?i:circuit|district|department|division|judicial)|bench\b|circuit\b|district\b|division\b|county\b)"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        courts(text)
            .into_iter()
            .map(|m| (m.text.split_whitespace().collect::<Vec<_>>().join(" "), m.normal))
            .collect()
    }

    #[test]
    fn captions_and_prose() {
        let text = "UNITED STATES COURT OF APPEALS\n\n          FOR THE FIRST CIRCUIT\n\n\nNo. 1";
        assert_eq!(
            found(text),
            [(
                "UNITED STATES COURT OF APPEALS FOR THE FIRST CIRCUIT".into(),
                "us/appeals/1".into()
            )]
        );
        let text = "UNITED STATES DISTRICT COURT\nCENTRAL DISTRICT OF CALIFORNIA\n\nROE";
        assert_eq!(found(text)[0].1, "us/district/ca/c");
        assert_eq!(
            found("Appeal from the Superior Court, Onslow County. The District Court erred.").len(),
            1
        );
        assert_eq!(found("Court of Appeals of Michigan.")[0].1, "mi/appeals");
        assert_eq!(
            found("In the High Court Of Karnataka At Bengaluru\n\n Writ")[0].0,
            "High Court Of Karnataka At Bengaluru"
        );
    }

    #[test]
    fn a_court_that_could_be_any_is_not_named() {
        assert!(found("The District Court held so. This High Court").is_empty());
    }
}
