//! The answer of a model: checked against its schema, and each quote found in the text.

use serde::Deserialize;

use crate::extractors::extractor::{Findings, Window};
use crate::extractors::places::Places;
use crate::extractors::spent::Spent;
use crate::model::{EntityKind, Mention};

/// Mentions that one answer may hold; a page of print has some fifty.
const MAX_MENTIONS: usize = 5_000;

/// The parts of a chat completion that are used. Services add others.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Usage {
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

/// Prices of a million tokens, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prices {
    pub(super) input: f64,
    pub(super) output: f64,
}

impl Completion {
    /// The cost of the request: a dollar for a million tokens is a millionth for each.
    pub(super) fn spent(&self, prices: Prices) -> Spent {
        let mut spent = Spent { requests: 1, ..Spent::default() };
        match self.usage {
            Some(Usage { prompt_tokens, completion_tokens }) => {
                (spent.tokens_in, spent.tokens_out) = (prompt_tokens, completion_tokens);
                let price =
                    prompt_tokens as f64 * prices.input + completion_tokens as f64 * prices.output;
                // A float as an integer is cut at the largest.
                spent.micro_usd = price.round() as u64;
            }
            None => spent.unmetered = 1,
        }
        spent
    }

    /// The text of the answer, or why there is none.
    pub(super) fn content(&self) -> Result<&str, String> {
        let choice = self.choices.first().ok_or("it holds no choice")?;
        match choice.finish_reason.as_deref() {
            None | Some("stop") => {}
            Some("length") => return Err("it was cut off: the window is too large".to_owned()),
            Some(_) => return Err("the model did not finish it".to_owned()),
        }
        if choice.message.refusal.is_some() {
            return Err("the model refused".to_owned());
        }
        choice.message.content.as_deref().ok_or_else(|| "it holds no text".to_owned())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    mentions: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    kind: Kind,
    quote: String,
    #[serde(default)]
    around: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Citation,
    Court,
    Party,
    Judge,
    Lawyer,
    DocketNumber,
    Date,
    Money,
}

impl Kind {
    fn entity(self) -> EntityKind {
        match self {
            Self::Citation => EntityKind::Citation,
            Self::Court => EntityKind::Court,
            Self::Party => EntityKind::Party,
            Self::Judge => EntityKind::Judge,
            Self::Lawyer => EntityKind::Lawyer,
            Self::DocketNumber => EntityKind::DocketNumber,
            Self::Date => EntityKind::Date,
            Self::Money => EntityKind::Money,
        }
    }
}

/// The findings of an answer about a window. Uses the processor.
///
/// # Errors
/// Why the answer is not of the schema. The message quotes nothing of it.
pub(super) fn findings(content: &str, window: &Window) -> Result<Findings, String> {
    let reply: Reply = serde_json::from_str(content).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "it is not of the schema",
            _ => "it is not JSON",
        };
        format!("{what}, at line {} column {}", error.line(), error.column())
    })?;
    if reply.mentions.len() > MAX_MENTIONS {
        return Err(format!("it has more than {MAX_MENTIONS} mentions"));
    }
    let mut found = Findings::default();
    let mut places = Places::of(&window.text);
    for Item { kind, quote, around } in reply.mentions {
        let Some(at) = places.find(&format!("{kind:?}"), &quote, &around) else {
            found.unfounded += 1;
            continue;
        };
        let mut mention = Mention::new(kind.entity(), &window.text, at.start, at.end, "");
        mention.shift(window.start);
        found.mentions.push(mention);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::prompt::KINDS;
    use super::*;

    fn window() -> Window {
        Window::new(100, "Ann Roe, plaintiff,\nv. Harbor Works. Filed March 3, 2021.")
    }

    #[test]
    fn a_right_answer_has_its_places_in_the_document() {
        let content = r#"{"mentions": [
            {"kind": "party", "quote": "Ann Roe", "around": ""},
            {"kind": "party", "quote": "Harbor Works", "around": "v. Harbor Works. Filed"},
            {"kind": "judge", "quote": "Ann B. Roe", "around": ""},
            {"kind": "date", "quote": "March 3, 2021"}
        ]}"#;
        let found = findings(content, &window()).unwrap();
        let places: Vec<_> =
            found.mentions.iter().map(|one| (one.kind, one.start, one.text.as_str())).collect();
        assert_eq!(
            places,
            [
                (EntityKind::Party, 100, "Ann Roe"),
                (EntityKind::Party, 123, "Harbor Works"),
                (EntityKind::Date, 143, "March 3, 2021")
            ]
        );
        assert_eq!(found.unfounded, 1);
    }

    #[test]
    fn an_answer_of_another_form_is_refused_and_not_quoted() {
        let deep = format!("{{\"mentions\": {}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
        let many = r#"{"kind":"date","quote":"x"},"#.repeat(MAX_MENTIONS);
        let many = format!(r#"{{"mentions": [{many}{{"kind":"date","quote":"x"}}]}}"#);
        for content in [
            "",
            "s3cret",
            "[]",
            "{}",
            r#"{"mentions": {}}"#,
            r#"{"mentions": [], "s3cret": 1}"#,
            r#"{"mentions": [{"kind": "s3cret", "quote": "Roe"}]}"#,
            r#"{"mentions": [{"kind": "party"}]}"#,
            r#"{"mentions": [{"kind": "party", "quote": 1}]}"#,
            r#"{"mentions": [{"kind": "party", "quote": "Roe", "normal": "s3cret"}]}"#,
            r#"{"mentions": [{"kind": "party", "quote": "Roe"}]"#,
            r#"{"mentions": []} and more"#,
            &deep,
            &many,
        ] {
            let error = findings(content, &window()).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn every_kind_of_the_schema_is_read() {
        for kind in KINDS {
            let content = format!(r#"{{"mentions": [{{"kind": "{kind}", "quote": "Ann Roe"}}]}}"#);
            let found = findings(&content, &window()).unwrap();
            let name = serde_json::to_value(found.mentions[0].kind).unwrap();
            assert_eq!(name, kind);
        }
    }

    #[test]
    fn tokens_have_a_price_and_missing_ones_are_told() {
        let read = |text: &str| serde_json::from_str::<Completion>(text).unwrap();
        let prices = Prices { input: 0.15, output: 0.6 };
        let whole = r#"{"id": "x", "choices": [{"message": {"role": "assistant", "content": "{}"},
            "finish_reason": "stop"}], "usage": {"prompt_tokens": 3000, "completion_tokens": 500, "total_tokens": 3500}}"#;
        let spent = read(whole).spent(prices);
        assert_eq!((spent.requests, spent.tokens_in, spent.tokens_out), (1, 3_000, 500));
        // 3,000 at 0.15 and 500 at 0.60 for a million.
        assert_eq!((spent.micro_usd, spent.unmetered), (750, 0));
        assert_eq!(read(whole).content(), Ok("{}"));
        assert_eq!(read(r#"{"choices": []}"#).spent(prices).unmetered, 1);
        for (wrong, says) in [
            (r#"{"choices": []}"#, "no choice"),
            (
                r#"{"choices": [{"message": {"content": "x"}, "finish_reason": "length"}]}"#,
                "cut off",
            ),
            (r#"{"choices": [{"message": {"content": "x", "refusal": "no"}}]}"#, "refused"),
            (r#"{"choices": [{"message": {"content": null}}]}"#, "no text"),
        ] {
            assert!(read(wrong).content().unwrap_err().contains(says), "{wrong}");
        }
    }
}
