//! The course of the figures of each database and instance: a point a minute, kept for seven days in the database
//! `metrics`, so that a page which is opened at noon shows the night.
//!
//! An hour is a hash, and a minute a field of 45 bytes in it. Redis keeps such a hash in one piece of memory, so seven
//! days of a database take less than 1 MiB.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use compartment::{Database, Expiry, KeyTemplate};
use futures_util::future::try_join_all;
use serde::Serialize;

use crate::{Look, Result};

/// How long a point is kept.
pub const KEPT: Duration = Duration::from_secs(7 * 86_400);

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// The first byte of a point. Points of another form are not read.
const FORM: u8 = 1;
/// Hours that are read at once.
const AT_ONCE: usize = 24;

static HOURS: KeyTemplate<()> =
    KeyTemplate::new("history_hour", "compartment:history:{subject}:{hour}", "metrics");

macro_rules! figures {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The figures of a database, or of an instance, in one minute. Those that are not known are `None`. They are
        /// kept with seven significant digits.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
        #[non_exhaustive]
        pub struct HistoryPoint {
            /// The minute, in milliseconds since 1970.
            pub at_ms: u64,
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<f32>,)*
        }

        impl HistoryPoint {
            fn figures(&self) -> [Option<f32>; FIGURES] {
                [$(self.$name,)*]
            }

            fn of_figures(at_ms: u64, figures: [Option<f32>; FIGURES]) -> Self {
                let [$($name,)*] = figures;
                Self { at_ms, $($name,)* }
            }
        }
    };
}

/// How many figures a point has.
const FIGURES: usize = 11;

figures! {
    /// Keys.
    keys,
    /// Estimated bytes; of an instance the memory in use.
    bytes,
    /// The lower end of their interval.
    bytes_low,
    /// The upper end.
    bytes_high,
    /// Reads that found their key, 0 to 1.
    hit_rate,
    /// Requests a second.
    requests_per_second,
    /// Bytes of arguments, a second.
    sent_bytes_per_second,
    /// Bytes of values in answers, a second.
    received_bytes_per_second,
    /// Mean time of an answer, in microseconds.
    mean_latency_us,
    /// The time that 99 of 100 answers take at most, in microseconds.
    p99_latency_us,
    /// Keys that the server evicted, a second; of an instance only.
    evicted_per_second,
}

impl HistoryPoint {
    fn encode(&self) -> Bytes {
        let mut bytes = vec![FORM];
        for figure in self.figures() {
            bytes.extend(figure.unwrap_or(f32::NAN).to_le_bytes());
        }
        bytes.into()
    }

    /// `None` for bytes that another version, or another program, wrote.
    fn decode(at_ms: u64, bytes: &[u8]) -> Option<Self> {
        let (form, figures) = bytes.split_first()?;
        if *form != FORM || figures.len() != 4 * FIGURES {
            return None;
        }
        let mut read = [None; FIGURES];
        for (figure, bytes) in read.iter_mut().zip(figures.chunks_exact(4)) {
            let number = f32::from_le_bytes(bytes.try_into().ok()?);
            *figure = number.is_finite().then_some(number);
        }
        Some(Self::of_figures(at_ms, read))
    }
}

/// Writes a point of each database and instance once a minute.
#[derive(Debug, Default)]
pub struct Historian {
    /// The minute of the last point that was written.
    last: Option<u64>,
}

impl Historian {
    /// Writes the figures of a look, if a minute has begun since the last ones. Several processes may do so: the last
    /// one of a minute wins.
    ///
    /// # Errors
    /// The metrics database's. The minute is then tried again with the next look.
    pub async fn note(&mut self, metrics: &Database, look: &Look) -> Result<()> {
        let minute = look.at_ms / MINUTE_MS;
        if self.last == Some(minute) {
            return Ok(());
        }
        for (subject, point) in points(look) {
            write(metrics, &subject, &point).await?;
        }
        self.last = Some(minute);
        Ok(())
    }
}

/// The subject of an instance: databases have no such names.
#[must_use]
pub fn instance_subject(instance: &str) -> String {
    format!("@{instance}")
}

fn points(look: &Look) -> Vec<(String, HistoryPoint)> {
    let at_ms = look.at_ms / MINUTE_MS * MINUTE_MS;
    let mut points = Vec::new();
    for database in &look.stats.databases {
        let content = database.content.as_ref();
        let bytes = content.and_then(|content| content.bytes);
        let clients = look.fleet.clients.get(&database.name);
        let cache = look.fleet.caches.get(&database.name);
        let of_clients = clients.and_then(|clients| clients.hit_rate);
        let point = HistoryPoint {
            at_ms,
            keys: content.map(|content| content.keys as f32),
            bytes: bytes.map(|bytes| bytes.bytes as f32),
            bytes_low: bytes.map(|bytes| bytes.low as f32),
            bytes_high: bytes.map(|bytes| bytes.high as f32),
            hit_rate: cache.and_then(|cache| cache.hit_rate).or(of_clients).map(|rate| rate as f32),
            requests_per_second: clients.map(|one| one.requests_per_second as f32),
            sent_bytes_per_second: clients.map(|one| one.sent_bytes_per_second as f32),
            received_bytes_per_second: clients.map(|one| one.received_bytes_per_second as f32),
            mean_latency_us: clients.and_then(|one| one.mean_latency_us).map(|time| time as f32),
            p99_latency_us: clients.and_then(|one| one.p99_latency_us).map(|time| time as f32),
            evicted_per_second: None,
        };
        points.push((database.name.clone(), point));
    }
    for instance in &look.stats.instances {
        let sum = |figure: &dyn Fn(&compartment_admin::stats::NodeStats) -> Option<f64>| {
            let known: Vec<f64> = instance.nodes.iter().filter_map(figure).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() as f32)
        };
        let rates: Vec<f64> = instance.nodes.iter().filter_map(|node| node.work.hit_rate).collect();
        let hit_rate =
            (!rates.is_empty()).then(|| (rates.iter().sum::<f64>() / rates.len() as f64) as f32);
        let point = HistoryPoint {
            at_ms,
            bytes: sum(&|node| Some(node.memory.used? as f64)),
            hit_rate,
            requests_per_second: sum(&|node| node.work.commands_per_second),
            sent_bytes_per_second: sum(&|node| node.work.input_bytes_per_second),
            received_bytes_per_second: sum(&|node| node.work.output_bytes_per_second),
            evicted_per_second: sum(&|node| node.work.evicted_per_second),
            ..HistoryPoint::default()
        };
        points.push((instance_subject(&instance.name), point));
    }
    points
}

/// Writes a point.
///
/// # Errors
/// The metrics database's.
pub async fn write(metrics: &Database, subject: &str, point: &HistoryPoint) -> Result<()> {
    let hour = (point.at_ms / HOUR_MS).to_string();
    let key = HOURS.key(&[subject, hour.as_str()])?;
    let field = (point.at_ms % HOUR_MS / MINUTE_MS).to_string();
    let values = vec![(field, point.encode())];
    // An hour ends when its last point is seven days old.
    let expiry = Expiry::After(KEPT + Duration::from_millis(HOUR_MS));
    metrics.hash().set_fields(key.as_str(), values, expiry).await?;
    Ok(())
}

/// The points of a subject from `from_ms` to `to_ms`, the oldest first, at most `max` of them: longer times are thinned
/// out, each point then being the last one of its part.
///
/// # Errors
/// The metrics database's.
pub async fn history(
    metrics: &Database,
    subject: &str,
    from_ms: u64,
    to_ms: u64,
    max: usize,
) -> Result<Vec<HistoryPoint>> {
    let from_ms = from_ms.max(to_ms.saturating_sub(KEPT.as_millis() as u64));
    let hours: Vec<u64> = (from_ms / HOUR_MS..=to_ms / HOUR_MS).collect();
    let mut points = Vec::new();
    for some in hours.chunks(AT_ONCE) {
        let read = some.iter().map(|hour| read_hour(metrics, subject, *hour));
        points.extend(try_join_all(read).await?.into_iter().flatten());
    }
    points.retain(|point: &HistoryPoint| (from_ms..=to_ms).contains(&point.at_ms));
    points.sort_by_key(|point| point.at_ms);
    Ok(thinned(points, from_ms, to_ms, max))
}

async fn read_hour(metrics: &Database, subject: &str, hour: u64) -> Result<Vec<HistoryPoint>> {
    let key = HOURS.key(&[subject, hour.to_string().as_str()])?;
    let fields: BTreeMap<String, Bytes> = metrics.hash().get_all(key.as_str()).await?;
    let point = |(field, bytes): (&String, &Bytes)| {
        let minute = field.parse::<u64>().ok().filter(|minute| *minute < 60)?;
        HistoryPoint::decode(hour * HOUR_MS + minute * MINUTE_MS, bytes)
    };
    Ok(fields.iter().filter_map(point).collect())
}

/// The last point of each of `max` parts of the time.
fn thinned(points: Vec<HistoryPoint>, from_ms: u64, to_ms: u64, max: usize) -> Vec<HistoryPoint> {
    if points.len() <= max || max == 0 {
        return points;
    }
    let part = (to_ms.saturating_sub(from_ms) / max as u64 + 1).max(1);
    let mut kept: Vec<HistoryPoint> = Vec::new();
    for point in points {
        let of = |one: &HistoryPoint| (one.at_ms - from_ms) / part;
        match kept.last_mut() {
            Some(last) if of(last) == of(&point) => *last = point,
            _ => kept.push(point),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_reads_back_and_one_of_another_form_does_not() {
        let point = HistoryPoint {
            at_ms: 7 * MINUTE_MS,
            keys: Some(1_000_000.0),
            hit_rate: Some(0.25),
            ..HistoryPoint::default()
        };
        let bytes = point.encode();
        assert!(bytes.len() < 64, "Redis keeps longer values apart");
        assert_eq!(HistoryPoint::decode(point.at_ms, &bytes), Some(point));
        assert_eq!(HistoryPoint::decode(0, b""), None);
        assert_eq!(HistoryPoint::decode(0, &bytes[..20]), None);
        assert_eq!(HistoryPoint::decode(0, &[&[2], &bytes[1..]].concat()), None);
    }

    #[test]
    fn a_long_time_is_thinned_out_to_the_last_point_of_each_part() {
        let at = |minute: u64| HistoryPoint { at_ms: minute * MINUTE_MS, ..Default::default() };
        let points: Vec<_> = (0..1_000).map(at).collect();
        let kept = thinned(points.clone(), 0, 999 * MINUTE_MS, 100);
        assert!((90..=100).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last(), points.last());
        assert_eq!(thinned(points.clone(), 0, 999 * MINUTE_MS, 2_000).len(), 1_000);
    }
}
