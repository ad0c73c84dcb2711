//! How workers keep house beside their work: `[housekeeping]`.

use std::time::Duration;

use serde::Deserialize;

use super::cache::{Bounds, times};
use super::fields::changed;
use super::quantity::{Span, span};

/// The settings of `compartment housekeeping`, and of the worker of a fleet that keeps house.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HousekeepingSettings {
    /// Whether workers keep house, one of a fleet at a time.
    pub enabled: bool,
    /// The time between two rounds.
    pub every: Duration,
    /// The age from which a round removes keys of caches; `None` removes no key for its age.
    pub older_than: Option<Duration>,
    /// Whether a round removes orphans: keys of what does not exist any more.
    pub orphans: bool,
}

const EVERY: Bounds<Duration> =
    times("every", Duration::from_secs(10), Duration::from_secs(7 * 86_400));
const OLDER_THAN: Bounds<Duration> =
    times("older_than", Duration::from_secs(60), Duration::from_secs(10 * 365 * 86_400));

impl Default for HousekeepingSettings {
    fn default() -> Self {
        Self { enabled: true, every: Duration::from_secs(3_600), older_than: None, orphans: false }
    }
}

/// `[housekeeping]` of a file.
#[derive(Deserialize)]
#[serde(try_from = "HousekeepingFields")]
pub(super) struct HousekeepingSection(pub(super) HousekeepingSettings);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HousekeepingFields {
    enabled: Option<bool>,
    every: Option<Span>,
    older_than: Option<Span>,
    orphans: Option<bool>,
}

impl TryFrom<HousekeepingFields> for HousekeepingSection {
    type Error = String;

    fn try_from(fields: HousekeepingFields) -> Result<Self, String> {
        let usual = HousekeepingSettings::default();
        let settings = HousekeepingSettings {
            enabled: fields.enabled.unwrap_or(usual.enabled),
            every: fields.every.map_or(usual.every, |span| span.0),
            older_than: fields.older_than.map(|span| span.0),
            orphans: fields.orphans.unwrap_or(usual.orphans),
        };
        EVERY.check(settings.every)?;
        settings.older_than.map_or(Ok(()), |age| OLDER_THAN.check(age))?;
        Ok(Self(settings))
    }
}

impl HousekeepingSettings {
    /// The fields that are not as usual, as TOML.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let usual = Self::default();
        let age = self.older_than.map(span).unwrap_or_default();
        changed([
            ("enabled", self.enabled != usual.enabled, self.enabled.to_string()),
            ("every", self.every != usual.every, span(self.every)),
            ("older_than", self.older_than != usual.older_than, age),
            ("orphans", self.orphans != usual.orphans, self.orphans.to_string()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabaseMap, DatabaseMapBuilder};

    const FILE: &str = "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n\
                        [housekeeping]\nevery = \"30m\"\nolder_than = \"3d\"\norphans = true\n";

    fn read(text: &str) -> crate::Result<DatabaseMap> {
        DatabaseMapBuilder::toml(text)?.build()
    }

    #[test]
    fn settings_are_read_and_read_back_and_the_rest_is_as_usual() {
        let map = read(FILE).unwrap();
        let settings = map.housekeeping();
        assert_eq!(settings.every, Duration::from_secs(1_800));
        assert_eq!(settings.older_than, Some(Duration::from_secs(3 * 86_400)));
        assert!(settings.enabled && settings.orphans);
        let text = map.to_toml();
        assert_eq!(read(&text).unwrap(), map, "{text}");
        assert!(!text.contains("enabled"), "{text}");
        let usual = read(FILE.split("[housekeeping]").next().unwrap()).unwrap();
        assert!(usual.housekeeping().older_than.is_none() && !usual.housekeeping().orphans);
    }

    #[test]
    fn a_wrong_setting_says_which_would_be_right() {
        for (from, to, says) in [
            ("\"30m\"", "\"1s\"", "every"),
            ("\"3d\"", "\"1s\"", "older_than"),
            ("every", "evry", "did you mean `every`?"),
            ("true", "\"yes\"", "boolean"),
        ] {
            let error = read(&FILE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says), "{from} -> {to}: {error}");
        }
    }
}
