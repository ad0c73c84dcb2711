//! One alert, and its forms for programs and people.

use std::fmt;

use compartment_admin::health::HealthState;
use serde::Serialize;
use serde_json::{Value, json};

/// What an alert tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AlertState {
    /// A check has been bad for long enough, or has become critical after a warning.
    Raised,
    /// A raised alert lasts.
    Repeated,
    /// The check has been well for long enough.
    Cleared,
}

impl fmt::Display for AlertState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Raised => "raised",
            Self::Repeated => "repeated",
            Self::Cleared => "cleared",
        })
    }
}

/// An alert about one check.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Alert {
    /// What it tells.
    pub state: AlertState,
    /// The name of the check: `connection`, `memory`.
    pub check: String,
    /// What was checked: an instance, a node, a database.
    pub subject: String,
    /// How bad it is, or was before it was cleared.
    pub severity: HealthState,
    /// What was found, and what to do about it, in one line.
    pub message: String,
    /// The figure of the check, where there is one: seconds, a share of 1, a count.
    pub figure: Option<f64>,
    /// The threshold that the figure is held against.
    pub threshold: Option<f64>,
    /// Since when the check has been bad, in milliseconds since 1970.
    pub since_ms: u64,
    /// When the alert was made, in milliseconds since 1970.
    pub at_ms: u64,
}

impl Alert {
    /// One line for people, with the cure that the check names.
    #[must_use]
    pub fn text(&self) -> String {
        let word = match self.state {
            AlertState::Cleared => "cleared".to_owned(),
            AlertState::Raised => self.severity.to_string(),
            AlertState::Repeated => format!("still {}", self.severity),
        };
        format!("{word}: {} of {}: {}", self.check, self.subject, self.message)
    }

    /// The alert as webhooks and programs get it: its fields, the version 1 of this form, and the line for people as
    /// `text`, which chat systems show.
    #[must_use]
    pub fn as_json(&self) -> Value {
        let mut value = json!(self);
        value["version"] = json!(1);
        value["text"] = json!(format!("compartment: {}", self.text()));
        value
    }
}
