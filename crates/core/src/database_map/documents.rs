//! Services that read documents beside the program itself: `[documents.model]` and `[documents.ocr_service]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::cache::{Bounds, times};
use super::fields::changed;
use super::quantity::{Span, span};
use super::service_url::{ServiceUrl, check_variable};

/// The services that read documents. `None` means that there is none.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DocumentsSettings {
    /// The language model that looks for mentions beside the rules.
    pub model: Option<ModelSettings>,
    /// The service that reads pages without text.
    pub ocr_service: Option<OcrServiceSettings>,
}

/// The language model that looks for mentions beside the rules.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModelSettings {
    /// The address of an OpenAI-compatible service; `/chat/completions` is appended.
    pub url: ServiceUrl,
    /// The model's name.
    pub model: String,
    /// The environment variable with the key.
    pub api_key_env: Option<String>,
    /// A file with a prompt to use instead of the built-in one.
    pub prompt: Option<PathBuf>,
    /// The requests that all workers together may send within `per`.
    pub requests: u32,
    /// The window of `requests`.
    pub per: Duration,
    /// The price of a million tokens that are sent, in US dollars.
    pub input_price: f64,
    /// The price of a million tokens that are answered, in US dollars.
    pub output_price: f64,
    /// How long a request may take.
    pub timeout: Duration,
    /// Characters of a document that one request holds.
    pub window: u32,
    /// Mentions of less confidence, in percent, are dropped.
    pub min_confidence: u8,
}

/// The service that reads pages without text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OcrServiceSettings {
    /// Its address.
    pub url: ServiceUrl,
    /// The environment variable with the key.
    pub api_key_env: Option<String>,
    /// How long a request may take. How long a document may take is the time-out of reading.
    pub timeout: Duration,
}

const TIMEOUT: Bounds<Duration> =
    times("timeout", Duration::from_millis(100), Duration::from_secs(3_600));
const PER: Bounds<Duration> = times("per", Duration::from_secs(1), Duration::from_secs(86_400));
/// Characters of a window: fewer hold no caption, more no model reads with care.
const WINDOW: std::ops::RangeInclusive<u32> = 1_000..=200_000;
const MAX_PRICE: f64 = 1e6;
const MAX_MODEL: usize = 200;

impl ModelSettings {
    /// The model of this name at `url`, with the usual settings.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn new(url: ServiceUrl, model: impl Into<String>) -> Result<Self, String> {
        let model = model.into();
        if model.is_empty() || model.len() > MAX_MODEL || model.contains(char::is_control) {
            return Err(format!("model is a name of 1 to {MAX_MODEL} bytes"));
        }
        Ok(Self {
            url,
            model,
            api_key_env: None,
            prompt: None,
            requests: 60,
            per: Duration::from_secs(60),
            input_price: 0.0,
            output_price: 0.0,
            timeout: Duration::from_secs(120),
            window: 12_000,
            min_confidence: 50,
        })
    }

    /// The fields that are not as usual, as TOML.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let Self { url, model, api_key_env, prompt, requests, per, timeout, window, .. } = self;
        let mut fields = vec![("url", quoted(url.as_str())), ("model", quoted(model))];
        let Ok(usual) = Self::new(url.clone(), model.clone()) else { return fields };
        let (input, output) = (self.input_price, self.output_price);
        let text = |text: Option<String>| text.as_deref().map(quoted).unwrap_or_default();
        let file = prompt.as_ref().map(|path| path.display().to_string());
        fields.extend(changed([
            ("api_key_env", api_key_env.is_some(), text(api_key_env.clone())),
            ("prompt", prompt.is_some(), text(file)),
            ("requests", *requests != usual.requests, requests.to_string()),
            ("per", *per != usual.per, span(*per)),
            ("input_price", input != usual.input_price, format!("{input:?}")),
            ("output_price", output != usual.output_price, format!("{output:?}")),
            ("timeout", *timeout != usual.timeout, span(*timeout)),
            ("window", *window != usual.window, window.to_string()),
            (
                "min_confidence",
                self.min_confidence != usual.min_confidence,
                self.min_confidence.to_string(),
            ),
        ]));
        fields
    }
}

impl OcrServiceSettings {
    /// The service at `url`, with the usual settings.
    #[must_use]
    pub fn new(url: ServiceUrl) -> Self {
        Self { url, api_key_env: None, timeout: Duration::from_secs(60) }
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let usual = Self::new(self.url.clone());
        let key = self.api_key_env.as_deref().map(quoted);
        let mut fields = vec![("url", quoted(self.url.as_str()))];
        fields.extend(changed([
            ("api_key_env", key.is_some(), key.unwrap_or_default()),
            ("timeout", self.timeout != usual.timeout, span(self.timeout)),
        ]));
        fields
    }
}

impl DocumentsSettings {
    /// The fields of `[documents.model]` as TOML.
    pub(super) fn model_fields(&self) -> Vec<(&'static str, String)> {
        self.model.as_ref().map(ModelSettings::fields).unwrap_or_default()
    }

    /// The fields of `[documents.ocr_service]` as TOML.
    pub(super) fn ocr_service_fields(&self) -> Vec<(&'static str, String)> {
        self.ocr_service.as_ref().map(OcrServiceSettings::fields).unwrap_or_default()
    }
}

fn check_key_variable(name: &str) -> Result<(), String> {
    check_variable("api_key_env", "OPENAI_API_KEY", "key", name)
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// `[documents]` of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentsSection {
    model: Option<ModelSection>,
    ocr_service: Option<OcrServiceSection>,
}

#[derive(Deserialize)]
#[serde(try_from = "ModelFields")]
struct ModelSection(ModelSettings);

#[derive(Deserialize)]
#[serde(try_from = "OcrServiceFields")]
struct OcrServiceSection(OcrServiceSettings);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFields {
    url: String,
    model: String,
    api_key_env: Option<String>,
    prompt: Option<PathBuf>,
    requests: Option<u32>,
    per: Option<Span>,
    input_price: Option<f64>,
    output_price: Option<f64>,
    timeout: Option<Span>,
    window: Option<u32>,
    min_confidence: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OcrServiceFields {
    url: String,
    api_key_env: Option<String>,
    timeout: Option<Span>,
}

impl From<DocumentsSection> for DocumentsSettings {
    fn from(section: DocumentsSection) -> Self {
        let model = section.model.map(|section| section.0);
        Self { model, ocr_service: section.ocr_service.map(|section| section.0) }
    }
}

impl TryFrom<ModelFields> for ModelSection {
    type Error = String;

    fn try_from(fields: ModelFields) -> Result<Self, String> {
        let mut model = ModelSettings::new(ServiceUrl::parse(&fields.url)?, fields.model)?;
        fields.api_key_env.as_deref().map_or(Ok(()), check_key_variable)?;
        (model.api_key_env, model.prompt) = (fields.api_key_env, fields.prompt);
        model.requests = fields.requests.unwrap_or(model.requests);
        if model.requests == 0 {
            return Err("requests = 0 is not allowed: it must be at least 1".to_owned());
        }
        model.per = fields.per.map_or(model.per, |span| span.0);
        PER.check(model.per)?;
        model.input_price = price("input_price", fields.input_price)?;
        model.output_price = price("output_price", fields.output_price)?;
        model.timeout = fields.timeout.map_or(model.timeout, |span| span.0);
        TIMEOUT.check(model.timeout)?;
        model.window = fields.window.unwrap_or(model.window);
        if !WINDOW.contains(&model.window) {
            let (least, max) = (WINDOW.start(), WINDOW.end());
            return Err(format!("window is a number of characters from {least} to {max}"));
        }
        model.min_confidence = fields.min_confidence.unwrap_or(model.min_confidence);
        if model.min_confidence > 100 {
            return Err("min_confidence is a number of percent from 0 to 100".to_owned());
        }
        Ok(Self(model))
    }
}

/// A price in US dollars for a million tokens; none is free.
fn price(name: &str, price: Option<f64>) -> Result<f64, String> {
    match price.unwrap_or(0.0) {
        price if (0.0..=MAX_PRICE).contains(&price) => Ok(price),
        _ => Err(format!(
            "{name} is the price of a million tokens in US dollars, from 0 to {MAX_PRICE}"
        )),
    }
}

impl TryFrom<OcrServiceFields> for OcrServiceSection {
    type Error = String;

    fn try_from(fields: OcrServiceFields) -> Result<Self, String> {
        let mut service = OcrServiceSettings::new(ServiceUrl::parse(&fields.url)?);
        fields.api_key_env.as_deref().map_or(Ok(()), check_key_variable)?;
        service.api_key_env = fields.api_key_env;
        service.timeout = fields.timeout.map_or(service.timeout, |span| span.0);
        TIMEOUT.check(service.timeout)?;
        Ok(Self(service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabaseMap, DatabaseMapBuilder};

    const FILE: &str = r#"
        preset = "pipeline"
        [instances.primary]
        url = "memory://"
        [documents.model]
        url = "https://api.example.com/v1"
        model = "small-1"
        api_key_env = "MODEL_KEY"
        prompt = "/etc/prompt.txt"
        requests = 20
        per = "30s"
        input_price = 0.15
        output_price = 0.6
        min_confidence = 60
        [documents.ocr_service]
        url = "http://127.0.0.1:9000"
    "#;

    fn read(text: &str) -> crate::Result<DatabaseMap> {
        DatabaseMapBuilder::toml(text)?.build()
    }

    #[test]
    fn services_are_read_and_read_back_and_the_rest_is_as_usual() {
        let map = read(FILE).unwrap();
        let model = map.documents().model.clone().unwrap();
        assert_eq!((model.requests, model.per), (20, Duration::from_secs(30)));
        assert_eq!((model.input_price, model.output_price), (0.15, 0.6));
        assert_eq!((model.window, model.min_confidence), (12_000, 60));
        let service = map.documents().ocr_service.clone().unwrap();
        assert_eq!(
            service,
            OcrServiceSettings::new(ServiceUrl::parse("http://127.0.0.1:9000/").unwrap())
        );
        let text = map.to_toml();
        assert_eq!(read(&text).unwrap(), map, "{text}");
        assert!(!text.contains("window"), "{text}");
        let none = read(FILE.split("[documents").next().unwrap()).unwrap();
        assert_eq!(none.documents(), &DocumentsSettings::default());
    }

    #[test]
    fn a_wrong_setting_says_which_would_be_right_and_no_key() {
        for (from, to, says) in [
            ("https://api.example.com/v1", "https://k3y@h", "api_key_env names"),
            ("\"MODEL_KEY\"", "\"sk-k3y\"", "OPENAI_API_KEY"),
            ("\"small-1\"", "\"\"", "1 to 200"),
            ("requests = 20", "requests = 0", "at least 1"),
            ("\"30s\"", "\"2d\"", "per"),
            ("0.15", "-0.15", "input_price"),
            ("0.6", "nan", "output_price"),
            ("requests = 20", "window = 10", "1000 to 200000"),
            ("min_confidence = 60", "min_confidence = 101", "0 to 100"),
            ("min_confidence = 60", "min_confidenc = 60", "did you mean `min_confidence`?"),
            ("[documents.ocr_service]", "[documents.ocr]", "did you mean `ocr_service`?"),
        ] {
            let error = read(&FILE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("k3y"), "{from} -> {to}: {error}");
        }
    }
}
