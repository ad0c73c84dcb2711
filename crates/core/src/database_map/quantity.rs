//! Reads and writes durations and sizes in the form of the file.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// A duration such as `90s`, `2d` or `1h 30m`.
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(|error| {
            D::Error::custom(format!(
                "{text:?} is not a duration such as \"90s\" or \"2d\": {error}"
            ))
        })
    }
}

/// A size such as `512MiB`.
pub(super) struct Size(pub(super) u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<bytesize::ByteSize>().map(|size| Self(size.as_u64())).map_err(|error| {
            D::Error::custom(format!("{text:?} is not a size such as \"512MiB\": {error}"))
        })
    }
}

/// A duration in the form that [`Span`] reads, in quotes.
pub(super) fn span(duration: Duration) -> String {
    format!("\"{}\"", humantime::format_duration(duration)).replace("days", "d").replace("day", "d")
}

/// A size in the form that [`Size`] reads, in quotes.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (unit, name) in UNITS {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("\"{}{name}\"", bytes / unit);
        }
    }
    format!("\"{bytes}B\"")
}
