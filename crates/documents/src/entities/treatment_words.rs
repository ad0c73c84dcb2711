//! The words for an authority's history and treatment (Bluebook table T8 and rule 10.7), and what each means.

use crate::static_regex::static_regex;

/// Beginnings of verbs and their abbreviations, and the word for what was done.
const DONE: [(&str, &str); 33] = [
    ("aff", "affirmed"),
    ("rev'", "reversed"),
    ("revers", "reversed"),
    ("overrul", "overruled"),
    ("abrogat", "abrogated"),
    ("supersed", "superseded"),
    ("vacat", "vacated"),
    ("mod", "modified"),
    ("enf", "enforced"),
    ("invalidat", "invalidated"),
    ("withdr", "withdrawn"),
    ("amend", "amended"),
    ("remand", "remanded"),
    ("repeal", "repealed"),
    ("reinstat", "reinstated"),
    ("depublish", "depublished"),
    ("distinguish", "distinguished"),
    ("declin", "not followed"),
    ("refus", "not followed"),
    ("follow", "followed"),
    ("disapprov", "disapproved"),
    ("limit", "limited"),
    ("question", "questioned"),
    ("critici", "criticized"),
    ("reject", "rejected"),
    ("reaffirm", "reaffirmed"),
    ("nonacq", "nonacq."),
    ("acq", "acq."),
    ("denying", "cert. denied"),
    ("quot", "quoted"),
    ("cit", "cited"),
    ("no longer", "no longer good law"),
    ("explain", "explained"),
];

/// Past forms, spelled out.
const PAST: &str = r"affirmed|reversed|overruled|abrogated|superseded|vacated|modified|enforced|invalidated|withdrawn|amended|remanded|repealed|reinstated|depublished|distinguished|followed|disapproved|limited|questioned|criticized|rejected|reaffirmed";
/// Past forms in short; nobody writes them in running text.
const SHORT: &str = r"aff['’]d|rev['’]d|mod['’]d|enf['’]d|nonacq\.|acq\.";
/// What was asked of a court, and its answer.
const ASKED: &str = r"(?P<asked>cert\.|certiorari|reh['’]g(?:\s+en\s+banc)?|rehearing(?:\s+en\s+banc)?|appeal|(?:pet\.|petition)\s+for\s+(?:cert\.|certiorari|review|reh['’]g|rehearing)|review|rev\.|leave\s+to\s+appeal|perm\.\s+app\.|pet\.|petition|writ|trans\.|transfer|mandamus|prob\.\s+juris\.|app\.)\s+(?P<answer>denied|den\.|granted|dismissed|dism['’]d|filed|docketed|noted|refused|ref['’]d(?:,?\s+n\.\s?r\.\s?e\.)?|pending)";
/// Words behind a verb that belong to it.
const MORE: &str = r"(?P<more>(?:\s+(?:in\s+(?:relevant\s+)?part|on\s+other\s+grounds|per\s+curiam|mem\.|en\s+banc|on\s+reh['’]g|on\s+remand|by\s+an\s+equally\s+divided\s+court|as\s+moot|by\s+(?:statute|rule|regulation|constitutional\s+amendment)))*)";

static_regex!(past_regex, format!(r"^(?P<verb>(?:{SHORT}|(?i:{ASKED})|(?i:{PAST})\b)){MORE}"));
static_regex!(
    active_regex,
    format!(
        r"^(?P<verb>aff['’]g|rev['’]g|mod['’]g|enf['’]g|affirming|reversing|vacating|modifying|overruling|abrogating|superseding|disapproving(?:\s+of)?|distinguishing|following|enforcing|denying\s+(?:cert\.|certiorari)\s+to|quoting|citing|rejecting|limiting|questioning|criticizing|reaffirming|(?:declining|refusing)\s+to\s+follow)\b{MORE}"
    )
);
static_regex!(
    /// A verb in a sentence whose subject is the authority before it.
    passive_regex,
    format!(
        r"^,?\s{{1,20}}(?:which\s+)?(?:(?P<now>is|are)|was|were|(?:has|have|had)\s+(?:since\s+)?been)\s+(?:(?:expressly|effectively|implicitly|explicitly|later|subsequently|since|itself|also|thus|hereby|therefore|recently|partially|partly|now)\s+){{0,2}}(?P<verb>(?:{PAST})|distinguishable|no\s+longer\s+good\s+law)\b{MORE}"
    )
);
static_regex!(
    /// What a court says that it does itself.
    own_regex,
    r"\b(?:[Ww]e|[Tt]his\s+[Cc]ourt|I)\s+(?:(?:hereby|therefore|thus|now|expressly|also|accordingly|must|will|again|respectfully|today|explicitly|have|has)\s+){0,3}(?P<verb>(?:declined?s?|refused?s?)\s+to\s+(?:follow|extend)|overruled?s?|abrogated?s?|disapproved?s?(?:\s+of)?|follow(?:s|ed)?|distinguish(?:es|ed)?|reject(?:s|ed)?|reaffirm(?:s|ed)?|criticized?s?|questioned|limit(?:s|ed)?)\b(?P<more>(?:\s+in\s+part)?)"
);
static_regex!(
    /// The words that may lie between a verb and the authority it is about.
    object_regex,
    r"^[,\s]*(?:(?:the|that|this|our|its|those|these|own|prior|earlier|previous|contrary|recent|decisions?|holdings?|rulings?|rules?|reasoning|approach|opinions?|judgments?|statements?|language|analysis|dicta|dictum|portions?|parts?|cases?|of|in|from|announced|adopted|stated|set|forth|articulated|established|to|any|such|as|so|far|extent|both)[,\s]+){0,12}$"
);
static_regex!(
    /// The words that may lie between a verb and the authority that did it.
    agent_regex,
    r"^[,\s]*(?:(?:by|in|at|of|the|this|our|sub\s+nom\.?|nom\.|later|its|decision|opinion|holding|Supreme|[Cc]ourt|Court\s+of\s+Appeals|statute|rule|amendment|and|remanded|mem\.|per\s+curiam|\((?:mem\.?|per\s+curiam|en\s+banc|table|unpublished)\)|(?:1[89]|20)\d\d|No\.\s[\w:-]{2,20})[,\s]+){0,8}$"
);

/// A verb with what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verb {
    /// Its length, from the start of the text that was read.
    pub(super) length: usize,
    /// Where the verb itself begins in it.
    pub(super) start: usize,
    /// What was done.
    pub(super) what: String,
    /// Whether it is an abbreviation or a term, so that it cannot be a verb of running text.
    pub(super) is_term: bool,
    /// Whether a sentence says it of the present: `is overruled`.
    pub(super) is_now: bool,
}

impl Verb {
    fn of(captures: &regex::Captures<'_>) -> Option<Self> {
        let (whole, verb) = (captures.get(0)?, captures.name("verb")?);
        let (asked, answer) = (captures.name("asked"), captures.name("answer"));
        let plain = plain(verb.as_str());
        let mut what = match (asked, answer) {
            (Some(asked), Some(answer)) => request(asked.as_str(), answer.as_str()),
            _ if plain == "distinguishable" => "distinguished".to_owned(),
            _ => DONE.iter().find(|(start, _)| plain.starts_with(start))?.1.to_owned(),
        };
        let more = plain_of(captures.name("more"));
        for kept in ["in part", "on other grounds", "by statute", "by rule", "by regulation"] {
            if more.contains(kept) || kept == "in part" && more.contains("in relevant part") {
                what.push(' ');
                what.push_str(kept);
            }
        }
        if more.contains("constitutional amendment") {
            what.push_str(" by constitutional amendment");
        }
        let is_term = asked.is_some() || plain.contains(['\'', '.']);
        let is_now = captures.name("now").is_some();
        Some(Self { length: whole.end(), start: verb.start(), what, is_term, is_now })
    }
}

fn plain(words: &str) -> String {
    let joined = words.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.replace('’', "'").to_lowercase()
}

fn plain_of(words: Option<regex::Match<'_>>) -> String {
    words.map(|words| plain(words.as_str())).unwrap_or_default()
}

/// `cert. denied`, `reh'g en banc granted`.
fn request(asked: &str, answer: &str) -> String {
    let asked = plain(asked).replace("certiorari", "cert.").replace("rehearing", "reh'g");
    let answer = plain(answer).replace("den.", "denied").replace("dism'd", "dismissed");
    format!("{asked} {answer}")
}

/// The past form that `text` begins with: `aff'd in part, rev'd in part` is one.
pub(super) fn past(text: &str) -> Option<Verb> {
    let mut verb = Verb::of(&past_regex().captures(text)?)?;
    for _ in 0..3 {
        let rest = &text[verb.length..];
        let trimmed = rest.trim_start_matches([',', ' ', '\n']);
        let joined = trimmed.strip_prefix("and ").unwrap_or(trimmed);
        let Some(next) = past_regex().captures(joined).and_then(|found| Verb::of(&found)) else {
            break;
        };
        // `cert. denied` behind a decision is of that decision, not of this one.
        if next.is_term && !next.what.contains("in part") || joined.len() == rest.len() {
            break;
        }
        verb.length += rest.len() - joined.len() + next.length;
        verb.what = format!("{} and {}", verb.what, next.what);
    }
    Some(verb)
}

/// The participle that `text` begins with, whose object follows: `aff'g`, `quoting`.
pub(super) fn active(text: &str) -> Option<Verb> {
    Verb::of(&active_regex().captures(text)?)
}

/// What `text`, behind an authority, says was done to it: ` was later overruled`.
pub(super) fn passive(text: &str) -> Option<Verb> {
    Verb::of(&passive_regex().captures(text)?)
}

/// Everything that a court says it does itself, with its place in the text. A past form is of an earlier decision.
pub(super) fn own(text: &str) -> impl Iterator<Item = (usize, Verb)> {
    own_regex().captures_iter(text).filter_map(|captures| {
        let start = captures.get(0)?.start();
        let mut verb = Verb::of(&captures)?;
        let end = captures.name("verb")?.end();
        verb.is_now = !text[..end].trim_end_matches(" of").ends_with("ed");
        verb.start -= start;
        verb.length -= start;
        Some((start, verb))
    })
}

/// Whether only words such as `the rule in` lie between a verb and its object.
pub(super) fn leads_to_object(gap: &str) -> bool {
    object_regex().is_match(gap)
}

/// Whether only words such as `by the Court in` lie between a verb and who did it.
pub(super) fn leads_to_agent(gap: &str) -> bool {
    agent_regex().is_match(gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_of_the_history_have_one_form_each() {
        for (text, what) in [
            ("aff'd, 3 U.S. 4", "affirmed"),
            ("rev’d on other grounds, 3 U.S. 4", "reversed on other grounds"),
            ("aff'd in part, rev'd in part, 3", "affirmed in part and reversed in part"),
            ("vacated and remanded, 3 U.S. 4", "vacated and remanded"),
            ("cert. denied, 3 U.S. 4", "cert. denied"),
            ("certiorari den., 3 U.S. 4", "cert. denied"),
            ("pet. for review filed", "pet. for review filed"),
            ("writ ref'd n.r.e.", "writ ref'd n.r.e."),
            ("superseded by statute, 5 U.S.C. § 3", "superseded by statute"),
            ("overruled in part by Roe", "overruled in part"),
        ] {
            assert_eq!(past(text).map(|verb| verb.what).as_deref(), Some(what), "{text}");
        }
        assert_eq!(past("and the road"), None);
        assert_eq!(active("rev'g Roe").map(|verb| verb.what).as_deref(), Some("reversed"));
    }

    #[test]
    fn every_verb_has_a_meaning() {
        for verb in PAST.split('|') {
            assert!(past(verb).is_some(), "{verb}");
        }
    }
}
