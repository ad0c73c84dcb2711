//! An extractor that asks a language model over any OpenAI-compatible service.

mod prompt;
mod reply;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{Backoff, ModelSettings, RateLimit};
use compartment_https::{Answer, Call, Endpoint, EndpointError, NoAnswer};
use compartment_pipeline::StageError;
use serde_json::json;

use super::extractor::{Asked, Extractor, Outcome, Window};
use super::spent::Spent;
use crate::service_message::service_message;
pub use prompt::DEFAULT_PROMPT;
use reply::{Completion, Prices, findings};

/// The key of the fleet's limit, after `rate:openai:{function_name}`.
pub const RATE_LIMIT: &str = "rate:openai:mentions";

/// Bytes of an answer; one with 5,000 mentions has some hundred thousand.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Characters of the model's name in keys.
const MAX_NAME: usize = 60;

/// The form of answers that a service knows.
mod form {
    /// It was not asked yet: by a schema first.
    pub(super) const UNKNOWN: u8 = 0;
    /// It takes a schema.
    pub(super) const SCHEMA: u8 = 1;
    /// It refused a request with a schema; the next one asks for any JSON object.
    pub(super) const DOUBTFUL: u8 = 2;
    /// It takes no schema, and answers with a JSON object.
    pub(super) const OBJECT: u8 = 3;
}

/// Asks a language model for the mentions in a text. Only what the model quotes and the text holds becomes a mention.
#[derive(Debug)]
pub struct ModelExtractor {
    endpoint: Endpoint,
    /// The address without a key, for messages.
    shown: String,
    model: String,
    instructions: Arc<str>,
    limit: RateLimit,
    prices: Prices,
    pauses: Backoff,
    form: AtomicU8,
}

impl ModelExtractor {
    /// Its name.
    pub const NAME: &'static str = "model";

    /// The model of `settings`, with the key `key` and these instructions, or [`DEFAULT_PROMPT`].
    ///
    /// # Errors
    /// If the key cannot be used at this address.
    pub fn new(
        settings: &ModelSettings,
        key: Option<&str>,
        instructions: Option<&str>,
    ) -> Result<Self, EndpointError> {
        Ok(Self {
            endpoint: Endpoint::new(settings.url.as_str(), key, settings.timeout)?,
            shown: settings.url.to_string(),
            model: settings.model.clone(),
            instructions: instructions.unwrap_or(DEFAULT_PROMPT).into(),
            limit: RateLimit::new(settings.requests, settings.per),
            prices: Prices { input: settings.input_price, output: settings.output_price },
            pauses: Backoff::new(Duration::from_secs(1), Duration::from_secs(30)),
            form: AtomicU8::new(form::UNKNOWN),
        })
    }

    /// Sets the pauses between requests to a service that fails without saying for how long.
    #[must_use]
    pub fn with_pauses(mut self, pauses: Backoff) -> Self {
        self.pauses = pauses;
        self
    }

    fn body(&self, window: &Window, form: u8) -> String {
        let response_format = match form {
            form::UNKNOWN | form::SCHEMA => json!({
                "type": "json_schema",
                "json_schema": { "name": "mentions", "strict": true, "schema": prompt::schema() },
            }),
            _ => json!({ "type": "json_object" }),
        };
        json!({
            "model": self.model,
            "messages": prompt::messages(&self.instructions, &window.text),
            "response_format": response_format,
        })
        .to_string()
    }

    /// The outcome of an answer with the status 200, and its cost.
    async fn read(&self, answer: Answer, window: &Window) -> Asked {
        let completion: Completion = match serde_json::from_slice(&answer.body) {
            Ok(completion) => completion,
            Err(_) => {
                let error = self.unavailable("its answer is no chat completion");
                return Asked::new(unmetered(), Outcome::Again { error, after: None });
            }
        };
        let spent = completion.spent(self.prices);
        let content = match completion.content() {
            Ok(content) => content.to_owned(),
            Err(why) => return Asked::new(spent, Outcome::Refused(why)),
        };
        let window = window.clone();
        let found = tokio::task::spawn_blocking(move || findings(&content, &window)).await;
        let outcome = match found {
            Ok(Ok(found)) => Outcome::Found(found),
            Ok(Err(why)) => Outcome::Refused(why),
            Err(_) => Outcome::Refused("it could not be read".to_owned()),
        };
        Asked::new(spent, outcome)
    }

    /// The outcome of an answer with another status.
    fn refused(&self, answer: &Answer, form: u8) -> Outcome {
        let message = service_message(&self.endpoint, answer);
        if answer.is_worth_another() {
            return Outcome::Again { error: self.unavailable(&message), after: answer.retry_after };
        }
        let error = StageError::new("model_refused", format!("{}: {message}", self.shown));
        if !matches!(answer.status.as_u16(), 400 | 422) {
            return Outcome::Failed(error);
        }
        match form {
            // It may be the schema that the service does not know.
            form::UNKNOWN => {
                self.form.store(form::DOUBTFUL, Ordering::Relaxed);
                Outcome::Again { error, after: Some(Duration::ZERO) }
            }
            form::DOUBTFUL => {
                self.form.store(form::UNKNOWN, Ordering::Relaxed);
                Outcome::Failed(error)
            }
            _ => Outcome::Failed(error),
        }
    }

    fn unavailable(&self, why: &str) -> StageError {
        StageError::new("model_unavailable", format!("{}: {why}", self.shown)).transient()
    }
}

/// The cost of a request that was sent and whose tokens nobody told.
fn unmetered() -> Spent {
    Spent { requests: 1, unmetered: 1, ..Spent::default() }
}

#[async_trait]
impl Extractor for ModelExtractor {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> String {
        let name: String = self.model.chars().take(MAX_NAME).collect();
        format!("1-{name}-{}", prompt::hash(&format!("{}\n{}", self.model, self.instructions)))
    }

    fn rate_limit(&self) -> Option<(String, RateLimit)> {
        Some((RATE_LIMIT.to_owned(), self.limit))
    }

    fn pauses(&self) -> Backoff {
        self.pauses
    }

    async fn find(&self, window: &Window) -> Asked {
        let form = self.form.load(Ordering::Relaxed);
        let call = Call::post("/chat/completions", "application/json", self.body(window, form));
        match self.endpoint.ask(call, MAX_ANSWER).await {
            Ok(answer) if answer.status.is_success() => {
                let known =
                    if form == form::DOUBTFUL { form::OBJECT } else { form.max(form::SCHEMA) };
                self.form.store(known, Ordering::Relaxed);
                self.read(answer, window).await
            }
            Ok(answer) => {
                let outcome = self.refused(&answer, form);
                Asked::new(Spent { requests: 1, ..Spent::default() }, outcome)
            }
            Err(NoAnswer::TooLarge(max)) => {
                let why = format!("it has more than {max} bytes");
                Asked::new(unmetered(), Outcome::Refused(why))
            }
            Err(error) => {
                let error = self.unavailable(&error.to_string());
                Asked::new(unmetered(), Outcome::Again { error, after: None })
            }
        }
    }
}
