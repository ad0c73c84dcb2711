//! Which documents are read into the cache before they are needed: `[warming]`.

use std::time::Duration;

use serde::Deserialize;

use super::cache::{Bounds, times};
use super::fields::changed;
use super::quantity::{Span, span};

/// The settings of `compartment warm`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WarmingSettings {
    /// If `false`, nothing is warmed.
    pub enabled: bool,
    /// Documents that were processed within this time are warmed.
    pub within: Duration,
    /// At most this many documents are warmed, the newest first.
    pub limit: u64,
}

/// For the time within which documents were processed.
pub(super) const WITHIN: Bounds<Duration> =
    times("within", Duration::from_secs(1), Duration::from_secs(10 * 366 * 86_400));

impl Default for WarmingSettings {
    fn default() -> Self {
        Self { enabled: true, within: Duration::from_secs(24 * 3_600), limit: 100 }
    }
}

/// `[warming]` of a file.
#[derive(Deserialize)]
#[serde(try_from = "WarmingFields")]
pub(super) struct WarmingSection(pub(super) WarmingSettings);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WarmingFields {
    enabled: Option<bool>,
    within: Option<Span>,
    limit: Option<u64>,
}

impl TryFrom<WarmingFields> for WarmingSection {
    type Error = String;

    fn try_from(fields: WarmingFields) -> Result<Self, String> {
        let usual = WarmingSettings::default();
        let within = fields.within.map_or(usual.within, |span| span.0);
        WITHIN.check(within)?;
        Ok(Self(WarmingSettings {
            enabled: fields.enabled.unwrap_or(usual.enabled),
            within,
            limit: fields.limit.unwrap_or(usual.limit),
        }))
    }
}

impl WarmingSettings {
    /// The fields that are not as usual, as TOML.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let usual = Self::default();
        changed([
            ("enabled", self.enabled != usual.enabled, self.enabled.to_string()),
            ("within", self.within != usual.within, span(self.within)),
            ("limit", self.limit != usual.limit, self.limit.to_string()),
        ])
    }
}
