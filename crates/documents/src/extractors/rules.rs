//! The rules as an extractor.

use async_trait::async_trait;
use compartment_core::{Backoff, RateLimit};
use compartment_pipeline::StageError;

use super::extractor::{Asked, Extractor, Findings, Outcome, Window};
use super::spent::Spent;
use crate::entities::mentions;
use crate::model::Mention;

/// The rules: [`crate::mentions`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules;

impl Rules {
    /// Their name.
    pub const NAME: &'static str = "rules";
    /// Their version.
    pub const VERSION: &'static str = "4";

    /// The mentions in a whole text. Uses the processor, for a time that grows with the text.
    #[must_use]
    pub fn mentions(self, text: &str) -> Vec<Mention> {
        mentions(text)
    }
}

#[async_trait]
impl Extractor for Rules {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> String {
        Self::VERSION.to_owned()
    }

    fn rate_limit(&self) -> Option<(String, RateLimit)> {
        None
    }

    fn pauses(&self) -> Backoff {
        Backoff::default()
    }

    async fn find(&self, window: &Window) -> Asked {
        let (rules, Window { start, text }) = (*self, window.clone());
        let found = tokio::task::spawn_blocking(move || {
            let mut found = rules.mentions(&text);
            found.iter_mut().for_each(|mention| mention.shift(start));
            found
        });
        let outcome = match found.await {
            Ok(mentions) => Outcome::Found(Findings { mentions, ..Findings::default() }),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Outcome::Failed(StageError::panicked(Self::NAME, panic)),
                Err(_) => Outcome::Failed(
                    StageError::new("interrupted", "the run ended while the rules read")
                        .transient(),
                ),
            },
        };
        Asked::new(Spent::default(), outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_window_has_the_places_of_the_document() {
        let text = "Filed on March 3, 2021. Cited: Poe v. Doe, 512 U.S. 100, 110 (1994).";
        let at = text.find("Cited").unwrap();
        let whole = Rules.mentions(text);
        let asked = Rules.find(&Window::new(at, &text[at..])).await;
        let Outcome::Found(findings) = asked.outcome else { panic!("{asked:?}") };
        let citation = findings.mentions.iter().find(|one| one.citation().is_some()).unwrap();
        assert_eq!(&text[citation.start..citation.end], citation.text);
        assert!(whole.iter().any(|one| one == citation), "{citation:?}\n{whole:?}");
    }
}
