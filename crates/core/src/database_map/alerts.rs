//! When a check that is not well becomes an alert, and where alerts go: `[alerts]`.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::cache::{Bounds, times};
use super::fields::changed;
use super::quantity::{Span, span};

/// When a check of `compartment health` becomes an alert, and where alerts go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlertSettings {
    /// How long a check has to be a warning or critical before an alert is raised.
    pub raise_after: Duration,
    /// How long the check has to be well before the alert is cleared.
    pub clear_after: Duration,
    /// The time after which an alert that lasts is sent again.
    pub repeat_every: Duration,
    /// Alerts are sent to this address as JSON.
    pub webhook: Option<Webhook>,
    /// Alerts are given to this program, with its arguments. No shell reads it.
    pub command: Vec<String>,
    /// How long one delivery may take, by webhook or command.
    pub timeout: Duration,
    /// Whether alerts are logged.
    pub log: bool,
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const RAISE_AFTER: Bounds<Duration> = times("raise_after", Duration::ZERO, DAY);
const CLEAR_AFTER: Bounds<Duration> = times("clear_after", Duration::ZERO, DAY);
const REPEAT_EVERY: Bounds<Duration> =
    times("repeat_every", Duration::from_secs(60), Duration::from_secs(30 * 86_400));
const TIMEOUT: Bounds<Duration> =
    times("timeout", Duration::from_millis(100), Duration::from_secs(300));

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            raise_after: Duration::from_secs(60),
            clear_after: Duration::from_secs(120),
            repeat_every: 4 * HOUR,
            webhook: None,
            command: Vec::new(),
            timeout: Duration::from_secs(10),
            log: true,
        }
    }
}

/// The address of a webhook. Its path and query are often a secret, so that `Display` and `Debug` show the host only.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook(String);

impl Webhook {
    /// The address as it is written.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0
    }

    fn parse(url: String) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("webhook is not a URL that can be used: {why}"));
        let Some((scheme, rest)) = url.split_once("://") else {
            return wrong("it begins with neither https:// nor http://");
        };
        if scheme != "https" && scheme != "http" {
            return wrong("it begins with neither https:// nor http://");
        }
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.is_empty() {
            return wrong("it names no host");
        }
        if host.contains('@') {
            return wrong("it has a login; a token belongs into COMPARTMENT_ALERTS_TOKEN");
        }
        if url.contains(|letter: char| !letter.is_ascii_graphic()) {
            return wrong("characters other than visible ones of ASCII are written as %XX");
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let hidden = if rest.len() > host.len() + 1 { "/***" } else { "" };
        write!(f, "{scheme}://{host}{hidden}")
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({self})")
    }
}

/// `[alerts]` of a file.
#[derive(Deserialize)]
#[serde(try_from = "AlertFields")]
pub(super) struct AlertSection(AlertSettings);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertFields {
    raise_after: Option<Span>,
    clear_after: Option<Span>,
    repeat_every: Option<Span>,
    webhook: Option<String>,
    command: Option<Vec<String>>,
    timeout: Option<Span>,
    log: Option<bool>,
}

impl From<AlertSection> for AlertSettings {
    fn from(section: AlertSection) -> Self {
        section.0
    }
}

impl TryFrom<AlertFields> for AlertSection {
    type Error = String;

    fn try_from(fields: AlertFields) -> Result<Self, String> {
        let usual = AlertSettings::default();
        let time = |bounds: Bounds<Duration>, given: Option<Span>, usual| {
            let time = given.map_or(usual, |span| span.0);
            bounds.check(time).map(|()| time)
        };
        let command = fields.command.unwrap_or_default();
        if command.first().is_some_and(String::is_empty) {
            return Err("command begins with the name of a program, which is empty here".to_owned());
        }
        Ok(Self(AlertSettings {
            raise_after: time(RAISE_AFTER, fields.raise_after, usual.raise_after)?,
            clear_after: time(CLEAR_AFTER, fields.clear_after, usual.clear_after)?,
            repeat_every: time(REPEAT_EVERY, fields.repeat_every, usual.repeat_every)?,
            webhook: fields.webhook.map(Webhook::parse).transpose()?,
            command,
            timeout: time(TIMEOUT, fields.timeout, usual.timeout)?,
            log: fields.log.unwrap_or(usual.log),
        }))
    }
}

impl AlertSettings {
    /// The fields that are not as usual, as TOML. The path of the webhook is written as `***`.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let usual = Self::default();
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let webhook = self.webhook.as_ref().map(|one| quoted(&one.to_string()));
        let command: Vec<String> = self.command.iter().map(|part| quoted(part)).collect();
        changed([
            ("raise_after", self.raise_after != usual.raise_after, span(self.raise_after)),
            ("clear_after", self.clear_after != usual.clear_after, span(self.clear_after)),
            ("repeat_every", self.repeat_every != usual.repeat_every, span(self.repeat_every)),
            ("webhook", webhook.is_some(), webhook.unwrap_or_default()),
            ("command", !command.is_empty(), format!("[{}]", command.join(", "))),
            ("timeout", self.timeout != usual.timeout, span(self.timeout)),
            ("log", self.log != usual.log, self.log.to_string()),
        ])
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
        [alerts]
        raise_after = "30s"
        repeat_every = "1d"
        webhook = "https://hooks.example.com"
        command = ["/usr/local/bin/page", "on \"call\""]
        log = false
    "#;

    fn read(text: &str) -> crate::Result<DatabaseMap> {
        DatabaseMapBuilder::toml(text)?.build()
    }

    #[test]
    fn settings_are_read_and_read_back_and_the_rest_is_as_usual() {
        let map = read(FILE).unwrap();
        let alerts = map.alerts();
        assert_eq!(alerts.raise_after, Duration::from_secs(30));
        assert_eq!(alerts.clear_after, AlertSettings::default().clear_after);
        assert_eq!(alerts.command, ["/usr/local/bin/page", "on \"call\""]);
        assert!(!alerts.log);
        let text = map.to_toml();
        assert_eq!(read(&text).unwrap(), map, "{text}");
        assert!(!text.contains("clear_after"), "{text}");
        let usual = read(FILE.split("[alerts]").next().unwrap()).unwrap();
        assert!(usual.alerts().webhook.is_none() && usual.alerts().log);
    }

    #[test]
    fn the_path_of_a_webhook_is_not_shown() {
        for url in
            ["https://h.example/s3cret", "http://h.example?s3cret", "https://h.example#s3cret"]
        {
            let map = read(&FILE.replace("https://hooks.example.com", url)).unwrap();
            assert_eq!(map.alerts().webhook.as_ref().unwrap().url(), url);
            let shown = format!("{:?} {}", map, map.to_toml());
            assert!(!shown.contains("s3cret") && shown.contains("h.example/***"), "{shown}");
        }
    }

    #[test]
    fn a_wrong_setting_says_which_would_be_right_and_not_the_address() {
        for (from, to, says) in [
            ("\"30s\"", "\"2d\"", "raise_after"),
            ("\"1d\"", "\"1s\"", "repeat_every"),
            ("https://hooks.example.com", "ftp://s3cret", "https://"),
            ("https://hooks.example.com", "s3cret", "https://"),
            ("https://hooks.example.com", "https:///s3cret", "no host"),
            ("https://hooks.example.com", "https://me:s3cret@h", "COMPARTMENT_ALERTS_TOKEN"),
            ("https://hooks.example.com", "https://h/ s3cret", "%XX"),
            ("[\"/usr/local/bin/page\"", "[\"\"", "empty"),
            ("raise_after", "raise_aftr", "did you mean `raise_after`?"),
        ] {
            let error = read(&FILE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("s3cret"), "{from} -> {to}: {error}");
        }
    }
}
